"""The first pass: each entity's own row, updated and read; the halves then go to the shards of both parties."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from events.kernels import bare
from features.plan import Plan
from features.rows import SUBJECTS, Entity, Role, Rows, chosen, joined
from features.state import EntityState
from flows.split import Share

Floats = npt.NDArray[np.float64]

_PEEK = int(Role.PEEK)
_LABELLED = int(Role.LABELLED)

THING_SUBJECT = {
    Entity.CARD: Entity.ACCOUNT,
    Entity.TERMINAL: Entity.ACCOUNT,
    Entity.MERCHANT: Entity.ACCOUNT,
    Entity.DEVICE: Entity.ACCOUNT,
    Entity.SIM: Entity.NUMBER,
    Entity.HANDSET: Entity.NUMBER,
    Entity.CELL: Entity.NUMBER,
}
"""Whose joined row a thing's features go into."""


@dataclass(frozen=True, slots=True)
class Half:
    """What one first-pass shard tells of one block of columns: which rows (seq and side) and the values."""

    subject: Entity
    block: Entity | None  # the thing it is about; none: the other party
    keys: npt.NDArray[np.int64]
    values: Floats


@dataclass(frozen=True, slots=True)
class Halves:
    """Everything one first-pass shard sends to one second-pass shard of one tick."""

    tick: int
    count: int
    own: dict[Entity, tuple[Rows, Floats]]
    halves: list[Half]


def key_of(rows: Rows) -> npt.NDArray[np.int64]:
    """Seq, side and shadow as one number: which joined row it is."""
    return rows["seq"] * 4 + rows["side"] * 2 + rows["shadow"]  # type: ignore[no-any-return]


@bare
def _tell(rows, values, columns, other, shards, ends, keys, told):  # type: ignore[no-untyped-def]
    """Of the rows that are told of elsewhere, by shard and in their order: which joined row it is of, and the values.

    `ends` comes as zeros, one more than there are shards, and goes as where each shard's begin; `other` says whether the
    rows are told to the other side of the same event, under whose key they go then, while keys are rotated too.
    """
    mask = np.uint64(shards - 1)
    for i in range(len(rows)):
        if rows[i].sends == 1:
            ends[np.int64(rows[i].other_lo & mask) + 1] += 1
    for shard in range(shards):
        ends[shard + 1] += ends[shard]
    for i in range(len(rows)):
        if rows[i].sends == 1:
            to = np.int64(rows[i].other_lo & mask)
            at = ends[to]
            ends[to] += 1
            side = 2 - 2 * np.int64(rows[i].side) + np.int64(rows[i].shadow) if other else np.int64(0)
            keys[at] = rows[i].seq * 4 + side
            for j in range(len(columns)):
                told[at, j] = values[i, columns[j]]
    for shard in range(shards, 0, -1):
        ends[shard] = ends[shard - 1]
    ends[0] = 0


@bare
def _take_own(rows, values, own, told):  # type: ignore[no-untyped-def]
    """Which rows are their subject's own, and, where not all are, their values one after the other; gives how many."""
    kept = 0
    for i in range(len(rows)):
        if rows[i].role != _PEEK and rows[i].role != _LABELLED:
            own[kept] = i
            kept += 1
    if kept < len(rows):
        for to in range(kept):
            for j in range(values.shape[1]):
                told[to, j] = values[own[to], j]
    return kept


def _own(rows: Rows, values: Floats) -> tuple[Rows, Floats]:
    """The rows that are their subject's own, without those that only look or tell what was found out."""
    places, told = np.empty(len(rows), dtype=np.int64), np.empty(values.shape)
    count = _take_own(rows, values, places, told)
    return (rows, values) if count == len(rows) else (chosen(rows, places[:count]), told[:count])


def _picks_of(plan: Plan, entity: Entity) -> npt.NDArray[np.int64]:
    """Which columns an entity's rows are told with."""
    subject = plan.subjects[entity if entity in SUBJECTS else THING_SUBJECT[entity]]
    picks = subject.other_picks if entity in SUBJECTS else subject.thing_picks.get(entity, ())
    return np.array(picks, dtype=np.int64)


