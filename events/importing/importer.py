"""The import itself: a supplier's file through a map to contract records, bad rows apart and counted."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from time import perf_counter
from typing import IO, Any, Final

import polars as pl

from events.importing.columns import Columns, column, condition, shown
from events.importing.errors import MapError, SourceError
from events.importing.fields import FIELDS, NOTICE_REQUIRED, NOTICES, ONE_OF, REQUIRED, Kind
from events.importing.iso20022 import read_messages
from events.importing.maps import ISO_FORMATS, ROW, ImportMap, RecordRule, load_map
from events.importing.tables import Batch, Refused, read_table
from events.importing.times import UTC_TIME
from events.importing.writing import KEY, SUFFIXES, Writer, open_writer, suffix_of

DTYPES: Final[dict[Kind, Any]] = {
    "text": pl.String, "id": pl.String, "word": pl.String, "minor": pl.Int64, "signed_minor": pl.Int64,
    "whole": pl.Int64,
    "real": pl.Float64, "yes_no": pl.Boolean, "time": UTC_TIME, "day": pl.Date, "number": pl.String,
    "any_number": pl.String, "list": pl.List(pl.String),
}  # fmt: skip

_ORDER: Final = "#order"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come: rows read, and the share of the source read (0 to 1)."""

    rows: int
    share: float


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did. `refused` counts by reason; `notes` say what was odd without being refused."""

    rows_in: int
    records_out: dict[str, int]
    refused: dict[str, int]
    seconds: float
    rows_skipped: int = 0
    outputs: dict[str, Path] = field(default_factory=dict)
    rejected: Path | None = None
    notes: tuple[str, ...] = ()


def import_file(
    map_path: Path | str,
    source_path: Path | str,
    out_path: Path | str,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    rejected_path: Path | str | None = None,
    out_format: str = "ndjson",
) -> ImportSummary:
    """Imports a file (or every file of a folder, in the order of their names) through a map.

    `out_path` is a file when the map yields one stream (.ndjson, .ndjson.gz or .parquet), or a folder, which then
    gets one file a stream in `out_format`. Refused rows go to `rejected_path` (default: beside the output), one
    JSON object each; the file is there only when something was refused.

    Raises:
        MapError: the map cannot be used, or not with this output.
        SourceError: the source as a whole cannot be read; nothing is written then.
    """
    began = perf_counter()
    wanted = load_map(map_path)
    files = source_files(Path(source_path))
    outputs = output_paths(wanted, Path(out_path), out_format)
    rejected = Path(rejected_path) if rejected_path is not None else _beside(Path(out_path))
    with ExitStack() as stack:
        run = _Run(wanted, outputs, rejected, on_progress)
        stack.callback(run.abandon)
        for number, file in enumerate(files):
            run.take_file(file, number, len(files))
        run.close()
        stack.pop_all()
    return ImportSummary(
        rows_in=run.rows_in,
        rows_skipped=run.skipped,
        records_out=dict(run.written),
        refused=dict(sorted(run.refused.items())),
        seconds=perf_counter() - began,
        outputs=outputs,
        rejected=rejected if run.refused else None,
        notes=tuple(run.all_notes()),
    )


def source_files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder in the order of their names (hidden ones apart).

    Raises:
        SourceError: there is nothing there.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise SourceError(f"the folder {path} has no files")
    return files


def output_paths(wanted: ImportMap, out: Path, out_format: str) -> dict[str, Path]:
    """The file each stream goes to.

    Raises:
        MapError: the output is one file and the map yields several streams, or its name says no known format.
    """
    if f".{out_format}" not in SUFFIXES:
        raise MapError(f"there is no output format {out_format!r}; choose one of ndjson, ndjson.gz, parquet")
    if suffix_of(out) is not None and not out.is_dir():
        if len(wanted.streams) > 1:
            raise MapError(
                f"the map {wanted.name} yields {', '.join(wanted.streams)}: name a folder for them, not the file {out}"
            )
        return {wanted.streams[0]: out}
    if out.suffix and not out.is_dir():
        raise MapError(f"{out.name} does not say what to write; end it in one of {', '.join(SUFFIXES)}")
    out.mkdir(parents=True, exist_ok=True)
    return {stream: out / f"{stream}.{out_format}" for stream in wanted.streams}


def _beside(out: Path) -> Path:
    return out / "rejected.ndjson" if out.is_dir() else out.with_name(out.name + ".rejected.ndjson")


class _Plan:
    """The records of a map as expressions over the columns one source file has."""

    def __init__(self, wanted: ImportMap, columns: Columns) -> None:
        self.columns = columns
        self.where = [condition(test, columns) for test in wanted.where]
        self.records = [_RecordPlan(rule, wanted, columns) for rule in wanted.records]


class _RecordPlan:
    """One record's columns, its conditions, and what it must carry."""

    def __init__(self, rule: RecordRule, wanted: ImportMap, columns: Columns) -> None:
        self.stream = rule.stream
        self.where = [condition(test, columns) for test in rule.where]
        self.columns = [column(each, columns) for each in rule.fields]
        self.ext = [column(each, columns) for each in rule.ext]
        self.constants = {"source": wanted.source} | ({"basis": wanted.basis} if wanted.basis else {})
        self.filled = {each.name for each in rule.fields}
        self.sort = rule.sort

    def values(self) -> list[pl.Expr]:
        fields = FIELDS[self.stream]
        texts = [
            pl.lit(value).alias(name) for name, value in self.constants.items() if name not in self.filled
        ]
        values = [each.value.cast(DTYPES[fields[each.name].kind]).alias(each.name) for each in self.columns]
        ext = [pl.struct([each.value.alias(each.name) for each in self.ext]).alias("ext")] if self.ext else []
        return [*values, *texts, *ext]

    def steps(self) -> list[list[pl.Expr]]:
        """What is worked out before the values, step by step for all fields at once."""
        prepared = [each.prepare for each in (*self.columns, *self.ext)]
        return [[each for each in step if each is not None] for step in zip_longest(*prepared)]

    def checks(self) -> list[tuple[str, str, str, pl.Expr, pl.Expr]]:
        """Field, reason, sentence, the test, and the value as the source has it."""
        return [
            (each.name, check.reason, check.says, check.wrong, each.shown)
            for each in (*self.columns, *self.ext)
            for check in each.checks
        ]


