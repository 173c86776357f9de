"""Revenue share fraud: stolen lines ring numbers whose owners are paid for every minute of it.

Calls to premium-rate numbers and to some ranges abroad earn their owner a share. So somebody takes SIMs got by theft
or in false names, or breaks into a company's telephone exchange (PBX hacking), tries a few short calls, and then rings
a handful of such numbers for hours: one long call after another and several at once, at night and at the weekend,
when nobody looks at the bill. The company whose exchange it is pays for it: it is a victim.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_FRIDAY_NIGHT = datetime(2026, 3, 6, 22, 0, tzinfo=UTC)


class RevenueShare(Detector):
    """Scores a number on each of its records of a day with an hour of calls abroad or to premium rates."""

    id = "revenue_share"
    title = "Hours of calls at once to a few numbers abroad or at premium rates"
    version = 1
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "revenue_share"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    gate = (pl.col("costly_seconds_24h") >= 3_600) & (pl.col("costly_calls_24h") >= 3)
    signals = (
        Signal("costly_seconds_24h", 7_200, 50_000, 2.4, log=True),
        Signal("costly_seconds_1h", 2_400, 7_200, 2.4),  # more than an hour in an hour: several calls at once
        Signal("costly_calls_24h", 3, 20, 1.2, log=True),
        Signal("same_costly_24h", 0.8, 0.3, 0.8),  # a few numbers, again and again
        Signal("costly_share_7d", 0.2, 0.9, 0.8),
        Signal("sim_age", 30, 7, 0.7),
    )
    intercept = -5.4
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"financial": 3}
    facts = ("costly_numbers_24h", "costly_calls_7d", "data_24h")
    place = "home_force"
    seen = "seen_force"
    quiet_hours = 48
    misses = (
        "Slow fraud of a call or two a day, calls to ranges of ordinary price, and exchanges whose calls no "
        "supplier here carries."
    )
    innocent = (
        "A family abroad that is called for an hour every evening: one or two numbers, one call at a time.",
        "A company with customers or works abroad: by day, to many numbers, for years.",
        "A cheap-calls shop or a conference bridge, whose trade it is.",
    )
    runbook = (
        "Ask the operator to hold calls to the ranges called, and for the bill so far.",
        "A company's number: ring its switchboard's owner, who can lock the exchange. A SIM: see how it was bought.",
        "Look who else rang the same numbers within the week.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A hacked exchange at the weekend; a long call home every night; an exporter's working day."""
        return (
            Story(
                "four lines of an exchange at once, all of Friday night",
                _exchange("+447700900001"),
                alerts_about=("number:+447700900001",),
            ),
            Story("an hour with a mother abroad every evening", _home_calls("+447700900002")),
            Story("an exporter calls customers abroad", _exporter("+447700900003")),
        )


def _call(n: int, at: datetime, number: str, other: str, seconds: int) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": "call", "number": number,
        "other_number": other, "direction": "mo", "phase": "complete", "answered": True, "duration_s": seconds,
        "sim_activated": "2023-03-01",
    }  # fmt: skip
    return "telecoms", record


def _exchange(number: str) -> list[tuple[str, dict[str, Any]]]:
    """A working day, then probes, then four calls at a time."""
    events: list[tuple[str, dict[str, Any]]] = []
    for k in range(20):
        at = _FRIDAY_NIGHT - timedelta(hours=12) + timedelta(minutes=20 * k)
        events.append(_call(len(events), at, number, f"+4477009001{k:02d}", 100))
    for k in range(8):
        at = _FRIDAY_NIGHT + timedelta(minutes=2 * k)
        events.append(_call(len(events), at, number, f"+9993101002{k % 3}", 10))
    for hour in range(6):
        for line in range(4):
            at = _FRIDAY_NIGHT + timedelta(hours=1 + hour, minutes=2 * line)
            events.append(_call(len(events), at, number, f"+9993101002{line % 3}", 3_000))
    return events


def _home_calls(number: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        _call(day, _FRIDAY_NIGHT + timedelta(days=day), number, "+99932020201", 3_900) for day in range(7)
    ]


def _exporter(number: str) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    for day in range(3):
        for k in range(9):
            at = _FRIDAY_NIGHT - timedelta(days=4 - day, hours=13) + timedelta(minutes=50 * k)
            events.append(_call(len(events), at, number, f"+9993303{day}0{k:02d}", 420))
            here = at + timedelta(minutes=20)
            events.append(_call(len(events), here, number, f"+44770090{200 + 10 * day + k:04d}", 200))
    return events
