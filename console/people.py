"""Who is at the keyboard: the name that goes into the audit."""

import getpass

from console.errors import ConsoleError


def named(by: str) -> str:
    """The name that was given, else the user name of this login.

    Raises:
        ConsoleError: neither is there.
    """
    if by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConsoleError("This login has no name: say who you are with --by NAME.") from None
