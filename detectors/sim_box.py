"""A SIM box: calls from abroad are put back into the network through rows of local SIMs, to dodge what they cost.

A box holds dozens of SIMs behind a few handset identities. Each SIM calls all day, person after person it never spoke
with before; hardly anybody calls it, it sends no texts and uses no data, it never moves, and after days it is thrown
away and another takes its place. Some boxes act human: they pause at night, send a text now and then, or are carried
about. The handset is what stays, so it is what is looked at; the numbers behind it come and go.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class SimBox(Detector):
    """Scores a handset on each of its records of a day on which it made many calls."""

    id = "sim_box"
    title = "A handset that calls strangers all day with SIMs that do not last"
    version = 2
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "sim_box"
    stream = "telecoms"
    subject = Entity.HANDSET
    four_p = "pursue"
    gate = (pl.col("box_called_24h") >= 15) & (pl.col("box_text_share_24h") <= 0.3)
    signals = (
        Signal("box_called_24h", 15, 60, 1.6, log=True),  # high unique B
        Signal("box_new_share_24h", 0.6, 0.95, 0.9),
        Signal("box_in_out_24h", 0.25, 0.05, 1.6),  # out:in far above 10
        Signal("box_sim_age", 30, 5, 1.6),  # short life
        Signal("sims_30d", 1, 3, 1.8),  # many SIMs in one handset
        Signal("box_places_24h", 4, 1, 0.7),  # static
        Signal("box_data_24h", 20_000_000, 1_000_000, 0.7, log=True),
        Signal("box_text_share_24h", 0.15, 0.02, 0.5),
    )
    # one old SIM that moves about is a courier's, however many it rings and however few ring back
    intercept = -5.7
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"financial": 2, "community": 1}
    facts = ("box_calls_24h", "box_taken_24h")
    quiet_hours = 96
    misses = (
        "Boxes that change the handset's identity with every SIM, boxes that make a dozen calls a day with each, "
        "and everything of suppliers that report no handset."
    )
    innocent = (
        "A courier who rings everybody on the round: moves about, has data and texts, and an old SIM.",
        "A sales office or an estate agent with a new phone: people call back, and there is one SIM.",
        "A gateway that a company uses lawfully for its own calls: ask the operator.",
    )
    runbook = (
        "List the SIMs seen in the handset, how old each was, where they were bought and topped up.",
        "Ask the operator for the cell and sector: does anything else stand there that never moves?",
        "Make a test call from abroad to one of ours: does one of these numbers show?",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A slot through which three SIMs go; couriers' rounds."""
        return (
            Story(
                "three SIMs in one handset, fifty strangers a day",
                _box("001000000000010"),
                alerts_about=("handset:001000000000010",),
            ),
            Story("a courier rings at every door", _courier("001000000000028")),
            Story(
                "a courier rings a hundred doors a day, hardly anybody rings back and the phone is used for little else",
                _courier("001000000000036", calls=100, back=20, data=100),
            ),
        )


def _record(n: int, at: datetime, kind: str, **more: Any) -> tuple[str, dict[str, Any]]:
    record = {"event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": kind}
    return "telecoms", record | more


def _box(handset: str) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    for day in range(3):
        sim = {
            "number": f"+44770090000{day + 1}", "imsi": f"00101000000000{day}", "imei": handset, "prepaid": True,
            "sim_activated": (_START + timedelta(days=day - 1)).date().isoformat(), "cell": "00101-1-1",
        }  # fmt: skip
        for k in range(50):
            at = _START + timedelta(days=day, minutes=11 * k)
            other = f"+44770090{100 + 50 * day + k:04d}"
            taken = k % 2 == 0
            events.append(
                _record(
                    len(events), at, "call", other_number=other, direction="mo", phase="complete",
                    answered=taken, duration_s=140 if taken else 0, **sim,
                )
            )  # fmt: skip
    return events


def _courier(
    handset: str, *, calls: int = 45, back: int = 5, data: int = 40_000_000
) -> list[tuple[str, dict[str, Any]]]:
    """Three days of a round: one SIM, many cells; of so many calls one is rung back."""
    events: list[tuple[str, dict[str, Any]]] = []
    sim = {
        "number": "+447700900009",
        "imsi": "001010000000009",
        "imei": handset,
        "sim_activated": "2024-01-01",
    }
    for day in range(3):
        for k in range(calls):
            at = _START + timedelta(days=day, minutes=540 * k // calls)
            other, cell = f"+44770090{300 + calls * day + k:04d}", f"00101-{20 + k // 4}-1"
            events.append(
                _record(
                    len(events), at, "call", other_number=other, direction="mo", phase="complete", answered=True,
                    duration_s=20, cell=cell, **sim,
                )
            )  # fmt: skip
            if k % back == 0:
                rung = at + timedelta(minutes=4)
                events.append(
                    _record(
                        len(events), rung, "call", other_number=other, direction="mt", phase="complete",
                        answered=True, duration_s=25, cell=cell, **sim,
                    )
                )  # fmt: skip
                events.append(_record(len(events), rung, "data", bytes_down=data, cell=cell, **sim))
    return events
