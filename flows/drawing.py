"""Drawing: which scored rows are kept though they do not alert, so that what is missed can be learnt and measured.

One in so many of what a gate lets through, and ten times as many of those that come near the threshold. A few of
them are put up for review by a person, as what they are: drawn at random, and claiming nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from events.codes import AGE_BANDS, word_of
from models.examples import REVIEW, SAMPLE, SEED, drawn_rows
from places.forces import forces

NEARER: Final = 10
"""Near the threshold so many times as many are kept: there a label moves most."""
_NEAR: Final = 0.5
"""A score of at least this share of the threshold is near."""
REVIEWED: Final = 20
"""Of the rows that are drawn, one in so many is put up for review."""
NOT_SAID: Final = "not said"
STRATA: Final = ("age_band", "force")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What else is kept of a drawn row: place, subject, side of the payment, values and strata."""

    seq: int
    subject: str
    side: str
    values: Mapping[str, float]
    age: int = 0
    home: int = 0


@dataclass(frozen=True, slots=True)
class Draw:
    """How much is drawn."""

    one_in: int
    seed: int = SEED

    def of(
        self,
        detector: str,
        tokens: npt.NDArray[np.uint64],
        ts: npt.NDArray[np.int64],
        scores: npt.NDArray[np.float64],
        threshold: float,
    ) -> list[tuple[int, float, str]]:
        """Of scored rows those that are drawn: place, with which chance, and what for."""
        often = max(1, self.one_in // NEARER)
        maybe = drawn_rows(tokens, ts, detector, often, self.seed) & (scores < threshold)
        places = np.flatnonzero(maybe)
        if not len(places):
            return []
        tokens, ts, scores = tokens[places], ts[places], scores[places]
        near = scores >= _NEAR * threshold
        kept = near | drawn_rows(tokens, ts, detector, self.one_in, self.seed)
        review = drawn_rows(tokens, ts, detector, REVIEWED, self.seed + 1)
        return [
            (int(place), 1.0 / (often if is_near else self.one_in), REVIEW if is_review else SAMPLE)
            for place, is_near, is_kept, is_review in zip(places, near, kept, review, strict=True)
            if is_kept
        ]


def strata_of(age: int, home: int) -> dict[str, str]:
    """The groups by which measures are told: age band and force, by their codes."""
    return dict(zip(STRATA, (word_of(AGE_BANDS, age) or NOT_SAID, _areas().get(home, NOT_SAID)), strict=True))


@cache
def _areas() -> dict[int, str]:
    return {force.code: force.short for force in forces()}
