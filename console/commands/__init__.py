"""The commands, one file each: what they are called, what their options mean, and what they print."""
