"""Forecasts: campuses work the most urgent first, labels say what was right and what was found too late."""

import pytest

from models.forecast import ALL, DAY_US, Crime, Queue, Raised, is_of, missed, outcomes
from models.labels import Label

SPAN = (0, 10 * DAY_US)


def alert(n: int, day: float, order: float, campus: str = "north", **more: object) -> Raised:
    at = int(day * DAY_US)
    told = {
        "alert_id": f"a{n}",
        "subject": f"account:{n}",
        "event_ids": frozenset({f"e{n}"}),
        "raised": at,
        "first": at - 1,
        "last": at,
        "steps": ((at, campus, order),),
    }
    return Raised(**(told | more))  # type: ignore[arg-type]


def label(about: str, day: float, word: str = "confirmed", typology: str = "mule_account") -> Label:
    return Label(
        event_id=f"l-{about}-{day}",
        about=about,
        label=word,
        at=int(day * DAY_US),
        origin="bank",
        typology=typology,
    )


def test_a_campus_works_the_most_urgent_first_and_no_more_than_it_can() -> None:
    alerts = [alert(n, 0.1, order=n) for n in range(4)] + [alert(9, 1.5, order=99.0)]
    queue = Queue(alerts, {"north": 1}, SPAN)
    assert [name for name, _ in sorted(queue.worked.items(), key=lambda one: one[1])] == [
        "a3", "a9", "a2", "a1", "a0",
    ]  # fmt: skip
    (north,) = queue.campuses()
    assert [day.waiting for day in north.days] == [3, 3, 2, 1, 0, 0, 0, 0, 0, 0]
    assert north.days[2].oldest_days == pytest.approx(2.9)
    assert (north.worked, north.waiting, north.oldest_days) == (5, 0, None)


def test_what_nobody_can_work_grows_old() -> None:
    queue = Queue([alert(1, 2.0, 1.0), alert(2, 2.0, 1.0, "south")], {ALL: 0, "south": 3}, SPAN)
    north, south = queue.campuses()
    assert (north.worked, north.waiting, north.oldest_days) == (0, 1, 8.0)
    assert (south.worked, south.median_wait_days) == (1, 1.0)


def test_an_alert_is_worked_by_the_campus_that_has_it_then() -> None:
    moved = alert(1, 0.5, 1.0, steps=((DAY_US // 2, "north", 1.0), (2 * DAY_US + 5, "south", 1.0)))
    queue = Queue([moved], {"north": 0, "south": 1}, SPAN)
    assert queue.worked == {"a1": 3 * DAY_US}


def test_events_speak_before_subjects_and_silence_counts_after_its_horizon() -> None:
    alerts = [alert(n, 1.0, 1.0) for n in range(5)]
    words = [
        label("event:e0", 3.0, "innocent"),
        label("account:0", 4.0),
        label("account:1", 4.0),
        label("alert:a2", 2.0, "innocent"),
        label("account:3", 0.5),  # before anything it did: of something else
        label("account:4", 2.0),
    ]
    told = outcomes(alerts, words, as_of=int(3.5 * DAY_US), horizon=30 * DAY_US)
    assert told == {"a0": "innocent", "a1": "", "a2": "innocent", "a3": "", "a4": "confirmed"}
    told = outcomes(alerts, words, as_of=40 * DAY_US, horizon=30 * DAY_US)
    assert told == {"a0": "innocent", "a1": "confirmed", "a2": "innocent", "a3": "silent", "a4": "confirmed"}


def test_a_crime_is_missed_unless_somebody_got_to_it_before_it_came_out() -> None:
    alerts = [alert(1, 1.0, 1.0), alert(2, 1.0, 1.0), alert(3, 6.0, 1.0)]
    crimes = [
        Crime(event_id="x", subjects=frozenset({"account:1"}), ts=DAY_US, known=5 * DAY_US, minor=100),
        Crime(event_id="e2", subjects=frozenset(), ts=DAY_US, known=5 * DAY_US, minor=20),
        Crime(event_id="y", subjects=frozenset({"account:3"}), ts=DAY_US, known=5 * DAY_US, minor=3),
    ]
    told = missed(alerts, crimes, {"a1": 2 * DAY_US, "a2": 6 * DAY_US})
    assert (told.alerted.count, told.reached.count, told.crimes) == (2, 1, 3)
    assert (told.minor, told.not_alerted_minor, told.not_reached_minor) == (123, 3, 23)


def test_labels_are_of_a_detector_by_typology_or_by_name() -> None:
    mule, app = label("a", 1.0), label("a", 1.0, typology="app_romance")
    assert is_of(mule, "mule", "mule_account")
    assert not is_of(app, "mule", "mule_account")
    assert is_of(app, "app_fraud", "app_scam")
    assert is_of(app, "mule", "mule_account", ["app_", "mule"])
