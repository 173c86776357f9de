"""Cases: alerts that speak of the same people belong together, whichever detector or campus has them.

Membership is a table with dates beside the alerts, so that who was in a case on a day can be told later. Two cases
that turn out to be one are merged into the older, whose key stays. Part of the store: it works on the store's
connection, inside its transaction.

What ties two alerts:

* the one an alert is about is in the other (as the one that is about, or beside it): a mule and the next mule, a
  line and its runner, a new number and the line it was, an account and the phone registered to it;
* one device or handset that both were seen with: two strangers do not share a phone (what very many use is not named in
  an alert at all);
* two people or things that both have beside the ones they are about (`SHARED`): one buyer who knows two lines is
  nothing, several are.

What very many share (a bank, a switchboard, an exchange) is a hub and ties nobody.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, select, update

from alerts import tables
from alerts.outcomes import OPEN
from alerts.record import BANDS, Alert, Subject

LINKING: Final = (
    "account", "party", "number", "imsi", "sim", "card_sim", "imei", "handset", "device", "address", "card",
)  # fmt: skip
"""What links alerts when they share it; a merchant, a terminal or a cell says nothing of who belongs together."""
IN_HAND: Final = ("device", "handset", "imei")
"""What somebody holds: one of these beside both is enough."""
HUB: Final = 25
"""What is in more alerts than this is a hub and links nobody."""
SHARED: Final = 2
"""So many shared by two alerts beside the ones they are about make one case."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it stands: what its alerts say together, each claim with its own highest score."""

    case_key: str
    opened_ts: int
    first_event_ts: int
    last_event_ts: int
    alerts: tuple[Alert, ...]
    open_alerts: int
    band: str
    """The highest band of its alerts: scores are never added up."""
    priority_order: float
    child_first: bool
    safeguarding: bool
    claims: dict[str, float]
    """The highest score of each claim, apart: that there is a line, that somebody is exploited, that there is fraud."""
    streams: tuple[str, ...]
    detectors: tuple[str, ...]
    threats: tuple[str, ...]
    about: tuple[Subject, ...]
    """Those its alerts are about."""
    beside: tuple[Subject, ...]
    """Those its alerts hold beside them."""
    forces: tuple[int, ...]
    campuses: tuple[str, ...]
    """Campuses that own an alert of it: more than one, and they must talk to each other."""
    copies: tuple[str, ...]
    merged: tuple[str, ...]
    """Keys of cases that turned out to be this one."""


_NEW_CASE: Final = insert(tables.cases)
_MEMBER: Final = insert(tables.members)
_CASE: Final = select(tables.cases).where(tables.cases.c.case_key == bindparam("key"))
_CASE_OF: Final = select(tables.members.c.case_key).where(
    tables.members.c.alert_id == bindparam("alert_id"), tables.members.c.to_ts.is_(None)
)


def place(connection: Connection, alert: Alert) -> str:
    """Put an alert into its case, merging cases it turns out to join; gives the case's key."""
    shared = _cases_sharing(connection, alert)
    own = current(connection, alert.case_key)
    now = case_of(connection, alert.alert_id)
    found = {key for key in (*shared, own, now) if key is not None}
    if not found:
        connection.execute(
            _NEW_CASE,
            {
                "case_key": alert.case_key,
                "opened_ts": alert.raised_ts,
                "merged_into": None,
                "merged_ts": None,
            },
        )
        key = alert.case_key
    else:
        key = merge(connection, found, alert.revision_ts, shared) if len(found) > 1 else found.pop()
    if now is None:
        _join(connection, key, alert.alert_id, alert.revision_ts, shared.get(key, "its subject"))
    return key


def case_of(connection: Connection, alert_id: str) -> str | None:
    """The key of the case an alert is in now."""
    key: str | None = connection.execute(_CASE_OF, {"alert_id": alert_id}).scalar()
    return key


def merge(connection: Connection, keys: Iterable[str], at: int, why: dict[str, str] | None = None) -> str:
    """Make several cases one: the oldest, whose key stays."""
    cases, members = tables.cases, tables.members
    query = select(cases.c.case_key).where(cases.c.case_key.in_(sorted(set(keys))))
    oldest, *rest = connection.execute(query.order_by(cases.c.opened_ts, cases.c.case_key)).scalars()
    for key in rest:
        connection.execute(
            update(cases).where(cases.c.case_key == key).values(merged_into=oldest, merged_ts=at)
        )
        open_here = (members.c.case_key == key) & members.c.to_ts.is_(None)
        moved = connection.execute(select(members.c.alert_id).where(open_here).order_by(members.c.number))
        alert_ids = list(moved.scalars())
        connection.execute(update(members).where(open_here).values(to_ts=at))
        for alert_id in alert_ids:
            _join(connection, oldest, alert_id, at, f"{key} merged: {(why or {}).get(key, 'one case')}")
    return str(oldest)


def current(connection: Connection, key: str) -> str | None:
    """The case a key stands for now, through its mergers; nothing when there is no such case."""
    row = connection.execute(_CASE, {"key": key}).first()
    while row is not None and row.merged_into is not None:
        row = connection.execute(_CASE, {"key": row.merged_into}).first()
    return str(row.case_key) if row is not None else None


def merged_into(connection: Connection, key: str) -> tuple[str, ...]:
    """The keys of the cases that were merged into one, directly or through others."""
    found: list[str] = []
    asked = [key]
    while asked:
        query = select(tables.cases.c.case_key).where(tables.cases.c.merged_into.in_(asked))
        asked = sorted(connection.execute(query).scalars())
        found += asked
    return tuple(found)


