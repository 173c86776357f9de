"""One order over all inputs: they are merged by when each record was recorded, numbered, and cut into ticks.

Every input is read in its own order; its **key** at a row is the largest `recorded_ts` it has had so far. The one
order is by key, then by input, then by place in the input: what comparing the heads of the inputs gives. Inputs that
are followed take part as far as they have something now. In that order repeats are dropped, payments' legs are
taken, the rows that remain get consecutive `seq`, and **ticks** are cut: after exactly `tick_rows` accepted rows,
or, where an input is followed, when there is nothing more just now.

What cannot be read takes its place in the order too, with the key of the row before it, so that a tick's rejected
records do not depend on how the input was cut up. Ticks that depend on when we looked (an input is followed) are
in the ledger before they are handed out; those of files alone can be cut again from the files' offsets.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from events import decode
from events.codes import STREAMS
from events.door import INTERNAL, Decoded
from events.errors import EventError
from events.frames import NO_TIME
from events.ledger import (
    Ledger,
    LedgerError,
    LedgerPaused,
    RecordFile,
    Tick,
    paused,
    records,
    together,
    trimmed,
)
from events.legs import Legs
from events.readers import CHUNK_BYTES, LINE_LIMIT, Input, Piece, Reader, open_reader
from events.rejected import DROPPED, Rejected, Where, digest_of
from events.repeats import Repeats

__all__ = ["Input", "LedgerPaused", "Sequencer", "SequencerError", "Tick"]

TICK_ROWS: Final = 16_384
HOUR_US: Final = 3_600_000_000
HORIZON_US: Final = 24 * HOUR_US
_ANY: Final = 2**60  # microseconds: further than any two times lie apart
JUMP_US: Final = 30 * 24 * HOUR_US
"""How far ahead of both its neighbours a row's `recorded_ts` may be: beyond that it is a broken clock."""

SNAPSHOT_VERSION: Final = 1
MEMORY_BYTES: Final = 32 * 1024 * 1024
MEMORY_GRACE: Final = 64
"""How many snapshots a memory file outlives its use, so that an older snapshot can still be resumed from."""

