"""The root of what can go wrong in this room."""


class MonitoringError(Exception):
    """The numbers cannot be served or read; the message says what to do."""
