"""The crimes: each a process with its own states, lasting days to months, with what is true of it kept apart."""
