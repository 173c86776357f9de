"""`linewatch backtest` as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from detectors.mule_account import MuleAccount


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A mule's payments, and a label that confirms one of them."""
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    told = MuleAccount.examples()[0]
    records = [dict(record) for _, record in told.events]
    payments = tmp_path / "payments.ndjson"
    payments.write_text("".join(json.dumps(record) + "\n" for record in records))
    last = records[-1]
    label = {
        "event_id": "l1",
        "ts": "2027-01-01T00:00:00Z",
        "source": "bank",
        "about": f"event:{last['event_id']}",
        "label": "confirmed",
        "subjects": list(told.alerts_about),
        "role": "complicit",
        "typology": "mule_account",
        "origin": "bank",
    }
    labels = tmp_path / "labels.ndjson"
    labels.write_text(json.dumps(label) + "\n")
    return ["--payments", str(payments), "--labels", str(labels)]


def test_thresholds_are_forecast_side_by_side(story: list[str], run: Any, tmp_path: Path) -> None:
    asked = ["backtest", "--detector", "mule_account", "--threshold", "0.5", "--threshold", "0.3"]
    said = run(*asked, "--capacity", "all=0", *story, "--json", "--out", "report", "--plots", "svg")
    assert said.status == 0, said.err
    told = json.loads(said.out)
    assert [each["threshold"] for each in told["forecasts"]] == [0.3, 0.5]
    low, high = told["forecasts"]
    assert low["alerts"] >= high["alerts"] > 0
    assert high["precision"]["count"] == 1
    assert high["missed"]["crimes"] == 1
    assert high["missed"]["alerted"]["count"] == 1
    assert high["missed"]["reached"]["count"] == 0  # nobody works anything
    assert high["missed"]["not_reached_minor"] == high["missed"]["minor"] > 0
    assert json.loads((tmp_path / "report" / "result.json").read_bytes()) == told
    assert "threshold" in (tmp_path / "report" / "backtest.svg").read_text()
    tables = run(*asked, *story)
    assert tables.status == 0
    assert "alerted in time" in tables.out
    assert not (tmp_path / "linewatch-data" / "alerts.sqlite").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--capacity", "london"], "campus=N"),
        (["--capacity", "mars=3"], "no campus"),
        (["--threshold", "1.5"], "between 0 and 1"),
        (["--model", "mule_account-9.r0"], "no version"),
        (["--payments", "nowhere.ndjson"], "no such file"),
        (["--from", "2036-01-01"], "nothing in that time"),
    ],
)
def test_what_cannot_be_is_said_plainly(more: list[str], words: str, story: list[str], run: Any) -> None:
    said = run("backtest", "--detector", "mule_account", *story, *more)
    assert said.status == 1
    assert words in said.err
