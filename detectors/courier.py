"""A courier: somebody a drugs line sends about, often a child, often far from home.

The line's holder stays out of sight and sends others: whoever sells in the market is rung dozens of times a day, for
seconds, by a number that is itself rung by many customers. Couriers travel between the hub and the market every few days
and stay for one to six nights, where students and shift workers go home. Fifteen to seventeen is the commonest age. A
courier is a possible victim first: of force, of debts made up for the purpose, of threats to the family.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


class Courier(Detector):
    """Scores a number on its contacts with a number that is rung as lines are."""

    id = "courier"
    title = "Sent about by a line, away from home for nights"
    version = 5
    status = "experimental"
    threat = "county_lines"
    typology = "courier"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    claim = "exploited"
    # nearly all who are rung five to seven times a week by what looks like a line have another reason; and what rings a
    # third of those who ring it, its drivers and its customers, is a takeaway or an office: lines ring one in ten
    gate = (
        (pl.col("line_runs_7d") >= 8)
        & (pl.col("its_contacters") >= 12)
        & (pl.col("its_contacts_each") >= 2.5)
        & (pl.col("its_rung") <= 0.25)
    )
    signals = (
        Signal("line_runs_7d", 3, 25, 2.6, log=True),  # dispatched again and again
        Signal("its_contacters", 8, 25, 1.2, log=True),  # by a number with many customers (T4)
        # who come back day after day: those of a takeaway or a taxi office order once or twice a week
        Signal("its_contacts_each", 2.5, 4.5, 2.4, log=True),
        Signal("its_rung", 0.6, 0.15, 1.2),  # and whom it does not ring
        Signal("journeys_14d", 0, 2, 1.2),  # T8
        Signal("nights_away_7d", 0, 3, 1.4),  # T8: stays of 1 to 6 nights
        Signal("away_km", 5, 40, 1.0, log=True),  # T8
    )
    intercept = -7.0
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"physical": 4, "psychological": 4, "financial": 1, "community": 2}
    facts = ("line_contact_7d", "contacts_7d", "callers_7d")
    place = "home_force"
    active = "seen_force"
    quiet_hours = 96
    misses = (
        "Couriers who are told by messenger where to go, who travel without a phone or with a new one each time, and those "
        "of lines that this page's neighbour, the deal line, does not see."
    )
    innocent = (
        "A driver of a taxi office or takeaway: rung as often, by a number that rings many and whose callers do not come back.",
        "Students and shift workers who travel between two towns and are rung by friends.",
        "A carer or nurse sent from house to house by an office.",
        "An outreach worker who is rung by people who also ring a line.",
    )
    runbook = (
        "Ask first how old the holder is and whether anybody misses them; tell safeguarding where the phone is now.",
        "Compare journeys and nights away with the calls of the line: do the calls come while the phone is in the market?",
        "Look at who travels in the same cells, and at whose home the nights away are spent.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A runner on a stint of three nights; a driver of a taxi office; one of a takeaway with guests who come back."""
        return (
            Story(
                "three nights in another county, rung every half hour by a line",
                _stint(),
                alerts_about=("number:+447700900851",),
            ),
            Story("a driver is sent about by a taxi office all evening", _driver()),
            Story("a takeaway whose guests come back rings one of its drivers again and again", _takeaway()),
        )


def _call(
    n: int, at: datetime, number: str, other: str, direction: str, seconds: int
) -> tuple[str, dict[str, Any]]:
    return "telecoms", {
        "event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": "call", "number": number,
        "other_number": other, "direction": direction, "phase": "complete", "answered": True, "duration_s": seconds,
    }  # fmt: skip


def _dispatched(
    desk: str, by: str, customers: int, days: int, *, again: bool
) -> list[tuple[str, dict[str, Any]]]:
    events, n = [], 0
    for day in range(days):
        for k in range(24):
            at = _START + timedelta(days=day, minutes=30 * k)
            who = (7 * k if again else 24 * day + k) % customers
            for minutes in (0, 20) if again else (0,):
                n += 2
                caller = f"+4477009008{60 + who:02d}" if who < 40 else f"+447700900{100 + who}"
                when = at + timedelta(minutes=minutes)
                events.append(_call(n, when, desk, caller, "mt", 25))
                events.append(_call(n + 1, when, caller, desk, "mo", 25))
            n += 2
            sent = at + timedelta(minutes=3)
            events.append(_call(n, sent, desk, by, "mo", 12))
            events.append(_call(n + 1, sent, by, desk, "mt", 12))
            if not again:
                n += 1
                events.append(_call(n, at + timedelta(minutes=9), desk, caller, "mo", 8))
    return events


def _seen(
    number: str, first: int, last: int, where: dict[str, Any], n: int
) -> list[tuple[str, dict[str, Any]]]:
    return [
        (
            "telecoms",
            {
                "event_id": f"s{n + 10 * day + k}", "ts": (_START + timedelta(days=day, hours=hour)).isoformat(),
                "source": "operator", "kind": "location", "number": number, **where,
            },
        )
        for day in range(first, last)
        for k, hour in enumerate((6.0, 13.0, 15.0))
    ]  # fmt: skip


def _stint() -> list[tuple[str, dict[str, Any]]]:
    line, runner = "+447700900850", "+447700900851"
    home = {"lat": 51.51, "lon": -0.06, "cell": "home", "force": "E23000001"}
    market = {"lat": 52.63, "lon": 1.29, "cell": "market", "force": "E23000024"}
    events = _seen(runner, -5, 0, home, 1_000) + _seen(runner, 0, 3, market, 2_000)
    return sorted(events + _dispatched(line, runner, 20, 3, again=True), key=lambda e: e[1]["ts"])


def _driver() -> list[tuple[str, dict[str, Any]]]:
    office, driver = "+447700900856", "+447700900857"
    return sorted(_dispatched(office, driver, 80, 3, again=False), key=lambda e: e[1]["ts"])


def _takeaway() -> list[tuple[str, dict[str, Any]]]:
    """Beside its forty guests it rings twelve other drivers."""
    desk, driver = "+447700900043", "+447700900044"
    events = _dispatched(desk, driver, 40, 3, again=True)
    for k in range(12):
        at, other = _START + timedelta(minutes=5 + 30 * k), f"+4477009000{45 + k}"
        events.append(_call(3_000 + 2 * k, at, desk, other, "mo", 10))
        events.append(_call(3_001 + 2 * k, at, other, desk, "mt", 10))
    return sorted(events, key=lambda e: e[1]["ts"])
