"""What can go wrong with an import before a row is looked at: the map, or the file as a whole."""

from events.errors import EventError


class MapError(EventError):
    """A map says something that cannot be done; the message names the key and what would be right."""


class SourceError(EventError):
    """A file as a whole cannot be imported (empty, cut short, of another kind, a column missing)."""
