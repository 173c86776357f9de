"""The files of control rows in a data folder: whoever decides something writes there, and flows read and follow them.

One writer at a time, each row on the disk when it is written, half a line from a crash refused by itself: it takes
nothing with it.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alerts.record import when_text

FOLDER: Final = "control"
SOURCE: Final = "linewatch.decisions"
_LOCK: Final = ".lock"  # readers leave files alone whose names begin with a dot
_PARTS: Final = frozenset({"event_id", "kind", "detector", "body"})


def folder_of(data: Path) -> Path:
    """Where control rows are, in a data folder."""
    return data / FOLDER


def row(event_id: str, at: int, kind: str, about: str, body: dict[str, Any]) -> dict[str, Any]:
    """One control row about a detector."""
    return {
        "event_id": event_id,
        "ts": when_text(at),
        "source": SOURCE,
        "kind": kind,
        "detector": about,
        "body": body,
    }


@contextmanager
def alone(data: Path) -> Iterator[Path]:
    """One writer at a time, in the folder of control rows, which is made where there is none."""
    folder = folder_of(data)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def written(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file, or none; what is no control row is not ours to judge: the flow refuses it with a reason."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and found.keys() >= _PARTS and isinstance(found["body"], dict):
            yield found


def append(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows behind what is there, on the disk when this returns."""
    text = b"".join(json.dumps(one, sort_keys=True).encode() + b"\n" for one in rows)
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            text = text if file.read() == b"\n" else b"\n" + text
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, raw: bytes) -> None:
    """Put a file in place whole or not at all."""
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
