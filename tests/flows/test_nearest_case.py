"""The nearest confirmed case: a decision with its values is known from its place in the one order on, and not before."""

import json
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path

import pytest

from alerts.record import Fire, NearestCase
from console.retraining import ticks_of
from detectors.mule_account import MuleAccount
from flows.controls import fault
from flows.national_hop import NationalHop
from flows.walking import Walk
from models.nearest import KEPT, Confirmed
from models.scorecard import Signal

EARLIER = "ab" * 16


def heard(
    folder: Path, decision: timedelta | None, outcome: str = "confirmed", like: Fire | None = None
) -> list[Fire]:
    """What a mule's story says, with a decision about an earlier alert so long before its last payment."""
    records = [dict(record) for _, record in MuleAccount.examples()[0].events]
    (folder / "payments.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))
    inputs = {"payments": [str(folder / "payments.ndjson")]}
    if decision is not None:
        values = {signal.feature: signal.value_at(0.9) for signal in MuleAccount.signals}
        if like is not None:
            values = {
                name: value for name, value in like.features.items() if value is not None and isfinite(value)
            }
        row = {
            "event_id": "d1",
            "ts": (datetime.fromisoformat(str(records[-1]["ts"])) - decision).isoformat(),
            "source": "desk",
            "kind": "decision",
            "detector": "mule_account",
            "body": {"alert_id": EARLIER, "outcome": outcome, "features": values},
        }
        (folder / "control.ndjson").write_text(json.dumps(row) + "\n")
        inputs["control"] = [str(folder / "control.ndjson")]
    fires: list[Fire] = []
    walk = Walk([MuleAccount], fires.append)
    for tick in ticks_of(folder, inputs):
        walk.take(tick)
    return fires


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)


def test_a_firing_names_the_confirmed_alert_it_is_most_like(tmp_path: Path) -> None:
    like = heard(tmp_path, None)[-1]
    fires = heard(tmp_path, timedelta(days=200), like=like)
    case = fires[-1].nearest
    assert case is not None
    assert (case.alert_id, case.likeness) == (EARLIER, 1.0)
    assert set(case.alike) <= {signal.feature for signal in MuleAccount.signals}
    assert case.words.startswith("about the same: ")
    assert {fire.subject.token for fire in fires}.isdisjoint(case.words.split())


def test_what_is_not_yet_decided_or_was_not_confirmed_is_no_case(tmp_path: Path) -> None:
    assert {fire.nearest for fire in heard(tmp_path, None)} == {None}
    assert {fire.nearest for fire in heard(tmp_path, timedelta(days=200), "innocent")} == {None}
    assert {fire.nearest for fire in heard(tmp_path, timedelta(days=-1))} == {None}
    assert fault("decision", "", json.dumps({"alert_id": "a", "outcome": None, "features": 3})) is not None


def test_cases_outlive_a_restart() -> None:
    values = {signal.feature: signal.value_at(1.0) for signal in MuleAccount.signals}
    one, whole, after = (NationalHop(detectors=[MuleAccount]) for _ in range(3))
    one.confirmed["mule_account"].confirm(EARLIER, values)
    whole.load([one.dump()])
    assert whole.confirmed["mule_account"].nearest(values) == one.confirmed["mule_account"].nearest(values)
    assert whole.digest() == one.digest() != after.digest()


SIGNALS = (Signal("senders", 0, 10, 1.0), Signal("pounds", 0, 100_000, 1.0), Signal("hours", 48, 0, 1.0))
WORDS = {"senders": "people who paid in", "pounds": "money in", "hours": "time it stayed"}


def test_likeness_is_by_strength_and_not_by_the_size_of_numbers() -> None:
    known = Confirmed(SIGNALS, WORDS)
    known.confirm("far", {"senders": 0.0, "pounds": 50_000, "hours": 48})
    known.confirm("near", {"senders": 9, "pounds": 40_000, "hours": None})
    case = known.nearest({"senders": 9, "pounds": 49_000, "hours": None})
    assert case == NearestCase(
        "near", pytest.approx(0.955), ("senders", "pounds"), "about the same: people who paid in; money in"
    )
    known.take_back("near")
    assert known.nearest({"senders": 10, "pounds": 0, "hours": 0}) is None


def test_only_the_latest_are_remembered() -> None:
    known = Confirmed(SIGNALS, WORDS)
    for n in range(KEPT + 3):
        known.confirm(f"a{n}", {"senders": 5})
    assert len(known) == KEPT
    case = known.nearest({"senders": 5})
    assert case is not None
    assert case.alert_id == f"a{KEPT + 2}"  # of equals the latest
