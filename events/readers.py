"""Where raw records come from: files, folders that grow and standard input, handed on in pieces that can be resumed.

A reader yields **pieces**: whole lines as bytes (about `CHUNK_BYTES` at a time) or rows of a Parquet file as a
frame, each with the file it is from and the offsets where it starts and ends (bytes of the decompressed text, or
rows). Starting a reader again with the end of the last piece used gives the rest, whatever the size of the pieces.

What cannot be read is a piece too: a **refusal** with a reason, in the place where the data would have been. A line
beyond `LINE_LIMIT` is hashed as it goes by and never held, so a line of 100 MB costs no memory. Other carriers (a
message broker, say) fit behind `Reader`: a partition's name takes the place of the file's, a message's number that
of the byte.
"""

import hashlib
import os
import select
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from events.codes import STREAMS
from events.errors import EventError

CHUNK_BYTES: Final = 2 * 1024 * 1024
"""How much text a piece holds: at 250 bytes a line some 8,000 records, where decoding a frame is cheapest."""

LINE_LIMIT: Final = 1024 * 1024
"""The longest line that is a record; a contract record is under 2 kB."""

ROW_BYTES: Final = 64
"""What a Parquet row is taken to weigh when a piece is measured in bytes (columns are packed; text is not)."""

UNREADABLE_PATIENCE: Final = 200
"""How many polls without growth a followed Parquet file without its footer is given: its writer may be at work."""

STDIN: Final = "-"
TEXT_SUFFIXES: Final = (".ndjson", ".jsonl", ".json", ".ndjson.gz", ".jsonl.gz", ".json.gz")
UNFINISHED_SUFFIXES: Final = (".tmp", ".part", ".crc")


REASONS: Final[dict[str, str]] = {
    "too_long": "the line is longer than the setting allows; it was not read",
    "file_lost": "the file disappeared before it was read to its end",
    "file_shrank": "the file became shorter while it was read",
    "truncated_file": "the compressed file ends before its end marker",
    "unreadable_file": "the file could not be opened or read, or is not what its name says",
    "unreadable_rows": "a row group of the Parquet file could not be read",
    "unreadable_folder": "the folder cannot be listed just now",
    "unknown_format": "the file's name ends in no format that is known",
}
"""Why something could not be read; beside the door's reasons for what it refuses."""


class ReaderError(EventError):
    """An input cannot be opened at all, as its settings stand."""


class Input(msgspec.Struct, frozen=True):
    """One input: which stream it carries, where it is, whose feed it is and whether it goes on growing."""

    stream: str
    where: str  # a file, a folder, or "-" for standard input
    source: str  # the supplier's feed, for records that do not name it
    follow: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Something that could not be read: why, what about it, and the digest of the bytes where there were any."""

    reason: str
    detail: str
    digest: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one file: its data, or why there is none. Reading resumes at `end`."""

    name: str
    start: int
    end: int
    data: bytes | pl.DataFrame | None
    refusal: Refusal | None = None


class Reader(Protocol):
    """Anything that yields pieces and can start again after any of them."""

    def read(self) -> Piece | None:
        """The next piece, or nothing: for now when following, for good otherwise."""

    @property
    def finished(self) -> bool:
        """Whether nothing will ever come again."""

    def forgotten(self) -> list[str]:
        """Names whose places need no longer be kept."""

    def close(self) -> None:
        """Let go of what is open."""


GONE: Final = 2**62
"""The end of a file that is not to be opened again."""


def _refused_at(size: int) -> int:
    """The place of a followed file that was refused as it was at this size: it is tried again once it has changed."""
    return -1 - size


def _refusal(name: str, start: int, end: int, reason: str, detail: str, digest: str = "") -> Piece:
    return Piece(name, start, end, None, Refusal(reason, detail, digest))


# ------------------------------------------------------------------------------------------------------ bytes of a file
class _Bytes(Protocol):
    def read(self, size: int) -> bytes | None: ...

    def shrank(self) -> bool: ...

    def close(self) -> None: ...


