"""The store: writes that may be repeated, what people entered kept, an audit that shows tampering, faults said plainly.

Runs on SQLite and on a PostgreSQL that the run of tests starts for itself.
"""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from alerts import store as store_module
from alerts import tables
from alerts.episodes import Episodes
from alerts.errors import AlertError, NotAllowed, StoreUnavailable, UnknownAlert
from alerts.outcomes import Decision
from alerts.record import Alert, Subject, from_json, to_json
from alerts.store import AlertStore

ANALYST = "DC Patel"
NOW = 1_767_300_000_000_000


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables in it."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    store = AlertStore(path)
    store.migrate()
    store.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: Any, tmp_path: Path, migrated: Path) -> str:
    """A database with nothing in it (of SQLite a copy, which is quicker than to make one)."""
    if request.param == "sqlite":
        shutil.copy(migrated, tmp_path / "alerts.db")
        return f"sqlite:///{tmp_path / 'alerts.db'}"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def store(url: str) -> Iterator[AlertStore]:
    """A store with its tables, whose clock goes on a second a look."""
    ticks = iter(range(NOW, NOW + 10**12, 10**6))
    opened = AlertStore(url, clock=lambda: next(ticks))
    if not url.startswith("sqlite"):
        opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def raised(fire: Any) -> list[Alert]:
    """Five alerts of five accounts, some amended."""
    episodes = Episodes()
    firings = [fire(n, who=n % 5, home_force=n % 5 + 1, score=0.5 + n % 5 / 12) for n in range(1, 16)]
    return [alert for firing in firings if (alert := episodes.fire(firing)) is not None]


def contents(store: AlertStore) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store._engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for name, table in tables.metadata.tables.items()
        }


def test_writing_again_changes_nothing(store: AlertStore, raised: list[Alert]) -> None:
    first = store.write(raised, 3)
    assert (first.new, first.amended, first.repeated) == (5, len(raised) - 5, 0)
    before = contents(store)
    again = store.write(raised, 3)
    assert (again.new, again.amended, again.repeated) == (0, 0, len(raised))
    assert contents(store) == before


def test_the_order_in_which_revisions_come_does_not_matter(store: AlertStore, raised: list[Alert]) -> None:
    store.write(reversed(raised), 3)
    for alert in raised:
        latest = max((a for a in raised if a.alert_id == alert.alert_id), key=lambda a: a.revision)
        assert store.alert(alert.alert_id).revision == latest.revision
        assert to_json(store.revision(alert.alert_id, alert.revision)) == to_json(alert)


def test_writing_one_by_one_or_together_gives_the_same_rows(
    store: AlertStore, tmp_path: Path, fire: Any
) -> None:
    episodes = Episodes()
    firings = [
        fire(n, who=n % 7, related=(fire(who=n % 3).subject,) if n > 20 else (), minor=n == 30)
        for n in range(1, 60)
    ]
    raised = [alert for firing in firings if (alert := episodes.fire(firing)) is not None]
    store.write(raised, 1)
    other = AlertStore(tmp_path / "other.db")
    other.migrate()
    for alert in raised:
        other.write([alert], 1)
    assert contents(other) == contents(store)
    assert len({alert.case_key for alert in store.alerts()}) < 7
    other.close()


