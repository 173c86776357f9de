"""Declaring a feature: what is counted, over which events, within which window, and what it means in words.

A declaration is data. From it come the online kernel's program (`features.program`), the offline twin, the catalogue
page and the wording of reasons. Definitions that make the answers exact:

* A window `within` at resolution `every` is the `within / every` most recent aligned buckets of event time,
  the bucket of now included. "Now" is the entity's clock: the latest event time it has seen.
* `count`, `total`, `mean`, `spread`, `largest`, `smallest`, `distinct`, `returning`, `replies`, `bursts`, `known`,
  `listed`, `age`, `usual_place`, `away_km`, `journeys` and `nights_away` include the event being read; `since`,
  `novelty`, `pair_age`, `pair_count`, `pair_total`, `pair_since`, `deviation` and `usual_hour` tell what was known
  before it. All but `since` of these eight, and `away_km`, are absent (NaN) on events outside their selection.
* A pair is what the entity and one other share, within one selection and field. It is forgotten when it has not been
  seen for its lifetime, and what is counted of it begins again.
* The **usual night place** of an entity, within one selection, is the commonest of a few remembered squares of a tenth
  of a degree (11 km by 7) in which its events of the night (22:00 to 06:00 UTC) lie; a square counts once a night. It
  is known after three such nights. Distances are from its middle, along a great circle, so they are good to 7 km.
  Events without coordinates tell nothing of journeys: the middle of a force's area would be tens of kilometres out.
* `since_last` as a value or in a condition is the time from the latest such event to this one; absent when there was
  none, and on a late event that lies before it.
* A late event goes into its own bucket while that is still held; one that is too late is counted as late.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from features.errors import FeatureError
from features.rows import Entity, Flag, Kind, Role

SECOND: Final = 1_000_000
_UNITS: Final = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND}
_DURATION: Final = re.compile(r"^(\d+)([smhd])$")

FIELDS: Final = ("other", "device", "sim", "place", "third")
"""What a pair can be made with: the other party, the device or handset, the SIM or card, the place or cell, and
whoever else a record concerns (see `features.rows.THIRDS`)."""

PAIR_LIFETIME: Final = "90d"
"""A pair unseen for this long is new again."""


@cache
def duration(text: str) -> int:
    """Microseconds of a duration such as `10m`, `24h` or `7d`.

    Raises:
        FeatureError: the text is not a whole number of seconds, minutes, hours or days.
    """
    match = _DURATION.match(text)
    if not match:
        raise FeatureError(f"{text!r} is not a duration: write a whole number and s, m, h or d, as in '24h'")
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, slots=True)
class Value:
    """What an event contributes: 1, its amount or seconds, its balance, or something known beside it."""

    source: str
    of: "str" = ""  # for `since`: the selection; for `other`: the feature of the other half


ONE: Final = Value("one")
AMOUNT: Final = Value("value")
BALANCE: Final = Value("balance")
BORN: Final = Value("born")
HOME: Final = Value("home")
FORCE: Final = Value("force")
AGE: Final = Value("age")
PREPAID: Final = Value("prepaid")
OTHER_ID: Final = Value("other_id")
DEVICE_ID: Final = Value("device_id")
SIM_ID: Final = Value("sim_id")
PLACE_ID: Final = Value("place_id")
THIRD_ID: Final = Value("third_id")
"""Who or what a pair is made with, as a number: the low 52 bits of its token, exact in a float64."""
UNTIL: Final = Value("until")
"""Until when a link or a row of a watch list holds (microseconds since 1970; infinite when it does not say)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Only events where a value is at least, or at most, so much."""

    value: Value
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of an entity are meant, and what they are called in a sentence."""

    entity: Entity
    name: str
    words: str
    roles: tuple[Role, ...]
    kinds: tuple[Kind, ...]
    statuses: tuple[int, ...] = ()  # codes; none = any
    having: tuple[Flag, ...] = ()
    lacking: tuple[Flag, ...] = ()
    hours: tuple[int, ...] = ()  # hours of the day, UTC; none = any
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing known of an entity at the moment of an event."""

    name: str
    entity: Entity
    kind: str
    words: str
    unit: str
    selection: Selection | None = None
    value: Value = ONE
    within: str = ""
    every: str = ""
    field: str = ""
    against: str = ""  # ratio: the numerator's feature name
    over: str = ""  # ratio: the denominator's
    other: Selection | None = None  # replies: what they answer
    gap: str = ""
    at_least: float = 0.0
    log: bool = False
    alpha: float = 0.05
    second_pass: bool = False

    @property
    def buckets(self) -> int:
        """How many buckets the window has."""
        return duration(self.within) // duration(self.every)


@dataclass(slots=True)
class Catalogue:
    """Every declared feature, by entity, in the order of declaration."""

    features: dict[tuple[Entity, str], Feature] = field(default_factory=dict)

    def add(self, feature: Feature) -> Feature:
        """Take a declaration in.

        Raises:
            FeatureError: the name is taken, or the window is not a whole number of buckets.
        """
        key = (feature.entity, feature.name)
        if key in self.features:
            raise FeatureError(
                f"{feature.entity.name.lower()} already has a feature {feature.name!r}: choose another name"
            )
        if feature.within:
            within, every = duration(feature.within), duration(feature.every)
            if within % every or within == 0:
                raise FeatureError(
                    f"{feature.name}: {feature.within} is not a whole number of {feature.every} buckets"
                )
        self.features[key] = feature
        return feature

    def of(self, entity: Entity, *, second_pass: bool | None = None) -> list[Feature]:
        """The features of an entity, of one pass or of both."""
        return [
            f
            for f in self.features.values()
            if f.entity == entity and (second_pass is None or f.second_pass == second_pass)
        ]


class Events:
    """The events of one selection, on which features are declared."""

    def __init__(self, catalogue: Catalogue, selection: Selection, *, second_pass: bool) -> None:
        self.catalogue = catalogue
        self.selection = selection
        self.second_pass = second_pass or _needs_other(selection.when)

    def _add(self, kind: str, name: str, words: str, unit: str, **more: object) -> Feature:
        value = more.get("value", ONE)
        second = self.second_pass or (isinstance(value, Value) and value.source == "other")
        return self.catalogue.add(
            Feature(
                name=name,
                entity=self.selection.entity,
                kind=kind,
                words=words,
                unit=unit,
                selection=self.selection,
                second_pass=second,
                **more,  # type: ignore[arg-type]
            )
        )

    def count(self, name: str, *, within: str, every: str, words: str, unit: str = "") -> Feature:
        """How many events fell in the window."""
        return self._add("count", name, words, unit, within=within, every=every)

    def total(
        self, name: str, *, within: str, every: str, words: str, value: Value = AMOUNT, unit: str = "pence"
    ) -> Feature:
        """The sum of a value over the window."""
        return self._add("sum", name, words, unit, within=within, every=every, value=value)

    def mean(
        self, name: str, *, within: str, every: str, words: str, value: Value = AMOUNT, unit: str = "pence"
    ) -> Feature:
        """The mean of a value over the window; absent when there was none."""
        return self._add("mean", name, words, unit, within=within, every=every, value=value)

    def largest(
        self, name: str, *, within: str, every: str, words: str, value: Value = AMOUNT, unit: str = "pence"
    ) -> Feature:
        """The largest value in the window; absent when there was none."""
        return self._add("max", name, words, unit, within=within, every=every, value=value)

    def smallest(
        self, name: str, *, within: str, every: str, words: str, value: Value = AMOUNT, unit: str = "pence"
    ) -> Feature:
        """The smallest value in the window; absent when there was none."""
        return self._add("min", name, words, unit, within=within, every=every, value=value)

    def spread(
        self,
        name: str,
        *,
        within: str,
        every: str,
        words: str,
        value: Value = AMOUNT,
        unit: str = "share of mean",
    ) -> Feature:
        """How unequal a value is over the window: standard deviation over mean (coefficient of variation).

        0 when all are alike (to a hundred-thousandth); absent with fewer than two, or a mean of nothing beside them. Over gaps
        with `value=since_last(events)`.
        """
        return self._add("spread", name, words, unit, within=within, every=every, value=value)

    def since(self, name: str, *, words: str, unit: str = "seconds") -> Feature:
        """Seconds since the last such event before this one; absent when there was none."""
        return self._add("since", name, words, unit)

    def known(self, name: str, value: Value, *, words: str, unit: str = "") -> Feature:
        """The latest known value of something the records say of the entity."""
        return self._add("known", name, words, unit, value=value)

    last_known = known

    def listed(self, name: str, *, words: str) -> Feature:
        """1 while the latest row of a list (a watch row, a link) still holds at the entity's clock, else 0."""
        return self._add("listed", name, words, "", value=UNTIL)

    def happening(self, name: str, *, words: str) -> Feature:
        """1 when the event being read is one of these, else 0."""
        return self._add("happening", name, words, "")

    def age(self, name: str, value: Value, *, words: str, unit: str = "days") -> Feature:
        """Days since a date the records say of the entity (an opening, an activation)."""
        return self._add("age", name, words, unit, value=value)

    def distinct(
        self, name: str, field: str, *, within: str, every: str, words: str, unit: str = ""
    ) -> Feature:
        """How many different others there were in the window: exact, at any size."""
        return self._add("distinct", name, words, unit, field=_field(field), within=within, every=every)

    def returning(
        self, name: str, field: str, *, within: str, every: str, gap: str, words: str, unit: str = ""
    ) -> Feature:
        """How many of the window's others have come back at least once after a gap: the overlap of contact sets."""
        return self._add(
            "returning", name, words, unit, field=_field(field), within=within, every=every, gap=gap
        )

    def novelty(self, name: str, field: str, *, words: str) -> Feature:
        """1 when this pair has not been seen within its lifetime, else 0."""
        return self._add("novelty", name, words, "", field=_field(field))

    def pair_age(self, name: str, field: str, *, words: str, unit: str = "days") -> Feature:
        """Days since this pair was first seen; 0 when it is new."""
        return self._add("pair_age", name, words, unit, field=_field(field))

    def pair_count(self, name: str, field: str, *, words: str, unit: str = "") -> Feature:
        """How many events this pair had before this one, up to 65,535; 0 when it is new."""
        return self._add("pair_count", name, words, unit, field=_field(field))

    def pair_total(
        self, name: str, field: str, *, words: str, value: Value = AMOUNT, unit: str = "pence"
    ) -> Feature:
        """The sum of a value over this pair's events before this one; 0 when it is new."""
        return self._add("pair_total", name, words, unit, field=_field(field), value=value)

    def pair_since(self, name: str, field: str, *, words: str, unit: str = "seconds") -> Feature:
        """Seconds from this pair's latest event to this one, 0 for one that came late; absent when it is new."""
        return self._add("pair_since", name, words, unit, field=_field(field))

    def away_km(self, name: str, *, words: str, unit: str = "km") -> Feature:
        """How far this event is from the usual night place; absent when either is not known."""
        return self._add("away_km", name, words, unit)

    def journeys(self, name: str, *, at_least_km: float, within: str, every: str, words: str) -> Feature:
        """How many times it came back, to within half of `at_least_km`, after it had been that far away.

        Counted at the event that shows it back. Events earlier than the latest with coordinates are left out.
        """
        return self._add("journeys", name, words, "", at_least=at_least_km, within=within, every=every)

    def nights_away(self, name: str, *, at_least_km: float, within: str, every: str, words: str) -> Feature:
        """In how many nights it was seen that far from its usual night place.

        Counted at the night's first such event; of an earlier night than the latest counted, not at all.
        """
        return self._add(
            "nights_away", name, words, "nights", at_least=at_least_km, within=within, every=every
        )

    def deviation(
        self, name: str, *, words: str, value: Value = AMOUNT, log: bool = True, alpha: float = 0.05
    ) -> Feature:
        """How many of its own standard deviations the value lies from the entity's own past."""
        return self._add("deviation", name, words, "sd", value=value, log=log, alpha=alpha)

    def usual_hour(self, name: str, *, words: str) -> Feature:
        """How usual this time of day is for the entity: the share of its past events in the same three hours."""
        return self._add("usual_hour", name, words, "share")

    def usual_place(self, name: str, value: Value, *, words: str) -> Feature:
        """The force seen most often (a code)."""
        return self._add("usual_place", name, words, "force", value=value)

    def usual_place_share(self, name: str, value: Value, *, words: str) -> Feature:
        """The share of the force seen most often."""
        return self._add("usual_place_share", name, words, "share", value=value)

    def replies(
        self,
        name: str,
        *,
        to: "Events",
        field: str,
        gap: str,
        within: str,
        every: str,
        words: str,
        unit: str = "",
    ) -> Feature:
        """How many others answered within `gap` of being addressed, each counted once a time they were addressed."""
        return self._add(
            "replies",
            name,
            words,
            unit,
            other=to.selection,
            field=_field(field),
            gap=gap,
            within=within,
            every=every,
        )

    def bursts(
        self, name: str, of: Feature, *, at_least: float, gap: str, within: str, every: str, words: str
    ) -> Feature:
        """How many times a distinct count rose to at least so many, bursts within `gap` being one."""
        if of.kind != "distinct" or of.entity != self.selection.entity or of.selection != self.selection:
            raise FeatureError(
                f"{name}: bursts are of a distinct count over the same events, not {of.name!r}"
            )
        return self._add(
            "bursts", name, words, "", against=of.name, at_least=at_least, gap=gap, within=within, every=every
        )


