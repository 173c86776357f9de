"""What a telecoms fraud does when it is disrupted: its numbers are blocked, and it comes back with others, warier.

A case goes through phases. A phase ends when an operator blocks or bars what the case works with (numbers, SIMs, a
range, a false contract). After some hours in which nothing happens the gang is back: with new numbers, at a lower
rate, often at other hours or from another place; or it gives up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np

from simulator.arrays import Ints
from simulator.chance import chance, lognormal
from simulator.spreads import Origin, Spread
from simulator.world import World

A: Final[Origin] = "assumed"
MOST_PHASES: Final = 8
"""A case is blocked at most so often, less one [assumed]."""
SHORTEST: Final = 0.04
"""Days: nobody comes back for less than an hour [assumed]."""


@dataclass(frozen=True, slots=True)
class Disrupted:
    """How often one world's operators disrupt a kind of telecoms fraud, and how it reacts."""

    blocked_share: Annotated[float, Spread(0.25, 0.85, A, "phases that an operator may cut short")]
    blocked_hours: Annotated[float, Spread(4, 72, A, "median from a phase's start to its block", "log")]
    back_hours: Annotated[float, Spread(0.4, 24, A, "median from a block until the gang is back", "log")]
    gives_up_share: Annotated[float, Spread(0.05, 0.35, A, "blocks after which it does not come back")]
    wary_rate: Annotated[float, Spread(0.4, 1.0, A, "least of the rate that is left after a block")]
    other_hours_share: Annotated[float, Spread(0.1, 0.6, A, "returns at other hours of the day")]
    other_place_share: Annotated[float, Spread(0.1, 0.6, A, "returns from another town")]


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which a case works in one way, in days of the run."""

    since: float
    until: float
    ended: Literal["blocked", "over"]
    rate: float = 1.0
    """How much of its first rate is left."""
    hours: float = 0.0
    """By how many hours its day has shifted."""
    elsewhere: bool = False
    """It has moved to another town since the last phase."""


def phases(seed: int, p: Disrupted, name: str, id: str, since: float, until: float) -> list[Phase]:
    """The phases of a case that nobody would have stopped before `until`.

    They have a chance of their own, so that a case that is not disrupted is what it would have been. What came before
    the run is left as it was.
    """
    rng = chance(seed, name, "disruption", id)
    found: list[Phase] = []
    at, rate, hours, elsewhere = since, 1.0, 0.0, False
    while True:
        block = max(at, 0.0) + float(lognormal(rng, p.blocked_hours / 24, 0.7, 1)[0])
        cut = bool(rng.random() < p.blocked_share) and block < until
        found.append(Phase(at, block if cut else until, "blocked" if cut else "over", rate, hours, elsewhere))
        at = block + float(lognormal(rng, p.back_hours / 24, 0.6, 1)[0])
        gives_up = rng.random() < p.gives_up_share
        if not cut or gives_up or at > until - SHORTEST or len(found) == MOST_PHASES:
            return found
        rate *= float(rng.uniform(p.wary_rate, 1.0))
        if rng.random() < p.other_hours_share:
            hours = float(rng.uniform(-5, 5))
        elsewhere = bool(rng.random() < p.other_place_share)


def shifted(low: float, high: float, phase: Phase) -> tuple[float, float]:
    """Hours of the day as a phase keeps them, moved so that they stay within the day."""
    by = float(np.clip(phase.hours, -low, max(24.0 - high, -low)))
    return low + by, high + by


def told(
    going_through: Sequence[Phase],
    numbers: Sequence[Ints | list[int]],
    world: World,
    *,
    hours: bool = False,
    place: bool = False,
) -> dict[str, object]:
    """The phases of a disrupted case for its note in truth: when, why each ended, what changed, which numbers.

    `hours` and `place` say whether a case of this kind keeps hours of the day, or a place, that it could change.
    """
    if len(going_through) == 1 and going_through[0].ended == "over":
        return {}
    rows: list[dict[str, object]] = []
    for phase, mine in zip(going_through, numbers, strict=True):
        row: dict[str, object] = {
            "from": round(phase.since, 3), "to": round(phase.until, 3), "ended": phase.ended, "rate": round(phase.rate, 3),
        }  # fmt: skip
        row |= {"hours": round(phase.hours, 2)} if hours else {}
        row |= {"moved": phase.elsewhere} if place else {}
        rows.append(row | {"numbers": [world.number(int(number)) for number in mine]})
    return {"phases": rows}
