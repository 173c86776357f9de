"""Reading the supplier's file: CSV, Parquet or NDJSON as frames of a bounded number of rows, bad rows apart.

Every frame has the columns the map asks for and `#row`, the row's number in its file (the first row of data is 1;
a header and empty lines do not count). Text files give text columns only: nothing about their values is guessed.
"""

import bz2
import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from events.importing.errors import SourceError
from events.importing.maps import ROW, ImportMap, Reader

BATCH_ROWS: Final = 131_072
BLOCK_BYTES: Final = 8 * 1024 * 1024
LONGEST_LINE: Final = 2 * 1024 * 1024
"""A line beyond this is refused and its bytes dropped as they pass; contract records are a few hundred bytes."""

_NDJSON_LINES: Final = 32_768
_OVERLONG: Final = b"(line too long)"
_UNPAIRED: Final = b"(unpaired quote)"
_COMPRESSED: Final = (".gz", ".bz2", ".zst")


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be imported: its number, the stream and field concerned, a reason to count, a sentence."""

    row: int
    reason: str
    message: str
    stream: str = ""
    field: str = ""


@dataclass(slots=True)
class Batch:
    """Some rows of the source, those that could not be read at all, and how far through the file they end."""

    frame: pl.DataFrame
    refused: list[Refused] = field(default_factory=list)
    share: float = 0.0
    notes: list[str] = field(default_factory=list)


class CountedFile(io.RawIOBase):
    """A file that knows how much of itself has been read, for progress."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._size = max(1, path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)

    @property
    def share(self) -> float:
        return min(1.0, self._file.tell() / self._size)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_bytes(path: Path) -> tuple[CountedFile, IO[bytes]]:
    """A file's bytes, decompressed when its name ends in .gz, .bz2 or .zst.

    Raises:
        SourceError: there is no such file, or nothing in it.
    """
    if not path.is_file():
        raise SourceError(f"there is no file {path}; check the name")
    if path.stat().st_size == 0:
        raise SourceError(f"{path.name} is empty; ask its supplier for it again")
    counted = CountedFile(path)
    buffered = io.BufferedReader(counted, 1 << 18)
    if path.suffix == ".gz":
        return counted, cast(IO[bytes], gzip.GzipFile(fileobj=buffered))
    if path.suffix == ".bz2":
        return counted, cast(IO[bytes], bz2.BZ2File(buffered))
    if path.suffix == ".zst":
        return counted, cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(buffered), "zstd"))
    return counted, buffered


BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile, OSError)
"""What reading a damaged compressed file raises."""


def broken(path: Path, fault: Exception) -> SourceError:
    """A file that cannot be read to its end, as an error that says so."""
    return SourceError(
        f"{path.name} is damaged or cut short ({fault}); nothing of it was kept, ask its supplier for it again"
    )


def read_table(path: Path, wanted: ImportMap) -> Iterator[Batch]:
    """The rows of a CSV, Parquet or NDJSON file.

    Raises:
        SourceError: the file is missing, empty, damaged, of another format, or lacks a column the map names.
    """
    readers = {"csv": _read_csv, "parquet": _read_parquet, "ndjson": _read_ndjson}
    yield from readers[wanted.format](path, wanted)


def _columns(path: Path, wanted: ImportMap, there: list[str]) -> list[str]:
    """The columns to read, in the file's order; those the map names must all be there."""
    needs = wanted.needs()
    missing = sorted(needs - set(there))
    if missing:
        raise SourceError(
            f"{path.name} has no column {_with_hints(missing, there)}. Its columns: {', '.join(map(repr, there))}. "
            "Change the map, or give a file of the kind it was written for"
        )
    return [name for name in there if name in needs]


def _with_hints(missing: list[str], there: list[str]) -> str:
    """Each missing name, with the one of those there that it may have been."""
    close = {name: get_close_matches(name, there, n=1, cutoff=0.6) for name in missing}
    return ", ".join(f"{n!r} (did you mean {close[n][0]!r}?)" if close[n] else repr(n) for n in missing)


