"""The root of what can go wrong in this room."""


class EventError(Exception):
    """Something about the input, its settings or the ledger is not usable; the message says what to do."""
