"""One shard's memory of one kind of entity: who is known, what is known of each, and of each pair.

Rows go in, features come out. The memory grows with the living: entities and pairs unseen for their lifetime are
dropped when a table would otherwise have to grow, and are treated as new from the moment they are due.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from features.declare import duration
from features.kernel import advance, fill_pairs, fill_table, move_blocks, slots_of, sweep_pairs
from features.memory import GrowingRows
from features.program import GRAIN, HEADER, READ, RECORD, Program
from features.rows import Rows

ENTITY_LIFETIME: Final = duration("400d")
"""An entity unseen for 13 months is forgotten: the longest retention of unflagged working data."""

_FIRST_ENTITIES: Final = 256
_FIRST_PAIRS: Final = 1024
_FULL: Final = 0.6
"""A hash table is enlarged when so full: longer runs of probes cost more than the memory."""
_LINE: Final = 8
"""Words that memory is taken in: a cache line."""

Floats = npt.NDArray[np.float64]


class EntityState:
    """The state of one entity kind in one shard and pass."""

    def __init__(
        self,
        program: Program,
        extra: int = 0,
        spread: float = 0.5,
        peeked: Collection[int] | None = None,
        blocks: Sequence[int] = (),
    ) -> None:
        """`spread` (0 to 1) says how full pair tables get: shards of one flow differ, or all would grow at once.

        `peeked` are the columns that are asked of rows that only look; the others stay absent there. `extra` columns of
        an entity's head and blocks of so many grains belong to the caller, and live and die with the entity.
        """
        self.program = program
        happening, looking = program.reads(), program.reads(peeked)
        self.reads = tuple(np.concatenate(both).astype(READ) for both in zip(happening, looking, strict=True))
        self.read_from = np.cumsum(
            [[0] * 4, *([len(r) for r in some] for some in (happening, looking))], axis=0
        )
        most = max(len(program.everys), len(program.relations), len(program.groups), 1)
        self.scratch = np.empty((5, most), dtype=np.int64)
        self.head = program.head + extra
        self.blocks = np.array([*program.blocks, *blocks], dtype=np.int64)
        self.own_blocks = self.blocks[: len(program.blocks)]
        self.first_place = 2 * self.head  # of the blocks in a row, which are half as wide as its columns
        self.width = self.head + -(-len(self.blocks) // 2)
        self.full = _FULL * (0.75 + 0.5 * spread)
        self.count = 0
        self.now = 0
        self.late = 0
        self._grains = int(self.blocks.sum())
        self._record_words = int(program.groups.sum())
        # the first of each stays free: 0 is nothing
        self.used = np.array([max(1, *self.blocks, 0), RECORD, 0], dtype=np.int64)
        self._heads = GrowingRows(_FIRST_ENTITIES, self.width)
        self._sums = GrowingRows(_FIRST_ENTITIES, _LINE)
        self._words = GrowingRows(_FIRST_ENTITIES, _LINE)
        self.table = np.zeros(2 * _FIRST_ENTITIES, dtype=np.uint64)
        self.pair_table = np.zeros(_FIRST_PAIRS if len(program.relations) else 2, dtype=np.uint64)
        self._view()

    def _view(self) -> None:
        """Look at the memory where it is now."""
        self.heads = self._heads.rows
        self.places = self.heads.view(np.int32)
        self.tokens = self.heads.view(np.uint64)
        self.sums = self._sums.rows.reshape(-1)
        self.counts = self.sums.view(np.int32)
        self.amounts = self._words.rows.reshape(-1)
        self.words = self.amounts.view(np.int64)

    def _let_go(self) -> None:
        """Look at no memory: it cannot be resized while it is in view."""
        self.heads = self.sums = self.amounts = np.zeros((0, 0))
        self.places = self.counts = np.zeros(0, dtype=np.int32)
        self.tokens, self.words = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)

    def take(self, rows: Rows, inputs: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Take rows in their order; gives one row of features for each, and each row's place in the state."""
        self._make_room(len(rows))
        slots = np.empty(len(rows), dtype=np.int64)
        count, now = slots_of(
            rows, self.table, self.heads, self.tokens, self.count, ENTITY_LIFETIME, self.now, slots
        )
        self.count, self.now = int(count), int(now)
        out = np.empty((len(rows), self.program.outputs), dtype=np.float64)
        p = self.program
        self.late += int(
            advance(
                rows,
                slots,
                inputs,
                self.heads,
                self.places,
                self.sums,
                self.counts,
                self.pair_table,
                self.words,
                self.amounts,
                self.used,
                self.first_place,
                self.own_blocks,
                p.groups,
                p.group_fields,
                p.group_parts,
                p.selections,
                p.parts,
                p.relations,
                p.sums,
                p.cells,
                p.cell_parts,
                p.cell_bits,
                self.reads,
                self.read_from,
                p.everys,
                self.scratch,
                out,
            )
        )
        return out, slots

    # ---------------------------------------------------------------------------------------------------------- growing

    def _make_room(self, coming: int) -> None:
        if self.count + coming > len(self.heads):
            self._grow_entities(coming)
        groups = len(self.program.groups)
        if groups and self.used[2] + coming * groups > self.full * len(self.pair_table):
            self._grow_pairs(np.arange(self.count, dtype=np.int64), coming * groups)
        self._take_memory(coming, self.count + coming)

    def _take_memory(self, coming: int, entities: int) -> None:
        """Have memory for all that so many rows could need; it costs nothing until it is written to."""
        grains = int(self.used[0]) + coming * self._grains
        words = int(self.used[1]) + coming * self._record_words
        wanted = (
            (self._heads, entities),
            (self._sums, -(-grains * GRAIN // _LINE)),
            (self._words, -(-words // _LINE)),
        )
        if all(need <= len(memory.rows) for memory, need in wanted):
            return
        self._let_go()
        for memory, need in wanted:
            room = max(_FIRST_ENTITIES, len(memory.rows))
            while room < need:
                room *= 2
            if room > len(memory.rows):
                memory.grow(room)
        self._view()

    def _grow_entities(self, coming: int) -> None:
        living = self._living()
        order = np.flatnonzero(living)
        if len(order) < self.count:
            self._drop(order)
        self._take_memory(0, max(len(order) + coming, int(1.5 * len(order))))
        self._fill_table()

    def _living(self) -> npt.NDArray[np.bool_]:
        living: npt.NDArray[np.bool_] = self.heads[: self.count, 1] + ENTITY_LIFETIME >= self.now
        return living

    def _drop(self, order: npt.NDArray[np.int64]) -> None:
        """Keep the entities of these rows only."""
        slot_of = np.full(max(self.count, 1), -1, dtype=np.int64)
        slot_of[order] = np.arange(len(order))
        heads, places, sums, used = self.heads, self.places, self.sums, int(self.used[0])
        self.used[0] = max(1, *self.blocks, 0)
        self.count = len(order)
        self._heads = GrowingRows(max(_FIRST_ENTITIES, len(order)), self.width)
        self._sums = GrowingRows(-(-used * GRAIN // _LINE), _LINE)
        self._view()
        move_blocks(
            heads,
            places,
            sums,
            order,
            self.first_place,
            self.blocks,
            self.heads,
            self.places,
            self.sums,
            self.used,
        )
        self._grow_pairs(slot_of, 0)

    def _fill_table(self) -> None:
        room = 2 * _FIRST_ENTITIES
        while room < 2 * len(self.heads):
            room *= 2
        self.table = np.zeros(room, dtype=np.uint64)
        fill_table(self.table, self.tokens, self.count)

    def _grow_pairs(self, slot_of: npt.NDArray[np.int64], coming: int) -> None:
        """Drop the pairs that are forgotten, and have a table with room for so many more."""
        p = self.program
        sweep_pairs(self.words, self.used, p.groups, p.relations, slot_of, self.heads)
        room = max(_FIRST_PAIRS if len(p.relations) else 2, len(self.pair_table))
        while self.used[2] + coming > self.full * room:
            room *= 2
        self.pair_table = np.zeros(room, dtype=np.uint64)
        fill_pairs(self.pair_table, self.words, self.used, p.groups)

    @property
    def pairs_used(self) -> int:
        """How many pairs are remembered."""
        return int(self.used[2])

    @property
    def size_bytes(self) -> int:
        """Memory held by this state: what was written to, and the tables whole."""
        return int(
            self.table.nbytes
            + self.pair_table.nbytes
            + 8 * (self.count * self.width + int(self.used[0]) * GRAIN + int(self.used[1]))
        )

    # --------------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, npt.NDArray[np.generic]]:
        """The state as plain arrays: what is written to a snapshot's base."""
        order = np.flatnonzero(self._living())
        if len(order) < self.count:
            self._drop(order)
            self._fill_table()
        return {
            "heads": self.heads[: self.count],
            "blocks": self.sums[: int(self.used[0]) * GRAIN],
            "pairs": self.words[: int(self.used[1])],
            "numbers": np.array([self.now, self.late, *self.used], dtype=np.int64),
        }

    def load(self, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take up a dumped state."""
        self.now, self.late, *used = (int(n) for n in arrays["numbers"])
        self.used[:] = used
        self.count = arrays["heads"].size // self.width
        self._take_memory(0, self.count)
        self.heads[: self.count] = arrays["heads"].reshape(self.count, self.width)
        self.sums[: used[0] * GRAIN] = arrays["blocks"]
        self.words[: used[1]] = arrays["pairs"]
        self._fill_table()
        self._grow_pairs(np.arange(max(self.count, 1), dtype=np.int64), _FIRST_PAIRS // 4)

    def digest(self) -> str:
        """A digest of what is known, whatever the order in which it is held: equal states have equal digests."""
        hi, lo = self.tokens[: self.count, 3], self.tokens[: self.count, 4]
        order = np.lexsort((lo, hi))
        order = order[self._living()[order]]
        hasher = hashlib.blake2b(digest_size=16)
        hasher.update(np.ascontiguousarray(self.heads[order, : self.head]).tobytes())
        for k, grains in enumerate(self.blocks):
            at = self.places[order, self.first_place + k].astype(np.int64) * GRAIN
            hasher.update(self.sums[at[:, None] + np.arange(grains * GRAIN)].tobytes())
        for record in self._known_pairs(order):
            hasher.update(record)
        hasher.update(str(self.late).encode())
        return hasher.hexdigest()

    def _known_pairs(self, order: npt.NDArray[np.int64]) -> list[bytes]:
        """What is remembered of pairs and not forgotten, one after the other, in an order that is always the same."""
        groups, found = self.program.groups, []
        place = np.full(max(self.count, 1), -1, dtype=np.int64)
        place[order] = np.arange(len(order))
        for group, at in self._records():
            slots = self.words[at + 1] >> 8
            kept = place[slots] >= 0
            at, slots = at[kept], slots[kept]
            records = self.words[at[:, None] + np.arange(groups[group])]
            for relation in self.program.relations[self.program.relations["group"] == group]:
                last = records[:, relation["last"]]
                gone = last + relation["lifetime"] < self.heads[slots, 0]
                records[gone, relation["last"] : relation["end"]] = 0
            records[:, 1] = place[slots]
            records = records[(records[:, RECORD:] != 0).any(axis=1)]
            records = records[np.lexsort((records[:, 0], records[:, 1]))]
            found.append(records.tobytes())
        return found

    def _records(self) -> list[tuple[int, npt.NDArray[np.int64]]]:
        """Where the records of each group are."""
        groups = self.program.groups
        found: list[list[int]] = [[] for _ in groups]
        at = RECORD
        while at < self.used[1]:
            group = int(self.words[at + 1]) & 0xFF
            found[group].append(at)
            at += int(groups[group])
        return [(group, np.array(each, dtype=np.int64)) for group, each in enumerate(found)]


assert HEADER == 5
