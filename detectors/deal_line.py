"""A deal line: a phone number that is a drugs brand, texting its customers and taking their orders.

County lines run on a number. It texts everyone on its list at once (a flare), several times a day and late into the
evening; a good part of those texted ring within the hour. The calls are orders, under a minute long, with another when the
customer stands at the door, and the same people call again tomorrow: that is what no shop, team or taxi office has. The
number itself rings next to nobody. The handset does little else: prepaid, hardly any data, no talks of minutes, no calls to
banks or schools, and SIMs and handsets change. Lines that never text are told by their callers alone.
Lines within one force are now the growing half, so nothing here asks for a journey from a hub to a county.
The one who holds the phone may be a child who was made to.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


class DealLine(Detector):
    """Scores a number on each text or call it makes or takes."""

    id = "deal_line"
    title = "A number that advertises to a list and takes short orders"
    version = 1
    status = "experimental"
    threat = "county_lines"
    typology = "deal_line"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "pursue"
    claim = "line"
    gate = (pl.col("bursts_7d") >= 1) | (pl.col("contacters_24h") >= 8)
    signals = (
        Signal("bursts_12h", 0.9, 3, 1.4, log=True),  # T2: several a day; a team or a market is told once
        Signal("bursts_7d", 0.5, 8, 1.2, log=True),  # T2: 2 to 8 a day
        Signal("texts_each_7d", 1.5, 8, 1.3, log=True),  # T2: the same people again
        Signal("answer_share_7d", 0.02, 0.12, 0.6),  # T3
        Signal("rung_share_7d", 0.15, 0.6, 1.2),  # T3: they ring; parents and players text back
        Signal("contacters_24h", 4, 20, 0.5, log=True),  # T4
        Signal("contacts_each_24h", 1.15, 2.2, 2.4),  # an order is a call, and another at the door
        Signal("contacts_each_7d", 1.5, 4.5, 1.7, log=True),  # customers come back day after day
        Signal("call_length_7d", 100, 40, 0.9),  # T4: median 45 s and less
        Signal("talk_share_7d", 0.15, 0.01, 1.1),  # nobody has a chat with it
        Signal("rung_for_caller_7d", 0.6, 0.1, 1.7),  # rung by many, ringing next to nobody
        Signal("evening_share_7d", 0.05, 0.3, 0.4),  # T4
        Signal("data_7d", 20_000_000, 1_000_000, 1.5, log=True),  # T5: next to no data
        Signal("prepaid", 0, 1, 0.5),  # T5
        Signal("sim_age", 365, 30, 1.0, log=True),  # T5
        Signal("service_share_7d", 0.15, 0.02, 0.4),  # T5: rings no bank, school or landline
        Signal("contacts_force_share", 0.3, 0.7, 0.7),  # T7: one market
        Signal("handsets_7d", 1, 2, 0.4),  # T6
    )
    intercept = -12.1
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.2
    harm: ClassVar[dict[str, int]] = {"physical": 4, "psychological": 4, "financial": 2, "community": 3}
    facts = ("texted_1h", "bursts_24h", "answered_1h", "callers_24h", "contacts_7d", "contacts_force_share")
    place = "home_force"
    active = "contacts_force"
    seen = "seen_force"
    quiet_hours = 72
    misses = (
        "Lines that work by WhatsApp or social media only, lines with a handful of customers, and lines whose handset is "
        "somebody's everyday phone."
    )
    innocent = (
        "A takeaway or taxi dispatcher: many short calls, each customer once, and drivers rung all evening.",
        "A hairdresser, garage or market stall that texts its customers: once a day, by day, ordinary use beside it.",
        "A coach, class or congregation: the same people each time, once a day at most, and answers by text.",
        "A promoter of nights out: hundreds texted in the evening, few of whom ring, none of them day after day.",
    )
    runbook = (
        "Compare the lists of the last three bursts: the same people each time, and who called back within the hour?",
        "Look where the number spends its nights and where its contacts are: one town, another force, or both?",
        "Ask whether the holder may be a child or exploited before anything is done to the number.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A line on its second day; a hairdresser's reminders; a takeaway on a busy night."""
        return (
            Story(
                "flares to the same forty people, orders within the hour",
                _line(),
                alerts_about=("number:+447700900001",),
            ),
            Story("a hairdresser texts reminders", _hairdresser()),
            Story("a takeaway on a busy night", _takeaway()),
        )


def _record(
    n: int, at: datetime, kind: str, number: str, other: str, direction: str, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"t{n}",
        "ts": at.isoformat(),
        "source": "operator",
        "kind": kind,
        "number": number,
        "other_number": other,
        "direction": direction,
    }
    return "telecoms", record | more


def _line() -> list[tuple[str, dict[str, Any]]]:
    line, events, n = "+447700900001", [], 0
    burner = {"prepaid": True, "sim_activated": (_START - timedelta(days=9)).date().isoformat()}
    for flare in range(6):
        at = _START + timedelta(hours=24 * (flare // 3) + 4 * (flare % 3))
        for k in range(40):
            n += 1
            events.append(
                _record(
                    n, at + timedelta(seconds=4 * k), "sms", line, f"+44770090{100 + k:04d}", "mo", **burner
                )
            )
        for k in range(0, 40, 4):
            for minutes in (6, 30):  # the order, and "I am here"
                n += 1
                call = at + timedelta(minutes=minutes + k)
                events.append(
                    _record(
                        n, call, "call", line, f"+44770090{100 + k:04d}", "mt",
                        phase="complete", answered=True, duration_s=25, **burner,
                    )
                )  # fmt: skip
    return sorted(events, key=lambda e: e[1]["ts"])


def _hairdresser() -> list[tuple[str, dict[str, Any]]]:
    salon, events, n = "+447700900002", [], 0
    for day in range(6):
        at = _START + timedelta(days=day)
        for k in range(18):  # tomorrow's customers: other people every day
            n += 1
            events.append(
                _record(
                    n,
                    at + timedelta(seconds=20 * k),
                    "sms",
                    salon,
                    f"+44770090{300 + 18 * day + k:04d}",
                    "mo",
                )
            )
        n += 1
        events.append(
            _record(
                n, at + timedelta(minutes=50), "call", salon, f"+44770090{300 + 18 * day:04d}", "mt",
                phase="complete", answered=True, duration_s=150,
            )
        )  # fmt: skip
        n += 1
        events.append(
            ("telecoms", {"event_id": f"t{n}", "ts": (at + timedelta(hours=1)).isoformat(), "source": "operator",
                          "kind": "data", "number": salon, "bytes_down": 400_000_000, "bytes_up": 10_000_000})
        )  # fmt: skip
    return sorted(events, key=lambda e: e[1]["ts"])


def _takeaway() -> list[tuple[str, dict[str, Any]]]:
    shop, events = "+447700900003", []
    for k in range(70):
        at = _START + timedelta(hours=7, minutes=3 * k)
        events.append(
            _record(
                k, at, "call", shop, f"+44770090{500 + k:04d}", "mt",
                phase="complete", answered=True, duration_s=75 + k % 40,
            )
        )  # fmt: skip
    return events
