"""Exact memory of the records already seen, so that a repeat is dropped once and for all within the horizon.

A record is known by the 128-bit digest of its stream, source and event id. It is remembered from its own `recorded_ts`
(in whole seconds) until the newest `recorded_ts` seen is more than the horizon past it; a digest met again until then
is a repeat, after that a new record. What counts is only the order of the rows, not how they were batched.

The memory is split into 64 parts by the digest's first bits. Each is an open-addressing table (20 bytes a slot, half
to three quarters full) that is rebuilt when full, without what has expired: **27 to 40 bytes a remembered record**, the
expired not yet swept out included in the count, and no pause longer than the rebuilding of a 64th.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from events.kernels import njit

Words64 = NDArray[np.uint64]

PARTS: Final = 64
FULLEST: Final = 0.75
AFTER_REBUILD: Final = 0.5
SMALLEST: Final = 32
SECOND_US: Final = 1_000_000

ENTRY: Final = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("when", "<u4")])
"""A remembered digest as `changes` gives it; hi = lo = 0 says what the newest `recorded_ts` was."""


@njit(cache=True, nogil=True)
def find(his: Any, los: Any, whens: Any, hi: Any, lo: Any) -> Any:
    """The slot of a digest: where it is, or else the free one where it would go."""
    size = np.uint64(whens.size)
    slot: Any = np.int64(((lo >> np.uint64(32)) * size) >> np.uint64(32))
    while whens[slot] and (los[slot] != lo or his[slot] != hi):
        slot += 1
        if slot == whens.size:
            slot = 0
    return slot


@njit(cache=True, nogil=True)
def _rehash(his: Any, los: Any, whens: Any, floor: int, new_his: Any, new_los: Any, new_whens: Any) -> Any:
    """Puts what has not expired into new arrays; gives each old slot's new one, -1 for the expired."""
    moved = np.full(whens.size, -1, np.int64)
    for old in range(whens.size):
        if whens[old] and whens[old] >= floor:
            slot = find(new_his, new_los, new_whens, his[old], los[old])
            new_his[slot] = his[old]
            new_los[slot] = los[old]
            new_whens[slot] = whens[old]
            moved[old] = slot
    return moved


@njit(cache=True, nogil=True)
def _live(whens: Any, floor: int) -> int:
    count = 0
    for slot in range(whens.size):
        if whens[slot] and whens[slot] >= floor:
            count += 1
    return count


class Part:
    """One part of a memory: digests, when each was remembered, and what is kept beside them."""

    def __init__(self, beside: tuple[np.dtype[Any], ...] = ()) -> None:
        self.his, self.los = np.zeros(SMALLEST, np.uint64), np.zeros(SMALLEST, np.uint64)
        self.whens = np.zeros(SMALLEST, np.uint32)
        self.beside: tuple[NDArray[Any], ...] = tuple(np.zeros(SMALLEST, dtype) for dtype in beside)
        self.used = 0

    def make_room(self, more: int, floor: int) -> None:
        """Sees to it that `more` digests fit; what expired before `floor` is swept out when it must rebuild."""
        if self.used + more <= FULLEST * self.whens.size:
            return
        live = _live(self.whens, floor)
        size = max(SMALLEST, int((live + more) / AFTER_REBUILD) + 1)
        his, los, whens = np.zeros(size, np.uint64), np.zeros(size, np.uint64), np.zeros(size, np.uint32)
        moved = _rehash(self.his, self.los, self.whens, floor, his, los, whens)
        kept = np.flatnonzero(moved >= 0)
        beside: list[NDArray[Any]] = []
        for old in self.beside:
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[moved[kept]] = old[kept]
            beside.append(new)
        self.his, self.los, self.whens, self.beside, self.used = his, los, whens, tuple(beside), live

    @property
    def nbytes(self) -> int:
        """Bytes this part takes."""
        arrays: list[NDArray[Any]] = [self.his, self.los, self.whens, *self.beside]
        return sum(array.nbytes for array in arrays)


