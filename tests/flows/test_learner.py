"""The learner beside the flow: labels teach in one place, versions take effect at a place in the one order."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from alerts.record import Alert, from_json
from detectors.discovery import detector
from flows.controls import publish
from flows.drawing import Draw
from flows.national_hop import NationalHop
from flows.promoting import publish as promoted
from flows.promoting import registry_of
from flows.running import RunOptions, replay, replay_ledger
from flows.source import Watch
from models.boosted import train_boosted
from models.card import Card
from models.examples import ExampleStore
from models.forest import forest_of
from models.labels import LabelBook
from models.registry import Registry
from models.working import USUAL

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MULE = detector("mule_account")
AUTHOR = MULE.scorecard().version.version


def _payment(n: str, at: datetime, payer: str, payee: str, pounds: float, **more: Any) -> dict[str, Any]:
    return {
        "event_id": n, "ts": at.isoformat(), "source": "bank", "rail": "fps", "amount_minor": round(pounds * 100),
        "payer_account": payer, "payee_account": payee,
    } | more  # fmt: skip


def _mule(k: int, at: datetime) -> list[dict[str, Any]]:
    """Four strangers pay in and it leaves within minutes."""
    found = []
    for v in range(4):
        then = at + timedelta(minutes=30 * v)
        told = {
            "payee_opened": (at - 20 * DAY).date().isoformat(),
            "payee_age_band": "18-20",
            "cop": "no_match",
        }
        found.append(
            _payment(f"i{k}-{v}", then, f"00-00-2{v} {k:08d}", f"00-00-11 {k:08d}", 900 + 50 * v, **told)
        )
        out = then + timedelta(minutes=8)
        found.append(_payment(f"o{k}-{v}", out, f"00-00-11 {k:08d}", f"00-00-40 {v:08d}", 880 + 50 * v))
    return found


class World:
    """Mules on some days, labels about the first of them, and the flow that learns."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        payments = [r for k, day in enumerate((0, 1, 2, 5, 6, 9)) for r in _mule(k, START + day * DAY)]
        said = [("innocent", 0, 1.5), ("innocent", 1, 3.1), ("confirmed", 2, 4.2), ("confirmed", 0, 7.0)]
        labels = [
            {"event_id": f"l{n}", "ts": (START + day * DAY).isoformat(), "source": "bank", "origin": "bank",
             "about": f"account:00-00-11 {k:08d}", "subjects": [f"account:00-00-11 {k:08d}"], "label": word,
             "typology": "mule_account"}
            for n, (word, k, day) in enumerate(said)
        ]  # fmt: skip
        for name, records in (("payments", payments), ("labels", labels)):
            lines = (json.dumps(r) + "\n" for r in sorted(records, key=lambda r: str(r["ts"])))
            (folder / f"{name}.ndjson").write_text("".join(lines))

    def run(self, name: str, watch: Watch | None = None, **more: Any) -> list[Alert]:
        at = self.data / name
        options = {
            "inputs": {s: (str(self.data / f"{s}.ndjson"),) for s in ("payments", "labels")}, "data": at,
            "store": f"sqlite:///{self.data / name}.sqlite", "alerts_out": self.data / f"{name}.out", "bound": False,
            "learn": True,
        }  # fmt: skip
        at.mkdir(exist_ok=True)
        replay(RunOptions(**(options | more)), watch=watch)
        told = [from_json(line) for line in (self.data / f"{name}.out").read_bytes().splitlines()]
        return [alert for alert in told if alert.detector == MULE.id]

    def lessons(self, name: str) -> list[dict[str, Any]]:
        path = self.data / name / "models" / "lessons.ndjson"
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def examples(self, name: str) -> pl.DataFrame:
        return ExampleStore(self.data / name / "examples").examples(MULE.id, MULE.version, 0, 4 * 10**15)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    monkeypatch.setenv("LINEWATCH_DATA", str(tmp_path / "settings"))
    monkeypatch.setenv("LINEWATCH_TICK_ROWS", "5")
    monkeypatch.setenv("LINEWATCH_SAMPLE_ONE_IN", "1")
    return World(tmp_path)


