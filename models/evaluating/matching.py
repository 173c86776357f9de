"""Which alert is about which crime, and what the others are about instead.

An alert is true when the one it is about is a crime's own subject and its evidence lies in the crime's dates, give or
take the grace. Whom it holds beside that (a payer, a caller) does not make it true: everybody deals with somebody.
Such meetings are counted apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from models.evaluating.raised import Raised
from models.evaluating.truth import INNOCENT, Name, Row, World

ORDINARY: Final = "ordinary"
CONTACT: Final = "contact of a crime"
OUTSIDE: Final = "outside its dates"
HOLDERS: Final = ("account", "number")
"""What belongs to somebody by itself; anything else is a thing that these hold."""


class Judged(msgspec.Struct, frozen=True):
    """An alert and what it is: true for some crimes, or a false alarm of one kind."""

    alert: Raised
    crimes: tuple[str, ...]
    """The crimes it is true for; none: a false alarm."""
    same_threat: bool
    """One of them is of the threat that the alert speaks of."""
    about_victim: bool
    kind: str
    """What kind of false alarm it is; empty for a true one."""

    @property
    def true(self) -> bool:
        """It is about a crime."""
        return bool(self.crimes)


class Story(msgspec.Struct, frozen=True):
    """A crime and what the alerts made of it."""

    crime: Row
    alerts: tuple[Raised, ...] = ()
    """The true alerts about it, by when each was raised."""
    touched: int = 0
    """Alerts that hold one of its subjects beside the one they are about."""
    outside: int = 0
    """Alerts about one of its subjects outside its dates."""

    def found(self, threat: str | None = None) -> int | None:
        """When it was first found, by any detector or by those of one threat; never before it began."""
        times = [alert.raised for alert in self.alerts if threat in (None, alert.threat)]
        return max(min(times), self.crime.start) if times else None

    def found_by(self, detector: str) -> int | None:
        """When a detector first found it; never before it began."""
        times = [alert.raised for alert in self.alerts if alert.detector == detector]
        return max(min(times), self.crime.start) if times else None


class Matched(msgspec.Struct, frozen=True):
    """Every alert judged, and every crime with its alerts."""

    judged: tuple[Judged, ...]
    stories: tuple[Story, ...]
    """Crimes that could be found: in the days of the world, seen by a stream, with somebody in them."""
    unseen: tuple[Story, ...]
    outside: tuple[str, ...]
    """Crimes over before the first day of the world, or begun after its last."""
    nameless: tuple[str, ...]
    """Crimes in whose truth nobody is named."""
    innocents: tuple[Row, ...]
    unknown_tokens: bool
    """There are alerts, and not one of their subjects is anywhere in truth."""


def match(rows: Sequence[Row], alerts: Sequence[Raised], grace: int, world: World) -> Matched:
    """Hold alerts (each once, `raised.latest`) against truth; `grace` in microseconds, on both sides."""
    crimes = [row for row in rows if row.kind != INNOCENT]
    innocents = tuple(row for row in rows if row.kind == INNOCENT)
    criminal, innocent = _index(crimes), _index(innocents)
    judged = tuple(_judge(alert, criminal, innocent, grace) for alert in alerts)
    stories = _stories(crimes, judged, criminal)
    lived = [story for story in stories if _in_days(story.crime, world)]
    named = [story for story in lived if story.crime.subjects]
    met = any(name in criminal or name in innocent for a in alerts for name in (a.about, *a.related))
    return Matched(
        judged=judged,
        stories=tuple(story for story in named if not story.crime.unseen),
        unseen=tuple(story for story in named if story.crime.unseen),
        outside=tuple(story.crime.id for story in stories if not _in_days(story.crime, world)),
        nameless=tuple(story.crime.id for story in lived if not story.crime.subjects),
        innocents=innocents,
        unknown_tokens=bool(alerts) and bool(rows) and not met,
    )


def within(alert: Raised, crime: Row, grace: int) -> bool:
    """Whether an alert's evidence lies in a crime's dates, give or take the grace."""
    begun = alert.last >= crime.start - grace
    return begun and (crime.end is None or alert.first <= crime.end + grace)


Index = Mapping[Name, Sequence[Row]]


def _index(rows: Iterable[Row]) -> Index:
    index: defaultdict[Name, list[Row]] = defaultdict(list)
    for row in rows:
        for name in row.subjects:
            index[name].append(row)
    return dict(index)


def _judge(alert: Raised, criminal: Index, innocent: Index, grace: int) -> Judged:
    own = list(
        dict.fromkeys(row for name in spoken_of(alert, criminal, innocent) for row in criminal.get(name, ()))
    )
    true = sorted((crime for crime in own if within(alert, crime, grace)), key=lambda crime: crime.id)
    return Judged(
        alert=alert,
        crimes=tuple(crime.id for crime in true),
        same_threat=any(crime.threat == alert.threat for crime in true),
        about_victim=bool(true) and all(alert.about in crime.victims for crime in true),
        kind="" if true else _false_kind(alert, own, criminal, innocent),
    )


def spoken_of(alert: Raised, criminal: Index, innocent: Index) -> tuple[Name, ...]:
    """Whom an alert is about; for a thing that truth does not name (a handset, say), those who hold it."""
    if alert.about[0] in HOLDERS or alert.about in criminal or alert.about in innocent:
        return (alert.about,)
    return tuple(sorted(alert.related))


def _false_kind(alert: Raised, own: Sequence[Row], criminal: Index, innocent: Index) -> str:
    named = spoken_of(alert, criminal, innocent)
    looks_like = [row for name in named for row in innocent.get(name, ())]
    if looks_like:
        return min(looks_like, key=lambda row: row.id).typology
    if own:
        return f"{min(own, key=lambda row: row.id).kind} {OUTSIDE}"
    return CONTACT if any(name in criminal for name in alert.related) else ORDINARY


def _stories(crimes: Sequence[Row], judged: Sequence[Judged], criminal: Index) -> list[Story]:
    true: defaultdict[str, list[Raised]] = defaultdict(list)
    touched: defaultdict[str, set[str]] = defaultdict(set)
    outside: defaultdict[str, set[str]] = defaultdict(set)
    for each in judged:
        for crime in each.crimes:
            true[crime].append(each.alert)
        for row in criminal.get(each.alert.about, ()):
            if row.id not in each.crimes:
                outside[row.id].add(each.alert.alert_id)
        for name in each.alert.related:
            for row in criminal.get(name, ()):
                if row.id not in each.crimes:
                    touched[row.id].add(each.alert.alert_id)
    return [
        Story(crime, tuple(true[crime.id]), len(touched[crime.id]), len(outside[crime.id]))
        for crime in crimes
    ]


def _in_days(crime: Row, world: World) -> bool:
    """Whether any of it lies in the days there are records of; unknown days hold everything."""
    if world.opens is None or world.closes is None:
        return True
    return crime.start < world.closes and (crime.end is None or crime.end >= world.opens)
