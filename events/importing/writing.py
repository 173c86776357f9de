"""Writing contract records: NDJSON, gzipped NDJSON or Parquet, in the order asked for, whole or not at all.

Files are written under another name and renamed at the end, so an import that fails leaves nothing half-written.
Sorting keeps bounded memory: sorted runs go to disk and are merged range by range.
"""

import gzip
import shutil
import tempfile
from pathlib import Path
from typing import IO, Final, Protocol, cast

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from events.importing.errors import SourceError

SUFFIXES: Final = (".ndjson", ".ndjson.gz", ".parquet")
RUN_ROWS: Final = 1_000_000
"""Rows sorted in memory at a time; rows of one instant beyond that still go together."""

KEY: Final = "#key"
_SAMPLE: Final = 4_096
_GZIP_LEVEL: Final = 4


class Writer(Protocol):
    """Something that takes frames of records and puts them in a file."""

    def write(self, frame: pl.DataFrame) -> None: ...

    def close(self) -> None: ...

    def abandon(self) -> None: ...


def suffix_of(path: Path) -> str | None:
    """Which kind of output a file name asks for, or nothing when it is none of them."""
    return next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)


class _Whole:
    """A file that appears under its name only when it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".part")

    def finish(self) -> None:
        self.partial.replace(self.path)

    def drop(self) -> None:
        self.partial.unlink(missing_ok=True)


class LinesWriter:
    """NDJSON; fields that no record of a frame fills are left out, others may be null."""

    def __init__(self, path: Path, *, zipped: bool) -> None:
        self._whole = _Whole(path)
        self._raw = self._whole.partial.open("wb")
        # no name and no time in the header: the same import gives the same bytes
        self._file: IO[bytes] = (
            cast(IO[bytes], gzip.GzipFile("", "wb", _GZIP_LEVEL, self._raw, mtime=0)) if zipped else self._raw
        )

    def write(self, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        self._file.write(as_lines(frame))

    def close(self) -> None:
        self._file.close()
        self._raw.close()
        self._whole.finish()

    def abandon(self) -> None:
        self._raw.close()
        self._whole.drop()


def as_lines(frame: pl.DataFrame) -> bytes:
    """A frame as NDJSON: times in RFC 3339, days as dates, absent fields left out where none of the rows has them."""
    filled = [column.name for column in frame if column.null_count() < frame.height]
    texts = []
    for name in filled:
        column = pl.col(name)
        if isinstance(frame[name].dtype, pl.Datetime):
            column = column.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
        elif frame[name].dtype == pl.Date:
            column = column.dt.to_string("%Y-%m-%d")
        texts.append(column)
    written = frame.select(texts).write_ndjson()
    return written.encode()


class ParquetWriter:
    """Parquet with the contract's fields as columns; times are microseconds UTC."""

    def __init__(self, path: Path) -> None:
        self._whole = _Whole(path)
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._whole.partial, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._whole.finish()

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._whole.drop()


class SortedWriter:
    """Puts records in the order of their key before they are written; equal keys keep the order of their rows."""

    def __init__(self, inner: Writer, folder: Path) -> None:
        self._inner = inner
        self._folder = Path(tempfile.mkdtemp(prefix=".sorting-", dir=folder))
        self._held: list[pl.DataFrame] = []
        self._rows = 0
        self._runs: list[Path] = []
        self._samples: list[pl.Series] = []
        self._empty: pl.DataFrame | None = None

    def write(self, frame: pl.DataFrame) -> None:
        self._empty = frame.clear()
        self._held.append(frame)
        self._rows += frame.height
        if self._rows >= RUN_ROWS:
            self._spill()

    def _run(self) -> pl.DataFrame:
        run = pl.concat(self._held).sort(KEY, maintain_order=True)
        self._held, self._rows = [], 0
        return run

    def _spill(self) -> None:
        run = self._run()
        path = self._folder / f"{len(self._runs):06}.arrow"
        run.write_ipc(path)
        self._runs.append(path)
        self._samples.append(run[KEY].gather_every(_SAMPLE))

    def close(self) -> None:
        try:
            if not self._runs:
                self._inner.write(self._run().drop(KEY) if self._held else self._nothing())
            else:
                self._merge()
            self._inner.close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _nothing(self) -> pl.DataFrame:
        return self._empty.drop(KEY) if self._empty is not None else pl.DataFrame()

    def _merge(self) -> None:
        """Goes through the keys in ranges of about a run's size, taking each range from every run."""
        if self._held:
            self._spill()
        runs = [pl.read_ipc(path) for path in self._runs]
        keys = [run[KEY] for run in runs]
        marks = pl.concat(self._samples).sort()
        cuts = marks.gather_every(max(1, RUN_ROWS // _SAMPLE)).unique(maintain_order=True).to_list()[1:]
        starts = [0] * len(runs)
        for cut in [*cuts, None]:
            ends = [
                len(key) if cut is None else int(np.searchsorted(key.to_numpy(), cut, side="left"))
                for key in keys
            ]
            parts = [run[start:end] for run, start, end in zip(runs, starts, ends, strict=True)]
            self._inner.write(pl.concat(parts).sort(KEY, maintain_order=True).drop(KEY))
            starts = ends

    def abandon(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._inner.abandon()


def open_writer(path: Path, *, sort: bool) -> Writer:
    """A writer for a file, by the end of its name.

    Raises:
        SourceError: the name ends in nothing that can be written, or its folder is not there.
    """
    suffix = suffix_of(path)
    if suffix is None:
        raise SourceError(f"{path.name} does not say what to write; end it in one of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise SourceError(f"there is no folder {path.parent}; make it first")
    inner: Writer = (
        ParquetWriter(path) if suffix == ".parquet" else LinesWriter(path, zipped=suffix == ".ndjson.gz")
    )
    return SortedWriter(inner, path.parent) if sort else inner
