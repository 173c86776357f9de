"""The root of what can go wrong in this room."""


class DetectorError(Exception):
    """A detector's file is not as a detector must be; the message says what to mend."""