SLACK_US: Final = 2_000_000
"""The memories count in whole seconds, so a file is kept that much beyond the horizon."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Deltas = list[tuple[str, NDArray[Any]]]


class SequencerError(EventError):
    """The sequencer cannot go on from where it is told to, or with the inputs it is given."""


class Decoder(Protocol):
    """What the sequencer asks of the door."""

    def decode(self, stream: str, chunk: bytes | pl.DataFrame, *, source: str, where: Where) -> Decoded:
        """The frame of a chunk."""


_NO_ROWS: Final = pl.DataFrame(schema={"recorded_ts": pl.Int64})


# ------------------------------------------------------------------------------------------------------ state as data
class _Place(msgspec.Struct, array_like=True):
    """How far one input has been taken; as a delta, only the files that moved are named."""

    files: dict[str, int]
    current: str | None = None
    boundary: int = 0
    top: int = NO_TIME
    last: int = NO_TIME


class _Delta(msgspec.Struct, frozen=True, array_like=True):
    """An array of what repeats or legs remember: which of the two, its dtype and its bytes."""

    kind: str
    dtype: list[tuple[str, str, tuple[int, ...]]]
    data: bytes


class _State(msgspec.Struct, array_like=True):
    """The sequencer between two ticks."""

    next_tick: int = 0
    next_seq: int = 0
    now: int = NO_TIME
    places: list[_Place] = msgspec.field(default_factory=list)

    def advance(self, after: "_State", follow: Sequence[bool]) -> None:
        """Take the state after a tick, which names only the files that moved."""
        self.next_tick, self.next_seq, self.now = after.next_tick, after.next_seq, after.now
        for index, (place, delta) in enumerate(zip(self.places, after.places, strict=True)):
            files = place.files | delta.files if follow[index] else (delta.files or place.files)
            delta.files = files
            self.places[index] = delta


class _Logged(msgspec.Struct, frozen=True, array_like=True):
    """What the ledger keeps beside a tick: the state after it, and what it added to the memories."""

    state: _State
    deltas: list[_Delta]


class _MemoryFile(msgspec.Struct, frozen=True, array_like=True):
    name: str
    length: int
    from_ts: int
    to_ts: int


class _Snapshot(msgspec.Struct, frozen=True, array_like=True):
    version: int
    inputs: list[tuple[str, str, bool]]  # stream, source, follow
    state: _State
    memory: list[_MemoryFile]


def _packed(kind: str, array: NDArray[Any]) -> _Delta:
    parts = [(name, array.dtype[name]) for name in array.dtype.names or ()]
    fields = [(name, part.base.str, part.shape) for name, part in parts]
    return _Delta(kind, fields, np.ascontiguousarray(array).tobytes())


def _unpacked(delta: _Delta) -> tuple[str, NDArray[Any]]:
    return delta.kind, np.frombuffer(delta.data, dtype=np.dtype(delta.dtype))


# ------------------------------------------------------------------------------------------------------ one input
@dataclass(slots=True)
class _Batch:
    """What one piece gave, before its times are judged: **items** (rows and refusals) in their own order."""

    name: str
    start: int
    end: int
    frame: pl.DataFrame
    offsets: Ints  # of every item
    is_row: Flags | None  # of every item; None when all are rows
    rejected: list[Rejected]  # of the items that are none
    counts: dict[str, int]
    raw: bytes | pl.DataFrame | None
    raw_start: int
    counted_to: int
    ts: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.ts = self.frame["recorded_ts"].to_numpy()

    def split(self, row: int) -> tuple["_Batch | None", "_Batch"]:
        """The part before a row (nothing if it is empty) and the part from it on."""
        item = row if self.is_row is None else int(np.flatnonzero(self.is_row)[row])
        if item == 0:
            return None, self
        at = int(self.offsets[item])
        left, right = (None, None) if self.is_row is None else (self.is_row[:item], self.is_row[item:])
        refused = item - row
        return (
            _Batch(
                self.name, self.start, at, self.frame[:row], self.offsets[:item], left,
                self.rejected[:refused], self.counts, self.raw, self.raw_start, self.counted_to,
            ),
            _Batch(
                self.name, at, self.end, self.frame[row:], self.offsets[item:], right,
                self.rejected[refused:], {}, self.raw, self.raw_start, self.counted_to,
            ),
        )  # fmt: skip

    def digest(self, stream: str, offset: int) -> str:
        """The digest of the record at an offset, as the door would give it."""
        at = offset - self.raw_start
        if isinstance(self.raw, bytes):
            end = self.raw.find(b"\n", at)
            return digest_of(self.raw[at : end if end >= 0 else None])
        assert self.raw is not None
        row = decode.conform(stream, self.raw[at : at + 1])
        return digest_of(msgspec.json.encode(decode.plain_rows(row)[0], enc_hook=str))


@dataclass(slots=True)
class _Block:
    """Items of one input that wait to be taken, with the key of each."""

    stream: str
    name: str
    end: int
    frame: pl.DataFrame
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]
    ts: Ints
    keys: Ints  # of every item
    seen: Ints  # of every item: the last time the input had told by then, believed or not
    offsets: Ints
    is_row: Flags | None
    rejected: list[Rejected]
    counts: dict[str, int]
    counted_to: int
    items_taken: int = 0
    rows_taken: int = 0

    @property
    def items(self) -> int:
        return len(self.keys)


def _carried(values: Ints, is_row: Flags | None, before: int) -> Ints:
    """A value per row as a value per item: a refusal carries the value of the row before it."""
    if is_row is None:
        return values
    behind = np.cumsum(is_row)
    return np.concatenate((np.array([before], dtype=np.int64), values))[behind]


class _Head:
    """One input: what has been read of it and not yet been taken."""

    def __init__(
        self, index: int, spec: Input, reader: Reader, door: Decoder, place: _Place, jump_us: int
    ) -> None:
        self.index = index
        self.spec = spec
        self.blocks: deque[_Block] = deque()
        self._reader = reader
        self._door = door
        self._jump_us = jump_us
        self._waiting: list[_Batch] = []  # from a row on whose time cannot be judged yet
        self._top = self._taken_top = place.top
        self._last = self._taken_last = place.last
        self._moved: dict[str, int] = {}
        self._counted = (place.current, place.boundary)
        self._counted_before = self._counted  # what a tick before a restart has counted already
        self._ended = False

    # -------------------------------------------------------------------------------------------------- reading
    @property
    def has_items(self) -> bool:
        return any(block.items_taken < block.items for block in self.blocks)

    @property
    def finished(self) -> bool:
        return self._ended and not self.blocks

    @property
    def last_key(self) -> int:
        """The key of the newest item at hand: what comes later has no smaller one."""
        return next(int(block.keys[-1]) for block in reversed(self.blocks) if block.items)

    def fill(self, now: int) -> None:
        """Read until there is an item to take, or nothing more for now, or nothing more at all."""
        while not self._ended and not self.has_items:
            piece = self._reader.read()
            if piece is not None:
                self._judge(self._batch(piece))
            elif self._reader.finished:
                self._ended = True
                self._release(len(self._waiting_ts()), believe=True)
            else:
                self._believe(now)
                return

    def _batch(self, piece: Piece) -> _Batch:
        where = Where(piece.name, piece.start)
        if piece.refusal is not None or piece.data is None:
            refusal = piece.refusal
            assert refusal is not None
            one = Rejected(
                self.spec.source, self.spec.stream, refusal.reason, refusal.detail, refusal.digest, where
            )
            offsets = np.array([piece.start], dtype=np.int64)
            return _Batch(
                piece.name, piece.start, piece.end, _NO_ROWS, offsets, np.zeros(1, dtype=np.bool_), [one], {},
                None, piece.start, self._counts(piece, {})[1] if piece.end > piece.start else piece.end,
            )  # fmt: skip
        decoded = self._door.decode(self.spec.stream, piece.data, source=self.spec.source, where=where)
        offsets = np.empty(0, dtype=np.int64)
        if decoded.frame.height:
            offsets = decoded.frame["place"].to_numpy() + piece.start
        is_row: Flags | None = None
        if decoded.rejected:
            refused = np.array([one.where.offset for one in decoded.rejected], dtype=np.int64)
            order = np.argsort(np.concatenate((offsets, refused)), kind="stable")
            is_row = order < len(offsets)
            offsets = np.concatenate((offsets, refused))[order]
        counts, counted_to = self._counts(piece, decoded.counts)
        return _Batch(
            piece.name, piece.start, piece.end, decoded.frame, offsets, is_row, list(decoded.rejected),
            counts, piece.data, piece.start, counted_to,
        )  # fmt: skip

    def _counts(self, piece: Piece, counts: dict[str, int]) -> tuple[dict[str, int], int]:
        """What the door dropped of a piece, unless a tick before the restart has it already; and up to where it has."""
        name, boundary = self._counted_before
        if piece.name == name and piece.end <= boundary:
            return {}, boundary
        self._counted_before = (None, 0)
        return {f"dropped.{reason}": counts[reason] for reason in DROPPED if reason in counts}, piece.end

    # -------------------------------------------------------------------------------------------------- broken clocks
    def _waiting_ts(self) -> Ints:
        return np.concatenate([batch.ts for batch in self._waiting] or [np.empty(0, dtype=np.int64)])

    def _judge(self, batch: _Batch) -> None:
        """Add a batch, and release what can be judged now."""
        self._waiting.append(batch)
        ts = self._waiting_ts()
        self._release(self._judged(ts), believe=False)

    def _judged(self, ts: Ints) -> int:
        """How many of the waiting rows can be judged: all, but for a suspicious one that lacks its neighbours."""
        rows = len(ts)
        if rows == 0:
            return 0
        if self._last == NO_TIME and rows <= 2 and (rows == 1 or ts[0] > ts[1] + self._jump_us):
            return 0
        before = self._last if rows == 1 else int(ts[-2])
        return rows - 1 if ts[-1] > before + self._jump_us else rows

    def _jumps(self, ts: Ints, rows: int) -> Flags:
        """Which of the first `rows` waiting rows lie too far ahead of both their neighbours.

        The very first row of an input has no neighbour before it: the two after it stand for both.
        """
        jumps = np.zeros(rows, dtype=np.bool_)
        ahead = ts[1:] - ts[:-1] > self._jump_us
        behind = ts[:-1] - ts[1:] > self._jump_us
        both = ahead[:-1] & behind[1:]
        jumps[1 : len(both) + 1] = both[: max(0, rows - 1)]
        if rows and len(ts) > 1 and behind[0]:
            if self._last == NO_TIME:
                jumps[0] = len(ts) > 2 and ts[0] - ts[2] > self._jump_us
            else:
                jumps[0] = ts[0] - self._last > self._jump_us
        return jumps

    def _believe(self, now: int) -> None:
        """Nothing more for now: a waiting row is taken if the other inputs' time bears it out."""
        ts = self._waiting_ts()
        if len(ts) and ((self._last == NO_TIME and now == NO_TIME) or ts[0] <= now + self._jump_us):
            self._release(len(ts), believe=True)

    def _release(self, rows: int, *, believe: bool) -> None:
        """Let the first waiting rows, and refusals among them, be taken; at an end or on faith all of them."""
        ts = self._waiting_ts()
        jumps = self._jumps(ts, rows)
        waiting, self._waiting = self._waiting, []
        at = 0
        for index, batch in enumerate(waiting):
            height = len(batch.ts)
            if at + height > rows and not believe:
                ready, rest = batch.split(rows - at)
                if ready is not None:
                    self._queue(ready, jumps[at:rows])
                self._waiting = [rest, *waiting[index + 1 :]]
                return
            self._queue(batch, jumps[at : at + height])
            at += height

    def _queue(self, batch: _Batch, jumps: Flags) -> None:
        seen = _carried(batch.ts, batch.is_row, self._last)
        if len(batch.ts):
            self._last = int(batch.ts[-1])
        if jumps.any():
            batch = self._without(batch, jumps)
        keys = np.maximum(np.maximum.accumulate(batch.ts), self._top) if len(batch.ts) else batch.ts
        items = _carried(keys, batch.is_row, self._top)
        if len(keys):
            self._top = int(keys[-1])
        frame = batch.frame
        if batch.ts.size:
            hi, lo = frame["repeat_hi"].to_numpy(), frame["repeat_lo"].to_numpy()
            frame = frame.drop(INTERNAL)
        else:
            hi = lo = np.empty(0, dtype=np.uint64)
        self.blocks.append(
            _Block(
                self.spec.stream,
                batch.name,
                batch.end,
                frame,
                hi,
                lo,
                batch.ts,
                items,
                seen,
                batch.offsets,
                batch.is_row,
                batch.rejected,
                batch.counts,
                batch.counted_to,
            )
        )

    def _without(self, batch: _Batch, jumps: Flags) -> _Batch:
        """The batch with the rows that jump refused."""
        is_row = np.ones(len(batch.offsets), dtype=np.bool_) if batch.is_row is None else batch.is_row.copy()
        items = np.flatnonzero(is_row)[jumps]
        refused = dict(zip(np.flatnonzero(~is_row).tolist(), batch.rejected, strict=True))
        sources = batch.frame["source"].filter(jumps).to_list()
        for item, source in zip(items.tolist(), sources, strict=True):
            refused[item] = self._jumped(batch, int(batch.offsets[item]), source)
        is_row[items] = False
        return _Batch(
            batch.name, batch.start, batch.end, batch.frame.filter(~jumps), batch.offsets, is_row,
            [refused[item] for item in sorted(refused)], batch.counts, None, 0, batch.counted_to,
        )  # fmt: skip

    def _jumped(self, batch: _Batch, offset: int, source: str) -> Rejected:
        where = Where(batch.name, offset)
        return Rejected(
            source,
            self.spec.stream,
            "time_jump",
            "recorded_ts",
            batch.digest(self.spec.stream, offset),
            where,
        )

    # -------------------------------------------------------------------------------------------------- taking
    @property
    def holds_up(self) -> bool:
        """Whether others must wait for this input: it has items, and may have more with the key of the last."""
        return not self._ended and self.has_items

    def up_to(self, bound: tuple[int, int] | None) -> list[tuple[_Block, int]]:
        """Its blocks, with how many of their items come no later than the bound (key, input) in the one order."""
        parts = []
        for block in self.blocks:
            count = block.items - block.items_taken
            if bound is not None:
                side: Literal["left", "right"] = "right" if self.index <= bound[1] else "left"
                count = int(np.searchsorted(block.keys, bound[0], side)) - block.items_taken
            if count > 0:
                parts.append((block, count))
        return parts

    def settle(self, counts: dict[str, int]) -> None:
        """Let go of the blocks that have been taken whole; add the counts of those that were begun."""
        while self.blocks:
            block = self.blocks[0]
            is_done = block.items_taken == block.items
            if is_done or block.items_taken:
                for name, count in block.counts.items():
                    counts[name] = counts.get(name, 0) + count
                block.counts = {}
                self._counted = (block.name, block.counted_to)
                if block.items_taken:
                    self._taken_top = int(block.keys[block.items_taken - 1])
                    self._taken_last = int(block.seen[block.items_taken - 1])
                self._move(block.name, block.end if is_done else int(block.offsets[block.items_taken]))
            if not is_done:
                return
            self.blocks.popleft()

    def _move(self, name: str, offset: int) -> None:
        if not self.spec.follow:
            self._moved.clear()  # files before this one, in the order of their names, are done
        self._moved[name] = offset

    def place(self) -> _Place:
        """How far the input has been taken, naming the files that moved since this was last asked."""
        moved, self._moved = self._moved, {}
        return _Place(moved, *self._counted, self._taken_top, self._taken_last)

    def forgotten(self) -> list[str]:
        """Files that are gone and have nothing left to be taken."""
        held = {block.name for block in self.blocks} | {batch.name for batch in self._waiting}
        return [name for name in self._reader.forgotten() if name not in held]

    def close(self) -> None:
        self._reader.close()


