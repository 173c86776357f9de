"""Decisions take effect at their place in the one order, end episodes there, and teach what scores from there on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.outcomes import Decision
from alerts.record import Alert, from_json, when_us
from alerts.store import AlertStore
from detectors.discovery import detector
from flows.control_rows import folder_of
from flows.controls import FILE, Effect, fault, lineage_of, publish
from flows.errors import FlowError
from flows.national_hop import NationalHop
from flows.running import RunOptions, Summary, replay

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DECIDED = START + 4 * DAY
PATIENCE_S = 120.0
PAYERS = 4
"""So many strangers pay a mule."""
MULE_ACCOUNT = detector("mule_account")
AS_WRITTEN = MULE_ACCOUNT.scorecard().version.version
"""The version its author wrote, before any label."""
REASON = {"confirmed": "supplier_confirms", "innocent": "own_accounts", "unclear": "not_enough_evidence"}


def _payment(n: str, at: datetime, payer: str, payee: str, pounds: float, **more: Any) -> dict[str, Any]:
    return {
        "event_id": n, "ts": at.isoformat(), "source": "bank", "rail": "fps", "amount_minor": round(pounds * 100),
        "payer_account": payer, "payee_account": payee,
    } | more  # fmt: skip


def mule(k: int, at: datetime) -> list[dict[str, Any]]:
    """Strangers pay in, each after weeks of small payments, and it leaves within minutes."""
    found = [
        _payment(f"l{k}-{d}-{v}", at - d * DAY, f"00-00-2{v} {k:08d}", "00-00-30 00000001", 20.0 + v)
        for d in range(1, 8)
        for v in range(PAYERS)
    ]
    for v in range(PAYERS):
        then = at + timedelta(minutes=30 * v)
        found.append(_payment(f"i{k}-{v}", then, f"00-00-2{v} {k:08d}", f"00-00-11 {k:08d}", 900 + 50 * v,
                              payee_opened=(at - 20 * DAY).date().isoformat(), cop="no_match"))  # fmt: skip
        found.append(
            _payment(
                f"o{k}-{v}",
                then + timedelta(minutes=8),
                f"00-00-11 {k:08d}",
                f"00-00-40 {v:08d}",
                880 + 50 * v,
            )
        )
    return found


class Desk:
    """A data folder, the files, the flow run over them again and again, and people who decide."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.payments = folder / "payments.ndjson"
        records = [r for k, day in enumerate((0, 1, 2, 6)) for r in mule(k, START + day * DAY)]
        self.payments.write_text(
            "".join(json.dumps(r) + "\n" for r in sorted(records, key=lambda r: r["ts"]))
        )
        self.runs = 0
        self.store = AlertStore(f"sqlite:///{folder / 'desk.sqlite'}", clock=self._clock)
        self.store.migrate()
        self._now = when_us(DECIDED.isoformat())

    def _clock(self) -> int:
        self._now += 1_000
        return self._now

    def options(self, name: str, **more: Any) -> RunOptions:
        return RunOptions(
            inputs={"payments": (str(self.payments),)}, data=self.data, bound=False, digests=True,
            **({"store": f"sqlite:///{self.data / name}.sqlite", "alerts_out": self.data / f"{name}.out"} | more),
        )  # fmt: skip

    def replayed(self, name: str = "", **more: Any) -> list[Alert]:
        """Every revision that a replay from the start writes, to a store of its own."""
        self.runs += 1
        name = name or f"run{self.runs}"
        self.summary: Summary = replay(self.options(name, **more))
        return [from_json(line) for line in (self.data / f"{name}.out").read_bytes().splitlines()]

    def filled(self) -> list[Alert]:
        """What a first replay leaves in the desk's own queue of the mule accounts: oldest first."""
        replay(self.options("first", store=self.store.url))
        return _mules(list(self.store.alerts(order="oldest")))

    def decide(self, alert: Alert, outcome: str, **more: Any) -> Effect:
        self.store.decide(alert.alert_id, outcome, "DC 1234", more.pop("reason", REASON[outcome]), **more)
        return publish(self.store, self.data)[-1]

    def rows(self) -> list[dict[str, Any]]:
        path = folder_of(self.data) / FILE
        return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def version(self) -> str:
        return lineage_of(self.data, MULE_ACCOUNT).in_force.version


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    monkeypatch.setenv("LINEWATCH_DATA", str(tmp_path))
    made = Desk(tmp_path)
    yield made
    made.store.close()


