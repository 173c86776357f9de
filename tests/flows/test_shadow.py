"""Challengers score beside the champion and raise nothing; what they said is kept once, whatever happens on the way."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from alerts.errors import NotAllowed
from alerts.record import from_json
from alerts.store import AlertStore
from console.cli import run_command
from detectors.discovery import detector
from detectors.mule_account import MuleAccount
from events.ledger import stored_in
from flows.controls import lineage_of, obeyed
from flows.guarding import guard
from flows.promoting import publish, registry_of
from flows.rescoring import Source, from_events, from_frozen
from flows.running import RunOptions, replay
from flows.shadowing import ONE_IN, PREDECESSOR, as_one, drawn
from flows.shelf import Shelf
from flows.split import Rule
from flows.standing import Standing
from models.boosted import train_boosted
from models.card import Card
from models.errors import ModelError
from models.forest import forest_of
from models.labels import Label, LabelBook
from models.registry import AUTOMATIC, Registry
from models.shadows import FILE, MOST_A_DAY, Shadow, ShadowStore
from models.working import USUAL

BEFORE = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)
DAY = 86_400_000_000
NAMES = tuple(signal.feature for signal in MuleAccount.signals)
BESIDE = ("line_and_money", "mule_network")
"""A detector of two streams and one of a network: they score elsewhere than the first."""
TREES = f"mule_account-{MuleAccount.version}.ttest"


def trees() -> dict[str, Any]:
    """A forest that learnt to do as the author's scorecard does, and a little otherwise."""
    chance = np.random.default_rng(4)
    values = np.column_stack(
        [[s.value_at(strength) for strength in chance.random(3_000)] for s in MuleAccount.signals]
    )
    scores = MuleAccount.scorecard().score(values) + chance.normal(0, 0.05, 3_000)
    right = (scores > np.quantile(scores, 0.4)).astype(float)
    medians = dict(zip(NAMES, map(float, np.median(values, axis=0)), strict=True))
    return forest_of(train_boosted(NAMES, values, right, trees=15, rate=0.4)).dump() | {USUAL: medians}


def card(version: str, **changes: object) -> Card:
    said: dict[str, object] = {
        "version": version, "lineage": "mule_account", "detector": "mule_account",
        "detector_version": MuleAccount.version, "kind": "boosted", "purpose": "a test", "not_for": "anything else",
        "inputs": NAMES, "threshold": 0.3, "made_at": 1, "made_by": "ann", "code_commit": "none",
    }  # fmt: skip
    return Card(**(said | changes))  # type: ignore[arg-type]


def registry_in(data: Path) -> Registry:
    """A registry with the trees, in which everything was decided before the story begins."""
    made = registry_of(data, make=True)
    registry = Registry(made.folder, made._signer, clock=lambda: BEFORE)
    registry.register(card(TREES), trees())
    return registry


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Two mules' payments, a line whose customers pay, and money that goes through accounts."""
    folder, inputs = tmp_path_factory.mktemp("story"), {}
    events = [
        (stream, dict(record) | {"event_id": f"s{n}-{record['event_id']}"})
        for n, example in enumerate(
            [*MuleAccount.examples()[:2], *(detector(name).examples()[0] for name in BESIDE)]
        )
        for stream, record in example.events
    ]
    for stream in sorted({stream for stream, _ in events}):
        records = sorted((r for s, r in events if s == stream), key=lambda r: str(r["ts"]))
        path = folder / f"{stream}.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        inputs[stream] = (str(path),)
    return inputs


def challenged(data: Path) -> Registry:
    registry = registry_in(data)
    registry.challenge(TREES, by="ann", why="to be compared")
    for about in map(detector, BESIDE):
        own = about.scorecard().version
        other = msgspec.structs.replace(
            own, version=f"{about.id}-{about.version}.rtest", intercept=own.intercept + 1
        )
        registry.register(
            card(other.version, kind="scorecard", detector=about.id, detector_version=about.version,
                 inputs=tuple(own.weights)),
            msgspec.to_builtins(other),
        )  # fmt: skip
        registry.challenge(other.version, by="ann", why="to be compared")
    publish(registry, data)
    return registry


