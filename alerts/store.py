"""The alerts store: what the flow raised and what people decided, on SQLite or PostgreSQL.

Writing is idempotent: the same alert at the same revision again changes nothing, a lower revision never overwrites
a higher one, and what people entered is kept in columns the flow does not touch. A store that is locked, down or
full says so (`StoreUnavailable`), has changed nothing, and is asked again later.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import StaticPool

from alerts import audit, cases, tables
from alerts.errors import AlertError, NotAllowed, StoreUnavailable, UnknownAlert
from alerts.handling import reviewed
from alerts.outcomes import OPEN, Decision, check_name, check_outcome, check_step
from alerts.record import Alert, from_json, to_json

BUSY_MS: Final = 5_000
"""How long SQLite waits for another writer before it says it is locked."""
LOCK: Final = 0x11AE_3A7C
"""The number of the advisory lock under which PostgreSQL takes one writer of the store at a time."""
SHORTEST_PREFIX: Final = 4
"""An alert may be named by the beginning of its id, from so many characters on."""
FLOW: Final = "flow"
"""The watermark of the flow's writes."""
ORDERS: Final = ("priority", "newest", "oldest")


class Written(msgspec.Struct, frozen=True):
    """What a write did: how many alerts were new, amended, or already there."""

    new: int = 0
    amended: int = 0
    repeated: int = 0


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to an alert: a revision, a decision, a look-up."""

    at: int
    kind: str
    """`revision`, or the operation of the audit."""
    by: str
    what: str
    why: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts there are, by what the queue is looked at."""

    total: int
    open: int
    children_open: int
    unplaced_open: int
    by_status: dict[str, int]
    by_campus: dict[str, int]
    by_detector: dict[str, int]
    by_band: dict[str, int]
    by_outcome: dict[str, int]
    deconflictions: int
    """Cases in which alerts of more than one campus meet."""


def now_us() -> int:
    """The clock on the wall, for what people do; the flow's times come with its alerts."""
    return time.time_ns() // 1_000