class Of:
    """An entity to declare features on."""

    def __init__(self, catalogue: Catalogue, entity: Entity) -> None:
        self.catalogue = catalogue
        self.entity = entity

    def events(
        self,
        name: str,
        *,
        words: str,
        roles: Iterable[Role],
        kinds: Iterable[Kind],
        statuses: Iterable[int] = (),
        having: Iterable[Flag] = (),
        lacking: Iterable[Flag] = (),
        hours: Iterable[int] = (),
        when: Condition | None = None,
        second_pass: bool = False,
    ) -> Events:
        """Choose events by role, kind, status, flags, hour of the day, or by a condition on a value."""
        selection = Selection(
            self.entity,
            name,
            words,
            tuple(roles),
            tuple(kinds),
            tuple(statuses),
            tuple(having),
            tuple(lacking),
            tuple(hours),
            when,
        )
        return Events(self.catalogue, selection, second_pass=second_pass)

    def ratio(self, name: str, top: Feature, bottom: Feature, *, words: str) -> Feature:
        """One feature over another of the same entity; absent when the second is 0."""
        if top.entity != self.entity or bottom.entity != self.entity:
            raise FeatureError(f"{name}: both parts of a ratio belong to one entity")
        return self.catalogue.add(
            Feature(
                name=name,
                entity=self.entity,
                kind="ratio",
                words=words,
                unit="ratio",
                against=top.name,
                over=bottom.name,
                second_pass=top.second_pass or bottom.second_pass,
            )
        )


def since_last(events: Events) -> Value:
    """Seconds since the last event of another selection, as a value or in a condition."""
    return Value("since", events.selection.name)


def of_other(feature: Feature) -> Value:
    """What is known of the other party at the same event: a second-pass value."""
    return Value("other", feature.name)


def _needs_other(condition: Condition | None) -> bool:
    return condition is not None and condition.value.source == "other"


def _field(name: str) -> str:
    if name not in FIELDS:
        raise FeatureError(f"{name!r} cannot make a pair: choose one of {', '.join(FIELDS)}")
    return name
