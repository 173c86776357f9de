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

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

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
CHUNK: Final = 500
"""So many values go into one query: databases limit them."""


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


_Who = tuple[str, str]

_NEW_CASE: Final = insert(tables.cases)
_MEMBER: Final = insert(tables.members)
_CASE: Final = select(tables.cases).where(tables.cases.c.case_key == bindparam("key"))
# Made once: an expression that is built for every batch costs more than the question.
_HELD: Final = (
    select(tables.subjects.c.kind, tables.subjects.c.token, func.count().label("alerts"))
    .where(
        tables.subjects.c.kind.in_(bindparam("kinds", expanding=True)),
        tables.subjects.c.token.in_(bindparam("tokens", expanding=True)),
    )
    .group_by(tables.subjects.c.kind, tables.subjects.c.token)
)  # kinds and tokens apart, so that their index serves: a token is of one kind all but always
_HOLDERS: Final = select(tables.subjects.c.kind, tables.subjects.c.token, tables.subjects.c.alert_id).where(
    tables.subjects.c.kind.in_(bindparam("kinds", expanding=True)),
    tables.subjects.c.token.in_(bindparam("tokens", expanding=True)),
)
_STANDING: Final = (
    select(
        tables.alerts.c.alert_id,
        tables.alerts.c.subject_kind,
        tables.alerts.c.subject_token,
        tables.members.c.case_key,
    )
    .select_from(
        tables.alerts.outerjoin(
            tables.members,
            (tables.members.c.alert_id == tables.alerts.c.alert_id) & tables.members.c.to_ts.is_(None),
        )
    )
    .where(tables.alerts.c.alert_id.in_(bindparam("ids", expanding=True)))
)
_KNOWN: Final = select(tables.cases.c.case_key, tables.cases.c.merged_into).where(
    tables.cases.c.case_key.in_(bindparam("keys", expanding=True))
)


