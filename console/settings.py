"""The settings that a command starts from, with mistakes in them told field by field."""

from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING

from pydantic import ValidationError

from console.errors import ConsoleError

if TYPE_CHECKING:
    from flows.settings import Settings


def settings() -> "Settings":
    """The settings from the environment (LINEWATCH_…) and linewatch.toml.

    Raises:
        ConsoleError: a setting is not usable.
    """
    from flows.settings import FILE, Settings

    try:
        return Settings()
    except ValidationError as problem:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in problem.errors()
        )
        raise ConsoleError(
            f"A setting is not usable: {wrong}. Settings come from LINEWATCH_… variables and {FILE}; "
            "docs/settings.md explains each."
        ) from problem
    except TOMLDecodeError as problem:
        raise ConsoleError(
            f"{FILE} is not TOML: {problem}. Mend it, or take it away to use the defaults."
        ) from problem
