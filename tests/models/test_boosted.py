"""Trees on ranks: they part what even bins cannot, and are the same each time."""

import numpy as np
import pytest

from models.boosted import Ranks, thinned, train_boosted
from models.errors import ModelError


def rare(n: int = 30_000) -> tuple[np.ndarray, np.ndarray]:
    """Values whose highest half per cent are all right, beside one that says nothing."""
    chance = np.random.default_rng(5)
    values = np.column_stack([chance.lognormal(4, 0.6, n), chance.random(n)])
    values[::50, 1] = np.nan
    return values, (values[:, 0] > np.quantile(values[:, 0], 0.995)).astype(np.float64)


def test_trees_part_what_lies_in_the_highest_thousandths() -> None:
    values, right = rare()
    model = train_boosted(["amount", "noise"], values[::2], right[::2], trees=20, rate=0.3)
    scores = model.score(values[1::2])
    wrong = (scores > 0.5) != (right[1::2] > 0)
    assert wrong.sum() <= 3


def test_the_same_examples_give_the_same_trees() -> None:
    values, right = rare(4_000)
    one, two = (train_boosted(["a", "b"], values, right, trees=5) for _ in range(2))
    assert one.log_odds(values).tobytes() == two.log_odds(values).tobytes()
    assert len(one.score(values[:0])) == 0


def test_examples_of_one_kind_only_are_refused() -> None:
    with pytest.raises(ModelError, match="both kinds"):
        train_boosted(["a"], np.zeros((10, 1)), np.zeros(10))


def test_thinning_keeps_all_that_were_right_and_the_proportion() -> None:
    right = (np.arange(1_000) % 100 == 7).astype(np.float64)
    kept, weight = thinned(right, 4, np.arange(1_000))
    assert right[kept].sum() == right.sum()
    assert weight[right[kept] == 0].sum() == pytest.approx(990, abs=12)
    assert set(weight[right[kept] > 0]) == {1.0}


def test_ranks_are_whole_and_absence_stays() -> None:
    values, _ = rare(5_000)
    ranked = Ranks.of(values).ranked(values)
    assert np.isnan(ranked[::50, 1]).all()
    assert np.nanmax(ranked) <= 200
    assert np.array_equal(ranked[:, 0], np.round(ranked[:, 0]))


def test_a_value_that_nobody_ever_had_parts_nobody_and_hinders_nothing() -> None:
    rng = np.random.default_rng(3)
    values = np.column_stack([rng.random(400), np.full(400, np.nan), np.full(400, 2.0)])
    right = (values[:, 0] > 0.6).astype(float)
    trees = train_boosted(("a", "never", "same"), values, right, trees=5)
    score = trees.score(values)
    assert score[right > 0].mean() > score[right == 0].mean() + 0.1
    values[:, 1] = 7.0  # and somebody has it now
    assert np.array_equal(trees.score(values), score)