class _Plain:
    """The bytes of an uncompressed file from an offset on."""

    def __init__(self, path: Path, offset: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._at = self._file.seek(offset)

    def read(self, size: int) -> bytes:
        data = self._file.read(size) or b""
        self._at += len(data)
        return data

    def shrank(self) -> bool:
        return os.fstat(self._file.fileno()).st_size < self._at

    def close(self) -> None:
        self._file.close()


class _Gzip:
    """The bytes inside a gzip file of one or more members, from an offset of the decompressed text on.

    Not `gzip.GzipFile`: that loses what it had decompressed before a torn end.
    """

    def __init__(self, path: Path, offset: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._member = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._begun = False
        self._skip(offset)

    def _skip(self, offset: int) -> None:
        while offset:
            data = self.read(min(offset, CHUNK_BYTES))
            if not data:
                raise OSError(f"the file ends {offset} bytes before the place where reading stopped")
            offset -= len(data)

    def read(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                self._waiting = self._member.unused_data.lstrip(b"\0")  # padding between members is allowed
                self._member, self._begun = zlib.decompressobj(wbits=31), False
            if not self._waiting:
                self._waiting = self._file.read(size) or b""
                if not self._waiting:
                    if self._begun:
                        raise EOFError("the gzip stream ends before its end marker")
                    return b""
            data = self._member.decompress(self._waiting, size)
            self._waiting, self._begun = self._member.unconsumed_tail, True
            if data:
                return data

    def shrank(self) -> bool:
        return False

    def close(self) -> None:
        self._file.close()


class _Pipe:
    """The bytes of a pipe; when live, only those that are there now."""

    def __init__(self, descriptor: int, live: bool) -> None:
        self._descriptor = descriptor
        self._live = live

    def read(self, size: int) -> bytes | None:
        if self._live and not select.select([self._descriptor], [], [], 0)[0]:
            return None
        return os.read(self._descriptor, size)

    def shrank(self) -> bool:
        return False

    def close(self) -> None:
        """Standard input is not ours to close."""


# ------------------------------------------------------------------------------------------------------ pieces of a file
class _Part(Protocol):
    def read(self) -> Piece | None: ...

    @property
    def at_end(self) -> bool: ...

    def close(self) -> None: ...


class _Lines:
    """Pieces of whole lines from a stream of bytes."""

    def __init__(
        self,
        source: _Bytes,
        name: str,
        start: int,
        *,
        follow: bool,
        chunk: int,
        limit: int,
        boundary: int = 0,
    ) -> None:
        self._source = source
        self._name = name
        self._offset = start  # of the first byte in hand
        self._hand = b""
        self._follow = follow
        self._chunk = chunk
        self._limit = limit
        self._boundary = boundary
        self._long: hashlib._Hash | None = None  # the digest so far of a line that is too long to hold
        self._long_size = 0
        self.at_end = False

    def read(self) -> Piece | None:
        while not self.at_end:
            piece = self._cut()
            if piece is not None:
                return piece
            try:
                more = self._source.read(self._chunk)
            except EOFError as error:
                if self._follow:
                    return None
                return self._broken("truncated_file", error)
            except (OSError, zlib.error) as error:
                return self._broken("unreadable_file", error)
            if more is None or (not more and self._follow):
                return None
            if not more:
                return self._last()
            self._hand += more
        return None

    def _cut(self) -> Piece | None:
        """The whole lines in hand, up to one that is too long; or that one, once its end is in hand."""
        if self._long is not None:
            return self._swallow(self._long)
        end = self._hand.rfind(b"\n") + 1
        long = self._first_long(end)
        if long == 0:
            self._long, self._long_size = hashlib.sha256(), 0
            return self._swallow(self._long)
        end = end if long is None else long
        return self._take(end) if end else None

    def _first_long(self, end: int) -> int | None:
        """Where the first line beyond the limit starts; hops from newline to newline, so it costs nothing."""
        start = 0
        while end - start > self._limit + 1:
            newline = self._hand.rfind(b"\n", start, start + self._limit + 1)
            if newline < 0:
                return start
            start = newline + 1
        if end == 0 and len(self._hand) > self._limit:
            return 0
        return None

    def _take(self, size: int) -> Piece:
        if self._offset < self._boundary < self._offset + size:
            size = self._boundary - self._offset
        data, self._hand = self._hand[:size], self._hand[size:]
        start, self._offset = self._offset, self._offset + size
        return Piece(self._name, start, self._offset, data)

    def _swallow(self, digest: "hashlib._Hash") -> Piece | None:
        newline = self._hand.find(b"\n")
        part = self._hand if newline < 0 else self._hand[:newline]
        digest.update(part)
        self._long_size += len(part)
        self._hand = b"" if newline < 0 else self._hand[newline + 1 :]
        return None if newline < 0 else self._too_long(self._long_size + 1)

    def _too_long(self, size: int) -> Piece:
        assert self._long is not None
        detail = f"the line has {self._long_size} bytes, the limit is {self._limit}"
        start, self._offset = self._offset, self._offset + size
        digest, self._long = self._long.hexdigest(), None
        return _refusal(self._name, start, self._offset, "too_long", detail, digest)

    def _last(self) -> Piece | None:
        """What is in hand when the bytes have ended: a last line without its newline, whole or torn."""
        if self._long is not None:
            return self._too_long(self._long_size)
        if self._hand:
            return self._take(len(self._hand))
        self.at_end = True
        if self._source.shrank():
            return _refusal(
                self._name, self._offset, GONE, "file_shrank", "the file was cut while it was read"
            )
        return None

    def _broken(self, reason: str, error: Exception) -> Piece:
        digest = ""
        if self._long is not None:
            digest = self._long.hexdigest()
        elif self._hand:
            digest = hashlib.sha256(self._hand).hexdigest()
        self.at_end = True
        return _refusal(self._name, self._offset, GONE, reason, _what(error), digest)

    def close(self) -> None:
        self._source.close()


def _what(error: Exception) -> str:
    """An error in words, without the path (a file's name may carry what it should not)."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {str(error)[:200]}"


_PARQUET_ERRORS: Final = (OSError, pa.ArrowException, pl.exceptions.PolarsError)


class _Rows:
    """Pieces of rows from a Parquet file, one row group after the other."""

    def __init__(self, path: Path, name: str, start: int, *, rows: int, boundary: int = 0) -> None:
        self._file = pq.ParquetFile(path)
        self._name = name
        self._boundary = boundary
        self._rows = rows
        self.at_end = False
        self._pieces = self._all(start)

    def read(self) -> Piece | None:
        piece = next(self._pieces, None)
        self.at_end = piece is None
        return piece

    def _all(self, start: int) -> Iterator[Piece]:
        metadata = self._file.metadata
        if start > metadata.num_rows:
            yield _refusal(
                self._name, start, GONE, "file_shrank", "the file has fewer rows than were read from it"
            )
            return
        first = 0
        for group in range(metadata.num_row_groups):
            end = first + metadata.row_group(group).num_rows
            if end > start:
                yield from self._group(group, first, end, start)
            first = end

    def _group(self, group: int, first: int, end: int, start: int) -> Iterator[Piece]:
        at = first
        try:
            for batch in self._file.iter_batches(self._rows, row_groups=[group]):
                frame = pl.from_arrow(pa.Table.from_batches([batch]))
                assert isinstance(frame, pl.DataFrame)
                after = at + frame.height
                if after > start:
                    yield from self._cut(frame, at, max(at, start), after)
                at = after
        except _PARQUET_ERRORS as error:
            yield _refusal(self._name, max(at, start), end, "unreadable_rows", _what(error))

    def _cut(self, frame: pl.DataFrame, first: int, start: int, end: int) -> Iterator[Piece]:
        """The rows from start to end of a frame that begins with row `first`, cut at the boundary."""
        if start < self._boundary < end:
            yield Piece(self._name, start, self._boundary, frame[start - first : self._boundary - first])
            start = self._boundary
        yield Piece(self._name, start, end, frame[start - first :])

    def close(self) -> None:
        self._file.close()


# ------------------------------------------------------------------------------------------------------ readers
class FileReader:
    """One file, or the files of a folder in the order of their names; followed as they grow and as new ones appear."""

    def __init__(
        self,
        spec: Input,
        *,
        places: Mapping[str, int] | None = None,
        current: str | None = None,
        boundary: int = 0,
        chunk_bytes: int = CHUNK_BYTES,
        line_limit: int = LINE_LIMIT,
    ) -> None:
        self._boundary = (current, boundary)
        self._spec = spec
        self._path = Path(spec.where)
        self._is_folder = self._path.is_dir()
        self._places = dict(places or {})
        self._chunk = chunk_bytes
        self._limit = line_limit
        self._part: _Part | None = None
        self._name = ""
        self._sizes: dict[str, int] = {}  # as each file was when last read to its end
        self._patience: dict[str, int] = {}
        self._ready: list[Piece] = []
        self._gone: list[str] = []
        self._unlisted = False
        self._finished = False
        self._queue: list[str] = []
        if not spec.follow:
            self._queue = self._plan(resumed=places is not None, current=current)

    def _plan(self, *, resumed: bool, current: str | None) -> list[str]:
        """The files to read, last first. A file before the current one is done, even if it was not there then."""
        if not self._is_folder:
            if not resumed and not self._path.exists():
                raise ReaderError(
                    f"{self._spec.where} does not exist: name a file, a folder or - for standard input"
                )
            return [self._path.name]
        names = sorted(self._listing())
        return [name for name in reversed(names) if current is None or name >= current]

    def _listing(self) -> dict[str, int]:
        """The files there are, with their sizes."""
        if not self._is_folder:
            try:
                return {self._path.name: self._path.stat().st_size}
            except OSError:
                return {}
        found = {}
        with os.scandir(self._path) as entries:
            for entry in entries:
                if entry.name[0] in "._" or entry.name.endswith(UNFINISHED_SUFFIXES):
                    continue
                try:
                    if entry.is_file():
                        found[entry.name] = entry.stat().st_size
                except OSError:
                    found[entry.name] = -1  # opening it will say what is wrong
        return found

    @property
    def finished(self) -> bool:
        return self._finished

    def read(self) -> Piece | None:
        scanned = False
        while not self._finished:
            if self._part is None:
                if not self._queue and self._spec.follow and not scanned:
                    self._queue, scanned = self._grown(), True
                if not self._ready and not self._open_next():
                    return None
            piece = self._ready.pop(0) if self._ready else self._read_part()
            if piece is not None:
                self._places[piece.name] = piece.end
                return piece
        return None

    def _read_part(self) -> Piece | None:
        if self._part is None:
            return None
        piece = self._part.read()
        if piece is None:
            self._drop_part()  # what it held of an unfinished line is read again when the file has grown
        return piece

    def _drop_part(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None

    def _open_next(self) -> bool:
        """Open the next file of the queue; false when there is none (for good, unless following)."""
        while self._queue:
            self._name = self._queue.pop()
            if self._places.get(self._name, 0) == GONE:
                continue
            try:
                self._part = self._open(self._name)
            except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
                self._unopened(error)
            if self._part is not None or self._ready:
                return True
        self._finished = not self._spec.follow
        return False

    def _open(self, name: str) -> _Part | None:
        path = self._path / name if self._is_folder else self._path
        start = max(0, self._places.get(name, 0))
        boundary = self._boundary[1] if self._boundary[0] == name else 0
        if name.endswith(".parquet"):
            return _Rows(path, name, start, rows=max(1, self._chunk // ROW_BYTES), boundary=boundary)
        if self._is_folder and not name.endswith(TEXT_SUFFIXES):
            known = ", ".join((*TEXT_SUFFIXES, ".parquet"))
            self._ready.append(_refusal(name, 0, GONE, "unknown_format", f"the name ends in none of {known}"))
            return None
        source: _Bytes = _Gzip(path, start) if name.endswith(".gz") else _Plain(path, start)
        return _Lines(
            source,
            name,
            start,
            follow=self._spec.follow,
            chunk=self._chunk,
            limit=self._limit,
            boundary=boundary,
        )

    def _unopened(self, error: Exception) -> None:
        """A file that cannot be opened is refused; a followed Parquet file that is still being written is awaited."""
        name, start = self._name, max(0, self._places.get(self._name, 0))
        if isinstance(error, FileNotFoundError):
            self._sizes.pop(name, None)
            detail = "the file disappeared before it was read"
            self._ready.append(_refusal(name, start, self._lost(), "file_lost", detail))
            return
        if not self._spec.follow:
            self._ready.append(_refusal(name, start, GONE, "unreadable_file", _what(error)))
            return
        self._patience[name] = self._patience.get(name, 0) + 1
        if self._patience[name] >= UNREADABLE_PATIENCE:
            end = _refused_at(self._sizes.get(name, 0))
            self._ready.append(_refusal(name, start, end, "unreadable_file", _what(error)))

    def _lost(self) -> int:
        """Where a lost file ends: should a followed one come back, it is a new file."""
        return 0 if self._spec.follow else GONE

    def forgotten(self) -> list[str]:
        """The followed files that have gone since this was last asked: their places need not be kept."""
        gone, self._gone = self._gone, []
        return gone

    def _grown(self) -> list[str]:
        """The followed files with something new, last first; files that shrank or went are noted."""
        try:
            listing = self._listing()
        except OSError as error:
            if not self._unlisted:
                self._ready.append(_refusal("", 0, 0, "unreadable_folder", _what(error)))
            self._unlisted = True
            return []
        self._unlisted = False
        self._forget_missing(listing)
        grown = []
        for name, size in listing.items():
            if self._is_new(name, size):
                grown.append(name)
            self._sizes[name] = size
        return sorted(grown, reverse=True)

    def _is_new(self, name: str, size: int) -> bool:
        place, before = self._places.get(name, 0), self._sizes.get(name)
        if place == GONE or place == _refused_at(size):
            return False
        if before is not None and size != before:
            self._patience.pop(name, None)
        is_text = name.endswith(TEXT_SUFFIXES) or not self._is_folder
        shrank = (
            place > size if is_text and not name.endswith(".gz") else before is not None and size < before
        )
        if shrank and size >= 0 and place > 0:
            detail = "the file became shorter: it is read again from its start"
            self._ready.append(_refusal(name, place, 0, "file_shrank", detail))
            self._places[name] = 0
            return True
        if before is None:
            return size != 0
        return size != before or name in self._patience

    def _forget_missing(self, listing: Mapping[str, int]) -> None:
        """Files that are gone; what was left of one is lost, and that is said."""
        for name in sorted(set(self._sizes) - set(listing)):
            size, place = self._sizes.pop(name), self._places.get(name, 0)
            is_plain = not name.endswith((".gz", ".parquet"))
            if is_plain and 0 <= place < size:
                detail = "the file disappeared before its end was read"
                self._ready.append(_refusal(name, place, self._lost(), "file_lost", detail))
            self._places.pop(name, None)
            self._gone.append(name)
            self._patience.pop(name, None)

    def close(self) -> None:
        self._drop_part()


class PipeReader:
    """Standard input as lines; it cannot be read twice, so a run that must survive a restart needs a ledger."""

    def __init__(
        self, spec: Input, *, start: int, chunk_bytes: int, line_limit: int, descriptor: int
    ) -> None:
        pipe = _Pipe(descriptor, spec.follow)
        self._lines = _Lines(pipe, STDIN, start, follow=False, chunk=chunk_bytes, limit=line_limit)

    def read(self) -> Piece | None:
        return self._lines.read()

    @property
    def finished(self) -> bool:
        return self._lines.at_end

    def forgotten(self) -> list[str]:
        return []

    def close(self) -> None:
        self._lines.close()


def open_reader(
    spec: Input,
    *,
    places: Mapping[str, int] | None = None,
    current: str | None = None,
    boundary: int = 0,
    chunk_bytes: int = CHUNK_BYTES,
    line_limit: int = LINE_LIMIT,
    stdin: int = 0,
) -> Reader:
    """The reader of an input, from its start or from the places (file to offset) where it was.

    `current` is the file that was being read; no piece of it will cross the `boundary`, so that what was counted
    once, up to there, need not be counted again.

    Raises:
        ReaderError: the input names an unknown stream, or something that is not there.
    """
    if spec.stream not in STREAMS:
        raise ReaderError(f"there is no stream {spec.stream!r}: choose one of {', '.join(STREAMS)}")
    if spec.where == STDIN:
        start = (places or {}).get(STDIN, 0)
        return PipeReader(spec, start=start, chunk_bytes=chunk_bytes, line_limit=line_limit, descriptor=stdin)
    return FileReader(
        spec,
        places=places,
        current=current,
        boundary=boundary,
        chunk_bytes=chunk_bytes,
        line_limit=line_limit,
    )