def test_an_alert_comes_back_as_it_was_written(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    for alert in {alert.alert_id: alert for alert in raised}.values():
        assert store.alert(alert.alert_id) == alert


def test_the_watermark_never_goes_back(store: AlertStore) -> None:
    assert store.watermark() == -1
    for tick, stands in ((4, 4), (2, 4), (9, 9), (9, 9)):
        store.write([], tick)
        assert store.watermark() == stands


def test_what_people_entered_is_never_overwritten(store: AlertStore, fire: Any) -> None:
    episodes = Episodes()
    first = episodes.fire(fire(1))
    assert first is not None
    store.write([first], 1)
    store.decide(first.alert_id, "confirmed", ANALYST, "account_restricted", role="deceived")
    second = episodes.fire(fire(2, score=0.99))
    assert second is not None
    store.write([second], 2)
    stands = store.alert(first.alert_id)
    assert (stands.revision, stands.band) == (2, "critical")
    assert (stands.status, stands.outcome, stands.role) == ("closed", "confirmed", "deceived")


def test_a_decision_is_recorded_and_audited(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    alert = raised[0]
    store.step(alert.alert_id, "in_review", ANALYST, "taken")
    decision = store.decide(alert.alert_id[:10], "innocent", ANALYST, "other", note="pays for a club")
    assert (decision.status_from, decision.status, decision.outcome) == ("in_review", "closed", "innocent")
    assert decision.by == ANALYST
    assert [(d.number, d.status) for d in store.decisions()] == [(1, "in_review"), (2, "closed")]
    assert store.decisions(after=1) == (decision,)
    trail = store.audit_trail(alert.alert_id)
    assert [(row.actor, row.op, row.from_state, row.to_state) for row in trail] == [
        (ANALYST, "REVIEW", "new", "in_review"),
        (ANALYST, "REVIEW", "in_review", "closed/innocent"),
    ]
    assert trail[1].why == "other: pays for a club"
    history = store.history(alert.alert_id)
    assert [entry.kind for entry in history][-2:] == ["REVIEW", "REVIEW"]
    assert history[0].kind == "revision"


def test_a_look_up_by_a_person_is_audited(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    store.alert(raised[0].alert_id)
    assert store.audit_trail() == ()
    store.alert(raised[0].alert_id, by=ANALYST, why="morning queue")
    (row,) = store.audit_trail()
    assert (row.op, row.actor, row.object_id, row.why) == (
        "CONSULT",
        ANALYST,
        raised[0].alert_id,
        "morning queue",
    )
    with pytest.raises(NotAllowed):
        store.alert(raised[0].alert_id, by="system")


def test_what_is_not_allowed_leaves_no_trace(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    before = contents(store)
    wrong: list[tuple[Any, ...]] = [
        ("innocent", "nobody", "own_accounts"),
        ("innocent", ANALYST, "no such reason"),
        ("innocent", ANALYST, "other"),
        ("guilty", ANALYST, "other"),
        ("innocent", ANALYST, "own_accounts", "villain"),
    ]
    for said in wrong:
        with pytest.raises(NotAllowed):
            store.decide(raised[0].alert_id, *said)
    for status, reason in (("closed", "done"), ("in_review", " "), ("snoozed", "no end given")):
        with pytest.raises(NotAllowed):
            store.step(raised[0].alert_id, status, ANALYST, reason)
    with pytest.raises(UnknownAlert, match="no alert has the id"):
        store.decide("f" * 32, "innocent", ANALYST, "own_accounts")
    with pytest.raises(UnknownAlert, match="too short"):
        store.alert("1a")
    assert contents(store) == before


def test_an_ambiguous_beginning_is_refused(store: AlertStore, raised: list[Alert]) -> None:
    one = raised[0]
    twins = [
        msgspec.structs.replace(one, alert_id="abcd" + "0" * 28),
        msgspec.structs.replace(one, alert_id="abcd" + "1" * 28),
    ]
    store.write(twins, 1)
    with pytest.raises(UnknownAlert, match="several"):
        store.alert("abcd")
    assert store.alert("ABCD0").alert_id == twins[0].alert_id
    with pytest.raises(UnknownAlert):
        store.alert("%%%%")


def test_the_queue_is_ordered_and_filtered(store: AlertStore, raised: list[Alert], fire: Any) -> None:
    child = Episodes().fire(fire(99, who=99, minor=True, score=0.41, home_force=32))
    assert child is not None
    store.write([*raised, child], 1)
    queue = store.alerts()
    assert queue[0].alert_id == child.alert_id
    assert [a.priority.order for a in queue] == sorted((a.priority.order for a in queue), reverse=True)
    assert len(store.alerts(limit=2)) == 2
    assert [a.alert_id for a in store.alerts(campus="rcc-eastern")] == [child.alert_id]
    assert {a.owner.org_id for a in store.alerts(campus="rcc-north-west")} == {"rcc-north-west"}
    assert store.alerts(detector="deal_line") == ()
    assert [a.alert_id for a in store.alerts(since=child.raised_ts)] == [child.alert_id]
    assert store.alerts(order="newest")[0].alert_id == child.alert_id
    assert store.alerts(order="oldest")[-1].alert_id == child.alert_id
    assert store.alerts(campus="colp-fraud") == ()
    assert len(store.alerts(campus="colp-fraud", copied=True)) == 6
    assert [a.alert_id for a in store.alerts(campus="force-kent", copied=True)] == [child.alert_id]
    store.decide(child.alert_id, "confirmed", ANALYST, "person_safeguarded", role="victim")
    assert child.alert_id not in {a.alert_id for a in store.alerts(status="open")}
    assert [a.alert_id for a in store.alerts(status="closed")] == [child.alert_id]
    with pytest.raises(AlertError, match="not an order"):
        store.alerts(order="random")


def test_counts_add_up(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    store.decide(raised[0].alert_id, "unclear", ANALYST, "not_pursued")
    counts = store.counts()
    assert counts.total == 5
    assert counts.open == 4
    assert counts.by_status == {"closed": 1, "new": 4}
    assert counts.by_outcome == {"unclear": 1}
    for tally in (counts.by_campus, counts.by_detector, counts.by_band):
        assert sum(tally.values()) == 5


# --- cases --------------------------------------------------------------------------------------------------------


def test_alerts_that_share_someone_are_one_case_with_the_older_key(store: AlertStore, fire: Any) -> None:
    one, two = Episodes().fire(fire(1, who=1, home_force=4)), Episodes().fire(fire(2, who=2, home_force=32))
    bridge = Episodes().fire(fire(3, who=3, related=(fire(who=1).subject, fire(who=2).subject)))
    assert one is not None
    assert two is not None
    assert bridge is not None
    store.write([one, two], 1)
    assert store.alert(one.alert_id).case_key != store.alert(two.alert_id).case_key
    assert store.counts().deconflictions == 0
    store.write([bridge], 2)
    assert {store.alert(a.alert_id).case_key for a in (one, two, bridge)} == {one.case_key}
    assert [a.alert_id for a in store.case(one.case_key)] == [one.alert_id, two.alert_id, bridge.alert_id]
    assert store.counts().deconflictions == 1
    rows = contents(store)["case_members"]
    moved = [row for row in rows if row[2] == two.alert_id]
    assert [(row[1], row[4] is None) for row in moved] == [(two.case_key, False), (one.case_key, True)]
    # a later alert of the younger case's subject finds its way to the older key
    later = Episodes().fire(fire(4, who=2, detector="deal_line"))
    assert later is not None
    store.write([later], 3)
    assert store.alert(later.alert_id).case_key == one.case_key


def test_one_device_in_hand_ties_two_accounts(store: AlertStore, fire: Any) -> None:
    shared, episodes = Subject("device", f"{7:032x}"), Episodes()
    alerts = [episodes.fire(fire(n, who=n, related=(shared,))) for n in (1, 2)]
    store.write([alert for alert in alerts if alert], 1)
    first, second = (store.alert(alert.alert_id).case_key for alert in alerts if alert)
    assert first == second
    assert any(f"shares {shared.name}" in str(row[5]) for row in contents(store)["case_members"])


def test_one_acquaintance_ties_nobody_and_two_do(store: AlertStore, fire: Any) -> None:
    buyers = [Subject("number", f"{n:032x}") for n in range(900, 904)]
    episodes = Episodes()
    lines = [
        episodes.fire(fire(n, who=n, related=related))
        for n, related in enumerate((buyers[:2], buyers[1:3], buyers[:2] + buyers[3:]), start=1)
    ]
    store.write([alert for alert in lines if alert], 1)
    first, second, third = (store.alert(alert.alert_id).case_key for alert in lines if alert)
    assert first != second  # one buyer who knows both
    assert first == third  # two who do
    why = next(row[5] for row in contents(store)["case_members"] if row[2] == lines[2].alert_id)  # type: ignore[union-attr]
    assert "and 1 more" in why


def test_a_hub_links_nobody(store: AlertStore, fire: Any) -> None:
    hub = fire(who=1).subject
    terminal = Subject("terminal", "c" * 32)
    episodes = Episodes()
    one = episodes.fire(fire(1, who=1))
    many = [episodes.fire(fire(n, who=n, related=(terminal,))) for n in range(2, 6)]
    store.write([alert for alert in (one, *many) if alert], 1)
    assert len({store.alert(alert.alert_id).case_key for alert in many if alert}) == 4
    crowd = [episodes.fire(fire(n, who=n, related=(hub,))) for n in range(100, 140)]
    store.write([alert for alert in crowd if alert], 2)
    keys = [store.alert(alert.alert_id).case_key for alert in crowd if alert]
    assert len(set(keys[:24])) == 1
    assert len(set(keys[24:])) == 16


def test_a_case_tells_its_forces_campuses_and_claims_apart(store: AlertStore, fire: Any) -> None:
    episodes = Episodes()
    county = {"threat": "county_lines", "stream": "telecoms"}
    line = fire(1, who=1, home_force=1, detector="deal_line", claim="line", score=0.7, **county)
    child = fire(
        2, who=2, home_force=9, detector="courier", claim="exploited", score=0.55, minor=True,
        related=(line.subject,), active_forces=((4, 1.0),), **county,
    )  # fmt: skip
    till = fire(3, who=3, home_force=9, related=(line.subject,), score=0.9)
    alerts = [alert for each in (line, child, till) if (alert := episodes.fire(each))]
    store.write(alerts, 1)
    case = store.whole_case(alerts[0].case_key)
    assert case.claims == {"exploited": 0.55, "fraud": 0.9, "line": 0.7}
    assert case.forces == (1, 4, 9)
    assert len(case.campuses) == 2
    assert case.child_first
    assert case.safeguarding
    assert {subject.name for subject in case.about} == {each.subject.name for each in (line, child, till)}
    assert case.beside == ()
    assert store.whole_case(case.case_key[:8]) == case
    assert {store.alert(each.alert_id).case_key for each in alerts} == {case.case_key}
    assert [each.case_key for each in store.cases()] == [case.case_key]
    assert [each.case_key for each in store.cases(campus=case.campuses[0])] == [case.case_key]
    assert store.cases(campus="rcc-nowhere") == ()
    store.whole_case(case.case_key, by=ANALYST, why="tasking")
    assert [(row.op, row.object_type) for row in store.audit_trail(case.case_key)] == [("CONSULT", "case")]
    with pytest.raises(UnknownAlert, match="no case"):
        store.whole_case("Cnothing")


def test_people_may_merge_cases_and_must_say_why(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    first, second = (alert.case_key for alert in store.alerts(order="oldest")[:2])
    with pytest.raises(NotAllowed, match="say why"):
        store.merge_cases([first, second], ANALYST, "")
    with pytest.raises(UnknownAlert, match="no open case"):
        store.merge_cases([first, "Cnone"], ANALYST, "same gang")
    assert store.merge_cases([second, first], ANALYST, "same gang") == first
    assert len(store.case(first)) == 2
    assert store.case(second) == ()
    (row,) = store.audit_trail(first)
    assert (row.op, row.object_type, row.why) == ("COMBINE", "case", "same gang")
    with pytest.raises(UnknownAlert):
        store.merge_cases([first, second], ANALYST, "again")


# --- the audit ----------------------------------------------------------------------------------------------------


def test_the_database_refuses_to_change_the_audit(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    store.decide(raised[0].alert_id, "unclear", ANALYST, "not_pursued")
    for change in ("UPDATE audit SET actor = 'somebody else'", "DELETE FROM audit"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), store._engine.begin() as connection:
            connection.execute(sa.text(change))
    assert store.audit_broken_at() is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE audit SET actor = 'somebody else' WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
    ],
)
def test_an_audit_row_changed_behind_the_stores_back_shows(
    tmp_path: Path, raised: list[Alert], change: str, broken: int
) -> None:
    store = AlertStore(tmp_path / "alerts.db")
    store.migrate()
    store.write(raised, 1)
    for alert in raised[:4]:
        store.decide(alert.alert_id, "unclear", ANALYST, "not_pursued")
    assert store.audit_broken_at() is None
    with sqlite3.connect(tmp_path / "alerts.db") as raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("DROP TRIGGER audit_no_delete")
        raw.execute(change)
    assert store.audit_broken_at() == broken
    store.close()


# --- tables and faults --------------------------------------------------------------------------------------------


def test_the_steps_make_the_tables_the_code_expects(store: AlertStore) -> None:
    store.migrate()  # again: nothing to do
    with store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_migrating_works_from_any_folder(tmp_path: Path) -> None:
    script = "from alerts.store import AlertStore; AlertStore('sub/alerts.db').migrate()"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    with sqlite3.connect(tmp_path / "sub" / "alerts.db") as raw:
        assert raw.execute("SELECT count(*) FROM alerts").fetchone() == (0,)


def test_a_store_without_tables_says_to_migrate(tmp_path: Path, raised: list[Alert]) -> None:
    store = AlertStore(tmp_path / "alerts.db")
    with pytest.raises(AlertError, match="migrate") as error:
        store.write(raised, 1)
    assert not isinstance(error.value, StoreUnavailable)


def test_a_locked_store_is_unavailable_and_takes_the_write_later(
    tmp_path: Path, raised: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BUSY_MS", 20)
    store = AlertStore(tmp_path / "alerts.db")
    store.migrate()
    with sqlite3.connect(tmp_path / "alerts.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.write(raised, 1)
        assert store.alerts() == ()  # readers go on
        other.execute("ROLLBACK")
    assert store.write(raised, 1).new == 5
    store.close()


def test_a_full_store_is_unavailable_and_keeps_what_it_had(tmp_path: Path, raised: list[Alert]) -> None:
    store = AlertStore(tmp_path / "alerts.db")
    store.migrate()
    store.write(raised[:1], 1)
    with store._engine.connect() as connection:
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
    sa.event.listen(
        store._engine,
        "begin",
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"),
    )
    with pytest.raises(StoreUnavailable, match="full"):
        store.write([msgspec.structs.replace(a, event_ids=("x" * 60,) * 100) for a in raised], 2)
    store.close()
    after = AlertStore(tmp_path / "alerts.db")
    assert (after.counts().total, after.watermark()) == (1, 1)
    assert after.write(raised, 2).new == 4


def test_a_store_that_is_down_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailable):
        AlertStore(tmp_path / "file" / "alerts.db").migrate()
    with pytest.raises(StoreUnavailable):
        AlertStore("postgresql://nobody@127.0.0.1:1/none").watermark()


@pytest.mark.parametrize("url", ["nosuch://x", "://", "postgresql://h:port/x"])
def test_a_url_that_is_none_says_what_to_give(url: str) -> None:
    with pytest.raises(AlertError):
        AlertStore(url).migrate()


def test_a_failed_write_writes_none_of_the_tick(store: AlertStore, raised: list[Alert]) -> None:
    broken = msgspec.structs.replace(raised[1], detector=None)
    with pytest.raises(AlertError):
        store.write([raised[0], broken], 5)
    assert store.counts().total == 0
    assert store.watermark() == -1


def test_odd_text_is_stored_by_every_database(store: AlertStore, fire: Any) -> None:
    odd = Episodes().fire(fire(source="bank\0\u2028💷", four_p="protect", typology="a\0b", event_id="e\0"))
    assert odd is not None
    assert store.write([odd], 1).new == 1
    assert store.alert(odd.alert_id) == odd


def test_the_password_is_not_shown() -> None:
    assert "secret" not in AlertStore("postgresql://me:secret@127.0.0.1:1/none").url


def test_decisions_are_plain_records(store: AlertStore, raised: list[Alert]) -> None:
    store.write(raised, 1)
    until = NOW + 86_400 * 10**6
    decision = store.step(raised[0].alert_id, "snoozed", ANALYST, "waiting for the bank", until=until)
    assert isinstance(decision, Decision)
    assert store.decisions() == (decision,)
    assert decision.until == until
    assert from_json(to_json(store.alert(raised[0].alert_id))).status == "snoozed"
