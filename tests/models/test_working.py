"""Models of any kind at work: weights as data, the same scores as what trained them, reasons and smallest changes."""

import json
import math
from typing import Any

import numpy as np
import pytest

from models.binned import BinnedLogistic, shape_of
from models.boosted import Boosted, train_boosted
from models.errors import ModelError
from models.forest import Forest, forest_of
from models.scorecard import Scorecard, Signal
from models.working import USUAL, medians_of, working

NAMES = ("amount", "strangers", "noise")
SIGNALS = tuple(Signal(name, 0.0, 100.0, 1.0) for name in NAMES)


def told(n: int = 6_000) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(3)
    values = np.column_stack([chance.lognormal(3, 1, n), chance.poisson(3, n), chance.random(n)]).astype(
        float
    )
    right = ((values[:, 0] > 60) & (values[:, 1] > 3)).astype(float)
    values[::9, 1] = np.nan
    return values, right


@pytest.fixture(scope="module")
def trained() -> Boosted:
    values, right = told()
    return train_boosted(NAMES, values, right, trees=25)


def plain_of(kind: str, trained: Boosted) -> dict[str, Any]:
    """Weights of a kind as they come out of a file."""
    values, right = told()
    trees = forest_of(trained, 0.9, -0.3).dump()
    binned = BinnedLogistic(shape_of(NAMES, values, crosses=[("amount", "strangers")]))
    base = Forest.load(trees).log_odds(values) if kind == "stacked" else None
    binned.learn(values, right, base=base)
    plain = {"boosted": trees, "binned": binned.dump(), "stacked": {"trees": trees, "binned": binned.dump()}}[
        kind
    ]
    loaded: dict[str, Any] = json.loads(json.dumps(plain | {USUAL: medians_of(NAMES, values)}))
    return loaded


def test_trees_as_data_score_as_those_that_were_trained_to_the_bit(trained: Boosted) -> None:
    values, _ = told()
    values[::31] = np.nan
    values[5, 0], values[6, 0] = np.inf, -np.inf
    values[100 : 100 + len(trained.ranks.edges[0]), 0] = trained.ranks.edges[0]  # just on the cuts
    forest = Forest.load(json.loads(json.dumps(forest_of(trained).dump())))
    assert forest.log_odds(values).tobytes() == trained.log_odds(values).tobytes()


@pytest.mark.parametrize("kind", ["boosted", "binned", "stacked"])
def test_a_row_scores_the_same_alone_or_among_many(kind: str, trained: Boosted) -> None:
    model = working(kind, "m-1.t0", plain_of(kind, trained), SIGNALS)
    values, _ = told(400)
    together = model.score(values)
    assert together.tolist() == [float(model.score(row[None, :].copy())[0]) for row in values]
    again = working(kind, "m-1.t0", json.loads(json.dumps(model.plain())), SIGNALS)
    assert again.score(values).tobytes() == together.tobytes()


@pytest.mark.parametrize("kind", ["boosted", "binned", "stacked"])
def test_reasons_are_what_each_value_adds_against_its_median(kind: str, trained: Boosted) -> None:
    model = working(kind, "m-1.t0", plain_of(kind, trained), SIGNALS)
    row = {"amount": 90.0, "strangers": 8.0, "noise": 0.5}
    parts, intercept = model.explained(row)
    usual = plain_of(kind, trained)[USUAL]
    score = float(model.score(np.array([[usual[name] for name in NAMES]]))[0])
    assert intercept == pytest.approx(math.log(score / (1 - score)), rel=1e-9)
    assert parts["amount"] > 1.0 > abs(parts["noise"])


@pytest.mark.parametrize("kind", ["boosted", "binned", "stacked"])
def test_the_smallest_change_would_not_have_alerted(kind: str, trained: Boosted) -> None:
    model = working(kind, "m-1.t0", plain_of(kind, trained), SIGNALS)
    row = {"amount": 90.0, "strangers": 8.0, "noise": 0.5}
    score = float(model.score(np.array([list(row.values())]))[0])
    found = model.smallest_change(row, score * 0.5)
    assert found is not None
    name, would_be = found
    assert name in ("amount", "strangers")
    assert float(model.score(np.array([list((row | {name: would_be}).values())]))[0]) < score * 0.5
    assert model.smallest_change(row, 1e-12) is None


def test_a_scorecard_is_a_model_like_the_others() -> None:
    card = Scorecard.expert(SIGNALS, -2.0, "m-1.0")
    model = working("scorecard", "m-1.0", json.loads(json.dumps(card.plain())), SIGNALS)
    row = {"amount": 90.0, "strangers": 8.0, "noise": 0.5}
    assert (model.name, model.kind) == ("m-1.0", "scorecard")
    assert model.explained(row) == (card.contributions(row), -2.0)


def test_what_is_no_model_is_refused(trained: Boosted) -> None:
    plain = plain_of("boosted", trained)
    round_and_round = plain | {"left": [0] * len(plain["left"])}
    others = plain | {"names": ["a", "b", "c"]}
    for kind, bad in (
        ("boosted", {}),
        ("boosted", round_and_round),
        ("boosted", others),
        ("boosted", plain | {"base": math.inf}),
        ("boosted", plain | {"leaf": plain["leaf"][:-1]}),
        ("stacked", plain),
        ("scorecard", {"version": "x", "intercept": math.nan, "weights": dict.fromkeys(NAMES, 1.0)}),
        ("scorecard", [1]),
        ("pickle", plain),
    ):
        with pytest.raises(ModelError):
            working(kind, "m-1.t0", bad, SIGNALS)
