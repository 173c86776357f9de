"""Walking through history in one process: what is heard is what the flow would have raised."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from alerts.record import Alert, Assessment
from alerts.store import AlertStore
from console.retraining import ticks_of
from detectors.discovery import detector
from flows.backtesting import Backtest, labels_of
from flows.running import RunOptions, replay
from flows.walked import Walked
from models.labels import Label

KINDS = ("mule_account", "card_testing", "call_during_payment", "mule_network")
"""One of each kind: rows of accounts, a thing, two streams, a network."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]], list[Alert]]:
    """The stories of all kinds as one history, and what the flow raised on it."""
    folder = tmp_path_factory.mktemp("told")
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    stories = [story for name in KINDS for story in detector(name).examples()]
    events: dict[str, list[dict[str, Any]]] = {}
    for n, story in enumerate(stories):
        for stream, record in story.events:
            events.setdefault(stream, []).append(dict(record) | {"event_id": f"s{n}-{record['event_id']}"})
    inputs = {}
    for stream, records in events.items():
        path = folder / f"{stream}.ndjson"
        records.sort(key=lambda record: str(record["ts"]))
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        inputs[stream] = [str(path)]
    url = f"sqlite:///{folder / 'alerts.sqlite'}"
    replay(
        RunOptions(
            inputs={stream: tuple(where) for stream, where in inputs.items()},
            store=url,
            data=folder,
            bound=False,
        )
    )
    store = AlertStore(url)
    alerts = [store.revision(alert.alert_id, 1) for alert in store.alerts()]
    store.close()
    yield folder, inputs, alerts  # type: ignore[misc]
    patch.undo()


@pytest.mark.parametrize("name", KINDS)
def test_a_backtest_raises_what_the_flow_raised(
    name: str, told: tuple[Path, dict[str, list[str]], list[Alert]]
) -> None:
    folder, inputs, alerts = told
    about = detector(name)
    run = Backtest(about, 0.05)
    assert list(run.run(ticks_of(folder, inputs)))[-1] == run.events > 0
    first = [alert for alert in run.alerts(about.threshold) if alert.revision == 1]
    raised = [alert for alert in alerts if alert.detector == name]
    assert raised
    assert sorted((a.alert_id, a.raised_ts, a.owner.org_id) for a in first) == sorted(
        (a.alert_id, a.raised_ts, a.owner.org_id) for a in raised
    )
    assert {a.alert_id: a.assessment.features for a in first} == {
        a.alert_id: a.assessment.features for a in raised
    }


def test_thresholds_of_one_run_are_those_of_runs_of_their_own(
    told: tuple[Path, dict[str, list[str]], list[Alert]],
) -> None:
    folder, inputs, _ = told
    together = Backtest(detector("mule_account"), 0.1)
    alone = Backtest(detector("mule_account"), 0.6)
    for run in (together, alone):
        assert list(run.run(ticks_of(folder, inputs)))
    # the smallest change that would not have alerted is told of the lowest threshold: nobody reads it here
    one, other = (
        [msgspec.structs.replace(alert, assessment=Assessment()) for alert in run.alerts(0.6)]
        for run in (together, alone)
    )
    assert one == other
    assert len(list(together.alerts(0.1))) >= len(list(together.alerts(0.6))) > 0


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_detector_has_a_past_to_learn_from(
    name: str, told: tuple[Path, dict[str, list[str]], list[Alert]]
) -> None:
    folder, inputs, alerts = told
    about = detector(name)
    walked = Walked(about)
    for tick in ticks_of(folder, inputs):
        walked.take(tick)
    rows = walked.gated()
    assert walked.height == rows.height
    assert set(rows["detector"]) == {name}
    assert rows.filter(pl.col("score") < about.threshold).height > 0  # not only what would have alerted
    found = {(row["event_id"], row["subject"]): row for row in rows.iter_rows(named=True)}
    for alert in (each for each in alerts if each.detector == name):
        row = found[alert.assessment.scored_event_id, alert.subject.name]
        assert row["score"] == alert.score
        for signal in about.signals:
            value = row[f"v.{signal.feature}"]
            assert (None if np.isnan(value) else value) == alert.assessment.features[signal.feature]


def test_a_confirmed_event_is_a_crime_of_those_in_it(
    told: tuple[Path, dict[str, list[str]], list[Alert]],
) -> None:
    folder, inputs, alerts = told
    alert = next(alert for alert in alerts if alert.detector == "mule_account")
    label = Label(
        event_id="l1",
        about=f"event:{alert.first_event_id}",
        label="confirmed",
        at=alert.raised_ts + 86_400_000_000,
        origin="bank",
    )
    run = Backtest(detector("mule_account"), 0.5, labels=(label,))
    assert list(run.run(ticks_of(folder, inputs)))
    (crime,) = run.crimes(run.labels, run.opens, run.closes + 1, label.at)
    assert alert.subject.name in crime.subjects
    assert crime.minor > 0
    assert run.crimes(run.labels, run.opens, run.closes + 1, label.at - 1) == ()
    assert labels_of([]) == ()
