"""A farm of fraud texts: banks of SIMs that text thousands of strangers a link to a false bank or parcel office.

SIMs bought in bulk sit in a few handsets, each sends to number after number, from a list or straight through a range,
until it is blocked after hours or days, and the next takes over. Nobody texted is known to the sender, nobody is
texted twice, and next to nobody answers. That tells it from a drugs line (the same people again, who call back), a
hairdresser (regulars, office hours) and an organiser (one burst).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class SmishingFarm(Detector):
    """Scores a handset on each of its records of a day on which it texted many people."""

    id = "smishing_farm"
    title = "A handset that texts strangers by the hundred, unanswered"
    version = 2
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "smishing_farm"
    stream = "telecoms"
    subject = Entity.HANDSET
    four_p = "pursue"
    gate = (
        (pl.col("box_texted_24h") >= 40)
        & (pl.col("box_texted_share_24h") >= 0.8)
        # answers take their time: of one burst by one SIM nothing can be said yet
        & ((pl.col("box_burst_share_24h") <= 0.75) | (pl.col("sims_30d") >= 3))
    )
    signals = (
        Signal("box_texted_24h", 40, 200, 1.6, log=True),
        Signal("box_texted_share_24h", 0.8, 0.97, 1.0),  # no repeat recipients
        Signal("box_answer_share_24h", 0.03, 0.006, 1.4),  # near-zero replies
        Signal("box_burst_share_24h", 0.9, 0.5, 1.0),  # hour after hour, not one burst
        # hours to days: without this or more SIMs than one, it may as well be a takeaway that texts "on its way"
        Signal("box_sim_age", 14, 2, 2.0),
        Signal("sims_30d", 1, 3, 1.6),  # many SIMs in one handset
        Signal("box_text_share_24h", 0.7, 0.98, 0.6),  # no calls
        Signal("box_data_24h", 20_000_000, 1_000_000, 0.6, log=True),
    )
    intercept = -6.5
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"financial": 3, "community": 1}
    facts = ("box_texts_24h", "box_texts_1h", "box_answers_24h")
    quiet_hours = 48
    misses = (
        "Senders that spread a campaign over very many SIMs with a few texts each, false base stations, texts by "
        "internet messengers, and everything of suppliers that report no handset."
    )
    innocent = (
        "An organiser who announces one event to a long list: one burst, an older SIM, some answers.",
        "A hairdresser, garage or club: the same people again, calls beside the texts, data.",
        "A school or firm that texts from a handset in an emergency.",
    )
    runbook = (
        "List the SIMs seen in the handset, when each was activated and where it was bought.",
        "Ask the operator to hold texts from the SIMs and for the rate at which people reported them as junk.",
        "Ask banks and parcel firms for reports of a false message in the hours of the campaign.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A slot of a farm; an organiser's one burst."""
        return (
            Story(
                "two SIMs, four hundred strangers, no answer",
                _farm("001000000000010"),
                alerts_about=("handset:001000000000010",),
            ),
            Story("an organiser tells three hundred people of one evening", _organiser("001000000000028")),
        )


def _text(n: int, at: datetime, other: str, direction: str = "mo", **more: Any) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": "sms", "other_number": other,
        "direction": direction,
    }  # fmt: skip
    return "telecoms", record | more


def _farm(handset: str) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    for one in range(2):
        sim: dict[str, Any] = {
            "number": f"+44770090000{one + 1}", "imsi": f"00101000000000{one}", "imei": handset, "prepaid": True,
            "sim_activated": _START.date().isoformat(), "cell": "00101-1-1",
        }  # fmt: skip
        for k in range(200):
            at = _START + timedelta(hours=5 * one, seconds=80 * k)
            events.append(_text(len(events), at, f"+44770090{100 + 200 * one + k:04d}", **sim))
    return events


def _organiser(handset: str) -> list[tuple[str, dict[str, Any]]]:
    sim = {
        "number": "+447700900009",
        "imsi": "001010000000009",
        "imei": handset,
        "sim_activated": "2024-01-01",
    }
    events = [
        _text(k, _START + timedelta(seconds=3 * k), f"+44770090{600 + k:04d}", **sim) for k in range(300)
    ]
    for k in range(0, 300, 20):
        back = _START + timedelta(minutes=15, seconds=30 * k)
        events.append(_text(400 + k, back, f"+44770090{600 + k:04d}", "mt", **sim))
    return events
