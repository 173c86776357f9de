"""The settings that a command starts from, with mistakes in them told field by field."""

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from console.errors import ConsoleError
from console.rooms import room

if TYPE_CHECKING:
    from events.tokens import KeyRing


def settings() -> Any:
    """The settings from the environment (LINEWATCH_…) and linewatch.toml.

    Raises:
        ConsoleError: a setting is not usable.
    """
    try:
        return room("flows.settings", "run").Settings()
    except ValidationError as problem:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in problem.errors()
        )
        raise ConsoleError(
            f"A setting is not usable: {wrong}. Settings come from LINEWATCH_… variables and linewatch.toml; "
            "docs/settings.md explains each."
        ) from problem


def key_ring() -> "KeyRing":
    """The keys that make tokens."""
    keys: KeyRing = room("flows.settings", "token").key_ring(settings())
    return keys
