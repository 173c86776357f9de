"""What was found out, told to whoever it is about: reports and silence as rows of their own, in the one order.

A **report** (a label, a recall) becomes a row of every entity it is about: accounts and numbers that it names as
involved, and the things (merchant, terminal, cell) of the event it names. **Silence** becomes a row too: an event of
which nothing was said within its horizon is told as innocent to its things, right before the first event that may
know it. So "share confirmed" is a feature like any other, and nothing is told of anything before its time.

Only entities of which a feature asks for it are told; then their events are remembered until their horizon is over,
and as long again for reports that come late. Of more than `MOST` the oldest are forgotten, and counted.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from events.ledger import Tick
from features.declared import CATALOGUE
from features.rows import Entity, Kind, Role, Rows, empty_rows, joined
from flows.found_out import found_out
from models.labels import HARMED, Label
from models.typologies import horizon_us

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint64]

MOST: Final = 1_000_000
"""Events of one stream that are remembered, about 60 bytes each."""
_COLUMN: Final[Mapping[str, Mapping[Entity, str]]] = {
    "payments": {
        Entity.MERCHANT: "merchant",
        Entity.TERMINAL: "terminal",
        Entity.CARD: "card",
        Entity.DEVICE: "device",
    },
    "telecoms": {Entity.CELL: "cell", Entity.HANDSET: "imei", Entity.SIM: "imsi"},
}
_HORIZON: Final = {"payments": horizon_us("card_not_present"), "telecoms": horizon_us("deal_line")}
_NOTHING, _INNOCENT, _CONFIRMED = 0, 1, 2


class Found(msgspec.Struct, frozen=True):
    """One thing to tell: at which place, of when, whether it was confirmed, and to whom."""

    seq: int
    at: int
    confirmed: bool
    entity: Entity
    hi: int
    lo: int


def asking(kept: Iterable[Entity]) -> frozenset[Entity]:
    """The entities of which a declared feature asks what was found out."""
    kept = frozenset(kept)
    return frozenset(
        feature.entity
        for feature in CATALOGUE.features.values()
        if feature.entity in kept and feature.selection and Role.LABELLED in feature.selection.roles
    )


class Telling:
    """Everything that is to be told, by stream of the events it is about."""

    def __init__(self, asked: frozenset[Entity], most: int = MOST) -> None:
        self.asked = asked
        self.remembered = {
            stream: _Events([e for e in sorted(columns) if e in asked], _HORIZON[stream], most)
            for stream, columns in _COLUMN.items()
            if asked & columns.keys()
        }

    def take(self, tick: Tick) -> dict[Entity, Rows]:
        """Take a tick; gives the rows of what became known in it, by entity and in order."""
        if not self.asked:
            return {}
        labels = [label for label in found_out(tick) if label.taught is not None]
        found = [one for label in labels for one in self._named(label)]
        for stream, events in self.remembered.items():
            frame = tick.rows.get(stream)
            if frame is not None and frame.height:
                events.add(frame, _COLUMN[stream])
            found += events.released(labels)
        return _rows(found)

    def _named(self, label: Label) -> list[Found]:
        """The accounts and numbers that a label names as involved."""
        if label.standing == HARMED:
            return []
        names = dict.fromkeys((label.about, *label.subjects))
        told = []
        for kind, _, token in (name.partition(":") for name in names):
            entity = {"account": Entity.ACCOUNT, "number": Entity.NUMBER}.get(kind)
            if entity in self.asked and entity is not None:
                told.append(
                    Found(
                        label.seq,
                        label.at,
                        bool(label.taught),
                        entity,
                        int(token[:16], 16),
                        int(token[16:], 16),
                    )
                )
        return told

    @property
    def forgotten(self) -> int:
        """Events that were forgotten before their time."""
        return sum(events.forgotten for events in self.remembered.values())

    def state(self) -> dict[str, Any]:
        """All that is remembered, as plain data."""
        return {stream: events.state() for stream, events in self.remembered.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what was remembered; it begins anew where other entities are asked of, or ids are hashed otherwise."""
        for stream, events in self.remembered.items():
            kept = state.get(stream, {})
            if events.knows(kept):
                events.restore(kept)

    def changes(self) -> dict[str, Any]:
        """What changed since `state` or `changes` was last asked for, as plain data; nothing where nothing did."""
        return {stream: told for stream, events in self.remembered.items() if (told := events.changes())}

    def again(self, changes: Mapping[str, Any]) -> None:
        """Take up changes, in the order in which they were told."""
        for stream, events in self.remembered.items():
            kept = changes.get(stream, {})
            if events.knows(kept):
                events.again(kept)


