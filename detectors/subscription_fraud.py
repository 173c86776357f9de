"""Subscription fraud: contracts in false names, used as hard as they can be until the first bill is not paid.

Somebody takes out several contracts at once, with stolen or invented names, often at one address and tried in one
handset. The handsets are sold, the lines are resold: hours of calls abroad and gigabytes of data from the first hour,
with none of the slow beginning of a customer who has friends, a bank and a dentist. The person whose name it is, if
there is one, is a victim.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class SubscriptionFraud(Detector):
    """Scores a number whose SIM is at most a fortnight old, on its records of a day with a quarter of an hour abroad."""

    id = "subscription_fraud"
    title = "A new contract that calls abroad for hours from its first day"
    version = 2
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "subscription_fraud"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    gate = (
        (pl.col("sim_age") <= 14) & (pl.col("costly_seconds_24h") >= 900) & (pl.col("costly_calls_24h") >= 2)
    )
    signals = (
        Signal("costly_seconds_24h", 900, 5_400, 2.0, log=True),
        Signal("costly_calls_24h", 2, 8, 1.0, log=True),
        Signal("sim_age", 14, 2, 1.4),
        Signal("prepaid", 1, 0, 0.8),
        Signal("costly_share_7d", 0.3, 0.9, 1.0),
        Signal("data_24h", 1e9, 6e9, 1.0, log=True),
        Signal("contacts_7d", 5, 0, 1.4),  # nobody here is rung or texted, and nobody here rings
        Signal("handset.sims_30d", 1, 3, 0.8),
    )
    intercept = -5.2
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"financial": 2}
    facts = ("costly_numbers_24h", "costly_calls_7d")
    place = "home_force"
    seen = "seen_force"
    quiet_hours = 72
    misses = (
        "Contracts taken out for the handset alone and never used, and rings that begin slowly. Who lives at one "
        "address is not looked at."
    )
    innocent = (
        "Somebody newly arrived who calls home: mostly prepaid, to one or two numbers, with calls here as well.",
        "A student or seasonal worker on a first contract: fewer minutes, and contacts here within days.",
        "A firm that gives its travellers new SIMs.",
    )
    runbook = (
        "Ask the operator for the application: name, address, handset, and others like it of the same week.",
        "See whether more new contracts were tried in the same handset or delivered to the same address.",
        "Ask whether the person named has reported that somebody uses their name.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """Two contracts tried in one handset; a newcomer who calls home."""
        return (
            Story(
                "two contracts of one morning, calls abroad all day",
                [*_contract("+447700900001", 0), *_contract("+447700900002", 500)],
                alerts_about=("number:+447700900001", "number:+447700900002"),
            ),
            Story("a newcomer calls home and makes friends", _newcomer("+447700900003")),
        )


def _record(n: int, at: datetime, kind: str, number: str, **more: Any) -> tuple[str, dict[str, Any]]:
    record = {"event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": kind, "number": number}
    return "telecoms", record | more


def _contract(number: str, first: int) -> list[tuple[str, dict[str, Any]]]:
    new = {"prepaid": False, "sim_activated": _START.date().isoformat(), "imei": "001000000000010"}
    new["imsi"] = f"00101{number[-10:]}"
    events: list[tuple[str, dict[str, Any]]] = []
    for day in range(2):
        for k in range(18):
            at = _START + timedelta(days=day, minutes=35 * k + 3 + first / 100)
            events.append(
                _record(
                    first + len(events), at, "call", number, other_number=f"+9993501{k % 4:04d}", direction="mo",
                    phase="complete", answered=True, duration_s=600, **new,
                )
            )  # fmt: skip
            if k % 3 == 0:
                events.append(
                    _record(first + len(events), at, "data", number, bytes_down=900_000_000, bytes_up=9_000_000, **new)
                )  # fmt: skip
    return events


def _newcomer(number: str) -> list[tuple[str, dict[str, Any]]]:
    new = {"prepaid": True, "sim_activated": _START.date().isoformat(), "imei": "001000000000028"}
    events: list[tuple[str, dict[str, Any]]] = []
    for day in range(5):
        for k in range(8):
            at = _START + timedelta(days=day, hours=k)
            home = k in (1, 4, 7)
            other = f"+9993601000{k % 2}" if home else f"+44770090{100 + 10 * day + k:04d}"
            events.append(
                _record(
                    len(events), at, "call", number, other_number=other, direction="mo", phase="complete",
                    answered=True, duration_s=660 if home else 120, **new,
                )
            )  # fmt: skip
    return events