class FirstPass:
    """One shard of the first pass."""

    def __init__(self, plan: Plan, shard: int, shards: int) -> None:
        self.plan = plan
        self.reach = plan.reach
        self.shard = shard
        self.shards = shards
        self.states = {
            entity: EntityState(program, spread=shard / shards, peeked=plan.told_of(entity))
            for entity, program in plan.first.items()
        }
        self.picks = {entity: _picks_of(plan, entity) for entity in self.reach.told & plan.first.keys()}
        self._none = np.zeros((0, 0))

    def take(self, share: Share) -> dict[int, Halves]:
        """Take a tick's rows; gives what each shard of the second pass is to get."""
        own: dict[Entity, tuple[Rows, Floats]] = {}
        out: dict[int, list[Half]] = {}
        for entity in sorted(share.rows):
            rows = share.rows[entity]
            values, _ = self.states[entity].take(rows, self._none)
            if entity in self.plan.subjects:
                own[entity] = _own(rows, values)
            if entity in self.reach.told:
                self._send(entity, rows, values, out)
        return self._packed(share.tick, own, out)

    def _send(self, entity: Entity, rows: Rows, values: Floats, out: dict[int, list[Half]]) -> None:
        subject = entity if entity in SUBJECTS else THING_SUBJECT[entity]
        picks = self.picks[entity]
        starts = np.zeros(self.shards + 1, dtype=np.int64)
        keys, told = np.empty(len(rows), dtype=np.int64), np.empty((len(rows), len(picks)))
        _tell(rows, values, picks, entity == subject, self.shards, starts, keys, told)
        block = None if entity == subject else entity
        for to, (lo, hi) in enumerate(itertools.pairwise(starts.tolist())):
            if hi > lo:
                out.setdefault(to, []).append(Half(subject, block, keys[lo:hi], told[lo:hi]))

    def _packed(
        self, tick: int, own: dict[Entity, tuple[Rows, Floats]], out: dict[int, list[Half]]
    ) -> dict[int, Halves]:
        own = {entity: part for entity, part in own.items() if len(part[0])}
        packed = {}
        for to in sorted(out.keys() | ({self.shard} if own else set())):
            mine = own if to == self.shard else {}
            halves = out.get(to, [])
            count = sum(len(h.keys) for h in halves) + sum(len(rows) for rows, _ in mine.values())
            packed[to] = Halves(tick, count, mine, halves)
        return packed

    def dump(self) -> dict[str, npt.NDArray[Any]]:
        """The shard's state as plain arrays."""
        return dump_states(self.states)

    def load(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Take up a dumped state."""
        load_states(self.states, arrays)

    def digest(self) -> str:
        """A digest of what is known in this shard."""
        return " ".join(f"{entity.name}:{state.digest()}" for entity, state in self.states.items())


def dump_states(states: dict[Entity, EntityState]) -> dict[str, npt.NDArray[Any]]:
    """Several entities' states as plain arrays with names."""
    return {
        f"{entity.name}.{name}": array
        for entity, state in states.items()
        for name, array in state.dump().items()
    }


def load_states(states: dict[Entity, EntityState], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Take up dumped states. An entity that had no features then starts empty."""
    for entity, state in states.items():
        mine = {
            name.partition(".")[2]: a for name, a in arrays.items() if name.partition(".")[0] == entity.name
        }
        if mine:
            state.load(mine)


def shares_as_one(shares: list[Share]) -> Share:
    """The shares of several ticks, in order, as one: rows are taken one by one, so it changes nothing."""
    entities = sorted({entity for share in shares for entity in share.rows})
    return Share(
        shares[-1].tick, {e: joined([share.rows[e] for share in shares if e in share.rows]) for e in entities}
    )


def halves_as_one(many: list[Halves]) -> Halves:
    """The halves of several ticks, in order, as one."""
    own: dict[Entity, tuple[Rows, Floats]] = {}
    for entity in sorted({entity for one in many for entity in one.own}):
        parts = [one.own[entity] for one in many if entity in one.own]
        own[entity] = (joined([rows for rows, _ in parts]), np.concatenate([values for _, values in parts]))
    blocks: dict[tuple[Entity, Entity | None], list[Half]] = {}
    for half in (half for one in many for half in one.halves):
        blocks.setdefault((half.subject, half.block), []).append(half)
    halves = [
        Half(
            subject, block, np.concatenate([h.keys for h in found]), np.concatenate([h.values for h in found])
        )
        for (subject, block), found in blocks.items()
    ]
    return Halves(many[-1].tick, sum(one.count for one in many), own, halves)