# ------------------------------------------------------------------------------------------------------ merging
@dataclass(slots=True)
class _Run:
    """A merged stretch of the one order, over parts of the inputs' blocks."""

    blocks: list[_Block]
    who: NDArray[np.intp]  # of every item, in the order: which block it is in
    is_row: Flags | None  # of every item, in the order
    taken: int = 0

    @property
    def is_taken(self) -> bool:
        return self.taken == len(self.who)

    def stop(self, rows: int) -> int:
        """Where to stop so as to take at most so many rows: right behind the last of them."""
        if self.is_row is None:
            return min(len(self.who), self.taken + rows)
        behind = np.cumsum(self.is_row[self.taken :])
        return self.taken + min(int(np.searchsorted(behind, rows)) + 1, len(behind))


def _merged(parts: Sequence[tuple[_Block, int]]) -> _Run:
    """The next items of blocks (so many of each) in one order; blocks come in the order of their inputs."""
    blocks = [block for block, _ in parts]
    flags = None
    if any(block.is_row is not None for block in blocks):
        flags = np.concatenate([_flags(block, count) for block, count in parts])
    if len(blocks) == 1:
        return _Run(blocks, np.zeros(parts[0][1], dtype=np.intp), flags)
    keys = np.concatenate(
        [block.keys[block.items_taken : block.items_taken + count] for block, count in parts]
    )
    order = np.argsort(keys, kind="stable")
    who = np.repeat(np.arange(len(blocks)), [count for _, count in parts])[order]
    return _Run(blocks, who, None if flags is None else flags[order])


