"""How it runs: the only room that imports bytewax."""
