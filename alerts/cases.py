"""Cases: alerts that speak of the same people belong together, whichever detector or campus has them.

Membership is a table with dates beside the alerts, so that who was in a case on a day can be told later. Two cases
that turn out to be one are merged into the older, whose key stays. What very many share (a bank, a switchboard)
links nobody. Part of the store: it works on the store's connection, inside its transaction.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from alerts import tables
from alerts.record import Alert

LINKING: Final = ("account", "party", "number", "sim", "card_sim", "handset", "device", "address", "card")
"""What links alerts when they share it; a merchant, a terminal or a cell says nothing of who belongs together."""
HUB: Final = 25
"""What is shared by more alerts than this is a hub and links nobody."""


def place(connection: Connection, alert: Alert) -> str:
    """Put an alert into its case, merging cases it turns out to join; gives the case's key."""
    shared = _cases_sharing(connection, alert)
    own = _current(connection, alert.case_key)
    found = {key for key in (*shared, own, case_of(connection, alert.alert_id)) if key is not None}
    if not found:
        connection.execute(
            insert(tables.cases).values(case_key=alert.case_key, opened_ts=alert.raised_ts, merged_into=None)
        )
        key = alert.case_key
    else:
        key = merge(connection, found, alert.revision_ts, shared)
    if case_of(connection, alert.alert_id) is None:
        _join(connection, key, alert.alert_id, alert.revision_ts, shared.get(key, "its subject"))
    return key


def case_of(connection: Connection, alert_id: str) -> str | None:
    """The key of the case an alert is in now."""
    members = tables.members
    query = select(members.c.case_key).where(members.c.alert_id == alert_id, members.c.to_ts.is_(None))
    key: str | None = connection.execute(query).scalar()
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
    subjects, members = tables.subjects, tables.members
    found: dict[str, str] = {}
    for subject in alert.subjects:
        if subject.kind not in LINKING:
            continue
        same = (subjects.c.kind == subject.kind) & (subjects.c.token == subject.token)
        sharing = connection.execute(select(func.count()).select_from(subjects).where(same)).scalar_one()
        if sharing > HUB:
            continue
        joined = subjects.join(members, members.c.alert_id == subjects.c.alert_id)
        query = select(members.c.case_key).select_from(joined).where(same, members.c.to_ts.is_(None))
        for key in connection.execute(query.distinct()).scalars():
            found.setdefault(key, f"shares {subject.name}")
    return found


def _current(connection: Connection, key: str) -> str | None:
    """The case a key stands for now, through its mergers; nothing when there is no such case."""
    cases = tables.cases
    row = connection.execute(select(cases).where(cases.c.case_key == key)).first()
    while row is not None and row.merged_into is not None:
        row = connection.execute(select(cases).where(cases.c.case_key == row.merged_into)).first()
    return str(row.case_key) if row is not None else None


def _join(connection: Connection, key: str, alert_id: str, at: int, why: str) -> None:
    connection.execute(
        insert(tables.members).values(case_key=key, alert_id=alert_id, from_ts=at, to_ts=None, why=why)
    )
