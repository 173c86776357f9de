"""Rooms that a command needs only when it runs: imported then, with a plain word where this build lacks one."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from console.errors import ConsoleError


def room(module: str, command: str) -> ModuleType:
    """The module, or a clear word that this build does not have it.

    Raises:
        ConsoleError: the module is not part of this build.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name is None or not module.startswith(missing.name):
            raise
        raise ConsoleError(
            f"`linewatch {command}` needs the part `{module}`, which this build of Linewatch does not have. "
            "Install a build that has it."
        ) from missing


def beside(module: str, command: str) -> ModuleType:
    """A module of a folder that lies beside the rooms in the source and is not installed with them.

    Raises:
        ConsoleError: this is not a source folder, or it lacks the module.
    """
    source = str(Path(__file__).resolve().parent.parent)
    if source not in sys.path:
        sys.path.append(source)
    return room(module, command)


def check_own_rooms() -> None:
    """Make sure that no folder of the same name elsewhere stands in for one of our rooms.

    Raises:
        ConsoleError: one does.
    """
    own = Path(__file__).resolve().parent.parent
    for name in ("places", "events", "alerts", "features", "models", "detectors", "monitoring", "flows"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None or Path(found.origin).resolve().parent.parent != own:
            raise ConsoleError(
                f"The package `{name}` comes from {found.origin if found else 'nowhere'}, not from {own}. "
                "Start linewatch from another folder, or take that folder off PYTHONPATH."
            )
