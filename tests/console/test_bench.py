"""`linewatch bench` runs and reports. What it measures is never asserted: a busy machine is no mistake."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.rooms import beside

ENGINE = beside("bench.engine", "bench")
INPUTS = beside("bench.inputs", "bench")
PATIENCE_S = 600


def linewatch(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [Path(sys.executable).parent / "linewatch", "bench", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("inputs")
    return INPUTS.make("payments", folder, events=6_000, entities=3_000, seed=7)


def test_the_same_seed_makes_the_same_input(made: Any, tmp_path: Path) -> None:
    again = INPUTS.make("payments", tmp_path, events=6_000, entities=3_000, seed=7)
    other = INPUTS.make("payments", tmp_path, events=6_000, entities=3_000, seed=8)
    assert again.ndjson.read_bytes() == made.ndjson.read_bytes() != other.ndjson.read_bytes()
    assert again.parquet.read_bytes() == made.parquet.read_bytes()


def test_the_twin_finds_what_the_path_finds(made: Any) -> None:
    inputs = {"payments": str(made.ndjson)}
    # the features that the others need are kinds the twin has no plain words for
    order: dict[str, Any] = {
        "detectors": ["mule_account"],
        "inputs": inputs,
        "warm": {"payments": str(made.head(500))},
    }
    path = ENGINE.child({"what": "path"} | order)
    twin = ENGINE.child({"what": "twin"} | order)
    assert path["events"] == twin["events"] == made.events
    assert path["found"] == twin["found"]
    assert path["found"]
    assert path["refused"] == 0
    columns = ENGINE.child({"what": "path"} | order | {"inputs": {"payments": str(made.parquet)}})
    assert columns["found"] == path["found"]
    assert columns["entities"] == path["entities"]
    two = ENGINE.child({"what": "cluster", "other_core": None} | order)
    assert (two["events"], two["found"], two["entities"]) == (made.events, path["found"], path["entities"])
    assert min(two["cpu_shares"]) > 0


def test_latency_tells_every_event_and_names_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--seconds", "2", "--rate", "400", "--accounts", "400", "--folder", str(tmp_path / "inputs")]
    done = linewatch(tmp_path, "latency", *size, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["machine"]["cpu"]
    assert found["path"]["detectors"].keys() >= {"mule_account", "deal_line"}
    assert 0 < found["latency"]["every_event"]["count"] <= 800
    assert found["latency"]["snapshots"]["epochs"] > 0
    ENGINE.report.show(found, as_json=False)
    shown = capsys.readouterr().out
    for words in ("Machine: ", "Python ", "Path: ", "Detectors: ", "every event, written to through"):
        assert words in shown


def test_too_few_events_have_no_99_9th_percentile() -> None:
    import numpy as np

    few, many = (ENGINE._percentiles(np.arange(n) / n) for n in (100, 10_000))
    assert few["p99.9_ms"] is None
    assert many["p99.9_ms"] == pytest.approx(999.0, abs=0.2)
    assert ENGINE._percentiles(np.zeros(0)) == {"count": 0}


def test_a_step_is_told_by_event_and_the_rest_is_told_too() -> None:
    run = {"events": 1_000_000, "seconds": 10.0, "steps": {"door": 4.0, "first_pass": 5.0}}
    assert ENGINE._steps([run]) == {
        "door": {"microseconds": 4.0, "share": 0.4},
        "first_pass": {"microseconds": 5.0, "share": 0.5},
        "between the steps": {"microseconds": 1.0, "share": 0.1},
    }


def test_a_detectors_cost_lies_between_two_of_its_differences() -> None:
    costs = beside("bench.costs", "bench")
    found = [0.3, -0.1, 0.2, 9.0, 0.25, 0.28, 0.22, 0.21, 0.26]
    assert costs.interval(found) == {"median": 0.25, "from": 0.2, "to": 0.3}
    assert costs.interval(found[:3]) == {"median": 0.2, "from": -0.1, "to": 0.3}
    shown = ENGINE.report._costs(
        {
            "events": 65_536,
            "rounds": 9,
            "microseconds_an_event": 5.0,
            "detectors": {"x": costs.interval(found), "y": costs.interval([1.0] * 9)},
        }
    )
    assert "| x | +0.25 | +0.20 to +0.30 | +5.0% |" in shown
    assert shown.index("| y |") < shown.index("| x |")
    assert "Together 1.25: the other 3.75" in shown


def test_the_path_that_detectors_costs_are_measured_on_alerts_as_the_flow_does(made: Any) -> None:
    costs = beside("bench.costs", "bench")
    inputs = {"payments": str(made.parquet)}
    detectors = costs.watched.chosen(["mule_account", "mule_network"], costs.all_detectors())
    with costs.tempfile.TemporaryDirectory() as folder:
        ticks = costs._ticks(inputs, folder, made.events)
    path = costs._Path(detectors)
    alerts = [alert for tick in ticks for done in path.take(tick) for alert in done.alerts]
    order = {
        "inputs": inputs,
        "warm": {"payments": str(made.head(500))},
        "detectors": [d.id for d in detectors],
    }
    flow = ENGINE.child({"what": "path"} | order)
    assert len(alerts) == flow["alerts"] > 0
    assert sorted({(a.detector, a.subjects[0].token) for a in alerts}) == [tuple(x) for x in flow["found"]]
    found = costs.measure(order | {"events": made.events, "rounds": 1})
    assert found["detectors"].keys() == {"mule_account", "mule_network"}
    assert found["events"] == made.events
    assert found["microseconds_an_event"] > 0.0
