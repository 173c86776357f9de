"""A cuckooed home: somebody vulnerable's flat, taken over to sell from.

A line needs a place in the market: it befriends, pays or frightens somebody who lives alone, often older, ill or dependent
on drugs, and sells from their home. Then people who ring the line come to one cell they otherwise have no business in,
briefly, at all hours, day after day, and one or two phones that the line rings stay there overnight. Whom it rings is no
customer: a taxi office's drivers come to their rank day after day too. The tenant is a victim.
A cell is wider than a flat: what is found is where to look, and for whose sake.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Story
from detectors.network import NetworkDetector
from features.place_visits import PlaceVisits
from features.rows import Entity, Kind
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
_VISITOR = (
    (pl.col("row.kind") == int(Kind.LOCATION))
    & (pl.col("times_here") <= 8)
    & (pl.col("its_contacters") >= 8)
    & (pl.col("its_contacts_each") >= 2.2)
    & (pl.col("its_rung") <= 0.25)
)
_STAYS = (pl.col("line_runs_7d") >= 5) & (pl.col("its_contacters") >= 8)


class CuckooedPlace(NetworkDetector):
    """Looks at where the customers of one line come to, and who stays there."""

    id = "cuckooed_place"
    title = "One cell to which a line's customers come, day after day"
    version = 4
    status = "experimental"
    threat = "county_lines"
    typology = "cuckooing"
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    claim = "exploited"
    edge = (pl.col("row.has_place") == 1) & (_VISITOR | _STAYS)
    carries = (
        "customer_of",
        "line_runs_7d",
        "its_contacters",
        "its_rung",
        "its_contacts_each",
        "times_here",
        "seen_force",
    )
    network = (PlaceVisits(customer_of="customer_of", courier_like="line_runs_7d", courier_from=5.0),)
    about = "place"
    gate = (  # four of a long list meet by chance in any cell of a town; a home that is sold from has six within a day
        (pl.col("visits.customers_7d") >= 6)
        & (pl.col("its_contacters") >= 8)
        & (pl.col("its_contacts_each") >= 2.2)
        & (pl.col("its_rung") <= 0.25)
    )
    signals = (
        # where they come to, of all the places they go: in an ordinary cell of their town it is a fiftieth
        Signal("visits.share_7d", 0.02, 0.15, 3.4),
        Signal("visits.customers_7d", 4, 16, 2.4, log=True),  # T10: many customers of one line
        Signal("visits.visits_7d", 5, 40, 1.0, log=True),  # T10: again and again
        Signal("visits.days_7d", 1, 4, 1.0),
        Signal("visits.staying_7d", 0, 2, 1.0),  # T10: one or two new residents
        Signal("its_contacters", 8, 25, 0.6, log=True),
        Signal("its_rung", 0.4, 0.1, 0.6),
        Signal("its_contacts_each", 2.2, 5, 0.6, log=True),
    )
    intercept = -6.3
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.1
    harm: ClassVar[dict[str, int]] = {"physical": 3, "psychological": 4, "financial": 2, "community": 3}
    facts = ("visits.per_customer_7d", "line_runs_7d")
    active = "seen_force"
    quiet_hours = 168
    misses = (
        "Homes in a cell where the customers live themselves, homes to which few of a line's customers come, lines that "
        "deliver to the door, short lets of a night or two, and visitors whose phones are off or tell no place."
    )
    innocent = (
        "A chemist, a hostel or a station in the middle of a small town, where many people come for other reasons.",
        "A support service or surgery for people who use drugs: the same visitors, by day.",
        "A pub or a park where a line's customers meet.",
        "The rank where the drivers of a taxi office wait, or the middle of the town that a takeaway delivers to.",
    )
    runbook = (
        "Look who lives in the area of the cell and is known to be vulnerable; ask neighbourhood officers and housing first.",
        "Compare the hours: brief visits in the evening and at night, and which phones stay overnight since when?",
        "Plan a welfare visit; the tenant is a victim, and so may be whoever is found staying there.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """Customers of a line who come to one cell; customers who go about their own lives; drivers at a rank."""
        return (
            Story(
                "twelve customers of one line come to one cell where none of them lives",
                _visited("home-of-an-old-man", one=True, line="+447700900950"),
                alerts_about=("cell:home-of-an-old-man",),
            ),
            Story(
                "customers of a line who each go their own way",
                _visited("elsewhere", one=False, line="+447700900951"),
            ),
            Story("drivers whom a taxi office rings wait at its rank", _rank()),
        )


def _told(n: str, hours: float, number: str, kind: str, **more: Any) -> tuple[str, dict[str, Any]]:
    at = (_START + timedelta(hours=hours)).isoformat()
    record = {"event_id": n, "ts": at, "source": "operator", "kind": kind, "number": number}
    return "telecoms", record | more


def _called(n: int, hours: float, caller: str, called: str) -> list[tuple[str, dict[str, Any]]]:
    """A short call, as both its ends tell it."""
    call = {"phase": "complete", "answered": True, "duration_s": 25}
    return [
        _told(f"in{n}", hours, called, "call", other_number=caller, direction="mt", **call),
        _told(f"out{n}", hours, caller, "call", other_number=called, direction="mo", **call),
    ]


def _visited(cell: str, *, one: bool, line: str) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    first = 952 if one else 972
    for n in range(96):
        day, k = divmod(n, 24)
        hours, customer = 24 * day + 0.5 * k, f"+447700900{first + (5 * k) % 12}"
        events += _called(2 * n, hours, customer, line) + _called(2 * n + 1, hours + 0.33, customer, line)
        where = cell if one else f"cell-{(7 * k + 5 * day) % 40}"
        events.append(_told(f"seen{n}", hours + 0.45, customer, "location", cell=where))
    return sorted(events, key=lambda e: str(e[1]["ts"]))


def _rank() -> list[tuple[str, dict[str, Any]]]:
    """An office's customers ring it again and again; it rings eight drivers, who wait for that at one rank."""
    events: list[tuple[str, dict[str, Any]]] = []
    office = "+447700900010"
    for n in range(96):
        day, k = divmod(n, 24)
        hours, customer, driver = 24 * day + 0.5 * k, f"+4477009000{11 + k}", f"+4477009000{35 + n % 8}"
        events += _called(3 * n, hours, customer, office) + _called(3 * n + 1, hours + 0.33, customer, office)
        events += _called(3 * n + 2, hours + 0.05, office, driver)
        events.append(_told(f"seen{n}", hours + 0.45, driver, "location", cell="rank"))
    return sorted(events, key=lambda e: str(e[1]["ts"]))