def _numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    return frame.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.Int64).alias(ROW))


# -------------------------------------------------------------------------------------------------------------- Parquet
def _read_parquet(path: Path, wanted: ImportMap) -> Iterator[Batch]:
    open_bytes(path)[0].close()
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as fault:
        raise SourceError(
            f"{path.name} is not a whole Parquet file ({_first_line(fault)}); a copy cut short has no footer: "
            "copy or ask for it again"
        ) from fault
    with file:
        names = _columns(path, wanted, list(file.schema_arrow.names))
        rows = file.metadata.num_rows
        if rows == 0:
            raise SourceError(f"{path.name} has no rows; ask its supplier for it again")
        first = 1
        try:
            for batch in file.iter_batches(BATCH_ROWS, columns=names):
                frame = cast(pl.DataFrame, pl.from_arrow(pa.Table.from_batches([batch])))
                if not names:
                    frame = pl.DataFrame({ROW: pl.int_range(first, first + batch.num_rows, eager=True)})
                yield Batch(_numbered(frame, first), share=(first + batch.num_rows - 1) / rows)
                first += batch.num_rows
        except (pa.ArrowException, OSError) as fault:
            raise broken(path, fault) from fault


def _first_line(fault: Exception) -> str:
    return str(fault).splitlines()[0][:160] if str(fault) else type(fault).__name__


