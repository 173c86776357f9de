"""From declarations to a program: the small arrays that tell the kernel what to keep and what to read.

A program belongs to one entity and one pass. It holds

* `selections`: which events are meant (tested once a row, as bits),
* `relations`: which pairs are remembered, `groups` which of them share one record,
* `cells`: what is kept of an entity and how an event changes it, `blocks` where,
* `reads`: what is told of it, one output column a feature.

Features that need the same cell share it: an hour and a day of the same count at one resolution are one ring.

An entity's row holds its clock, its token, the times of its last events, and where its blocks are. A block holds the
cells of one selection, and is there from the first event of that selection on: until then all of it is zero, which
every cell reads as "nothing yet". In a block come numbers (float64) first, and then rings of counts (int32).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from features.declare import PAIR_LIFETIME, Catalogue, Condition, Feature, Selection, Value, duration
from features.errors import FeatureError
from features.rows import Entity

SELECTION: Final = np.dtype(
    [
        ("statuses", "u4"),
        ("having", "i8"),
        ("lacking", "i8"),
        ("hours", "u4"),
        ("compare", "i4"),  # 0 none, 1 at least, 2 at most
        ("source", "i4"),
        ("arg", "i4"),
        ("bound", "f8"),
    ],
    align=True,
)
RELATION: Final = np.dtype(
    [
        ("selection", "i4"),
        ("field", "i4"),
        ("group", "i4"),  # which records it is in
        ("last", "i4"),  # where in the record its latest time is
        ("end", "i4"),  # and where what follows of this relation ends
        ("first", "i4"),  # where its first time is, its count; -1: not kept
        ("count", "i4"),
        ("lifetime", "i8"),
    ],
    align=True,
)
SUM: Final = np.dtype(
    [
        ("relation", "i4"),
        ("place", "i4"),  # where in the record
        ("source", "i4"),  # what is summed of the pair
        ("arg", "i4"),
    ],
    align=True,
)
CELL: Final = np.dtype(
    [
        ("code", "i4"),
        ("selection", "i4"),
        ("source", "i4"),
        ("arg", "i4"),
        ("block", "i4"),  # which block it is in; the time of a last event is in the row itself
        ("base", "i4"),  # where in it its numbers are
        ("ring", "i4"),  # and its ring, in 32-bit words for a ring of counts
        ("counted", "i4"),  # 1: a ring of counts
        ("buckets", "i4"),
        ("every", "i8"),
        ("relation", "i4"),
        ("mark", "i4"),  # where in a pair's record it writes down who returned, or when they replied
        ("log", "i4"),
        ("gap", "i8"),
        ("number", "f8"),
        ("clock", "i4"),  # which of the program's sizes of bucket
        ("watch", "i4"),  # bursts: the watched ring; journeys: base of the nights
        ("watch_buckets", "i4"),
        ("watch_window", "i4"),
        ("watch_every", "i8"),
    ],
    align=True,
)
READ: Final = np.dtype(
    [
        ("code", "i4"),
        ("block", "i4"),
        ("counted", "i4"),
        ("base", "i4"),
        ("base2", "i4"),
        ("base3", "i4"),
        ("buckets", "i4"),
        ("buckets2", "i4"),
        ("buckets3", "i4"),
        ("window", "i4"),
        ("every", "i8"),
        ("selection", "i4"),
        ("source", "i4"),
        ("arg", "i4"),
        ("relation", "i4"),
        ("place", "i4"),  # where in a pair's record it is
        ("log", "i4"),
        ("column", "i4"),
        ("clock", "i4"),  # which of the program's sizes of bucket
    ],
    align=True,
)

# Cells
RING_SUM, RING_MAX, RING_MIN, LAST, KNOWN, PAST, HOURS, PLACES, DISTINCT, RETURNING, REPLIES, BURSTS = range(
    1, 13
)
NIGHTS, JOURNEYS, NIGHTS_AWAY = range(13, 16)
# Reads; those up to BEFORE_READS tell what was known before the event
SINCE, NOVELTY, PAIR_AGE, PAIR_COUNT, PAIR_TOTAL, PAIR_SINCE, DEVIATION, USUAL_HOUR = range(1, 9)
BEFORE_READS: Final = 8
WINDOW, WINDOW_MAX, WINDOW_MIN, MEAN, SPREAD, VALUE, AGE, LISTED, RATIO, PLACE, PLACE_SHARE = range(9, 20)
HAPPENING, AWAY_KM = range(20, 22)

_NEVER_ABSENT: Final = (WINDOW, LISTED, HAPPENING)

# Values
V_ONE, V_VALUE, V_BALANCE, V_BORN, V_HOME, V_FORCE, V_AGE, V_PREPAID, V_SINCE, V_OTHER = range(10)
V_OTHER_ID, V_DEVICE_ID, V_SIM_ID, V_PLACE_ID, V_THIRD_ID, V_UNTIL = range(10, 16)
_SOURCES: Final = {
    "one": V_ONE,
    "value": V_VALUE,
    "balance": V_BALANCE,
    "born": V_BORN,
    "home": V_HOME,
    "force": V_FORCE,
    "age": V_AGE,
    "prepaid": V_PREPAID,
    "since": V_SINCE,
    "other": V_OTHER,
    "other_id": V_OTHER_ID,
    "device_id": V_DEVICE_ID,
    "sim_id": V_SIM_ID,
    "place_id": V_PLACE_ID,
    "third_id": V_THIRD_ID,
    "until": V_UNTIL,
}
_FIELD_CODES: Final = {"other": 0, "device": 1, "sim": 2, "place": 3, "third": 4}

HEADER: Final = 5
"""Columns at the head of every row: clock (latest event time), last recorded time, rows seen, the token's two halves."""

