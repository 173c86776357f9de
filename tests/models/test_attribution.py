"""Explanations without weights: what is alone responsible gets it all, and what acts together is told apart."""

import math

import numpy as np
import pytest

from models.attribution import Medians, attribute
from models.boosted import train_boosted
from models.errors import ModelError

NAMES = ("a", "b", "c")
USUAL = {"a": 1.0, "b": 2.0, "c": math.nan}


def linear(rows: np.ndarray) -> np.ndarray:
    told: np.ndarray = -3.0 + 2.0 * rows[:, 0] - rows[:, 1] + np.where(np.isnan(rows[:, 2]), 0.0, 5.0)
    return told


def test_of_a_sum_each_value_gets_its_own_share() -> None:
    told = attribute(linear, NAMES, {"a": 4.0, "b": 2.0, "c": 1.0}, USUAL)
    assert told.parts == pytest.approx({"a": 6.0, "b": 0.0, "c": 5.0})
    assert told.log_odds - told.usual == pytest.approx(sum(told.parts.values()))
    assert told.together == pytest.approx(0.0)
    assert told.asked == 5


def test_what_only_acts_together_is_told_as_such() -> None:
    told = attribute(
        lambda rows: rows[:, 0] * rows[:, 1], ("a", "b"), {"a": 3.0, "b": 3.0}, {"a": 0.0, "b": 0.0}
    )
    assert told.parts == {"a": 9.0, "b": 9.0}
    assert told.together == -9.0


def test_trees_name_the_value_that_made_the_difference() -> None:
    values = np.random.default_rng(2).random((3_000, 3))
    model = train_boosted(NAMES, values, (values[:, 1] > 0.9).astype(float), trees=20)
    told = attribute(model.log_odds, NAMES, {"a": 0.5, "b": 0.97, "c": 0.5}, dict.fromkeys(NAMES, 0.5))
    assert max(told.parts, key=lambda name: told.parts[name]) == "b"
    assert told.parts["b"] > 3.0


def test_medians_run_with_the_rows_and_leave_out_what_is_absent() -> None:
    medians = Medians(NAMES)
    rows = np.random.default_rng(3).random((2_000, 3)) * [1.0, 10.0, 1.0]
    rows[:, 2] = np.nan
    medians.see(rows)
    usual = medians.usual()
    assert usual["a"] == pytest.approx(0.5, abs=0.03)
    assert usual["b"] == pytest.approx(5.0, abs=0.3)
    assert math.isnan(usual["c"])


def test_an_explanation_needs_every_value() -> None:
    with pytest.raises(ModelError, match="b, c"):
        attribute(linear, NAMES, {"a": 1.0}, USUAL)
