"""Gates at work: a detector's Polars expression, worked out on the columns of a few thousand rows at a time.

A gate is nearly always comparisons of columns with numbers, put together by "and" and "or". The second pass works out all
of those together, row by row, each only as far as it takes (`Gates`); where there are few rows it is done with NumPy.
Anything else is left to Polars, which costs ten times as much on so few rows. The answers are the same: an absent value
passes no gate.
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.network import ROW_COLUMNS
from events.kernels import bare
from features.rows import Rows

Column = Callable[[str], npt.NDArray[Any]]
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_Test = Callable[[Column], Mask]

_COMPARES: Final[dict[str, Callable[[Any, Any], Mask]]] = {
    "Gt": np.greater,
    "GtEq": np.greater_equal,
    "Lt": np.less,
    "LtEq": np.less_equal,
    "Eq": np.equal,
}
"""Comparisons that a missing number (NaN) fails in NumPy as an absent value does in Polars."""
_JOINS: Final[dict[str, Callable[[Any, Any], Mask]]] = {
    "And": np.logical_and,
    "LogicalAnd": np.logical_and,
    "Or": np.logical_or,
    "LogicalOr": np.logical_or,
}


class Gate:
    """One expression, ready to be asked."""

    def __init__(self, expression: pl.Expr) -> None:
        self.expression = expression
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(expression.meta.root_names()))
        self.tree = _tree(expression)
        self._test = _translated(self.tree)

    @property
    def simple(self) -> bool:
        """Whether it is comparisons only, worked out without Polars."""
        return self._test is not None

    def passed(self, column: Column) -> npt.NDArray[np.int64]:
        """The rows that pass; `column` gives a column by its name, absent numbers as NaN."""
        mask = self._by_polars(column) if self._test is None else self._test(column)
        return np.flatnonzero(mask)

    def _by_polars(self, column: Column) -> Mask:
        # an absent value is null and passes no gate: to Polars a NaN would be larger than any number
        series = [
            pl.Series(name, np.ascontiguousarray(column(name)), nan_to_null=True) for name in self.columns
        ]
        passed = pl.DataFrame(series).select(self.expression.fill_null(value=False).alias("gate"))
        mask: Mask = passed.to_series().to_numpy()
        return mask


def _tree(expression: pl.Expr) -> Any:
    """The expression as data; nothing when this Polars does not tell."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the form may change between versions: what is not known goes to Polars
        try:
            return json.loads(expression.meta.serialize(format="json"))
        except (ValueError, pl.exceptions.PolarsError):
            return None


def _translated(node: Any) -> _Test | None:
    if (flag := _column(node)) is not None:
        return lambda column: column(flag).astype(bool)
    binary = node.get("BinaryExpr") if isinstance(node, dict) else None
    if not isinstance(binary, dict):
        return _absent(node)
    left, op, right = binary.get("left"), binary.get("op"), binary.get("right")
    if op in _JOINS:
        one, other = _translated(left), _translated(right)
        return None if one is None or other is None else _joined(_JOINS[op], one, other)
    name, bound = _column(left), _number(right)
    if op in _COMPARES and name is not None and bound is not None:
        return _compared(_COMPARES[op], name, bound)
    return None


def _absent(node: Any) -> _Test | None:
    """Whether a value is absent, or present."""
    function = node.get("Function") if isinstance(node, dict) else None
    if not isinstance(function, dict) or len(function.get("input", ())) != 1:
        return None
    name, does = _column(function["input"][0]), function.get("function")
    if name is None or does not in ({"Boolean": "IsNull"}, {"Boolean": "IsNotNull"}):
        return None
    absent = does == {"Boolean": "IsNull"}
    return lambda column: np.isnan(column(name)) == absent


def _joined(join: Callable[[Any, Any], Mask], one: _Test, other: _Test) -> _Test:
    return lambda column: join(one(column), other(column))


def _compared(compare: Callable[[Any, Any], Mask], name: str, bound: float) -> _Test:
    return lambda column: compare(column(name), bound)


def _column(node: Any) -> str | None:
    name = node.get("Column") if isinstance(node, dict) else None
    return name if isinstance(name, str) else None


def _number(node: Any) -> float | None:
    literal = node.get("Literal") if isinstance(node, dict) else None
    dyn = literal.get("Dyn") if isinstance(literal, dict) else None
    if not isinstance(dyn, dict) or len(dyn) != 1:
        return None
    ((kind, value),) = dyn.items()
    return value if kind in ("Int", "Float") and isinstance(value, int | float) else None


# ------------------------------------------------------------------------------------------------ many gates at once

