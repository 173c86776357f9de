"""Where the records go: NDJSON or Parquet files, one for each stream, in the order of recording."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from simulator import tables
from simulator.arrays import Ids, Ints
from simulator.diary import Diary
from simulator.identifiers import mix
from simulator.records import STREAMS, Rows, Writer

SLICE: Final = 200_000
"""Rows written at a time: what bounds the memory the text takes."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one stream that follow each other, by the columns they have, and where each of them comes."""

    stream: str
    rows: list[Rows]
    places: list[Ints]
    recorded: Ints

    @property
    def order(self) -> npt.NDArray[np.uint32]:
        """For each place, which of the rows laid end to end stands there."""
        where = np.concatenate(self.places)
        out = np.empty(len(where), dtype=np.uint32)
        out[where] = np.arange(len(where), dtype=np.uint32)
        return out

    def lines(self, writer: Writer, bad_share: float = 0.0) -> pl.Series:
        """The rows as lines of JSON."""
        lines = pl.concat([writer.lines(self.stream, rows) for rows in self.rows])
        if bad_share > 0:
            lines = _spoilt(lines, np.concatenate([rows["event_id"] for rows in self.rows]), bad_share)
        return lines.gather(self.order)

    def table(self, writer: Writer) -> pa.Table:
        """The rows as a table of Arrow."""
        parts = [writer.fields(self.stream, rows) for rows in self.rows]
        return tables.assemble(parts, self.places, len(self.recorded), tables.SCHEMAS[self.stream])


class Sink(Protocol):
    """Takes the records of each stream in the order they were recorded."""

    typed: bool

    def write(self, stretch: Stretch, writer: Writer) -> None:
        """The next rows of a stream."""

    def close(self) -> None:
        """Nothing more comes."""


class NdjsonFolder:
    """A folder with one growing NDJSON file for each stream."""

    typed = False

    def __init__(self, folder: Path, bad_share: float = 0.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, BinaryIO] = {name: (folder / f"{name}.ndjson").open("wb") for name in STREAMS}
        self._bad_share = bad_share

    def write(self, stretch: Stretch, writer: Writer) -> None:
        self._files[stretch.stream].write(_bytes(stretch.lines(writer, self._bad_share)))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _bytes(lines: pl.Series) -> memoryview:
    """The lines one behind the other."""
    text = lines.to_arrow()
    assert isinstance(text, pa.LargeStringArray)
    offsets = np.frombuffer(text.buffers()[1], dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    return memoryview(text.buffers()[2])[int(offsets[0]) : int(offsets[-1])]


def _spoilt(lines: pl.Series, ids: Ids, share: float) -> pl.Series:
    """A few lines that cannot be read: torn, of a wrong type, or carrying what was said."""
    draw = mix(ids ^ np.uint64(0xBAD)).astype(np.float64) / 2.0**64
    kind = np.floor(draw / share * 3)
    torn, wrong, content = (pl.Series(kind == place) for place in range(3))
    spoilt = pl.select(
        pl.when(torn)
        .then(lines.str.slice(0, 90) + "\n")
        .when(wrong)
        .then(lines.str.replace('"ts":"', '"ts":"not a time ', literal=True))
        .when(content)
        .then(lines.str.replace('{"', '{"text":"secret","', literal=True))
        .otherwise(lines)
    )
    return spoilt.to_series()


class ParquetFolder:
    """A folder with one Parquet file for each stream; times are instants, dates are dates."""

    typed = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {name: _parquet(folder / f"{name}.parquet", name) for name in STREAMS}

    def write(self, stretch: Stretch, writer: Writer) -> None:
        self._files[stretch.stream].write_table(stretch.table(writer))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _parquet(path: Path, stream: str) -> pq.ParquetWriter:
    """A file of one stream: columns of few values by dictionary, the others plainly, since they hardly repeat.

    The schema of Arrow is not kept beside Parquet's own, so that columns of few values are read as plain text.
    """
    schema = tables.SCHEMAS[stream]
    few = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    counted = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    return pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=few, write_statistics=counted, store_schema=False
    )


def stretches(stream: str, due: list[Rows], order: Ints) -> Iterator[Stretch]:
    """What is due, `SLICE` rows at a time."""
    ends = np.cumsum([len(rows["event_id"]) for rows in due])
    for low in range(0, len(order), SLICE):
        places = order[low : low + SLICE]
        kind = np.searchsorted(ends, places, side="right")
        parts, where, recorded = [], [], np.empty(len(places), dtype=np.int64)
        for number in np.flatnonzero(np.bincount(kind)).tolist():
            mine = np.flatnonzero(kind == number)
            rows = due[number]
            chosen = places[mine] - (ends[number] - len(rows["event_id"]))
            parts.append({name: column[chosen] for name, column in rows.items()})
            where.append(mine)
            recorded[mine] = parts[-1]["recorded"]
        yield Stretch(stream, parts, where, recorded)


def write_truth(folder: Path, diary: Diary, about: Mapping[str, Any]) -> None:
    """What really went on and what the world is like, in a folder apart that no flow reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "world.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    with (folder / "truth.ndjson").open("w", encoding="utf-8") as file:
        for row in diary.truths.values():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
