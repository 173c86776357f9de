"""Gates at work: a detector's Polars expression, worked out on the columns of a few thousand rows at a time.

A gate is nearly always comparisons of columns with numbers, put together by "and" and "or". Those are worked out with
NumPy on the rows as they lie; anything else is left to Polars, which costs ten times as much on so few rows. The
answers are the same: an absent value passes no gate.
"""

import json
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

Column = Callable[[str], npt.NDArray[Any]]
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
        self._test = _translated(_tree(expression))

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