class Placing:
    """Alerts on their way into cases: what they may be tied to is asked once, then each takes its place in turn.

    Made when the alerts themselves are in, and before whom they hold is.
    """

    def __init__(self, connection: Connection, alerts: Sequence[Alert]) -> None:
        self._connection = connection
        self._held: Counter[_Who] = Counter()  # whom: in how many alerts
        self._holders: defaultdict[_Who, set[str]] = defaultdict(set)  # of whom is no hub: in which
        self._about: dict[str, _Who] = {}  # alert: whom it is about
        self._case_of: dict[str, str] = {}  # alert: the case it is in now
        self._inside: defaultdict[str, set[str]] = defaultdict(set)  # the other way round
        self._merged: dict[str, str | None] = {}  # case: what it was merged into
        self._new_cases: list[dict[str, Any]] = []
        self._joined: list[dict[str, Any]] = []
        self._read(alerts)

    def place(self, alert: Alert, met: Iterable[_Who]) -> str:
        """Put an alert, and whom it holds that it did not before, into its case; gives the case's key.

        Cases that it turns out to join are merged.
        """
        for who in met:
            self._held[who] += 1
            self._holders[who].add(alert.alert_id)
        shared = self._cases_sharing(alert)
        own = self._current(alert.case_key)
        now = self._case_of.get(alert.alert_id)
        found = {key for key in (*shared, own, now) if key is not None}
        if not found:
            key = alert.case_key
            self._open(key, alert.raised_ts)
        else:
            key = self._merge(found, alert.revision_ts, shared) if len(found) > 1 else found.pop()
        if now is None:
            row = _member(key, alert.alert_id, alert.revision_ts, shared.get(key, "its subject"))
            self._joined.append(row)
            self._put(alert.alert_id, key)
        return key

    def write(self) -> None:
        """Write what is not written yet."""
        if self._new_cases:
            self._connection.execute(_NEW_CASE, self._new_cases)
        if self._joined:
            self._connection.execute(_MEMBER, self._joined)
        self._new_cases, self._joined = [], []

    # --- what is known ------------------------------------------------------------------------------------------------

    def _read(self, alerts: Sequence[Alert]) -> None:
        """All that these alerts may be tied to, as it stands."""
        wanted = {(s.kind, s.token) for alert in alerts for s in alert.subjects if s.kind in LINKING}
        for row in self._rows(_HELD, wanted):
            self._held[row.kind, row.token] = row.alerts
        linking = {who for who in wanted if 0 < self._held[who] <= HUB}
        for row in self._rows(_HOLDERS, linking):
            self._holders[row.kind, row.token].add(row.alert_id)
        self._read_standing({alert.alert_id for alert in alerts}.union(*self._holders.values()))
        self._read_mergers({alert.case_key for alert in alerts})

    def _read_standing(self, alert_ids: set[str]) -> None:
        """Whom alerts are about, and the cases they are in."""
        for some in in_chunks(alert_ids):
            for row in self._connection.execute(_STANDING, {"ids": some}):
                self._about[row.alert_id] = (row.subject_kind, row.subject_token)
                if row.case_key is not None:
                    self._put(row.alert_id, row.case_key)

    def _read_mergers(self, keys: set[str]) -> None:
        """What cases have become."""
        asked = keys
        while asked:
            for some in in_chunks(asked):
                for row in self._connection.execute(_KNOWN, {"keys": some}):
                    self._merged[row.case_key] = row.merged_into
            asked = {into for into in self._merged.values() if into is not None} - self._merged.keys()

    def _rows(self, query: Select[Any], asked: set[_Who]) -> Iterator[Row[Any]]:
        """Rows about some kinds and tokens."""
        kinds = sorted({kind for kind, _ in asked})
        for tokens in in_chunks({token for _, token in asked}):
            for row in self._connection.execute(query, {"kinds": kinds, "tokens": tokens}):
                if (row.kind, row.token) in asked:
                    yield row

    def _current(self, key: str) -> str | None:
        """The case a key stands for now, through its mergers; nothing when there is no such case."""
        while (into := self._merged.get(key)) is not None:
            key = into
        return key if key in self._merged else None

    # --- what ties ----------------------------------------------------------------------------------------------------

    def _cases_sharing(self, alert: Alert) -> dict[str, str]:
        """The cases of other alerts that this one is tied to, with what ties them."""
        about = (alert.subject.kind, alert.subject.token)
        found: dict[str, str] = {}
        shared: defaultdict[tuple[str, str], list[str]] = defaultdict(
            list
        )  # (case, alert) -> whom both hold beside
        for case, other, who in self._sharing(alert):
            name = f"{who[0]}:{who[1]}"
            if who in (about, self._about[other]) or who[0] in IN_HAND:
                found.setdefault(case, f"shares {name}")
            else:
                shared[case, other].append(name)
        for (case, _), names in shared.items():
            if len(names) >= SHARED:
                found.setdefault(case, f"shares {names[0]} and {len(names) - 1} more")
        return found

    def _sharing(self, alert: Alert) -> list[tuple[str, str, _Who]]:
        """Other alerts that hold one of an alert's, hubs left out: its case, which alert, and whom."""
        mine = {(s.kind, s.token) for s in alert.subjects if s.kind in LINKING}
        return sorted(
            (self._case_of[other], other, who)
            for who in mine
            if self._held[who] <= HUB
            for other in self._holders[who]
            if other != alert.alert_id and other in self._case_of
        )

    # --- what changes -------------------------------------------------------------------------------------------------

    def _put(self, alert_id: str, key: str) -> None:
        self._case_of[alert_id] = key
        self._inside[key].add(alert_id)

    def _open(self, key: str, at: int) -> None:
        """Open a case."""
        self._merged[key] = None
        self._new_cases.append({"case_key": key, "opened_ts": at, "merged_into": None, "merged_ts": None})

    def _merge(self, keys: set[str], at: int, why: dict[str, str]) -> str:
        """Make several cases one."""
        self.write()
        kept = merge(self._connection, keys, at, why)
        for key in keys - {kept}:
            self._merged[key] = kept
            for alert_id in self._inside.pop(key, ()):
                self._put(alert_id, kept)
        self._merged.setdefault(kept, None)
        return kept


def in_chunks(names: Iterable[str]) -> Iterator[list[str]]:
    """Names in order, so many at a time as go into one query."""
    ordered = sorted(names)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


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
        because = f"{key} merged: {(why or {}).get(key, 'one case')}"
        if alert_ids:
            connection.execute(_MEMBER, [_member(oldest, alert_id, at, because) for alert_id in alert_ids])
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


def _member(key: str, alert_id: str, at: int, why: str) -> dict[str, Any]:
    return {"case_key": key, "alert_id": alert_id, "from_ts": at, "to_ts": None, "why": why}
