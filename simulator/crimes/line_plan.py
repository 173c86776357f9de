"""The biography of a county line, drawn before the first day: numbers, handsets, ends and new beginnings.

A *brand* is the business; it reigns through a succession of numbers (a *reign* each). A reign ends when the number is
changed (announced to the customers or not), when the holder is arrested and charged (Type 1), when the number is
taken off the network (Type 2), or when the brand gives up. After a closure the brand may come back under a new number
with most of the same customers. Days are counted from the first day of the run and may be negative.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from simulator.chance import lognormal
from simulator.crimes.line_parameters import LineParameters

Ending = Literal["running", "number_change", "type1", "type2"]
SEED_DAYS: Final = (1.0, 4.0)
"""From the number's activation to its first advert: samples are given away and a customer list is bought [assumed]."""
ANNOUNCED_SILENCE_DAYS: Final = (0.1, 2.0)
"""How long the old number still answers after the change was announced [assumed: silent within 48 hours]."""
_LONGEST: Final = 900.0


@dataclass(frozen=True, slots=True)
class Change:
    """A new handset for a number, with the same SIM or a new one."""

    day: float
    new_sim: bool
    handed_over: bool


@dataclass(slots=True)
class Reign:
    """The time of one number."""

    since: float
    until: float
    ending: Ending
    announced: bool
    """The next number is announced to the customers from this one before it falls silent."""
    predecessor: int
    """The place of the reign before it in its brand, -1 for the first."""
    came_after: Ending | None
    kept_share: float
    """Customers carried over from the reign before."""
    changes: list[Change] = field(default_factory=list)
    first_flare: float = 0.0
    quiet_from: float = 0.0
    """From here on it only answers: its successor has been announced, or it has ended."""


def biography(rng: np.random.Generator, p: LineParameters, days: int) -> list[Reign]:
    """The reigns of one brand that touch a run of `days` days: one that is active at some time in it."""
    mean_life = float(p.life_days_median * np.exp(p.life_sigma**2 / 2))
    begins = rng.random() < days / (days + mean_life)
    start = float(rng.uniform(0, days)) if begins else -_age_when_met(rng, p)
    closes = start + _life(rng, p)
    if not begins:
        closes = max(closes, float(rng.exponential(p.life_days_median)))
    reigns: list[Reign] = []
    _reign_until(rng, p, reigns, max(start, -_LONGEST), closes, days, came_after=None)
    while reigns[-1].ending in ("type1", "type2") and reigns[-1].until < days:
        back = _comes_back(rng, p, reigns[-1])
        back = None if back is None else max(_awake(rng, back), reigns[-1].until + 0.05)
        if back is None or back >= days:
            break
        came_after = reigns[-1].ending
        _reign_until(rng, p, reigns, back, back + _life(rng, p), days, came_after=came_after)
    kept = [reign for reign in reigns if reign.until > 0]
    for place, reign in enumerate(kept):
        reign.predecessor = place - 1
    return kept


def _awake(rng: np.random.Generator, day: float) -> float:
    """The same day at an hour when people trade."""
    return float(np.floor(day) + rng.uniform(10, 22) / 24)


def _life(rng: np.random.Generator, p: LineParameters) -> float:
    return float(min(lognormal(rng, p.life_days_median, p.life_sigma, 1)[0], _LONGEST))


def _age_when_met(rng: np.random.Generator, p: LineParameters) -> float:
    """How old a standing line is on the first day: longer lives are met more often."""
    lives = lognormal(rng, p.life_days_median, p.life_sigma, 64)
    life = float(rng.choice(lives, p=lives / lives.sum()))
    return min(life, _LONGEST) * float(rng.random())


def _reign_until(
    rng: np.random.Generator,
    p: LineParameters,
    reigns: list[Reign],
    start: float,
    closes: float,
    days: int,
    *,
    came_after: Ending | None,
) -> None:
    """Adds the numbers a brand goes through from `start` to its closure."""
    at, after = start, came_after
    while at < days:
        change = _awake(rng, at + 2 + float(rng.exponential(p.number_days / np.log(2))))
        until = min(change, closes)
        ending: Ending = "number_change"
        if closes <= change:
            ending = "type1" if rng.random() < p.type1_share else "type2"
        if until >= days:
            ending = "running"
        announced = ending == "number_change" and bool(rng.random() < p.announced_share)
        kept = 1.0 if after is None else float(rng.uniform(p.reemerge_keep_low, p.reemerge_keep_high))
        reign = Reign(at, until, ending, announced, -1, after, kept)
        wait = float(rng.uniform(*SEED_DAYS)) if after is None else float(rng.uniform(0.02, 0.5))
        reign.first_flare = at + min(wait, (until - at) / 2)
        reign.quiet_from = until
        reign.changes = _changes(rng, p, max(at, -3 * p.handset_days), until, days)
        reigns.append(reign)
        if ending != "number_change":
            return
        overlap = float(rng.uniform(*ANNOUNCED_SILENCE_DAYS)) if announced else -float(rng.uniform(0.0, 1.0))
        at, after = max(until - overlap, reign.first_flare), "number_change"
        reign.quiet_from = min(at, until)


def _changes(
    rng: np.random.Generator, p: LineParameters, since: float, until: float, days: int
) -> list[Change]:
    found: list[Change] = []
    at = since
    while True:
        at += float(rng.exponential(p.handset_days / np.log(2)))
        if at >= min(until, days):
            return found
        if at > 0:
            new_sim = bool(rng.random() >= p.sim_kept_share)
            found.append(Change(at, new_sim, bool(rng.random() < p.handover_share)))


def _comes_back(rng: np.random.Generator, p: LineParameters, closed: Reign) -> float | None:
    """The day a closed brand re-emerges, if it does."""
    if closed.ending == "type2":
        return closed.until + float(rng.uniform(0.2, 3.0)) if rng.random() < p.reemerge_after_type2 else None
    return closed.until + float(rng.uniform(1.0, 30.0)) if rng.random() < p.reemerge_after_type1 else None
