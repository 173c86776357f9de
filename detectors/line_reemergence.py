"""A line that comes back: a new number in contact with the customers of a line that was closed or has fallen silent.

A line's customers are what it is worth, and they outlive its number. Closed by the police or given up by its holder, most
lines are back within days: the same list, texted from another phone, or the new number announced by the old one before it
falls silent. So the contacts of every number that behaved like a line are remembered for thirteen months, and a number
that begins to behave like one is compared with them. Whoever holds it now may be a child who was made to.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Story
from detectors.network import NetworkDetector, one_of
from features.contact_sketches import ContactSketches
from features.rows import Entity, Kind, Role
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
_SPOKEN = one_of("row.kind", (Kind.CALL, Kind.SMS, Kind.MMS)) & one_of("row.role", (Role.IN, Role.OUT))


class LineReemergence(NetworkDetector):
    """Compares the contacts of each number that behaves like a line with those of older ones."""

    id = "line_reemergence"
    title = "A new number reaching the customers of an older line"
    version = 4
    status = "experimental"
    threat = "county_lines"
    typology = "line_reemergence"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "pursue"
    claim = "line"
    edge = (pl.col("row.kind") == int(Kind.WATCH)) | (
        _SPOKEN
        & (
            (pl.col("texted_1h") >= 5)
            | (pl.col("bursts_7d") >= 1)
            | (pl.col("contacters_24h") >= 8)
            # a new SIM is looked at sooner: what it begins with is what tells whose list it has
            | ((pl.col("sim_age") <= 45) & ((pl.col("texted_1h") >= 3) | (pl.col("contacters_24h") >= 5)))
        )
    )
    carries = (
        "texted_1h", "bursts_24h", "bursts_7d", "answer_share_7d", "contacts_each_7d", "contacters_7d", "call_length_7d",
        "data_7d", "sim_age", "home_force", "contacts_force", "seen_force",
    )  # fmt: skip
    network = (ContactSketches(related_from=0.4),)
    gate = (  # which of two older lines it is must be plain, and the older one gone, or nothing is said
        (pl.col("contacts.shared") >= 4)
        & (pl.col("contacts.overlap") >= 0.4)  # T12
        & (pl.col("contacts.of_mine") >= 0.35)
        & (pl.col("contacts.lead") >= 3)
        & (pl.col("contacts.timing") >= 0.5)
    )
    signals = (  # what is a logarithm of a likelihood ratio counts a half: no two of them are quite independent
        Signal("contacts.evidence", 0, 12, 6.0),  # T12, against what lines of one town share by chance
        Signal("contacts.timing", -2, 6, 4.0),  # T13: the older one fell silent just then
        Signal("contacts.handset", 0, 1, 2.0),
        Signal("contacts.places", 0, 0.6, 2.6),  # held where the older one was held
        Signal("contacts.lead", 2, 8, 1.5),  # and no other line's customers
        Signal("contacts.of_mine", 0.3, 0.6, 1.5),  # most of whom it is in contact with
        Signal("contacts.shared", 4, 12, 1.0, log=True),  # T12: 15 and more
        Signal("contacts.announced", 2, 10, 0.6, log=True),  # T13: they are told at once
        Signal("contacts.closed", 0, 1, 0.4),
        Signal("sim_age", 200, 20, 1.6, log=True),  # T5
        Signal("bursts_24h", 0.5, 2, 1.2, log=True),  # T2
        Signal("call_length_7d", 90, 40, 0.6),  # T4
        Signal("data_7d", 20_000_000, 1_000_000, 0.6, log=True),  # T5
    )
    intercept = -13.1
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.1
    harm: ClassVar[dict[str, int]] = {"physical": 4, "psychological": 4, "financial": 2, "community": 3}
    facts = (
        "contacts.mine",
        "contacts.theirs",
        "contacts.silence",
        "contacts.missed",
        "contacts.after",
        "contacts.known_for",
        "contacts.came",
        "texted_1h",
        "bursts_7d",
    )
    place = "home_force"
    active = "contacts_force"
    seen = "seen_force"
    quiet_hours = 168
    misses = (
        "Lines whose older number was never seen to behave like one, lines that come back with fewer than two in five of "
        "their customers or with mostly new ones, lists that two older lines have in common, and lines that moved to a "
        "messenger."
    )
    innocent = (
        "A business that changed its number and tells its customers.",
        "Two shops, teams or congregations of one small town that share half of their people.",
        "An outreach worker or a lawyer who speaks with the same people as a line does.",
    )
    runbook = (
        "Compare the lists: who was in contact with both numbers, and did the older one announce the change before it fell silent?",
        "Look at the handset and the places of both numbers: the same phone, the same nights, the same holder?",
        "Tell whoever closed the older line that it is back; ask again whether a child holds the phone.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A line that changes its number and tells everybody; a garage with a list of its own."""
        return (
            Story(
                "the old number falls silent and another texts the same list",
                _again(),
                alerts_about=("number:+447700900702",),
            ),
            Story(
                "two phones with one list in one pair of hands fall silent and a third texts the list",
                _two_phones(),
                alerts_about=("number:+447700900762",),
            ),
            Story("another number texts another list", _elsewhere()),
        )


