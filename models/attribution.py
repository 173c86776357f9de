"""Why a model without weights to read scored as it did: what each value adds, against what is usual.

Occlusion: each value in turn is replaced by its running median, and the fall of the score, in log-odds, is what the
value added. It asks the model once more for each value, so it is for the few rows that alert. It does not share out
what values do only together: the sum of the parts need not be the whole, and the difference is told.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from models.errors import ModelError

Floats = npt.NDArray[np.float64]
LogOdds = Callable[[Floats], Floats]
"""A model: rows of values in, log-odds out."""

_HALF: Final = 0.5


class Attribution(msgspec.Struct, frozen=True):
    """What each value added to one row's score."""

    log_odds: float
    usual: float
    """The log-odds of a row in which everything is usual."""
    parts: dict[str, float]
    together: float
    """What only several values together explain."""
    asked: int
    """How many rows the model was asked for: the cost."""


class Medians:
    """The running median of each value, as rows come: what is usual."""

    def __init__(self, names: Sequence[str]) -> None:
        from river import stats  # slow to load: only who takes running medians waits for it

        self.names = tuple(names)
        self._medians = [stats.Quantile(_HALF) for _ in names]
        self._seen = [0] * len(self.names)

    def see(self, values: Floats) -> None:
        """Take rows in order; what is absent changes nothing."""
        for row in values:
            for j, value in enumerate(row):
                if not np.isnan(value):
                    self._medians[j].update(float(value))
                    self._seen[j] += 1

    def usual(self) -> dict[str, float]:
        """The medians so far; absent where nothing was seen."""
        return {
            name: float(median.get() or 0.0) if seen else float("nan")
            for name, median, seen in zip(self.names, self._medians, self._seen, strict=True)
        }


def attribute(
    model: LogOdds, names: Sequence[str], values: Mapping[str, float], usual: Mapping[str, float]
) -> Attribution:
    """What each value of one row adds to its score.

    Raises:
        ModelError: a value, or what is usual for it, is not given.
    """
    missing = [name for name in names if name not in values or name not in usual]
    if missing:
        raise ModelError(f"an explanation needs the values and what is usual of {', '.join(missing)}")
    row = np.array([values[name] for name in names], dtype=np.float64)
    plain = np.array([usual[name] for name in names], dtype=np.float64)
    asked = np.tile(row, (len(names) + 2, 1))
    for j in range(len(names)):
        asked[j + 1, j] = plain[j]
    asked[-1] = plain
    told = model(asked)
    parts = {name: float(told[0] - told[j + 1]) for j, name in enumerate(names)}
    whole = float(told[0] - told[-1])
    return Attribution(float(told[0]), float(told[-1]), parts, whole - sum(parts.values()), len(asked))