GRAIN: Final = 4
"""Blocks are so many float64 long, or a multiple of it: half a cache line."""

RECORD: Final = 2
"""Words at the head of a pair's record: the other, and whose it is with its group."""

MOST_SELECTIONS: Final = 64
"""The selections an event belongs to are the bits of one 64-bit number."""

_KINDS: Final = 64
_ROLES: Final = 32

HOUR_BINS: Final = 8
PLACE_SLOTS: Final = 4
"""Forces remembered of one entity at a time; a fifth takes the place of the rarest (space-saving counts)."""
ENOUGH_NIGHTS: Final = 3.0
"""A usual night place is known after so many nights in it."""

# What cells keep ahead of their ring, and how what a ring of sums takes of a value is marked
_AHEAD: Final = {BURSTS: 1, JOURNEYS: 2, NIGHTS_AWAY: 1}
_COUNTS: Final = (DISTINCT, RETURNING, REPLIES, BURSTS, JOURNEYS, NIGHTS_AWAY)
_TIMES: Final = 1.0
_SQUARES: Final = 2.0


Table = npt.NDArray[np.void]
Reads = tuple[Table, Table, Table, Table]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What the kernel runs for one entity in one pass."""

    entity: Entity
    second_pass: bool
    names: tuple[str, ...]
    head: int  # columns of an entity's row, before it says where its blocks are
    blocks: npt.NDArray[np.int64]  # how long each block is, in grains
    groups: npt.NDArray[np.int64]  # how long the records of each group of relations are, in words
    selections: Table
    relations: Table
    sums: Table
    cells: Table
    before: Table  # reads of what was known before an event
    after: Table  # and of what is known after it
    # What follows from these, so that a row costs what concerns it
    parts: npt.NDArray[np.uint64]  # by kind and role, the selections that an event can belong to
    cell_parts: npt.NDArray[np.uint64]  # by kind and role, the cells that an event can change, 64 to a word
    cell_bits: npt.NDArray[np.uint64]  # by cell, its selection's bit
    group_parts: npt.NDArray[np.uint64]  # by kind and role, the groups whose records an event can touch
    group_fields: npt.NDArray[np.int64]  # by group, what makes its pairs
    everys: npt.NDArray[np.int64]  # the sizes of bucket there are

    @property
    def always(self) -> tuple[int, ...]:
        """Output columns that are never absent, of an entity that is known."""
        told = {int(read["column"]) for read in self.after if int(read["code"]) in _NEVER_ABSENT}
        return tuple(sorted(told))

    @property
    def outputs(self) -> int:
        """Output columns a row."""
        return len(self.names)

    def reads(self, columns: Collection[int] | None = None) -> Reads:
        """What is read of a row, for all output columns or for some: known before, counts, sums, and the rest.

        A ratio is read after its parts, and they with it.
        """
        wanted = set(range(self.outputs) if columns is None else columns)
        for read in reversed(self.after):
            if int(read["column"]) in wanted and int(read["code"]) == RATIO:
                wanted |= {int(read[part]) for part in ("base", "base2") if read[part] >= 0}
        before, after = (part[np.isin(part["column"], sorted(wanted))] for part in (self.before, self.after))
        windows, counted = after["code"] == WINDOW, after["counted"] == 1
        return before, after[windows & counted], after[windows & ~counted], after[~windows]


class _Compiler:
    def __init__(
        self,
        catalogue: Catalogue,
        entity: Entity,
        inputs: Mapping[str, int],
        kept: Collection[tuple[Entity, str]] | None,
        *,
        second_pass: bool,
    ) -> None:
        self.entity = entity
        self.features = [
            f
            for f in catalogue.of(entity, second_pass=second_pass)
            if kept is None or (entity, f.name) in kept
        ]
        self.by_name = {f.name: f for f in catalogue.of(entity)}
        self.inputs = inputs
        self.second_pass = second_pass
        self.selections: list[tuple[object, ...]] = []
        self.selection_index: dict[Selection, int] = {}
        self.relations: dict[tuple[int, int, int], int] = {}
        self.kept_of: list[list[tuple[object, ...]]] = []  # by relation, what is kept beside its latest time
        self.cells: list[dict[str, object]] = []
        self.cell_index: dict[tuple[object, ...], int] = {}
        self.reads: list[dict[str, object]] = []
        self.columns: dict[str, int] = {}
        self.pair_places: dict[tuple[int, tuple[object, ...]], int] = {}
        self.named: dict[str, Selection] = {}
        for feature in catalogue.of(entity):
            for chosen in (feature.selection, feature.other):
                if chosen is not None:
                    self.named.setdefault(chosen.name, chosen)

    def selection(self, chosen: Selection) -> int:
        if chosen not in self.selection_index:
            compare, source, arg, bound = self.condition(chosen.when)
            row = (
                _mask(chosen.statuses) if chosen.statuses else 0xFFFFFFFF,
                _union(chosen.having),
                _union(chosen.lacking),
                _mask(chosen.hours) if chosen.hours else 0xFFFFFF,
                compare,
                source,
                arg,
                bound,
            )
            if len(self.selections) == MOST_SELECTIONS:
                raise FeatureError(
                    f"{self.entity.name.lower()} has more than {MOST_SELECTIONS} selections of events in one pass: "
                    "declare features on selections that are there already"
                )
            self.selection_index[chosen] = len(self.selections)
            self.selections.append(row)
        return self.selection_index[chosen]

    def condition(self, when: Condition | None) -> tuple[int, int, int, float]:
        if when is None:
            return 0, 0, 0, 0.0
        source, arg = self.value(when.value)
        if when.at_least is not None:
            return 1, source, arg, when.at_least
        if when.at_most is not None:
            return 2, source, arg, when.at_most
        raise FeatureError("a condition says at_least or at_most")

    def value(self, value: Value) -> tuple[int, int]:
        source = _SOURCES[value.source]
        if source == V_SINCE:
            if value.of not in self.named:
                raise FeatureError(f"since {value.of!r}: no feature is declared on events of that name")
            return source, self.last(self.named[value.of])
        if source == V_OTHER:
            name = f"other.{value.of}"
            if name not in self.inputs:
                raise FeatureError(
                    f"{name}: the other party's {value.of!r} is not carried to the second pass"
                )
            return source, self.inputs[name]
        return source, 0

    def cell(self, numbers: int, **fields: object) -> int:
        """What is kept as so many numbers and a ring, made when no feature has needed the same one before."""
        key = tuple(sorted((k, v) for k, v in fields.items() if k != "buckets"))
        found = self.cell_index.get(key)
        if found is not None:
            cell = self.cells[found]
            cell["buckets"] = max(int(str(fields.get("buckets", 0))), int(str(cell["buckets"])))
            return found
        self.cell_index[key] = len(self.cells)
        self.cells.append({"numbers": numbers, "buckets": 0} | fields)
        return len(self.cells) - 1

    def last(self, chosen: Selection) -> int:
        return self.cell(1, code=LAST, selection=self.selection(chosen))

    def relation(self, chosen: Selection, field: str) -> int:
        """The memory of pairs that a feature needs, shared with others that need the same."""
        row = (self.selection(chosen), _FIELD_CODES[field], duration(PAIR_LIFETIME))
        if row not in self.relations:
            self.relations[row] = len(self.relations)
            self.kept_of.append([])
        return self.relations[row]

    def keep(self, relation: int, *what: object) -> None:
        """Have something kept of a relation's pairs beside their latest time."""
        if what not in self.kept_of[relation]:
            self.kept_of[relation].append(what)

    def ring(self, code: int, feature: Feature, **more: object) -> int:
        assert feature.selection is not None
        if code in (DISTINCT, RETURNING) and duration(feature.within) > duration(PAIR_LIFETIME):
            raise FeatureError(
                f"{feature.name}: {feature.within} is longer than pairs are remembered ({PAIR_LIFETIME}): "
                "choose a shorter window"
            )
        return self.cell(
            0,
            code=code,
            selection=self.selection(feature.selection),
            buckets=feature.buckets,
            every=duration(feature.every),
            **more,
        )

    def compile(self) -> Program:
        for column, feature in enumerate(self.features):
            self.columns[feature.name] = column
            self.reads.append(getattr(self, f"_{feature.kind}")(feature) | {"column": column})
        return self._finish()

    def _finish(self) -> Program:
        parts = self._parts()
        head, blocks = self._place_cells()
        relations, sums, groups = self._place_pairs(parts)
        reads = [self._placed(read) for read in self.reads]
        self._since_places(sums)
        timed = [each for each in [*reads, *self.cells] if "every" in each]
        everys = sorted({int(str(each["every"])) for each in timed})
        for each in timed:
            each["clock"] = everys.index(int(str(each["every"])))
        # the time of the last event changes after all that may look at it as it was before this one
        cells = _records(CELL, sorted(self.cells, key=lambda cell: cell["code"] == LAST))
        return Program(
            self.entity,
            self.second_pass,
            tuple(f.name for f in self.features),
            head,
            blocks,
            groups,
            _filled(SELECTION, self.selections),
            relations,
            _records(SUM, sums),
            cells,
            _records(READ, [read for read in reads if int(str(read["code"])) <= BEFORE_READS]),
            _records(READ, [read for read in reads if int(str(read["code"])) > BEFORE_READS]),
            parts,
            _cell_parts(parts, cells["selection"]),
            np.uint64(1) << cells["selection"].astype(np.uint64),
            _group_parts(parts, relations, cells),
            np.array(
                [int(relations["field"][relations["group"] == g][0]) for g in range(len(groups))],
                dtype=np.int64,
            ),
            np.array(everys, dtype=np.int64),
        )

    def _place_cells(self) -> tuple[int, npt.NDArray[np.int64]]:
        """Give every cell its place; how long the rows' heads and the blocks then are."""
        head = HEADER
        blocks: list[int] = []
        for cell in self.cells:
            if cell["code"] == LAST:
                cell["base"], head = head, head + 1
        for selection in sorted({int(str(c["selection"])) for c in self.cells if c["code"] != LAST}):
            mine = [c for c in self.cells if c["selection"] == selection and c["code"] != LAST]
            at = 0
            for cell in mine:
                cell["block"], cell["counted"] = len(blocks), int(_is_counted(cell))
                cell["base"], at = at, at + int(str(cell["numbers"]))
                if not cell["counted"]:
                    cell["ring"], at = at, at + _ring_size(cell)
            at *= 2
            for cell in mine:
                if cell["counted"]:
                    cell["ring"], at = at, at + _ring_size(cell)
            blocks.append(-(-at // (2 * GRAIN)))
        for cell in self.cells:
            if cell["code"] in _AHEAD:
                watched = self.cells[int(str(cell["watch"]))]
                cell["watch"] = watched["ring" if cell["code"] == BURSTS else "base"]
                cell["watch_buckets"] = watched["buckets"]
        return head, np.array(blocks, dtype=np.int64)

    def _place_pairs(
        self, parts: npt.NDArray[np.uint64]
    ) -> tuple[Table, list[dict[str, object]], npt.NDArray[np.int64]]:
        """Give all that is kept of pairs its place: relations that the same events may touch share a record."""
        rows, sums, groups = [], [], []
        group_of = _grouped(parts, list(self.relations))
        for group in range(len(set(group_of))):
            at = RECORD
            for (selection, field, lifetime), number in self.relations.items():
                if group_of[number] != group:
                    continue
                places = {what: at + 1 + i for i, what in enumerate(self.kept_of[number])}
                end = at + 1 + len(places)
                first, count = places.get(("first",), -1), places.get(("count",), -1)
                rows.append((number, (selection, field, group, at, end, first, count, lifetime)))
                for what, place in places.items():
                    self.pair_places[number, what] = place
                    if what[0] == "mark":
                        self.cells[int(str(what[1]))]["mark"] = place
                    elif what[0] == "total":
                        sums.append({"relation": number, "place": place, "source": what[1], "arg": what[2]})
                at = end
            groups.append(at)
        return (
            _filled(RELATION, [row for _, row in sorted(rows)]),
            sums,
            np.array(groups, dtype=np.int64),
        )

    def _parts(self) -> npt.NDArray[np.uint64]:
        parts = np.zeros((_KINDS, _ROLES), dtype=np.uint64)
        for bit, chosen in enumerate(self.selection_index):
            for kind in chosen.kinds:
                parts[int(kind), [int(role) for role in set(chosen.roles)]] |= np.uint64(1 << bit)
        return parts

    def _placed(self, read: Mapping[str, object]) -> dict[str, object]:
        """A read with its cells' places, known only once every cell is."""
        placed: dict[str, object] = dict(read)
        for n in ("", "2", "3"):
            if f"cell{n}" in read:
                cell = self.cells[int(str(read[f"cell{n}"]))]
                placed[f"base{n}"] = cell["ring" if cell["buckets"] else "base"]
                placed[f"buckets{n}"] = cell["buckets"]
                placed["block"] = cell.get("block", 0)
                if not n:
                    placed["counted"] = cell.get("counted", 0)
        if "kept" in read:
            what = read["kept"]
            assert isinstance(what, tuple)
            placed["place"] = self.pair_places[int(str(read["relation"])), what]
        if read.get("source") == V_SINCE:
            placed["arg"] = self.cells[int(str(read["arg"]))]["base"]
        return placed

    def _since_places(self, sums: list[dict[str, object]]) -> None:
        """Turn "since" arguments, until now numbers of cells, into columns of the row."""
        for each in [*self.cells, *sums]:
            if each.get("source") == V_SINCE:
                each["arg"] = self.cells[int(str(each["arg"]))]["base"]
        self.selections = [
            (*row[:6], self.cells[int(str(row[6]))]["base"], row[7]) if row[4] and row[5] == V_SINCE else row
            for row in self.selections
        ]

    # one method a kind: which cells it needs, and how it is read

    def _window(self, feature: Feature, code: int, ring: int) -> dict[str, object]:
        return {"code": code, "cell": ring, "window": feature.buckets, "every": duration(feature.every)}

    def _count(self, feature: Feature) -> dict[str, object]:
        return self._window(feature, WINDOW, self.ring(RING_SUM, feature, source=V_ONE, arg=0))

    def _sum(self, feature: Feature) -> dict[str, object]:
        source, arg = self.value(feature.value)
        return self._window(feature, WINDOW, self.ring(RING_SUM, feature, source=source, arg=arg))

    def _mean(self, feature: Feature) -> dict[str, object]:
        source, arg = self.value(feature.value)
        if source == V_ONE:
            raise FeatureError(f"{feature.name}: say of which value; events themselves are all alike")
        total = self.ring(RING_SUM, feature, source=source, arg=arg)
        # counts only events that have the value: a second ring with the same source, marked by `number`
        count = self.ring(RING_SUM, feature, source=source, arg=arg, number=_TIMES)
        return self._window(feature, MEAN, total) | {"cell2": count}

    def _spread(self, feature: Feature) -> dict[str, object]:
        source, arg = self.value(feature.value)
        squares = self.ring(RING_SUM, feature, source=source, arg=arg, number=_SQUARES)
        return self._mean(feature) | {"code": SPREAD, "cell3": squares}

    def _max(self, feature: Feature) -> dict[str, object]:
        source, arg = self.value(feature.value)
        return self._window(feature, WINDOW_MAX, self.ring(RING_MAX, feature, source=source, arg=arg))

    def _min(self, feature: Feature) -> dict[str, object]:
        source, arg = self.value(feature.value)
        return self._window(feature, WINDOW_MIN, self.ring(RING_MIN, feature, source=source, arg=arg))

    def _since(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        return {"code": SINCE, "cell": self.last(feature.selection)}

    def _known_cell(self, feature: Feature) -> int:
        assert feature.selection is not None
        source, arg = self.value(feature.value)
        return self.cell(2, code=KNOWN, selection=self.selection(feature.selection), source=source, arg=arg)

    def _known(self, feature: Feature) -> dict[str, object]:
        return {"code": VALUE, "cell": self._known_cell(feature)}

    def _age(self, feature: Feature) -> dict[str, object]:
        return {"code": AGE, "cell": self._known_cell(feature)}

    def _listed(self, feature: Feature) -> dict[str, object]:
        return {"code": LISTED, "cell": self._known_cell(feature)}

    def _happening(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        return {"code": HAPPENING, "selection": self.selection(feature.selection)}

    def _distinct(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        relation = self.relation(feature.selection, feature.field)
        return self._window(feature, WINDOW, self.ring(DISTINCT, feature, relation=relation))

    def _returning(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        return self._marked(feature, RETURNING, feature.selection)

    def _replies(self, feature: Feature) -> dict[str, object]:
        assert feature.other is not None
        return self._marked(feature, REPLIES, feature.other)

    def _marked(self, feature: Feature, code: int, chosen: Selection) -> dict[str, object]:
        """A ring of those who did something within a gap, each marked in its pair's record."""
        relation = self.relation(chosen, feature.field)
        ring = self.ring(code, feature, relation=relation, gap=duration(feature.gap))
        self.keep(relation, "mark", ring)
        return self._window(feature, WINDOW, ring)

    def _bursts(self, feature: Feature) -> dict[str, object]:
        watched = self.by_name[feature.against]
        assert watched.selection is not None
        ring = self.ring(DISTINCT, watched, relation=self.relation(watched.selection, watched.field))
        bursts = self.cell(
            _AHEAD[BURSTS],
            code=BURSTS,
            selection=self.selection(watched.selection),
            buckets=feature.buckets,
            every=duration(feature.every),
            gap=duration(feature.gap),
            number=feature.at_least,
            watch=ring,
            watch_window=watched.buckets,
            watch_every=duration(watched.every),
        )
        return self._window(feature, WINDOW, bursts)

    def _novelty(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        relation = self.relation(feature.selection, feature.field)
        return {"code": NOVELTY, "relation": relation, "selection": self.selection(feature.selection)}

    def _kept(self, feature: Feature, code: int, *what: object) -> dict[str, object]:
        """A read of something kept of a pair."""
        read = self._novelty(feature)
        self.keep(int(str(read["relation"])), *what)
        return read | {"code": code, "kept": what}

    def _pair_age(self, feature: Feature) -> dict[str, object]:
        return self._kept(feature, PAIR_AGE, "first")

    def _pair_count(self, feature: Feature) -> dict[str, object]:
        return self._kept(feature, PAIR_COUNT, "count")

    def _pair_since(self, feature: Feature) -> dict[str, object]:
        return self._novelty(feature) | {"code": PAIR_SINCE}

    def _pair_total(self, feature: Feature) -> dict[str, object]:
        return self._kept(feature, PAIR_TOTAL, "total", *self.value(feature.value))

    def nights(self, feature: Feature) -> int:
        """Where the entity spends its nights, as the feature's selection tells."""
        assert feature.selection is not None
        return self.cell(3 * PLACE_SLOTS, code=NIGHTS, selection=self.selection(feature.selection))

    def _away_km(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        return {
            "code": AWAY_KM,
            "cell": self.nights(feature),
            "selection": self.selection(feature.selection),
        }

    def travels(self, feature: Feature, code: int) -> dict[str, object]:
        """A ring of what is counted of journeys."""
        assert feature.selection is not None
        cell = self.cell(
            _AHEAD[code],
            code=code,
            selection=self.selection(feature.selection),
            buckets=feature.buckets,
            every=duration(feature.every),
            number=feature.at_least,
            watch=self.nights(feature),
        )
        return self._window(feature, WINDOW, cell)

    def _journeys(self, feature: Feature) -> dict[str, object]:
        return self.travels(feature, JOURNEYS)

    def _nights_away(self, feature: Feature) -> dict[str, object]:
        return self.travels(feature, NIGHTS_AWAY)

    def _deviation(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        source, arg = self.value(feature.value)
        chosen = self.selection(feature.selection)
        past = self.cell(
            3, code=PAST, selection=chosen, source=source, arg=arg, log=int(feature.log), number=feature.alpha
        )
        return {
            "code": DEVIATION, "cell": past, "selection": chosen, "source": source, "arg": arg, "log": int(feature.log)
        }  # fmt: skip

    def _usual_hour(self, feature: Feature) -> dict[str, object]:
        assert feature.selection is not None
        chosen = self.selection(feature.selection)
        return {
            "code": USUAL_HOUR,
            "cell": self.cell(HOUR_BINS, code=HOURS, selection=chosen),
            "selection": chosen,
        }

    def _places(self, feature: Feature) -> int:
        assert feature.selection is not None
        source, arg = self.value(feature.value)
        return self.cell(
            2 * PLACE_SLOTS, code=PLACES, selection=self.selection(feature.selection), source=source, arg=arg
        )

    def _usual_place(self, feature: Feature) -> dict[str, object]:
        return {"code": PLACE, "cell": self._places(feature)}

    def _usual_place_share(self, feature: Feature) -> dict[str, object]:
        return {"code": PLACE_SHARE, "cell": self._places(feature)}

    def _ratio(self, feature: Feature) -> dict[str, object]:
        return {"code": RATIO, "base": self.operand(feature.against), "base2": self.operand(feature.over)}

    def operand(self, name: str) -> int:
        """A ratio's part: an output column, or (second pass) an input column as -1 - column."""
        if name in self.columns:
            return self.columns[name]
        if name in self.inputs:
            return -1 - self.inputs[name]
        raise FeatureError(f"a ratio is declared after both of its parts: {name!r} is not there yet")


def _is_counted(cell: Mapping[str, object]) -> bool:
    """Whether a cell's ring holds nothing but counts."""
    if cell["code"] == RING_SUM:
        return cell.get("number", 0.0) == _TIMES or (cell["source"] == V_ONE and "number" not in cell)
    return cell["code"] in _COUNTS


def _ring_size(cell: Mapping[str, object]) -> int:
    buckets = int(str(cell["buckets"]))
    return 1 + buckets if buckets else 0


def _grouped(parts: npt.NDArray[np.uint64], relations: Sequence[tuple[int, int, int]]) -> list[int]:
    """A group for each relation: those of one field that some event can be of two of, and theirs in turn."""
    touched = [(parts >> np.uint64(selection)) & np.uint64(1) == 1 for selection, _, _ in relations]
    group_of = list(range(len(relations)))
    for i in range(len(relations)):
        for j in range(i):
            if relations[i][1] == relations[j][1] and (touched[i] & touched[j]).any():
                group_of = [group_of[j] if g == group_of[i] else g for g in group_of]
    names = list(dict.fromkeys(group_of))
    return [names.index(g) for g in group_of]


def _group_parts(parts: npt.NDArray[np.uint64], relations: Table, cells: Table) -> npt.NDArray[np.uint64]:
    """By kind and role, which groups' records an event may touch: of its relations, and of those it may answer."""
    groups = np.zeros(parts.shape, dtype=np.uint64)
    asked = [(int(r["selection"]), int(r["group"])) for r in relations]
    asked += [
        (int(c["selection"]), int(relations["group"][c["relation"]])) for c in cells if c["code"] == REPLIES
    ]
    for selection, group in asked:
        meant = (parts >> np.uint64(selection)) & np.uint64(1)
        groups |= meant << np.uint64(group)
    return groups


def _cell_parts(parts: npt.NDArray[np.uint64], selections: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    words = np.zeros((*parts.shape, max(1, -(-len(selections) // 64))), dtype=np.uint64)
    for cell, selection in enumerate(selections):
        meant = (parts >> np.uint64(selection)) & np.uint64(1)
        words[:, :, cell // 64] |= meant << np.uint64(cell % 64)
    return words


def _mask(values: Sequence[int]) -> int:
    return sum(1 << int(v) for v in set(values))


def _union(flags: Sequence[int]) -> int:
    return sum(int(f) for f in set(flags))


def _filled(dtype: np.dtype[np.void], rows: Sequence[tuple[object, ...]]) -> npt.NDArray[np.void]:
    """Rows of a table, what lies between their fields zero: they are compared as bytes."""
    records = np.zeros(len(rows), dtype=dtype)
    if rows:
        records[:] = rows
    return records


def _records(dtype: np.dtype[np.void], rows: Sequence[Mapping[str, object]]) -> npt.NDArray[np.void]:
    records = np.zeros(len(rows), dtype=dtype)
    for i, row in enumerate(rows):
        for name in dtype.names or ():
            if name in row:
                records[i][name] = row[name]
    return records


def compile_program(
    catalogue: Catalogue,
    entity: Entity,
    *,
    second_pass: bool = False,
    inputs: Mapping[str, int] | None = None,
    kept: Collection[tuple[Entity, str]] | None = None,
) -> Program:
    """The program of an entity's features of one pass; `inputs` names the columns carried to the second pass.

    `kept` are the features that somebody reads, each with whose it is; all when not said.

    Raises:
        FeatureError: a declaration needs something that is not there.
    """
    return _Compiler(catalogue, entity, inputs or {}, kept, second_pass=second_pass).compile()
