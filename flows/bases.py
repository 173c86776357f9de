"""Bases: a shard's whole state on the disk, written beside the flow while it goes on.

The flow stands still only while the state is copied into memory that is already there. Cutting into pieces,
compressing, writing and waiting for the disk are another thread's; one base is in work at a time, so a process holds
one copy of one shard.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.ledger import sync_folder
from flows.errors import FlowError
from flows.plain import frame, framed, pack, unpack
from monitoring import metrics

Arrays = Mapping[str, npt.NDArray[Any]]

_PIECE_BYTES: Final = 1 << 20
"""So much is compressed at a time: it stays in the cache, and the flow waits for Python no longer than this takes."""
_DISK_BYTES: Final = 1 << 20
"""So much is given to the disk at a time: what the flow itself waits for there waits behind it."""
_SPARE: Final = 1.5
"""How much more room is taken than is needed now: states grow."""
_NICE: Final = 5
"""Behind the flow, and not so far behind other programs that the flow would wait for what this thread holds."""
_LINE: Final = 64
_TOGETHER: Final = 8
"""Logs that are made durable at a time: the disk does several in little more time than one."""


class Beside:
    """What one process does beside its flow: bases one at a time, and making logs durable together."""

    def __init__(self, bases: Executor | None = None) -> None:
        self._bases = bases or ThreadPoolExecutor(1, "bases", initializer=_give_way)
        self._disk = ThreadPoolExecutor(_TOGETHER, "disk")
        self._room = np.zeros(0, dtype=np.uint8)
        self._work: Future[Any] | None = None
        self._making: Future[None] | None = None

    @property
    def is_free(self) -> bool:
        """Whether another base can be begun."""
        return self._work is None or self._work.done()

    def has_room(self, size: int) -> bool:
        """Whether so many bytes can be copied at once; if not, room is made beside the flow: ask again later."""
        if self._making is not None:
            self._making.result()  # says what went wrong, too
        if size <= len(self._room):
            return True
        self._work = self._making = self._bases.submit(self._make_room, int(size * _SPARE))
        return False

    def _make_room(self, size: int) -> None:
        """Have memory that has been touched: the system clears fresh pages twenty times slower than one copies."""
        self._room = np.zeros(0, dtype=np.uint8)
        room = np.empty(size, dtype=np.uint8)
        room.fill(0)
        self._room = room

    def write(
        self, path: Path, rest: Any, arrays: Arrays, *, fsync: bool, gone: Iterable[Path]
    ) -> "Future[int]":
        """Copy a state now and write it beside the flow, once files that nothing names are gone; gives its size then."""
        copied, head = self._copied(arrays), pack([rest, {name: len(a) for name, a in arrays.items()}])
        work = self._bases.submit(lambda: _write(path, head, copied, fsync=fsync, gone=gone))
        self._work = work
        return work

    def _copied(self, arrays: Arrays) -> Arrays:
        copies, at = {}, 0
        for name, array in arrays.items():
            copy = self._room[at : at + array.nbytes].view(array.dtype).reshape(array.shape)
            copy[...] = array
            copies[name] = copy
            at += _lines(array.nbytes)
        return copies

    def together(self, work: Iterable[Callable[[], int]]) -> list[OSError | None]:
        """Wait for several things that wait for the disk; gives what went wrong with each."""
        waiting = [self._disk.submit(each) for each in work]
        found: list[OSError | None] = []
        for each in waiting:
            trouble = each.exception()
            if trouble is not None and not isinstance(trouble, OSError):
                raise trouble
            found.append(trouble)
        return found


def _give_way() -> None:
    """Have this thread wait for the flow's where the two share a core; elsewhere than on Linux it would be the process."""
    if sys.platform == "linux":
        os.nice(_NICE)


def _lines(size: int) -> int:
    return -(-size // _LINE) * _LINE


def size_of(arrays: Arrays) -> int:
    """How much room copies of arrays take."""
    return sum(_lines(array.nbytes) for array in arrays.values())


def _write(path: Path, head: bytes, arrays: Arrays, *, fsync: bool, gone: Iterable[Path]) -> int:
    for old in gone:
        old.unlink(missing_ok=True)
    part = path.with_suffix(".part")
    try:
        size = _put(part, head, arrays, fsync=fsync)
    except OSError:
        part.unlink(missing_ok=True)  # the room there is belongs to the logs
        raise
    part.replace(path)
    if fsync:
        sync_folder(path.parent)
    metrics.SNAPSHOT_BYTES.inc(size)
    return size


def _put(path: Path, head: bytes, arrays: Arrays, *, fsync: bool) -> int:
    waiting = 0
    with path.open("wb") as file:
        file.writelines(frame(head))
        for piece in _pieces(arrays):
            parts = frame(pack(piece))
            file.writelines(parts)
            waiting += len(parts[1])
            if fsync and waiting > _DISK_BYTES:
                file.flush()
                os.fdatasync(file.fileno())
                waiting = 0
        file.flush()
        if fsync:
            os.fdatasync(file.fileno())
        return file.tell()


def _pieces(arrays: Arrays) -> Iterator[list[Any]]:
    """Arrays in pieces with their names, each of them at least one: of nothing, too, its kind is kept."""
    for name, array in arrays.items():
        step = max(1, _PIECE_BYTES // max(1, array.nbytes // max(1, len(array))))
        for start in range(0, max(1, len(array)), step):
            yield [name, array[start : start + step]]


def read_base(path: Path) -> tuple[Any, int]:
    """A state as it was written, and how many bytes it took.

    Raises:
        OSError: it is not there.
        FlowError: it is damaged.
    """
    with path.open("rb") as file:
        rest, heights = unpack(framed(file))
        arrays = {name: _read_array(file, name, height) for name, height in heights.items()}
        size = file.tell()
    return (rest | arrays if heights else rest), size


def _read_array(file: Any, name: str, height: int) -> npt.NDArray[Any]:
    pieces: list[npt.NDArray[Any]] = []
    have = 0
    while have < height or not pieces:
        whose, piece = unpack(framed(file))
        if whose != name:
            raise FlowError("it is damaged")
        pieces.append(piece)
        have += len(piece)
    return np.concatenate(pieces)
