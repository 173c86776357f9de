"""Gradient boosting that is trained again from time to time: scikit-learn's histogram trees on ranks.

The trees see each value as its rank among quantiles of the training rows, which are finer towards the top: 255 even
bins could not part what lies in the highest thousandth, and that is where rare things are. Ranks are whole numbers,
so every cut that the quantiles allow can be made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.errors import ModelError

Floats = npt.NDArray[np.float64]

_EVEN: Final = 100
_TOP: Final = 80
_SPREAD: Final = np.unique(
    np.concatenate([np.linspace(0.0, 1.0, _EVEN), 1.0 - np.geomspace(1e-2, 1e-5, _TOP)])
)
"""At most 180 edges, so that every rank has a bin of its own among scikit-learn's 255."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Values as ranks among quantiles of what was seen."""

    edges: tuple[Floats, ...]

    @classmethod
    def of(cls, values: Floats) -> "Ranks":
        """The quantiles of each column of rows as they were seen."""
        edges = []
        for column in values.T:
            seen = column[~np.isnan(column)]
            found = np.quantile(seen, _SPREAD, method="lower") if len(seen) else np.zeros(0)
            edges.append(np.unique(found))
        return cls(tuple(edges))

    def ranked(self, values: Floats) -> Floats:
        """The ranks of rows of values; what is absent stays absent."""
        told = np.empty(values.shape)
        for j, edges in enumerate(self.edges):
            ranks = np.searchsorted(edges, values[:, j], side="right")
            told[:, j] = np.where(np.isnan(values[:, j]), np.nan, ranks)
        return told


@dataclass(frozen=True, slots=True)
class Boosted:
    """Trained trees over named values."""

    names: tuple[str, ...]
    ranks: Ranks
    trees: Any

    def log_odds(self, values: Floats) -> Floats:
        """Log-odds of rows of values."""
        if not len(values):
            return np.zeros(0)
        return np.asarray(self.trees.decision_function(self.ranks.ranked(values)), dtype=np.float64)

    def score(self, values: Floats) -> Floats:
        """Scores of rows of values, before calibration."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.log_odds(values))))


def train_boosted(
    names: Sequence[str],
    values: Floats,
    right: Floats,
    weight: Floats | None = None,
    *,
    trees: int = 150,
    rate: float = 0.06,
    leaves: int = 12,
    least: int = 40,
    l2: float = 5.0,
) -> Boosted:
    """Trees from examples and their weights; the same examples give the same trees.

    Raises:
        ModelError: there is nothing of one of the two kinds to tell apart.
    """
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,  # slow to import: only who trains waits for it
    )

    if not 0.0 < float(right.sum()) < len(right):
        raise ModelError("trees need examples of both kinds: take a longer period")
    ranks = Ranks.of(values)
    model = HistGradientBoostingClassifier(
        learning_rate=rate,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=least,
        l2_regularization=l2,
        early_stopping=False,
        random_state=0,
    )
    told = ranks.ranked(values)
    told[:, np.isnan(told).all(axis=0)] = 0.0  # what nobody ever had parts nobody
    model.fit(told, right.astype(np.int64), sample_weight=weight)
    return Boosted(tuple(names), ranks, model)


def thinned(right: Floats, keep: int, order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Floats]:
    """All that were right and every `keep`-th of the rest, with the weights that put the rest back in proportion.

    `order` decides which are kept: a stable number of each example (its place, or a hash of its event).
    """
    kept = np.flatnonzero((right > 0.5) | (order % keep == 0))
    return kept, np.where(right[kept] > 0.5, 1.0, float(keep))
