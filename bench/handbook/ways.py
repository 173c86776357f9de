"""Three ways to score the payments: learning online, trained again each week, and online on top of that.

Each scores a payment before anything of it is known, and learns from outcomes in the order in which they became known.
"""

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.handbook.catalogue import CROSSES
from bench.handbook.protocol import TESTS_FROM, WEEK
from bench.handbook.stream import DELAY_DAYS, Batch
from models.binned import BinnedLogistic, Rows, Shape, shape_of
from models.boosted import Boosted, thinned, train_boosted

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WARM_DAYS: Final = 14
"""The bins are laid from the values of the first so many days; nothing is scored until then."""
WINDOW_DAYS: Final = 28
"""The trees are trained on so many days whose labels have become known."""
KEEP: Final = 2
"""Of payments that were fine every second is trained on, at twice the weight."""


class History:
    """Everything that was seen so far: values as scored, and what became known."""

    def __init__(self) -> None:
        self.count = 0
        self.known = 0
        self._values = np.zeros((0, 0), dtype=np.float32)
        self._day = np.zeros(0, dtype=np.int64)
        self._right = np.zeros(0)

    def add(self, values: Floats, day: Ints) -> None:
        """Take payments as they were scored."""
        after = self.count + len(values)
        if after > len(self._day):
            room = max(1 << 16, 2 * after)
            for name in ("_values", "_day", "_right"):
                held = getattr(self, name)
                grown = np.zeros((room, *values.shape[1:]) if name == "_values" else room, dtype=held.dtype)
                if self.count:
                    grown[: self.count] = held[: self.count]
                setattr(self, name, grown)
        self._values[self.count : after] = values
        self._day[self.count : after] = day
        self._right[self.count : after] = np.nan
        self.count = after

    def learn(self, event: Ints, right: Floats) -> None:
        """Take outcomes."""
        self._right[event] = right

    def seen(self) -> Floats:
        """All values so far."""
        return self._values[: self.count].astype(np.float64)

    def days(self, first: int, end: int) -> tuple[Floats, Floats, Ints]:
        """The payments of some days whose outcome is known: values, outcomes and numbers."""
        day = self._day[: self.count]
        low, high = np.searchsorted(day, [first, end])
        at = np.arange(low, high)[~np.isnan(self._right[low:high])]
        return self._values[at].astype(np.float64), self._right[at], at


@dataclass(slots=True)
class Online:
    """One pass: the binned logistic regression learns from each outcome as it becomes known."""

    names: tuple[str, ...]
    name: str = "online"
    seconds: float = 0.0
    crosses: tuple[tuple[str, ...], ...] = CROSSES
    rates: dict[str, float] = field(default_factory=dict)
    model: BinnedLogistic | None = None
    _kept: "_Kept | None" = None
    _warm: list[Floats] = field(default_factory=list)
    _from: int = -1
    _first_event: int = 0
    _events: int = 0

    def take(self, batch: Batch, day: Ints) -> Floats:
        """Score, and learn; until the bins are laid every score is 0."""
        started = time.process_time()
        if self._from < 0:
            self._from = int(day[0]) + WARM_DAYS
        if self.model is None and day[0] >= self._from:
            self._begin(shape_of(self.names, np.concatenate(self._warm), self.crosses))
            self._warm.clear()
        if self.model is None:
            self._warm.append(batch.values)
            self._events += len(day)
            scores = np.zeros(len(day))
        else:
            scores = self._walk(batch)
        self.seconds += time.process_time() - started
        return scores

    def _begin(self, shape: Shape) -> None:
        """Score from the next payment on; outcomes of earlier ones, which were not scored, teach nothing."""
        self.model = BinnedLogistic(shape, **self.rates)
        self._kept = _Kept(len(shape.sizes))
        self._first_event = self._events

    def _walk(self, batch: Batch) -> Floats:
        """Score a batch in order, learning each outcome before the first payment that may know it."""
        assert self.model is not None and self._kept is not None
        codes = self.model.shape.code(batch.values)
        self._kept.add(codes)
        self._events += len(codes)
        taught = batch.released.event >= self._first_event
        event = batch.released.event[taught] - self._first_event
        right = batch.released.confirmed[taught].astype(np.float64)
        until = np.searchsorted(batch.released.before[taught], np.arange(len(codes)), side="right")
        return self.model.walk(Rows(codes), until, self._kept.rows(event), right)


class _Kept:
    """The bins of scored payments until their outcome is known."""

    def __init__(self, columns: int) -> None:
        self._codes = np.zeros((1 << 17, columns), dtype=np.int32)
        self._count = 0

    def add(self, codes: npt.NDArray[np.int32]) -> None:
        after = self._count + len(codes)
        if after > len(self._codes):
            grown = np.zeros((2 * after, self._codes.shape[1]), dtype=np.int32)
            grown[: self._count] = self._codes[: self._count]
            self._codes = grown
        self._codes[self._count : after] = codes
        self._count = after

    def rows(self, at: Ints) -> Rows:
        return Rows(self._codes[at])


@dataclass(slots=True)
class Retrained:
    """Gradient boosting, trained again at the start of each week on the labels known by then."""

    names: tuple[str, ...]
    history: History
    name: str = "retrained"
    seconds: float = 0.0
    fits: int = 0
    fit_seconds: float = 0.0
    settings: dict[str, float] = field(default_factory=dict)
    model: Boosted | None = None
    _next: int = -1

    def take(self, batch: Batch, day: Ints) -> Floats:
        """Score in log-odds; the history has the batch's payments, and every outcome known before it."""
        started = time.process_time()
        if self._next < 0:
            earliest = int(day[0]) + WINDOW_DAYS + DELAY_DAYS
            self._next = earliest + (TESTS_FROM + int(day[0]) - earliest) % WEEK
        scores = np.full(len(day), -np.inf)
        low = 0
        released = 0
        while low < len(day):
            high = int(np.searchsorted(day, self._next))
            if high > low:
                scores[low:high] = self._score(batch.values[low:high])
                low = high
            if low < len(day):
                known = int(np.searchsorted(batch.released.before, low, side="right"))
                self._know(batch, released, known)
                released = known
                self._fit()
        self._know(batch, released, len(batch.released))
        self.seconds += time.process_time() - started
        return scores

    def _know(self, batch: Batch, low: int, high: int) -> None:
        self.history.learn(
            batch.released.event[low:high], batch.released.confirmed[low:high].astype(np.float64)
        )

    def _score(self, values: Floats) -> Floats:
        return np.zeros(len(values)) if self.model is None else self.model.log_odds(values)

    def _fit(self) -> None:
        """Train on the days whose labels are known when this week begins."""
        started = time.process_time()
        end = self._next - DELAY_DAYS
        values, right, at = self.history.days(end - WINDOW_DAYS, end)
        kept, weight = thinned(right, KEEP, at)
        self.model = train_boosted(self.names, values[kept], right[kept], weight, **self.settings)  # type: ignore[arg-type]
        self._next += WEEK
        self.fits += 1
        self.fit_seconds += time.process_time() - started


ONLINES_SHARE: Final = 0.2
"""How much of the stacked log-odds is the online model's; chosen on the four weeks before the tested ones."""


def stacked(online: Floats, trees: Floats) -> Floats:
    """Online on top of the trees, in log-odds: it knows what was found out since they were trained."""
    sure = np.clip(online, 1e-9, 1.0 - 1e-9)
    return ONLINES_SHARE * np.log(sure / (1.0 - sure)) + (1.0 - ONLINES_SHARE) * trees
