"""`linewatch models`: from examples or history to a challenger, and by two people's word to what scores."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from alerts.store import AlertStore
from console.retraining import as_it_scored, as_people_set_it, moment, ticks_of
from detectors.cross import CrossDetector
from detectors.discovery import detector
from detectors.mule_account import MuleAccount
from events.frames import empty
from events.ledger import Tick
from features.rows import Entity
from flows.controls import learns, lineage_of, obeyed, refused
from flows.errors import FlowError
from flows.past import Past, read
from flows.promoting import publish, registry_of, standing
from flows.running import RunOptions, replay
from flows.shelf import Shelf
from flows.walked import Walked
from models.card import Card
from models.examples import SAMPLE, VALUE, Example, ExampleStore
from models.labels import Label, LabelBook
from models.registry import Registry
from models.training import values_of

DAY = 86_400_000_000
T0 = moment("2026-03-01")


def write_streams(stories: Any, folder: Path) -> dict[str, tuple[str, ...]]:
    inputs = {}
    events = [
        (stream, dict(record) | {"event_id": f"s{n}-{record['event_id']}"})
        for n, story in enumerate(stories)
        for stream, record in story.events
    ]
    for stream in sorted({stream for stream, _ in events}):
        records = sorted((r for s, r in events if s == stream), key=lambda r: str(r["ts"]))
        path = folder / f"{stream}.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        inputs[stream] = (str(path),)
    return inputs


@pytest.mark.parametrize("name", ["mule_account", "deal_line"])
def test_history_tells_what_the_flow_saw(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    about = detector(name)
    inputs = write_streams(about.examples()[:1], tmp_path)
    url = f"sqlite:///{tmp_path / 'alerts.sqlite'}"
    replay(RunOptions(inputs=inputs, store=url, data=tmp_path, bound=False))
    store = AlertStore(url)
    alerts = [store.revision(a.alert_id, 1) for a in store.alerts(detector=name)]
    store.close()
    given = {stream: list(where) for stream, where in inputs.items()}
    past = read(about, ticks_of(tmp_path, given))
    rows = {(row["event_id"], row["subject"]): row for row in past.gated().iter_rows(named=True)}
    assert alerts
    for alert in alerts:
        row = rows[alert.assessment.scored_event_id, alert.subject.name]
        assert row["score"] == pytest.approx(alert.score, abs=1e-9)
        for signal in about.signals:
            online, told = alert.assessment.features[signal.feature], row[f"v.{signal.feature}"]
            told = None if told is None or np.isnan(told) else told
            assert told == (online if online is None else pytest.approx(online, rel=1e-9, abs=1e-9)), (
                signal.feature
            )
    walked = Walked(about)
    for tick in ticks_of(tmp_path, given):
        walked.take(tick)
    one, other = (each.sort("seq", "subject") for each in (past.gated(), walked.gated()))
    assert one.select("seq", "subject", "event_id", "s.age_band", "s.force").equals(
        other.select("seq", "subject", "event_id", "s.age_band", "s.force")
    )
    for column in ["score", *(f"v.{signal.feature}" for signal in about.signals)]:
        assert one[column].to_list() == pytest.approx(
            other[column].to_list(), rel=1e-9, abs=1e-9, nan_ok=True
        )


class TwoStreams(CrossDetector, is_kind=True):
    """A kind of detector that needs more than a row."""

    id = "two_streams"
    subject = Entity.NUMBER


def test_detectors_about_more_than_rows_have_no_past() -> None:
    with pytest.raises(FlowError, match="walk"):
        Past(TwoStreams)


def filled(data: Path, n: int = 900) -> None:
    """A store of made-up examples of mule_account over forty days, and what was found out about them."""
    chance = np.random.default_rng(6)
    examples, labels = [], []
    for i in range(n):
        ts = T0 + int(chance.random() * 75 * DAY)
        mule = bool(chance.random() < 0.25)
        values: dict[str, float | None] = {
            s.feature: s.value_at(float(chance.random() * 0.3)) for s in MuleAccount.signals
        }
        if mule:
            values |= {
                s.feature: s.value_at(float(0.5 + chance.random() / 2)) for s in MuleAccount.signals[:4]
            }
        examples.append(
            Example(
                event_id=f"e{i}",
                detector="mule_account",
                detector_version=MuleAccount.version,
                model_version=f"mule_account-{MuleAccount.version}.0",
                subject=f"account:{i:032x}",
                ts=ts,
                seq=ts - T0,
                score=float(chance.random()),
                threshold=0.5,
                kept_as=SAMPLE,
                strata={"age_band": ("18-20", "35-49")[i % 2]},
                values=values,
            )
        )
        if mule or i % 3:
            labels.append(
                Label(
                    event_id=f"l{i}",
                    about=f"event:e{i}",
                    label="confirmed" if mule else "innocent",
                    at=ts + DAY,
                    origin="random_review",
                )
            )
    ExampleStore(data / "examples").add("t0", examples)
    LabelBook(data / "examples" / "labels.ndjson").add(labels)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first who asks for what is trained leaves a copy of it: training takes seconds."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def trained(tmp_path: Path, run: Any, kept: Path) -> list[dict[str, Any]]:
    """The cards of two challengers, in a data folder of the test's own."""
    data = tmp_path / "linewatch-data"
    if not (kept / "said.ndjson").exists():
        filled(data)
        span = ("--from", "2026-03-01", "--to", "2026-05-15")
        said = run("models", "retrain", "mule_account", *span, "--by", "ann", "--json")
        assert said.status == 0, said.err
        shutil.copytree(data, kept / "data")
        (kept / "said.ndjson").write_text(said.out)
    else:
        shutil.copytree(kept / "data", data)
    return [json.loads(line) for line in (kept / "said.ndjson").read_text().splitlines()]


