"""Numbers, times and units read as people say them."""

import pytest

from console import wording


@pytest.mark.parametrize(
    ("number", "unit", "words"),
    [
        (180_000.0, "pence", "£1,800.00"),
        (42.0, "seconds", "42.0 s"),
        (0.004, "seconds", "4 ms"),
        (5_400.0, "seconds", "1 h 30 min"),
        (0.614, "share", "61%"),
        (0.614, "ratio", "0.614"),
        (3.0, "sd", "+3.0 standard deviations"),
        (1.0, "days", "1 day"),
        (12.2, "days", "12 days"),
        (4.0, "force", "Greater Manchester"),
        (0.0, "force", "not known"),
        (90_000_000.0, "bytes", "90.0 MB"),
        (1_234_567.0, "", "1,234,567"),
        (0.12345, "", "0.123"),
        (None, "pence", "not known"),
        ("word", "", "word"),
    ],
)
def test_a_value_is_told_in_its_unit(number: float | str | None, unit: str, words: str) -> None:
    if unit == "force" and number:
        from places.forces import force_code

        number = float(force_code("greater-manchester"))
        assert wording.value(number, unit).startswith(words)
        return
    assert wording.value(number, unit) == words


def test_moments_are_told_in_utc() -> None:
    assert wording.when(1_795_000_000_000_000) == "18 Nov 2026 11:06:40"
    assert wording.when(None) == "-"
    assert wording.when(-(2**62)) == "-"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(59.96, "60.0 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min"), (200_000, "2 days 7 h")],
)
def test_stretches_of_time_are_told_in_two_units(seconds: float, words: str) -> None:
    assert wording.took(seconds) == words


def test_counts_have_their_noun() -> None:
    assert wording.some(1, "alert") == "1 alert"
    assert wording.some(1_200, "alert") == "1,200 alerts"
    assert wording.some(2, "entity", "entities") == "2 entities"
