"""The root of what can go wrong in this room."""


class AlertError(Exception):
    """An alert, a decision or the store is not usable as asked; the message says what to do."""


class StoreUnavailable(AlertError):  # noqa: N818 - a state of the store, said in words
    """The store cannot take a write or a read just now (locked, down, full); nothing was lost: ask again later."""


class UnknownAlert(AlertError):  # noqa: N818
    """No alert, or more than one, answers to the id given."""


class NotAllowed(AlertError):  # noqa: N818
    """A step the life-cycle of an alert does not allow, or a decision nobody put a name to."""
