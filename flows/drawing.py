"""Drawing: which scored rows are kept though they do not alert, so that what is missed can be learnt and measured.

One in so many of what a gate lets through, and ten times as many of those that come near the threshold. A few of
them are put up for review by a person, as what they are: drawn at random, and claiming nothing. Where lessons have moved
a scorecard, every row is kept that the weights it began with would have raised and it does not: how many alerts those
would have raised is what holds the number of its own.
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
        begun: npt.NDArray[np.float64] | None = None,
    ) -> list[tuple[int, float, str]]:
        """Of scored rows those that are drawn: place, with which chance, and what for.

        `begun` are the scores by the weights that a learnt scorecard began with.
        """
        often = max(1, self.one_in // NEARER)
        below = scores < threshold
        missed = below & (begun >= threshold) if begun is not None else np.zeros(len(scores), dtype=np.bool_)
        maybe = drawn_rows(tokens, ts, detector, often, self.seed) & below
        places = np.flatnonzero(maybe | missed)
        if not len(places):
            return []
        tokens, ts, scores = tokens[places], ts[places], scores[places]
        maybe, missed = maybe[places], missed[places]
        near = scores >= _NEAR * threshold
        kept = missed | near | drawn_rows(tokens, ts, detector, self.one_in, self.seed)
        review = maybe & drawn_rows(tokens, ts, detector, REVIEWED, self.seed + 1)
        chance = np.where(missed, 1.0, np.where(near, 1.0 / often, 1.0 / self.one_in))
        return [
            (int(places[i]), float(chance[i]), REVIEW if review[i] else SAMPLE) for i in np.flatnonzero(kept)
        ]


def strata_of(age: int, home: int) -> dict[str, str]:
    """The groups by which measures are told: age band and force, by their codes."""
    return dict(zip(STRATA, (word_of(AGE_BANDS, age) or NOT_SAID, _areas().get(home, NOT_SAID)), strict=True))


@cache
def _areas() -> dict[int, str]:
    return {force.code: force.short for force in forces()}
