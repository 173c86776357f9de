"""Splitting a tick over the shards, and telling every hop what to wait for.

The door knows every key of a row, so it knows how many rows each shard of the second pass will get of a tick, and
which tick that shard had before. Both travel with the rows: a hop works on a tick only when all of it has arrived,
and in the order of ticks, so nothing depends on interleaving or on the number of workers.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from events.ledger import Tick
from features.plan import Reach
from features.rows import Entity, Rows
from flows.controls import obeyed
from flows.errors import FlowError
from flows.found_out import found_out
from flows.keeping import Keeper
from flows.ordering import add_coming, in_order
from flows.roles import role_rows
from flows.shelf import Shelf
from flows.telling import Telling, asking, with_told
from models.labels import Label

SUBJECT_SHARDS: Final = 4
"""Shards of the subject hop: only gated rows go there, so a few are enough."""

_NEVER: Final = -(2**62)
_NOBODY: Final = pl.DataFrame(
    schema={
        "seq": pl.Int64,
        "recorded_ts": pl.Int64,
        "event_id": pl.String,
        "source": pl.String,
        "basis": pl.String,
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A control row as the shards need it: from which place in the one order on, and what."""

    seq: int
    recorded_ts: int
    kind: str
    detector: str
    body: str


@dataclass(frozen=True, slots=True)
class Share:
    """One shard's share of a tick in the first pass: each entity's rows in order."""

    tick: int
    rows: dict[Entity, Rows]


@dataclass(frozen=True, slots=True)
class Names:
    """What a tick's events are called, by `seq`."""

    first_seq: int
    event_id: pl.Series
    source: pl.Series
    basis: pl.Series


@dataclass(frozen=True, slots=True)
class Expect:
    """What a shard of a later hop is to wait for before it works on a tick."""

    tick: int
    before: int  # the tick this shard had before this one; -1: none
    count: int  # rows (second pass) or packets (subject hop)
    rules: tuple[Rule, ...] = ()
    names: Names | None = None  # for those who keep what happened until something else does (subject hop)


@dataclass(frozen=True, slots=True)
class Ids:
    """What the national hop needs to name events: the tick's rows by `seq`, and its control rows."""

    tick: int
    first_seq: int
    senders: int  # packets to wait for
    event_id: pl.Series
    source: pl.Series
    basis: pl.Series
    clock: npt.NDArray[np.int64]  # latest recorded time of any row so far, by place in the tick
    rules: tuple[Rule, ...]
    read_at: float  # when the tick was read, wall clock, for the latency measure only
    labels: tuple[Label, ...] = ()  # what was found out, for the learner
    learn: bool = False  # whether a lesson follows this tick


@dataclass(frozen=True, slots=True)
class Split:
    """A tick, split: who gets what."""

    tick: int
    shares: dict[int, Share]
    second: dict[int, Expect]
    subject: dict[int, Expect]
    ids: Ids


TELLING: Final = "telling"
"""Under which name the memory of events is kept beside the shards' states."""


class _Memory(msgspec.Struct):
    second: list[int]
    subject: list[int]
    clock: int
    told: dict[str, Any] = {}
    """What waits to be found out about earlier events, where a feature asks for it."""
    kept: bytes = b""
    """Where that is kept, where it is kept beside: what changed since the last snapshot and no more."""
    heard: bool = False
    """Whether something was found out since the last lesson."""
    lesson: int = _NEVER
    """The clock at the last lesson."""
    awaits: int = -1
    """After which tick a lesson was held whose weights no tick has yet."""