class Clock:
    """The newest `recorded_ts` seen, row by row, and what it has made expire."""

    def __init__(self, horizon_us: int) -> None:
        self.horizon = max(1, -(-horizon_us // SECOND_US))
        self.newest = 1

    def advance(self, recorded_ts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each row's second, and the second before which all is expired for it."""
        seconds = np.clip(recorded_ts // SECOND_US, 1, 2**32 - 1)
        newest = np.maximum(np.maximum.accumulate(seconds), self.newest)
        if newest.size:
            self.newest = int(newest[-1])
        return seconds, newest - self.horizon

    @property
    def floor(self) -> int:
        """The second before which all is expired now."""
        return self.newest - self.horizon


def by_part(hi: Words64) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows of each part that has any, in their order."""
    part = (hi >> np.uint64(58)).astype(np.uint8)
    order = np.argsort(part, kind="stable")
    ends = np.cumsum(np.bincount(part, minlength=PARTS))
    begin = 0
    for number in range(PARTS):
        end = int(ends[number])
        if end > begin:
            yield number, order[begin:end]
        begin = end


@njit(cache=True, nogil=True)
def _remember(
    his: Any, los: Any, whens: Any, rows: Any, hi: Any, lo: Any, seconds: Any, floors: Any, fresh: Any
) -> int:
    """Marks the rows that are fresh and remembers them; gives how many slots that took."""
    taken = 0
    for row in rows:
        slot = find(his, los, whens, hi[row], lo[row])
        if whens[slot] == 0:
            taken += 1
            his[slot] = hi[row]
            los[slot] = lo[row]
        elif whens[slot] >= floors[row]:
            continue
        whens[slot] = seconds[row]
        fresh[row] = True
    return taken


class Repeats:
    """Remembers record digests for a horizon of `recorded_ts`; call it in the one order."""

    def __init__(self, horizon_us: int = 86_400_000_000) -> None:
        self._clock = Clock(horizon_us)
        self._told = 1
        self._parts = [Part() for _ in range(PARTS)]
        self._log: list[NDArray[Any]] = []

    def fresh(
        self, hi: NDArray[np.uint64], lo: NDArray[np.uint64], recorded_ts: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """True for a row that is no repeat; the rows are remembered."""
        before = self._clock.floor
        seconds, floors = self._clock.advance(recorded_ts)
        fresh = np.zeros(hi.size, np.bool_)
        for number, rows in by_part(hi):
            part = self._parts[number]
            part.make_room(rows.size, before)
            part.used += _remember(part.his, part.los, part.whens, rows, hi, lo, seconds, floors, fresh)
        added = np.empty(int(np.count_nonzero(fresh)), ENTRY)
        added["hi"], added["lo"], added["when"] = hi[fresh], lo[fresh], seconds[fresh]
        self._log.append(added)
        return fresh

    def changes(self) -> NDArray[Any]:
        """What was added since the last call: a structured array to append to the snapshot.

        An array whose every `when` has expired may be left out of what is restored.
        """
        if self._clock.newest != self._told:
            self._told = self._clock.newest
            self._log.append(np.array([(0, 0, self._told)], ENTRY))
        added = np.concatenate(self._log) if self._log else np.empty(0, ENTRY)
        self._log.clear()
        return added

    def restore(self, changes: Iterable[NDArray[Any]]) -> None:
        """Takes up again what `changes` gave, in the order it was given."""
        for added in changes:
            clocks = (added["hi"] == 0) & (added["lo"] == 0)
            entries = added[~clocks]
            hi, lo = np.ascontiguousarray(entries["hi"]), np.ascontiguousarray(entries["lo"])
            seconds = entries["when"].astype(np.int64)
            newest = int(added["when"].max()) if added.size else 1
            self._clock.newest = max(self._clock.newest, newest)
            self._told = self._clock.newest
            always = np.full(hi.size, 2**33, np.int64)  # whatever is there gives way to what came after it
            for number, rows in by_part(hi):
                part = self._parts[number]
                part.make_room(rows.size, self._clock.floor)
                out = np.zeros(hi.size, np.bool_)
                part.used += _remember(part.his, part.los, part.whens, rows, hi, lo, seconds, always, out)

    @property
    def nbytes(self) -> int:
        """Bytes the memory takes."""
        return sum(part.nbytes for part in self._parts)