def _flags(block: _Block, count: int) -> Flags:
    if block.is_row is None:
        return np.ones(count, dtype=np.bool_)
    return block.is_row[block.items_taken : block.items_taken + count]


@dataclass(slots=True)
class _Draft:
    """A tick that is being filled."""

    rows: int = 0
    frames: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    seqs: dict[str, list[Ints]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    now: int = NO_TIME

    @property
    def is_empty(self) -> bool:
        return not (self.rows or self.rejected or self.counts)

    def count(self, name: str, number: int) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number


# ------------------------------------------------------------------------------------------------------ the memories on disk
class _Memory:
    """Append-only files of what repeats and legs were told, in the one order; a file goes when all in it has expired."""

    def __init__(self, folder: Path, files: Sequence[_MemoryFile], horizon_us: int) -> None:
        self._folder = folder
        self._files = list(files)
        self._horizon_us = horizon_us
        self._open: RecordFile | None = None
        self._old: deque[tuple[int, Path]] = deque()
        self._saves = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._clear()
        except OSError as error:
            raise paused(error) from error

    def _clear(self) -> None:
        """Files newer than the snapshot belong to a run that was not kept; older ones may go after a while."""
        known = {file.name for file in self._files}
        first = min(known, default="")
        for path in sorted(self._folder.glob("*.memory")):
            if path.name not in known and path.name < first:
                self._old.append((MEMORY_GRACE, path))
            elif path.name not in known:
                path.unlink()

    def load(self) -> Iterator[_Delta]:
        """What was remembered, in the order in which it was told."""
        for file in self._files:
            length = 0
            path = self._folder / file.name
            if path.exists():
                for length, payload in records(path, until=file.length):  # noqa: B007 - the last one is asked for
                    yield from msgspec.msgpack.decode(payload, type=list[_Delta])
            if length != file.length:
                raise LedgerError(
                    f"the state file {file.name} is damaged or missing: restore it, or start anew without the snapshot"
                )

    def save(self, deltas: Sequence[_Delta], now: int) -> list[_MemoryFile]:
        """Append what is new, durably; the files that hold what is remembered.

        Raises:
            LedgerPaused: it could not be written; the same may be saved again.
        """
        try:
            if deltas:
                self._append(msgspec.msgpack.encode(list(deltas)), now)
            self._expire(now)
        except OSError as error:
            raise paused(error) from error
        return list(self._files)

    def _append(self, payload: bytes, now: int) -> None:
        newest = self._files[-1] if self._files else None
        if newest is None or newest.length >= MEMORY_BYTES or now - newest.from_ts > self._horizon_us // 8:
            number = int(newest.name.split(".")[0]) + 1 if newest is not None else 0
            newest = self._begin(f"{number:09d}.memory", now)
        if self._open is None:
            self._open = RecordFile(self._folder / newest.name, length=newest.length)
        self._open.append([payload], sync=True)
        self._files[-1] = _MemoryFile(newest.name, self._open.length, newest.from_ts, now)

    def _begin(self, name: str, now: int) -> _MemoryFile:
        (self._folder / name).unlink(missing_ok=True)
        opened = RecordFile(self._folder / name)
        if self._open is not None:
            self._open.close()
        self._open = opened
        file = _MemoryFile(name, 0, now, now)
        self._files.append(file)
        return file

    def _expire(self, now: int) -> None:
        self._saves += 1
        while len(self._files) > 1 and self._files[0].to_ts < now - self._horizon_us - SLACK_US:
            self._old.append((self._saves + MEMORY_GRACE, self._folder / self._files.pop(0).name))
        while self._old and self._old[0][0] <= self._saves:
            self._old.popleft()[1].unlink(missing_ok=True)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


# ------------------------------------------------------------------------------------------------------ the sequencer
class Sequencer:
    """Merges the inputs, drops repeats, takes legs, numbers the rows and cuts the ticks."""

    def __init__(
        self,
        inputs: Sequence[Input],
        door: Decoder,
        *,
        tick_rows: int = TICK_ROWS,
        ledger: Ledger | None = None,
        state_dir: Path | None = None,
        repeats: Repeats | None = None,
        legs: Legs | None = None,
        horizon_us: int = HORIZON_US,
        jump_us: int = JUMP_US,
        chunk_bytes: int = CHUNK_BYTES,
        line_limit: int = LINE_LIMIT,
        stdin: int = 0,
        snapshot: bytes | None = None,
    ) -> None:
        """Begin, or with a snapshot go on. Ticks that the ledger has beyond that point come first.

        Raises:
            SequencerError: the snapshot does not fit the inputs, the version or the ledger.
            ReaderError: an input cannot be opened.
        """
        self._inputs = sorted(inputs, key=lambda one: _rank(one.stream))
        self._door = door
        self._tick_rows = tick_rows
        self._ledger = ledger
        self._repeats = repeats if repeats is not None else Repeats(horizon_us)
        self._legs = legs if legs is not None else Legs(horizon_us)
        self._jump_us = jump_us
        self._chunk_bytes, self._line_limit, self._stdin = chunk_bytes, line_limit, stdin
        self._follow = [one.follow for one in self._inputs]
        known = self._known(snapshot)
        self._state = known.state
        self._memory = None if state_dir is None else _Memory(state_dir, known.memory, horizon_us)
        self._unsaved: list[_Delta] = []  # what the memories learned since the last snapshot
        self._restore()
        self._stored = self._beyond()
        self._heads: list[_Head] | None = None
        self._run: _Run | None = None
        self._draft = _Draft()
        self._unwritten: tuple[Tick, _Logged] | None = None
        if self._stored is None:
            self._open()

    @classmethod
    def resume(cls, snapshot: bytes, inputs: Sequence[Input], door: Decoder, **settings: Any) -> "Sequencer":
        """Go on from a snapshot, with the same inputs and settings: the ticks are those of an undisturbed run."""
        return cls(inputs, door, snapshot=snapshot, **settings)

    # -------------------------------------------------------------------------------------------------- resuming
    def _known(self, snapshot: bytes | None) -> _Snapshot:
        names = [(one.stream, one.source, one.follow) for one in self._inputs]
        if snapshot is None:
            return _Snapshot(SNAPSHOT_VERSION, names, _State(places=[_Place({}) for _ in names]), [])
        version = msgspec.msgpack.decode(snapshot, type=list[Any])[0]
        if version != SNAPSHOT_VERSION:
            raise SequencerError(f"the snapshot has version {version}, this program reads {SNAPSHOT_VERSION}")
        known = msgspec.msgpack.decode(snapshot, type=_Snapshot)
        if known.inputs != names:
            raise SequencerError(
                "the inputs are not those of the snapshot: resume with the same, in the same order"
            )
        return known

    def _restore(self) -> None:
        if self._memory is not None:
            self._remember(self._memory.load())

    def _remember(self, deltas: Iterator[_Delta] | Sequence[_Delta]) -> None:
        for delta in deltas:
            kind, array = _unpacked(delta)
            (self._repeats if kind == "repeats" else self._legs).restore([array])
        self._repeats.changes()  # what was restored is no news
        self._legs.changes()

    def _beyond(self) -> Iterator[tuple[Tick, bytes]] | None:
        """The ledger's ticks after the snapshot, if there are any."""
        ledger, number = self._ledger, self._state.next_tick
        if ledger is None or (ledger.is_empty and number == 0):
            return None
        if ledger.next_tick < number:
            raise SequencerError(
                f"the ledger ends at tick {ledger.next_tick - 1}, the snapshot is at {number}: "
                "it is not the ledger of this run, or its end was lost"
            )
        if ledger.next_tick == number:
            return None
        if ledger.first_tick > number:
            raise SequencerError(f"tick {number} is no longer in the ledger: resume from a newer snapshot")
        return ((stored.tick, stored.state) for stored in ledger.read(number))

    def _open(self) -> None:
        self._heads = []
        for index, (spec, place) in enumerate(zip(self._inputs, self._state.places, strict=True)):
            begun = place.current is not None
            reader = open_reader(
                spec,
                places=place.files if begun else None,
                current=place.current,
                boundary=place.boundary,
                chunk_bytes=self._chunk_bytes,
                line_limit=self._line_limit,
                stdin=self._stdin,
            )
            # what people decide is stamped by this machine, and may come months after the records it is about
            jump_us = _ANY if spec.stream == "control" else self._jump_us
            self._heads.append(_Head(index, spec, reader, self._door, place, jump_us))

    # -------------------------------------------------------------------------------------------------- ticks
    @property
    def finished(self) -> bool:
        """Whether every input is at its end and every tick has been handed out."""
        if self._heads is None or self._unwritten is not None:
            return False
        return self._run is None and self._draft.is_empty and all(head.finished for head in self._heads)

    def ticks(self) -> Iterator[Tick]:
        """Every tick to the end of the inputs, which are let go of then."""
        try:
            while not self.finished:
                tick = self.next_tick()
                if tick is not None:
                    yield tick
        finally:
            self.close()

    def next_tick(self) -> Tick | None:
        """The next tick, or nothing: for now when an input is followed, for good when `finished`.

        Raises:
            LedgerPaused: the tick could not be written; calling again tries the same tick again.
        """
        if self._unwritten is None:
            stored = self._next_stored()
            if stored is not None:
                return stored
            self._unwritten = self._cut()
        return None if self._unwritten is None else self._write(*self._unwritten)

    def _next_stored(self) -> Tick | None:
        if self._stored is None:
            return None
        tick, data = next(self._stored, (None, b""))
        if tick is None:
            self._stored = None
            self._open()
            return None
        if tick.number != self._state.next_tick:
            raise LedgerError(f"tick {self._state.next_tick} is missing from the ledger: restore its segment")
        logged = msgspec.msgpack.decode(data, type=_Logged)
        self._remember(logged.deltas)
        self._done(logged)
        return tick

    def _write(self, tick: Tick, logged: _Logged) -> Tick:
        if self._ledger is not None:
            self._ledger.append(tick, msgspec.msgpack.encode(logged))
        self._unwritten = None
        self._done(logged)
        return tick

    def _done(self, logged: _Logged) -> None:
        self._state.advance(logged.state, self._follow)
        if self._memory is not None:
            self._unsaved.extend(logged.deltas)

    def _cut(self) -> tuple[Tick, _Logged] | None:
        """Fill the draft up to the cap, or with all there is."""
        draft = self._draft
        while draft.rows < self._tick_rows:
            if self._run is None:
                self._run = self._merge()
                if self._run is None:
                    break
            self._take(self._run, self._tick_rows - draft.rows)
            if self._run.is_taken:
                self._run = None
        return None if draft.is_empty else self._close(draft)

    def _close(self, draft: _Draft) -> tuple[Tick, _Logged]:
        """Make the tick of a full draft, with the state after it."""
        rows = {stream: self._rows(stream, draft) for stream in STREAMS if stream in draft.frames}
        for one in draft.rejected:
            draft.count(f"rejected.{one.reason}", 1)
        state = self._state
        after = _State(
            state.next_tick + 1,
            state.next_seq + draft.rows,
            max(state.now, draft.now),
            [head.place() for head in self._heads or ()],
        )
        kept = [("repeats", self._repeats.changes()), ("legs", self._legs.changes())]
        is_kept = self._memory is not None or self._ledger is not None
        deltas = [_packed(kind, array) for kind, array in kept if is_kept and len(array)]
        tick = Tick(state.next_tick, state.next_seq, rows, tuple(draft.rejected), draft.counts)
        self._draft = _Draft()
        return tick, _Logged(after, deltas)

    def _rows(self, stream: str, draft: _Draft) -> pl.DataFrame:
        frame = together(stream, draft.frames[stream])
        seq = np.concatenate(draft.seqs[stream])
        frame = frame.with_columns(pl.Series("seq", seq))
        if len(seq) > 1 and (seq[1:] < seq[:-1]).any():
            frame = frame.sort("seq")
        if stream == "payments":
            taken = self._legs.take(frame)
            frame = taken.frame
            draft.count("unmatched_status", taken.unmatched_status)
            draft.count("second_records", taken.added)
        return trimmed(stream, together(stream, [frame]))

    # -------------------------------------------------------------------------------------------------- the one order
    def _merge(self) -> _Run | None:
        """What can be put in order now: all that no input can still get in front of."""
        heads = self._heads or []
        for head in heads:
            head.fill(max(self._state.now, self._draft.now))
            head.settle(self._draft.counts)
        bound = min(((head.last_key, head.index) for head in heads if head.holds_up), default=None)
        parts = [part for head in heads for part in head.up_to(bound)]
        return _merged(parts) if parts else None

    def _take(self, run: _Run, rows: int) -> None:
        """Take up to so many rows of a run into the draft, with the refusals among them."""
        stop = run.stop(rows)
        who = run.who[run.taken : stop]
        flags = None if run.is_row is None else run.is_row[run.taken : stop]
        run.taken = stop
        places = [np.flatnonzero(who == index) for index in range(len(run.blocks))]
        slots = places if flags is None else self._refuse(run, places, flags)
        fresh = self._fresh(run, slots)
        seqs = np.cumsum(fresh) + (self._state.next_seq + self._draft.rows - 1)
        for block, items, at in zip(run.blocks, places, slots, strict=True):
            if not len(items):
                continue
            self._draw(block, fresh[at], seqs[at])
            block.items_taken += len(items)
        self._draft.rows += int(np.count_nonzero(fresh))
        for head in self._heads or ():
            head.settle(self._draft.counts)

    def _refuse(self, run: _Run, places: Sequence[NDArray[np.intp]], flags: Flags) -> list[NDArray[np.intp]]:
        """Put the refusals in their order into the draft; where each block's rows are among the rows."""
        slot = np.cumsum(flags) - 1
        slots, refused = [], []
        for block, at in zip(run.blocks, places, strict=True):
            is_row = flags[at]
            slots.append(slot[at[is_row]])
            begun = block.items_taken - block.rows_taken
            refused += list(zip(at[~is_row].tolist(), block.rejected[begun:], strict=False))
        self._draft.rejected += [one for _, one in sorted(refused, key=lambda pair: pair[0])]
        return slots

    def _fresh(self, run: _Run, slots: Sequence[NDArray[np.intp]]) -> Flags:
        """Which of the rows are no repeats, told in the one order."""
        total = sum(len(at) for at in slots)
        hi, lo = np.empty(total, dtype=np.uint64), np.empty(total, dtype=np.uint64)
        ts = np.empty(total, dtype=np.int64)
        for block, at in zip(run.blocks, slots, strict=True):
            start, end = block.rows_taken, block.rows_taken + len(at)
            hi[at], lo[at], ts[at] = block.hi[start:end], block.lo[start:end], block.ts[start:end]
        if total:
            self._draft.now = max(self._draft.now, int(ts.max()))
        return self._repeats.fresh(hi, lo, ts)

    def _draw(self, block: _Block, fresh: Flags, seqs: Ints) -> None:
        """Take a block's next rows into the draft, without the repeats."""
        frame = block.frame[block.rows_taken : block.rows_taken + len(fresh)]
        block.rows_taken += len(fresh)
        kept = int(np.count_nonzero(fresh))
        stream = block.stream
        self._draft.count(f"accepted.{stream}", kept)
        self._draft.count(f"repeated.{stream}", len(fresh) - kept)
        if kept:
            whole = kept == len(fresh)
            self._draft.frames.setdefault(stream, []).append(frame if whole else frame.filter(fresh))
            self._draft.seqs.setdefault(stream, []).append(seqs if whole else seqs[fresh])

    # -------------------------------------------------------------------------------------------------- snapshots
    def snapshot(self) -> bytes:
        """The state after the last tick handed out, durable: where each input is, and what holds the memories.

        Raises:
            LedgerPaused: the disk did not take it; nothing is lost, try again.
            SequencerError: there is nowhere to keep the memories, or a live input without a ledger.
        """
        if self._memory is None:
            raise SequencerError("a snapshot needs a folder for its state: give state_dir")
        if self._ledger is None and any(self._follow):
            raise SequencerError("a followed input can only be resumed from a ledger: give one")
        if self._ledger is not None:
            self._ledger.sync()
        files = self._memory.save(self._unsaved, self._state.now)
        self._unsaved = []
        self._forget()
        names = [(one.stream, one.source, one.follow) for one in self._inputs]
        return msgspec.msgpack.encode(_Snapshot(SNAPSHOT_VERSION, names, self._state, files))

    def _forget(self) -> None:
        for head, place in zip(self._heads or (), self._state.places, strict=False):
            for name in head.forgotten():
                if name != place.current:
                    place.files.pop(name, None)

    def close(self) -> None:
        """Let go of the files; what was handed out is kept as it is."""
        for head in self._heads or ():
            head.close()
        if self._memory is not None:
            self._memory.close()


def _rank(stream: str) -> int:
    if stream not in STREAMS:
        raise SequencerError(f"there is no stream {stream!r}: choose one of {', '.join(STREAMS)}")
    return STREAMS.index(stream)