class _Events:
    """The events of one stream: which, when silence about them counts, what was told, and the things in them."""

    def __init__(self, entities: list[Entity], horizon: int, most: int) -> None:
        self.entities = entities
        self.horizon = horizon
        self.most = most
        self.forgotten = 0
        self._clock = -(2**62)
        self._waiting = 0  # the first whose horizon is not over
        self._gone = 0  # how many were forgotten, ever: the number of the first that is remembered
        self._kept = 0  # the number of the first that was not yet there when changes were last told
        self._touched: set[int] = set()  # numbers of older ones of which something was told since
        self._moved = False
        self._ids = np.zeros(0, dtype=np.uint64)
        self._due = np.zeros(0, dtype=np.int64)  # never falls
        self._told = np.zeros(0, dtype=np.uint8)
        self._tokens = np.zeros((0, len(entities), 2), dtype=np.uint64)
        self._moments: tuple[Ints, Ints] = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    def add(self, frame: pl.DataFrame, columns: Mapping[Entity, str]) -> None:
        """Take a tick's events."""
        self._moved = True
        recorded = frame["recorded_ts"].to_numpy()
        clock = np.maximum.accumulate(np.maximum(recorded, self._clock))
        self._clock = int(clock[-1])
        self._moments = (clock, frame["seq"].to_numpy())
        tokens = np.zeros((frame.height, len(self.entities), 2), dtype=np.uint64)
        for place, entity in enumerate(self.entities):
            for half, name in enumerate(("hi", "lo")):
                whole = f"{columns[entity]}_{name}"
                if whole in frame.columns:
                    tokens[:, place, half] = frame[whole].to_numpy()
        there = np.flatnonzero(tokens.any(axis=(1, 2)))
        ids = _digests(frame["event_id"].gather(there))
        self._ids = np.concatenate([self._ids, ids])
        self._due = np.concatenate([self._due, clock[there] + self.horizon])
        self._told = np.concatenate([self._told, np.zeros(len(there), dtype=np.uint8)])
        self._tokens = np.concatenate([self._tokens, tokens[there]])

    def released(self, labels: Iterable[Label]) -> list[Found]:
        """What became known of events: what labels say, and silence whose time is over; then the old are forgotten."""
        clock, seq = self._moments
        self._moments = (clock[:0], seq[:0])
        end = self._waiting
        if len(clock):
            end += int(np.searchsorted(self._due[self._waiting :], clock[-1], side="left"))
        places = (
            seq[np.searchsorted(clock, self._due[self._waiting : end], side="right")] if len(seq) else seq
        )
        found = self._reported(labels, places)
        for place, number in enumerate(range(self._waiting, end)):
            if self._told[number] == _NOTHING:
                self._set(number, _INNOCENT)
                found += self._to(number, int(places[place]), int(self._due[number]), confirmed=False)
        self._waiting = end
        self._forget()
        return found

    def _reported(self, labels: Iterable[Label], places: Ints) -> list[Found]:
        """What labels say about events; silence that came before them has been told by then."""
        said = [
            (label, label.about.removeprefix("event:"))
            for label in labels
            if label.about.startswith("event:")
        ]
        if not said or not len(self._ids):
            return []
        found: list[Found] = []
        for (label, _), digest in zip(
            said, _digests(pl.Series([name for _, name in said], dtype=pl.String)), strict=True
        ):
            at = np.flatnonzero(self._ids == digest)
            if not len(at):
                continue
            number = int(at[-1])
            if label.at > self._due[number] + self.horizon:
                continue  # as if forgotten, whether or not it is by now
            place = number - self._waiting
            if self._told[number] == _NOTHING and 0 <= place < len(places) and places[place] <= label.seq:
                self._set(number, _INNOCENT)
                found += self._to(number, int(places[place]), int(self._due[number]), confirmed=False)
            told = _CONFIRMED if label.taught else _INNOCENT
            if self._told[number] != told:
                self._set(number, told)
                found += self._to(number, label.seq, label.at, confirmed=bool(label.taught))
        return found

    def _set(self, number: int, told: int) -> None:
        self._told[number] = told
        self._moved = True
        if number + self._gone < self._kept:
            self._touched.add(number + self._gone)

    def _to(self, number: int, seq: int, at: int, *, confirmed: bool) -> list[Found]:
        return [
            Found(seq, at, confirmed, entity, int(hi), int(lo))
            for entity, (hi, lo) in zip(self.entities, self._tokens[number], strict=True)
            if hi or lo
        ]

    def _forget(self) -> None:
        """Let go of what is long over, and of the oldest when there are too many: in whole quarters, which is cheap."""
        over = int(np.searchsorted(self._due[: self._waiting], self._clock - self.horizon, side="left"))
        surplus = len(self._ids) - self.most
        gone = max(over if over > len(self._ids) // 4 else 0, surplus + self.most // 4 if surplus > 0 else 0)
        if gone:
            self.forgotten += max(0, gone - self._waiting)
            self._waiting = max(0, self._waiting - gone)
            self._gone += gone
            self._ids, self._due = self._ids[gone:].copy(), self._due[gone:].copy()
            self._told, self._tokens = self._told[gone:].copy(), self._tokens[gone:].copy()

    def knows(self, kept: Mapping[str, Any]) -> bool:
        """Whether what was kept is of the same entities, and its ids hashed as here."""
        same = kept.get("entities") == [e.name for e in self.entities]
        return same and bool(kept["hashed_by"] == pl.__version__)

    def state(self) -> dict[str, Any]:
        """All that is remembered, as plain data."""
        self._since()
        return self._from(0)

    def changes(self) -> dict[str, Any]:
        """What changed since this or `state` was last asked for."""
        if not self._moved:
            return {}
        first, touched = max(0, self._kept - self._gone), sorted(n for n in self._touched if n >= self._gone)
        told = self._told[np.array(touched, dtype=np.int64) - self._gone]
        self._since()
        return self._from(first) | {"touched": touched, "touched_told": told.tobytes()}

    def _since(self) -> None:
        self._kept, self._moved = self._gone + len(self._ids), False
        self._touched.clear()

    def _from(self, first: int) -> dict[str, Any]:
        return {
            "entities": [entity.name for entity in self.entities],
            "hashed_by": pl.__version__,
            "clock": self._clock,
            "waiting": self._waiting,
            "forgotten": self.forgotten,
            "gone": self._gone,
            "ids": self._ids[first:].tobytes(),
            "due": self._due[first:].tobytes(),
            "told": self._told[first:].tobytes(),
            "tokens": self._tokens[first:].tobytes(),
        }

    def again(self, changes: Mapping[str, Any]) -> None:
        """Take up what changed: things told of older ones, then older ones forgotten, then newer ones remembered."""
        places = np.array(changes["touched"], dtype=np.int64) - self._gone
        self._told[places] = np.frombuffer(changes["touched_told"], dtype=np.uint8)
        gone = changes["gone"] - self._gone
        ids, due, told, tokens = self._ids[gone:], self._due[gone:], self._told[gone:], self._tokens[gone:]
        self.restore(changes)
        self._ids, self._due = np.concatenate([ids, self._ids]), np.concatenate([due, self._due])
        self._told, self._tokens = np.concatenate([told, self._told]), np.concatenate([tokens, self._tokens])
        self._since()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what was remembered."""
        self._clock, self._waiting, self.forgotten = state["clock"], state["waiting"], state["forgotten"]
        self._gone = state.get("gone", 0)
        self._ids = np.frombuffer(state["ids"], dtype=np.uint64).copy()
        self._due = np.frombuffer(state["due"], dtype=np.int64).copy()
        self._told = np.frombuffer(state["told"], dtype=np.uint8).copy()
        tokens = np.frombuffer(state["tokens"], dtype=np.uint64).copy()
        self._tokens = tokens.reshape(-1, len(self.entities), 2)
        self._since()


def _digests(ids: pl.Series) -> Tokens:
    """Event ids in eight bytes each: the same as long as Polars is."""
    return ids.hash(seed=0).to_numpy()


def _rows(found: list[Found]) -> dict[Entity, Rows]:
    """What is to be told, as rows by entity."""
    by_entity: dict[Entity, list[Found]] = {}
    for one in sorted(found, key=lambda f: (f.seq, f.at, f.entity, f.hi, f.lo, f.confirmed)):
        by_entity.setdefault(one.entity, []).append(one)
    told = {}
    for entity, some in by_entity.items():
        rows = empty_rows(len(some))
        rows["seq"] = [one.seq for one in some]
        rows["ts"] = rows["recorded"] = [one.at for one in some]
        rows["own_hi"] = np.array([one.hi for one in some], dtype=np.uint64)
        rows["own_lo"] = np.array([one.lo for one in some], dtype=np.uint64)
        rows["value"] = [float(one.confirmed) for one in some]
        rows["kind"], rows["role"] = Kind.LABEL, Role.LABELLED
        told[entity] = rows
    return told


def with_told(rows: dict[Entity, Rows], told: Mapping[Entity, Rows]) -> dict[Entity, Rows]:
    """A tick's rows with what is told: of one place in the order, what is told comes first."""
    for entity, some in told.items():
        rows[entity] = joined([some, rows[entity]]) if entity in rows else some
    return rows