def test_before_anything_is_trained_the_authors_stand(run: Any) -> None:
    said = run("models", "list", "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert said.status == 0
    assert {row["stands"] for row in rows} == {"champion"}
    assert run("models", "show", "x").status == 1
    assert "linewatch models retrain" in run("models", "rollback", "mule_account").err


def test_retraining_registers_challengers_with_cards_and_pictures(
    trained: list[dict[str, Any]], run: Any, tmp_path: Path
) -> None:
    scorecard, trees = trained
    assert (scorecard["kind"], trees["kind"]) == ("scorecard", "boosted")
    assert scorecard["made_by"] == "ann"
    assert scorecard["labels"]["random_review"]["confirmed"] > 10
    assert scorecard["code_commit"]
    said = run("models", "show", scorecard["version"], "--plots", "pictures")
    assert said.status == 0
    assert "random_review" in said.out
    assert "validation, age_band 18-20" in said.out
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4
    said = run(
        "models", "compare", scorecard["version"], "--from", "2026-05-01", "--to", "2026-05-15", "--json"
    )
    told = json.loads(said.out)
    assert set(told["versions"]) == {f"mule_account-{MuleAccount.version}.0", scorecard["version"]}
    assert 0.0 <= told["subjects"]["agreement"] <= 1.0
    assert (
        run("models", "compare", trees["version"], "--from", "2026-05-01", "--to", "2026-05-15").status == 0
    )


def test_promotion_needs_a_second_person_and_reaches_the_flow_once(
    trained: list[dict[str, Any]], run: Any, tmp_path: Path
) -> None:
    data, version = tmp_path / "linewatch-data", trained[0]["version"]
    for second in ("", "ann"):
        said = run("models", "promote", version, "--by", "ann", "--agreed-by", second, "--reason", "better")
        assert said.status == 1
    assert not (data / "control").exists()
    said = run("models", "promote", version[:-2], "--by", "ann", "--agreed-by", "bob", "--reason", "better")
    assert said.status == 0, said.err
    rows = [json.loads(line) for line in (data / "control" / "models.ndjson").read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["activate", "threshold"]
    assert rows[0]["body"]["weights"]["version"] == version
    assert rows[1]["body"]["threshold"] == trained[0]["threshold"]
    assert rows[0]["body"]["promotion"] == {
        "stage": "promote",
        "by": "ann",
        "agreed_by": "bob",
        "why": "better",
    }
    assert publish(registry_of(data), data) == ()
    # what decisions teach from now on begins at the new champion
    assert lineage_of(data, MuleAccount).in_force.version == version
    listed = [json.loads(line) for line in run("models", "list", "mule_account", "--json").out.splitlines()]
    assert {row["version"]: row["stands"] for row in listed}[version] == "champion"
    # the flow can obey the rows
    frame = pl.DataFrame(
        {
            "source": "s",
            "kind": [r["kind"] for r in rows],
            "detector": [r["detector"] for r in rows],
            "body": [json.dumps(r["body"]) for r in rows],
        }
    )
    control = pl.concat([empty("control"), frame], how="diagonal_relaxed")
    tick = Tick(number=0, first_seq=0, rows={"control": control}, rejected=(), counts={})
    assert refused(tick) == ()


def test_a_version_alerts_from_where_two_people_promoted_it(
    trained: list[dict[str, Any]], run: Any, tmp_path: Path
) -> None:
    data, (first, second) = tmp_path / "linewatch-data", (each["version"] for each in trained)
    people = ("--by", "ann", "--agreed-by", "bob", "--reason", "as many alerts")
    for wrong in ("0", "1", "1.5"):
        said = run("models", "promote", first, "--threshold", wrong, *people)
        assert said.status == 1
        assert "between 0 and 1" in said.err
    said = run("models", "challenge", first, "--threshold", "0.6", *people)
    assert said.status == 1
    assert "does not go with challenge" in said.err
    assert not (data / "control").exists()
    said = run("models", "promote", first, "--threshold", "0.625", *people)
    assert said.status == 0, said.err
    assert "to alert from 0.625" in said.out
    registry = registry_of(data)
    assert standing(registry, MuleAccount, first)[1] == 0.625
    listed = [json.loads(line) for line in run("models", "list", "mule_account", "--json").out.splitlines()]
    assert {row["version"]: row["alerts from"] for row in listed}[first] == "0.6250"
    assert "0.6250, as it was promoted" in run("models", "show", first).out
    assert json.loads(run("models", "show", first, "--json").out)["alerts_from"] == 0.625
    # the one after it alerts from its card's, and what is put back from its own again
    assert run("models", "promote", second, *people).status == 0
    assert run("models", "rollback", "mule_account", *people).status == 0
    rows = [json.loads(line) for line in (data / "control" / "models.ndjson").read_text().splitlines()]
    lines = [row["body"]["threshold"] for row in rows if row["kind"] == "threshold"]
    assert lines == [0.625, trained[1]["threshold"], 0.625]


def test_decisions_reach_the_flow_as_they_were_whatever_came_later(
    trained: list[dict[str, Any]], tmp_path: Path
) -> None:
    data, (first, second) = tmp_path / "linewatch-data", (each["version"] for each in trained)
    registry = registry_of(data)
    for version, threshold in ((first, None), (second, 0.3), (first, 0.625)):
        registry.promote(version, by="ann", agreed_by="bob", why="better", threshold=threshold)
    publish(registry, data)
    rows = [json.loads(line) for line in (data / "control" / "models.ndjson").read_text().splitlines()]
    lines = [row["body"]["threshold"] for row in rows if row["kind"] == "threshold"]
    assert lines == [trained[0]["threshold"], 0.3, 0.625]


def test_rolling_back_gives_the_author_the_word_again(
    trained: list[dict[str, Any]], run: Any, tmp_path: Path
) -> None:
    data, version = tmp_path / "linewatch-data", trained[0]["version"]
    run("models", "promote", version, "--by", "ann", "--agreed-by", "bob", "--reason", "better")
    said = run("models", "rollback", "mule_account", "--by", "cat", "--agreed-by", "bob", "--reason", "worse")
    assert said.status == 0, said.err
    rows = [json.loads(line) for line in (data / "control" / "models.ndjson").read_text().splitlines()]
    assert rows[-2]["body"]["weights"]["version"] == f"mule_account-{MuleAccount.version}.0"
    assert rows[-1]["body"]["threshold"] == MuleAccount.threshold
    assert lineage_of(data, MuleAccount).learnt == MuleAccount.scorecard().version


def test_what_two_people_promoted_scores_in_the_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    own = MuleAccount.scorecard().version
    promoted = msgspec.structs.replace(own, version=f"mule_account-{MuleAccount.version}.rtest")
    inputs = write_streams(MuleAccount.examples()[:1], tmp_path)
    made = registry_of(tmp_path, make=True)
    registry = Registry(made.folder, made._signer, clock=lambda: moment("2026-01-01"))
    registry.register(
        Card(
            version=promoted.version,
            lineage="mule_account",
            detector="mule_account",
            detector_version=MuleAccount.version,
            kind="scorecard",
            purpose="a test",
            not_for="anything else",
            inputs=tuple(promoted.weights),
            threshold=0.4,
            made_at=1,
            made_by="ann",
            code_commit="none",
        ),
        msgspec.to_builtins(promoted),
    )
    registry.promote(promoted.version, by="ann", agreed_by="bob", why="to see it score", threshold=0.45)
    publish(registry, tmp_path)
    url = f"sqlite:///{tmp_path / 'alerts.sqlite'}"
    replay(RunOptions(inputs=inputs, store=url, data=tmp_path, bound=False))
    store = AlertStore(url)
    alerts = store.alerts(detector="mule_account")
    store.close()
    assert {alert.model_version for alert in alerts} == {promoted.version}
    assert {alert.assessment.threshold for alert in alerts} == {0.45}


def test_trees_challenge_and_are_promoted_by_name_and_digest(
    trained: list[dict[str, Any]], run: Any, tmp_path: Path
) -> None:
    version, data = trained[1]["version"], tmp_path / "linewatch-data"
    assert run("models", "challenge", version, "--by", "ann", "--reason", "to be compared").status == 0
    listed = [json.loads(line) for line in run("models", "list", "--json").out.splitlines()]
    assert {row["version"]: row["stands"] for row in listed}[version] == "challenger"
    said = run("models", "promote", version, "--by", "ann", "--agreed-by", "bob", "--reason", "better")
    assert said.status == 0, said.err
    rows = [json.loads(line) for line in (data / "control" / "models.ndjson").read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["challenge", "activate", "threshold"]
    assert set(rows[1]["body"]["model"]) == {"kind", "version", "digest"}
    for row in rows:
        body = json.dumps(row["body"])
        assert obeyed(row["kind"], row["detector"], body, Shelf(data))[1] is None
    assert not learns(data, "mule_account")  # decisions teach scorecards, and no tree
    run("models", "rollback", "mule_account", "--by", "cat", "--agreed-by", "bob", "--reason", "worse")
    assert learns(data, "mule_account")


def test_an_altered_version_is_told_and_not_used(
    trained: list[dict[str, Any]], run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "linewatch-data" / "models" / "versions" / trained[0]["version"] / "weights.json"
    path.write_bytes(path.read_bytes().replace(b"0.", b"1.", 1))
    said = run(
        "models", "promote", trained[0]["version"], "--by", "ann", "--agreed-by", "bob", "--reason", "better"
    )
    assert said.status == 1
    assert "altered" in said.err


@pytest.mark.parametrize(
    "line",
    [
        "models retrain mule_account",
        "models retrain mule_account --from 2026-05-01 --to 2026-03-01",
        "models retrain mule_account --from spring --to 2026-03-01",
        "models retrain mule_account --from 2026-03-01 --to 2026-03-15",
        "models retrain mule_account --from 2026-03-01 --to 2026-03-15 --horizon 2",
        "models retrain nobody --from 2026-03-01 --to 2026-03-15",
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(line: str, run: Any) -> None:
    said = run(*line.split())
    assert said.status == 1
    assert said.err.startswith("linewatch: ")
    assert "Traceback" not in said.err


def test_a_date_is_its_midnight() -> None:
    assert moment("2026-03-01") == int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1e6)
    assert moment("2026-03-01T01:00:00+01:00") == moment("2026-03-01")
    assert moment("2026-03-02") - moment("2026-03-01") == timedelta(days=1) // timedelta(microseconds=1)


def test_a_champion_is_held_to_what_it_scored_with_what_it_had_learnt_by_then() -> None:
    about = detector("mule_account")
    own = about.scorecard()
    names = [signal.feature for signal in about.signals]
    frame = pl.DataFrame(
        {
            "score": [0.9, 0.9, 0.9],
            "model_version": [f"{own.name}+3.abc", own.name, "mule_account-4.rother+3.abc"],
        }
        | {f"{VALUE}{name}": [1.0] * 3 for name in names}
    )
    anew = own.score(values_of(frame, names))
    assert anew[0] != 0.9
    assert as_it_scored(frame, own, names).tolist() == [0.9, anew[1], anew[2]]
    assert as_it_scored(frame.drop("score"), own, names).tolist() == anew.tolist()


def test_a_challenger_alerts_as_often_as_the_champion_does_from_where_people_set_it() -> None:
    frame = pl.DataFrame(
        {"ts": [3, 2, 1, 4], "seq": [3, 2, 1, 4], "threshold": [0.2, 0.4, 0.5, 0.9],
         "model_version": ["m-1.0+9.abc", "m-1.0", "m-1.0", "m-1.05"]}
    )  # fmt: skip
    assert as_people_set_it(frame, "m-1.0", 0.5) == 0.2
    assert as_people_set_it(frame, "m-1.r1", 0.5) == 0.5
    assert as_people_set_it(frame.drop("threshold"), "m-1.0", 0.5) == 0.5
