"""`linewatch fairness` as it is typed: who stands out, and what a program is told of it."""

import json
from pathlib import Path
from typing import Any

from console.retraining import moment
from detectors.mule_account import MuleAccount
from models.examples import SAMPLE, Example, ExampleStore
from models.labels import Label, LabelBook

DAY = 86_400_000_000
T0 = moment("2026-03-01")
SPAN = ("--from", "2026-03-01", "--to", "2026-04-01")


def filled(data: Path, young: float) -> None:
    """Four hundred subjects in two age bands, all known to be innocent; of the young some share is alerted about."""
    examples = [
        Example(
            event_id=f"e{i}",
            detector="mule_account",
            detector_version=MuleAccount.version,
            model_version="m",
            subject=f"account:{i:032x}",
            ts=T0 + i,
            seq=i,
            score=0.9 if i // 2 < 200 * (young if i % 2 else 0.1) else 0.1,
            threshold=0.5,
            kept_as=SAMPLE,
            strata={"age_band": "18-20" if i % 2 else "35-49", "hair": "red" if i % 2 else "brown"},
            values={signal.feature: 0.0 for signal in MuleAccount.signals},
        )
        for i in range(400)
    ]
    ExampleStore(data / "examples").add("t0", examples)
    LabelBook(data / "examples" / "labels.ndjson").add(
        Label(event_id=f"l{i}", about=f"event:e{i}", label="innocent", at=T0 + DAY, origin="random_review")
        for i in range(400)
    )


def test_a_stratum_that_is_watched_too_much_is_an_alarm(run: Any, tmp_path: Path) -> None:
    filled(tmp_path / "linewatch-data", young=0.4)
    said = run("fairness", "mule_account", *SPAN, "--json", "--metrics", "out.prom")
    assert said.status == 3, said.err
    told = json.loads(said.out)
    assert list(told["strata"]) == ["age_band"]  # what is no lawful stratum is not looked at
    assert {(alarm["stratum"], alarm["measure"]) for alarm in told["alarms"]} == {
        ("18-20", "alerted"),
        ("18-20", "wrongly"),
    }
    measured = (tmp_path / "out.prom").read_text()
    assert 'linewatch_fairness_alarms{by="age_band",detector="mule_account"} 2.0' in measured
    assert 'measure="alerted",stratum="18-20"} 0.4' in measured
    assert "Stands out: alerted 40.0%" in run("fairness", "mule_account", *SPAN).out


def test_what_is_even_is_said_to_be_so(run: Any, tmp_path: Path) -> None:
    filled(tmp_path / "linewatch-data", young=0.1)
    said = run("fairness", "mule_account", *SPAN)
    assert said.status == 0, said.err
    assert "No stratum stands out" in said.out
    assert "10.0%" in said.out
    assert run("fairness", "mule_account").status == 1
    assert "examples" in run("fairness", "app_scam", *SPAN).err