class AlertStore:
    """Alerts, decisions, cases and their audit in one database."""

    def __init__(self, url: str | Path, clock: Callable[[], int] = now_us) -> None:
        """Open the store at a URL (`sqlite:///alerts.db`, `postgresql://…`) or at the path of an SQLite file."""
        self._clock = clock
        self._engine = _engine(str(url))

    @property
    def url(self) -> str:
        """Where it is, with any password left out."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Make the tables, or bring them up to this version."""
        from alembic import command  # slow to load: only who makes tables waits for it
        from alembic.config import Config

        with self._writing() as connection, as_file(files("alerts") / "migrations") as steps:
            config = Config()
            config.set_main_option("script_location", str(steps).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    # --- the flow's side ------------------------------------------------------------------------------------------

    def write(self, alerts: Iterable[Alert], tick: int, bodies: Sequence[bytes] | None = None) -> Written:
        """Write what a tick gave, all or nothing; writing it again changes nothing.

        `bodies` are the alerts as JSON, where somebody has them already.
        """
        alerts = tuple(alerts)
        batch = _Batch(alerts, tick, bodies or [to_json(alert) for alert in alerts])
        with self._writing() as connection:
            written = batch.write(connection)
            self._mark(connection, tick)
        return written

    def watermark(self) -> int:
        """The latest tick whose alerts are in; -1 when none is."""
        query = sa.select(tables.watermark.c.tick).where(tables.watermark.c.name == FLOW)
        with self._reading() as connection:
            tick = connection.execute(query).scalar()
        return -1 if tick is None else int(tick)

    def decisions(self, after: int = 0, limit: int | None = None) -> tuple[Decision, ...]:
        """What people decided, in order, after a decision's number: the flow takes them in as control rows."""
        query = sa.select(tables.outcomes).where(tables.outcomes.c.number > after)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(tables.outcomes.c.number).limit(limit)).mappings()
            return tuple(Decision(**row) for row in rows)

    # --- people's side --------------------------------------------------------------------------------------------

    def alerts(
        self,
        campus: str | None = None,
        status: str | None = None,
        detector: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        order: str = "priority",
        copied: bool = False,
    ) -> tuple[Alert, ...]:
        """The queue. `status` may also be `open`; `copied` adds what a campus has a copy of; `since` is raised_ts."""
        query = sa.select(tables.alerts)
        if campus is not None:
            query = query.where(_for_campus(campus, copied))
        if status == "open":
            query = query.where(tables.alerts.c.status.in_(OPEN))
        elif status is not None:
            query = query.where(tables.alerts.c.status == status)
        if detector is not None:
            query = query.where(tables.alerts.c.detector == detector)
        if since is not None:
            query = query.where(tables.alerts.c.raised_ts >= since)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(*_ordering(order)).limit(limit)).mappings().all()
            return _whole(connection, rows)

    def alert(self, alert_id: str, by: str | None = None, why: str = "review") -> Alert:
        """One alert by its id or an unambiguous beginning of it; a person's look-up (`by`) is audited.

        Raises:
            UnknownAlert: none has that id, or several begin so.
        """
        if by is None:
            with self._reading() as connection:
                return self._find(connection, alert_id)
        actor = check_name(by)
        with self._writing() as connection:
            found = self._find(connection, alert_id)
            self._audit(connection, actor, "CONSULT", found.alert_id, found.status, found.status, why)
            return found

    def decide(
        self,
        alert_id: str,
        outcome: str,
        by: str,
        reason: str,
        role: str | None = None,
        note: str | None = None,
    ) -> Decision:
        """Record a person's outcome: the alert is closed, and the audit says who, when, from what and why.

        Raises:
            NotAllowed: nobody is named, or the outcome, its reason or the role is not one there is.
            UnknownAlert: there is no such alert.
        """
        check_outcome(outcome, reason, role, note or "")
        return self._step(alert_id, "closed", by, reason, outcome=outcome, role=role, note=note)

    def step(
        self,
        alert_id: str,
        status: str,
        by: str,
        reason: str,
        until: int | None = None,
        note: str | None = None,
    ) -> Decision:
        """Record a step of the life-cycle that is no outcome: taken into review, waiting, snoozed, opened again.

        Raises:
            NotAllowed: nobody is named, no reason is given, or the life-cycle has no such step.
        """
        if status == "closed":
            raise NotAllowed("an alert is closed by an outcome: decide confirmed, innocent or unclear")
        if not reason.strip():
            raise NotAllowed("say why (--reason): every step is audited with its reason")
        if status == "snoozed" and until is None:
            raise NotAllowed("a snooze needs an end")
        return self._step(alert_id, status, by, reason, until=until, note=note)

    def history(self, alert_id: str) -> tuple[HistoryEntry, ...]:
        """What happened to an alert, oldest first."""
        with self._reading() as connection:
            found = self._find(connection, alert_id)
            query = sa.select(tables.revisions).where(tables.revisions.c.alert_id == found.alert_id)
            entries = [
                HistoryEntry(
                    at=row.revision_ts, kind="revision", by="", what=f"revision {row.revision}", why=row.why
                )
                for row in connection.execute(query.order_by(tables.revisions.c.revision))
            ]
            entries += [
                HistoryEntry(
                    at=row.at,
                    kind=row.op,
                    by=row.actor,
                    what=f"{row.from_state} -> {row.to_state}",
                    why=row.why,
                )
                for row in audit.rows(connection, found.alert_id)
            ]
        return tuple(sorted(entries, key=lambda entry: entry.at))

    def revision(self, alert_id: str, revision: int) -> Alert:
        """An alert as it stood at one of its revisions, as the flow wrote it.

        Raises:
            UnknownAlert: there is no such alert or revision.
        """
        with self._reading() as connection:
            found = self._find(connection, alert_id)
            query = sa.select(tables.revisions.c.body).where(
                tables.revisions.c.alert_id == found.alert_id, tables.revisions.c.revision == revision
            )
            body = connection.execute(query).scalar()
        if body is None:
            raise UnknownAlert(
                f"alert {found.alert_id} has no revision {revision}; it stands at {found.revision}"
            )
        return from_json(body)

    def case(self, case_key: str) -> tuple[Alert, ...]:
        """The alerts that are in a case now, oldest first."""
        with self._reading() as connection:
            return _members(connection, case_key)

    def whole_case(self, case_key: str, by: str | None = None, why: str = "review") -> cases.Case:
        """A case as it stands, by its key, one merged into it, or the beginning of one; a person's look is audited.

        Raises:
            UnknownAlert: no case has that key, or several begin so.
        """
        if by is None:
            with self._reading() as connection:
                return _case(connection, case_key)
        actor = check_name(by)
        with self._writing() as connection:
            found = _case(connection, case_key)
            self._audit(connection, actor, "CONSULT", found.case_key, "", "", why, "case")
            return found

    def cases(self, campus: str | None = None, limit: int | None = None) -> tuple[cases.Case, ...]:
        """Cases with open alerts, the most urgent first; a campus's own are those in which it owns an alert."""
        members, alerts = tables.members, tables.alerts
        joined = members.join(alerts, alerts.c.alert_id == members.c.alert_id)
        urgent = sa.func.max(alerts.c.priority_order)
        query = sa.select(members.c.case_key).select_from(joined)
        query = query.where(members.c.to_ts.is_(None), alerts.c.status.in_(OPEN))
        if campus is not None:
            query = query.where(alerts.c.campus == campus)
        query = query.group_by(members.c.case_key).order_by(urgent.desc(), members.c.case_key).limit(limit)
        with self._reading() as connection:
            keys = list(connection.execute(query).scalars())
            return tuple(_case(connection, key) for key in keys)

    def merge_cases(self, keys: Sequence[str], by: str, why: str) -> str:
        """Make several cases one, at a person's word; the oldest key stays.

        Raises:
            NotAllowed: nobody is named or no reason is given.
            UnknownAlert: one of the cases is not there.
        """
        actor = check_name(by)
        if not why.strip():
            raise NotAllowed("say why the cases are one: a merger is audited with its reason")
        with self._writing() as connection:
            known = set(
                connection.execute(
                    sa.select(tables.cases.c.case_key).where(
                        tables.cases.c.case_key.in_(keys), tables.cases.c.merged_into.is_(None)
                    )
                ).scalars()
            )
            if missing := sorted(set(keys) - known):
                raise UnknownAlert(f"no open case {', '.join(missing)}")
            kept = cases.merge(connection, keys, self._clock(), dict.fromkeys(keys, why))
            self._audit(connection, actor, "COMBINE", kept, " ".join(sorted(keys)), kept, why, "case")
            return kept

    def counts(self) -> Counts:
        """How many alerts there are, by status, campus, detector, band and outcome."""
        c = tables.alerts.c
        still_open = c.status.in_(OPEN)
        with self._reading() as connection:
            by_status = _tally(connection, c.status)
            return Counts(
                total=sum(by_status.values()),
                open=sum(by_status.get(status, 0) for status in OPEN),
                children_open=_count(connection, still_open & c.child_first),
                unplaced_open=_count(connection, still_open & c.unplaced),
                by_status=by_status,
                by_campus=_tally(connection, c.campus),
                by_detector=_tally(connection, c.detector),
                by_band=_tally(connection, c.band),
                by_outcome=_tally(connection, c.outcome),
                deconflictions=_deconflictions(connection),
            )

    def consult(self, objects: Iterable[tuple[str, str]], by: str, why: str) -> None:
        """Write down that a person looks things up (each a kind and an id), before they are shown.

        Raises:
            NotAllowed: nobody is named, or no reason is given.
        """
        actor = check_name(by)
        if not why.strip():
            raise NotAllowed("say why (--reason): every look-up is audited with its reason")
        with self._writing() as connection:
            for kind, name in objects:
                self._audit(connection, actor, "CONSULT", name, "", "", why.strip(), kind)

    def reviewed(self, name: str, answer: str, by: str, why: str) -> int:
        """Write down what a person found of a row that was put up for review; gives when.

        Raises:
            NotAllowed: nobody is named.
        """
        actor = check_name(by)
        at = self._clock()
        with self._writing() as connection:
            self._audit(connection, actor, "REVIEW", name, "", answer, why, "review")
        return at

    def audit_trail(self, object_id: str | None = None) -> tuple[audit.AuditRow, ...]:
        """The audit, or the part of it about one alert or case."""
        with self._reading() as connection:
            return audit.rows(connection, object_id)

    def audit_broken_at(self) -> int | None:
        """The first row at which the audit's chain of hashes does not hold; nothing when it holds."""
        with self._reading() as connection:
            return audit.broken_at(connection)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _mark(self, connection: sa.Connection, tick: int) -> None:
        """Move the watermark on; never back."""
        _insert_missing(connection, tables.watermark, [{"name": FLOW, "tick": tick}])
        here = (tables.watermark.c.name == FLOW) & (tables.watermark.c.tick < tick)
        connection.execute(sa.update(tables.watermark).where(here).values(tick=tick))

    def _step(
        self,
        alert_id: str,
        status: str,
        by: str,
        reason: str,
        outcome: str | None = None,
        role: str | None = None,
        note: str | None = None,
        until: int | None = None,
    ) -> Decision:
        actor = check_name(by)
        with self._writing() as connection:
            found = self._find(connection, alert_id)
            check_step(found.status, status)
            at = self._clock()
            row: dict[str, Any] = {
                "alert_id": found.alert_id,
                "revision": found.revision,
                "status_from": found.status,
                "status": status,
                "outcome": outcome,
                "reason": reason,
                "role": role,
                "by": actor,
                "at": at,
                "note": note or "",
                "until": until,
            }
            number = connection.execute(sa.insert(tables.outcomes).values(**row)).inserted_primary_key
            same = tables.alerts.c.alert_id == found.alert_id
            said = {"status": status, "outcome": outcome, "role": role, "decided_by": actor, "decided_at": at}
            connection.execute(sa.update(tables.alerts).where(same).values(**said, until=until))
            before = _state(found.status, found.outcome, found.role)
            after = _state(status, outcome, role)
            why = f"{reason}: {note}" if note else reason
            self._audit(connection, actor, "REVIEW", found.alert_id, before, after, why)
            return Decision(number=int(cast(Sequence[int], number)[0]), **row)

    def _find(self, connection: sa.Connection, alert_id: str) -> Alert:
        wanted = alert_id.strip().lower()
        table = tables.alerts
        exact = connection.execute(sa.select(table).where(table.c.alert_id == wanted)).mappings().all()
        if exact:
            return _whole(connection, exact)[0]
        if len(wanted) < SHORTEST_PREFIX:
            raise UnknownAlert(
                f"{alert_id!r} is too short: give at least {SHORTEST_PREFIX} characters of the id"
            )
        begins = table.c.alert_id.startswith(wanted, autoescape=True)
        rows = connection.execute(sa.select(table).where(begins).limit(3)).mappings().all()
        if not rows:
            raise UnknownAlert(f"no alert has the id {alert_id!r}; `linewatch alerts` lists them")
        if len(rows) > 1:
            raise UnknownAlert(f"several alerts begin with {alert_id!r}: give more of the id")
        return _whole(connection, rows)[0]

    def _audit(
        self,
        connection: sa.Connection,
        actor: str,
        op: str,
        object_id: str,
        from_state: str,
        to_state: str,
        why: str,
        object_type: str = "alert",
    ) -> None:
        audit.append(
            connection,
            at=self._clock(),
            actor=actor,
            op=op,
            object_type=object_type,
            object_id=object_id,
            from_state=from_state,
            to_state=to_state,
            why=why,
        )

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """One transaction that writes: one at a time, all of it or nothing."""
        with _said_plainly(self.url), self._engine.connect() as connection:
            connection = connection.execution_options(linewatch_writes=True)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """One transaction that reads, so that what it reads belongs together."""
        with _said_plainly(self.url), self._engine.connect() as connection, connection.begin():
            yield connection


