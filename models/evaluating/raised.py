"""What evaluation keeps of an alert: whom it is about, when, by which detector, and its place in the queue."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from alerts.errors import AlertError
from alerts.record import CLOUDEVENT_TYPE, Alert, from_json
from models.evaluating.truth import Name


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """One alert, as far as it is measured."""

    alert_id: str
    revision: int = 0
    case_key: str = ""
    detector: str
    threat: str
    typology: str
    about: Name
    related: frozenset[Name] = frozenset()
    first: int
    last: int
    raised: int
    campus: str = ""
    order: float = 0.0


class Declared(msgspec.Struct, frozen=True):
    """What a detector says of itself, whether or not it alerted."""

    id: str
    threat: str
    typology: str
    subject: str
    budget: float
    """Alerts a day per 100,000 subjects."""


def raised_of(alert: Alert) -> Raised:
    """An alert, as far as it is measured."""
    about, *others = ((subject.kind, subject.token) for subject in alert.subjects)
    return Raised(
        alert_id=alert.alert_id,
        revision=alert.revision,
        case_key=alert.case_key,
        detector=alert.detector,
        threat=alert.threat,
        typology=alert.typology,
        about=about,
        related=frozenset(others) - {about},
        first=alert.first_event_ts,
        last=alert.last_event_ts,
        raised=alert.raised_ts,
        campus=alert.owner.org_id,
        order=alert.priority.order,
    )


def read_alert(line: bytes) -> Raised:
    """An alert from a line of JSON, bare or inside a CloudEvent.

    Raises:
        AlertError: the line is no alert.
    """
    try:
        plain: Any = msgspec.json.decode(line)
    except msgspec.MsgspecError as wrong:
        raise AlertError(f"not JSON: {wrong}") from wrong
    if isinstance(plain, dict) and plain.get("type") == CLOUDEVENT_TYPE:
        line = msgspec.json.encode(plain.get("data"))
    alert = from_json(line)
    if not alert.subjects:
        raise AlertError(f"alert {alert.alert_id} is about nobody")
    return raised_of(alert)


def latest(alerts: Iterable[Raised]) -> tuple[Raised, ...]:
    """Each alert once, as its last revision has it, in one order whatever order they came in."""
    kept: dict[str, Raised] = {}
    for alert in alerts:
        before = kept.get(alert.alert_id)
        if before is None or _newer(alert, before):
            kept[alert.alert_id] = alert
    return tuple(sorted(kept.values(), key=lambda alert: (alert.raised, alert.alert_id)))


def _newer(one: Raised, other: Raised) -> bool:
    """Revisions in order; of two with one number (which cannot be) always the same one."""
    return _rank(one) > _rank(other)


def _rank(alert: Raised) -> tuple[object, ...]:
    return (alert.revision, alert.last, alert.order, alert.about, sorted(alert.related), alert.case_key)


def detectors_of(alerts: Iterable[Raised], declared: Iterable[Declared]) -> Mapping[str, Declared | Raised]:
    """Every detector there is word of, declared or only heard from, by its id."""
    found: dict[str, Declared | Raised] = {}
    for alert in alerts:
        found.setdefault(alert.detector, alert)
    found.update({each.id: each for each in declared})
    return {name: found[name] for name in sorted(found)}
