"""Keeping a shard's state: a base now and then, and after it logs of what changed.

A pass's state is a function of what it was given, so its log is what it was given: a role row is a tenth of the state
it touches. What an epoch costs follows the traffic and not the population. Bytewax keeps, for each shard, only a
small manifest: which base, and how long each log after it is. On resuming, what lies beyond the manifest is cut off.

A base is written beside the flow. With its copying a new log begins; manifests name the base before and the logs of
both, until an epoch closes after the new one has come to lie on the disk.
"""

import errno
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from flows.bases import Beside, read_base, size_of
from flows.errors import FlowError
from flows.logs import Log
from monitoring import metrics

_LEAST_LOG: Final = 4 << 20
"""A base is not worth writing for a log of less than this."""
_KEPT: Final = 3
"""Bases that stay: the engine may resume one or two epochs back, and an epoch names at most one more."""
_RETRY_S: Final = 1.0
_MANIFEST_VERSION: Final = 7
_OTHER_VERSION: Final = "the recovery folder was written by another version: start with an empty one"

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
    """Where a shard's state is: generation, whether it has a base, and the lengths of its log and of those after it."""

    version: int
    name: str
    generation: int
    based: bool
    lengths: tuple[int, ...]
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


class Keeper:
    """Keeps one shard's state in a folder; without a folder it keeps nothing."""

    def __init__(
        self,
        folder: Path | None,
        name: str,
        beside: Beside | None = None,
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
        self.base_bytes = 0
        # shards write their first bases at different times, or all would be waiting for each other
        self.room = 1.0 + stagger
        self._beside = beside or Beside()
        self._logs: list[Log] = []
        self._begun: tuple[int, Future[int]] | None = None
        self._named: deque[int] = deque([0], _KEPT)
        self._entries: list[Any] = []
        if folder is not None:
            patiently("snapshots", lambda: made(folder))
            self._logs = [self._log(0)]

    @property
    def length(self) -> int:
        """How long the logs after the base are."""
        return sum(log.length for log in self._logs)

    def add(self, entry: Any) -> None:
        """Note one thing that changed, as plain data."""
        if self.folder is not None:
            self._entries.append(entry)

    def write(self) -> None:
        """Write what was noted; it counts from the next manifest on."""
        if self._entries:
            entries, self._entries = self._entries, []
            metrics.SNAPSHOT_BYTES.inc(patiently("snapshots", lambda: self._logs[-1].append(entries)))

    def save(self, dump: Callable[[], Any] | None = None) -> bytes:
        """Have all that was noted on the disk; gives the manifest. With `dump`, a base that is due is begun after it."""
        if self.folder is None:
            return b""
        self.write()
        on_disk(self.unsafe, self._beside)
        self._name_base()
        lengths = tuple(log.length for log in self._logs)
        kept = Manifest(_MANIFEST_VERSION, self.name, self.generation, self.based, lengths, self.layout)
        if dump is not None and self.is_due and self._beside.is_free:
            self.begin(dump)
        return msgspec.msgpack.encode(kept)

    @property
    def unsafe(self) -> list[Log]:
        """The logs that are not yet on the disk whole."""
        return [log for log in self._logs if not log.is_safe]

    # ---------------------------------------------------------------------------------------------------------- bases

    @property
    def is_due(self) -> bool:
        """Whether its logs are long enough for another base."""
        return self._begun is None and self.need > 1.0

    @property
    def need(self) -> float:
        """How long its logs are, in those that are long enough for another base."""
        return self.length / (max(_LEAST_LOG, self.base_bytes) * self.room)

    def begin(self, dump: Callable[[], Any]) -> None:
        """Begin another base of the state as it is now, if there is room for a copy; ask again if there was not."""
        state = dump()
        arrays = {name: part for name, part in state.items() if isinstance(part, np.ndarray)}
        if not self._beside.has_room(size_of(arrays)):
            return
        self.write()
        rest = {name: part for name, part in state.items() if name not in arrays}
        generation = self.generation + len(self._logs)
        path, gone = self._base_path(generation), self._forgotten()
        writing = self._beside.write(path, rest, arrays, fsync=self.fsync, gone=gone)
        self._begun = generation, writing
        self._logs.append(self._log(generation))

    def _name_base(self) -> None:
        """From now on manifests name the base that was begun, if it lies on the disk."""
        if self._begun is None or not self._begun[1].done():
            return
        (generation, writing), self._begun = self._begun, None
        trouble = writing.exception()
        if isinstance(trouble, OSError) and is_passing(trouble):
            logging.getLogger("linewatch").warning("no base of %s could be written: %s", self.name, trouble)
            return  # the base before still counts, with all logs since; the next try is due
        self.base_bytes = writing.result()
        self._logs = self._logs[generation - self.generation :]
        self.generation, self.based, self.room = generation, True, 1.0
        self._named.append(generation)

    def _forgotten(self) -> list[Path]:
        """Files that no manifest names with which the engine may come back."""
        assert self.folder is not None
        if len(self._named) < _KEPT:
            return []
        return [
            path
            for path in self.folder.glob(f"{self.name}-*.*")
            if path.stem.rpartition("-")[0] == self.name
            and int(path.stem.rpartition("-")[2]) < self._named[0]
        ]

    # ------------------------------------------------------------------------------------------------------- resuming

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
        self.generation, self.based = kept.generation, kept.based
        self._named = deque([kept.generation], _KEPT)
        self._logs = [self._log(kept.generation + i, at) for i, at in enumerate(kept.lengths)]
        base = None
        try:
            if kept.based:
                base, self.base_bytes = read_base(self._base_path(self.generation))
            return base, [entry for log in self._logs for entry in log.entries()]
        except (OSError, ValueError, FlowError) as trouble:
            raise FlowError(
                f"the state of {self.name} in {self.folder} cannot be read ({trouble}): restore the folder from a "
                "copy, or start with an empty recovery folder and replay the ledger"
            ) from trouble

    def _base_path(self, generation: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{self.name}-{generation:06d}.base"

    def _log(self, generation: int, length: int = 0) -> Log:
        assert self.folder is not None
        return Log(self.folder / f"{self.name}-{generation:06d}.log", length, fsync=self.fsync)


def on_disk(logs: Iterable[Log], beside: Beside) -> None:
    """Wait until logs are on the disk, which does several in little more time than one."""
    logs = list(logs)
    for log, trouble in zip(logs, beside.together([log.sync for log in logs]), strict=True):
        if trouble is not None and not is_passing(trouble):
            raise trouble
        if trouble is not None:
            patiently("snapshots", log.again)
