"""What a detector would have given a campus to do: alerts a day, how many right, what was missed, how long they wait.

Alerts are those of a backtest; what is known of them are labels. A campus works so many alerts a day, those with the
highest priority first, at the end of each day (UTC), from whatever is waiting then. A confirmed crime counts as
**alerted** when an alert about one of its subjects, or of its event, was raised before it was found out otherwise, and
as **reached** when the campus had worked that alert by then.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from alerts.record import Alert
from models.evaluating.intervals import Share, share_of
from models.labels import SUBJECT_DAYS, Claim, Label, about_one

Side = Callable[[str, str], str]
"""On which side of an event (by id) a subject stood."""

DAY_US: Final = 86_400_000_000
ALL: Final = "all"
"""Stands for every campus that is not named."""
_BEFORE_US: Final = SUBJECT_DAYS * DAY_US
"""An alert so long before a crime may still be about it: lines and mule accounts are at work for weeks."""


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it went through its revisions."""

    alert_id: str
    subject: str
    event_ids: frozenset[str]
    raised: int
    first: int
    last: int
    steps: tuple[tuple[int, str, float], ...]
    """When, which campus owned it from then on, and where it stood in the queue."""

    def campus(self) -> str:
        """Who owned it in the end."""
        return self.steps[-1][1]


class Crime(msgspec.Struct, frozen=True, kw_only=True):
    """Something confirmed: about whom, when, how much money it was, and when that was found out."""

    event_id: str
    subjects: frozenset[str]
    ts: int
    known: int
    minor: int = 0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A campus's queue at the end of one day, when the day's work was done."""

    day: int
    waiting: int
    oldest_days: float


class OfCampus(msgspec.Struct, frozen=True, kw_only=True):
    """What one campus would have had on its desk."""

    campus: str
    capacity: int | None
    alerts: int
    worked: int
    median_wait_days: float | None
    longest_wait_days: float | None
    waiting: int
    """Still waiting at the end."""
    oldest_days: float | None
    """How long the oldest of those has waited."""
    days: tuple[Waiting, ...]


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """The confirmed crimes, and how many of them, with how much money, were not found in time."""

    crimes: int
    alerted: Share
    reached: Share
    minor: int
    not_alerted_minor: int
    not_reached_minor: int


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be expected of one threshold."""

    threshold: float
    alerts: int
    alerts_a_day: float
    precision: Share
    """Of the alerts of which anything is known."""
    innocent_by_silence: int
    """Of those, how many are taken for innocent because nobody said anything within the horizon."""
    not_known: int
    missed: Missed
    campuses: tuple[OfCampus, ...]


def raised_of(revisions: Iterable[Alert], from_ts: int, to_ts: int) -> tuple[Raised, ...]:
    """Alerts from their revisions in order, those that were raised in a period."""
    by_id: dict[str, list[Alert]] = {}
    for each in revisions:
        by_id.setdefault(each.alert_id, []).append(each)
    return tuple(
        _raised(each)
        for each in by_id.values()
        if from_ts <= each[0].revision_ts < to_ts and each[0].revision == 1
    )


def _raised(revisions: Sequence[Alert]) -> Raised:
    last = revisions[-1]
    return Raised(
        alert_id=last.alert_id,
        subject=last.subject.name,
        event_ids=frozenset(name for each in revisions for name in each.event_ids),
        raised=revisions[0].revision_ts,
        first=last.first_event_ts,
        last=last.last_event_ts,
        steps=tuple((r.revision_ts, r.owner.org_id, r.priority.order) for r in revisions),
    )


def forecast(
    threshold: float,
    alerts: Sequence[Raised],
    labels: Sequence[Label],
    crimes: Sequence[Crime],
    capacity: Mapping[str, int],
    span: tuple[int, int],
    as_of: int,
    horizon: int,
    claim: Claim = Claim(),
    side: Side = lambda event_id, subject: "",
) -> Forecast:
    """Everything that is told of one threshold."""
    queue = Queue(alerts, capacity, span)
    found = outcomes(alerts, labels, as_of, horizon, claim, side)
    count = Counter(found.values())
    right, wrong, silent = count["confirmed"], count["innocent"], count["silent"]
    return Forecast(
        threshold=threshold,
        alerts=len(alerts),
        alerts_a_day=len(alerts) * DAY_US / (span[1] - span[0]),
        precision=share_of(right, right + wrong + silent),
        innocent_by_silence=silent,
        not_known=count[""],
        missed=missed(alerts, crimes, queue.worked),
        campuses=queue.campuses(),
    )


def outcomes(
    alerts: Sequence[Raised],
    labels: Sequence[Label],
    as_of: int,
    horizon: int,
    claim: Claim = Claim(),
    side: Side = lambda event_id, subject: "",
) -> dict[str, str]:
    """What is known of each alert: confirmed, innocent, silent (for longer than the horizon), or nothing.

    A word about one of its events or about itself goes before one about its subject; of those the latest counts, but
    an alert of which any event was confirmed is confirmed. What a word teaches of a subject is as in training.
    """
    by_key: dict[str, list[Label]] = defaultdict(list)
    for one in labels:
        if one.at <= as_of:
            for key in dict.fromkeys((one.about, *(() if about_one(one) else one.subjects))):
                by_key[key].append(one)
    return {each.alert_id: _outcome(each, by_key, as_of, horizon, claim, side) for each in alerts}


