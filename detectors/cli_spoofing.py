"""CLI spoofing: a call centre abroad shows a British number, a bank's or anybody's, so that people pick up.

The number on the screen (CLI) is whatever the caller sends. Calls that come in over an international trunk and show a
British number, to hundreds of people the number never spoke with before, are the mark of it; where the network knows
the real number beside the one shown, the lie is plain. The number shown may be nobody's, or may belong to somebody who
knows nothing of it and gets the angry calls back: its owner is then a victim, not a suspect.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class CliSpoofing(Detector):
    """Scores a British number on the calls from abroad that show it."""

    id = "cli_spoofing"
    title = "A British number shown to many by calls from abroad"
    version = 1
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "cli_spoofing"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    gate = pl.col("shown_to_24h") >= 8
    signals = (
        Signal("shown_to_24h", 8, 50, 3.2, log=True),  # 6.6: high volume, one way
        Signal("shown_falsely_share_24h", 0.0, 0.6, 2.2),
        Signal("shown_new_24h", 0.5, 0.95, 1.0),
    )
    intercept = -3.4
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"financial": 3, "psychological": 1}
    facts = ("shown_24h", "shown_falsely_24h", "unreached_share_24h")
    seen = "seen_force"
    quiet_hours = 48
    misses = (
        "Centres that show a new number for every few calls, calls that come in over a national carrier, and "
        "numbers shown by a text's sender."
    )
    innocent = (
        "Somebody on a journey who calls home: a few people, all of them known.",
        "A British company's own call centre abroad: ask the operator whether the range is registered for it.",
        "A callback or conference service whose legs come in from abroad.",
    )
    runbook = (
        "See whose number is shown: a bank's or an office's, nobody's, or a person's who should be told.",
        "Ask the operators for the trunk the calls came in on, and to stop that number there.",
        "Look at those who talked for long: did any of them pay somebody new afterwards?",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A centre at work; a traveller who calls friends."""
        return (
            Story(
                "a centre shows one British number to sixty people",
                _centre("+447700900001"),
                alerts_about=("number:+447700900001",),
            ),
            Story("a traveller calls the same six people", _traveller("+447700900002")),
        )


def _call(
    n: int, at: datetime, called: str, shown: str, seconds: int, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": "call", "number": called,
        "other_number": shown, "direction": "mt", "phase": "complete", "duration_s": seconds,
        "answered": seconds > 0, "ingress": "international",
    }  # fmt: skip
    return "telecoms", record | more


def _centre(shown: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        _call(
            k, _START + timedelta(seconds=50 * k), f"+44770090{100 + k:04d}", shown, 40 if k % 4 == 0 else 0,
            network_number="+99944100001",
        )
        for k in range(60)
    ]  # fmt: skip


def _traveller(shown: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        _call(k, _START + timedelta(hours=3 * k), f"+44770090{200 + k % 6:04d}", shown, 240)
        for k in range(24)
    ]