_PRESENT: Final = {
    "has_other": ("other_hi", "other_lo"),
    "has_place": ("place_lo",),
    "has_device": ("device_lo",),
}
_EVERY: Final = (1 << 64) - 1
_PASSES: Final = -1
_FAILS: Final = -2
_GT, _GE, _LT, _LE, _EQ, _IS_TRUE, _IS_ABSENT, _IS_PRESENT = range(8)
_CODES: Final = {"Gt": _GT, "GtEq": _GE, "Lt": _LT, "LtEq": _LE, "Eq": _EQ}
_TEST: Final = np.dtype(
    [("column", "i8"), ("code", "i8"), ("bound", "f8"), ("if_so", "i8"), ("if_not", "i8")], align=True
)
_ASKED: Final = np.dtype([("first", "i8"), ("roles", "u8"), ("kinds", "u8"), ("having", "i8")], align=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """A gate with where its columns are, and which rows come before it at all."""

    gate: Gate
    columns: Mapping[str, int]
    """Where the joined rows have them; those of the row itself (`row.kind`) are not in here."""
    roles: int = _EVERY
    kinds: int = _EVERY
    """As bits."""
    having: int = 0
    """Flags that a row must have."""


class Gates:
    """Many gates over the same rows; what only keeps state under another key passes none."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = tuple(asked)
        tests: list[tuple[int, int, float, int, int]] = []
        entries = []
        for each in self._asked:
            first = _PASSES
            if each.gate.columns and each.gate.simple:
                first = _laid_out(each.gate.tree, each.columns, tests, _PASSES, _FAILS)
            entries.append((first, each.roles, each.kinds, each.having))
        self._tests, self._entries = np.array(tests, dtype=_TEST), np.array(entries, dtype=_ASKED)

    def passed(self, rows: Rows, joined: npt.NDArray[np.float64]) -> list[Places]:
        """For each gate the rows that pass, in order."""
        if not self._asked:
            return []
        found = np.empty((len(self._asked), len(rows)), dtype=np.int64)
        counts = np.zeros(len(self._asked), dtype=np.int64)
        _pass(rows, joined, self._entries, self._tests, found, counts)
        places = [found[k, :count].copy() for k, count in enumerate(counts.tolist())]
        return [_rest(each, rows, joined, at) for each, at in zip(self._asked, places, strict=True)]


def _rest(asked: Asked, rows: Rows, joined: npt.NDArray[np.float64], places: Places) -> Places:
    """Of a gate that is not comparisons only, those that pass by Polars."""
    if asked.gate.simple or not asked.gate.columns or not len(places):
        return places
    few = rows[places]

    def column(name: str) -> npt.NDArray[Any]:
        if name in asked.columns:
            known: npt.NDArray[np.float64] = joined[places, asked.columns[name]]
            return known
        what = name.partition(".")[2]
        if what in _PRESENT:
            there: Mask = np.logical_or.reduce([few[half] != 0 for half in _PRESENT[what]])
            return there
        return np.ascontiguousarray(few[what])  # with its own type: an expression may ask for it

    passed: Places = places[asked.gate.passed(column)]
    return passed


def _laid_out(
    node: Any,
    columns: Mapping[str, int],
    tests: list[tuple[int, int, float, int, int]],
    if_so: int,
    if_not: int,
) -> int:
    """Lay a gate out as tests that say where to go on; gives the first."""
    binary = node.get("BinaryExpr")
    if isinstance(binary, dict) and binary["op"] in _JOINS:
        both = _JOINS[binary["op"]] is np.logical_and
        second = _laid_out(binary["right"], columns, tests, if_so, if_not)
        return _laid_out(
            binary["left"], columns, tests, second if both else if_so, if_not if both else second
        )
    bound = 0.0
    if isinstance(binary, dict):
        name, code, bound = (
            _column(binary["left"]),
            _CODES[binary["op"]],
            float(_number(binary["right"]) or 0),
        )
    elif (name := _column(node)) is not None:
        code = _IS_TRUE
    else:
        function = node["Function"]
        name = _column(function["input"][0])
        code = _IS_ABSENT if function["function"] == {"Boolean": "IsNull"} else _IS_PRESENT
    assert name is not None, "the gate is simple"
    place = columns[name] if name in columns else -1 - ROW_COLUMNS.index(name.partition(".")[2])
    tests.append((place, code, bound, if_so, if_not))
    return len(tests) - 1


@bare
def _of_row(row, what):  # type: ignore[no-untyped-def]
    """What the row itself says, in the order of `ROW_COLUMNS`."""
    if what == 0:
        return np.float64(row.kind)
    if what == 1:
        return np.float64(row.role)
    if what == 2:
        return np.float64(row.flags)
    if what == 3:
        return row.value
    if what == 4:
        return np.float64(row.side)
    if what == 5:
        return np.float64(row.status)
    if what == 6:
        return 1.0 if row.other_hi != 0 or row.other_lo != 0 else 0.0
    if what == 7:
        return 1.0 if row.place_lo != 0 else 0.0
    return 1.0 if row.device_lo != 0 else 0.0


@bare
def _pass(rows, joined, asked, tests, found, counts):  # type: ignore[no-untyped-def]
    """Take each row through each gate as far as it comes; `found` gets the rows that pass, by gate."""
    for i in range(len(rows)):
        if rows[i].shadow != 0:
            continue
        role, kind = np.uint64(rows[i].role), np.uint64(rows[i].kind)
        for k in range(len(asked)):
            if (
                (asked[k].roles >> role) & np.uint64(1) == 0
                or (asked[k].kinds >> kind) & np.uint64(1) == 0
                or (rows[i].flags & asked[k].having) != asked[k].having
            ):
                continue
            at = asked[k].first
            while at >= 0:
                column, code, bound = tests[at].column, tests[at].code, tests[at].bound
                v = joined[i, column] if column >= 0 else _of_row(rows[i], -1 - column)
                if code == _GT:
                    holds = v > bound
                elif code == _GE:
                    holds = v >= bound
                elif code == _LT:
                    holds = v < bound
                elif code == _LE:
                    holds = v <= bound
                elif code == _EQ:
                    holds = v == bound
                elif code == _IS_TRUE:
                    holds = v != 0.0
                else:
                    holds = math.isnan(v) == (code == _IS_ABSENT)
                at = tests[at].if_so if holds else tests[at].if_not
            if at == _PASSES:
                found[k, counts[k]] = i
                counts[k] += 1
