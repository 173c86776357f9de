"""One log of what a shard was given: written to as things come, made durable when an epoch closes."""

import os
from pathlib import Path
from typing import Any

from events.ledger import sync_folder
from flows.errors import FlowError
from flows.plain import frame, framed, pack, unpack


class Log:
    """A file of framed entries. What was written since it was last durable is held until it is."""

    def __init__(self, path: Path, length: int = 0, *, fsync: bool = True) -> None:
        self.path = path
        self.length = length
        self.fsync = fsync
        self._is_new = length == 0
        self._sound = length
        self._fresh: list[bytes] = []

    @property
    def is_safe(self) -> bool:
        """Whether all that was written is on the disk, as far as that is waited for."""
        return not self._fresh

    def append(self, entries: list[Any]) -> int:
        """Write entries after what counts, whatever lies there; gives how many bytes.

        Raises:
            OSError: it could not be written; the same may be appended again.
        """
        parts = frame(pack(entries))
        self._put(self.length, parts)
        if self.fsync:
            self._fresh += parts
        written = sum(map(len, parts))
        self.length += written
        return written

    def sync(self) -> int:
        """Wait until it is on the disk, with its name.

        Raises:
            OSError: the disk did not take it; `again` writes it once more.
        """
        if self._fresh:
            with self.path.open("r+b") as file:
                os.fdatasync(file.fileno())
            if (
                self._is_new
            ):  # a new file is not there after a power cut until its folder has been written too
                sync_folder(self.path.parent)
            self._is_new, self._sound, self._fresh = False, self.length, []
        return self.length

    def again(self) -> int:
        """Write once more what a disk did not take: what it failed to write once it may have forgotten.

        Raises:
            OSError: it still does not.
        """
        self._put(self._sound, self._fresh)
        return self.sync()

    def entries(self) -> list[Any]:
        """All entries that count; what lies beyond them is cut off.

        Raises:
            FlowError: the file is shorter than it was, or damaged.
        """
        if not self.length:
            return []
        found: list[Any] = []
        with self.path.open("r+b") as file:
            if self.path.stat().st_size < self.length:
                raise FlowError(f"{self.path.name} is shorter than it was")
            file.truncate(self.length)
            while file.tell() < self.length:
                found += unpack(framed(file))
        return found

    def _put(self, at: int, parts: "list[bytes] | tuple[bytes, ...]") -> None:
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.truncate(at)
            file.seek(at)
            file.writelines(parts)
