"""How common crimes are in life, and what that makes of precision.

A world with many crimes in it flatters: the same detector, on the streets, raises as many false alarms beside far
fewer crimes. So recall is measured where crimes are many, false alarms where there are few, and both are put together
at the published prevalence.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from models.errors import ModelError
from models.evaluating.intervals import Rate, Share

UK_PEOPLE: Final = 69_300_000
"""Office for National Statistics, mid-2024 estimate for the United Kingdom."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """How common one kind of crime is: so many at any time, or so many a year, in the United Kingdom."""

    name: str
    threat: str
    kinds: tuple[str, ...]
    """Kinds or typologies of truth that it speaks of."""
    low: float
    usual: float
    high: float
    standing: bool
    """So many at any time (they last), not so many new ones a year."""
    source: str

    def expected(self, count: float, days: float) -> float:
        """How many 100,000 people meet in so many days."""
        each = count * 100_000 / UK_PEOPLE
        return each if self.standing else each * days / 365


PUBLISHED: Final = (
    Published(
        name="county lines",
        threat="county_lines",
        kinds=("line",),
        low=600,
        usual=800,
        high=1_100,
        standing=True,
        source="600 to 1,100 lines active at a time (Metropolitan Police 2020, The Times 2021)",
    ),
    Published(
        name="authorised push payment fraud",
        threat="fraud",
        kinds=("app_case",),
        low=186_000,
        usual=248_070,
        high=248_070,
        standing=False,
        source="about 186,000 cases in 2024, 248,070 in 2025 (UK Finance)",
    ),
    Published(
        name="account takeover",
        threat="fraud",
        kinds=("takeover",),
        low=78_000,
        usual=78_000,
        high=78_000,
        standing=False,
        source="78,000 facility takeovers in 2025 (Cifas)",
    ),
    Published(
        name="card not present",
        threat="fraud",
        kinds=("card_not_present",),
        low=2_586_217,
        usual=2_586_217,
        high=2_586_217,
        standing=False,
        source="2,586,217 remote purchase cases in 2024 (UK Finance)",
    ),
)


class AtPrevalence(msgspec.Struct, frozen=True, kw_only=True):
    """Precision as it would be where the crime is as common as published."""

    name: str
    threat: str
    detector: str = ""
    """Of one detector alone; empty: of all of the threat together."""
    recall: Share
    """Found by detectors of this threat, in the world evaluated."""
    true_low: float
    true: float
    true_high: float
    """Crimes found among 100,000 people in the days of this world, each counted once."""
    false: Rate
    """False alarms of the threat's detectors for 100,000 people a day."""
    false_from: str
    precision: float | None
    low: float | None
    high: float | None
    source: str


def at_prevalence(
    each: Published, recall: Share, false: Rate, false_from: str, days: float, detector: str = ""
) -> AtPrevalence:
    """Precision from recall here and false alarms there; its bounds put the worse ends together, and the better."""
    true = each.expected(each.usual, days) * (recall.share or 0.0)
    worst, best = each.expected(each.low, days) * recall.low, each.expected(each.high, days) * recall.high
    measured = recall.of > 0 and false.rate is not None and false.high is not None
    return AtPrevalence(
        name=each.name,
        threat=each.threat,
        detector=detector,
        recall=recall,
        true_low=worst,
        true=true,
        true_high=best,
        false=false,
        false_from=false_from,
        precision=precision(true, (false.rate or 0.0) * days) if measured else None,
        low=precision(worst, (false.high or 0.0) * days) if measured else None,
        high=precision(best, false.low * days) if measured else None,
        source=each.source,
    )


def precision(true: float, false: float) -> float | None:
    """The share of true ones among so many true and so many false; none of nothing."""
    return true / (true + false) if true + false > 0 else None


class Quiet(msgspec.Struct, frozen=True):
    """False alarms of a quiet world: their counts by threat, and how often 100,000 people lived for a day there."""

    name: str
    exposure: float
    false_by_threat: Mapping[str, int]
    false_by_detector: Mapping[str, int] = {}


class _Detector(msgspec.Struct, frozen=True):
    id: str
    threat: str
    false: int


class _World(msgspec.Struct, frozen=True):
    people: int
    days: float


class _Result(msgspec.Struct, frozen=True):
    schema: str
    world: _World
    detectors: Sequence[_Detector]


def read_quiet(raw: bytes, name: str, schema: str) -> Quiet:
    """The false alarms of a world evaluated before, from its result.json.

    Raises:
        ModelError: it is no result of an evaluation, or of another version.
    """
    try:
        found = msgspec.json.decode(raw, type=_Result)
    except msgspec.MsgspecError as wrong:
        raise ModelError(
            f"{name} is not the result of an evaluation: {wrong}. Make one with `linewatch evaluate --out DIR`."
        ) from wrong
    if found.schema != schema:
        raise ModelError(
            f"{name} has the form {found.schema!r}, not {schema!r}: evaluate the quiet world again."
        )
    counts: dict[str, Any] = {}
    for each in found.detectors:
        counts[each.threat] = counts.get(each.threat, 0) + each.false
    own = {each.id: each.false for each in found.detectors}
    return Quiet(name, found.world.people * found.world.days / 100_000, counts, own)
