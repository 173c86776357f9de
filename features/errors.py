"""The root of what can go wrong in this room."""


class FeatureError(Exception):
    """A feature is declared or asked for in a way that cannot work; the message says what to do."""