def test_labels_teach_at_a_place_in_the_one_order_on_any_number_of_processes_after_any_fall(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = world.run("one")
    first = {a.alert_id: a for a in reversed(alerts)}.values()
    versions = [a.model_version for a in sorted(first, key=lambda a: a.first_event_ts)]
    assert versions[:2] == [AUTHOR] * 2
    assert versions[3] != AUTHOR  # what was learnt scores, without a restart
    lessons = world.lessons("one")
    corrected = [one for lesson in lessons for one in lesson["corrected"] if one["detector"] == MULE.id]
    assert corrected  # the bank took back what it had said of the first mule
    assert {(one["had_taught"], one["teaches"]) for one in corrected} == {(False, True)}
    in_force = [lesson["activated"].get(MULE.id) for lesson in lessons]
    assert versions[3] in in_force

    two = world.run("two", processes=2)
    assert two == alerts
    assert world.lessons("two") == lessons
    assert world.examples("two").equals(world.examples("one"))

    falls, work = [9, 6, 4], NationalHop.work

    def falling(hop: NationalHop, ids: Any, parts: Any) -> Any:
        if falls and ids.tick >= falls[-1]:
            falls.pop()
            raise RuntimeError("fell over")
        return work(hop, ids, parts)

    monkeypatch.setattr(NationalHop, "work", falling)
    while True:
        try:
            fallen = world.run("fallen", recovery=world.data / "recovery", epoch_seconds=0.001)
            break
        except Exception:
            assert len(falls) < 3
    assert not falls
    assert fallen == alerts
    assert world.lessons("fallen") == lessons
    assert world.examples("fallen").equals(world.examples("one"))
    book = LabelBook(world.data / "fallen" / "examples" / "labels.ndjson")
    assert len(book) == 4


def test_examples_are_as_scored_each_once_and_tell_the_alert(world: World) -> None:
    alerts = world.run("one")
    rows = world.examples("one")
    assert rows.select("event_id", "subject").is_duplicated().sum() == 0
    raised = rows.filter(pl.col("kept_as") == "alert")
    assert set(raised["alert_id"]) == {a.alert_id for a in alerts}
    first = next(a for a in alerts if a.revision == 1)
    row = raised.filter(pl.col("alert_id") == first.alert_id).row(0, named=True)
    assert row["score"] == first.score
    assert {name: row[f"v.{name}"] for name in first.assessment.features} == first.assessment.features
    drawn = rows.filter(pl.col("kept_as") != "alert")
    assert drawn.height > 0
    assert (drawn["score"] < drawn["threshold"]).all()
    assert set(drawn["side"]) <= {"payer", "payee"}


def test_without_learning_nothing_is_kept_and_nothing_waits(world: World) -> None:
    alerts = world.run("off", learn=False)
    assert {a.model_version for a in alerts} == {AUTHOR}
    assert not (world.data / "off" / "examples").exists()


def test_what_is_drawn_does_not_depend_on_how_rows_come_together() -> None:
    rng = np.random.default_rng(1)
    tokens, ts = (
        rng.integers(0, 2**63, 20_000).astype(np.uint64),
        np.arange(20_000, dtype=np.int64) * 1_000_000,
    )
    scores = rng.random(20_000)
    draw = Draw(100)
    whole = draw.of("d", tokens, ts, scores, 0.8)
    parts = [
        (place + start, chance, kept)
        for start in range(0, 20_000, 7_000)
        for place, chance, kept in draw.of(
            "d", tokens[start : start + 7_000], ts[start : start + 7_000], scores[start : start + 7_000], 0.8
        )
    ]
    assert whole == parts
    near = [place for place, chance, _ in whole if chance == 0.1]
    far = [place for place, chance, _ in whole if chance == 0.01]
    assert len(near) == pytest.approx(20_000 * 0.4 * 0.1, rel=0.15)
    assert len(far) == pytest.approx(20_000 * 0.4 * 0.01, rel=0.3)
    assert (scores[near] >= 0.4).all()
    assert (scores[near + far] < 0.8).all()
    assert draw.of("other", tokens, ts, scores, 0.8) != whole


def test_every_row_is_kept_that_only_the_weights_it_began_with_would_have_raised() -> None:
    tokens = np.arange(1_000, dtype=np.uint64)
    ts = np.arange(1_000, dtype=np.int64)
    scores, begun = np.full(1_000, 0.3), np.where(np.arange(1_000) % 50 == 0, 0.9, 0.1)
    scores[::100] = 0.95  # raised by both
    found = Draw(100).of("d", tokens, ts, scores, 0.8, begun)
    assert [place for place, chance, _ in found if chance == 1.0] == list(range(50, 1_000, 100))
    drawn = [one for one in found if one[1] < 1.0]
    assert {place for place, *_ in drawn} <= {
        place for place, *_ in Draw(100).of("d", tokens, ts, scores, 0.8)
    }


def test_where_a_flow_teaches_the_desk_only_writes_down(world: World) -> None:
    world.run("one")
    from alerts.store import AlertStore

    store = AlertStore(f"sqlite:///{world.data / 'one'}.sqlite")
    alert = next(a for a in store.alerts() if a.detector == MULE.id)
    store.decide(alert.alert_id, "innocent", "DC 1234", "own_accounts")
    (effect,) = publish(store, world.data / "one")
    store.close()
    assert effect.version is None
    rows = (world.data / "one" / "control" / "decisions.ndjson").read_bytes().splitlines()
    assert [json.loads(row)["kind"] for row in rows] == ["decision"]


TREES = f"{MULE.id}-{MULE.version}.ttest"


def _trees() -> dict[str, Any]:
    """A forest that does much as the author's scorecard does."""
    chance = np.random.default_rng(4)
    names = tuple(signal.feature for signal in MULE.signals)
    values = np.column_stack([[s.value_at(x) for x in chance.random(1_000)] for s in MULE.signals])
    scores = MULE.scorecard().score(values)
    right = (scores > np.quantile(scores, 0.3)).astype(float)
    usual = dict(zip(names, map(float, np.median(values, axis=0)), strict=True))
    return forest_of(train_boosted(names, values, right, trees=8, rate=0.5)).dump() | {USUAL: usual}


def test_lessons_leave_promoted_trees_at_work_and_a_rollback_puts_back_what_had_been_learnt(
    world: World,
) -> None:
    at, data = [0], world.data / "one"
    data.mkdir()
    made = registry_of(data, make=True)
    registry = Registry(made.folder, made._signer, clock=lambda: at[0])
    names = tuple(signal.feature for signal in MULE.signals)
    registry.register(
        Card(version=TREES, lineage=MULE.id, detector=MULE.id, detector_version=MULE.version, kind="boosted",
             purpose="a test", not_for="anything else", inputs=names, threshold=0.3, made_at=1, made_by="ann",
             code_commit="none"),
        _trees(),
    )  # fmt: skip
    at[0] = int((START + 4.5 * DAY).timestamp() * 1e6)
    registry.promote(TREES, by="ann", agreed_by="bob", why="better")
    at[0] = int((START + 8 * DAY).timestamp() * 1e6)
    registry.rollback(MULE.id, by="ann", agreed_by="bob", why="not better")
    promoted(registry, data)

    first = {a.alert_id: a for a in reversed(world.run("one"))}.values()
    stood: dict[str, list[str]] = {"before": [], "trees": [], "after": []}
    for alert in sorted(first, key=lambda a: a.first_event_ts):
        days = (alert.first_event_ts / 1e6 - START.timestamp()) / 86_400
        stood["before" if days < 4.5 else "trees" if days < 8 else "after"].append(alert.model_version)
    assert stood["before"][0] == AUTHOR
    assert set(stood["trees"]) == {TREES}  # whatever lessons said meanwhile
    learnt = [one["activated"][MULE.id] for one in world.lessons("one") if MULE.id in one["activated"]]
    assert learnt
    (back,) = set(stood["after"])
    assert back.startswith(f"{AUTHOR}+")
    assert back in learnt
    lineage = json.loads((data / "models" / f"{MULE.id}.json").read_bytes())
    assert len(lineage["lessons"]) > int(back.partition("+")[2].partition(".")[0]) - 1


def test_a_flow_that_follows_learns_goes_on_after_a_stop_and_its_ledger_teaches_the_same(
    world: World,
) -> None:
    waiting = [
        (stream, line)
        for stream in ("payments", "labels")
        for line in (world.data / f"{stream}.ndjson").read_text().splitlines()
    ]
    waiting.sort(key=lambda one: str(json.loads(one[1])["ts"]))
    where = {stream: world.data / "in" / f"{stream}.ndjson" for stream in ("payments", "labels")}
    (world.data / "in").mkdir()
    for path in where.values():
        path.touch()
    options = {"recovery": world.data / "recovery", "follow": True, "ledger": True, "epoch_seconds": 0.05,
               "inputs": {stream: (str(path),) for stream, path in where.items()}}  # fmt: skip
    half = len(waiting) // 2
    for until in (half, 0):
        watch, idle = Watch(), [0]

        def before(watch: Watch = watch, idle: list[int] = idle, until: int = until) -> None:
            if len(waiting) > until:
                stream, line = waiting.pop(0)
                with where[stream].open("a") as file:
                    file.write(line + "\n")
                return
            idle[0] += 1
            if idle[0] > 400:
                watch.stop()

        watch.before = before
        followed = world.run("followed", watch=watch, **options)
    lessons = world.lessons("followed")
    versions = {a.model_version for a in followed}
    assert AUTHOR in versions
    assert versions - {AUTHOR}
    assert len(LabelBook(world.data / "followed" / "examples" / "labels.ndjson")) == 4
    rows = world.examples("followed")
    assert rows.select("event_id", "subject").is_duplicated().sum() == 0

    again = world.data / "again"
    replay_ledger(
        world.data / "followed" / "ledger",
        RunOptions(inputs={}, data=again, store=f"sqlite:///{world.data / 'again.sqlite'}", learn=True, bound=False,
                   alerts_out=world.data / "again.out"),
    )  # fmt: skip
    assert world.lessons("again") == lessons
    assert world.examples("again").equals(rows)
