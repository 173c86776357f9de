"""Where the alerts are kept, from options, settings or the data folder; and opening them for a command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.errors import ConsoleError
from console.settings import settings

if TYPE_CHECKING:
    from alerts.store import AlertStore

FILE: Final = "alerts.sqlite"


def use_data(data: Path | None) -> Path:
    """The folder for everything Linewatch keeps; one given as an option holds for all that this command starts."""
    if data is not None:
        os.environ["LINEWATCH_DATA"] = str(data)
    return settings().data


def store_url(store: str | None, data: Path | None) -> str:
    """The store's address: the option, else (where no data folder is named) the setting, else in the data folder."""
    if store is not None:
        return store
    said = None if data is not None else settings().store
    return said or f"sqlite:///{use_data(data) / FILE}"


@contextmanager
def open_store(store: str | None, data: Path | None, *, make: bool = False) -> Iterator["AlertStore"]:
    """The store that holds the alerts so far; with `make`, one that is not there yet is made.

    Raises:
        ConsoleError: it is a file that is not there.
    """
    from alerts.store import AlertStore

    url = store_url(store, data)
    path = sqlite_file(url)
    if path is not None and not path.exists() and not make:
        raise ConsoleError(
            f"There are no alerts yet: {path} does not exist. Run `linewatch demo` or `linewatch replay` first, "
            "or say where they are with --store or --data."
        )
    desk = AlertStore(url)
    try:
        if make:
            desk.migrate()
        yield desk
    finally:
        desk.close()


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite address or of a plain path; nothing for another kind of store."""
    if "://" not in url:
        return Path(url)
    head, found, path = url.partition("sqlite:///")
    return Path(path) if found and not head and path and path != ":memory:" else None
