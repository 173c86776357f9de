"""The root of what can go wrong in this room."""


class FlowError(Exception):
    """A flow cannot start or go on; the message says what to do."""
