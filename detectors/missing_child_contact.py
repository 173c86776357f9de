"""A missing child's phone: seen far from home, or in contact with a number that behaves like a drugs line.

Children who are made to carry and sell for a county line go missing for days at a time; about 1,900 a year in England and
Wales were counted as missing because of it. A child reported missing goes on a watch list with number and handset. Where
that phone shows itself, and with whom, is told to safeguarding at once. It is no evidence against the child, who is a
possible victim first, and it is never a reason to act on a score alone.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)


class MissingChildContact(Detector):
    """Scores each record of a number, or of a handset, that a child reported missing has."""

    id = "missing_child_contact"
    title = "A missing child's phone, away from home or in contact with a line"
    version = 1
    status = "experimental"
    threat = "county_lines"
    typology = "missing_child"
    victim = True
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    claim = "exploited"
    child = True
    gate = (pl.col("child_missing") == 1) | (pl.col("handset.child_missing") == 1)
    signals = (
        Signal("child_missing", 0, 1, 3.0),
        Signal("handset.child_missing", 0, 1, 3.0),
        Signal("away_km", 3, 12, 3.4),  # T14: anywhere away from home
        Signal("other.line_listed", 0, 1, 3.4),  # T14: in contact with the line
        Signal("line_contact_7d", 1, 8, 2.0, log=True),  # and with what rings as lines do
        Signal("its_contacts_each", 1.5, 3, 1.2),
        Signal("its_rung", 0.6, 0.1, 0.8),
    )
    intercept = -5.0
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.3
    harm: ClassVar[dict[str, int]] = {"physical": 4, "psychological": 4, "community": 1}
    facts = ("journeys_14d", "nights_away_7d", "contacts_7d", "its_contacters")
    place = "home_force"
    active = "seen_force"
    quiet_hours = 24
    misses = (
        "Children nobody has reported missing, those who were given another phone, and phones that stay switched off or "
        "are used by messenger at home only."
    )
    innocent = (
        "A child who is with the other parent, a friend or a relative in another town.",
        "A report that was not taken back after the child came home.",
    )
    runbook = (
        "Tell the force where the phone is now and the child's home force; do not wait for any other inquiry.",
        "Ask where the phone was in the last hours, with whom it travelled, and whom it rang; treat the child as a victim.",
        "Look at the number it is in contact with as a possible line, and at who else stays where the child stays.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A child missing from home, seen a hundred kilometres away; a child missing who is seen at home."""
        return (
            Story(
                "a child is reported missing and the phone shows itself in another county",
                _child("+447700900801", away=True),
                alerts_about=("number:+447700900801",),
            ),
            Story(
                "a child is reported missing and the phone is where it always is",
                _child("+447700900802", away=False),
            ),
        )


_HOME = {"lat": 51.51, "lon": -0.06, "cell": "home", "force": "E23000001"}
_THERE = {"lat": 52.63, "lon": 1.29, "cell": "there", "force": "E23000024"}


def _child(number: str, *, away: bool) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []

    def seen(hours: float, **where: Any) -> None:
        at = (_START + timedelta(hours=hours)).isoformat()
        record = {
            "event_id": f"t{len(events)}",
            "ts": at,
            "source": "operator",
            "kind": "location",
            "number": number,
        }
        events.append(("telecoms", record | where))

    for night in range(5):
        for hour in (0.5, 3.0, 6.0, 18.0):
            seen(24 * night + hour, **_HOME)
    at = (_START + timedelta(days=5)).isoformat()
    watched = {
        "event_id": "w1",
        "ts": at,
        "source": "police",
        "what": "number",
        "value": number,
        "why": "missing_child",
    }
    events.append(("watch", watched))
    for hour in (3.0, 5.0, 14.0):
        seen(120 + hour, **(_THERE if away else _HOME))
    return events
