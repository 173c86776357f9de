"""Keeping a shard's state: a base now and then, and after it a log of what changed.

A pass's state is a function of what it was given, so its log is what it was given: a role row is a tenth of the state
it touches. What an epoch costs follows the traffic and not the population. Bytewax keeps, for each shard, only a
small manifest: which base, which log, how long. On resuming, what lies beyond the manifest is cut off.
"""

import errno
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from events.ledger import sync_folder
from flows.errors import FlowError
from flows.plain import pack, unpack
from monitoring import metrics

_LEAST_LOG: Final = 4 << 20
"""A base is not worth writing for a log of less than this."""
_KEPT: Final = 3
"""Generations of base and log that stay: the engine may resume one or two epochs back, never three bases."""
_RETRY_S: Final = 1.0
_MANIFEST_VERSION: Final = 6
_OTHER_VERSION: Final = "the recovery folder was written by another version: start with an empty one"
_FRAME: Final = struct.Struct("<QI")  # length, CRC-32

_PASSING: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EAGAIN,
    errno.ENFILE,
    errno.EMFILE,
}


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """Where a shard's state is: generation, whether it has a base, and the length of its log."""

    version: int
    name: str
    generation: int
    based: bool
    length: int
    layout: str
    """What was kept and in which order: features and detectors decide it."""


def name_in(manifest: bytes) -> str:
    """Whose manifest it is."""
    return _manifest(manifest).name


def _manifest(data: bytes) -> Manifest:
    """A manifest from its bytes.

    Raises:
        FlowError: another version wrote it.
    """
    try:
        kept = msgspec.msgpack.decode(data, type=Manifest)
    except msgspec.MsgspecError as trouble:
        raise FlowError(_OTHER_VERSION) from trouble
    if kept.version != _MANIFEST_VERSION:
        raise FlowError(_OTHER_VERSION)
    return kept


def is_passing(trouble: OSError) -> bool:
    """Whether it is worth waiting for: a disk that is full or fails for the moment, not a folder that is not there."""
    return trouble.errno in _PASSING


def patiently(what: str, write: Callable[[], int]) -> int:
    """Do a write, and when the disk is full or fails for the moment, say so and try again until it works."""
    while True:
        try:
            done = write()
        except OSError as trouble:
            if not is_passing(trouble):
                raise
            metrics.pause(what)
            time.sleep(_RETRY_S)
            continue
        metrics.go_on(what)
        return done


def made(folder: Path) -> int:
    """Make a folder that may be there already."""
    folder.mkdir(parents=True, exist_ok=True)
    return 0


def _frame(data: bytes) -> bytes:
    """Bytes with their length and checksum in front."""
    return _FRAME.pack(len(data), zlib.crc32(data)) + data


def _framed(file: BinaryIO) -> bytes:
    """The next framed bytes of a file.

    Raises:
        FlowError: they are not what was written.
    """
    head = file.read(_FRAME.size)
    size, checksum = _FRAME.unpack(head) if len(head) == _FRAME.size else (0, -1)
    data = file.read(size)
    if len(data) != size or zlib.crc32(data) != checksum:
        raise FlowError("it is damaged")
    return data