@dataclass(slots=True)
class Splitter:
    """Splits ticks; remembers which tick each shard had last, the latest recorded time, and what is to be told."""

    shards: int
    reach: Reach
    lesson_us: int = 0
    """Time between lessons; 0 where nothing learns."""
    shelf: Shelf = field(default_factory=Shelf)
    keeper: Keeper = field(default_factory=lambda: Keeper(None, TELLING))
    memory: _Memory = field(init=False)
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        if self.shards & (self.shards - 1) or not 0 < self.shards <= 256:
            raise FlowError(f"{self.shards} shards: choose a power of two up to 256")
        self.memory = _Memory([-1] * self.shards, [-1] * SUBJECT_SHARDS, -(2**62))
        self.telling = Telling(asking(self.reach.kept))

    def split(self, tick: Tick, read_at: float, taught: Sequence[tuple[str, dict[str, Any]]] = ()) -> Split:
        """Split one tick; `taught` are weights that score from its first row on."""
        rows = with_told(role_rows(tick, self.reach.kept), self.telling.take(tick))
        shares: dict[int, dict[Entity, Rows]] = {}
        counts = np.zeros(self.shards, dtype=np.int64)
        for entity, unordered in rows.items():
            ordered, starts = in_order(unordered, tick.first_seq, self.shards)
            for shard, (lo, hi) in enumerate(itertools.pairwise(starts.tolist())):
                if hi > lo:
                    shares.setdefault(shard, {})[entity] = ordered[lo:hi]
            scored, told = entity in self.reach.scored, entity in self.reach.told
            add_coming(ordered, self.shards, scored, told, counts)
        rules = (*self._activated(tick, taught), *_rules(tick, self.shelf))
        involved = range(self.shards) if rules else [int(s) for s in np.flatnonzero(counts)]
        second = {
            s: Expect(tick.number, self._had(self.memory.second, s, tick.number), int(counts[s]), rules)
            for s in involved
        }
        senders = len(second)
        to = range(SUBJECT_SHARDS if senders else 0)
        ids = self._ids(tick, len(to), rules, read_at)
        names = Names(ids.first_seq, ids.event_id, ids.source, ids.basis)
        subject = {
            s: Expect(tick.number, self._had(self.memory.subject, s, tick.number), senders, rules, names)
            for s in to
        }
        return Split(
            tick.number,
            {shard: Share(tick.number, by_entity) for shard, by_entity in shares.items()},
            second,
            subject,
            ids,
        )

    def _had(self, last: list[int], shard: int, tick: int) -> int:
        before, last[shard] = last[shard], tick
        return before

    def _ids(self, tick: Tick, senders: int, rules: tuple[Rule, ...], read_at: float) -> Ids:
        parts = [
            frame.select("seq", "recorded_ts", "event_id", "source", "basis")
            for frame in tick.rows.values()
            if frame.height
        ]
        if not parts:  # nothing but refusals
            parts = [_NOBODY]
        named = pl.concat(parts).sort("seq") if len(parts) != 1 else parts[0]
        clock = np.maximum.accumulate(np.concatenate(([self.memory.clock], named["recorded_ts"].to_numpy())))[
            1:
        ]
        if len(clock):
            self.memory.clock = int(clock[-1])
        labels = tuple(found_out(tick)) if self.lesson_us else ()
        return Ids(
            tick.number,
            tick.first_seq,
            senders,
            named["event_id"],
            named["source"],
            named["basis"],
            clock,
            rules,
            read_at,
            labels,
            self._is_lesson(tick, labels, rules),
        )

    def _activated(self, tick: Tick, taught: Sequence[tuple[str, dict[str, Any]]]) -> tuple[Rule, ...]:
        """What the last lesson made of the weights, from this tick's first row on."""
        if self.memory.awaits >= 0:
            self.memory.awaits = -1
        return tuple(
            Rule(
                tick.first_seq,
                self.memory.clock,
                "activate",
                name,
                json.dumps({"weights": weights, "taught": True}),
            )
            for name, weights in taught
        )

    def _is_lesson(self, tick: Tick, labels: tuple[Label, ...], rules: tuple[Rule, ...]) -> bool:
        """Whether a lesson follows: something was found out, and the hours between two lessons have passed."""
        if not self.lesson_us:
            return False
        memory = self.memory
        memory.heard = (
            memory.heard or bool(labels) or any(rule.kind in ("decision", "review") for rule in rules)
        )
        if memory.lesson == _NEVER:
            memory.lesson = memory.clock
        if not memory.heard or memory.clock // self.lesson_us <= memory.lesson // self.lesson_us:
            return False
        memory.heard, memory.lesson, memory.awaits = False, memory.clock, tick.number
        return True

    def snapshot(self) -> bytes:
        """What it remembers, as data."""
        if self.keeper.folder is None:
            self.memory.told = self.telling.state()
        else:
            changes = self.telling.changes()
            if changes:
                self.keeper.add(changes)
            self.memory.kept = self.keeper.save(self.telling.state)
        kept = msgspec.msgpack.encode(self.memory)
        self.memory.told = {}
        return kept

    def restore(self, snapshot: bytes) -> None:
        """Take up what it remembered."""
        self.memory = msgspec.msgpack.decode(snapshot, type=_Memory)
        if len(self.memory.second) != self.shards:
            raise FlowError(
                f"the recovery folder was made with {len(self.memory.second)} shards and the setting now says "
                f"{self.shards}: set it back, or leave it out, or start with a new folder"
            )
        self.telling.restore(self.memory.told)
        self.memory.told = {}
        base, changes = self.keeper.resume(self.memory.kept)
        self.telling.restore(base or {})
        for each in changes:
            self.telling.again(each)


def _rules(tick: Tick, shelf: Shelf) -> tuple[Rule, ...]:
    """Control rows, in the one order."""
    rules = []
    control = tick.rows.get("control")
    if control is not None:
        for seq, ts, kind, detector, body in control.select(
            "seq", "recorded_ts", "kind", "detector", "body"
        ).iter_rows():
            whole, wrong = obeyed(kind, detector, body, shelf)
            if wrong is None:  # the others become dead letters at the source
                rules.append(Rule(seq, ts, kind, detector, whole))
    return tuple(sorted(rules, key=lambda rule: rule.seq))
