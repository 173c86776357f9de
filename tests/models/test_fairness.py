"""Fairness: rates by stratum are counted rightly, and only what cannot be chance raises an alarm."""

import pytest

from models.fairness import Seen, alarms, rates


def people(stratum: str, n: int, alerted: int, confirmed: int, missed: int = 0) -> list[Seen]:
    found = [
        Seen(stratum=stratum, alerted=i < alerted, confirmed=i < confirmed if i < alerted else None)
        for i in range(n)
    ]
    return found[: n - missed] + [Seen(stratum=stratum, alerted=False, confirmed=True)] * missed


def test_rates_are_of_those_they_speak_of() -> None:
    (one,) = rates(people("18-20", 100, 10, 4, missed=4))
    assert (one.subjects, one.alerted.count, one.alerted.of) == (100, 10, 100)
    assert (one.confirmed.count, one.confirmed.of) == (4, 10)
    assert (one.missed.count, one.missed.of) == (4, 8)
    assert (one.wrongly.count, one.wrongly.of) == (6, 6)
    assert one.alerted.low < 0.1 < one.alerted.high


def test_even_rates_raise_no_alarm() -> None:
    found = rates([*people("a", 1_000, 100, 40), *people("b", 1_000, 104, 41)])
    assert alarms("force", found) == ()


def test_a_stratum_that_is_alerted_about_more_and_confirmed_less_stands_out() -> None:
    found = rates([*people("18-20", 1_000, 300, 30), *people("35-49", 1_000, 60, 40)])
    told = alarms("age_band", found)
    assert {(one.stratum, one.measure) for one in told} == {("18-20", "alerted"), ("18-20", "confirmed")}
    assert "30.0%" in told[0].words
    assert "age_band is 18-20" in told[0].words


def test_few_people_are_told_of_and_raise_no_alarm() -> None:
    found = rates([*people("a", 12, 12, 0), *people("b", 1_000, 10, 9)])
    assert len(found) == 2
    assert alarms("force", found) == ()


@pytest.mark.parametrize("ratio", [1.25, 100.0])
def test_how_far_is_far_can_be_chosen(ratio: float) -> None:
    found = rates([*people("a", 1_000, 300, 100), *people("b", 1_000, 100, 33)])
    assert bool(alarms("force", found, ratio)) == (ratio < 2)
