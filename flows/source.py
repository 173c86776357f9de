"""The sequencer as a Bytewax source: one partition that emits split ticks and resumes where it was."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from events.ledger import LedgerPaused
from events.rejected import Rejected
from events.sequencer import Sequencer
from flows.split import Split, Splitter
from monitoring import metrics

PART: Final = "sequencer"
_IDLE: Final = timedelta(milliseconds=2)
_PAUSE: Final = timedelta(seconds=1)
_PAUSED_FOR: Final = "ledger"


class Cut(msgspec.Struct, frozen=True):
    """One tick as the source hands it on: split, and with what was refused and counted on the way."""

    tick: int
    split: Split | None
    rejected: tuple[Rejected, ...]
    counts: dict[str, int]
    events: dict[str, int]


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    version: int
    sequencer: bytes
    splitter: bytes


class SequencerPart(StatefulSourcePartition[Cut, bytes]):
    """The one partition."""

    def __init__(self, sequencer: Sequencer, splitter: Splitter, *, keeps: bool) -> None:
        self.sequencer = sequencer
        self.keeps = keeps
        self.splitter = splitter
        self._awake: datetime | None = None

    def next_batch(self) -> list[Cut]:
        """The next tick; nothing when there is none just now, or while the ledger cannot be written."""
        self._awake = None
        started = time.perf_counter()
        try:
            tick = self.sequencer.next_tick()
        except LedgerPaused:
            metrics.pause(_PAUSED_FOR)
            self._awake = datetime.now(UTC) + _PAUSE
            return []
        metrics.go_on(_PAUSED_FOR)
        if tick is None:
            if self.sequencer.finished:
                raise StopIteration
            self._awake = datetime.now(UTC) + _IDLE
            return []
        split = self.splitter.split(tick, time.time())
        metrics.STEP_SECONDS.labels(step="door").observe(time.perf_counter() - started)
        events = {stream: frame.height for stream, frame in tick.rows.items() if frame.height}
        return [Cut(tick.number, split, tick.rejected, tick.counts, events)]

    def next_awake(self) -> datetime | None:
        """When to look again."""
        return self._awake

    def snapshot(self) -> bytes:
        """Where the sequencer is; nothing where nothing is kept (the engine asks all the same)."""
        if not self.keeps:
            return b""
        while True:
            try:
                kept = _Kept(1, self.sequencer.snapshot(), self.splitter.snapshot())
            except LedgerPaused:
                metrics.pause(_PAUSED_FOR)
                time.sleep(_PAUSE.total_seconds())
                continue
            return msgspec.msgpack.encode(kept)

    def close(self) -> None:
        """Let go of the files."""
        self.sequencer.close()


class SequencerSource(FixedPartitionedSource[Cut, bytes]):
    """All inputs in one order."""

    def __init__(
        self, make: Callable[[bytes | None], Sequencer], splitter: Callable[[], Splitter], *, keeps: bool
    ) -> None:
        self._make = make
        self._splitter = splitter
        self._keeps = keeps

    def list_parts(self) -> list[str]:
        """The one partition."""
        return [PART]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> SequencerPart:
        """Begin, or go on from where it was."""
        kept = None if not resume_state else msgspec.msgpack.decode(resume_state, type=_Kept)
        splitter = self._splitter()
        if kept is not None:
            splitter.restore(kept.splitter)
        return SequencerPart(
            self._make(None if kept is None else kept.sequencer), splitter, keeps=self._keeps
        )