class Keeper:
    """Keeps one shard's state in a folder; without a folder it keeps nothing."""

    def __init__(
        self,
        folder: Path | None,
        name: str,
        *,
        stagger: float = 0.0,
        fsync: bool = True,
        layout: str = "",
    ) -> None:
        self.folder = folder
        self.name = name
        self.layout = layout
        self.fsync = fsync
        self.generation = 0
        self.based = False
        self.length = 0
        self.base_bytes = 0
        # shards write their first bases at different times, or all would pause together
        self.room = 1.0 + stagger
        self._entries: list[Any] = []
        if folder is not None:
            patiently("snapshots", lambda: made(folder))

    def add(self, entry: Any) -> None:
        """Note one thing that changed, as plain data."""
        if self.folder is not None:
            self._entries.append(entry)

    def save(self, dump: Callable[[], Any]) -> bytes:
        """Write what changed; gives the manifest."""
        if self.folder is None:
            return b""
        if self._entries:
            data = pack(self._entries)
            self._entries = []
            self.length = patiently("snapshots", lambda: self._append(data))
            metrics.SNAPSHOT_BYTES.inc(len(data))
        if self.length > max(_LEAST_LOG, self.base_bytes) * self.room:
            self._begin(dump())
        return msgspec.msgpack.encode(
            Manifest(_MANIFEST_VERSION, self.name, self.generation, self.based, self.length, self.layout)
        )

    def resume(self, manifest: bytes) -> tuple[Any | None, list[Any]]:
        """The base (if any) and the entries after it that a manifest names.

        Raises:
            FlowError: a file it names is missing or damaged, or other features or detectors wrote it.
        """
        if self.folder is None or not manifest:
            return None, []
        kept = _manifest(manifest)
        if kept.layout != self.layout:
            raise FlowError(
                "the recovery folder was written with other features or detectors: go back to those, or start with an "
                "empty recovery folder and replay the ledger"
            )
        self.generation, self.based, self.length = kept.generation, kept.based, kept.length
        base = None
        try:
            if kept.based:
                with self._base_path(self.generation).open("rb") as file:
                    data = _framed(file)
                self.base_bytes = len(data)
                base = unpack(data)
            return base, self._entries_of(kept.length)
        except (OSError, ValueError, FlowError) as trouble:
            raise FlowError(
                f"the state of {self.name} in {self.folder} cannot be read ({trouble}): restore the folder from a "
                "copy, or start with an empty recovery folder and replay the ledger"
            ) from trouble

    def _entries_of(self, length: int) -> list[Any]:
        if not length:
            return []
        path = self._log_path(self.generation)
        entries: list[Any] = []
        with path.open("r+b") as log:
            if path.stat().st_size < length:
                raise FlowError(f"{path.name} is shorter than it was")
            log.truncate(length)
            while log.tell() < length:
                entries += unpack(_framed(log))
        return entries

    def _append(self, data: bytes) -> int:
        path = self._log_path(self.generation)
        is_new = not path.exists()
        with path.open("w+b" if is_new else "r+b") as log:
            log.truncate(self.length)
            log.seek(self.length)
            log.write(_frame(data))
            log.flush()
            if self.fsync:
                os.fdatasync(log.fileno())
            end = log.tell()
        if is_new:
            self._sync_names()
        return end

    def _begin(self, state: Any) -> None:
        """Start a new generation with a base of its own; old ones go once nothing can name them."""
        data = pack(state)
        generation = self.generation + 1
        self.base_bytes = patiently("snapshots", lambda: self._write_base(generation, data))
        metrics.SNAPSHOT_BYTES.inc(len(data))
        self.generation, self.based, self.length, self.room = generation, True, 0, 1.0
        for old in range(max(0, generation - _KEPT - 2), generation - _KEPT + 1):
            self._base_path(old).unlink(missing_ok=True)
            self._log_path(old).unlink(missing_ok=True)

    def _write_base(self, generation: int, data: bytes) -> int:
        self._log_path(generation).unlink(
            missing_ok=True
        )  # left by a run that was killed before this was committed
        part = self._base_path(generation).with_suffix(".part")
        with part.open("wb") as file:
            file.write(_frame(data))
            file.flush()
            if self.fsync:
                os.fdatasync(file.fileno())
        part.replace(self._base_path(generation))
        self._sync_names()
        return len(data)

    def _sync_names(self) -> None:
        """A new file is not there after a power cut until its folder has been written too."""
        if self.fsync and self.folder is not None:
            sync_folder(self.folder)

    def _base_path(self, generation: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{self.name}-{generation:06d}.base"

    def _log_path(self, generation: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{self.name}-{generation:06d}.log"
