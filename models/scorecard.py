"""The scorecard that learns: an online logistic regression whose starting weights are an expert's.

Each signal is a feature brought between 0 (nothing) and 1 (as strong as it gets), times a weight; the sum, put
through the logistic function, is the score. It works on day one without a label and moves with every label after
that, and its terms are its explanation. Learning is river's `LogisticRegression.learn_one`; scoring is a kernel whose
sum per row has one order, so that a row scores the same to the last bit alone or among thousands.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from events.kernels import njit
from models.errors import ModelError

if TYPE_CHECKING:
    from river import linear_model

LEARNING_RATE: Final = 0.05
"""A step of river's stochastic gradient descent on inputs between 0 and 1: a hundred labels move a weight by a few."""

_UNDER: Final = 1e-9
"""How far below the threshold the smallest change ends, in log-odds: exactly on it would still alert."""

Floats = npt.NDArray[np.float64]


class Explained(NamedTuple):
    """What each value adds to the log-odds, and from where it is counted."""

    contributions: dict[str, float]
    intercept: float


@dataclass(frozen=True, slots=True)
class Signal:
    """One line of a scorecard: which feature, from where to where it counts, and how much."""

    feature: str
    low: float  # at or beyond this it counts nothing
    high: float  # at or beyond this it counts fully; below `low` when less is more telling
    weight: float
    log: bool = False  # measured on a logarithmic scale (sums, counts over many orders of size)

    def strength(self, value: float) -> float:
        """How strong the signal is, 0 to 1; an absent value is no signal."""
        if math.isnan(value):
            return 0.0
        low, high = self._scaled(self.low), self._scaled(self.high)
        return min(1.0, max(0.0, (self._scaled(value) - low) / (high - low)))

    def value_at(self, strength: float) -> float:
        """The feature value that has a given strength."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        scaled = low + strength * (high - low)
        return math.expm1(scaled) if self.log else scaled

    def _scaled(self, value: float) -> float:
        return math.log1p(max(value, 0.0)) if self.log else value


class Weights(msgspec.Struct, frozen=True):
    """A version of a scorecard: its numbers, as data."""

    version: str
    intercept: float
    weights: dict[str, float]
    labels: int = 0  # how many it has learnt from


@njit(cache=True)
def _score(values, lows, highs, logs, weights, intercept, out):  # type: ignore[no-untyped-def]
    for i in range(len(values)):
        z = intercept
        for j in range(len(weights)):
            v = values[i, j]
            if math.isnan(v):
                continue
            if logs[j]:
                v = math.log1p(max(v, 0.0))
            t = (v - lows[j]) / (highs[j] - lows[j])
            z += weights[j] * min(1.0, max(0.0, t))
        out[i] = 1.0 / (1.0 + math.exp(-z)) if z > -700.0 else 0.0


class Scorecard:
    """One detector's scorecard at one version."""

    def __init__(self, signals: tuple[Signal, ...], weights: Weights) -> None:
        missing = [s.feature for s in signals if s.feature not in weights.weights]
        if missing:
            raise ModelError(
                f"version {weights.version} has no weight for {', '.join(missing)}: retrain or roll back"
            )
        self.signals = signals
        self.version = weights
        self._lows = np.array([s._scaled(s.low) for s in signals])  # noqa: SLF001 - its own kind of scale
        self._highs = np.array([s._scaled(s.high) for s in signals])  # noqa: SLF001
        self._logs = np.array([s.log for s in signals])
        self._weights = np.array([weights.weights[s.feature] for s in signals])

    @property
    def name(self) -> str:
        """The version's."""
        return self.version.version

    @property
    def kind(self) -> str:
        """What kind of model it is."""
        return "scorecard"

    def plain(self) -> Any:
        """Its weights as plain data."""
        return msgspec.to_builtins(self.version)

    @classmethod
    def expert(cls, signals: tuple[Signal, ...], intercept: float, version: str) -> "Scorecard":
        """The scorecard as its author wrote it, before any label."""
        return cls(signals, Weights(version, intercept, {s.feature: s.weight for s in signals}))

    def score(self, values: Floats) -> Floats:
        """Scores of rows of raw feature values, columns in the order of the signals."""
        out = np.empty(len(values))
        _score(values, self._lows, self._highs, self._logs, self._weights, self.version.intercept, out)
        return out

    def score_one(self, values: Mapping[str, float]) -> float:
        """The score of one row of raw feature values."""
        return float(self.score(np.array([[values[s.feature] for s in self.signals]], dtype=np.float64))[0])

    def strengths(self, values: Mapping[str, float]) -> dict[str, float]:
        """How strong each signal is for one row."""
        return {s.feature: s.strength(values[s.feature]) for s in self.signals}

    def contributions(self, values: Mapping[str, float]) -> dict[str, float]:
        """What each signal adds to the score, in log-odds."""
        strengths = self.strengths(values)
        return {name: strength * self.version.weights[name] for name, strength in strengths.items()}

    def explained(self, values: Mapping[str, float]) -> Explained:
        """What each signal adds, and what stands without any."""
        return Explained(self.contributions(values), self.version.intercept)

    def smallest_change(self, values: Mapping[str, float], threshold: float) -> tuple[str, float] | None:
        """The one signal whose smallest weakening would have kept the score under the threshold, and its value then."""
        parts = self.contributions(values)
        line = math.log(threshold / (1.0 - threshold)) - _UNDER
        excess = sum(parts.values()) + self.version.intercept - line
        best: tuple[float, str, float] | None = None
        for signal in self.signals:
            weight, part = self.version.weights[signal.feature], parts[signal.feature]
            if weight <= 0.0 or part < excess:
                continue
            strength = max(0.0, (part - excess) / weight)
            change = part / weight - strength
            if best is None or change < best[0]:
                best = (change, signal.feature, signal.value_at(strength))
        return (best[1], best[2]) if best else None

    def taught(self, values: Mapping[str, float], *, positive: bool) -> "Scorecard":
        """The scorecard after one more label, as river's logistic regression learns it."""
        model = self.as_river()
        model.learn_one(self.strengths(values), positive)
        weights = {s.feature: float(model.weights[s.feature]) for s in self.signals}
        labels = self.version.labels + 1
        version = (
            f"{self.version.version.partition('+')[0]}+{labels}.{digest_of(float(model.intercept), weights)}"
        )
        return Scorecard(self.signals, Weights(version, float(model.intercept), weights, labels))

    def as_river(self, rate: float = LEARNING_RATE) -> "linear_model.LogisticRegression":
        """This version as a river model over signal strengths, with steps of a size."""
        from river import linear_model, optim, utils  # slow to load: only who teaches waits for it

        model = linear_model.LogisticRegression(
            optimizer=optim.SGD(rate),
            intercept_init=self.version.intercept,
            intercept_lr=rate,
        )
        # river has no way to be given starting weights by name
        model._weights = utils.VectorDict(dict(self.version.weights))  # noqa: SLF001
        return model


def digest_of(intercept: float, weights: Mapping[str, float]) -> str:
    """Eight hexadecimal digits that tell two sets of weights apart."""
    text = ",".join([float(intercept).hex(), *(f"{k}={float(v).hex()}" for k, v in sorted(weights.items()))])
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
