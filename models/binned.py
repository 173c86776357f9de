"""An online logistic regression over binned values: additive, readable, one step for each label.

Each value falls into one of a few bins, whose edges are quantiles of values seen before any label was learnt (finer
towards the top, where what is rare lies); each bin has a weight, an absent value has its own, and so has each cell of
a **cross** of two or three values. Learning is follow-the-regularised-leader (McMahan and others, *Ad click
prediction*, KDD 2013), one label at a time in their order. River's `FTRLProximal` is the same but works out its
weights at the next learning step, so that it scores with the weights of the step before; the kernel does not lag.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from events.kernels import njit
from models.errors import ModelError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

FORMAT: Final = 1
SPREAD: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
"""The quantiles that part the bins: what a fraud looks like is more often high than low, and rare."""


class Shape(msgspec.Struct, frozen=True):
    """What the model looks at: the values by name, their edges, and which are crossed."""

    names: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    crosses: tuple[tuple[int, ...], ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bins of each column of codes: the values', then the crosses'."""
        own = [len(edges) + 2 for edges in self.edges]
        return (*own, *(math.prod(own[i] for i in cross) for cross in self.crosses))

    def code(self, values: Floats) -> Codes:
        """The bins of rows of values, as places in the one vector of weights."""
        sizes = self.sizes
        codes = np.empty((len(values), len(sizes)), dtype=np.int32)
        for j, edges in enumerate(self.edges):
            told = 1 + np.searchsorted(np.array(edges), values[:, j], side="left")
            codes[:, j] = np.where(np.isnan(values[:, j]), 0, told)
        for k, cross in enumerate(self.crosses, start=len(self.edges)):
            codes[:, k] = 0
            for i in cross:
                codes[:, k] = codes[:, k] * sizes[i] + codes[:, i]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        return np.asarray(codes + starts, dtype=np.int32)


def shape_of(
    names: Sequence[str],
    values: Floats,
    crosses: Sequence[Sequence[str]] = (),
    spread: Sequence[float] = SPREAD,
) -> Shape:
    """The bins for values as they were seen, without any label.

    Raises:
        ModelError: a cross names a value that is not there.
    """
    edges = []
    for j in range(len(names)):
        seen = values[:, j]
        seen = seen[~np.isnan(seen)]
        found = np.unique(np.quantile(seen, spread)) if len(seen) else np.zeros(0)
        edges.append(tuple(float(edge) for edge in found))
    try:
        crossed = tuple(tuple(names.index(name) for name in cross) for cross in crosses)
    except ValueError as missing:
        raise ModelError(f"a cross names what is not among the values: {missing}") from missing
    return Shape(tuple(names), tuple(edges), crossed)