def _outcome(
    alert: Raised, by_key: Mapping[str, list[Label]], as_of: int, horizon: int, claim: Claim, side: Side
) -> str:
    near = [f"event:{name}" for name in sorted(alert.event_ids)] + [f"alert:{alert.alert_id}"]
    told: Sequence[bool | None] = [
        _taught(one, alert, claim, side) for key in near for one in by_key.get(key, ())
    ]
    if all(each is None for each in told):
        about = by_key.get(alert.subject, ())
        words = [one for one in about if alert.first <= one.at <= alert.last + SUBJECT_DAYS * DAY_US]
        words.sort(key=lambda one: (one.at, one.event_id))
        taught = [_taught(one, alert, claim, side) for one in words]
        told = [each for each in reversed(taught) if each is not None][:1] or told
    if any(told):
        return "confirmed"
    if any(each is False for each in told):
        return "innocent"
    return "silent" if alert.last + horizon <= as_of else ""


def _taught(label: Label, alert: Raised, claim: Claim, side: Side) -> bool | None:
    said = label.says(alert.subject, side(label.about.removeprefix("event:"), alert.subject), claim)
    return None if said is None else said[0]


def missed(alerts: Sequence[Raised], crimes: Sequence[Crime], worked: Mapping[str, int]) -> Missed:
    """How much of what was confirmed would not have been found in time."""
    by_name: dict[str, list[Raised]] = defaultdict(list)
    for each in alerts:
        for name in (each.subject, *(f"event:{one}" for one in each.event_ids)):
            by_name[name].append(each)
    alerted = reached = said = late = 0
    for crime in crimes:
        of = [each for name in (*crime.subjects, f"event:{crime.event_id}") for each in by_name.get(name, ())]
        of = [each for each in of if each.raised < crime.known and each.last >= crime.ts - _BEFORE_US]
        in_time = any(worked.get(each.alert_id, crime.known) < crime.known for each in of)
        alerted, reached = alerted + bool(of), reached + in_time
        said += 0 if of else crime.minor
        late += 0 if in_time else crime.minor
    return Missed(
        crimes=len(crimes),
        alerted=share_of(alerted, len(crimes)),
        reached=share_of(reached, len(crimes)),
        minor=sum(crime.minor for crime in crimes),
        not_alerted_minor=said,
        not_reached_minor=late,
    )


class Queue:
    """The campuses' queues, day by day."""

    def __init__(self, alerts: Sequence[Raised], capacity: Mapping[str, int], span: tuple[int, int]) -> None:
        self.alerts = alerts
        self.capacity = capacity
        self.worked: dict[str, int] = {}
        self._days: dict[str, list[Waiting]] = defaultdict(list)
        self._span = span
        names = {step[1] for each in alerts for step in each.steps} | (capacity.keys() - {ALL})
        self._names = sorted(names)
        self._work()

    def _work(self) -> None:
        opens, closes = self._span
        waiting: list[Raised] = []
        coming = sorted(self.alerts, key=lambda each: (each.raised, each.alert_id))
        for day in range(opens // DAY_US, -(-closes // DAY_US)):
            end = min((day + 1) * DAY_US, closes)
            while coming and coming[0].raised < end:
                waiting.append(coming.pop(0))
            self._day(day, end, waiting)
            waiting = [each for each in waiting if each.alert_id not in self.worked]

    def _day(self, day: int, end: int, waiting: Sequence[Raised]) -> None:
        """A day's work of every campus, on the alerts as they stood by then."""
        mine: dict[str, list[tuple[float, str, Raised]]] = defaultdict(list)
        for each in waiting:
            _, campus, order = max(step for step in each.steps if step[0] < end)
            mine[campus].append((-order, each.alert_id, each))
        for campus in self._names:
            queue = sorted(mine.get(campus, ()), key=lambda one: one[:2])
            most = self.capacity.get(campus, self.capacity.get(ALL, len(queue)))
            for _, name, _ in queue[:most]:
                self.worked[name] = end
            left = [end - each.raised for _, _, each in queue[most:]]
            self._days[campus].append(
                Waiting(day=day, waiting=len(left), oldest_days=max(left, default=0) / DAY_US)
            )

    def campuses(self) -> tuple[OfCampus, ...]:
        """What each campus had."""
        by_campus: dict[str, list[Raised]] = defaultdict(list)
        for each in self.alerts:
            by_campus[each.campus()].append(each)
        return tuple(self._campus(name, by_campus.get(name, [])) for name in self._names)

    def _campus(self, name: str, alerts: Sequence[Raised]) -> OfCampus:
        waits = sorted(
            (self.worked[each.alert_id] - each.raised) / DAY_US
            for each in alerts
            if each.alert_id in self.worked
        )
        still = [each for each in alerts if each.alert_id not in self.worked]
        return OfCampus(
            campus=name,
            capacity=self.capacity.get(name, self.capacity.get(ALL)),
            alerts=len(alerts),
            worked=len(waits),
            median_wait_days=waits[len(waits) // 2] if waits else None,
            longest_wait_days=waits[-1] if waits else None,
            waiting=len(still),
            oldest_days=max(((self._span[1] - each.raised) / DAY_US for each in still), default=None),
            days=tuple(self._days[name]),
        )


def is_of(label: Label, typology: str, detector: str, named: Sequence[str] = ()) -> bool:
    """Whether a label speaks of what a detector looks for: by the beginnings that are named, else by its typology."""
    if named:
        return label.typology.startswith(tuple(named))
    family = typology.removesuffix("_fraud") + "_"
    return label.typology in (typology, detector) or label.typology.startswith(family)
