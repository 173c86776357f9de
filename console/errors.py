"""The root of what can go wrong in this room."""


class ConsoleError(Exception):
    """A command could not do what it was asked; the message says what happened and what to do."""
