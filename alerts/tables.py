"""The tables of the alerts store. What the flow says and what people say are kept in columns of their own."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")

alerts: Final = Table(
    "alerts",
    metadata,
    Column("alert_id", Text, primary_key=True),
    # what the flow says: replaced by a higher revision
    Column("revision", Integer, nullable=False),
    Column("tick", BigInteger, nullable=False),
    Column("detector", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("threat", Text, nullable=False),
    Column("typology", Text, nullable=False),
    Column("band", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("priority_order", Float, nullable=False),
    Column("priority_level", Text, nullable=False),
    Column("child_first", Boolean, nullable=False),
    Column("campus", Text, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("unplaced", Boolean, nullable=False),
    Column("safeguarding", Boolean, nullable=False),
    Column("data_class", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_token", Text, nullable=False),
    Column("first_event_ts", BigInteger, nullable=False),
    Column("last_event_ts", BigInteger, nullable=False),
    Column("raised_ts", BigInteger, nullable=False),
    Column("ended_ts", BigInteger),
    Column("body", Text, nullable=False),
    # what people say: never touched by the flow
    Column("status", Text, nullable=False),
    Column("outcome", Text),
    Column("role", Text),
    Column("decided_by", Text),
    Column("decided_at", BigInteger),
    Column("until", BigInteger),
    Index(None, "campus", "status", "priority_order"),
    Index(None, "status", "priority_order"),
    Index(None, "detector", "raised_ts"),
    Index(None, "raised_ts"),
    Index(None, "subject_kind", "subject_token"),
)

revisions: Final = Table(
    "alert_revisions",
    metadata,
    Column("alert_id", Text, ForeignKey("alerts.alert_id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("tick", BigInteger, nullable=False),
    Column("revision_ts", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("body", Text, nullable=False),
)

subjects: Final = Table(
    "alert_subjects",
    metadata,
    Column("alert_id", Text, ForeignKey("alerts.alert_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Index(None, "kind", "token"),
)

copies: Final = Table(
    "copies",
    metadata,
    Column("alert_id", Text, ForeignKey("alerts.alert_id"), primary_key=True),
    Column("org_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("since_ts", BigInteger, nullable=False),
    Index(None, "org_id"),
)

outcomes: Final = Table(
    "outcomes",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("alert_id", Text, ForeignKey("alerts.alert_id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status_from", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("outcome", Text),
    Column("reason", Text, nullable=False),
    Column("role", Text),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("until", BigInteger),
    Index(None, "alert_id"),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("from_state", Text, nullable=False),
    Column("to_state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "object_id"),
)

cases: Final = Table(
    "cases",
    metadata,
    Column("case_key", Text, primary_key=True),
    Column("opened_ts", BigInteger, nullable=False),
    Column("merged_into", Text, ForeignKey("cases.case_key")),
    Column("merged_ts", BigInteger),
)

members: Final = Table(
    "case_members",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("case_key", Text, ForeignKey("cases.case_key"), nullable=False),
    Column("alert_id", Text, ForeignKey("alerts.alert_id"), nullable=False),
    Column("from_ts", BigInteger, nullable=False),
    Column("to_ts", BigInteger),
    Column("why", Text, nullable=False),
    Index(None, "alert_id", "to_ts"),
    Index(None, "case_key", "to_ts"),
)

watermark: Final = Table(
    "watermark",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tick", BigInteger, nullable=False),
)
