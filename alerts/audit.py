"""The audit of the alerts store: who did what, when, from what to what, and why; append-only and hash-chained.

Each row's hash covers the row and the hash before it, so that a row changed, taken out or put in later breaks the
chain from there on. Part of the store: it works on the store's connection, inside its transaction.
"""

import hashlib
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select

from alerts.record import encode
from alerts.tables import audit

OPS: Final = ("COLLECT", "ALTER", "CONSULT", "DISCLOSE", "COMBINE", "ERASE", "REVIEW")
"""What is logged, in the words of section 62 of the Data Protection Act 2018, and a person's review."""
FIRST: Final = "0" * 64
"""The hash before the first row."""


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the audit."""

    seq: int
    at: int
    actor: str
    op: str
    object_type: str
    object_id: str
    from_state: str
    to_state: str
    why: str
    prev_hash: str
    hash: str


def append(connection: Connection, **row: Any) -> None:
    """Add a row to the end of the chain; the caller holds the store's write lock."""
    last = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    row["seq"] = last.seq + 1 if last else 1
    row["prev_hash"] = last.hash if last else FIRST
    connection.execute(insert(audit).values(**row, hash=_digest(row)))


def rows(connection: Connection, object_id: str | None = None) -> tuple[AuditRow, ...]:
    """The audit, or the part of it about one thing, in order."""
    query = select(audit).order_by(audit.c.seq)
    if object_id is not None:
        query = query.where(audit.c.object_id == object_id)
    return tuple(AuditRow(**row) for row in connection.execute(query).mappings())


def broken_at(connection: Connection) -> int | None:
    """The first row at which the chain does not hold; nothing when it holds throughout."""
    before = FIRST
    for place, row in enumerate(rows(connection), start=1):
        plain = msgspec.structs.asdict(row)
        stated = plain.pop("hash")
        if row.seq != place or row.prev_hash != before or stated != _digest(plain):
            return place
        before = stated
    return None


def _digest(row: dict[str, Any]) -> str:
    return hashlib.sha256(encode(row)).hexdigest()
