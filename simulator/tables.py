"""Columns of several kinds of rows put together as one Arrow table.

Rows of different kinds (calls, texts, moves) follow each other in a stream, and each kind has its own columns. Each
column is put in order while it is still bytes, numbers or codes, so that no text is ever copied one by one.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from simulator import records
from simulator.arrays import Array, Flags, Ints
from simulator.columns import Coded, Columns, Fixed, Numbers, text_buffers

_TIMES: Final = ("ts", "recorded_ts", "from", "to")
_DATES: Final = ("payer_opened", "payee_opened", "sim_activated")
_FEW: Final = frozenset(
    [
        "source", "basis", "kind", "direction", "phase", "ingress", "channel", "cell", "cell_end", "force", "payer_force",
        "payee_force", "age_band", "payer_age_band", "payee_age_band", "other_kind", "visited_plmn", "status",
        "status_reason", "decline_reason", "reference", "currency", "rail", "entry_mode", "cop", "auth", "payer_agent",
        "payee_agent", "mcc", "detail", "what", "why", "label", "typology", "role", "subject_category", "origin",
        "reason_code", "by",
    ]
)  # fmt: skip
"""Texts of few values, kept as codes and a dictionary."""

_Part = tuple[Fixed | Numbers | Coded | pl.Series, str, Ints]
"""A column, the name of the field in it, and where its rows come in the table."""


def _schema(stream: str) -> pa.Schema:
    kinds: dict[Any, pa.DataType] = {
        pl.Int64: pa.int64(), pl.Float64: pa.float64(), pl.Boolean: pa.bool_(), pl.List: pa.list_(pa.string()),
    }  # fmt: skip
    fields = []
    for name, dtype in records.SCHEMAS[stream].items():
        text = pa.dictionary(pa.int32(), pa.string()) if name in _FEW else pa.string()
        kind = kinds.get(dtype, text)
        kind = pa.timestamp("us", "UTC") if name in _TIMES else pa.date32() if name in _DATES else kind
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


SCHEMAS: Final = {stream: _schema(stream) for stream in records.STREAMS}
"""The contract's fields of each stream as Arrow has them."""


def assemble(parts: Sequence[Columns], places: Sequence[Ints], n: int, schema: pa.Schema) -> pa.Table:
    """`n` rows: each part's at its places, with nothing where a part has no such field."""
    found: dict[str, list[_Part]] = {}
    for columns, where in zip(parts, places, strict=True):
        for name, column in columns.items():
            for field in column.fields if isinstance(column, Coded) else (name,):
                found.setdefault(field, []).append((column, field, where))
    return pa.Table.from_arrays(
        [_array(found.get(field.name, []), n, field.type) for field in schema], schema=schema
    )


def _array(parts: list[_Part], n: int, kind: pa.DataType) -> pa.Array:
    """One field of all rows."""
    if not parts:
        return pa.nulls(n, kind)
    columns = [column for column, _, _ in parts]
    if all(isinstance(column, Coded) for column in columns):
        return _coded(parts, n, kind)
    if all(isinstance(column, Numbers) for column in columns):
        return _numbers(parts, n, kind)
    if all(isinstance(column, Fixed) for column in columns):
        texts = _texts(parts, n)
        return texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts
    return _series(parts, n, kind)


def _texts(parts: list[_Part], n: int) -> pa.Array:
    widths = {column.table.shape[1] for column, _, _ in parts if isinstance(column, Fixed)}
    table = np.zeros((n, max(widths)), dtype=np.uint8)
    there = np.zeros(n, dtype=np.bool_)
    lengths = np.zeros(n, dtype=np.int64)
    one_width = len(widths) == 1
    for column, _, where in parts:
        assert isinstance(column, Fixed)
        _put_rows(table, where, column.table)
        there[where] = True if column.there is None else column.there
        lengths[where] = column.table.shape[1] if column.lengths is None else column.lengths
        one_width = one_width and column.lengths is None
    buffers = text_buffers(table, None if there.all() else there, None if one_width else lengths, np.int32)
    return pa.StringArray.from_buffers(*buffers)


def _put_rows(table: Array, where: Ints, rows: Array) -> None:
    if rows.shape[1] < table.shape[1]:
        table[where, : rows.shape[1]] = rows
        return
    whole = np.dtype((np.void, table.shape[1]))  # a row is moved as one piece
    table.view(whole)[:, 0][where] = np.ascontiguousarray(rows).view(whole)[:, 0]


def _numbers(parts: list[_Part], n: int, kind: pa.DataType) -> pa.Array:
    values = np.zeros(n, dtype=np.int64)
    absent = np.ones(n, dtype=np.bool_)
    for column, _, where in parts:
        assert isinstance(column, Numbers)
        values[where] = column.values
        absent[where] = False if column.there is None else ~column.there
    return _whole(values, absent).cast(kind)


def _whole(values: Array, absent: Flags) -> pa.Array:
    return pa.array(values, mask=absent if absent.any() else None)


def _coded(parts: list[_Part], n: int, kind: pa.DataType) -> pa.Array:
    """Codes of all parts as codes of one dictionary of the values that are really there."""
    tables: list[pl.Series] = []
    first: dict[int, int] = {}
    size = 0
    codes = np.full(n, -1, dtype=np.int32)
    for column, field, where in parts:
        assert isinstance(column, Coded)
        table = column.fields[field]
        if id(table) not in first:
            first[id(table)] = size
            tables.append(table)
            size += len(table)
        codes[where] = column.codes + first[id(table)]
    seen = np.flatnonzero(np.bincount(codes + 1, minlength=size + 1)[1:])
    values = pl.concat(tables).gather(seen.astype(np.uint32)).to_arrow()
    used = np.full(size + 1, -1, dtype=np.int32)  # the last is for rows without the field
    if not pa.types.is_dictionary(kind):
        used[seen] = np.arange(len(seen))
        at = used[codes]
        return pc.take(values.cast(kind), _whole(at, at < 0))
    found = values.cast(pa.string()).dictionary_encode()
    used[seen] = found.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    at = used[codes]
    return pa.DictionaryArray.from_arrays(_whole(at, at < 0), found.dictionary)


def _series(parts: list[_Part], n: int, kind: pa.DataType) -> pa.Array:
    """Whatever else there is: text by text."""
    told, order, size = [], np.full(n, -1, dtype=np.int64), 0
    for column, field, where in parts:
        if isinstance(column, Coded):
            series = column.fields[field].gather(column.codes.astype(np.uint32))
        else:
            series = column if isinstance(column, pl.Series) else column.series()
        told.append(series)
        order[where] = size + np.arange(len(where))
        size += len(where)
    text = pl.concat(told).to_arrow()
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    array = pc.take(text.cast(plain), _whole(order, order < 0))
    return array.dictionary_encode() if pa.types.is_dictionary(kind) else array