@njit(cache=True)
def _walk(  # type: ignore[no-untyped-def]
    score, base, until, learn, learn_base, right, weight, w, z, n, alpha, beta, l1, l2, out
):
    """Score rows in order; before row i, learn the examples up to `until[i]`. Sums have one order."""
    taught = 0
    last = w.shape[0] - 1
    for i in range(len(score) + 1):
        stop = until[i] if i < len(score) else len(learn)
        while taught < stop:
            s = w[last] + learn_base[taught]
            for k in range(learn.shape[1]):
                s += w[learn[taught, k]]
            p = 1.0 / (1.0 + math.exp(-s))
            g = (p - right[taught]) * weight[taught]
            for k in range(learn.shape[1] + 1):
                at = last if k == learn.shape[1] else learn[taught, k]
                sigma = (math.sqrt(n[at] + g * g) - math.sqrt(n[at])) / alpha
                z[at] += g - sigma * w[at]
                n[at] += g * g
                if abs(z[at]) <= l1:
                    w[at] = 0.0
                else:
                    w[at] = -(z[at] - math.copysign(l1, z[at])) / ((beta + math.sqrt(n[at])) / alpha + l2)
            taught += 1
        if i < len(score):
            s = w[last] + base[i]
            for k in range(score.shape[1]):
                s += w[score[i, k]]
            out[i] = 1.0 / (1.0 + math.exp(-s))
    return taught


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as bins, and what another model says of each, in log-odds: then only the difference is learnt."""

    codes: Codes
    base: Floats | None = None

    def based(self) -> Floats:
        """What the other model says; nothing when there is none."""
        return np.zeros(len(self.codes)) if self.base is None else self.base


class BinnedLogistic:
    """The model as it stands: a shape, and what it has learnt."""

    def __init__(
        self, shape: Shape, *, alpha: float = 0.1, beta: float = 1.0, l1: float = 0.5, l2: float = 0.0
    ) -> None:
        """`alpha` and `beta` set the length of a step, `l1` how much a bin must have seen to weigh anything."""
        size = sum(shape.sizes) + 1  # the last one is the intercept
        self.shape = shape
        self.rates = {"alpha": alpha, "beta": beta, "l1": l1, "l2": l2}
        self.labels = 0
        self._w, self._z, self._n = (np.zeros(size) for _ in range(3))

    def score(self, values: Floats, base: Floats | None = None) -> Floats:
        """Scores of rows of values; `base` is what another model says of each, in log-odds."""
        rows = Rows(self.shape.code(values), base)
        return self.walk(rows, np.zeros(len(values), dtype=np.int64), self._none(), np.zeros(0))

    def learn(
        self, values: Floats, right: Floats, weight: Floats | None = None, base: Floats | None = None
    ) -> None:
        """Learn examples one by one, in their order."""
        self.walk(
            self._none(), np.zeros(0, dtype=np.int64), Rows(self.shape.code(values), base), right, weight
        )

    def walk(
        self, score: "Rows", until: Ints, learn: "Rows", right: Floats, weight: Floats | None = None
    ) -> Floats:
        """Score rows, learning before row i the examples up to `until[i]`, and the rest of them at the end."""
        out = np.empty(len(score.codes))
        weighed = np.ones(len(learn.codes)) if weight is None else weight
        r = self.rates
        rates = (r["alpha"], r["beta"], r["l1"], r["l2"])
        state = (self._w, self._z, self._n)
        labels = _walk(
            score.codes, score.based(), until, learn.codes, learn.based(), right, weighed, *state, *rates, out
        )
        self.labels += int(labels)
        return out

    def _none(self) -> "Rows":
        return Rows(np.zeros((0, len(self.shape.sizes)), dtype=np.int32))

    def contributions(self, values: Mapping[str, float]) -> dict[str, float]:
        """What each value, and each cross, adds to the log-odds of one row."""
        row = np.array([[values[name] for name in self.shape.names]])
        names = [*self.shape.names, *(" x ".join(self.shape.names[i] for i in c) for c in self.shape.crosses)]
        return {name: float(self._w[at]) for name, at in zip(names, self.shape.code(row)[0], strict=True)}

    @property
    def digest(self) -> str:
        """What tells two states of the model apart."""
        hasher = hashlib.blake2b(msgspec.json.encode([self.shape, self.rates, self.labels]), digest_size=16)
        for array in (self._w, self._z, self._n):
            hasher.update(array.tobytes())
        return hasher.hexdigest()

    def dump(self) -> dict[str, Any]:
        """The model as plain data: the weights, and what is needed to learn on."""
        arrays = {"w": self._w.tolist(), "z": self._z.tolist(), "n": self._n.tolist()}
        shape = msgspec.to_builtins(self.shape)
        return {"format": FORMAT, "shape": shape, "rates": self.rates, "labels": self.labels} | arrays

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> "BinnedLogistic":
        """The model that was dumped.

        Raises:
            ModelError: it is of another format, or its weights do not fit its shape.
        """
        try:
            if plain["format"] != FORMAT:
                raise ModelError(f"binned weights of format {plain['format']}: this program reads {FORMAT}")
            model = cls(msgspec.convert(plain["shape"], Shape), **plain["rates"])
            arrays = [np.array(plain[name], dtype=np.float64) for name in ("w", "z", "n")]
            model.labels = int(plain["labels"])
        except (KeyError, TypeError, ValueError, msgspec.ValidationError) as wrong:
            raise ModelError(f"these are no binned weights ({wrong}): put them back as they were") from wrong
        if any(a.shape != model._w.shape or not np.isfinite(a).all() for a in arrays):
            raise ModelError("the binned weights do not fit their shape: put them back as they were")
        model._w, model._z, model._n = arrays
        return model
