"""Challengers in shadow: they score the rows the champion scores, raise nothing, and what they said is kept.

Kept is every row that either would have alerted on, and of the rest one in fifty, drawn by a hash of its place in the
one order, so that every run draws the same on any number of workers. The champion before the present one stays in
shadow too: what stands is held against it when labels come.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.examples import GOLDEN, mixed
from models.shadows import Shadow
from models.working import Model

ONE_IN: Final = 50
"""Of the rows below both thresholds so many are one that is kept."""
CHALLENGER: Final = "challenger"
PREDECESSOR: Final = "predecessor"
"""What scores in shadow: a candidate, or the champion before the present one, frozen."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Challenger:
    """A model in shadow, from where it would alert, and why it is there."""

    model: Model
    threshold: float
    role: str


def drawn(detector: str, seqs: Ints) -> npt.NDArray[np.bool_]:
    """Which places in the one order belong to the sample of a detector."""
    salt = int.from_bytes(blake2b(detector.encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        bits = seqs.astype(np.uint64) * GOLDEN + np.uint64(salt)
    picked: npt.NDArray[np.bool_] = mixed(bits) % np.uint64(ONE_IN) == 0
    return picked


def kept(
    detector: str, seqs: Ints, scores: Floats, threshold: float, champions: Floats, champion_threshold: float
) -> Ints:
    """Which of some rows are kept."""
    above = (scores >= threshold) | (champions >= champion_threshold)
    return np.flatnonzero(above | drawn(detector, seqs))


def as_one(shadows: Iterable[Shadow]) -> Sequence[Shadow]:
    """One for each row of each model, in the one order: of what several pairs of one event scored, the highest."""
    found: dict[tuple[Any, ...], Shadow] = {}
    for one in shadows:
        before = found.get(one.key)
        found[one.key] = (
            one
            if before is None
            else one._replace(
                score=max(one.score, before.score),
                champion_score=max(one.champion_score, before.champion_score),
                chance=max(one.chance, before.chance),
            )
        )
    return [found[key] for key in sorted(found)]
