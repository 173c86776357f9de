"""Times: patterns, epochs, steps, and zones whose clocks change."""

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., str]
Bench = Callable[..., Any]

LONDON = '{ column = "t", time = "%d/%m/%Y %H:%M:%S", zone = "Europe/London" }'


@pytest.mark.parametrize(
    ("rule", "written", "expected"),
    [
        ('time = "rfc3339"', "2024-06-01T12:00:00+01:00", "2024-06-01T11:00:00Z"),
        ('time = "rfc3339"', "2024-06-01 12:00:00.25z", "2024-06-01T12:00:00.250Z"),
        ('time = "iso", zone = "Europe/London"', "2024-06-01T12:00:00", "2024-06-01T11:00:00Z"),
        ('time = "iso", zone = "Europe/London"', "2024-06-01T12:00:00Z", "2024-06-01T12:00:00Z"),
        ('time = "epoch s"', "1082040961", "2004-04-15T14:56:01Z"),
        ('time = "epoch s"', "1082040961.5", "2004-04-15T14:56:01.500Z"),
        ('time = "epoch ms"', "1082040961001", "2004-04-15T14:56:01.001Z"),
        ('time = "epoch us"', "1082040961000001", "2004-04-15T14:56:01.000001Z"),
        ('time = "epoch ns"', "1082040961000001999", "2004-04-15T14:56:01.000001Z"),
        ('time = "days since 2024-01-01"', "31", "2024-02-01T00:00:00Z"),
        ('time = "days since 2024-03-30", zone = "Europe/London"', "2", "2024-03-31T23:00:00Z"),
        ('time = "hours since 2024-03-30", zone = "Europe/London"', "48", "2024-04-01T00:00:00Z"),
        ('time = "seconds since 2024-01-01T10:00"', "90", "2024-01-01T10:01:30Z"),
        ('time = "%d/%m/%Y", zone = "UTC"', "02/01/2024", "2024-01-02T00:00:00Z"),
        ('time = "%Y%m%d%H%M%S%z"', "20240601120000+0100", "2024-06-01T11:00:00Z"),
        ('time = "rfc3339", plus = "7 days"', "2024-02-27T00:00:00Z", "2024-03-05T00:00:00Z"),
    ],
)
def test_a_time_is_read_as_the_map_says(
    bench: Bench, payments_map: Make, rule: str, written: str, expected: str
) -> None:
    done = bench(payments_map(ts=f'{{ column = "t", {rule} }}'), f"t\n{written}\n")
    assert [each["ts"] for each in done.payments] == [expected]


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        ('time = "rfc3339"', "2024-06-01T12:00:00"),
        ('time = "rfc3339"', "2024-02-30T12:00:00Z"),
        ('time = "epoch s"', "1082040961000"),
        ('time = "epoch s"', "yesterday"),
        ('time = "days since 2024-01-01"', "1.5"),
        ('time = "days since 2024-01-01"', "99999999999"),
        ('time = "%d/%m/%Y", zone = "UTC"', "2024-01-02"),
    ],
)
def test_a_wrong_time_is_refused_with_its_row_and_field(
    bench: Bench, payments_map: Make, rule: str, written: str
) -> None:
    done = bench(payments_map(ts=f'{{ column = "t", {rule} }}'), f"t\n{written}\n")
    assert done.payments == []
    assert done.summary.refused == {"bad_time": 1}
    assert done.messages[0].startswith(f"row 1, ts: '{written}' is not")


def test_london_time_follows_the_clocks(bench: Bench, payments_map: Make) -> None:
    times = ["31/03/2024 00:59:59", "31/03/2024 02:00:00", "27/10/2024 00:59:59", "27/10/2024 02:00:00"]
    done = bench(payments_map(ts=LONDON), "t\n" + "\n".join(times) + "\n")
    assert [each["ts"] for each in done.payments] == [
        "2024-03-31T00:59:59Z",
        "2024-03-31T01:00:00Z",
        "2024-10-26T23:59:59Z",
        "2024-10-27T02:00:00Z",
    ]
    assert done.summary.notes == ()


def test_an_hour_the_clocks_skip_is_refused(bench: Bench, payments_map: Make) -> None:
    done = bench(payments_map(ts=LONDON), "t\n31/03/2024 01:30:00\n")
    assert done.messages == [
        "row 1, ts: '31/03/2024 01:30:00' does not exist in Europe/London: the clocks go forward over it"
    ]


@pytest.mark.parametrize(
    ("choice", "expected"), [("earliest", "2024-10-27T00:30:00Z"), ("latest", "2024-10-27T01:30:00Z")]
)
def test_an_hour_that_comes_twice_is_taken_as_the_map_says_and_counted(
    bench: Bench, payments_map: Make, choice: str, expected: str
) -> None:
    rule = LONDON.replace(" }", f', ambiguous = "{choice}" }}')
    done = bench(payments_map(ts=rule), "t\n27/10/2024 01:30:00\n")
    assert done.payments[0]["ts"] == expected
    assert "came twice" in done.summary.notes[0]
    assert "(1 rows)" in done.summary.notes[0]


def test_an_hour_that_comes_twice_may_be_refused(bench: Bench, payments_map: Make) -> None:
    rule = LONDON.replace(" }", ', ambiguous = "refuse" }')
    done = bench(payments_map(ts=rule), "t\n27/10/2024 01:30:00\n27/10/2024 03:30:00\n")
    assert done.summary.records_out == {"payments": 1}
    assert "comes twice in Europe/London" in done.messages[0]


def test_a_date_and_a_time_may_stand_apart(bench: Bench, payments_map: Make) -> None:
    rule = '{ columns = ["d", "t"], time = "%d/%m/%Y %H:%M", zone = "UTC" }'
    assert bench(payments_map(ts=rule), "d,t\n02/01/2024,13:05\n").payments[0]["ts"] == "2024-01-02T13:05:00Z"


def test_sorting_is_by_the_recorded_time_and_keeps_rows_of_one_instant_in_order(
    bench: Bench, payments_map: Make
) -> None:
    made = payments_map(sort=True, ts='{ column = "t", time = "days since 2024-01-01" }')
    done = bench(made, "t\n3\n1\n2\n1\n3\n")
    assert [each["event_id"] for each in done.payments] == ["e2", "e4", "e3", "e1", "e5"]
