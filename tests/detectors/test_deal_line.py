"""Deal lines at their edges: no journey needed, no texts no luck, and the innocent who text many."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

START = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
LINE = "+447700900001"
NORFOLK = "E23000024"
BURNER: dict[str, Any] = {"prepaid": True, "sim_activated": "2026-02-21"}


def customer(k: int) -> str:
    return f"+447700900{100 + k}"


class Log:
    """Telecoms records, written one after the other."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def add(self, at: timedelta, kind: str, number: str, **more: Any) -> None:
        record = {
            "event_id": f"t{len(self.events)}", "ts": (START + at).isoformat(), "source": "operator",
            "kind": kind, "number": number,
        }  # fmt: skip
        self.events.append(("telecoms", record | more))

    def flare(
        self, at: timedelta, people: range, *, number: str = LINE, apart_s: int = 4, **more: Any
    ) -> None:
        for n, k in enumerate(people):
            self.add(
                at + timedelta(seconds=apart_s * n),
                "sms",
                number,
                other_number=customer(k),
                direction="mo",
                **more,
            )

    def orders(
        self, at: timedelta, people: range, *, number: str = LINE, seconds: int = 25, **more: Any
    ) -> None:
        for n, k in enumerate(people):
            self.add(
                at + timedelta(minutes=3 * n), "call", number, other_number=customer(k), direction="mt",
                phase="complete", answered=True, duration_s=seconds, **more,
            )  # fmt: skip

    def line(self, **more: Any) -> None:
        """Two days of a line: three flares a day to the same forty, orders within the hour."""
        for day in range(2):
            for turn in range(3):
                at = timedelta(days=day, hours=4 * turn)
                self.flare(at, range(40), **BURNER, **more)
                self.orders(at + timedelta(minutes=5), range(turn, 40, 6), **BURNER, **more)


@pytest.fixture
def log() -> Log:
    return Log()


def _about(told: Any, *numbers: str) -> list[Any]:
    return told.about("deal_line", [f"number:{number}" for number in numbers or (LINE,)])


def test_a_line_that_never_leaves_its_town_fires(log: Log, tell: Any) -> None:
    log.line(force=NORFOLK, cell="norwich-1")
    log.add(
        timedelta(hours=12), "location", LINE, force=NORFOLK, cell="norwich-1"
    )  # where it spends the night

    (alert,) = _about(tell(log.events))

    assert alert.detector_version == "1"
    assert alert.forces
    assert len(alert.forces) == 1
    assert alert.owner.org_id == "rcc-eastern"


def test_a_line_of_which_no_place_is_known_fires_too(log: Log, tell: Any) -> None:
    log.line()

    (alert,) = _about(tell(log.events))

    assert alert.owner.unplaced


def test_a_line_whose_nights_are_not_known_goes_where_it_is_seen_provisionally(log: Log, tell: Any) -> None:
    log.line(force=NORFOLK)

    (alert,) = _about(tell(log.events))

    assert alert.owner.org_id == "rcc-eastern"
    assert alert.owner.provisional
    assert not alert.owner.unplaced


def test_its_customers_are_no_lines(log: Log, tell: Any) -> None:
    log.line()

    assert _about(tell(log.events), *(customer(k) for k in range(40))) == []


def test_a_line_that_never_texts_and_has_few_callers_is_missed_as_its_page_says(log: Log, tell: Any) -> None:
    for day in range(5):
        log.orders(timedelta(days=day, hours=8), range(10), **BURNER)

    assert _about(tell(log.events)) == []


def test_a_line_that_never_texts_is_told_by_those_who_come_back(log: Log, tell: Any) -> None:
    for k in range(50):
        log.add(timedelta(hours=-1), "location", customer(k), force=NORFOLK, cell="norwich-2")
    for day in range(3):
        for hour in range(0, 12, 2):
            log.orders(timedelta(days=day, hours=hour), range(hour, 26 + hour, 2), **BURNER)
            log.orders(timedelta(days=day, hours=hour + 0.7), range(hour, 26 + hour, 2), **BURNER)

    assert _about(tell(log.events))


def test_a_market_stall_that_tells_its_customers_each_morning_is_quiet(log: Log, tell: Any) -> None:
    for day in range(6):
        at = timedelta(days=day, hours=-3)
        log.flare(at, range(50), prepaid=True)
        log.orders(at + timedelta(minutes=10), range(day, 50, 6), seconds=70)
        log.orders(at + timedelta(hours=3), range(day + 1, 50, 4), seconds=90)
        log.add(at + timedelta(hours=4), "data", LINE, bytes_down=90_000_000, bytes_up=1_000_000)
        for k in range(5):
            log.add(
                at + timedelta(hours=5, minutes=9 * k), "call", LINE, other_number=customer(3 * k), direction="mo",
                phase="complete", answered=True, duration_s=200,
            )  # fmt: skip

    assert _about(tell(log.events)) == []


def test_one_text_to_the_whole_team_is_quiet(log: Log, tell: Any) -> None:
    log.add(timedelta(days=-1), "data", LINE, bytes_down=600_000_000, bytes_up=10_000_000)
    log.flare(timedelta(0), range(25))
    log.orders(timedelta(minutes=10), range(4), seconds=120)

    assert _about(tell(log.events)) == []


def test_a_school_that_texts_every_parent_each_morning_is_quiet(log: Log, tell: Any) -> None:
    for day in range(5):
        at = timedelta(days=day, hours=-3)
        log.flare(at, range(60), apart_s=2)
        log.orders(at + timedelta(minutes=20), range(day, 60, 30), seconds=140)
        log.add(at + timedelta(hours=2), "data", LINE, bytes_down=500_000_000, bytes_up=1_000_000)
        for k in range(6):
            log.add(
                at + timedelta(hours=3, minutes=9 * k), "call", LINE, other_number=f"+44800100{k:04d}", direction="mo",
                phase="complete", answered=True, duration_s=300,
            )  # fmt: skip

    assert _about(tell(log.events)) == []


def test_a_taxi_office_on_a_friday_night_is_quiet(log: Log, tell: Any) -> None:
    for k in range(120):
        log.orders(timedelta(hours=8, minutes=2 * k), range(k, k + 1), seconds=45)
    log.add(timedelta(hours=9), "data", LINE, bytes_down=300_000_000, bytes_up=5_000_000)

    assert _about(tell(log.events)) == []


def test_texts_spread_over_the_day_are_no_burst(log: Log, tell: Any) -> None:
    log.flare(timedelta(0), range(40), apart_s=900)
    log.orders(timedelta(hours=11), range(0, 40, 6))

    assert _about(tell(log.events)) == []


def test_one_under_18_is_safeguarded_first(log: Log, tell: Any) -> None:
    log.line(age_band="16-17", force=NORFOLK)

    (alert,) = _about(tell(log.events))

    assert alert.subject.category == "possible_victim"
    assert alert.safeguarding.needed