# ------------------------------------------------------------------------------------------------------------------ CSV
class _Recoded(io.RawIOBase):
    """Text of another encoding as UTF-8; what is invalid becomes U+FFFD, which the reader looks for."""

    def __init__(self, source: IO[bytes], encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            read = self._source.read(1 << 18)
            self._ended = not read
            self._ready = self._decoder.decode(read, final=not read).encode("utf-8")
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


class _Guarded(io.RawIOBase):
    """A text stream in which a line that would spoil others becomes a short one that every table refuses.

    Such lines are those beyond the limit, and those with a quote that does not end in its line: a parser would take
    every line up to the next quote, however far off, for part of that value.
    """

    def __init__(self, source: IO[bytes], reader: Reader, columns: int) -> None:
        self._source = source
        self._reader = reader
        self._quote = ord(reader.quote) if reader.quote and not reader.multiline else None
        self._surplus = reader.delimiter.encode() * columns  # one field more than any row may have
        self._ready = bytearray()
        self._held = b""
        self._dropping = False
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            self._fill()
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        del self._ready[:size]
        return size

    def _fill(self) -> None:
        data = self._source.read(1 << 20)
        if not data:
            self._ended = True
            self._ready += self._whole(self._held)
            return
        if self._dropping:
            cut = data.find(b"\n")
            if cut < 0:
                return
            data, self._dropping = data[cut:], False
        data = self._held + data
        end = data.rfind(b"\n") + 1
        self._ready += self._whole(data[:end])
        self._held = data[end:]
        if len(self._held) > LONGEST_LINE:
            self._ready += _OVERLONG + self._surplus
            self._held, self._dropping = b"", True

    def _whole(self, lines: bytes) -> bytes:
        """Lines with those replaced whose quotes do not end."""
        if self._quote is None or self._reader.quote.encode() not in lines:
            return lines
        ends, doubtful = self._doubtful(np.frombuffer(lines, np.uint8), self._quote)
        kept, at = [], 0
        for number in doubtful:
            start = int(ends[number - 1]) + 1 if number else 0
            end = int(ends[number]) if number < len(ends) else len(lines)
            if self._is_torn(lines[start:end]):
                kept += [lines[at:start], _UNPAIRED, self._surplus]
                at = end
        return b"".join([*kept, lines[at:]])

    def _doubtful(self, text: npt.NDArray[np.uint8], quote: int) -> tuple[Any, list[int]]:
        """Where lines end, and the lines whose quotes are not plainly in pairs around values."""
        quotes = np.flatnonzero(text == quote)
        padded = np.concatenate(([10], text, [10]))
        before, after = padded[quotes], padded[quotes + 2]
        if self._reader.escape:
            free = before != ord(self._reader.escape)
            quotes, before, after = quotes[free], before[free], after[free]
        ends = np.flatnonzero(text == 10)
        line = np.searchsorted(ends, quotes)
        edges = [ord(self._reader.delimiter), 10, 13, quote]
        odd = np.flatnonzero(np.bincount(line, minlength=1) % 2)
        inside = line[~(np.isin(before, edges) | np.isin(after, edges))]
        return ends, sorted({*odd.tolist(), *inside.tolist()})

    def _is_torn(self, line: bytes) -> bool:
        reader = self._reader
        try:
            rows = csv.reader(
                [line.decode("utf-8", "replace")],
                delimiter=reader.delimiter,
                quotechar=reader.quote,
                escapechar=reader.escape or None,
                strict=True,
            )
            next(rows, None)
        except csv.Error as fault:
            return "unexpected end" in str(fault)
        return False


class _BadRows:
    """The rows that Arrow could not take apart, as it reports them."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def __call__(self, row: Any) -> str:
        if row.text.startswith(_OVERLONG.decode()):
            says = f"is longer than {LONGEST_LINE} bytes"
        elif row.text.startswith(_UNPAIRED.decode()):
            says = (
                'has a quote that does not end in its line; if the file does not quote, say quote = "" under [reader], '
                "if values hold line breaks, multiline = true"
            )
        else:
            says = f"has {row.actual_columns} fields where {row.expected_columns} were expected"
        self.found.append((row.number, says))
        return "skip"


def _read_csv(path: Path, wanted: ImportMap) -> Iterator[Batch]:
    reader = wanted.reader
    counted, stream = open_bytes(path)
    is_utf8 = codecs.lookup(reader.encoding).name == "utf-8"
    if not is_utf8:
        stream = cast(IO[bytes], _Recoded(stream, reader.encoding))
        stream = cast(IO[bytes], io.BufferedReader(cast(io.RawIOBase, stream)))
    bad = _BadRows()
    with counted:
        try:
            head = _told_apart(_head(path, stream, reader))
            names = _columns(path, wanted, head)
            text = cast(IO[bytes], io.BufferedReader(_Guarded(stream, reader, len(head)), 1 << 18))
            yield from _csv_batches(path, wanted, text, head, names, bad, counted)
        except BROKEN as fault:
            if isinstance(fault, pa.ArrowException):
                raise _not_csv(path, fault) from fault
            raise broken(path, fault) from fault
        except pa.ArrowException as fault:
            raise _not_csv(path, fault) from fault


def _not_csv(path: Path, fault: Exception) -> SourceError:
    return SourceError(
        f"{path.name} cannot be read as CSV ({_first_line(fault)}). If a quoted field never ends because the file "
        'does not quote, say quote = "" under [reader]; check the delimiter too'
    )


def _head(path: Path, text: IO[bytes], reader: Reader) -> list[str]:
    """The columns' names: the file's first line, or the map's list when there is no header."""
    for _ in range(reader.skip_lines):
        text.readline(LONGEST_LINE)
    if not reader.header:
        return list(reader.columns)
    line = b"\n"
    while line and not line.strip():
        line = text.readline(LONGEST_LINE)
    try:
        written = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as fault:
        raise SourceError(
            f"the first line of {path.name} is not {reader.encoding} ({fault}); it may be another kind of file, or "
            'say its encoding under [reader], such as encoding = "cp1252"'
        ) from fault
    if not written or "\x00" in written:
        raise SourceError(f"{path.name} does not begin with a line of column names; is it a CSV file?")
    return _split(written, reader)


def _told_apart(names: list[str]) -> list[str]:
    """Columns of one name as `Name`, `Name.1`, `Name.2`: what spreadsheets and data frames make of them too."""
    apart: list[str] = []
    for name in names:
        numbered = (f"{name}.{number}" for number in count(1))
        apart.append(name if name not in apart else next(n for n in numbered if n not in (*apart, *names)))
    return apart


def _split(line: str, reader: Reader) -> list[str]:
    if not reader.quote:
        return [name.strip() for name in line.split(reader.delimiter)]
    return [
        name.strip() for name in next(csv.reader([line], delimiter=reader.delimiter, quotechar=reader.quote))
    ]


def _csv_batches(
    path: Path,
    wanted: ImportMap,
    text: IO[bytes],
    head: list[str],
    names: list[str],
    bad: _BadRows,
    counted: CountedFile,
) -> Iterator[Batch]:
    reader = wanted.reader
    try:
        blocks = pyarrow.csv.open_csv(
            text,
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=head
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=reader.delimiter,
                quote_char=reader.quote or False,
                escape_char=reader.escape or False,
                newlines_in_values=reader.multiline,
                invalid_row_handler=bad,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(head, pa.binary()),
                include_columns=names or head[:1],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as fault:
        if "Empty CSV" in str(fault):
            raise SourceError(
                f"{path.name} has a header but no rows; ask its supplier for it again"
            ) from fault
        raise
    first, taken = 1, 0
    for block in blocks:
        numbers, first, used = _row_numbers(first, block.num_rows, [row for row, _ in bad.found[taken:]])
        frame, unreadable = _as_text(block, numbers)
        refused = [
            Refused(row, "bad_row", f"row {row} {says}") for row, says in bad.found[taken : taken + used]
        ]
        taken += used
        yield Batch(frame, refused + unreadable, counted.share)
    rest = [Refused(row, "bad_row", f"row {row} {says}") for row, says in bad.found[taken:]]
    if rest:
        empty = pl.DataFrame(schema={**dict.fromkeys(names, pl.String), ROW: pl.Int64})
        yield Batch(empty, rest, 1.0)


def _row_numbers(first: int, rows: int, skipped: list[int]) -> tuple[pl.Series, int, int]:
    """The numbers of the rows of a block, given those that were left out; the next number; how many were left out."""
    if not skipped:
        return pl.int_range(first, first + rows, dtype=pl.Int64, eager=True), first + rows, 0
    numbers: list[int] = []
    at, used = first, 0
    while len(numbers) < rows:
        if used < len(skipped) and skipped[used] == at:
            used += 1
        else:
            numbers.append(at)
        at += 1
    while used < len(skipped) and skipped[used] == at:
        used, at = used + 1, at + 1
    return pl.Series(ROW, numbers, dtype=pl.Int64), at, used


def _as_text(block: pa.RecordBatch, numbers: pl.Series) -> tuple[pl.DataFrame, list[Refused]]:
    """A block's bytes as text; rows that are not valid in their encoding apart."""
    columns, bad = {}, set()
    for name, column in zip(block.schema.names, block.columns, strict=True):
        try:
            columns[name] = cast(pl.Series, pl.from_arrow(column.cast(pa.string())))
        except pa.ArrowInvalid:
            texts, faults = _decoded(column.to_pylist())
            columns[name] = pl.Series(name, texts, dtype=pl.String)
            bad.update(faults)
        replaced = columns[name].str.contains("\ufffd", literal=True)
        if replaced.any():
            bad.update(replaced.arg_true().to_list())
    frame = pl.DataFrame(columns).with_columns(numbers.alias(ROW))
    if not bad:
        return frame, []
    rows = numbers.gather(sorted(bad)).to_list()
    refused = [
        Refused(row, "bad_encoding", f"row {row} is not valid text in the file's encoding") for row in rows
    ]
    return frame.filter(~pl.col(ROW).is_in(rows)), refused


def _decoded(values: list[bytes]) -> tuple[list[str], list[int]]:
    texts, faults = [], []
    for place, value in enumerate(values):
        try:
            texts.append(value.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append("")
            faults.append(place)
    return texts, faults


# --------------------------------------------------------------------------------------------------------------- NDJSON
def _read_ndjson(path: Path, wanted: ImportMap) -> Iterator[Batch]:
    names = sorted(wanted.needs())
    counted, stream = open_bytes(path)
    paths = [_Path(name) for name in names]
    decoder = msgspec.json.Decoder(float_hook=str)
    each = _Path(wanted.reader.each) if wanted.reader.each else None
    rows, bad, row, any_line = _Rows(names), [], 0, False
    seen: set[str] = set()
    with counted:
        try:
            for line in _lines(stream):
                if not line.strip():
                    continue
                any_line = True
                row += 1
                fault = _take(line, decoder, paths, each, rows, row)
                if fault:
                    bad.append(fault)
                if len(rows) >= _NDJSON_LINES or len(bad) >= _NDJSON_LINES:
                    seen |= rows.seen()
                    yield Batch(rows.frame(), bad, counted.share)
                    rows, bad = _Rows(names), []
        except BROKEN as fault:
            raise broken(path, fault) from fault
    if not any_line:
        raise SourceError(f"{path.name} has no lines; ask its supplier for it again")
    never = sorted(set(names) - seen - rows.seen())
    notes = [f"no row had {name!r}" for name in never]
    yield Batch(rows.frame(), bad, 1.0, notes)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream; one beyond the limit comes as its marker, its bytes dropped as they pass."""
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) <= LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)
        yield _OVERLONG


class _Path:
    """A dotted path into a JSON object; a part that is a number is a place in a list. `@.` starts at the element
    that the reader's `each` goes through."""

    def __init__(self, written: str) -> None:
        self.element = written.startswith("@.")
        parts = written.removeprefix("@.").split(".")
        self.parts: list[str | int] = [int(part) if part.isdigit() else part for part in parts]
        self.whole = written

    def of(self, value: Any) -> Any:
        if isinstance(value, dict) and self.whole in value:
            return value[self.whole]
        for part in self.parts:
            if isinstance(part, int) and isinstance(value, list):
                value = value[part] if part < len(value) else None
            elif isinstance(value, dict):
                value = value.get(str(part))
            else:
                return None
        return value


class _Rows:
    """Rows of JSON values gathered as columns of text."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._columns: list[list[str | None]] = [[] for _ in names]
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, values: list[str | None]) -> None:
        self._numbers.append(number)
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def seen(self) -> set[str]:
        return {
            name
            for name, column in zip(self._names, self._columns, strict=True)
            if any(value is not None for value in column)
        }

    def frame(self) -> pl.DataFrame:
        columns = [
            pl.Series(name, column, dtype=pl.String)
            for name, column in zip(self._names, self._columns, strict=True)
        ]
        return pl.DataFrame([*columns, pl.Series(ROW, self._numbers, dtype=pl.Int64)])


def _take(
    line: bytes,
    decoder: msgspec.json.Decoder[Any],
    paths: list[_Path],
    each: _Path | None,
    rows: _Rows,
    row: int,
) -> Refused | None:
    """Adds a line's row (or, with `each`, its rows) to those gathered; says why when it cannot."""
    if line == _OVERLONG:
        return Refused(row, "bad_row", f"row {row} is longer than {LONGEST_LINE} bytes")
    try:
        record = decoder.decode(line)
    except UnicodeDecodeError:
        return Refused(row, "bad_encoding", f"row {row} is not valid UTF-8")
    except (msgspec.DecodeError, RecursionError) as fault:
        reason = "bad_encoding" if "utf-8" in str(fault).lower() else "bad_json"
        return Refused(row, reason, f"row {row} is not a JSON object: {str(fault)[:120]}")
    if not isinstance(record, dict):
        return Refused(row, "bad_json", f"row {row} is not a JSON object but {type(record).__name__}")
    elements = [None]
    if each is not None:
        found = each.of(record)
        if not isinstance(found, list):
            return Refused(row, "bad_json", f"row {row} has no list at {each.whole!r}")
        elements = found
    for element in elements:
        rows.add(row, [_plain(path.of(element if path.element else record)) for path in paths])
    return None


def _plain(value: Any) -> str | None:
    """A JSON value as text: numbers keep the digits they were written with."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return msgspec.json.encode(value).decode()
