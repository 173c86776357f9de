"""The root of what can go wrong in this room."""


class PlaceError(Exception):
    """The geography or the organisations cannot be read or used as asked; the message says what to do."""