def _mules(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.detector == "mule_account"]


def test_what_people_decide_scores_what_comes_after_it_and_nothing_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.filled()
    assert [a.model_version for a in first] == [AS_WRITTEN] * 4
    for alert in first[:3]:
        effect = desk.decide(alert, "innocent")
    assert effect.version == desk.version()
    assert effect.version is not None
    assert effect.version.startswith(f"{AS_WRITTEN}+3.")

    again = desk.replayed()

    before = [a for a in _mules(again) if a.last_event_ts < when_us(DECIDED.isoformat())]
    after = [a for a in _mules(again) if a.first_event_ts > when_us(DECIDED.isoformat())]
    assert {a.model_version for a in before} == {AS_WRITTEN}
    assert {a.model_version for a in after} == {effect.version}
    same = next(a for a in _mules(again) if a.alert_id == first[0].alert_id)
    assert same.score == desk.store.revision(same.alert_id, 1).score
    assert after[0].score < next(a for a in first if a.subject == after[0].subject).score

    # and the same when it falls over on the way, before and after the decisions' place
    monkeypatch.setenv("LINEWATCH_TICK_ROWS", "10")
    undisturbed = desk.replayed()
    digests = _digests(desk.data)
    falls, begun, work = [12, 9, 5], [0], NationalHop.work

    def falling(hop: NationalHop, ids: Any, parts: Any) -> Any:
        begun.append(ids.tick)
        if falls and ids.tick >= falls[-1]:
            falls.pop()
            raise RuntimeError("fell over")
        return work(hop, ids, parts)

    monkeypatch.setattr(NationalHop, "work", falling)
    kept: dict[str, Any] = {"recovery": desk.data / "recovery", "epoch_seconds": 0.001}
    while True:
        try:
            disturbed = desk.replayed("disturbed", **kept)
            break
        except Exception:
            assert len(begun) > 1
    assert not falls
    assert disturbed == undisturbed == again
    assert _digests(desk.data / "recovery") == digests


def _digests(at: Path) -> dict[str, str]:
    return {
        path.stem: json.loads(path.read_text())["digest"] for path in (at / "run" / "ends").glob("*.json")
    }


def test_a_decision_ends_the_episode_at_its_place_and_what_follows_is_a_new_alert(desk: Desk) -> None:
    alert = desk.filled()[-1]
    desk._now = alert.first_event_ts + 5 * 60_000_000  # decided while the money still moves
    desk.decide(alert, "confirmed")

    again = _mules(desk.replayed())

    told = [a for a in again if a.subject == alert.subject]
    ended = next(a for a in told if a.alert_id == alert.alert_id and a.ended_ts is not None)
    assert ended.ended_why == "decision"
    assert ended.ended_ts == desk.rows()[0]["ts"] or ended.ended_ts == when_us(desk.rows()[0]["ts"])
    (new,) = {a.alert_id for a in told} - {alert.alert_id}
    assert {a.previous for a in told if a.alert_id == new} == {alert.alert_id}
    assert {a.model_version for a in told if a.alert_id == new} == {desk.version()}


def test_unclear_ends_it_and_teaches_nothing(desk: Desk) -> None:
    effect = desk.decide(desk.filled()[0], "unclear")
    assert effect.version is None
    assert [row["kind"] for row in desk.rows()] == ["decision"]
    assert not (desk.data / "models").exists()


@pytest.mark.parametrize("reason", ["supplier_error", "test_traffic"])
def test_an_alert_on_wrong_records_teaches_nothing(desk: Desk, reason: str) -> None:
    assert desk.decide(desk.filled()[0], "innocent", reason=reason).version is None
    assert desk.version() == AS_WRITTEN


def test_confirmed_and_innocent_pull_apart(desk: Desk) -> None:
    first = desk.filled()
    desk.decide(first[0], "confirmed")
    up = lineage_of(desk.data, MULE_ACCOUNT).learnt
    desk.decide(first[0], "innocent")
    down = lineage_of(desk.data, MULE_ACCOUNT).learnt
    assert down.intercept < MULE_ACCOUNT.intercept < up.intercept


