"""Gradient boosting as data: the trees that scikit-learn trained, as plain numbers, scored by a kernel of our own.

What scores in a flow is never a pickle. Each node is a value's number, the cut below which a row goes left, whether
an absent value does, and where left and right are; a leaf is a number. The sum over trees has one order, so that a row
scores the same to the last bit alone or among thousands, and to the bit what scikit-learn makes of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.kernels import njit
from models.boosted import Boosted
from models.errors import ModelError

FORMAT: Final = 1
_LISTS: Final[Mapping[str, type[np.generic]]] = {
    "roots": np.int64,
    "value": np.int64,
    "cut": np.float64,
    "absent_left": np.bool_,
    "left": np.int64,
    "right": np.int64,
    "leaf": np.float64,
}
_LEAF: Final = -1

Floats = npt.NDArray[np.float64]


@njit(cache=True)
def _walk(values, roots, value, cut, absent_left, left, right, leaf, base, out):  # type: ignore[no-untyped-def]
    for i in range(len(values)):
        z = base
        for root in roots:
            at = root
            while value[at] >= 0:
                v = values[i, value[at]]
                if math.isnan(v):
                    goes_left = absent_left[at]
                else:
                    # no cut: everything that is there goes left
                    goes_left = math.isnan(cut[at]) or v < cut[at]
                at = left[at] if goes_left else right[at]
            z += leaf[at]
        out[i] = z


@dataclass(frozen=True, slots=True)
class Forest:
    """Trained trees over named values, and the line that makes their sum log-odds."""

    names: tuple[str, ...]
    nodes: Mapping[str, npt.NDArray[Any]]
    base: float
    slope: float = 1.0
    shift: float = 0.0

    def log_odds(self, values: Floats) -> Floats:
        """Calibrated log-odds of rows of raw values, columns in the order of the names."""
        out = np.empty(len(values))
        n = self.nodes
        trees = (n["roots"], n["value"], n["cut"], n["absent_left"], n["left"], n["right"], n["leaf"])
        _walk(values, *trees, self.base, out)
        return self.slope * out + self.shift

    def score(self, values: Floats) -> Floats:
        """Probabilities."""
        return probabilities(self.log_odds(values))

    def cuts(self) -> tuple[Floats, ...]:
        """For each value, where the trees cut it."""
        inner = self.nodes["value"] >= 0
        value, cut = self.nodes["value"][inner], self.nodes["cut"][inner]
        return tuple(np.unique(cut[(value == j) & ~np.isnan(cut)]) for j in range(len(self.names)))

    def dump(self) -> dict[str, Any]:
        """The forest as plain data."""
        plain = {name: self.nodes[name].tolist() for name in _LISTS}
        plain["cut"] = [None if math.isnan(cut) else cut for cut in plain["cut"]]
        line = {"base": self.base, "slope": self.slope, "shift": self.shift}
        return {"format": FORMAT, "names": list(self.names)} | line | plain

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> "Forest":
        """The forest that was dumped.

        Raises:
            ModelError: it is of another format, or its nodes do not make trees.
        """
        try:
            if plain["format"] != FORMAT:
                raise ModelError(f"trees of format {plain['format']}: this program reads {FORMAT}")
            raw = {name: plain[name] for name in _LISTS}
            raw["cut"] = [math.nan if cut is None else cut for cut in raw["cut"]]
            nodes = _nodes(raw)
            line = [float(plain[name]) for name in ("base", "slope", "shift")]
            forest = cls(tuple(plain["names"]), nodes, *line)
        except (KeyError, TypeError, ValueError, OverflowError) as wrong:
            raise ModelError(f"these are no trees ({wrong}): put them back as they were") from wrong
        _check(forest)
        return forest


def _nodes(lists: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.array(lists[name], dtype=kind) for name, kind in _LISTS.items()}


def _check(forest: Forest) -> None:
    """Make sure that every walk ends, and ends at a number.

    Raises:
        ModelError: one would not.
    """
    nodes, size = forest.nodes, len(forest.nodes["value"])
    inner = np.flatnonzero(nodes["value"] >= 0)
    after = np.concatenate([nodes["left"][inner], nodes["right"][inner]])
    numbers = np.concatenate([nodes["leaf"], [forest.base, forest.slope, forest.shift]])
    sound = (
        all(len(nodes[name]) == size for name in _LISTS if name != "roots")
        and ((nodes["roots"] >= 0) & (nodes["roots"] < size)).all()
        and nodes["value"].max(initial=_LEAF) < len(forest.names)
        # every step leads on, so no walk goes round
        and (after > np.concatenate([inner, inner])).all()
        and (after < size).all()
        and np.isfinite(numbers).all()
    )
    if not sound:
        raise ModelError("the nodes do not make trees: put them back as they were")


def forest_of(trained: Boosted, slope: float = 1.0, shift: float = 0.0) -> Forest:
    """What scikit-learn trained, as data: cuts between ranks become cuts between values."""
    parts: dict[str, list[Any]] = {name: [] for name in _LISTS}
    for (tree,) in trained.trees._predictors:  # noqa: SLF001 - scikit-learn gives trees no other way
        start = len(parts["value"])
        parts["roots"].append(start)
        for node in tree.nodes:
            is_leaf = bool(node["is_leaf"])
            parts["value"].append(_LEAF if is_leaf else int(node["feature_idx"]))
            parts["cut"].append(math.nan if is_leaf else _cut(trained, node))
            parts["absent_left"].append(bool(node["missing_go_to_left"]))
            parts["left"].append(start + int(node["left"]))
            parts["right"].append(start + int(node["right"]))
            parts["leaf"].append(float(node["value"]) if is_leaf else 0.0)
    nodes = _nodes(parts)
    (base,) = np.ravel(trained.trees._baseline_prediction)  # noqa: SLF001
    forest = Forest(trained.names, nodes, float(base), slope, shift)
    _check(forest)
    return forest


def _cut(trained: Boosted, node: Any) -> float:
    """The value below which a row goes left; none where all that have one do.

    A rank is how many edges lie at or below a value: it is at most k just where the value lies below the edge k.
    """
    edges, limit = trained.ranks.edges[int(node["feature_idx"])], float(node["num_threshold"])
    if limit >= len(edges):
        return math.nan
    return float(edges[math.floor(limit)])


@njit(cache=True)
def _logistic(z, out):  # type: ignore[no-untyped-def]
    for i in range(len(z)):
        out[i] = 1.0 / (1.0 + math.exp(-z[i])) if z[i] > -700.0 else 0.0


def probabilities(log_odds: Floats) -> Floats:
    """The logistic function, the same for a row alone or among many: NumPy's differs with the place in the array."""
    out = np.empty(len(log_odds))
    _logistic(log_odds, out)
    return out


def in_order(values: Mapping[str, float], names: Sequence[str]) -> Floats:
    """Values by name as one row."""
    return np.array([[values[name] for name in names]], dtype=np.float64)
