"""Where the alerts are kept, from options, settings or the data folder; and opening them for a command."""

from pathlib import Path
from typing import Any

from console.errors import ConsoleError
from console.options import DATA_FOLDER
from console.rooms import room
from console.settings import settings

FILE = "alerts.sqlite"


def data_folder(data: Path | None) -> Path:
    """The folder for everything Linewatch keeps: the option, else the setting, else `linewatch-data`."""
    if data is not None:
        return data
    said = getattr(settings(), "data", None)
    return Path(said) if said is not None else DATA_FOLDER


def store_url(store: str | None, data: Path | None) -> str:
    """The store's address: the option, else (where no data folder is named) the setting, else in the data folder."""
    if store is not None:
        return store
    said = None if data is not None else getattr(settings(), "store", None)
    return str(said) if said else f"sqlite:///{data_folder(data) / FILE}"


def open_store(store: str | None, data: Path | None) -> Any:
    """The store that holds the alerts so far.

    Raises:
        ConsoleError: it is a file that is not there.
    """
    url = store_url(store, data)
    path = sqlite_file(url)
    if path is not None and not path.exists():
        raise ConsoleError(
            f"There are no alerts yet: {path} does not exist. Run `linewatch demo` or `linewatch replay` first, "
            "or say where they are with --store or --data."
        )
    return room("alerts.store", "alerts").AlertStore(url)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite address; nothing for another kind of store."""
    head, found, path = url.partition("sqlite:///")
    return Path(path) if found and not head and path and path != ":memory:" else None