def test_a_second_decision_replaces_what_the_first_taught(desk: Desk) -> None:
    first = desk.filled()
    desk.decide(first[0], "innocent")
    desk.decide(first[1], "innocent")
    wrong = desk.version()
    desk.decide(first[0], "confirmed")
    right = desk.version()
    assert right.startswith(f"{AS_WRITTEN}+2.")
    assert right != wrong
    lineage = lineage_of(desk.data, MULE_ACCOUNT)
    assert [(one.alert_id, one.right) for one in lineage.lessons] == [
        (first[0].alert_id, True), (first[1].alert_id, False)
    ]  # fmt: skip

    effect = desk.decide(first[0], "unclear")  # and unclear takes it back
    assert effect.version == desk.version()
    assert effect.version is not None
    assert effect.version.startswith(f"{AS_WRITTEN}+1.")
    assert [row["kind"] for row in desk.rows()][-2:] == ["activate", "decision"]


def test_an_alert_that_is_opened_again_teaches_nothing_until_it_is_decided(desk: Desk) -> None:
    first = desk.filled()
    desk.decide(first[0], "innocent")
    desk.store.step(first[0].alert_id, "in_review", "DC 1234", "new evidence")
    publish(desk.store, desk.data)
    assert desk.version() == AS_WRITTEN
    publish(desk.store, desk.data)
    desk.decide(first[0], "innocent")
    publish(desk.store, desk.data)
    assert desk.version().startswith(f"{AS_WRITTEN}+1.")


def test_what_a_lesson_learnt_is_the_alert_as_it_was_scored(desk: Desk) -> None:
    alert = desk.filled()[0]
    desk.decide(alert, "innocent")
    (lesson,) = lineage_of(desk.data, MULE_ACCOUNT).lessons
    assert lesson.values == alert.assessment.features
    assert lesson.scored_by == alert.model_version
    assert lesson.expert == pytest.approx(alert.score, abs=1e-12)


def test_publishing_again_changes_nothing(desk: Desk) -> None:
    first = desk.filled()
    desk.decide(first[0], "innocent")
    rows, version = desk.rows(), desk.version()
    assert publish(desk.store, desk.data) == ()
    assert (desk.rows(), desk.version()) == (rows, version)


def test_a_decision_whose_rows_a_crash_lost_gets_them_from_the_next(desk: Desk) -> None:
    first = desk.filled()
    desk.store.decide(first[0].alert_id, "innocent", "DC 1234", REASON["innocent"])
    desk.decide(first[1], "confirmed")
    assert [row["body"].get("alert_id") for row in desk.rows() if row["kind"] == "decision"] == [
        first[0].alert_id, first[1].alert_id
    ]  # fmt: skip
    assert len(lineage_of(desk.data, MULE_ACCOUNT).lessons) == 2


@pytest.mark.parametrize("left", [0, 30, -40, -1])
def test_a_crash_while_writing_rows_is_made_good(desk: Desk, left: int) -> None:
    first = desk.filled()
    desk.decide(first[0], "innocent")
    path, version = folder_of(desk.data) / FILE, desk.version()
    whole = path.read_bytes()
    path.write_bytes(whole[:left])

    publish(desk.store, desk.data)

    assert desk.version() == version
    again = _mules(desk.replayed())
    assert {a.model_version for a in again} == {AS_WRITTEN, version}
    assert sum(desk.summary.rejected.values()) == (1 if left in (30, -40) else 0)


def test_control_rows_that_cannot_be_obeyed_are_dead_letters_and_stop_nothing(desk: Desk) -> None:
    weights = msgspec.to_builtins(MULE_ACCOUNT.scorecard().version)
    bad = [
        ("activate", "mule_account", {}),
        ("activate", "mule_account", {"weights": weights | {"weights": {}}}),
        ("activate", "mule_account", {"weights": weights | {"version": "mule_account-9.0"}}),
        ("activate", "moon_phase", {"weights": weights}),
        ("threshold", "mule_account", {"threshold": 7}),
        ("threshold", "mule_account", {"threshold": "low"}),
        ("decision", "mule_account", {"outcome": "guilty"}),
        ("snooze", "mule_account", {"subject": "account"}),
        ("snooze", "mule_account", [1]),
    ]
    folder = folder_of(desk.data)
    folder.mkdir()
    rows = [
        {
            "event_id": f"c{n}",
            "ts": START.isoformat(),
            "source": "desk",
            "kind": kind,
            "detector": about,
            "body": body,
        }
        for n, (kind, about, body) in enumerate(bad)
    ]
    (folder / FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))

    again = desk.replayed()

    assert {a.model_version for a in _mules(again)} == {AS_WRITTEN}
    assert desk.summary.rejected == {"not_obeyed": len(bad)}
    letters = [json.loads(line) for line in (desk.data / "rejected.ndjson").read_text().splitlines()]
    assert all(letter["reason"] == "not_obeyed" and letter["detail"] for letter in letters)