@pytest.fixture(scope="module")
def shadowed(story: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a replay with a challenger."""
    data = tmp_path_factory.mktemp("shadowed")
    challenged(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
        replay(RunOptions(inputs=story, store=f"sqlite:///{data / 'alerts.sqlite'}", data=data, bound=False,
                          alerts_out=data / "alerts.ndjson"))  # fmt: skip
    return data


def test_a_challenger_scores_what_the_champion_scores_and_raises_nothing(shadowed: Path) -> None:
    rows = ShadowStore(shadowed / FILE).rows("mule_account")
    assert rows["version"].unique().to_list() == [TREES]
    assert rows["champion"].unique().to_list() == [MuleAccount.scorecard().name]
    alerts = [from_json(line) for line in (shadowed / "alerts.ndjson").read_bytes().splitlines()]
    assert {alert.model_version for alert in alerts if alert.detector == "mule_account"} == {
        MuleAccount.scorecard().name
    }
    both = {(row["event_id"], row["subject"]): row for row in rows.iter_rows(named=True)}
    model = registry_of(shadowed).model(TREES, MuleAccount.signals)
    mine = [alert for alert in alerts if alert.detector == "mule_account"]
    assert mine
    for alert in mine:
        row = both[alert.assessment.scored_event_id, alert.subject.name]
        assert row["champion_score"] == alert.score
        values = [[np.nan if (v := alert.assessment.features[n]) is None else v for n in NAMES]]
        assert row["score"] == float(model.score(np.array(values, dtype=float))[0])
    assert (rows.filter(pl.col("score") >= 0.3)["chance"] == 1.0).all()
    for name in BESIDE:
        beside = ShadowStore(shadowed / FILE).rows(name)
        raised = {(a.assessment.scored_event_id, a.subject.name) for a in alerts if a.detector == name}
        assert raised
        assert raised <= set(beside.select("event_id", "subject").iter_rows())
        assert (beside["score"] > beside["champion_score"]).all()


def test_two_workers_and_kills_keep_the_same_rows_once(
    shadowed: Path, story: Any, tmp_path: Path, make_flow: Callable[[Path], Any]
) -> None:
    flow, lives = make_flow(tmp_path), iter([0.3, 1.5])
    (tmp_path / "two").mkdir()
    challenged(tmp_path / "two")
    outcome = flow.run(story, name="two", processes=2, recovery=True, kill_after=lambda: next(lives, 600.0))
    for name in ("mule_account", *BESIDE):
        rows = ShadowStore(tmp_path / "two" / FILE).rows(name)
        assert rows.equals(ShadowStore(shadowed / FILE).rows(name))
    assert said(outcome.alerts) == said((shadowed / "alerts.ndjson").read_bytes())


def said(alerts: bytes) -> dict[str, float]:
    """How high each alert got; the processes of these tests know one detector more, which only corroborates."""
    found = [from_json(line) for line in alerts.splitlines()]
    mine = [alert for alert in found if alert.detector != "passed_round"]
    return {one.alert_id: max(a.score for a in mine if a.alert_id == one.alert_id) for one in mine}


def test_promoted_trees_score_explain_themselves_and_are_held_against_what_was_before(
    story: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    registry = registry_in(tmp_path)
    registry.promote(TREES, by="ann", agreed_by="bob", why="better")
    publish(registry, tmp_path)
    url = f"sqlite:///{tmp_path / 'alerts.sqlite'}"
    replay(RunOptions(inputs=story, store=url, data=tmp_path, bound=False, ledger=True))
    store = AlertStore(url)
    alerts = store.alerts(status=None, detector="mule_account")
    store.close()
    assert alerts
    assert {(a.model_version, a.assessment.threshold) for a in alerts} == {(TREES, 0.3)}
    assert all(a.assessment.reasons for a in alerts)
    before = ShadowStore(tmp_path / FILE).rows("mule_account")
    assert before["version"].unique().to_list() == [MuleAccount.scorecard().name]
    # and it can all be worked out again, also when the registry is asked
    frozen = from_frozen(alerts[0], tmp_path, registry)
    assert (frozen.outcome, frozen.differences) == ("agrees", ())
    ticks = (stored.tick for stored in stored_in(tmp_path / "ledger"))
    assert from_events(alerts[0], Source("the ledger", ticks), Shelf(tmp_path)).outcome == "agrees"
    assert lineage_of(tmp_path, MuleAccount).lessons == ()


def test_a_version_that_was_altered_is_a_dead_letter_and_the_champion_stays(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.promote(TREES, by="ann", agreed_by="bob", why="better")
    publish(registry, tmp_path)
    row = json.loads((tmp_path / "control" / "models.ndjson").read_text().splitlines()[0])
    body = json.dumps(row["body"])
    assert obeyed("activate", "mule_account", body, Shelf(tmp_path))[1] is None
    assert "no registry" in str(obeyed("activate", "mule_account", body)[1])
    other = json.dumps({"model": row["body"]["model"] | {"digest": "0" * 64}})
    assert "another digest" in str(obeyed("activate", "mule_account", other, Shelf(tmp_path))[1])
    path = registry.folder / "versions" / TREES / "weights.json"
    path.write_bytes(path.read_bytes().replace(b"0.3", b"0.4", 1))
    assert "altered" in str(obeyed("activate", "mule_account", body, Shelf(tmp_path))[1])


def test_what_stands_is_taken_up_again_with_its_challengers() -> None:
    own = MuleAccount.scorecard()
    other = msgspec.structs.replace(own.version, version=f"mule_account-{MuleAccount.version}.rother")
    standing = Standing(MuleAccount)
    forest = {"model": {"kind": "boosted", "version": TREES, "weights": trees()}}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("challenge", forest | {"threshold": 0.3}),
        ("activate", {"weights": msgspec.to_builtins(other), "promotion": {"stage": "promote"}}),
        ("threshold", {"threshold": 0.6}),
    ]
    for seq, (kind, body) in enumerate(steps):
        standing.obey(Rule(seq, 0, kind, "mule_account", json.dumps(body)))
    assert (standing.card.name, standing.threshold) == (other.version, 0.6)
    before = standing.challengers[own.name]
    assert (before.role, before.threshold) == (PREDECESSOR, MuleAccount.threshold)
    lesson = msgspec.structs.replace(other, version=f"{other.version}+1.abc")
    body = json.dumps({"weights": msgspec.to_builtins(lesson), "taught": True})
    standing.obey(Rule(3, 0, "activate", "mule_account", body))
    assert (standing.card.name, standing.begun.name) == (lesson.version, other.version)
    again = Standing(MuleAccount)
    again.restore(json.loads(json.dumps(standing.state())))
    assert again.words_of_state == standing.words_of_state
    assert again.begun.name == other.version
    again.obey(
        Rule(3, 0, "activate", "mule_account", json.dumps(forest | {"promotion": {"stage": "rollback"}}))
    )
    assert (again.card.name, again.begun.name, set(again.challengers)) == (TREES, TREES, set())
    again.obey(
        Rule(4, 0, "challenge", "mule_account", json.dumps({"weights": own.plain(), "threshold": 0.5}))
    )
    again.obey(Rule(5, 0, "retire", "mule_account", json.dumps({"version": own.name})))
    assert again.challengers == {}


def fallen(data: Path, wrong: int) -> Registry:
    """Trees that two people promoted, and were wrong on some whom the author's scorecard left alone."""
    registry = registry_in(data)
    registry.promote(TREES, by="ann", agreed_by="bob", why="better")
    publish(registry, data)
    own, labels, rows = MuleAccount.scorecard().name, [], []
    for n in range(40):
        innocent, subject = n < wrong, f"account:{n:032x}"
        rows.append(Shadow(n, BEFORE + n, "mule_account", subject, own, 0.2 if innocent else 0.9, 0.5, TREES, 0.8, 0.3,
                           1.0, "", f"e{n}"))  # fmt: skip
        labels.append(Label(event_id=f"l{n}", about=f"event:e{n}", label="innocent" if innocent else "confirmed",
                            at=BEFORE + DAY, origin="analyst", subjects=(subject,)))  # fmt: skip
    ShadowStore(data / FILE).write(rows)
    LabelBook(data / "examples" / "labels.ndjson").add(labels)
    return registry


def test_a_champion_that_falls_below_the_one_before_is_rolled_back_and_its_owner_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = fallen(tmp_path, wrong=12)
    assert guard(tmp_path, None, detector="deal_line") == ()
    (done,) = guard(tmp_path, None)
    assert (done.by, done.before, done.version, done.agreed_by) == (AUTOMATIC, TREES, "", "")
    assert "it alone was wrong on 12" in done.why
    assert registry.champion("mule_account") == ""
    assert guard(tmp_path, None) == ()
    row = json.loads((tmp_path / "control" / "models.ndjson").read_text().splitlines()[-2])
    assert row["body"]["weights"]["version"] == MuleAccount.scorecard().name
    assert obeyed("activate", "mule_account", json.dumps(row["body"]))[1] is None
    assert run_command(["models", "list", "mule_account", "--data", str(tmp_path)]) == 0
    assert "was rolled back automatically" in capsys.readouterr().err
    with pytest.raises(NotAllowed, match="named person"):
        registry.promote(TREES, by="Automatic", agreed_by="bob", why="again")
    registry.promote(TREES, by="ann", agreed_by="bob", why="it was the feed")
    assert registry.rolled_back("mule_account") is None


def test_a_champion_that_does_as_well_stays_and_can_be_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = fallen(tmp_path, wrong=3)
    assert guard(tmp_path, None) == ()
    assert registry.champion("mule_account") == TREES
    assert run_command(["models", "compare", "mule_account", "--data", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["champion"]["version"] == TREES
    assert told["subjects"]["champion alone"] == {"subjects": 3, "known": 3, "right": 0}
    assert told["subjects"]["both"] == {"subjects": 37, "known": 37, "right": 37}
    assert all(cost > 0.0 for cost in told["microseconds_a_row"].values())
    assert told["as_many"] == {"score": None, "shadow": 37, "champion": 40}
    assert run_command(["models", "compare", "mule_account", "--data", str(tmp_path)]) == 0
    assert "raised fewer subjects than the champion already (37 to 40)" in " ".join(
        capsys.readouterr().out.split()
    )
    assert run_command(["models", "compare", "deal_line", "--data", str(tmp_path)]) == 1
    assert "linewatch models challenge" in capsys.readouterr().err


class Raised:
    """A store of what the champion raised, and of what the one before had raised in the weeks before."""

    def __init__(self, data: Path, own: str, right_before: int) -> None:
        """Of the champion's forty alerts ten are wrong; of those before so many are right."""
        plan = [(own, n < right_before, BEFORE - 9 * DAY) for n in range(40)]
        plan += [(TREES, n >= 10, BEFORE) for n in range(40)]
        labels = []
        self.found = []
        for n, (version, right, at) in enumerate(plan):
            self.found.append(
                SimpleNamespace(
                    alert_id=f"a{n}",
                    subject=SimpleNamespace(name=f"account:x{n}"),
                    first_event_ts=at,
                    last_event_ts=at,
                    raised_ts=at,
                    model_version=version,
                )
            )
            labels.append(Label(event_id=f"w{n}", about=f"alert:a{n}", label="confirmed" if right else "innocent",
                                at=BEFORE + DAY, origin="analyst"))  # fmt: skip
        LabelBook(data / "examples" / "labels.ndjson").add(labels)

    def alerts(self, **_: object) -> tuple[Any, ...]:
        return tuple(self.found)

    def decisions(self) -> tuple[Any, ...]:
        return ()


@pytest.mark.parametrize(("right_before", "goes"), [(32, False), (40, True)])
def test_by_what_analysts_saw_a_champion_goes_only_if_less_of_it_is_right_than_before(
    tmp_path: Path, right_before: int, goes: bool
) -> None:
    fallen(tmp_path, wrong=12)  # all of it known because the champion raised it
    store: Any = Raised(tmp_path, MuleAccount.scorecard().name, right_before)
    done = guard(tmp_path, store)
    assert bool(done) == goes
    if goes:
        assert "of its alerts 30 of 40 known were right, of those of the one before 40 of 40" in done[0].why
        assert "of what it raises now 28 of 40, of what both raise 28 of 28" in done[0].why


def test_what_people_reported_by_themselves_needs_no_such_comparison(tmp_path: Path) -> None:
    registry = fallen(tmp_path, wrong=0)
    own = MuleAccount.scorecard().name
    rows = [
        Shadow(100 + n, BEFORE + n, "mule_account", f"account:m{n}", own, 0.9, 0.5, TREES, 0.1, 0.3, 1.0, "", f"m{n}")
        for n in range(30)
    ]  # fmt: skip
    ShadowStore(tmp_path / FILE).write(rows)
    LabelBook(tmp_path / "examples" / "labels.ndjson").add(
        Label(event_id=f"r{n}", about=f"account:m{n}", label="confirmed", at=BEFORE + DAY, origin="bank",
              typology="mule_account") for n in range(30)
    )  # fmt: skip
    (done,) = guard(tmp_path, None)
    assert "of 30 subjects known it alone was wrong on 30" in done.why
    assert registry.champion("mule_account") == ""


def test_about_one_in_so_many_is_drawn_and_of_detectors_not_the_same() -> None:
    places = np.arange(100_000)
    one, two = drawn("mule_account", places), drawn("deal_line", places)
    assert one.sum() == pytest.approx(100_000 / ONE_IN, rel=0.1)
    assert (one & two).sum() < one.sum() / 10
    assert np.array_equal(drawn("mule_account", places[500:700]), one[500:700])


def shadow(seq: int, **changes: Any) -> Shadow:
    one = Shadow(seq, seq * 1_000, "d", "account:1", "d-1.t", 0.5, 0.4, "d-1.0", 0.2, 0.5, 1.0, "", f"e{seq}")
    return one._replace(**changes)


def test_of_what_one_event_says_twice_the_highest_is_kept() -> None:
    assert as_one([shadow(2), shadow(1), shadow(2, score=0.7, champion_score=0.1)]) == [
        shadow(1),
        shadow(2, score=0.7),
    ]


def test_writing_again_changes_nothing_and_a_day_holds_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ShadowStore(tmp_path / FILE)
    store.write([shadow(1), shadow(2)])
    store.write([shadow(2), shadow(3)])
    assert store.rows("d")["seq"].to_list() == [1, 2, 3]
    store.close()
    monkeypatch.setattr("models.shadows.MOST_A_DAY", 4)
    again = ShadowStore(tmp_path / FILE)
    again.write([shadow(n) for n in range(1, 9)])
    assert again.rows("d", "d-1.t")["seq"].to_list() == [1, 2, 3, 4]
    assert again.rows("d", from_ts=2_000, to_ts=4_000)["seq"].to_list() == [2, 3]
    assert MOST_A_DAY > 4
    path = tmp_path / "damaged" / FILE
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ModelError, match="move it away"):
        ShadowStore(path).rows("d")
