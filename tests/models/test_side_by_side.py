"""A champion beside a model in shadow: what each raised, how much was right, and when a champion has to go."""

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import Claim, Label
from models.side_by_side import (
    ENOUGH,
    AsMany,
    Precision,
    Verdict,
    compared,
    known_of,
    lower_by_chance,
    unasked,
    verdict,
    with_alerts,
)

DAY = 86_400_000_000


def rows(told: list[tuple[str, int, float, float]], chance: float = 1.0) -> pl.DataFrame:
    """Rows of subject, day, the champion's score and the other's, with thresholds of a half."""
    return pl.DataFrame(
        [
            {
                "detector": "d", "version": "d-1.t", "event_id": f"e{n}", "subject": f"account:{who}", "seq": n,
                "ts": day * DAY + n, "score": b, "threshold": 0.5, "champion": "d-1.0", "champion_score": a,
                "champion_threshold": 0.5, "chance": chance if max(a, b) < 0.5 else 1.0, "side": "",
            }
            for n, (who, day, a, b) in enumerate(told)
        ]
    )  # fmt: skip


NOTHING = known_of(rows([]), [], 0, 0, Claim())


def found(about: str, label: str, at: int) -> Label:
    return Label(event_id=f"{about}:{at}", about=about, label=label, at=at, origin="analyst", subjects=())


def test_what_each_raised_alone_and_how_much_of_it_was_right() -> None:
    told = rows(
        [("a", 1, 0.9, 0.9), ("a", 1, 0.8, 0.2), ("a", 9, 0.9, 0.1), ("b", 2, 0.9, 0.1), ("c", 3, 0.1, 0.9),
         ("d", 3, 0.2, 0.8), ("z", 4, 0.1, 0.1)],
        chance=0.02,
    )  # fmt: skip
    alerts = [("A1", "account:a", 0, 20 * DAY), ("B1", "account:b", 0, 20 * DAY)]
    labels = [
        found("alert:A1", "confirmed", 10 * DAY), found("alert:B1", "innocent", 10 * DAY),
        found("event:e4", "confirmed", 10 * DAY), found("event:e6", "confirmed", 10 * DAY),
    ]  # fmt: skip
    known = known_of(with_alerts(told, alerts), labels, 11 * DAY, 30 * DAY, Claim())
    assert dict(known.select("subject", "right").iter_rows()) == {
        "account:a": 1.0, "account:b": 0.0, "account:c": 1.0, "account:z": 1.0,
    }  # fmt: skip
    done = compared(told, known, quiet_hours=24)
    assert (done.champion.alerts, done.shadow.alerts) == (3, 3)  # of a twice, a week apart
    assert done.subjects["champion alone"] == {"subjects": 1, "known": 1, "right": 0}
    assert done.subjects["shadow alone"] == {"subjects": 2, "known": 1, "right": 1}
    precision, recall = done.champion.measures
    assert (precision.value, precision.of) == (0.5, 2.0)
    assert recall.value == pytest.approx(1 / 52)  # the one of the sample that was missed stands for fifty
    assert recall.low <= recall.value <= recall.high
    assert done.agreement.value == pytest.approx(51 / 56)


def test_from_which_score_a_shadow_would_have_raised_as_many_subjects_as_the_champion() -> None:
    champions = [("a", 1, 0.9, 0.1), ("a", 2, 0.8, 0.7), ("b", 2, 0.6, 0.2)]
    more = [("c", 3, 0.1, 0.95), ("c", 4, 0.1, 0.55), ("d", 3, 0.2, 0.6), ("e", 5, 0.1, 0.5)]
    for told, expected in (
        (champions + more, AsMany(0.7, 2, 2)),  # c at 0.95 and a at 0.7, whatever else they scored
        ([*champions, *more, ("f", 6, 0.1, 0.7)], AsMany(0.7, 3, 2)),  # two of one score
        ([*champions, ("e", 5, 0.1, 0.5)], AsMany(0.5, 2, 2)),  # its own threshold
        (champions, AsMany(None, 1, 2)),  # the 0.2 of b is there, but who else scored 0.2 is not
        (more, AsMany(None, 3, 0)),
    ):
        frame = rows(told)
        assert compared(frame, NOTHING, quiet_hours=24).as_many == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30
    ),
    st.randoms(use_true_random=False),
)
def test_what_was_not_kept_does_not_move_the_score_of_as_many(
    said: list[tuple[str, float, float]], chance: Any
) -> None:
    everything = [(who, 1, a, b) for who, a, b in said]
    kept = [one for one in everything if max(one[2:]) >= 0.5 or chance.random() < 0.3]
    if not kept:
        return
    frame = rows(kept)
    told = compared(frame, NOTHING, quiet_hours=24).as_many
    champions = {who for who, _, a, _ in everything if a >= 0.5}
    if told.score is None:
        raised = {who for who, _, _, b in everything if b >= 0.5}
        assert not champions or len(raised) < len(champions)
        return
    raised = {who for who, _, _, b in everything if b >= told.score}
    fewer = {who for who, _, _, b in everything if b > told.score}
    assert len(raised) == told.shadow >= len(champions) == told.champion > len(fewer)


