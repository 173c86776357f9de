"""From declarations to a program: the small arrays that tell the kernel what to keep and what to read.

A program belongs to one entity and one pass. It holds

* `selections`: which events are meant (tested once a row, as bits),
* `relations`: which pairs are remembered,
* `cells`: what is kept in an entity's row of state and how an event changes it,
* `reads`: what is told of it, one output column a feature.

Features that need the same cell share it: an hour and a day of the same count at one resolution are one ring.
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
        ("lifetime", "i8"),
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
        ("base", "i4"),  # first column in the state row
        ("buckets", "i4"),
        ("every", "i8"),
        ("relation", "i4"),
        ("log", "i4"),
        ("gap", "i8"),
        ("number", "f8"),
        ("clock", "i4"),  # which of the program's sizes of bucket
        ("watch", "i4"),  # bursts: base of the watched ring; journeys: of the nights
        ("watch_buckets", "i4"),
        ("watch_window", "i4"),
        ("watch_every", "i8"),
    ],
    align=True,
)
READ: Final = np.dtype(
    [
        ("code", "i4"),
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

HEADER: Final = 3
"""Columns at the head of every state row: clock (latest event time), last recorded time, rows seen."""

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
_TIMES: Final = 1.0
_SQUARES: Final = 2.0


Reads = tuple[npt.NDArray[np.void], npt.NDArray[np.void], npt.NDArray[np.void]]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What the kernel runs for one entity in one pass."""

    entity: Entity
    second_pass: bool
    names: tuple[str, ...]
    width: int
    selections: npt.NDArray[np.void]
    relations: npt.NDArray[np.void]
    cells: npt.NDArray[np.void]
    before: npt.NDArray[np.void]  # reads of what was known before an event
    after: npt.NDArray[np.void]  # and of what is known after it
    # What follows from these, so that a row costs what concerns it
    parts: npt.NDArray[np.uint64]  # by kind and role, the selections that an event can belong to
    cell_parts: npt.NDArray[np.uint64]  # by kind and role, the cells that an event can change, 64 to a word
    cell_bits: npt.NDArray[np.uint64]  # by cell, its selection's bit
    everys: npt.NDArray[np.int64]  # the sizes of bucket there are

    @property
    def outputs(self) -> int:
        """Output columns a row."""
        return len(self.names)

    def reads(self, columns: Collection[int] | None = None) -> Reads:
        """What is read of a row, for all output columns or for some: known before, windows, and the rest.

        A ratio is read after its parts, and they with it.
        """
        wanted = set(range(self.outputs) if columns is None else columns)
        for read in reversed(self.after):
            if int(read["column"]) in wanted and int(read["code"]) == RATIO:
                wanted |= {int(read[part]) for part in ("base", "base2") if read[part] >= 0}
        before, after = (part[np.isin(part["column"], sorted(wanted))] for part in (self.before, self.after))
        windows = after["code"] == WINDOW
        return before, after[windows], after[~windows]


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
        self.width = HEADER
        self.selections: list[tuple[object, ...]] = []
        self.selection_index: dict[Selection, int] = {}
        self.relations: list[tuple[int, int, int]] = []
        self.sums: dict[int, tuple[int, int]] = {}
        self.keepers: list[dict[int, tuple[int, ...]]] = []
        self.cells: list[dict[str, object]] = []
        self.cell_index: dict[tuple[object, ...], int] = {}
        self.reads: list[dict[str, int]] = []
        self.columns: dict[str, int] = {}
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

    def cell(self, size: int, **fields: object) -> int:
        """The place in the state row of a cell, made when no feature has needed the same one before."""
        key = tuple(sorted((k, v) for k, v in fields.items() if k != "buckets"))
        found = self.cell_index.get(key)
        if found is not None:
            cell = self.cells[found]
            grown = int(str(fields.get("buckets", 0)))
            if grown > int(str(cell["buckets"])):
                cell["buckets"], cell["size"] = grown, size
            return found
        self.cell_index[key] = len(self.cells)
        self.cells.append({"size": size, "buckets": 0} | fields)
        return len(self.cells) - 1

    def last(self, chosen: Selection) -> int:
        return self.cell(1, code=LAST, selection=self.selection(chosen))

    def relation(self, chosen: Selection, field: str, code: int = 0, keeper: tuple[int, ...] = ()) -> int:
        """The memory of pairs that a feature needs, shared with others that need the same.

        A cell that writes down more of a pair than its times (`code`) is its only keeper of that: two of a kind that
        differ would each take the other's marks for their own.
        """
        row = (self.selection(chosen), _FIELD_CODES[field], duration(PAIR_LIFETIME))
        for i, held in enumerate(self.relations):
            if held == row and (not code or self.keepers[i].setdefault(code, keeper) == keeper):
                return i
        self.relations.append(row)
        self.keepers.append({code: keeper} if code else {})
        return len(self.relations) - 1

    def ring(self, code: int, feature: Feature, **more: object) -> int:
        assert feature.selection is not None
        if code in (DISTINCT, RETURNING) and duration(feature.within) > duration(PAIR_LIFETIME):
            raise FeatureError(
                f"{feature.name}: {feature.within} is longer than pairs are remembered ({PAIR_LIFETIME}): "
                "choose a shorter window"
            )
        return self.cell(
            1 + feature.buckets,
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
        for cell in self.cells:
            cell["base"] = self.width
            self.width += int(str(cell["size"]))
        for cell in self.cells:
            if cell["code"] in _AHEAD:
                watched = self.cells[int(str(cell["watch"]))]
                cell["watch"], cell["watch_buckets"] = watched["base"], watched["buckets"]
        reads = [self._placed(read) for read in self.reads]
        self._since_places()
        relations = [(*row, *self.sums.get(i, (V_ONE, 0))) for i, row in enumerate(self.relations)]
        timed = [each for each in [*reads, *self.cells] if "every" in each]
        everys = sorted({int(str(each["every"])) for each in timed})
        for each in timed:
            each["clock"] = everys.index(int(str(each["every"])))
        # the time of the last event changes after all that may look at it as it was before this one
        cells = _records(CELL, sorted(self.cells, key=lambda cell: cell["code"] == LAST))
        parts = self._parts()
        return Program(
            self.entity,
            self.second_pass,
            tuple(f.name for f in self.features),
            self.width,
            _filled(SELECTION, self.selections),
            _filled(RELATION, relations),
            cells,
            _records(READ, [read for read in reads if int(str(read["code"])) <= BEFORE_READS]),
            _records(READ, [read for read in reads if int(str(read["code"])) > BEFORE_READS]),
            parts,
            _cell_parts(parts, cells["selection"]),
            np.uint64(1) << cells["selection"].astype(np.uint64),
            np.array(everys, dtype=np.int64),
        )

    def _parts(self) -> npt.NDArray[np.uint64]:
        parts = np.zeros((_KINDS, _ROLES), dtype=np.uint64)
        for bit, chosen in enumerate(self.selection_index):
            for kind in chosen.kinds:
                parts[int(kind), [int(role) for role in set(chosen.roles)]] |= np.uint64(1 << bit)
        return parts

    def _placed(self, read: dict[str, int]) -> dict[str, object]:
        """A read with its cells' places, known only once every cell is."""
        placed: dict[str, object] = dict(read)
        for n in ("", "2", "3"):
            if f"cell{n}" in read:
                cell = self.cells[read[f"cell{n}"]]
                placed[f"base{n}"] = int(str(cell["base"])) + _AHEAD.get(int(str(cell["code"])), 0)
                placed[f"buckets{n}"] = cell["buckets"]
        if read.get("source") == V_SINCE:
            placed["arg"] = self.cells[read["arg"]]["base"]
        return placed

    def _since_places(self) -> None:
        """Turn "since" arguments, until now numbers of cells, into places in the state row."""
        for cell in self.cells:
            if cell.get("source") == V_SINCE:
                cell["arg"] = self.cells[int(str(cell["arg"]))]["base"]
        for i, (source, arg) in self.sums.items():
            if source == V_SINCE:
                self.sums[i] = (source, int(str(self.cells[arg]["base"])))
        self.selections = [
            (*row[:6], self.cells[int(str(row[6]))]["base"], row[7]) if row[4] and row[5] == V_SINCE else row
            for row in self.selections
        ]

    # one method a kind: which cells it needs, and how it is read

    def _window(self, feature: Feature, code: int, ring: int) -> dict[str, int]:
        return {"code": code, "cell": ring, "window": feature.buckets, "every": duration(feature.every)}

    def _count(self, feature: Feature) -> dict[str, int]:
        return self._window(feature, WINDOW, self.ring(RING_SUM, feature, source=V_ONE, arg=0))

    def _sum(self, feature: Feature) -> dict[str, int]:
        source, arg = self.value(feature.value)
        return self._window(feature, WINDOW, self.ring(RING_SUM, feature, source=source, arg=arg))

    def _mean(self, feature: Feature) -> dict[str, int]:
        source, arg = self.value(feature.value)
        total = self.ring(RING_SUM, feature, source=source, arg=arg)
        # counts only events that have the value: a second ring with the same source, marked by `number`
        count = self.ring(RING_SUM, feature, source=source, arg=arg, number=_TIMES)
        return self._window(feature, MEAN, total) | {"cell2": count}

    def _spread(self, feature: Feature) -> dict[str, int]:
        source, arg = self.value(feature.value)
        squares = self.ring(RING_SUM, feature, source=source, arg=arg, number=_SQUARES)
        return self._mean(feature) | {"code": SPREAD, "cell3": squares}

    def _max(self, feature: Feature) -> dict[str, int]:
        source, arg = self.value(feature.value)
        return self._window(feature, WINDOW_MAX, self.ring(RING_MAX, feature, source=source, arg=arg))

    def _min(self, feature: Feature) -> dict[str, int]:
        source, arg = self.value(feature.value)
        return self._window(feature, WINDOW_MIN, self.ring(RING_MIN, feature, source=source, arg=arg))

    def _since(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        return {"code": SINCE, "cell": self.last(feature.selection)}

    def _known_cell(self, feature: Feature) -> int:
        assert feature.selection is not None
        source, arg = self.value(feature.value)
        return self.cell(2, code=KNOWN, selection=self.selection(feature.selection), source=source, arg=arg)

    def _known(self, feature: Feature) -> dict[str, int]:
        return {"code": VALUE, "cell": self._known_cell(feature)}

    def _age(self, feature: Feature) -> dict[str, int]:
        return {"code": AGE, "cell": self._known_cell(feature)}

    def _listed(self, feature: Feature) -> dict[str, int]:
        return {"code": LISTED, "cell": self._known_cell(feature)}

    def _happening(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        return {"code": HAPPENING, "selection": self.selection(feature.selection)}

    def _distinct(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        relation = self.relation(feature.selection, feature.field)
        return self._window(feature, WINDOW, self.ring(DISTINCT, feature, relation=relation))

    def _returning(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        keeper = (self.selection(feature.selection), duration(feature.gap), duration(feature.every))
        relation = self.relation(feature.selection, feature.field, RETURNING, keeper)
        return self._window(
            feature, WINDOW, self.ring(RETURNING, feature, relation=relation, gap=duration(feature.gap))
        )

    def _replies(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None and feature.other is not None
        keeper = (self.selection(feature.selection), duration(feature.gap), duration(feature.every))
        relation = self.relation(feature.other, feature.field, REPLIES, keeper)
        return self._window(
            feature, WINDOW, self.ring(REPLIES, feature, relation=relation, gap=duration(feature.gap))
        )

    def _bursts(self, feature: Feature) -> dict[str, int]:
        watched = self.by_name[feature.against]
        assert watched.selection is not None
        ring = self.ring(DISTINCT, watched, relation=self.relation(watched.selection, watched.field))
        bursts = self.cell(
            2 + feature.buckets,
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

    def _novelty(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        relation = self.relation(feature.selection, feature.field)
        return {"code": NOVELTY, "relation": relation, "selection": self.selection(feature.selection)}

    def _pair_age(self, feature: Feature) -> dict[str, int]:
        return self._novelty(feature) | {"code": PAIR_AGE}

    def _pair_count(self, feature: Feature) -> dict[str, int]:
        return self._novelty(feature) | {"code": PAIR_COUNT}

    def _pair_since(self, feature: Feature) -> dict[str, int]:
        return self._novelty(feature) | {"code": PAIR_SINCE}

    def _pair_total(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        summed = self.value(feature.value)
        relation = self.relation(feature.selection, feature.field, PAIR_TOTAL, summed)
        self.sums[relation] = summed
        return {"code": PAIR_TOTAL, "relation": relation, "selection": self.selection(feature.selection)}

    def nights(self, feature: Feature) -> int:
        """Where the entity spends its nights, as the feature's selection tells."""
        assert feature.selection is not None
        return self.cell(3 * PLACE_SLOTS, code=NIGHTS, selection=self.selection(feature.selection))

    def _away_km(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        return {
            "code": AWAY_KM,
            "cell": self.nights(feature),
            "selection": self.selection(feature.selection),
        }

    def travels(self, feature: Feature, code: int) -> dict[str, int]:
        """A ring of what is counted of journeys."""
        assert feature.selection is not None
        cell = self.cell(
            _AHEAD[code] + 1 + feature.buckets,
            code=code,
            selection=self.selection(feature.selection),
            buckets=feature.buckets,
            every=duration(feature.every),
            number=feature.at_least,
            watch=self.nights(feature),
        )
        return self._window(feature, WINDOW, cell)

    def _journeys(self, feature: Feature) -> dict[str, int]:
        return self.travels(feature, JOURNEYS)

    def _nights_away(self, feature: Feature) -> dict[str, int]:
        return self.travels(feature, NIGHTS_AWAY)

    def _deviation(self, feature: Feature) -> dict[str, int]:
        assert feature.selection is not None
        source, arg = self.value(feature.value)
        chosen = self.selection(feature.selection)
        past = self.cell(
            3, code=PAST, selection=chosen, source=source, arg=arg, log=int(feature.log), number=feature.alpha
        )
        return {
            "code": DEVIATION, "cell": past, "selection": chosen, "source": source, "arg": arg, "log": int(feature.log)
        }  # fmt: skip

    def _usual_hour(self, feature: Feature) -> dict[str, int]:
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

    def _usual_place(self, feature: Feature) -> dict[str, int]:
        return {"code": PLACE, "cell": self._places(feature)}

    def _usual_place_share(self, feature: Feature) -> dict[str, int]:
        return {"code": PLACE_SHARE, "cell": self._places(feature)}

    def _ratio(self, feature: Feature) -> dict[str, int]:
        return {"code": RATIO, "base": self.operand(feature.against), "base2": self.operand(feature.over)}

    def operand(self, name: str) -> int:
        """A ratio's part: an output column, or (second pass) an input column as -1 - column."""
        if name in self.columns:
            return self.columns[name]
        if name in self.inputs:
            return -1 - self.inputs[name]
        raise FeatureError(f"a ratio is declared after both of its parts: {name!r} is not there yet")


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
