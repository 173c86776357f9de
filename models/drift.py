"""Drift: what comes in, what is said of it, or how often that is wrong, is no longer what it was.

Without labels, features and scores are watched: their running mean by river's ADWIN, and their distribution against
that of the training period (population stability index). With labels, the error is watched the same way. Each
watch keeps when it last warned; it says that something changed and decides nothing.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from models.errors import ModelError

Floats = npt.NDArray[np.float64]

DELTA: Final = 0.002
"""ADWIN's chance of a false alarm at any one look, as its authors propose (Bifet and Gavalda, SDM 2007)."""
BINS: Final = 10
MOVED: Final = 0.1
CHANGED: Final = 0.25
"""Below 0.1 a population is stable, from 0.25 on it is another one: the customary bounds of credit scoring."""
_LEAST: Final = 1e-4  # a share of 0 would make the index infinite


class Moved(msgspec.Struct, frozen=True):
    """One change that was noticed."""

    what: str
    """`score`, `error`, or `feature NAME`."""
    at: int
    """The time of the row at which it was noticed, microseconds since 1970."""
    before: float
    after: float
    """The mean of the whole window just before, and of what ADWIN kept of it."""


class Watch:
    """Watches running means, one for each name, in the order in which rows come."""

    def __init__(self, names: Sequence[str], delta: float = DELTA) -> None:
        """`names` are what is watched; a lower `delta` warns later and is wrong less often."""
        from river import drift  # slow to load: only who watches waits for it

        self._adwin = {name: drift.ADWIN(delta=delta) for name in names}  # type: ignore[no-untyped-call]
        self.moved: list[Moved] = []

    def see(self, at: int, values: Mapping[str, float]) -> tuple[Moved, ...]:
        """Take one row's values; gives what changed with it. What is absent is not seen.

        Raises:
            ModelError: a value has a name that is not watched.
        """
        found = []
        for name, value in values.items():
            if name not in self._adwin:
                raise ModelError(f"{name!r} is not watched: {', '.join(self._adwin)}")
            if not math.isfinite(value):
                continue
            watch = self._adwin[name]
            before = watch.estimation
            watch.update(value)  # type: ignore[no-untyped-call]
            if watch.drift_detected:
                found.append(Moved(name, at, float(before), float(watch.estimation)))
        self.moved += found
        return tuple(found)

    def means(self) -> dict[str, float]:
        """The mean of each over the time in which it did not change."""
        return {name: float(watch.estimation) for name, watch in self._adwin.items()}


class ErrorWatch:
    """Watches how often a model is wrong, and how wrong, as labels come."""

    def __init__(self, delta: float = DELTA) -> None:
        self._watch = Watch(["loss", "wrong"], delta)
        self.labels = 0
        self.moved: list[Moved] = []

    def see(self, at: int, score: float, threshold: float, *, right: bool) -> tuple[Moved, ...]:
        """Take one label and the score that the row had when it was scored; a better model is a change, not a fault."""
        self.labels += 1
        close = min(max(score, 1e-9), 1.0 - 1e-9)
        loss = -math.log(close if right else 1.0 - close)
        wrong = float((score >= threshold) != right)
        seen = self._watch.see(at, {"loss": loss, "wrong": wrong})
        found = [Moved("error", at, each.before, each.after) for each in seen if each.after > each.before][:1]
        self.moved += found
        return tuple(found)


class Reference(msgspec.Struct, frozen=True):
    """How values were distributed when a model was trained: what a version's card keeps of its data."""

    edges: dict[str, tuple[float, ...]]
    shares: dict[str, tuple[float, ...]]
    """Of each bin, the absent ones last."""


def reference_of(names: Sequence[str], values: Floats) -> Reference:
    """The distribution of each column of rows."""
    edges, shares = {}, {}
    for j, name in enumerate(names):
        seen = values[:, j]
        told = seen[~np.isnan(seen)]
        cuts = np.unique(np.quantile(told, np.linspace(0, 1, BINS + 1)[1:-1])) if len(told) else np.zeros(0)
        edges[name] = tuple(float(cut) for cut in cuts)
        shares[name] = _shares(cuts, seen)
    return Reference(edges, shares)


def stability(reference: Reference, names: Sequence[str], values: Floats) -> dict[str, float]:
    """The population stability index of each column against the reference; nothing is said of no rows.

    Raises:
        ModelError: a column is not in the reference.
    """
    told = {}
    for j, name in enumerate(names):
        if name not in reference.edges:
            raise ModelError(f"the reference does not know {name!r}")
        if len(values):
            now = np.maximum(_shares(np.array(reference.edges[name]), values[:, j]), _LEAST)
            then = np.maximum(reference.shares[name], _LEAST)
            told[name] = float(np.sum((now - then) * np.log(now / then)))
    return told


def _shares(cuts: Floats, values: Floats) -> tuple[float, ...]:
    absent = np.isnan(values)
    places = np.searchsorted(cuts, values[~absent], side="left")
    counts = np.append(np.bincount(places, minlength=len(cuts) + 1), absent.sum())
    return tuple(float(share) for share in counts / max(len(values), 1))
