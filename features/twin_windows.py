"""Windows over history: each event counts in the rows from its own to the one at which it leaves the window.

Rows are sorted by entity and then by arrival, and an entity's clock never goes back. So an event of bucket `b` leaves
a window of `w` buckets at the first row whose clock is in bucket `b + w` or later, however late or early it came, and
"what is in the window at row i" is "which spans of rows hold i". Late rows need no second way of counting.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from features.errors import FeatureError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LIMB: Final = 2.0**30
"""Sums are taken in whole numbers, fractions in two limbs of this size: no rounding, whatever went before."""

_SUMMABLE: Final = 2.0**62
_READ_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Clocks:
    """Every row's entity and times: what windows are laid over."""

    entity: Ints  # ascending
    ts: Ints
    clock: Ints  # the entity's clock after the row
    reading: Ints  # the time at which the row reads: later than `clock` where it only looked

    def window(self, every: int, buckets: int) -> "Window":
        """The window of so many buckets of so many microseconds."""
        now = self.clock // every
        first = int(now.min())
        span = int(now.max()) - first + buckets + 2  # so that no entity's buckets reach into the next one's
        start = self.entity * span
        keys = start + now - first
        bucket = self.ts // every
        leaves = np.searchsorted(keys, start + np.maximum(bucket - first, -buckets) + buckets)
        ahead = np.flatnonzero(self.reading // every != now)
        oldest = self.reading[ahead] // every - buckets + 1
        opens = np.searchsorted(keys, start[ahead] + np.clip(oldest - first, 0, span - 1))
        at = np.arange(len(now), dtype=np.int64)
        return Window(len(now), bucket, np.maximum(leaves, at), ahead, oldest, opens.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Where each row's event leaves a window, and the rows that read it at a time of their own."""

    rows: int
    bucket: Ints
    leaves: Ints
    ahead: Ints  # the rows that read later than their entity's clock
    oldest: Ints  # the oldest bucket in the window of each of those
    opens: Ints  # and the first row whose event can be in it

    def total(self, at: Ints, values: Floats | None = None, until: Ints | None = None) -> Floats:
        """At every row, how many events are in the window, or the sum of their values.

        `at` are the events' rows, ascending; an event counts no longer from its row `until` on.
        """
        ends = self._ends(at, until)
        held = ends > at
        if values is None:
            told = _count(self.rows, at[held], ends[held])
        else:
            told = _sum(self.rows, at[held], ends[held], values[held])
        told[self.ahead] = 0.0
        for reader, event in self._read_ahead(at, until):
            weights = None if values is None else values[event]
            told[self.ahead] += np.bincount(reader, weights, minlength=len(self.ahead))
        return told

    def largest(self, at: Ints, values: Floats, until: Ints | None = None) -> Floats:
        """At every row, the largest value in the window; NaN when there is none."""
        ends = self._ends(at, until)
        held = ends > at
        told = _largest(self.rows, at[held], ends[held], values[held])
        told[self.ahead] = -np.inf
        for reader, event in self._read_ahead(at, until):
            np.maximum.at(told, self.ahead[reader], values[event])
        return np.where(told > -np.inf, told, np.nan)

    def _ends(self, at: Ints, until: Ints | None) -> Ints:
        return self.leaves[at] if until is None else np.minimum(self.leaves[at], until)

    def _read_ahead(self, at: Ints, until: Ints | None) -> Iterator[tuple[Ints, Ints]]:
        """(reader, event) for every event in the window of a row that reads ahead, some readers at a time."""
        low = np.searchsorted(at, self.opens)
        number = np.maximum(np.searchsorted(at, self.ahead) - low, 0)
        upto = np.cumsum(number)
        begin = 0
        while begin < len(number):
            done = int(upto[begin - 1]) if begin else 0
            stop = max(begin + 1, int(np.searchsorted(upto, done + _READ_AT_ONCE, side="right")))
            part = number[begin:stop]
            reader = np.repeat(np.arange(begin, stop), part)
            event = np.arange(len(reader)) - np.repeat(upto[begin:stop] - part - done, part) + low[reader]
            seen = self.bucket[at[event]] >= self.oldest[reader]
            if until is not None:
                seen &= until[event] > self.ahead[reader]
            yield reader[seen], event[seen]
            begin = stop


def _count(rows: int, at: Ints, ends: Ints) -> Floats:
    comes, goes = np.bincount(at, minlength=rows)[:rows], np.bincount(ends, minlength=rows)[:rows]
    return np.cumsum(comes - goes).astype(np.float64)


def _sum(rows: int, at: Ints, ends: Ints, values: Floats) -> Floats:
    if not (np.abs(values) < _SUMMABLE).all():
        raise FeatureError(
            "a value of 2**62 or more cannot be summed exactly: refuse it where records are read"
        )
    come = np.cumsum(np.bincount(at, minlength=rows)[:rows])
    gone = np.cumsum(np.bincount(ends, minlength=rows)[:rows])
    leaving = np.argsort(ends, kind="stable")
    whole = np.floor(values)
    total = _sum_whole(whole, come, gone, leaving)
    fraction = values - whole
    for scale in (_LIMB, _LIMB * _LIMB):
        if not fraction.any():
            break
        limb = np.floor(fraction * scale)
        total += _sum_whole(limb, come, gone, leaving) / scale
        fraction = fraction - limb / scale
    return total


def _sum_whole(values: Floats, come: Ints, gone: Ints, leaving: Ints) -> Floats:
    """Running sums of whole numbers; they may wrap around, which their difference undoes."""
    whole = values.astype(np.int64)
    comes = np.concatenate([np.zeros(1, np.int64), np.cumsum(whole)])
    goes = np.concatenate([np.zeros(1, np.int64), np.cumsum(whole[leaving])])
    return np.asarray(comes[come] - goes[gone], dtype=np.float64)


def _largest(rows: int, at: Ints, ends: Ints, values: Floats) -> Floats:
    """The largest value whose span holds each row.

    Every span is two overlapping blocks of a power of two rows; blocks are halved from the largest down to one row.
    """
    best = np.full(rows, -np.inf)
    if not len(at):
        return best
    size = np.frexp((ends - at).astype(np.float64))[1] - 1  # the largest power of two in each span
    for power in range(int(size.max()), -1, -1):
        if power < size.max():
            half = 1 << power
            best[half:] = np.maximum(best[half:], best[:-half].copy())
        of_size = size == power
        np.maximum.at(best, at[of_size], values[of_size])
        np.maximum.at(best, ends[of_size] - (1 << power), values[of_size])
    return best