def _engine(url: str) -> sa.Engine:
    if "://" not in url:
        url = f"sqlite:///{url}"
    url = url.replace("postgresql://", "postgresql+psycopg://", 1).replace(
        "postgres://", "postgresql+psycopg://", 1
    )
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return sa.create_engine(parsed, pool_pre_ping=True)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise AlertError(
            f"the store cannot be opened ({error}); give sqlite:///FILE or postgresql://USER@HOST/NAME"
            " (PostgreSQL needs the `postgres` extra)"
        ) from error
    memory = parsed.database in (None, "", ":memory:")
    pool: dict[str, Any] = {"poolclass": StaticPool} if memory else {}
    arguments = {"timeout": BUSY_MS / 1_000, "check_same_thread": False}
    engine = sa.create_engine(parsed, connect_args=arguments, **pool)
    sa.event.listen(engine, "do_connect", _make_folder)
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _make_folder(_dialect: Any, _record: Any, args: Sequence[Any], _kwargs: Any) -> None:
    path = str(args[0]) if args else ""
    if path and path != ":memory:" and not path.startswith("file:"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)


def _on_connect(raw: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions itself: `_on_begin` does, so that a write holds its lock from the start.
    raw.isolation_level = None
    for pragma in ("journal_mode=WAL", f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "synchronous=FULL"):
        raw.execute(f"PRAGMA {pragma}")


def _on_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("linewatch_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _said_plainly(url: str) -> Iterator[None]:
    """Turn the database's errors into the room's: what can pass and what cannot."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error)
        if "no such table" in reason or "no such column" in reason:
            raise AlertError(
                f"the store at {url} has not the tables of this version: migrate it first"
            ) from error
        raise StoreUnavailable(
            f"the store at {url} is not available: {reason}; nothing was changed"
        ) from error
    except sa.exc.ProgrammingError as error:
        raise AlertError(f"the store at {url} has not the tables of this version ({error.orig})") from error
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(f"the store at {url} went away; nothing was changed") from error
        raise AlertError(f"the store at {url} refused: {error.orig}") from error


class _Batch:
    """The alerts of one tick on their way in: what is there is asked once, what is missing goes in together."""

    def __init__(self, alerts: tuple[Alert, ...], tick: int, bodies: Sequence[bytes]) -> None:
        self._alerts = alerts
        self._tick = tick
        self._bodies = bodies

    def write(self, connection: sa.Connection) -> Written:
        """Write them; says how many were new, amended and repeated."""
        stands = _standing(connection, {alert.alert_id for alert in self._alerts})
        revision = dict(stands)
        known = _subjects_of(connection, set(stands))
        done = {"new": 0, "amended": 0, "repeated": 0}
        highest: dict[str, dict[str, Any]] = {}
        history: list[dict[str, Any]] = []
        told: list[dict[str, Any]] = []
        fresh: list[tuple[Alert, list[dict[str, Any]]]] = []
        for alert, encoded in zip(self._alerts, self._bodies, strict=True):
            body = encoded.decode()
            history.append(_revision_row(alert, self._tick, body))
            before = revision.get(alert.alert_id)
            if before is not None and alert.revision <= before:
                done["repeated"] += 1
                continue
            done["new" if before is None else "amended"] += 1
            revision[alert.alert_id] = alert.revision
            highest[alert.alert_id] = _columns(alert, self._tick, body) | {
                "status": alert.status,
                "outcome": alert.outcome,
                "role": alert.role,
            }
            told += _told(alert)
            met = [row for row in _subject_rows(alert) if (*row.values(),) not in known]
            known.update((*row.values(),) for row in met)
            if met:
                fresh.append((alert, met))
        self._put(connection, stands, highest)
        _insert_missing(connection, tables.revisions, history)
        _insert_missing(connection, tables.copies, told)
        if fresh:  # only someone not met before can tie an alert to another case
            placing = cases.Placing(connection, [alert for alert, _ in fresh])
            _insert_missing(connection, tables.subjects, [row for _, met in fresh for row in met])
            for alert, met in fresh:
                placing.place(alert, [(row["kind"], row["token"]) for row in met])
            placing.write()
        return Written(**done)

    def _put(
        self, connection: sa.Connection, stands: dict[str, int], rows: dict[str, dict[str, Any]]
    ) -> None:
        """The alerts themselves: new ones go in, of the others only what the flow says is replaced."""
        new = [_storable(row) for alert_id, row in rows.items() if alert_id not in stands]
        if new:
            connection.execute(sa.insert(tables.alerts), new)
        amended = [
            {f"new_{name}": value for name, value in _storable(row).items() if name not in PEOPLES}
            for alert_id, row in rows.items()
            if alert_id in stands
        ]
        if amended:
            said: dict[str, Any] = {
                name[4:]: sa.bindparam(name) for name in amended[0] if name != "new_alert_id"
            }
            same = tables.alerts.c.alert_id == sa.bindparam("new_alert_id")
            connection.execute(sa.update(tables.alerts).where(same).values(said), amended)


PEOPLES: Final = ("status", "outcome", "role")
"""Columns that are people's: the flow fills them when an alert is new, and never again."""


def _standing(connection: sa.Connection, ids: set[str]) -> dict[str, int]:
    """The revisions at which alerts stand, of those that are there."""
    c = tables.alerts.c
    found: dict[str, int] = {}
    for some in cases.in_chunks(ids):
        for row in connection.execute(sa.select(c.alert_id, c.revision).where(c.alert_id.in_(some))):
            found[row.alert_id] = row.revision
    return found


def _subjects_of(connection: sa.Connection, ids: set[str]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for some in cases.in_chunks(ids):
        query = sa.select(tables.subjects).where(tables.subjects.c.alert_id.in_(some))
        found.update((row.alert_id, row.kind, row.token) for row in connection.execute(query))
    return found


def _insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows that are not there."""
    if rows:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(table).on_conflict_do_nothing(), [_storable(row) for row in rows])


def _revision_row(alert: Alert, tick: int, body: str) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "revision": alert.revision,
        "tick": tick,
        "revision_ts": alert.revision_ts,
        "why": ", ".join(alert.revision_why),
        "body": body,
    }


def _subject_rows(alert: Alert) -> list[dict[str, Any]]:
    return [
        {"alert_id": alert.alert_id, "kind": subject.kind, "token": subject.token}
        for subject in alert.subjects
    ]


def _columns(alert: Alert, tick: int, body: str) -> dict[str, Any]:
    """What the flow says of an alert, as columns."""
    return {
        "alert_id": alert.alert_id,
        "revision": alert.revision,
        "tick": tick,
        "detector": alert.detector,
        "model_version": alert.model_version,
        "threat": alert.threat,
        "typology": alert.typology,
        "band": alert.band,
        "score": alert.score,
        "priority_order": alert.priority.order,
        "priority_level": alert.priority.level,
        "child_first": alert.priority.child_first,
        "campus": alert.owner.org_id,
        "provisional": alert.owner.provisional,
        "unplaced": alert.owner.unplaced,
        "safeguarding": alert.safeguarding.needed,
        "data_class": alert.data_class,
        "subject_kind": alert.subject.kind,
        "subject_token": alert.subject.token,
        "first_event_ts": alert.first_event_ts,
        "last_event_ts": alert.last_event_ts,
        "raised_ts": alert.raised_ts,
        "ended_ts": alert.ended_ts,
        "body": body,
    }


def _storable(values: dict[str, Any]) -> dict[str, Any]:
    """Values as every database takes them: PostgreSQL has no text with a NUL in it."""
    return {
        name: value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for name, value in values.items()
    }


def _told(alert: Alert) -> list[dict[str, Any]]:
    """Everyone an alert goes to beside its owner, with what for and why."""
    told = [("copy", copy.org_id, copy.why) for copy in alert.copies]
    told += [("safeguarding", copy.org_id, copy.why) for copy in alert.safeguarding.copies]
    told += [("referral", referral.org_id, referral.why) for referral in alert.referrals_out]
    if alert.escalation is not None:
        told.append(("escalation", alert.escalation.org_id, alert.escalation.why))
    if alert.victim_care is not None:
        told.append(("victim_care", alert.victim_care.org_id, alert.victim_care.why))
    return [
        {
            "alert_id": alert.alert_id,
            "org_id": org_id,
            "kind": kind,
            "why": why,
            "since_ts": alert.revision_ts,
        }
        for kind, org_id, why in told
    ]


def _whole(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> tuple[Alert, ...]:
    """Alerts as the flow wrote them, with what people said and the case they are in now."""
    members = tables.members
    keys: dict[str, str] = {}
    for ids in cases.in_chunks(row["alert_id"] for row in rows):
        now = members.c.alert_id.in_(ids) & members.c.to_ts.is_(None)
        for row in connection.execute(sa.select(members.c.alert_id, members.c.case_key).where(now)):
            keys[row.alert_id] = row.case_key
    return tuple(_with_people(row, keys[row["alert_id"]]) for row in rows)


def _members(connection: sa.Connection, case_key: str) -> tuple[Alert, ...]:
    """The alerts that are in a case now, oldest first."""
    members = tables.members
    inside = sa.select(members.c.alert_id).where(members.c.case_key == case_key, members.c.to_ts.is_(None))
    query = sa.select(tables.alerts).where(tables.alerts.c.alert_id.in_(inside))
    rows = connection.execute(query.order_by(*_ordering("oldest"))).mappings().all()
    return _whole(connection, rows)


def _case(connection: sa.Connection, named: str) -> cases.Case:
    """A case by its key or enough of it, where its mergers lead."""
    key = cases.current(connection, named)
    if key is None:
        c = tables.cases.c
        query = sa.select(c.case_key).where(c.case_key.startswith(named, autoescape=True)).limit(2)
        like = list(connection.execute(query).scalars()) if len(named) > SHORTEST_PREFIX else []
        if len(like) > 1:
            raise UnknownAlert(f"more than one case begins with {named}: give more of its key")
        key = cases.current(connection, like[0]) if like else None
    if key is None:
        raise UnknownAlert(f"no case {named}: `linewatch cases` lists those with open alerts")
    opened = connection.execute(
        sa.select(tables.cases.c.opened_ts).where(tables.cases.c.case_key == key)
    ).scalar_one()
    return cases.case_from(key, opened, _members(connection, key), cases.merged_into(connection, key))


def _with_people(row: sa.RowMapping, case_key: str) -> Alert:
    alert = msgspec.structs.replace(
        from_json(row["body"]),
        status=row["status"],
        outcome=row["outcome"],
        role=row["role"],
        case_key=case_key,
    )
    return msgspec.structs.replace(alert, handling=reviewed(alert))


def _for_campus(campus: str, copied: bool) -> sa.ColumnElement[bool]:
    owned = tables.alerts.c.campus == campus
    if not copied:
        return owned
    copies = tables.copies
    return owned | tables.alerts.c.alert_id.in_(sa.select(copies.c.alert_id).where(copies.c.org_id == campus))


def _ordering(order: str) -> tuple[sa.ColumnElement[Any], ...]:
    c = tables.alerts.c
    orderings: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
        "priority": (c.priority_order.desc(), c.raised_ts.asc(), c.alert_id.asc()),
        "newest": (c.raised_ts.desc(), c.alert_id.asc()),
        "oldest": (c.raised_ts.asc(), c.alert_id.asc()),
    }
    if order not in orderings:
        raise AlertError(f"{order!r} is not an order; orders are {', '.join(ORDERS)}")
    return orderings[order]


def _state(status: str, outcome: str | None, role: str | None) -> str:
    return "/".join(word for word in (status, outcome, role) if word)


def _tally(connection: sa.Connection, column: sa.ColumnElement[Any]) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(column.is_not(None)).group_by(column).order_by(column)
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def _count(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    return int(
        connection.execute(sa.select(sa.func.count()).select_from(tables.alerts).where(which)).scalar_one()
    )


def _deconflictions(connection: sa.Connection) -> int:
    members = tables.members
    joined = members.join(tables.alerts, tables.alerts.c.alert_id == members.c.alert_id)
    shared = (
        sa.select(members.c.case_key)
        .select_from(joined)
        .where(members.c.to_ts.is_(None))
        .group_by(members.c.case_key)
        .having(sa.func.count(sa.distinct(tables.alerts.c.campus)) > 1)
    )
    return int(connection.execute(sa.select(sa.func.count()).select_from(shared.subquery())).scalar_one())
