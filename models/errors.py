"""The root of what can go wrong in this room."""


class ModelError(Exception):
    """A model cannot be made, loaded or taught; the message says what to do."""
