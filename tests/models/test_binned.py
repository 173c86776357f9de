"""The binned logistic regression: the paper's weights, one order of sums, and state that travels as plain data."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.binned import BinnedLogistic, Rows, Shape, shape_of
from models.errors import ModelError

SHAPE = Shape(("amount", "pace"), ((10.0, 100.0), (1.0,)), ((0, 1),))


def made(n: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    values = np.column_stack([chance.lognormal(3.5, 1.5, n), chance.random(n) * 2])
    values[chance.random(n) < 0.1, 1] = np.nan
    right = (chance.random(n) < 1 / (1 + np.exp(-(np.log(values[:, 0]) - 5)))).astype(np.float64)
    return values, right


class Leader:
    """Follow-the-regularised-leader as the paper writes it down, one example at a time (algorithm 1)."""

    def __init__(self, alpha: float, beta: float, l1: float, l2: float) -> None:
        self.alpha, self.beta, self.l1, self.l2 = alpha, beta, l1, l2
        self.z: dict[int, float] = {}
        self.n: dict[int, float] = {}

    def weight(self, at: int) -> float:
        z, n = self.z.get(at, 0.0), self.n.get(at, 0.0)
        if abs(z) <= self.l1:
            return 0.0
        return -(z - math.copysign(self.l1, z)) / ((self.beta + math.sqrt(n)) / self.alpha + self.l2)

    def score(self, places: list[int]) -> float:
        return 1.0 / (1.0 + math.exp(-sum(self.weight(at) for at in places)))

    def learn(self, places: list[int], right: float) -> None:
        g = self.score(places) - right
        for at in places:
            n = self.n.get(at, 0.0)
            sigma = (math.sqrt(n + g * g) - math.sqrt(n)) / self.alpha
            self.z[at], self.n[at] = self.z.get(at, 0.0) + g - sigma * self.weight(at), n + g * g


def test_the_kernel_learns_what_the_slow_definition_learns() -> None:
    values, right = made(300)
    codes = SHAPE.code(values)
    rates = {"alpha": 0.2, "beta": 1.0, "l1": 0.3, "l2": 0.1}
    ours, slow = BinnedLogistic(SHAPE, **rates), Leader(**rates)
    last = sum(SHAPE.sizes)
    scores = ours.walk(Rows(codes), np.arange(300), Rows(codes), right)
    for row, y, score in zip(codes, right, scores, strict=True):
        places = [*(int(at) for at in row), last]
        assert score == pytest.approx(slow.score(places), abs=1e-12)
        slow.learn(places, y)
    assert ours.dump()["w"] == pytest.approx([slow.weight(at) for at in range(last + 1)], abs=1e-12)
    assert ours.labels == 300


@settings(deadline=None, derandomize=True, max_examples=20)
@given(st.lists(st.integers(0, 60), min_size=0, max_size=6))
def test_rows_score_the_same_bits_however_they_are_cut(cuts: list[int]) -> None:
    values, right = made(60)
    codes = SHAPE.code(values)
    whole, parts = BinnedLogistic(SHAPE), BinnedLogistic(SHAPE)
    until = np.maximum(np.arange(60) - 10, 0)
    expected = whole.walk(Rows(codes), until, Rows(codes[:50]), right[:50])
    told = []
    for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        first = until[low - 1] if low else 0
        last = until[high - 1] if high else 0
        learn = slice(int(first), int(max(first, last)))
        told.append(
            parts.walk(Rows(codes[low:high]), until[low:high] - first, Rows(codes[learn]), right[learn])
        )
    assert np.concatenate(told).tobytes() == expected.tobytes()


def test_nothing_is_learnt_before_its_time() -> None:
    values, right = made(40)
    codes, model = SHAPE.code(values), BinnedLogistic(SHAPE, l1=0.0)
    told = model.walk(Rows(codes), np.full(40, 0), Rows(codes), right)
    assert np.all(told == 0.5)
    assert model.labels == 40


def test_on_top_of_another_model_only_the_difference_is_learnt() -> None:
    values, right = made(300)
    base = np.where(right > 0, 6.0, -6.0)  # it knows already
    model = BinnedLogistic(SHAPE)
    model.learn(values, right, base=base)
    assert np.all(np.array(model.dump()["w"]) == 0.0)
    assert model.score(values[:2], base[:2]) == pytest.approx(1 / (1 + np.exp(-base[:2])))


def test_absent_values_and_values_beyond_the_edges_have_bins_of_their_own() -> None:
    values = np.array([[math.nan, math.nan], [-5.0, 0.0], [1e9, 1e9], [10.0, 1.0]])
    codes = SHAPE.code(values)
    assert codes[:, 0].tolist() == [0, 1, 3, 1]
    assert codes[:, 1].tolist() == [4, 5, 6, 5]
    assert len(set(codes[:, 2])) == 3  # the second and the last are alike


def test_edges_are_of_what_was_seen_and_finer_towards_the_top() -> None:
    shape = shape_of(
        ["a", "b"], np.column_stack([np.arange(10_000.0), np.full(10_000, np.nan)]), [["a", "b"]]
    )
    assert shape.edges[1] == ()
    assert len([edge for edge in shape.edges[0] if edge > 9_000]) == 7
    assert shape.sizes == (len(shape.edges[0]) + 2, 2, 2 * (len(shape.edges[0]) + 2))
    with pytest.raises(ModelError, match="cross"):
        shape_of(["a"], np.zeros((2, 1)), [["a", "nothing"]])


def test_contributions_add_up_to_the_score() -> None:
    values, right = made(500)
    model = BinnedLogistic(SHAPE)
    model.learn(values, right)
    parts = model.contributions({"amount": 300.0, "pace": math.nan})
    z = sum(parts.values()) + model.dump()["w"][-1]
    assert set(parts) == {"amount", "pace", "amount x pace"}
    assert model.score(np.array([[300.0, math.nan]]))[0] == pytest.approx(1 / (1 + math.exp(-z)))


def test_what_was_dumped_learns_on_to_the_same_bits() -> None:
    values, right = made(200)
    model = BinnedLogistic(SHAPE)
    model.learn(values[:100], right[:100])
    again = BinnedLogistic.load(msgspec.json.decode(msgspec.json.encode(model.dump())))
    assert again.digest == model.digest
    for each in (model, again):
        each.learn(values[100:], right[100:])
    assert again.digest == model.digest


def test_damaged_weights_are_refused() -> None:
    plain = BinnedLogistic(SHAPE).dump()
    for wrong in (
        plain | {"format": 9},
        plain | {"w": [0.0]},
        plain | {"z": [math.nan] * len(plain["z"])},
        {"format": 1},
    ):
        with pytest.raises(ModelError):
            BinnedLogistic.load(wrong)
