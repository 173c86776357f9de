"""Where the records go: NDJSON or Parquet files, one for each stream, in the order of recording."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.arrays import Ints
from simulator.diary import Diary
from simulator.identifiers import mix
from simulator.records import SCHEMAS, STREAMS, Columns, Writer

SLICE: Final = 200_000
"""Rows written at a time: what bounds the memory the text takes."""
_TIMES: Final = ("ts", "recorded_ts", "from", "to")
_DATES: Final = ("payer_opened", "payee_opened", "sim_activated")


class Sink(Protocol):
    """Takes the records of a stream in the order they were recorded."""

    typed: bool

    def write(self, stream: str, frames: list[pl.DataFrame], places: list[Ints], recorded: Ints) -> None:
        """Rows of one stretch of time: frames of different columns, and where each row of each comes."""

    def close(self) -> None:
        """Nothing more comes."""


def lines_of(frame: pl.DataFrame) -> pl.Series:
    """Each row as a line of JSON with its newline; what is absent is left out."""
    parts: list[pl.Expr] = []
    literal = "{"
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if column.dtype == pl.List:
            quoted = pl.col(name).list.eval(pl.format('"{}"', pl.element())).list.join(",")
            head, value, tail = f'"{name}":[', quoted, "]"
        elif column.dtype == pl.String:
            head, value, tail = f'"{name}":"', pl.col(name), '"'
        else:
            head, value, tail = f'"{name}":', pl.col(name).cast(pl.String), ""
        comma = "," if place else ""
        if column.null_count():
            parts += [pl.lit(literal), pl.concat_str(pl.lit(comma + head), value, pl.lit(tail))]
            literal = ""
        else:
            parts += [pl.lit(literal + comma + head), value]
            literal = tail
    parts.append(pl.lit(literal + "}\n"))
    return frame.select(pl.concat_str(parts, ignore_nulls=True).alias("line")).to_series()


def _bytes(lines: pl.Series) -> memoryview:
    """The lines one behind the other."""
    text = lines.to_arrow()
    assert isinstance(text, pa.LargeStringArray)
    offsets = np.frombuffer(text.buffers()[1], dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    return memoryview(text.buffers()[2])[int(offsets[0]) : int(offsets[-1])]


class NdjsonFolder:
    """A folder with one growing NDJSON file for each stream."""

    typed = False

    def __init__(self, folder: Path, bad_share: float = 0.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, BinaryIO] = {name: (folder / f"{name}.ndjson").open("wb") for name in STREAMS}
        self._bad_share = bad_share

    def write(self, stream: str, frames: list[pl.DataFrame], places: list[Ints], recorded: Ints) -> None:
        if len(recorded):
            self._files[stream].write(_bytes(in_order(frames, places, self._bad_share)))

    def flush(self) -> None:
        """Let readers see what was written."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def in_order(frames: list[pl.DataFrame], places: list[Ints], bad_share: float = 0.0) -> pl.Series:
    """The lines of all frames, each at its place."""
    lines = pl.concat([lines_of(frame) for frame in frames])
    where = np.concatenate(places)
    order = np.empty(len(where), dtype=np.int64)
    order[where] = np.arange(len(where))
    lines = lines.gather(order.astype(np.uint32))
    return _spoilt(lines, bad_share) if bad_share > 0 else lines


def _spoilt(lines: pl.Series, share: float) -> pl.Series:
    """A few lines that cannot be read: torn, of a wrong type, or carrying what was said."""
    draw = mix(lines.hash(7).to_numpy().astype(np.uint64)).astype(np.float64) / 2.0**64
    kind = np.floor(draw / share * 3)
    torn, wrong, content = (pl.Series(kind == place) for place in range(3))
    spoilt = pl.select(
        pl.when(torn)
        .then(lines.str.slice(0, 90) + "\n")
        .when(wrong)
        .then(lines.str.replace('"ts":"', '"ts":"not a time '))
        .when(content)
        .then(lines.str.replace('{"', '{"text":"secret","'))
        .otherwise(lines)
    )
    return spoilt.to_series()


class ParquetFolder:
    """A folder with one Parquet file for each stream; times are instants, dates are dates."""

    typed = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._schemas = {name: _parquet_schema(name) for name in STREAMS}
        self._files = {
            name: pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd")
            for name, schema in self._schemas.items()
        }

    def write(self, stream: str, frames: list[pl.DataFrame], places: list[Ints], recorded: Ints) -> None:
        if not len(recorded):
            return
        where = np.concatenate(places)
        order = np.empty(len(where), dtype=np.uint32)
        order[where] = np.arange(len(where), dtype=np.uint32)
        whole = pl.concat(frames, how="diagonal")[order]
        table, schema = whole.to_arrow(), self._schemas[stream]
        columns = [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(len(order), field.type)
            for field in schema
        ]
        self._files[stream].write_table(pa.Table.from_arrays(columns, schema=schema))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _parquet_schema(stream: str) -> pa.Schema:
    kinds: dict[Any, pa.DataType] = {
        pl.String: pa.string(), pl.Int64: pa.int64(), pl.Float64: pa.float64(), pl.Boolean: pa.bool_(),
        pl.List: pa.list_(pa.string()),
    }  # fmt: skip
    fields = []
    for name, dtype in SCHEMAS[stream].items():
        kind = (
            pa.timestamp("us", "UTC") if name in _TIMES else pa.date32() if name in _DATES else kinds[dtype]
        )
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def slices(
    writer: Writer, stream: str, due: list[Columns], places: list[Ints]
) -> Iterator[tuple[list[pl.DataFrame], list[Ints], Ints]]:
    """What is due, `SLICE` rows at a time: frames, the place of each of their rows in the slice, when recorded."""
    total = sum(len(place) for place in places)
    orders = [np.argsort(place) for place in places]
    ranked = [place[order] for place, order in zip(places, orders, strict=True)]
    for low in range(0, total, SLICE):
        frames, where, recorded = [], [], np.empty(min(SLICE, total - low), dtype=np.int64)
        for columns, order, rank in zip(due, orders, ranked, strict=True):
            first, last = np.searchsorted(rank, [low, low + SLICE])
            if first == last:
                continue
            rows = order[first:last]
            part = {name: column[rows] for name, column in columns.items()}
            frames.append(writer.frame(stream, part))
            where.append(rank[first:last] - low)
            recorded[where[-1]] = part["recorded"]
        yield frames, where, recorded


def write_truth(folder: Path, diary: Diary) -> None:
    """What really went on, in a folder apart that no flow reads."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "truth.ndjson").open("w", encoding="utf-8") as file:
        for row in diary.truths.values():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
