"""Drift: a change is noticed soon after it happens, and nothing is noticed where nothing changes."""

import math

import numpy as np
import pytest

from models.drift import CHANGED, MOVED, ErrorWatch, Watch, reference_of, stability
from models.errors import ModelError

CHANCE = np.random.default_rng(4)


def test_a_change_of_a_mean_is_noticed_and_named() -> None:
    watch = Watch(["score", "feature pace"])
    for i in range(3_000):
        shift = 0.3 if i >= 2_000 else 0.0
        watch.see(i, {"score": CHANCE.random() * 0.4 + shift, "feature pace": CHANCE.random()})
    assert {one.what for one in watch.moved} == {"score"}
    assert 2_000 <= watch.moved[0].at < 2_400
    assert watch.moved[-1].after > watch.moved[0].before
    assert watch.means()["score"] == pytest.approx(0.5, abs=0.05)


def test_what_is_absent_is_not_seen_and_what_is_unknown_is_refused() -> None:
    watch = Watch(["score"])
    assert watch.see(1, {"score": math.nan}) == ()
    with pytest.raises(ModelError, match="not watched"):
        watch.see(1, {"scores": 1.0})


def test_more_errors_are_noticed_and_fewer_are_no_fault() -> None:
    worse, better = ErrorWatch(), ErrorWatch()
    for i in range(4_000):
        right = bool(CHANCE.random() < 0.5)
        for watch, good in ((worse, i < 2_000), (better, i >= 2_000)):
            sure = 0.9 if CHANCE.random() < (0.95 if good else 0.55) else 0.1
            watch.see(i, sure if right else 1.0 - sure, 0.5, right=right)
    assert worse.moved
    assert 2_000 <= worse.moved[0].at < 2_600
    assert better.moved == []
    assert worse.labels == 4_000


def test_the_same_population_is_stable_and_another_is_not() -> None:
    then = CHANCE.lognormal(3, 1, (5_000, 2))
    then[:500, 1] = np.nan
    reference = reference_of(["a", "b"], then)
    same = CHANCE.lognormal(3, 1, (5_000, 2))
    same[:500, 1] = np.nan
    assert all(value < MOVED for value in stability(reference, ["a", "b"], same).values())
    other = np.column_stack([then[:, 0] * 3, np.where(np.arange(5_000) < 3_000, np.nan, then[:, 1])])
    assert all(value > CHANGED for value in stability(reference, ["a", "b"], other).values())
    assert stability(reference, ["a"], other[:0, :1]) == {}
    with pytest.raises(ModelError, match="does not know"):
        stability(reference, ["c"], other)


def test_the_index_is_what_its_definition_says() -> None:
    reference = reference_of(["a"], np.arange(100.0)[:, None])
    assert reference.shares["a"] == pytest.approx((0.1,) * 10 + (0.0,))
    now = np.concatenate([np.zeros(50), np.full(50, 95.0)])[:, None]
    expected = sum(
        (n - t) * math.log(n / t)
        for n, t in zip([0.5] + [1e-4] * 8 + [0.5, 1e-4], [0.1] * 10 + [1e-4], strict=True)
    )
    assert stability(reference, ["a"], now)["a"] == pytest.approx(expected)
