"""The Handbook's payments through Linewatch's own path, in their order: door, sequencer, role rows, kernels.

Contract events come from the importer's shipped map, payments and the frauds' labels, and go through the sequencer
and the door like any supplier's. A label becomes known at its own place in the one order; what has none after the
horizon is taken for innocent. What became known is told to the holder and the terminal as rows of their own.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from bench.handbook.catalogue import AMOUNT_NAME, CATALOGUE, ENTITIES, OF_MEAN
from bench.watched import Options, sequencer_of, settings_of
from events.codes import LABELS, code_of
from events.frames import column
from events.importing import import_file, shipped_maps
from events.ledger import Tick
from features.program import compile_program
from features.rows import Entity, Role, Rows, chosen, joined
from features.state import EntityState
from flows.roles import role_rows
from models.maturing import Maturing, Released, Report, label_rows

DAY_US: Final = 86_400_000_000
DELAY_DAYS: Final = 7
_TICK_ROWS: Final = 8_192
_CONFIRMED: Final = code_of(LABELS, "confirmed")
_SIDE: Final = {Entity.ACCOUNT: Role.PAYER, Entity.TERMINAL: Role.TERMINAL}

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some payments in order with all that was known at each, and the outcomes that became known among them."""

    event_ids: list[str]
    ts: Ints
    holder: Tokens
    values: Floats
    released: Released


@dataclass(slots=True)
class Stream:
    """The path, its state, and how long it took."""

    inputs: dict[str, str]
    tick_rows: int = _TICK_ROWS
    events: int = 0
    seconds: float = 0.0
    refused: int = 0
    names: tuple[str, ...] = ()
    _states: dict[Entity, EntityState] = field(default_factory=dict)
    _tokens: dict[Entity, list[Tokens]] = field(default_factory=dict)

    def batches(self) -> Iterator[Batch]:
        """Every payment, tick by tick."""
        programs = {entity: compile_program(CATALOGUE, entity) for entity in ENTITIES}
        self._states = {entity: EntityState(program) for entity, program in programs.items()}
        self.names = (*(n for p in programs.values() for n in p.names), AMOUNT_NAME, OF_MEAN)
        seen = {entity: _Seen() for entity in ENTITIES}
        maturing = Maturing(DELAY_DAYS * DAY_US)
        with tempfile.TemporaryDirectory() as folder:
            options = Options(inputs=self.inputs, folder=folder, tick_rows=self.tick_rows)
            sequencer = sequencer_of(options, settings_of(options))
            try:
                while not sequencer.finished:
                    started = time.process_time()
                    tick = sequencer.next_tick()
                    made = None if tick is None else self._batch(tick, maturing, seen)
                    self.seconds += time.process_time() - started
                    if made is not None:
                        yield made
            finally:
                sequencer.close()

    def _batch(self, tick: Tick, maturing: Maturing, seen: dict[Entity, "_Seen"]) -> Batch | None:
        self.refused += len(tick.rejected)
        payments = tick.rows.get("payments")
        if payments is None or payments.is_empty():
            # labels after the last payment: nobody is scored any more
            return None
        rows = {
            entity: found[np.argsort(found["seq"], kind="stable")]
            for entity, found in role_rows(tick, frozenset(ENTITIES)).items()
        }
        rows = {entity: chosen(r, np.flatnonzero(r["role"] == _SIDE[entity])) for entity, r in rows.items()}
        seq = rows[Entity.ACCOUNT]["seq"]
        clock = np.maximum.accumulate(rows[Entity.ACCOUNT]["recorded"])
        ids = payments.sort("seq")["event_id"].to_list()
        released = maturing.take(ids, clock, seq, _reports(tick))
        parts = [self._told(entity, rows[entity], released, seen[entity]) for entity in ENTITIES]
        amount = rows[Entity.ACCOUNT]["value"].astype(np.float64)
        usual = parts[0][:, self.names.index("mean_30d")]
        ratio = np.divide(amount, usual, out=np.full(len(amount), np.nan), where=usual > 0)
        values = np.column_stack([*parts, amount, ratio])
        self.events += len(amount)
        holder = rows[Entity.ACCOUNT]
        return Batch(ids, holder["ts"].copy(), holder["own_lo"].copy(), values, released)

    def _told(self, entity: Entity, rows: Rows, released: Released, seen: "_Seen") -> Floats:
        """An entity's features at its payments, the outcomes told to it in their places."""
        seen.add(rows["own_hi"], rows["own_lo"])
        hi, lo = seen.of(released.event)
        labels = label_rows(released, hi, lo)
        both = joined([labels, rows])
        # a label goes before the payment that may know it
        place = np.concatenate([2 * released.before, 2 * np.arange(len(rows)) + 1])
        order = np.argsort(place, kind="stable")
        told, _ = self._states[entity].take(chosen(both, order), np.zeros((0, 0)))
        return told[order >= len(labels)]


class _Seen:
    """The tokens of all payments so far, by their number."""

    def __init__(self) -> None:
        self._hi = np.zeros(1 << 16, dtype=np.uint64)
        self._lo = np.zeros(1 << 16, dtype=np.uint64)
        self._count = 0

    def add(self, hi: Tokens, lo: Tokens) -> None:
        """Take the next payments' tokens."""
        after = self._count + len(hi)
        if after > len(self._hi):
            room = max(after, 2 * len(self._hi))
            self._hi, self._lo = np.resize(self._hi, room), np.resize(self._lo, room)
        self._hi[self._count : after], self._lo[self._count : after] = hi, lo
        self._count = after

    def of(self, numbers: Ints) -> tuple[Tokens, Tokens]:
        """The tokens of some of them."""
        return self._hi[numbers], self._lo[numbers]


def _reports(tick: Tick) -> list[Report]:
    labels = tick.rows.get("labels")
    if labels is None:
        return []
    told = pl.DataFrame(
        [column(labels, "labels", name) for name in ("about_id", "recorded_ts", "seq", "label")]
    )
    return [
        Report(event_id, at, seq, label == _CONFIRMED)
        for event_id, at, seq, label in told.sort("seq").iter_rows()
    ]


def contract_events(raw: Path, folder: Path) -> dict[str, str]:
    """The raw file as contract events, through the shipped map; those that are there already are kept."""
    inputs = {stream: folder / f"{stream}.parquet" for stream in ("payments", "labels")}
    if not all(path.exists() for path in inputs.values()):
        maps: dict[str, Any] = {each.name: each.path for each in shipped_maps()}
        import_file(maps["handbook"], raw, folder, out_format="parquet")
    return {stream: str(path) for stream, path in inputs.items()}
