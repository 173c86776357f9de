"""A model at work: what a detector scores with, whatever its kind, and how it says why.

Scorecards explain themselves by their weights. Any other kind is asked again with each value at what is usual (see
models.attribution): the medians of what it was trained on, which are kept with it, so that its reasons can be worked
out again years later. Weights are data for every kind that may score in a flow.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from models.attribution import attribute
from models.binned import BinnedLogistic
from models.errors import ModelError
from models.forest import Forest, in_order, probabilities
from models.scorecard import Explained, Scorecard, Signal, Weights

Floats = npt.NDArray[np.float64]

SCORECARD: Final = "scorecard"
WORKING: Final = (SCORECARD, "binned", "boosted", "stacked")
"""Kinds whose weights are data: what a flow scores with."""
USUAL: Final = "usual"
_CLOSEST: Final = 1e-15


class Model(Protocol):
    """What scores."""

    @property
    def name(self) -> str:
        """The version's."""

    @property
    def kind(self) -> str:
        """One of WORKING."""

    def score(self, values: Floats) -> Floats:
        """Scores of rows of raw values, columns in the order of the signals."""

    def explained(self, values: Mapping[str, float]) -> Explained:
        """What each value of one row adds."""

    def smallest_change(self, values: Mapping[str, float], threshold: float) -> tuple[str, float] | None:
        """The one value whose smallest change would have kept the score under the threshold, and what it would be."""

    def plain(self) -> Any:
        """Its weights as plain data."""


class Attributed:
    """A model without weights to read, explained by asking it again."""

    def __init__(
        self,
        name: str,
        kind: str,
        names: tuple[str, ...],
        plain: Mapping[str, Any],
        forest: Forest | None,
        binned: BinnedLogistic | None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.names = names
        self._plain = plain
        self._forest = forest
        self._binned = binned
        told = plain.get(USUAL) or {}
        self.usual = {each: math.nan if told.get(each) is None else float(told[each]) for each in names}
        self._cuts = _cuts(names, forest, binned)

    def score(self, values: Floats) -> Floats:
        """Scores of rows of raw values."""
        base = None if self._forest is None else self._forest.log_odds(values)
        if self._binned is not None:
            return self._binned.score(values, base)
        assert base is not None
        return probabilities(base)

    def log_odds(self, values: Floats) -> Floats:
        """The same before the logistic function."""
        if self._binned is None:
            assert self._forest is not None
            return self._forest.log_odds(values)
        score = np.clip(self.score(values), _CLOSEST, 1.0 - _CLOSEST)
        return np.array([math.log(p / (1.0 - p)) for p in score])

    def explained(self, values: Mapping[str, float]) -> Explained:
        """What each value adds against its median; what only several explain together is in none of them."""
        told = attribute(self.log_odds, self.names, values, self.usual)
        return Explained(told.parts, told.usual)

    def smallest_change(self, values: Mapping[str, float], threshold: float) -> tuple[str, float] | None:
        """The value that has to cross the fewest cuts for a score under the threshold, and what it would be."""
        row = in_order(values, self.names)
        tried: list[tuple[int, str, float]] = []
        for name, cuts in zip(self.names, self._cuts, strict=True):
            here = int(np.searchsorted(cuts, values[name], side="right"))  # an absent value lies beyond all
            for j, cut in enumerate(cuts):
                sides = (float(np.nextafter(cut, -np.inf)), float(cut), float(np.nextafter(cut, np.inf)))
                tried += [(abs(j - here) + 1, name, would_be) for would_be in sides]
        if not tried:
            return None
        rows = np.repeat(row, len(tried), axis=0)
        for i, (_, name, would_be) in enumerate(tried):
            rows[i, self.names.index(name)] = would_be
        under = [each for each, score in zip(tried, self.score(rows), strict=True) if score < threshold]
        if not under:
            return None
        _, name, would_be = min(under, key=lambda each: (each[0], self.names.index(each[1])))
        return name, would_be

    def plain(self) -> Any:
        """Its weights as plain data."""
        return self._plain


def _cuts(names: tuple[str, ...], forest: Forest | None, binned: BinnedLogistic | None) -> list[Floats]:
    found: list[list[float]] = [[] for _ in names]
    if forest is not None:
        for j, some in enumerate(forest.cuts()):
            found[j] += some.tolist()
    if binned is not None:
        for j, edges in enumerate(binned.shape.edges):
            found[j] += edges
    return [np.unique(some) for some in found]


def working(kind: str, name: str, plain: Any, signals: tuple[Signal, ...]) -> Model:
    """The model that some weights are.

    Raises:
        ModelError: they are of no kind that scores in a flow, or do not fit the detector's signals.
    """
    if kind == SCORECARD:
        try:
            weights = msgspec.convert(plain, Weights)
        except msgspec.ValidationError as wrong:
            raise ModelError(f"the weights of {name} cannot be read: {wrong}") from wrong
        numbers = (weights.intercept, *weights.weights.values())
        if not all(map(math.isfinite, numbers)):
            raise ModelError(f"a weight of {name} is not a number: it is not used")
        return Scorecard(signals, weights)
    if kind not in WORKING:
        raise ModelError(f"{name} is {kind}: what scores in a flow is one of {', '.join(WORKING)}")
    if not isinstance(plain, Mapping):
        raise ModelError(f"the weights of {name} are no {kind} model's: put them back as they were")
    forest = binned = None
    if kind in ("boosted", "stacked"):
        forest = Forest.load(_part(plain, "trees") if kind == "stacked" else plain)
    if kind in ("binned", "stacked"):
        binned = BinnedLogistic.load(_part(plain, "binned") if kind == "stacked" else plain)
    names = tuple(signal.feature for signal in signals)
    for told in (None if forest is None else forest.names, None if binned is None else binned.shape.names):
        if told not in (None, names):
            raise ModelError(f"{name} scores other values than the signals of its detector: retrain it")
    return Attributed(name, kind, names, plain, forest, binned)


def _part(plain: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = plain.get(name)
    if not isinstance(part, Mapping):
        raise ModelError(f"a stacked model has trees and binned weights, and there are no {name}")
    return part


def medians_of(names: tuple[str, ...], values: Floats) -> dict[str, float | None]:
    """What is usual: the median of each value as it was seen; nothing where it never was."""
    told: dict[str, float | None] = {}
    for j, name in enumerate(names):
        seen = values[:, j][~np.isnan(values[:, j])]
        told[name] = float(np.median(seen)) if len(seen) else None
    return told
