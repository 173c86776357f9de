"""Columns as they are about to be written, kept in the form that makes lines of JSON cheapest.

Most of what suppliers report is of one width (ids, times, numbers) or one of few values (kinds, words, cells): the
first are laid side by side as bytes, the second are looked up as ready pieces of a line.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from simulator.arrays import Array, Flags, Ints
from simulator.identifiers import from_bytes

FEW: Final = 64
"""Columns of up to so many values are joined with each other before they are looked up."""
_MOST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Fixed:
    """Texts of one width, none absent: a table of ASCII bytes."""

    table: Array


@dataclass(frozen=True, slots=True)
class Coded:
    """One or more fields that follow from one code: their values by code, null for absent."""

    fields: dict[str, pl.Series]
    codes: Array
    pieces: pl.Series | None = None
    """The fields as pieces of a line by code, where they are kept ready."""

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(next(iter(self.fields.values())))


Column = Fixed | Coded | pl.Series
Columns = dict[str, Column]


def where(column: Column, there: Flags) -> Column:
    """The column with nothing where nothing is there."""
    if there.all():
        return column
    series = from_bytes(column.table) if isinstance(column, Fixed) else column
    if isinstance(series, Coded):
        raise TypeError("a coded column says what is absent by its codes")
    return pl.select(pl.when(pl.Series(there)).then(series).otherwise(None)).to_series()


def frame(columns: Columns, order: list[str]) -> pl.DataFrame:
    """The columns as a frame, in this order."""
    found: dict[str, pl.Series] = {}
    for name, column in columns.items():
        if isinstance(column, Coded):
            at = column.codes.astype(np.uint32)
            found |= {field: values.gather(at) for field, values in column.fields.items()}
        else:
            found[name] = from_bytes(column.table) if isinstance(column, Fixed) else column
    return pl.DataFrame([found[name].alias(name) for name in order if name in found])


def lines(columns: Columns) -> pl.Series:
    """Each row as a line of JSON with its newline; what is absent is left out. `event_id` is always there."""
    parts: list[pl.Series | pl.Expr] = [
        _side_by_side({n: c for n, c in columns.items() if isinstance(c, Fixed)})
    ]
    parts += _looked_up([column for column in columns.values() if isinstance(column, Coded)])
    for name, column in columns.items():
        if isinstance(column, pl.Series):
            parts += _piece(name, column)
    exprs = [pl.lit(part) if isinstance(part, pl.Series) else part for part in parts]
    return pl.select(pl.concat_str([*exprs, pl.lit("}\n")], ignore_nulls=True)).to_series()


def pieces(fields: dict[str, pl.Series]) -> pl.Series:
    """Fields as pieces of a line: `,"name":value` where there is one, one after the other."""
    exprs = [pl.concat_str(_piece(name, values)) for name, values in fields.items()]
    return pl.select(pl.concat_str(exprs, ignore_nulls=True)).to_series()


def bytes_of(text: str) -> Array:
    """A text of ASCII letters as bytes."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _side_by_side(fixed: dict[str, Fixed]) -> pl.Series:
    """The beginning of each line: fields of one width."""
    heads = [bytes_of(("{" if not i else '",') + f'"{name}":"') for i, name in enumerate(fixed)]
    tables = [column.table for column in fixed.values()]
    out = np.empty(
        (len(tables[0]), sum(map(len, heads)) + sum(t.shape[1] for t in tables) + 1), dtype=np.uint8
    )
    at = 0
    for head, table in zip(heads, tables, strict=True):
        out[:, at : at + len(head)] = head
        at += len(head)
        out[:, at : at + table.shape[1]] = table
        at += table.shape[1]
    out[:, at] = ord('"')
    return from_bytes(out)


def _looked_up(coded: list[Coded]) -> list[pl.Series]:
    """Coded fields as pieces of lines; those of few values joined, so that one look-up serves them all."""
    out = [
        (column.pieces if column.pieces is not None else pieces(column.fields)).gather(
            column.codes.astype(np.uint32)
        )
        for column in coded
        if column.size > FEW
    ]
    few = [column for column in coded if column.size <= FEW]
    while few:
        joined, size = [few.pop()], 1
        size = joined[0].size
        while few and size * few[-1].size <= _MOST:
            size *= few[-1].size
            joined.append(few.pop())
        out.append(_joined(joined, size))
    return out


def _joined(coded: list[Coded], size: int) -> pl.Series:
    code = np.zeros(len(coded[0].codes), dtype=np.int64)
    for column in coded:
        code = code * column.size + column.codes
    seen: Ints = np.flatnonzero(np.bincount(code, minlength=size))
    rest, each = seen, []
    for column in reversed(coded):
        rest, value = np.divmod(rest, column.size)
        each.append(pieces(column.fields).gather(value.astype(np.uint32)))
    table = pl.select(pl.concat_str(each)).to_series()
    place = np.zeros(size, dtype=np.uint32)
    place[seen] = np.arange(len(seen), dtype=np.uint32)
    return table.gather(place[code])


def _piece(name: str, values: pl.Series) -> list[pl.Expr]:
    """`,"name":value`; null where there is none."""
    if values.dtype == pl.List:
        quoted = pl.lit(values).list.eval(pl.format('"{}"', pl.element())).list.join(",")
        parts = [pl.lit(f',"{name}":['), quoted, pl.lit("]")]
    elif values.dtype == pl.String:
        parts = [pl.lit(f',"{name}":"'), pl.lit(values), pl.lit('"')]
    else:
        parts = [pl.lit(f',"{name}":'), pl.lit(values).cast(pl.String)]
    return [pl.concat_str(parts)] if values.null_count() else parts