_BURNER = {"prepaid": True}


def _flare(n: int, at: datetime, number: str, people: range, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (
            "telecoms",
            {
                "event_id": f"t{n + k}", "ts": (at + timedelta(seconds=5 * k)).isoformat(), "source": "operator",
                "kind": "sms", "number": number, "other_number": f"+447700900{who}", "direction": "mo", **_BURNER, **more,
            },
        )
        for k, who in enumerate(people)
    ]  # fmt: skip


def _orders(
    n: int, at: datetime, number: str, people: range, **more: Any
) -> list[tuple[str, dict[str, Any]]]:
    return [
        (
            "telecoms",
            {
                "event_id": f"t{n + k}", "ts": (at + timedelta(minutes=4 * k)).isoformat(), "source": "operator",
                "kind": "call", "number": number, "other_number": f"+447700900{who}", "direction": "mt",
                "phase": "complete", "answered": True, "duration_s": 25, **_BURNER, **more,
            },
        )
        for k, who in enumerate(people)
    ]  # fmt: skip


def _days(
    number: str, first: int, last: int, people: range, n: int, born: str, **more: Any
) -> list[tuple[str, dict[str, Any]]]:
    events = []
    for day in range(first, last):
        for turn in range(2):
            at = _START + timedelta(days=day, hours=5 * turn)
            events += _flare(n, at, number, people, sim_activated=born, **more)
            events += _orders(
                n + 500, at + timedelta(minutes=7), number, people[turn::5], sim_activated=born, **more
            )
            n += 1_000
    return events


def _again() -> list[tuple[str, dict[str, Any]]]:
    events = _days("+447700900701", 0, 3, range(710, 740), 0, "2026-02-20")
    events += _days("+447700900702", 5, 6, range(712, 742), 10_000, "2026-03-05")
    return sorted(events, key=lambda e: e[1]["ts"])


def _elsewhere() -> list[tuple[str, dict[str, Any]]]:
    events = _days("+447700900751", 0, 3, range(760, 785), 0, "2026-02-20")
    events += _days("+447700900752", 5, 6, range(785, 810), 10_000, "2026-03-05")
    return sorted(events, key=lambda e: e[1]["ts"])


def _two_phones() -> list[tuple[str, dict[str, Any]]]:
    held = {"imei": "001010000000762"}  # the second SIM goes into the first phone now and then
    events = _days("+447700900760", 0, 3, range(763, 793), 0, "2026-02-20", **held)
    events += _days("+447700900761", 0, 3, range(763, 793), 10_000, "2026-02-20", **held)
    events += _days("+447700900762", 5, 6, range(765, 795), 20_000, "2026-03-05")
    return sorted(events, key=lambda e: e[1]["ts"])
