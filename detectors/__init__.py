"""What we look for: one file per detector."""
