"""The sequencer as a Bytewax source: one partition that emits split ticks and resumes where it was."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from events.ledger import Ledger, LedgerPaused, Tick
from events.rejected import Rejected
from flows.controls import refused
from flows.split import Rule, Split, Splitter
from models.registry import AUTOMATIC
from monitoring import metrics

PART: Final = "sequencer"
_IDLE: Final = timedelta(milliseconds=2)
_PAUSE: Final = timedelta(seconds=1)
_PAUSED_FOR: Final = "ledger"
_WEIGH_S: Final = 10.0


Activations = tuple[tuple[str, dict[str, Any]], ...]
"""Weights that a lesson put in force, by detector."""
Told = Callable[[int], Activations | None]
"""Asks what the lesson after a tick made of the weights; nothing while it has not been held."""


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


class Ticks(Protocol):
    """Where ticks come from: the sequencer, or a ledger that is read again."""

    @property
    def finished(self) -> bool:
        """Whether there will never be another."""

    def next_tick(self) -> Tick | None:
        """The next tick; nothing for now, or for good when finished."""

    def snapshot(self) -> bytes:
        """Where it is."""

    def close(self) -> None:
        """Let go of what is open."""


class Watch:
    """What the source looks at before each tick: whether to stop, and what else is to be done first."""

    def __init__(self, before: Callable[[], None] | None = None) -> None:
        self.stopping = False
        self.ending = False
        self.before = before

    def stop(self, *_: Any) -> None:
        """No more ticks: what was taken is worked through, a last snapshot is written, the flow ends."""
        self.stopping = True

    def end(self) -> None:
        """Nothing more will be written: the flow ends when all that is in the followed inputs has been taken."""
        self.ending = True


class SequencerPart(StatefulSourcePartition[Cut, bytes]):
    """The one partition."""

    def __init__(
        self,
        sequencer: Ticks,
        splitter: Splitter,
        *,
        keeps: bool,
        watch: Watch | None = None,
        ledger: Path | None = None,
        told: Told | None = None,
    ) -> None:
        self.told = told
        self._taught: Activations = ()
        self.sequencer = sequencer
        self.keeps = keeps
        self.splitter = splitter
        self.watch = watch or Watch()
        self.ledger = ledger
        self._awake: datetime | None = None
        self._weighed = 0.0

    def next_batch(self) -> list[Cut]:
        """The next tick; nothing when there is none just now, or while the ledger cannot be written."""
        self._awake = None
        if self.watch.stopping:
            raise StopIteration
        if self.watch.before is not None:
            self.watch.before()
        if not self._is_taught():
            self._awake = datetime.now(UTC) + _IDLE
            return []
        started = time.perf_counter()
        ending = self.watch.ending  # asked before looking: what was written until then is there to be seen
        try:
            tick = self.sequencer.next_tick()
        except LedgerPaused:
            metrics.pause(_PAUSED_FOR)
            self._awake = datetime.now(UTC) + _PAUSE
            return []
        metrics.go_on(_PAUSED_FOR)
        if tick is None:
            if self.sequencer.finished or ending:
                raise StopIteration
            self._awake = datetime.now(UTC) + _IDLE
            return []
        taught = self._taught if tick.height else ()
        awaits = self.splitter.memory.awaits
        split = self.splitter.split(tick, time.time(), taught)
        if tick.height:
            self._taught = ()
        else:  # nothing to begin at: what was taught waits for the next
            self.splitter.memory.awaits = awaits
        metrics.STEP_SECONDS.labels(step="door").observe(time.perf_counter() - started)
        metrics.ROWS.labels(step="door").inc(tick.height)
        _tell(split.ids.rules)
        events = {stream: frame.height for stream, frame in tick.rows.items() if frame.height}
        return [
            Cut(
                tick.number, split, (*tick.rejected, *refused(tick, self.splitter.shelf)), tick.counts, events
            )
        ]

    def _is_taught(self) -> bool:
        """Whether the lesson after the tick before has been held, where one was to be."""
        if self.told is None:
            return True
        awaits = self.splitter.memory.awaits
        if awaits < 0:
            return True
        taught = self.told(awaits)
        if taught is None:
            return False
        self._taught = taught
        return True

    def next_awake(self) -> datetime | None:
        """When to look again."""
        return self._awake

    def snapshot(self) -> bytes:
        """Where the sequencer is; nothing where nothing is kept (the engine asks all the same)."""
        metrics.EPOCH.inc()
        self._weigh()
        if not self.keeps:
            return b""
        while True:
            try:
                kept = _Kept(1, self.sequencer.snapshot(), self.splitter.snapshot())
            except LedgerPaused:
                metrics.pause(_PAUSED_FOR)
                time.sleep(_PAUSE.total_seconds())
                continue
            metrics.go_on(_PAUSED_FOR)
            return msgspec.msgpack.encode(kept)

    def _weigh(self) -> None:
        """Say now and then how large the ledger is."""
        now = time.monotonic()
        if self.ledger is not None and now - self._weighed > _WEIGH_S and self.ledger.is_dir():
            self._weighed = now
            with os.scandir(self.ledger) as entries:
                metrics.LEDGER_BYTES.set(sum(entry.stat().st_size for entry in entries))

    def close(self) -> None:
        """Let go of the files."""
        self.sequencer.close()


def _tell(rules: Iterable[Rule]) -> None:
    """Say where no person has rolled a model back: it takes effect here, wherever it was decided."""
    for rule in rules:
        if rule.kind == "activate" and f'"by": "{AUTOMATIC}"' in rule.body:
            metrics.ROLLED_BACK.labels(detector=rule.detector).inc()
            said = json.loads(rule.body)["promotion"]
            logging.getLogger("linewatch").warning(
                "%s: the champion was rolled back automatically: %s", rule.detector, said["why"]
            )


class LedgerTicks:
    """The ticks of a ledger, read again from the first that is kept."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.finished = False
        self._stored = ledger.read(ledger.first_tick)

    def next_tick(self) -> Tick | None:
        """The next tick; nothing at the end."""
        stored = next(self._stored, None)
        self.finished = stored is None
        return None if stored is None else stored.tick

    def snapshot(self) -> bytes:
        """Nothing: it is read again from its start."""
        return b""

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()


class SequencerSource(FixedPartitionedSource[Cut, bytes]):
    """All inputs in one order."""

    def __init__(
        self,
        make: Callable[[bytes | None], Ticks],
        splitter: Callable[[], Splitter],
        *,
        keeps: bool,
        watch: Watch | None = None,
        ledger: Path | None = None,
        told: Told | None = None,
    ) -> None:
        self._told = told
        self._make = make
        self._splitter = splitter
        self._keeps = keeps
        self._watch = watch
        self._ledger = ledger

    def list_parts(self) -> list[str]:
        """The one partition."""
        return [PART]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> SequencerPart:
        """Begin, or go on from where it was."""
        kept = None if not resume_state else msgspec.msgpack.decode(resume_state, type=_Kept)
        splitter = self._splitter()
        if kept is not None:
            splitter.restore(kept.splitter)
        ticks = self._opened(None if kept is None else kept.sequencer)
        return SequencerPart(
            ticks, splitter, keeps=self._keeps, watch=self._watch, ledger=self._ledger, told=self._told
        )

    def _opened(self, snapshot: bytes | None) -> Ticks:
        while True:
            try:
                return self._make(snapshot)
            except LedgerPaused:
                metrics.pause(_PAUSED_FOR)
                time.sleep(_PAUSE.total_seconds())