class _Run:
    """One import under way: its writers, counts and notes."""

    def __init__(
        self,
        wanted: ImportMap,
        outputs: dict[str, Path],
        rejected: Path,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._wanted = wanted
        self._sorted = {record.stream for record in wanted.records if record.sort}
        self._writers: dict[str, Writer] = {}
        self._schemas = {stream: stream_schema(wanted, stream) for stream in wanted.streams}
        self._outputs = outputs
        self._rejected_path = rejected
        self._rejected: IO[str] | None = None
        self._on_progress = on_progress
        self._plan: _Plan | None = None
        self._file = ""
        self._several = False
        self.rows_in = 0
        self.skipped = 0
        self.written: Counter[str] = Counter(dict.fromkeys(wanted.streams, 0))
        self.refused: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        self._notes: list[str] = []

    def take_file(self, path: Path, number: int, files: int) -> None:
        self._file, self._several = path.name, files > 1
        if not self._writers:
            # the source must be readable before anything is written
            batches = self._batches(path)
            first = next(batches, None)
            for stream, out in self._outputs.items():
                self._writers[stream] = open_writer(out, sort=stream in self._sorted)
            if first is not None:
                self._take(first, number, files)
            rest: Iterator[Batch] = batches
        else:
            rest = self._batches(path)
        for batch in rest:
            self._take(batch, number, files)

    def _batches(self, path: Path) -> Iterator[Batch]:
        read = read_messages if self._wanted.format in ISO_FORMATS else read_table
        return read(path, self._wanted)

    def _take(self, batch: Batch, number: int, files: int) -> None:
        frame = batch.frame
        self.rows_in += frame.height + len({each.row for each in batch.refused})
        self._notes += [note if not self._several else f"{self._file}: {note}" for note in batch.notes]
        for each in batch.refused:
            self._refuse(each)
        if frame.height:
            self._records(frame)
        if self._on_progress is not None:
            self._on_progress(Progress(self.rows_in, (number + batch.share) / files))

    def _records(self, frame: pl.DataFrame) -> None:
        columns = dict(frame.schema)
        if self._plan is None or self._plan.columns != columns:
            self._plan = _Plan(self._wanted, columns)
        kept = frame.filter(self._plan.where) if self._plan.where else frame
        self.skipped += frame.height - kept.height
        made: dict[str, list[pl.DataFrame]] = {}
        for order, record in enumerate(self._plan.records):
            rows = kept.filter(record.where) if record.where else kept
            if rows.height:
                good = self._record(rows, record)
                made.setdefault(record.stream, []).append(good.with_columns(pl.lit(order).alias(_ORDER)))
        for stream, frames in made.items():
            self._write(stream, frames)

    def _write(self, stream: str, frames: list[pl.DataFrame]) -> None:
        """Writes a batch's records of one stream, in the order of their rows."""
        schema = self._schemas[stream]
        filled = [_conformed(frame, schema) for frame in frames]
        records = pl.concat(filled)
        if len(filled) > 1:
            records = records.sort(ROW, _ORDER, maintain_order=True)
        records = records.drop(ROW, _ORDER)
        if stream in self._sorted:
            times = [pl.col(name) for name in ("recorded_ts", "ts") if name in schema]
            records = records.with_columns(pl.coalesce(times).to_physical().alias(KEY))
        self._writers[stream].write(records)
        self.written[stream] += records.height

    def _record(self, rows: pl.DataFrame, record: _RecordPlan) -> pl.DataFrame:
        checks = record.checks()
        tests = [
            test.fill_null(False).alias(f"#bad{place}") for place, (*_, test, _shown) in enumerate(checks)
        ]
        counted = [
            (says, test.fill_null(False).alias(f"#count{place}"))
            for place, (says, test) in enumerate(each for made in record.columns for each in made.counted)
        ]
        for step in record.steps():
            rows = rows.with_columns(step)
        values = (
            rows.lazy()
            .select([*record.values(), pl.col(ROW), *tests, *(test for _, test in counted)])
            .collect()
        )
        for says, test in counted:
            self._counted[says] += int(values[test.meta.output_name()].sum())
        wrong = [name for name in values.columns if name.startswith("#bad") and values[name].any()]
        missing = _missing(record.stream, values)
        good = values.drop([name for name in values.columns if name.startswith(("#bad", "#count"))])
        if not wrong and not missing:
            return good
        bad = pl.Series([False]).new_from_index(0, values.height)
        for name in wrong:
            bad = bad | values[name]
        self._explain(rows, values, checks, wrong, record.stream)
        for field_name, absent in missing:
            for row in values.filter(absent & ~bad)[ROW].to_list():
                message = f"row {row}, {field_name}: is empty, and {record.stream} records need it"
                self._refuse(Refused(row, "missing_field", message, record.stream, field_name))
            bad = bad | absent
        return good.filter(~bad)

    def _explain(
        self,
        rows: pl.DataFrame,
        values: pl.DataFrame,
        checks: list[tuple[str, str, str, pl.Expr, pl.Expr]],
        wrong: list[str],
        stream: str,
    ) -> None:
        """Says what was wrong with each bad row, by the first check it failed."""
        said = pl.Series([False]).new_from_index(0, values.height)
        for name in wrong:
            field_name, reason, says, _, source = checks[int(name.removeprefix("#bad"))]
            chosen = values[name] & ~said
            said = said | chosen
            if not chosen.any():
                continue
            found = rows.filter(chosen).select(pl.col(ROW), source.alias("#shown"))
            for row, value in found.iter_rows():
                message = f"row {row}, {field_name}: {shown(value)} {says}"
                self._refuse(Refused(row, reason, message, stream, field_name))

    def _refuse(self, refused: Refused) -> None:
        self.refused[refused.reason] += 1
        if self._rejected is None:
            if not self._rejected_path.parent.is_dir():
                raise SourceError(
                    f"there is no folder {self._rejected_path.parent} for the refused rows; make it first"
                )
            self._rejected = self._rejected_path.open("w", encoding="utf-8")
        said = {
            "source": self._wanted.source,
            "reason": refused.reason,
            "detail": refused.field,
            "stream": refused.stream,
            "file": self._file,
            "row": refused.row,
            "message": refused.message,
        }
        self._rejected.write(json.dumps({key: value for key, value in said.items() if value != ""}) + "\n")

    def all_notes(self) -> list[str]:
        counted = [f"{says} ({count} rows)" for says, count in self._counted.items() if count]
        return [*dict.fromkeys(self._notes), *counted]

    def close(self) -> None:
        for stream, writer in self._writers.items():
            if not self.written[stream]:
                writer.write(pl.DataFrame(schema=_with_key(self._schemas[stream], stream in self._sorted)))
            writer.close()
        self._writers = {}
        self._end_rejected()

    def abandon(self) -> None:
        for writer in self._writers.values():
            writer.abandon()
        self._end_rejected()

    def _end_rejected(self) -> None:
        if self._rejected is not None:
            self._rejected.close()
            self._rejected = None


def _with_key(schema: dict[str, Any], keyed: bool) -> dict[str, Any]:
    return {**schema, KEY: pl.Int64} if keyed else schema


def stream_schema(wanted: ImportMap, stream: str) -> dict[str, Any]:
    """The columns a stream's output has: every field that any of the map's records fills, in the contract's order."""
    records = [record for record in wanted.records if record.stream == stream]
    filled = {rule.name for record in records for rule in record.fields} | {"source"}
    if wanted.basis:
        filled.add("basis")
    schema: dict[str, Any] = {
        name: DTYPES[each.kind] for name, each in FIELDS[stream].items() if name in filled
    }
    ext = dict.fromkeys(rule.name for record in records for rule in record.ext)
    if ext:
        schema["ext"] = pl.Struct(dict.fromkeys(ext, pl.String))
    return schema


def _conformed(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    """A record's frame with every column of its stream, in one order."""
    columns = []
    for name, dtype in schema.items():
        if name not in frame.columns:
            columns.append(pl.lit(None, dtype=dtype).alias(name))
        elif name == "ext":
            there = [each.name for each in frame.schema["ext"].fields]  # type: ignore[attr-defined]
            ext = [
                pl.col("ext").struct.field(each.name)
                if each.name in there
                else pl.lit(None, pl.String).alias(each.name)
                for each in dtype.fields
            ]
            columns.append(pl.struct(ext).alias("ext"))
        else:
            columns.append(pl.col(name).cast(dtype))
    return frame.select([*columns, ROW, _ORDER])


def _missing(stream: str, values: pl.DataFrame) -> list[tuple[str, pl.Series]]:
    """Required fields that some rows lack, each with the rows."""
    needed: list[tuple[str, pl.Series]] = []
    status = None
    if stream == "payments" and "status" in values.columns:
        status = values["status"].is_in(list(NOTICES)).fill_null(False)
    for name in REQUIRED[stream]:
        absent = _absent(values, name)
        if status is not None and name not in NOTICE_REQUIRED:
            absent = absent & ~status
        needed.append((name, absent))
    if status is not None:
        needed.append(("payment_id", _absent(values, "payment_id") & status))
    for first, second in [ONE_OF[stream]] if stream in ONE_OF else []:
        absent = _absent(values, first) & _absent(values, second)
        needed.append((f"{first} or {second}", absent & ~status if status is not None else absent))
    return [(name, absent) for name, absent in needed if absent.any()]


def _absent(values: pl.DataFrame, name: str) -> pl.Series:
    if name not in values.columns:
        return pl.Series([True]).new_from_index(0, values.height)
    return values[name].is_null()
