"""The nearest confirmed case: of a detector's confirmed alerts the one that is most like a firing, and in what.

Likeness is by the strength of each signal (0: says nothing, 1: as strong as it gets), so that pounds and counts weigh
the same: 1 less the mean difference over the signals that speak in either. What is told is the earlier alert's id and
words of signals, never whom it was about.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from alerts.record import NearestCase
from models.scorecard import Signal

KEPT: Final = 500
"""Confirmed alerts of one detector that are remembered: the latest."""
ALIKE: Final = 0.1
"""Strengths that lie no further apart are alike."""
LIKE: Final = 0.6
"""Below this nothing is near."""
_SHOWN: Final = 3

Floats = npt.NDArray[np.float64]


class Confirmed:
    """The confirmed alerts of one detector, by their signals; what is known is never changed in place, so copies keep."""

    def __init__(self, signals: Iterable[Signal], words: Mapping[str, str]) -> None:
        self.signals = tuple(signals)
        self.words = words
        self._known: dict[str, Floats] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def confirm(self, alert_id: str, features: Mapping[str, float | None]) -> None:
        """Remember an alert by the values it was scored on."""
        others = [each for each in self._known.items() if each[0] != alert_id]
        self._known = dict([*others, (alert_id, self._strengths(features))][-KEPT:])

    def take_back(self, alert_id: str) -> None:
        """Forget one that was not confirmed after all."""
        self._known = {name: known for name, known in self._known.items() if name != alert_id}

    def nearest(self, features: Mapping[str, float | None]) -> NearestCase | None:
        """The one most like these values; of equals the latest; nothing when none is near."""
        if not self._known:
            return None
        mine = self._strengths(features)
        names, known = list(self._known), np.array(list(self._known.values()))
        speaking = (known > 0.0) | (mine > 0.0)
        apart = np.abs(known - mine)
        likeness = 1.0 - (apart * speaking).sum(axis=1) / np.maximum(speaking.sum(axis=1), 1)
        at = len(names) - 1 - int(np.argmax(likeness[::-1]))
        both = (known[at] > 0.0) & (mine > 0.0) & (apart[at] <= ALIKE)
        alike = [int(i) for i in np.argsort(-np.minimum(known[at], mine), kind="stable") if both[i]]
        if likeness[at] < LIKE or not alike:
            return None
        features_alike = tuple(self.signals[i].feature for i in alike)
        return NearestCase(names[at], round(float(likeness[at]), 6), features_alike, self._sentence(alike))

    def _sentence(self, alike: list[int]) -> str:
        told = [self.words[self.signals[i].feature] for i in alike[:_SHOWN]]
        more = f" and {len(alike) - _SHOWN} more" if len(alike) > _SHOWN else ""
        return f"about the same: {'; '.join(told)}{more}"

    def _strengths(self, features: Mapping[str, float | None]) -> Floats:
        values = [features.get(signal.feature) for signal in self.signals]
        pairs = zip(self.signals, values, strict=True)
        return np.array([0.0 if value is None else signal.strength(float(value)) for signal, value in pairs])

    def state(self) -> list[Any]:
        """All that is remembered, as plain data."""
        return [[name, known.tolist()] for name, known in self._known.items()]

    def restore(self, state: Iterable[Any]) -> None:
        """Take up what was remembered; what was of other signals is left behind."""
        self._known = {
            name: np.array(known, dtype=np.float64)
            for name, known in state
            if len(known) == len(self.signals)
        }