def case_from(key: str, opened_ts: int, alerts: Sequence[Alert], merged: tuple[str, ...]) -> Case:
    """A case from its alerts, oldest first."""
    about = dict.fromkeys(alert.subject for alert in alerts)
    beside = dict.fromkeys(subject for alert in alerts for subject in alert.subjects[1:])
    named = {subject.name for subject in about}
    claims: dict[str, float] = {}
    for alert in alerts:
        claim = alert.claim or alert.threat
        claims[claim] = max(alert.score, claims.get(claim, 0.0))
    return Case(
        case_key=key,
        opened_ts=opened_ts,
        first_event_ts=min(alert.first_event_ts for alert in alerts),
        last_event_ts=max(alert.last_event_ts for alert in alerts),
        alerts=tuple(alerts),
        open_alerts=sum(alert.status in OPEN for alert in alerts),
        band=BANDS[max(BANDS.index(alert.band) for alert in alerts)],
        priority_order=max(alert.priority.order for alert in alerts),
        child_first=any(alert.priority.child_first for alert in alerts),
        safeguarding=any(alert.safeguarding.needed for alert in alerts),
        claims=dict(sorted(claims.items())),
        streams=_each(alert.stream for alert in alerts),
        detectors=_each(alert.detector for alert in alerts),
        threats=_each(alert.threat for alert in alerts),
        about=tuple(about),
        beside=tuple(subject for subject in beside if subject.name not in named),
        forces=tuple(sorted({code for alert in alerts for code in alert.forces})),
        campuses=_each(alert.owner.org_id for alert in alerts),
        copies=_each(copy.org_id for alert in alerts for copy in alert.copies),
        merged=merged,
    )


def _each(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _cases_sharing(connection: Connection, alert: Alert) -> dict[str, str]:
    """The cases of other alerts that this one is tied to, with what ties them."""
    mine = [(s.kind, s.token) for s in alert.subjects if s.kind in LINKING]
    about = (alert.subject.kind, alert.subject.token)
    found: dict[str, str] = {}
    shared: defaultdict[tuple[str, str], list[str]] = defaultdict(
        list
    )  # (case, alert) -> whom both hold beside
    for who, other, case, its_own in _sharing(connection, mine, alert.alert_id):
        name = f"{who[0]}:{who[1]}"
        if who in (about, its_own) or who[0] in IN_HAND:
            found.setdefault(case, f"shares {name}")
        else:
            shared[case, other].append(name)
    for (case, _), names in shared.items():
        if len(names) >= SHARED:
            found.setdefault(case, f"shares {names[0]} and {len(names) - 1} more")
    return found


_Who = tuple[str, str]

# Kinds and tokens apart, so that their index serves: a token is of one kind all but always.
_HELD: Final = (
    select(tables.subjects.c.kind, tables.subjects.c.token, func.count().label("alerts"))
    .where(
        tables.subjects.c.kind.in_(bindparam("kinds", expanding=True)),
        tables.subjects.c.token.in_(bindparam("tokens", expanding=True)),
    )
    .group_by(tables.subjects.c.kind, tables.subjects.c.token)
    .having(func.count() <= HUB)
)
_HOLDERS: Final = (
    select(
        tables.subjects.c.kind,
        tables.subjects.c.token,
        tables.subjects.c.alert_id,
        tables.members.c.case_key,
        tables.alerts.c.subject_kind,
        tables.alerts.c.subject_token,
    )
    .select_from(
        tables.subjects.join(tables.members, tables.members.c.alert_id == tables.subjects.c.alert_id).join(
            tables.alerts, tables.alerts.c.alert_id == tables.subjects.c.alert_id
        )
    )
    .where(
        tables.subjects.c.kind.in_(bindparam("kinds", expanding=True)),
        tables.subjects.c.token.in_(bindparam("tokens", expanding=True)),
        tables.members.c.to_ts.is_(None),
        tables.subjects.c.alert_id != bindparam("not_this"),
    )
    .order_by(
        tables.members.c.case_key, tables.subjects.c.alert_id, tables.subjects.c.kind, tables.subjects.c.token
    )
)
"""Made once: an expression that is built for every alert costs more than the question."""


def _sharing(connection: Connection, mine: list[_Who], alert_id: str) -> list[tuple[_Who, str, str, _Who]]:
    """Other alerts that hold one of these, hubs left out: whom, which alert, its case, and whom it is about.

    The alert's own are in the table by then: whom one alert holds, nobody else does.
    """
    if not mine:
        return []
    wanted = set(mine)
    held = connection.execute(_HELD, _either(mine))
    asked = {(row.kind, row.token) for row in held if row.alerts > 1} & wanted
    if not asked:
        return []
    return [
        ((row.kind, row.token), row.alert_id, row.case_key, (row.subject_kind, row.subject_token))
        for row in connection.execute(_HOLDERS, {**_either(asked), "not_this": alert_id})
        if (row.kind, row.token) in asked
    ]


def _either(asked: Iterable[_Who]) -> dict[str, list[str]]:
    return {
        "kinds": sorted({kind for kind, _ in asked}),
        "tokens": sorted({token for _, token in asked}),
    }


def _join(connection: Connection, key: str, alert_id: str, at: int, why: str) -> None:
    connection.execute(
        _MEMBER,
        {"case_key": key, "alert_id": alert_id, "from_ts": at, "to_ts": None, "why": why},
    )
