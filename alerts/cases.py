"""Cases: alerts that speak of the same people belong together, whichever detector or campus has them.

Membership is a table with dates beside the alerts, so that who was in a case on a day can be told later. Two cases
that turn out to be one are merged into the older, whose key stays. What very many share (a bank, a switchboard)
links nobody. Part of the store: it works on the store's connection, inside its transaction.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from alerts import tables
from alerts.record import Alert

LINKING: Final = ("account", "party", "number", "sim", "card_sim", "handset", "device", "address", "card")
"""What links alerts when they share it; a merchant, a terminal or a cell says nothing of who belongs together."""
HUB: Final = 25
"""What is shared by more alerts than this is a hub and links nobody."""


_CASE: Final = select(tables.cases).where(tables.cases.c.case_key == bindparam("key"))
_CASE_OF: Final = select(tables.members.c.case_key).where(
    tables.members.c.alert_id == bindparam("alert_id"), tables.members.c.to_ts.is_(None)
)
_SHARING: Final = (
    select(tables.members.c.case_key, func.count().label("alerts"))
    .select_from(
        tables.subjects.join(tables.members, tables.members.c.alert_id == tables.subjects.c.alert_id)
    )
    .where(
        tables.subjects.c.kind == bindparam("kind"),
        tables.subjects.c.token == bindparam("token"),
        tables.members.c.to_ts.is_(None),
    )
    .group_by(tables.members.c.case_key)
    .order_by(tables.members.c.case_key)
)
"""The cases of the alerts that share a subject, with how many alerts each has of it."""


def place(connection: Connection, alert: Alert) -> str:
    """Put an alert into its case, merging cases it turns out to join; gives the case's key."""
    shared = _cases_sharing(connection, alert)
    own = _current(connection, alert.case_key)
    now = case_of(connection, alert.alert_id)
    found = {key for key in (*shared, own, now) if key is not None}
    if not found:
        connection.execute(
            insert(tables.cases),
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


def _cases_sharing(connection: Connection, alert: Alert) -> dict[str, str]:
    """The cases of other alerts that share a subject which is no hub, with what they share."""
    found: dict[str, str] = {}
    for subject in alert.subjects:
        if subject.kind not in LINKING:
            continue
        who = {"kind": subject.kind, "token": subject.token}
        sharing = connection.execute(_SHARING, who).all()
        if sum(row.alerts for row in sharing) < HUB:
            for row in sharing:
                found.setdefault(row.case_key, f"shares {subject.name}")
    return found


def _current(connection: Connection, key: str) -> str | None:
    """The case a key stands for now, through its mergers; nothing when there is no such case."""
    row = connection.execute(_CASE, {"key": key}).first()
    while row is not None and row.merged_into is not None:
        row = connection.execute(_CASE, {"key": row.merged_into}).first()
    return str(row.case_key) if row is not None else None


def _join(connection: Connection, key: str, alert_id: str, at: int, why: str) -> None:
    connection.execute(
        insert(tables.members),
        {"case_key": key, "alert_id": alert_id, "from_ts": at, "to_ts": None, "why": why},
    )
