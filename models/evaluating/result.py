"""What an evaluation says: one record that goes to the screen, into result.json and into the plots."""

from typing import Any, Final

import msgspec

from models.evaluating.intervals import Rate, Share, Times
from models.evaluating.money import Money
from models.evaluating.published import AtPrevalence

SCHEMA: Final = "linewatch.evaluation.v1"


class WorldSize(msgspec.Struct, frozen=True, kw_only=True):
    """What the rates are divided by."""

    people: int
    days: float
    subscriptions: int | None
    adults: int | None
    start: str


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen when measuring."""

    grace_hours: float
    capacity: int
    false_alarms_from: str
    interval: str = "95 %: Wilson for shares, exact Poisson for rates"
    hit: str = (
        "the one the alert is about is a subject of the crime, and its evidence lies in the crime's dates"
    )


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """How soon crimes were found after they began; for those that began in the days of the world."""

    began: int
    found: int
    already: int
    """Of the found, those about whose subject an alert already stood when they began: found after no time at all."""
    hours: Times
    within_24h: Share
    """Of those that began at least so long before the world ended; missed ones count as not found."""
    within_48h: Share
    from_flare: Times
    """For lines that advertise: from the first time they did."""
    flare_within_24h: Share
    flare_within_48h: Share
    """Of lines that first advertised in these days and early enough to tell: found so soon after."""
    curve: tuple[float, ...]
    """The hours themselves, in order."""
    standing: int
    """Crimes already there on the first day."""
    standing_found: int
    standing_hours: Times
    """For those, from the first moment of the world."""


class OfTypology(msgspec.Struct, frozen=True, kw_only=True):
    """One typology of crime (or a kind with all its typologies), and how many were found."""

    level: str
    """`typology`, `kind` or `all`."""
    name: str
    kind: str
    crimes: int
    found: int
    recall: Share
    found_by: dict[str, int]
    alerts: int
    """True alerts about these crimes; one that is about several is counted once here."""
    only_touched: int
    """Missed, but beside somebody else in an alert."""
    lead: Lead


class OfDetector(msgspec.Struct, frozen=True, kw_only=True):
    """One detector and what its alerts were worth."""

    id: str
    threat: str
    typology: str
    alerts: int
    true: int
    false: int
    precision: Share
    same_threat: int
    """True, and of the threat the detector speaks of."""
    about_victim: int
    """True, but about a victim of the crime."""
    scope: str
    """Which crimes its recall is of."""
    crimes: int
    found: int
    recall: Share
    hours: Times
    rate: Rate
    """Alerts for 100,000 people a day."""
    false_rate: Rate
    budget: float | None
    """Alerts a day per 100,000 subjects, as the detector says."""
    subjects: int
    """How many subjects the budget is for."""
    spent: Rate
    """Alerts a day per 100,000 subjects, as they came."""
    within_budget: bool | None


class OfAlertTypology(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts by the typology they name themselves."""

    name: str
    alerts: int
    true: int
    precision: Share


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """False alarms about one kind of innocent."""

    kind: str
    alerts: int
    by_detector: dict[str, int]
    rate: Rate
    """For 100,000 people a day."""
    alerted: Share | None
    """How many of them were alerted about, where truth knows how many there are."""


class AtCapacity(msgspec.Struct, frozen=True, kw_only=True):
    """What people see who take the first so many alerts of their campus each week, in order of priority."""

    a_week: int
    taken: int
    precision: Share
    found: Share
    """Crimes that those alerts find."""


class OfCampus(msgspec.Struct, frozen=True, kw_only=True):
    """The same for one campus, at the capacity asked for."""

    campus: str
    alerts: int
    taken: int
    precision: Share


class Refound(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that took a new number, and whether that was found again."""

    after: str
    changes: int
    refound: Share
    known: int
    """Lines whose number before had been found."""
    known_refound: Share
    hours: Times
    """From the new number's start."""
    from_flare: Times


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that tie a new number to an old line: whether it is the same line."""

    alerts: int
    right: Share
    """It is about a line and names another number of the same one."""
    soon: Share
    """New numbers (of lines that advertise) tied to the right line within 24 hours of their first advert."""
    known_soon: Share
    """The same, of those whose old number had been found before the new one began."""


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """A crime that no alert is about, with what is known of why."""

    id: str
    kind: str
    typology: str
    why: tuple[str, ...]


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """Crimes that leave no trace in a stream."""

    typology: str
    stream: str
    crimes: int
    found: Share


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in a few numbers."""

    crimes: int
    found: int
    recall: Share
    alerts: int
    true: int
    false: int
    precision: Share
    cases: int
    true_cases: int
    case_precision: Share
    rate: Rate
    outside_days: int
    nameless: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation."""

    schema: str = SCHEMA
    world: WorldSize
    method: Method
    warnings: tuple[str, ...]
    totals: Totals
    typologies: tuple[OfTypology, ...]
    detectors: tuple[OfDetector, ...]
    alert_typologies: tuple[OfAlertTypology, ...]
    prevalence: tuple[AtPrevalence, ...]
    capacity: tuple[AtCapacity, ...]
    campuses: tuple[OfCampus, ...]
    refound: tuple[Refound, ...]
    links: Links | None = None
    false_alarms: tuple[FalseAlarms, ...]
    unseen: tuple[Unseen, ...]
    missed: tuple[Missed, ...]
    money: Money | None = None
    """What the alerts were worth in money, where the payments of the world were at hand."""


def to_plain(result: Result) -> dict[str, Any]:
    """The result as plain data."""
    plain: dict[str, Any] = msgspec.to_builtins(result)
    return plain


def to_json(result: Result) -> bytes:
    """The result as JSON with sorted keys: the same measures, the same bytes."""
    return msgspec.json.format(msgspec.json.encode(result, order="sorted"), indent=1) + b"\n"
