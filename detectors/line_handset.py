"""A line's handset: SIM cards and phones change round one number that is rung as drugs lines are.

Whoever holds a line knows that phones are evidence. So the SIM is moved to another handset every few weeks, a handset takes
one SIM after another, a phone is reset or passed on, and the number, which is the brand, stays. Ordinary people change a
phone every few years. Alone a change says little; round a number whose callers come back every day and are never rung, it
says that somebody takes care not to be found. The one who is handed such a phone may be a child who was made to take it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


class LineHandset(Detector):
    """Scores a number whose SIM or handset changes on each call and text it takes or makes."""

    id = "line_handset"
    title = "SIMs and handsets change round a number that is rung as lines are"
    version = 1
    status = "experimental"
    threat = "county_lines"
    typology = "line_handset"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "pursue"
    claim = "line"
    gate = ((pl.col("handsets_7d") >= 2) | (pl.col("sims_30d") >= 2) | (pl.col("handset.sims_30d") >= 3)) & (
        pl.col("contacters_24h") >= 6
    )
    signals = (
        Signal("handsets_7d", 1, 2, 1.4),  # T6: two handsets in a week
        Signal("sims_30d", 1, 2, 1.2),  # T6
        Signal("handset.sims_30d", 1, 3, 1.0),  # T6: three SIMs in a month
        Signal("contacts_each_24h", 1.15, 2.2, 2.0),  # an order is a call, and another at the door
        Signal("contacts_each_7d", 1.5, 4.5, 1.6, log=True),
        Signal("call_length_7d", 100, 40, 1.0),  # T4
        Signal("talk_share_7d", 0.15, 0.01, 1.0),
        Signal("rung_for_caller_7d", 0.6, 0.1, 1.6),
        Signal("data_7d", 20_000_000, 1_000_000, 1.2, log=True),  # T5
        Signal("texts_each_7d", 1.5, 8, 0.8, log=True),  # T2
    )
    intercept = -8.4
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.2
    harm: ClassVar[dict[str, int]] = {"physical": 3, "psychological": 3, "financial": 1, "community": 3}
    facts = ("contacters_24h", "callers_7d", "bursts_7d", "sim_age")
    place = "home_force"
    active = "contacts_force"
    seen = "seen_force"
    quiet_hours = 96
    misses = "Lines that keep one handset and one SIM, changes of handset hidden by a false IMEI, and lines that work by messenger."
    innocent = (
        "Somebody whose phone was lost, broken or upgraded, and who tries the SIM in an old one meanwhile.",
        "A shop whose SIM is put into whichever phone is charged.",
        "A person in hiding who changes phones for safety, with few contacts.",
    )
    runbook = (
        "List the handsets and SIMs in order of time: does the number stay while they change, and where was each first seen?",
        "Look whether an earlier handset now carries another number with the same callers.",
        "Ask who holds the phone now and whether that is a child or somebody under pressure.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A line that moves to a second handset; a shop with two phones."""
        return (
            Story(
                "the SIM moves to another handset and the same people go on ringing",
                _line("+447700900901", again=True),
                alerts_about=("number:+447700900901",),
            ),
            Story("a shop's SIM is put into another phone", _line("+447700900902", again=False)),
        )


def _line(number: str, *, again: bool) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    base = 910 if again else 940
    for day in range(4):
        phone = "001000000000012" if day < 2 else "001000000000020"
        for k in range(18):
            who = base + (5 * k) % 18 if again else base + (18 * day + k) % 50
            for minutes in (0, 15) if again else (0,):
                at = _START + timedelta(days=day, minutes=35 * k + minutes)
                events.append(
                    (
                        "telecoms",
                        {
                            "event_id": f"t{len(events)}", "ts": at.isoformat(), "source": "operator", "kind": "call",
                            "number": number, "other_number": f"+447700900{who}", "direction": "mt", "phase": "complete",
                            "answered": True, "duration_s": 25 if again else 90, "imei": phone, "imsi": "001010000000001",
                        },
                    )
                )  # fmt: skip
    return events
