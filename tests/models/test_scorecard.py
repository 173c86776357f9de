"""The scorecard is river's logistic regression, to the last digits; and it explains itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.scorecard import LEARNING_RATE, Scorecard, Signal, Weights, digest_of

SIGNALS = (
    Signal("count", 1, 8, 1.2, log=True),
    Signal("share", 0.2, 0.9, 1.6),
    Signal("dwell", 3_000, 300, 0.8),  # less is more telling
    Signal("bytes", 20_000_000, 2_000_000, 0.7, log=True),
    Signal("sum", 5_000, 200_000, 1.1, log=True),
)
CARD = Scorecard.expert(SIGNALS, -2.4, "made_up-1.0")

quick = settings(deadline=None, derandomize=True, max_examples=150)
values = st.one_of(
    st.just(math.nan),
    st.sampled_from([0.0, 1.0, 8.0, 0.2, 0.9, 3_000.0, 300.0, -5.0, math.inf, -math.inf]),
    st.floats(0, 2),
    st.floats(0, 1e8),
)
rows = st.fixed_dictionaries({s.feature: values for s in SIGNALS})
weights = st.builds(
    lambda intercept, each: Weights(
        "any-1.0", intercept, {s.feature: w for s, w in zip(SIGNALS, each, strict=True)}
    ),
    st.floats(-8, 4),
    st.lists(st.floats(-3, 3), min_size=len(SIGNALS), max_size=len(SIGNALS)),
)


def _array(many: list[dict[str, float]]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.array([[row[s.feature] for s in SIGNALS] for row in many])


@quick
@given(weights, rows)
def test_the_kernel_scores_as_river_does(version: Weights, row: dict[str, float]) -> None:
    card = Scorecard(SIGNALS, version)
    expected = card.as_river().predict_proba_one(card.strengths(row))[True]
    assert math.isclose(card.score_one(row), expected, abs_tol=1e-12)


@quick
@given(weights, rows)
def test_the_contributions_are_the_score(version: Weights, row: dict[str, float]) -> None:
    card = Scorecard(SIGNALS, version)
    total = version.intercept + sum(card.contributions(row).values())
    assert math.isclose(card.score_one(row), 1 / (1 + math.exp(-total)), abs_tol=1e-12)


def test_a_row_scores_the_same_bits_alone_as_among_thousands() -> None:
    rng = np.random.default_rng(11)
    many = rng.uniform(0, 1, (5_000, len(SIGNALS))) * np.array([12, 1.2, 4_000, 3e7, 3e5])
    many[rng.uniform(size=many.shape) < 0.1] = np.nan
    whole = CARD.score(many)
    for start, end in ((0, 1), (17, 18), (4_999, 5_000), (0, 7), (100, 1_333)):
        assert CARD.score(many[start:end].copy()).tobytes() == whole[start:end].tobytes()
    assert (
        np.concatenate([CARD.score(many[i : i + 1]) for i in range(300)]).tobytes() == whole[:300].tobytes()
    )


def test_no_rows_have_no_scores() -> None:
    assert len(CARD.score(np.empty((0, len(SIGNALS))))) == 0


@quick
@given(st.lists(st.tuples(rows, st.booleans()), min_size=1, max_size=12))
def test_it_learns_label_by_label_what_river_learns(lessons: list[tuple[dict[str, float], bool]]) -> None:
    card, model = CARD, CARD.as_river()
    for row, right in lessons:
        model.learn_one(card.strengths(row), right)
        card = card.taught(row, positive=right)

    assert card.version.weights == {s.feature: float(model.weights[s.feature]) for s in SIGNALS}
    assert card.version.intercept == model.intercept
    assert card.version.labels == len(lessons)


@quick
@given(weights, rows, st.booleans())
def test_a_label_moves_no_weight_by_more_than_a_step_and_the_right_way(
    version: Weights, row: dict[str, float], right: bool
) -> None:
    before = Scorecard(SIGNALS, version)
    after = before.taught(row, positive=right)
    assert abs(after.version.intercept - version.intercept) <= LEARNING_RATE
    for name, weight in version.weights.items():
        moved = after.version.weights[name] - weight
        assert abs(moved) <= LEARNING_RATE + 1e-15
        assert moved >= 0 if right else moved <= 0
    assert (
        after.score_one(row) >= before.score_one(row)
        if right
        else after.score_one(row) <= before.score_one(row)
    )


def test_teaching_leaves_the_scorecard_that_was_taught_as_it_was() -> None:
    before = dict(CARD.version.weights), CARD.version.intercept
    CARD.taught({s.feature: s.high for s in SIGNALS}, positive=False)
    assert (dict(CARD.version.weights), CARD.version.intercept) == before


def test_a_version_is_named_after_its_labels_and_its_numbers() -> None:
    row = {s.feature: s.high for s in SIGNALS}
    one = CARD.taught(row, positive=True)
    two = one.taught(row, positive=False)
    assert one.version.version == f"made_up-1.0+1.{digest_of(one.version.intercept, one.version.weights)}"
    assert two.version.version == f"made_up-1.0+2.{digest_of(two.version.intercept, two.version.weights)}"
    assert CARD.taught(row, positive=True).version == one.version
    assert CARD.taught(row, positive=False).version.version != one.version.version


def test_a_digest_does_not_hang_on_the_order_of_names_but_on_every_bit() -> None:
    numbers = {"a": 1.0, "b": 2.0}
    assert digest_of(0.5, numbers) == digest_of(0.5, {"b": 2.0, "a": 1.0})
    assert digest_of(0.5, numbers) != digest_of(0.5, numbers | {"b": math.nextafter(2.0, 3.0)})
    assert digest_of(0.5, numbers) != digest_of(math.nextafter(0.5, 1.0), numbers)


@quick
@given(rows, st.floats(0.05, 0.95))
def test_the_smallest_change_falls_below_the_threshold_and_no_smaller_one_does(
    row: dict[str, float], threshold: float
) -> None:
    change = CARD.smallest_change(row, threshold)
    if CARD.score_one(row) < threshold:
        return
    parts = CARD.contributions(row)
    excess = sum(parts.values()) + CARD.version.intercept - math.log(threshold / (1 - threshold))
    if change is None:
        assert all(part < excess + 1e-6 for part in parts.values())
        return
    name, would_be = change
    assert CARD.score_one(row | {name: would_be}) < threshold
    before = CARD.strengths(row)
    moved = before[name] - next(s for s in SIGNALS if s.feature == name).strength(would_be)
    for signal in SIGNALS:  # any other signal has to weaken at least as much
        needed = excess / CARD.version.weights[signal.feature]
        if needed <= before[signal.feature]:
            assert moved <= needed + 1e-6


def test_an_absent_value_is_no_signal_whichever_way_it_counts() -> None:
    nothing = {s.feature: math.nan for s in SIGNALS}
    weakest = {s.feature: s.low for s in SIGNALS}
    assert CARD.score_one(nothing) == CARD.score_one(weakest)
    assert set(CARD.contributions(nothing).values()) == {0.0}
    assert CARD.taught(nothing, positive=True).version.weights == CARD.version.weights


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.feature)
def test_a_signal_grows_from_low_to_high_and_stays_there(signal: Signal) -> None:
    assert signal.strength(signal.low) == 0.0
    assert signal.strength(signal.high) == 1.0
    beyond = (signal.high - signal.low) * 3
    assert signal.strength(signal.high + beyond) == 1.0
    assert signal.strength(signal.low - beyond) == 0.0
    for part in (0.1, 0.5, 0.9):
        assert math.isclose(signal.strength(signal.value_at(part)), part, abs_tol=1e-12)


def test_less_counts_more_where_high_lies_below_low() -> None:
    row = {s.feature: s.low for s in SIGNALS}
    assert CARD.score_one(row | {"dwell": 300.0}) > CARD.score_one(row | {"dwell": 1_500.0})
    assert CARD.score_one(row | {"dwell": 1_500.0}) > CARD.score_one(row | {"dwell": 2_999.0})
    assert CARD.score_one(row | {"dwell": 4_000.0}) == CARD.score_one(row)


def test_weights_that_lack_a_signal_are_refused() -> None:
    with pytest.raises(ModelError, match="no weight for share"):
        Scorecard(SIGNALS, Weights("x-1.0", 0.0, {s.feature: 1.0 for s in SIGNALS if s.feature != "share"}))
