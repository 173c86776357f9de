"""One shard's memory of one kind of entity: who is known, what is known of each, and of each pair.

Rows go in, features come out. The memory grows with the living: entities and pairs unseen for their lifetime are
dropped when a table would otherwise have to grow, and are treated as new from the moment they are due.
"""

import hashlib
from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt

from features.declare import duration
from features.kernel import PAIR, advance, fill_table, free_pairs, regrow_pairs, slots_of
from features.memory import GrowingRows
from features.program import Program
from features.rows import Rows

ENTITY_LIFETIME: Final = duration("400d")
"""An entity unseen for 13 months is forgotten: the longest retention of unflagged working data."""

_FIRST_ENTITIES: Final = 256
_FIRST_PAIRS: Final = 1024
_FULL: Final = 0.5
"""A hash table is enlarged when half full: longer runs of probes cost more than the memory."""

Floats = npt.NDArray[np.float64]


class EntityState:
    """The state of one entity kind in one shard and pass."""

    def __init__(
        self,
        program: Program,
        extra: int = 0,
        spread: float = 0.5,
        peeked: Collection[int] | None = None,
    ) -> None:
        """`spread` (0 to 1) says how full pair tables get: shards of one flow differ, or all would grow at once.

        `peeked` are the columns that are asked of rows that only look; the others stay absent there.
        """
        self.program = program
        self.reads, self.peeks = program.reads(), program.reads(peeked)
        # extra columns belong to the caller, and live and die with the entity
        self.width = program.width + extra
        self.full = _FULL * (0.75 + 0.5 * spread)
        self.count = 0
        self.now = 0
        self.pairs_used = 0
        self.late = 0
        self.table_hi = np.zeros(2 * _FIRST_ENTITIES, dtype=np.uint64)
        self.table_lo = np.zeros(2 * _FIRST_ENTITIES, dtype=np.uint64)
        self.table_slot = np.full(2 * _FIRST_ENTITIES, -1, dtype=np.int32)
        self._memory = GrowingRows(_FIRST_ENTITIES, self.width)
        self.state = self._memory.rows
        self.pairs = free_pairs(_FIRST_PAIRS if len(program.relations) else 2)

    def take(self, rows: Rows, inputs: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Take rows in their order; gives one row of features for each, and each row's place in the state."""
        self._make_room(len(rows))
        slots = np.empty(len(rows), dtype=np.int64)
        count, now = slots_of(
            rows,
            self.table_hi,
            self.table_lo,
            self.table_slot,
            self.count,
            self.state,
            ENTITY_LIFETIME,
            self.now,
            slots,
        )
        self.count, self.now = int(count), int(now)
        out = np.empty((len(rows), self.program.outputs), dtype=np.float64)
        p = self.program
        used, late = advance(
            rows,
            slots,
            inputs,
            self.state,
            self.pairs,
            self.pairs_used,
            p.selections,
            p.parts,
            p.relations,
            p.cells,
            p.cell_parts,
            p.cell_bits,
            self.reads,
            self.peeks,
            p.everys,
            out,
        )
        self.pairs_used = int(used)
        self.late += int(late)
        return out, slots

    def _make_room(self, coming: int) -> None:
        if self.count + coming > len(self.state):
            self._grow_entities(coming)
        pairs_coming = coming * len(self.program.relations)
        if pairs_coming and self.pairs_used + pairs_coming > self.full * len(self.pairs):
            self._grow_pairs(np.arange(self.count, dtype=np.int64), pairs_coming)

    def _grow_entities(self, coming: int) -> None:
        living = self.state[: self.count, 1] + ENTITY_LIFETIME >= self.now
        order = np.flatnonzero(living)
        room = _FIRST_ENTITIES
        while room < len(order) + coming or room < 1.5 * len(order):
            room *= 2
        hi, lo = self._tokens()
        if len(order) == self.count:
            self._take_memory(room)
            self._fill_table(hi, lo, room)
            return
        slot_of = np.full(max(self.count, 1), -1, dtype=np.int64)
        slot_of[order] = np.arange(len(order))
        before = self.state
        self._memory = GrowingRows(room, self.width)
        self.state = self._memory.rows
        self.state[: len(order)] = before[order]
        self.count = len(order)
        self._fill_table(hi[order], lo[order], room)
        self._grow_pairs(slot_of, 0)

    def _take_memory(self, room: int) -> None:
        self.state = np.zeros((0, self.width))
        self._memory.grow(room)
        self.state = self._memory.rows

    def _fill_table(self, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], room: int) -> None:
        self.table_hi = np.zeros(2 * room, dtype=np.uint64)
        self.table_lo = np.zeros(2 * room, dtype=np.uint64)
        self.table_slot = np.full(2 * room, -1, dtype=np.int32)
        fill_table(hi, lo, self.table_hi, self.table_lo, self.table_slot)

    def _grow_pairs(self, slot_of: npt.NDArray[np.int64], coming: int) -> None:
        room = _FIRST_PAIRS
        while room < len(self.pairs):
            room *= 2
        lifetimes = np.ascontiguousarray(self.program.relations["lifetime"])
        while True:
            new = free_pairs(room)
            used = int(regrow_pairs(self.pairs, new, slot_of, self.state, lifetimes))
            if used + coming <= self.full * room:
                break
            while used + coming > self.full * room:
                room *= 2
        self.pairs, self.pairs_used = new, used

    def _tokens(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """Each slot's token."""
        hi = np.zeros(self.count, dtype=np.uint64)
        lo = np.zeros(self.count, dtype=np.uint64)
        held = np.flatnonzero(self.table_slot >= 0)
        hi[self.table_slot[held]] = self.table_hi[held]
        lo[self.table_slot[held]] = self.table_lo[held]
        return hi, lo

    @property
    def size_bytes(self) -> int:
        """Memory held by this state."""
        tables = (self.table_hi, self.table_lo, self.table_slot, self.pairs)
        return int(sum(t.nbytes for t in tables)) + self.count * self.width * self.state.itemsize

    def dump(self) -> dict[str, npt.NDArray[np.generic]]:
        """The state as plain arrays: what is written to a snapshot's base."""
        if (
            np.count_nonzero(self.table_slot >= 0) < self.count
        ):  # rows left behind by entities that are new again
            self._grow_entities(0)
        hi, lo = self._tokens()
        held = self.pairs[self.pairs["slot"] >= 0]
        return {
            "hi": hi,
            "lo": lo,
            "state": self.state[: self.count],
            "pairs": held.view(np.uint8),
            "numbers": np.array([self.now, self.late], dtype=np.int64),
        }

    def load(self, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take up a dumped state."""
        hi, lo = arrays["hi"].astype(np.uint64), arrays["lo"].astype(np.uint64)
        self.count = len(hi)
        self.now, self.late = (int(n) for n in arrays["numbers"])
        room = _FIRST_ENTITIES
        while room < self.count:
            room *= 2
        self._memory = GrowingRows(room, self.width)
        self.state = self._memory.rows
        self.state[: self.count] = arrays["state"].reshape(self.count, self.width)
        self._fill_table(hi, lo, room)
        held = arrays["pairs"].view(PAIR) if arrays["pairs"].size else np.zeros(0, dtype=PAIR)
        self.pairs, self.pairs_used = held, len(held)
        self._grow_pairs(np.arange(max(self.count, 1), dtype=np.int64), _FIRST_PAIRS // 4)

    def digest(self) -> str:
        """A digest of what is known, whatever the order in which it is held: equal states have equal digests."""
        hi, lo = self._tokens()
        living = self.state[: self.count, 1] + ENTITY_LIFETIME >= self.now
        order = np.lexsort((lo, hi))
        order = order[living[order]]
        hasher = hashlib.blake2b(digest_size=16)
        for array in (hi[order], lo[order], self.state[order]):
            hasher.update(np.ascontiguousarray(array).tobytes())
        held = self.pairs[self.pairs["slot"] >= 0]
        slots = held["slot"]
        if len(held):
            lifetimes = self.program.relations["lifetime"][held["relation"]]
            alive = living[slots] & (held["last"] + lifetimes >= self.state[slots, 0])
            held, slots = held[alive], slots[alive]
            by_place = np.lexsort((held["other"], held["relation"], lo[slots], hi[slots]))
            held, slots = held[by_place], slots[by_place]
            for array in (hi[slots], lo[slots]):
                hasher.update(array.tobytes())
            for name in ("relation", "other", "first", "last", "replied", "returned", "count", "total"):
                hasher.update(np.ascontiguousarray(held[name]).tobytes())
        hasher.update(str(self.late).encode())
        return hasher.hexdigest()