def test_a_weight_that_is_no_number_is_a_fault() -> None:
    weights = msgspec.to_builtins(MULE_ACCOUNT.scorecard().version) | {"intercept": float("inf")}
    body = json.dumps({"weights": weights})
    assert fault("activate", "mule_account", body) is not None
    assert fault("activate", "mule_account", "not json") == "the body is not JSON"
    assert fault("threshold", "mule_account", '{"threshold": 0.4}') is None


def test_a_lineage_that_cannot_be_read_is_told_and_the_decision_is_kept(desk: Desk) -> None:
    first = desk.filled()
    desk.decide(first[0], "innocent")
    path = desk.data / "models" / "mule_account.json"
    sound = path.read_bytes()
    path.write_text("{")
    with pytest.raises(FlowError, match="the decision is recorded, but"):
        desk.decide(first[1], "innocent")
    assert desk.store.alert(first[1].alert_id).outcome == "innocent"

    path.write_bytes(sound)
    assert [effect.decision.alert_id for effect in publish(desk.store, desk.data)] == [first[1].alert_id]
    assert desk.version().startswith(f"{AS_WRITTEN}+2.")


def test_a_snooze_holds_back_from_its_place_on(desk: Desk) -> None:
    first = desk.filled()
    desk._now = first[-1].first_event_ts - 3_600_000_000
    until = when_us((DECIDED + 9 * DAY).isoformat())
    desk.store.step(first[-1].alert_id, "snoozed", "DC 1234", "known to the team", until=until)
    effects: tuple[Effect, ...] = publish(desk.store, desk.data)
    assert [type(effect.decision) for effect in effects] == [Decision]
    assert [row["kind"] for row in desk.rows()] == ["snooze", "decision"]

    again = _mules(desk.replayed())

    assert {a.subject for a in again} == {a.subject for a in first[:-1]}


def test_a_running_flow_takes_a_decision_up_as_it_is_made(tmp_path: Path) -> None:
    data, incoming, now = tmp_path / "data", tmp_path / "incoming", datetime.now(UTC)
    data.mkdir()
    incoming.mkdir()
    environment = os.environ | {"LINEWATCH_TOKEN_KEY": "5a" * 32, "LINEWATCH_FSYNC": "false"}
    linewatch = str(Path(sys.executable).parent / "linewatch")

    def arrive(name: str, records: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(r) + "\n" for r in sorted(records, key=lambda r: r["ts"]))
        (incoming / name).write_text(lines)

    def awaited(count: int) -> list[Alert]:
        """The mule accounts' alerts, when there are so many: other detectors may speak of the same people."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert running.poll() is None, "the run ended by itself"
            if (data / "alerts.sqlite").exists():
                try:
                    found = _mules(list(store.alerts(order="oldest")))
                except Exception:  # its tables are being made
                    found = []
                if len(found) >= count:
                    return found
            time.sleep(0.1)
        raise AssertionError(f"{count} alerts did not come")

    arrive("a.ndjson", mule(0, now - DAY))
    store = AlertStore(f"sqlite:///{data / 'alerts.sqlite'}")
    running = subprocess.Popen(
        [linewatch, "run", "--payments", str(incoming), "--data", str(data)], env=environment, cwd=tmp_path
    )
    try:
        (alert,) = awaited(1)
        decided = subprocess.run(
            [linewatch, "decide", alert.alert_id, "innocent", "--reason", "own_accounts", "--by", "DC 1234",
             "--data", str(data), "--json"],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        version = json.loads(decided.stdout)["model_version"]
        assert version.startswith(f"{AS_WRITTEN}+1.")
        deadline = time.monotonic() + PATIENCE_S
        while store.alert(alert.alert_id).ended_why != "decision" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert store.alert(alert.alert_id).ended_why == "decision"
        arrive("b.ndjson", mule(1, now + timedelta(hours=2)))
        new = next(a for a in awaited(2) if a.subject != alert.subject)
        assert new.model_version == version
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(60)
        store.close()
