"""Wangiri, "one ring and gone": thousands are rung once so that the curious call back a number that costs them dear.

A campaign rings number after number and hangs up before anybody can answer. Whoever calls back reaches a premium-rate
or foreign number, music, and a bill. The numbers are mostly foreign, so that nobody here reports for them: what is
known comes from the records of those who were rung. Some campaigns dial from SIMs on our own networks instead.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Wangiri(Detector):
    """Scores a number, of ours or not, on each call it makes that reaches nobody, and on each call back."""

    id = "wangiri"
    title = "A number that rings one stranger after another and hangs up"
    version = 1
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "wangiri"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    gate = (pl.col("rung_1h") >= 12) & (pl.col("unreached_share_24h") >= 0.7)
    signals = (
        Signal("rung_1h", 12, 40, 2.2, log=True),  # 6.6: many attempts, high unique B
        Signal("unreached_share_24h", 0.7, 0.95, 2.2),  # 6.6: 0 to 3 seconds
        Signal("rung_back_24h", 0, 4, 1.4, log=True),  # 6.6: call-backs within the hour
        Signal("sim_age", 30, 3, 0.6),
    )
    intercept = -3.6
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"financial": 2, "community": 1}
    facts = ("rings_24h", "made_24h")
    seen = "seen_force"
    quiet_hours = 24
    misses = (
        "Campaigns of a few rings an hour from each of very many numbers, and those whose rings a network abroad "
        "drops before they are recorded here."
    )
    innocent = (
        "A taxi office that rings customers at the door: people who had just called it, and drivers who answer.",
        "A call centre's dialling machine: many do answer, and it keeps office hours.",
        "A survey, a charity or an alarm service that rings a list once.",
    )
    runbook = (
        "Ask the operators to stop calls back to the number and its neighbours in the range.",
        "Look at the length of the calls back: who was billed, and for how much?",
        "A British number: see where its SIM is and what else is in the handset. It may be shown falsely.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A foreign number's morning; a taxi office; a call centre."""
        return (
            Story(
                "a foreign number rings eighty people in half an hour",
                _campaign("+99922100001"),
                alerts_about=("number:+99922100001",),
            ),
            Story("a taxi office rings at the door", _taxis("+447700900001")),
            Story("a call centre abroad reaches one in three", _centre("+99923200001")),
        )


def _call(
    n: int, at: datetime, number: str, other: str, direction: str, seconds: int = 0, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": "call", "number": number,
        "other_number": other, "direction": direction, "phase": "complete", "duration_s": seconds,
        "answered": seconds > 0,
    }  # fmt: skip
    return "telecoms", record | more


def _campaign(caller: str) -> list[tuple[str, dict[str, Any]]]:
    events = [
        _call(
            k, _START + timedelta(seconds=20 * k), f"+44770090{100 + k:04d}", caller, "mt", ingress="international"
        )
        for k in range(80)
    ]  # fmt: skip
    for k in range(0, 80, 16):
        at = _START + timedelta(minutes=10 + k)
        events.append(_call(100 + k, at, f"+44770090{100 + k:04d}", caller, "mo", 70))
    return events


def _taxis(office: str) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    for k in range(40):
        at = _START + timedelta(minutes=2 * k)
        customer = f"+44770090{300 + k:04d}"
        events.append(_call(len(events), at, office, customer, "mt", 30))
        driver = f"+4477009002{k % 5:02d}"
        events.append(_call(len(events), at + timedelta(minutes=1), office, driver, "mo", 15))
        events.append(_call(len(events), at + timedelta(minutes=9), office, customer, "mo"))
    return events


def _centre(caller: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        _call(
            k, _START + timedelta(seconds=40 * k), f"+44770090{400 + k:04d}", caller, "mt",
            90 if k % 3 == 0 else 0, ingress="international",
        )
        for k in range(80)
    ]  # fmt: skip
