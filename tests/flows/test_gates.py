"""A gate passes the same rows whether NumPy or Polars works it out."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.discovery import all_detectors
from detectors.network import ROW_COLUMNS
from features.rows import Flag, Kind, Role, empty_rows
from flows.gates import Asked, Gate, Gates

NAMES = ("a", "b", "c")
numbers = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 1e9])
comparisons = st.one_of(
    st.builds(
        lambda name, op, bound: getattr(pl.col(name), op)(bound),
        st.sampled_from(NAMES),
        st.sampled_from(["__ge__", "__gt__", "__le__", "__lt__", "__eq__"]),
        st.one_of(numbers, st.integers(-1, 3)),
    ),
    st.sampled_from(NAMES).map(lambda name: pl.col(name).is_null()),
    st.sampled_from(NAMES).map(lambda name: pl.col(name).is_not_null()),
)
gates = st.recursive(
    comparisons,
    lambda parts: st.builds(lambda one, other, both: one & other if both else one | other, parts, parts, st.booleans()),
    max_leaves=6,
)  # fmt: skip


def by_polars(gate: pl.Expr, columns: dict[str, np.ndarray]) -> list[int]:
    frame = pl.DataFrame([pl.Series(name, values, nan_to_null=True) for name, values in columns.items()])
    return np.flatnonzero(frame.select(gate.fill_null(value=False)).to_series().to_numpy()).tolist()


@given(gate=gates, values=st.lists(st.tuples(*[st.one_of(numbers, st.just(float("nan")))] * 3), min_size=1))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_numpy_and_polars_pass_the_same_rows(gate: pl.Expr, values: list[tuple[float, ...]]) -> None:
    columns = {name: np.array([row[i] for row in values]) for i, name in enumerate(NAMES)}
    ready = Gate(gate)
    assert ready.simple
    assert ready.passed(columns.__getitem__).tolist() == by_polars(gate, columns)
    assert together(ready, columns).tolist() == by_polars(gate, columns)


def together(gate: Gate, columns: dict[str, np.ndarray]) -> np.ndarray:
    """The same by way of the kernel, between two other gates."""
    where = {name: 2 - i for i, name in enumerate(columns)}
    joined = np.full((len(next(iter(columns.values()))), 3), np.nan)
    for name, values in columns.items():
        joined[:, where[name]] = values
    none, every = Asked(Gate(pl.col("a") > 1e12), where), Asked(Gate(pl.lit(True)), where)
    rows = empty_rows(len(joined))
    nobody, found, all_of_them = Gates([none, Asked(gate, where), every]).passed(rows, joined)
    assert not len(nobody)
    assert len(all_of_them) == len(joined)
    return found


@pytest.mark.parametrize("name", ROW_COLUMNS)
def test_a_gate_may_ask_of_the_row_itself(name: str) -> None:
    rows = empty_rows(3)
    rows["value"] = 0.0
    if name.startswith("has_"):
        rows[{"has_other": "other_hi", "has_place": "place_lo", "has_device": "device_lo"}[name]][1] = 7
        gate = pl.col(f"row.{name}")
    else:
        rows[name][1] = 7
        gate = pl.col(f"row.{name}") == 7
    (found,) = Gates([Asked(Gate(gate), {})]).passed(rows, np.zeros((3, 0)))
    assert found.tolist() == [1]
    assert Gates([Asked(Gate(~gate), {})]).passed(rows, np.zeros((3, 0)))[0].tolist() == [0, 2]  # by Polars


def test_only_rows_of_the_asked_roles_kinds_and_flags_come_to_a_gate() -> None:
    rows = empty_rows(6)
    rows["role"], rows["kind"], rows["flags"] = Role.OUT, Kind.CALL, Flag.ANSWERED | Flag.FINAL
    rows["role"][0], rows["kind"][1], rows["flags"][2], rows["shadow"][3] = Role.IN, Kind.SMS, Flag.FINAL, 1
    one = Asked(Gate(pl.lit(True)), {}, 1 << Role.OUT, 1 << Kind.CALL, int(Flag.ANSWERED))
    (found,) = Gates([one]).passed(rows, np.zeros((6, 0)))
    assert found.tolist() == [4, 5]


@pytest.mark.parametrize(
    "gate",
    [
        ~(pl.col("a") >= 1),
        pl.col("a").is_nan() | (pl.col("b") > 0),
        pl.col("a") + pl.col("b") > 1,
        (pl.col("a") != 1) & (pl.col("b") > 0),
        pl.col("a") > pl.col("b"),
    ],
    ids=str,
)
def test_what_is_not_plain_comparison_is_left_to_polars(gate: pl.Expr) -> None:
    columns = {name: np.array([1.0, 2.0, float("nan"), 0.0, -1.0]) * (i + 1) for i, name in enumerate("ab")}
    ready = Gate(gate)
    assert not ready.simple
    assert ready.passed(columns.__getitem__).tolist() == by_polars(gate, columns)
    assert together(ready, columns).tolist() == by_polars(gate, columns)


@pytest.mark.parametrize("detector", all_detectors(), ids=lambda each: each.id)
def test_every_detectors_gate_is_quick(detector: type) -> None:
    gate = getattr(detector, "gate", None)
    if gate is not None:
        assert Gate(gate).simple, (
            "comparisons of columns with numbers, joined by & and |, are ten times as quick"
        )
