"""How we are doing: metric names and the performance framework."""
