"""The tokenised event log: every tick as it was processed, kept so that it can be read and processed again.

A ledger is a folder of segment files. A segment is a row of **records**, each with its length and checksum in
front; a record is one tick: its frames (Arrow, compressed), what was refused in it (without the raw bytes), its
counts, and the sequencer's state after it. What a crash left half written at the end of the last segment is found
by the checksum and cut off; damage anywhere else is an error, because a tick that was promised is missing.

The ledger holds what passed the door and nothing else: tokens and codes, no identifier in the clear.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from events.errors import EventError
from events.frames import ABSENT_OF, COMMON, FRAMES, NO_TIME
from events.rejected import Rejected

Fsync = Literal["tick", "snapshot", "never"]
Compression = Literal["uncompressed", "lz4", "zstd"]

SEGMENT_BYTES: Final = 64 * 1024 * 1024
SEGMENT_SPAN_US: Final = 6 * 3_600_000_000
"""The longest stretch of time in one segment: retention drops whole segments, so this is how exact it is."""

_HEADER: Final = struct.Struct("<4sII")  # magic, length of the payload, its CRC-32
_MAGIC: Final = b"LWR1"
_HEAD_SIZE: Final = struct.Struct("<I")


class LedgerError(EventError):
    """The ledger, or state kept beside it, cannot be read as it stands."""


class LedgerPaused(EventError):  # noqa: N818 - a state, not a fault
    """The ledger or the state cannot be written just now (a full disk, say); nothing is lost, try again later."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A numbered stretch of the one order: rows by stream, each frame with its `seq` ascending."""

    number: int
    first_seq: int
    rows: dict[str, pl.DataFrame]
    rejected: tuple[Rejected, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """How many accepted rows the tick has over all streams."""
        return sum(frame.height for frame in self.rows.values())


def together(stream: str, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Frames of one stream below each other; a column that only some of them have is absent in the others' rows."""
    types = {name: dtype for frame in frames for name, dtype in frame.schema.items()}
    names = [name for name in FRAMES[stream] if name in types]
    names += sorted(types.keys() - FRAMES[stream].keys())  # tokens under the key before, while it is rotated
    return pl.concat([_with_columns(frame, names, types) for frame in frames], rechunk=True)


def _with_columns(
    frame: pl.DataFrame, names: Sequence[str], types: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    if frame.columns == names:
        return frame
    missing = [
        pl.repeat(ABSENT_OF[type(types[name])], frame.height, dtype=types[name], eager=True).alias(name)
        for name in names
        if name not in frame.columns
    ]
    return frame.with_columns(missing).select(names)


def trimmed(stream: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without the columns in which every value is absent, so that it does not depend on its neighbours."""
    return frame.select(name for name in frame.columns if name in COMMON or not _is_absent(frame[name]))


def _is_absent(values: pl.Series) -> bool:
    absent = ABSENT_OF[type(values.dtype)]
    if isinstance(absent, float):
        return bool(values[0] != values[0] and values.is_nan().all())
    return bool(values[0] == absent and (values == absent).all())


# ------------------------------------------------------------------------------------------------------ records in a file
def sync_folder(path: Path) -> None:
    """Make the names in a folder durable (a new file is not there after a crash until its folder is)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RecordFile:
    """An append-only file of checksummed records; an append that fails leaves it as it was."""

    def __init__(self, path: Path, *, length: int | None = None) -> None:
        """Open or create it; with a length, forget what came after that."""
        is_new = not path.exists()
        self.path = path
        self._file = path.open("xb" if is_new else "r+b", buffering=0)
        self.length = os.fstat(self._file.fileno()).st_size if length is None else length
        self._synced = self.length
        if is_new:
            sync_folder(path.parent)

    def append(self, parts: Sequence[bytes | memoryview], *, sync: bool) -> int:
        """Add a record made of the parts; returns where it starts.

        Raises:
            OSError: it could not be written; the file holds what it held before.
        """
        size, crc = 0, 0
        for part in parts:
            size += len(part)
            crc = zlib.crc32(part, crc)
        start = self.length
        self._clean()
        try:
            self._file.seek(start)
            for part in (_HEADER.pack(_MAGIC, size, crc), *parts):
                self._write(part)
            if sync:
                os.fsync(self._file.fileno())
        except OSError:
            self._clean_after_error()
            raise
        self.length = start + _HEADER.size + size
        if sync:
            self._synced = self.length
        return start

    def _write(self, part: bytes | memoryview) -> None:
        rest = memoryview(part)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def _clean(self) -> None:
        if os.fstat(self._file.fileno()).st_size != self.length:
            self._file.truncate(self.length)

    def _clean_after_error(self) -> None:
        try:
            self._clean()
        except OSError:
            return  # the next append cleans before it writes, and reading stops at the torn record

    def sync(self) -> None:
        """Make everything appended so far durable."""
        if self._synced < self.length:
            os.fsync(self._file.fileno())
            self._synced = self.length

    def close(self) -> None:
        self._file.close()


def read_record(file: io.BufferedReader, offset: int) -> bytes | None:
    """The payload of the record at an offset, or nothing when there is no whole, sound record."""
    file.seek(offset)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, size, crc = _HEADER.unpack(header)
    if magic != _MAGIC:
        return None
    payload = file.read(size)
    return payload if len(payload) == size and zlib.crc32(payload) == crc else None


def records(path: Path, *, until: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The sound records of a file with the offset each ends at, up to the first that is not or to `until`."""
    offset = 0
    with path.open("rb") as file:
        while until is None or offset < until:
            payload = read_record(file, offset)
            if payload is None:
                return
            offset += _HEADER.size + len(payload)
            yield offset, payload


def _has_sound_record_after(path: Path, offset: int) -> bool:
    """Whether a sound record follows an unsound one: then it is damage, not the torn end of a crash."""
    data = path.read_bytes()[offset + 1 :]
    at = data.find(_MAGIC)
    while at >= 0:
        if len(data) - at >= _HEADER.size:
            _, size, crc = _HEADER.unpack_from(data, at)
            payload = data[at + _HEADER.size : at + _HEADER.size + size]
            if len(payload) == size and zlib.crc32(payload) == crc:
                return True
        at = data.find(_MAGIC, at + 1)
    return False


# ------------------------------------------------------------------------------------------------------ a tick as a record
class _Head(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of a record: enough to know whether the rest is wanted."""

    number: int
    first_seq: int
    rows: int
    from_ts: int  # of recorded_ts; NO_TIME in a tick without rows
    to_ts: int
    streams: list[tuple[str, int]]  # name and size of each frame that follows
    rest: int  # size of what follows the frames


class _Rest(msgspec.Struct, frozen=True, array_like=True):
    rejected: list[Rejected]
    counts: dict[str, int]
    state: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A tick as the ledger has it, and the sequencer's state after it."""

    tick: Tick
    state: bytes


def _span(tick: Tick) -> tuple[int, int]:
    bounds = [frame["recorded_ts"].to_numpy() for frame in tick.rows.values() if frame.height]
    if not bounds:
        return NO_TIME, NO_TIME
    return int(min(part.min() for part in bounds)), int(max(part.max() for part in bounds))


def _frame_bytes(frame: pl.DataFrame, compression: Compression) -> memoryview:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression=compression)
    return buffer.getbuffer()


def _pack(tick: Tick, state: bytes, compression: Compression) -> tuple[_Head, list[bytes | memoryview]]:
    frames = {name: _frame_bytes(frame, compression) for name, frame in tick.rows.items()}
    refused = [msgspec.structs.replace(one, raw=None) for one in tick.rejected]
    rest = msgspec.msgpack.encode(_Rest(refused, tick.counts, state))
    sizes = [(name, len(data)) for name, data in frames.items()]
    head = _Head(tick.number, tick.first_seq, tick.height, *_span(tick), sizes, len(rest))
    packed = msgspec.msgpack.encode(head)
    return head, [_HEAD_SIZE.pack(len(packed)), packed, *frames.values(), rest]


def _unpack_head(payload: bytes) -> tuple[_Head, int]:
    (size,) = _HEAD_SIZE.unpack_from(payload)
    end = _HEAD_SIZE.size + size
    return msgspec.msgpack.decode(payload[_HEAD_SIZE.size : end], type=_Head), end


def _unpack(payload: bytes) -> Stored:
    head, at = _unpack_head(payload)
    rows = {}
    for name, size in head.streams:
        rows[name] = pl.read_ipc_stream(io.BytesIO(payload[at : at + size]))
        at += size
    rest = msgspec.msgpack.decode(payload[at : at + head.rest], type=_Rest)
    tick = Tick(head.number, head.first_seq, rows, tuple(rest.rejected), rest.counts)
    return Stored(tick, rest.state)


# ------------------------------------------------------------------------------------------------------ segments
class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """Where a tick is in its segment."""

    number: int
    first_seq: int
    rows: int
    from_ts: int
    to_ts: int
    offset: int


@dataclass(slots=True)
class _Segment:
    """What is known of a segment without reading it."""

    path: Path
    first: int
    next: int
    first_seq: int
    next_seq: int
    from_ts: int
    to_ts: int

    def add(self, entry: _Entry) -> None:
        self.next = entry.number + 1
        self.next_seq = entry.first_seq + entry.rows
        if entry.rows:
            self.from_ts = entry.from_ts if self.from_ts == NO_TIME else min(self.from_ts, entry.from_ts)
            self.to_ts = max(self.to_ts, entry.to_ts)


def _segment_of(path: Path, entries: Sequence[_Entry]) -> _Segment:
    start = entries[0]
    segment = _Segment(path, start.number, start.number, start.first_seq, start.first_seq, NO_TIME, NO_TIME)
    for entry in entries:
        segment.add(entry)
    return segment


def _entry(head: _Head, offset: int) -> _Entry:
    return _Entry(head.number, head.first_seq, head.rows, head.from_ts, head.to_ts, offset)


def _index_path(path: Path) -> Path:
    return path.with_suffix(".index")


class Ledger:
    """The ticks on disk: append at the end, read from anywhere, drop what is too old."""

    def __init__(
        self,
        folder: Path,
        *,
        fsync: Fsync = "tick",
        compression: Compression = "lz4",
        segment_bytes: int = SEGMENT_BYTES,
        segment_span_us: int = SEGMENT_SPAN_US,
    ) -> None:
        """Open the ledger in a folder, cutting off what a crash left half written.

        Raises:
            LedgerError: a segment is damaged elsewhere than at its end.
            LedgerPaused: the folder cannot be written just now.
        """
        self._folder = folder
        self._fsync: Fsync = fsync
        self._compression: Compression = compression
        self._segment_bytes = segment_bytes
        self._segment_span_us = segment_span_us
        self._segments: list[_Segment] = []
        self._entries: list[_Entry] = []  # of the last segment
        self._file: RecordFile | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._load()
        except OSError as error:
            raise _paused("opened", error) from error

    def _load(self) -> None:
        paths = sorted(self._folder.glob("*.ticks"))
        for path in paths:
            entries = self._load_last(path) if path == paths[-1] else self._load_sealed(path)
            if entries:
                self._segments.append(_segment_of(path, entries))

    def _load_sealed(self, path: Path) -> list[_Entry]:
        index = _index_path(path)
        if index.exists():
            try:
                return msgspec.msgpack.decode(index.read_bytes(), type=list[_Entry])
            except msgspec.DecodeError:
                index.unlink()  # it is only a copy of what the segment says
        entries, end = self._scan(path)
        if end != path.stat().st_size:
            raise LedgerError(
                f"segment {path.name} is damaged at byte {end}: restore it from a copy, or remove it"
            )
        return entries

    def _load_last(self, path: Path) -> list[_Entry]:
        entries, end = self._scan(path)
        if end != path.stat().st_size and _has_sound_record_after(path, end):
            raise LedgerError(
                f"segment {path.name} is damaged at byte {end}: restore it from a copy, or remove it"
            )
        if not entries:
            path.unlink()
            return []
        self._file = RecordFile(path, length=end)
        self._entries = entries
        return entries

    @staticmethod
    def _scan(path: Path) -> tuple[list[_Entry], int]:
        entries, start = [], 0
        for end, payload in records(path):
            entries.append(_entry(_unpack_head(payload)[0], start))
            start = end
        return entries, start

    @property
    def first_tick(self) -> int:
        """The number of the oldest tick that is still kept."""
        return self._segments[0].first if self._segments else 0

    @property
    def next_tick(self) -> int:
        """The number that follows the newest tick; 0 for an empty ledger."""
        return self._segments[-1].next if self._segments else 0

    @property
    def is_empty(self) -> bool:
        return not self._segments

    # -------------------------------------------------------------------------------------------------- writing
    def append(self, tick: Tick, state: bytes = b"") -> None:
        """Add a tick; once this returns it is durable, if the setting says so.

        Raises:
            LedgerPaused: it could not be written; the same tick may be appended again.
        """
        if self._segments and tick.number != self.next_tick:
            raise LedgerError(f"tick {tick.number} cannot follow tick {self.next_tick - 1} in the ledger")
        head, parts = _pack(tick, state, self._compression)
        try:
            if self._file is None or self._is_full(head):
                self._begin(tick.number)
            assert self._file is not None
            entry = _entry(head, self._file.append(parts, sync=self._fsync == "tick"))
        except OSError as error:
            raise _paused("written", error) from error
        self._entries.append(entry)
        if len(self._entries) == 1:
            self._segments.append(_segment_of(self._file.path, self._entries))
        else:
            self._segments[-1].add(entry)

    def _is_full(self, head: _Head) -> bool:
        assert self._file is not None
        if not self._entries:
            return False
        segment = self._segments[-1]
        is_long = (
            head.rows > 0
            and segment.from_ts != NO_TIME
            and head.to_ts - segment.from_ts > self._segment_span_us
        )
        return is_long or self._file.length >= self._segment_bytes

    def _begin(self, number: int) -> None:
        """Close the last segment, with its index beside it, and start the next."""
        if self._file is not None:
            if self._fsync != "never":
                self._file.sync()
            index = _index_path(self._file.path)
            unfinished = index.with_suffix(".part")
            unfinished.write_bytes(msgspec.msgpack.encode(self._entries))
            unfinished.replace(index)
            self._file.close()
            self._file = None
        path = self._folder / f"{number:012d}.ticks"
        path.unlink(missing_ok=True)  # left empty by an attempt that failed
        self._file = RecordFile(path)
        self._entries = []

    def sync(self) -> None:
        """Make every tick so far durable, unless the setting is never.

        Raises:
            LedgerPaused: the disk did not take it; try again.
        """
        if self._file is None or self._fsync == "never":
            return
        try:
            self._file.sync()
        except OSError as error:
            raise _paused("made durable", error) from error

    def close(self) -> None:
        if self._file is not None:
            self.sync()
            self._file.close()
            self._file = None

    # -------------------------------------------------------------------------------------------------- reading
    def read(self, from_tick: int = 0) -> Iterator[Stored]:
        """The ticks from a number on, oldest first, each with the sequencer's state after it."""
        for segment in list(self._segments):
            if segment.next > from_tick:
                entries = self._entries_of(segment)
                yield from self._ticks(segment, [entry for entry in entries if entry.number >= from_tick])

    def read_range(self, from_ts: int, to_ts: int) -> Iterator[Tick]:
        """The ticks with rows recorded from `from_ts` up to, not including, `to_ts`, cut down to those rows."""
        for segment in list(self._segments):
            if not _overlaps(segment, from_ts, to_ts):
                continue
            wanted = [entry for entry in self._entries_of(segment) if _overlaps(entry, from_ts, to_ts)]
            for stored in self._ticks(segment, wanted):
                within = pl.col("recorded_ts").is_between(from_ts, to_ts, closed="left")
                rows = _filtered(stored.tick.rows, within)
                if rows:
                    yield Tick(stored.tick.number, stored.tick.first_seq, rows)

    def events(self, seqs: Sequence[int]) -> dict[str, pl.DataFrame]:
        """The rows with these places in the one order, by stream; places no longer kept are left out."""
        wanted = np.unique(np.asarray(seqs, dtype=np.int64))
        found: dict[str, list[pl.DataFrame]] = {}
        for segment in list(self._segments):
            inside = _between(wanted, segment.first_seq, segment.next_seq)
            if not inside.size:
                continue
            entries = [
                e
                for e in self._entries_of(segment)
                if _between(inside, e.first_seq, e.first_seq + e.rows).size
            ]
            for stored in self._ticks(segment, entries):
                chosen = pl.col("seq").is_in(pl.Series(inside).implode())
                for name, frame in _filtered(stored.tick.rows, chosen).items():
                    found.setdefault(name, []).append(frame)
        return {name: together(name, frames) for name, frames in found.items()}

    def _entries_of(self, segment: _Segment) -> list[_Entry]:
        if self._file is not None and segment.path == self._file.path:
            return list(self._entries)
        return self._load_sealed(segment.path)

    def _ticks(self, segment: _Segment, entries: Sequence[_Entry]) -> Iterator[Stored]:
        if not entries:
            return
        with segment.path.open("rb") as file:
            for entry in entries:
                payload = read_record(file, entry.offset)
                if payload is None:
                    message = (
                        f"tick {entry.number} in segment {segment.path.name} does not match its checksum"
                    )
                    raise LedgerError(f"{message}: restore the segment from a copy")
                yield _unpack(payload)

    # -------------------------------------------------------------------------------------------------- retention
    def drop_before(self, ts: int) -> int:
        """Remove the closed segments in which everything was recorded before an instant; returns how many."""
        old = [one for one in self._segments[:-1] if one.to_ts < ts]
        try:
            for segment in old:
                segment.path.unlink()
                _index_path(segment.path).unlink(missing_ok=True)
                self._segments.remove(segment)
            if old:
                sync_folder(self._folder)
        except OSError as error:
            raise _paused("shortened", error) from error
        return len(old)


def stored_in(folder: Path) -> Iterator[Stored]:
    """The ticks in a ledger's folder, oldest first, only looked at: a run may be writing there meanwhile.

    Raises:
        LedgerError: there is damage elsewhere than at the end.
    """
    paths = sorted(folder.glob("*.ticks"))
    due: int | None = None
    for path in paths:
        sound = 0
        for end, payload in records(path):
            sound, stored = end, _unpack(payload)
            if due not in (None, stored.tick.number):
                raise LedgerError(f"tick {due} is not in the ledger: restore its segment from a copy")
            due = stored.tick.number + 1
            yield stored
        if path != paths[-1] and sound != path.stat().st_size:
            raise LedgerError(f"segment {path.name} is damaged at byte {sound}: restore it from a copy")


def _paused(what: str, error: OSError) -> LedgerPaused:
    return LedgerPaused(
        f"the ledger or its state could not be {what} ({error.strerror or error}): nothing is lost; "
        "make room or repair the disk, and it goes on by itself"
    )


def paused(error: OSError) -> LedgerPaused:
    """What to raise when state kept beside the ledger could not be written."""
    return _paused("written", error)


def _overlaps(part: _Segment | _Entry, from_ts: int, to_ts: int) -> bool:
    return part.to_ts != NO_TIME and part.from_ts < to_ts and part.to_ts >= from_ts


def _between(places: NDArray[np.int64], start: int, end: int) -> NDArray[np.int64]:
    return places[(places >= start) & (places < end)]


def _filtered(rows: Mapping[str, pl.DataFrame], condition: pl.Expr) -> dict[str, pl.DataFrame]:
    kept = {name: frame.filter(condition) for name, frame in rows.items()}
    return {name: frame for name, frame in kept.items() if frame.height}
