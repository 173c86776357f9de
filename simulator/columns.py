"""Columns as they are about to be written, kept in the form that makes lines of JSON and Arrow tables cheapest.

Most of what suppliers report is of one width (ids, times, numbers) or one of few values (kinds, words, cells): the
first are laid side by side as bytes, the second are looked up as ready pieces of a line. `tables` makes Arrow of them.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from simulator.arrays import Array, Flags, Ints
from simulator.identifiers import from_bytes

FEW: Final = 64
"""Columns of up to so many values are joined with each other before they are looked up."""
_MOST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Fixed:
    """Texts as a table of ASCII bytes, one row each: of one width and none absent, unless said otherwise."""

    table: Array
    there: Flags | None = None
    """Which are there at all; none absent where it is not said."""
    lengths: Ints | None = None
    """How many bytes of each row count, where they are not of one width."""

    @property
    def whole(self) -> bool:
        """Of one width, and none absent."""
        return self.there is None and self.lengths is None

    def series(self) -> pl.Series:
        """The texts as a series."""
        if self.whole:
            return from_bytes(self.table)
        text = pa.LargeStringArray.from_buffers(*text_buffers(self.table, self.there, self.lengths, np.int64))
        series = pl.from_arrow(text)
        assert isinstance(series, pl.Series)
        return series


@dataclass(frozen=True, slots=True)
class Numbers:
    """Whole numbers, or moments in microseconds."""

    values: Ints
    there: Flags | None = None
    moments: bool = False

    def series(self) -> pl.Series:
        """The numbers as a series."""
        series = pl.Series(self.values)
        series = series.cast(pl.Datetime("us", "UTC")) if self.moments else series
        return series if self.there is None else _blanked(series, self.there)


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


Column = Fixed | Numbers | Coded | pl.Series
Columns = dict[str, Column]


def where(column: Column, there: Flags) -> Column:
    """The column with nothing where nothing is there."""
    if there.all():
        return column
    if isinstance(column, Coded):
        raise TypeError("a coded column says what is absent by its codes")
    if isinstance(column, pl.Series):
        return _blanked(column, there)
    return replace(column, there=there if column.there is None else there & column.there)


def _blanked(series: pl.Series, there: Flags) -> pl.Series:
    return pl.select(pl.when(pl.Series(there)).then(series).otherwise(None)).to_series()


def text_buffers(
    table: Array, there: Flags | None, lengths: Ints | None, offset: type[np.generic]
) -> tuple[int, pa.Buffer, pa.Buffer, pa.Buffer | None]:
    """What an Arrow array of these texts is made from: how many, offsets, text, and which are there."""
    n, width = table.shape
    size: Array = np.full(n, width) if lengths is None else lengths
    if there is not None:
        size = np.where(there, size, 0)
    offsets = np.zeros(n + 1, dtype=offset)
    np.cumsum(size, out=offsets[1:])
    if lengths is not None:
        text = table[np.arange(width) < size[:, None]]
    else:
        text = np.ascontiguousarray(table if there is None else table[there])
    valid = None if there is None else pa.py_buffer(np.packbits(there, bitorder="little"))
    return n, pa.py_buffer(offsets), pa.py_buffer(text), valid


def series_of(columns: Columns) -> dict[str, pl.Series]:
    """Each field as a series."""
    found: dict[str, pl.Series] = {}
    for name, column in columns.items():
        if isinstance(column, Coded):
            at = column.codes.astype(np.uint32)
            found |= {field: values.gather(at) for field, values in column.fields.items()}
        else:
            found[name] = column if isinstance(column, pl.Series) else column.series()
    return found


def lines(columns: Columns) -> pl.Series:
    """Each row as a line of JSON with its newline; what is absent is left out. `event_id` is always there."""
    parts: list[pl.Series | pl.Expr] = [
        _side_by_side({n: c for n, c in columns.items() if isinstance(c, Fixed) and c.whole})
    ]
    parts += _looked_up([column for column in columns.values() if isinstance(column, Coded)])
    for name, column in columns.items():
        if isinstance(column, pl.Series):
            parts += _piece(name, column)
        elif isinstance(column, Numbers) or (isinstance(column, Fixed) and not column.whole):
            parts += _piece(name, column.series())
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
