"""The root of what can go wrong in this room."""


class SimulationError(Exception):
    """The made-up world cannot be built or run as asked; the message says what to do."""