def test_silence_counts_after_the_horizon_but_not_of_alerts_that_nobody_decided() -> None:
    told = rows([("a", 1, 0.9, 0.1), ("b", 1, 0.1, 0.9)])
    for as_of, expected in ((20 * DAY, []), (40 * DAY, [("account:b", 0.0)])):
        known = known_of(with_alerts(told, []), [], as_of, 30 * DAY, Claim())
        assert list(known.select("subject", "right").iter_rows()) == expected
    assert known_of(told.clear(), [], 0, 0, Claim()).is_empty()


def known(worse: int, better: int, same: int) -> pl.DataFrame:
    kinds = [(0.0, True, False)] * worse + [(0.0, False, True)] * better + [(1.0, True, True)] * same
    return pl.DataFrame(
        [dict(zip(("right", "by_champion", "by_shadow"), kind, strict=True)) for kind in kinds],
        schema={"right": pl.Float64, "by_champion": pl.Boolean, "by_shadow": pl.Boolean},
    )


@pytest.mark.parametrize(
    ("worse", "better", "same"), [(0, 0, 100), (5, 0, ENOUGH - 6), (12, 9, 30), (0, 30, 10)]
)
def test_a_champion_as_good_as_the_one_before_stays(worse: int, better: int, same: int) -> None:
    assert not verdict(known(worse, better, same)).fallen


def test_a_champion_that_is_surely_worse_goes_and_not_before_enough_is_known() -> None:
    raised_wrongly = pl.DataFrame({"right": [0.0] * 9, "by_champion": [True] * 9, "by_shadow": [False] * 9})
    both = pl.DataFrame({"right": [1.0] * 11, "by_champion": [True] * 11, "by_shadow": [True] * 11})
    assert not verdict(raised_wrongly).fallen
    assert verdict(pl.concat([raised_wrongly, both])).fallen
    missed = raised_wrongly.with_columns(
        right=pl.lit(1.0), by_champion=pl.lit(value=False), by_shadow=pl.lit(value=True)
    )
    assert verdict(pl.concat([missed, both])).worse == 9


@settings(max_examples=60, deadline=None, derandomize=True)
@given(worse=st.integers(0, 60), better=st.integers(0, 60))
def test_the_chance_is_that_of_so_many_heads(worse: int, better: int) -> None:
    kinds: list[dict[str, Any]] = [
        {"right": 0.0, "by_champion": n < worse, "by_shadow": n >= worse} for n in range(worse + better)
    ]
    frame = pl.DataFrame(
        kinds, schema={"right": pl.Float64, "by_champion": pl.Boolean, "by_shadow": pl.Boolean}
    )
    coins = worse + better
    exact = sum(math.comb(coins, k) for k in range(worse, coins + 1)) / 2**coins
    assert verdict(frame).chance == pytest.approx(exact, rel=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_the_chance_of_so_few_right_is_that_of_drawing_from_one_urn(
    right: int, wrong: int, right_before: int, wrong_before: int
) -> None:
    since = Precision(right, right + wrong)
    before = Precision(right_before, right_before + wrong_before)
    all_right, everything = right + right_before, since.known + before.known
    ways = [
        math.comb(all_right, k) * math.comb(everything - all_right, since.known - k)
        for k in range(min(all_right, since.known) + 1)
    ]
    exact = sum(ways[: right + 1]) / sum(ways)
    assert lower_by_chance(since, before) == pytest.approx(exact, rel=1e-9)


def test_who_is_wrong_as_often_as_the_one_before_was_stays() -> None:
    """Of scams one alert in five is right: who raises other people is wrong on most, and nobody looked at the rest."""
    looked_at = Verdict(known=60, worse=40, better=10, chance=1e-5)
    assert looked_at.fallen
    for since, before, fallen in (
        (Precision(12, 60), Precision(10, 50), False),
        (Precision(0, 60), Precision(10, 50), True),
        (Precision(12, 60), Precision(5, ENOUGH - 1), True),  # too little is known of what was before
    ):
        held = Verdict(known=60, worse=40, better=10, chance=1e-5, since=since, before=before)
        assert held.fallen == fallen


def test_where_criminals_have_changed_a_champion_is_held_to_what_both_raise_now() -> None:
    since, before, raised = Precision(28, 59), Precision(368, 410), Precision(28, 59)
    for both, fallen in ((Precision(27, 43), False), (Precision(28, 30), True), (Precision(1, 2), True)):
        held = Verdict(80, 15, 1, 1e-4, since=since, before=before, raised=raised, both=both)
        assert held.fallen == fallen


def test_what_an_analyst_found_because_of_an_alert_was_asked_for() -> None:
    of_alert = found("alert:A1", "innocent", DAY)
    of_event = found("event:e1", "innocent", DAY)
    drawn = found("review:d1", "innocent", DAY)
    reported = Label(event_id="r", about="event:e1", label="confirmed", at=DAY, origin="customer")
    assert unasked([of_alert, of_event, drawn, reported]) == [drawn, reported]
