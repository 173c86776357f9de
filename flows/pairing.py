"""Pairing halves: under one telephone number, notes of its owner's payments and of its own records meet.

A note waits as long as its detector says. Whichever half comes second is scored with every half of the other stream
that still waits and lies near enough: once for each pair of events, in the one order, however ticks were cut. The
record of a whole call takes the place of the record of its start.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from detectors.base import Detector
from detectors.cross import PAYMENT, TELECOMS, CrossDetector, Happened
from features.declare import duration
from features.rows import Kind
from flows.evidence import Evidence, merged
from flows.judging import Judge
from flows.noting import Crossed, Note, crossing
from flows.split import Names, Rule

MOST_WAITING: Final = 24
"""Notes of one stream that wait for one detector under one number; of more the oldest goes, and is counted."""
NOTE_BYTES: Final = 1_300
"""What a note takes, measured: plain Python numbers and its place in the tables."""
_SWEEP_US: Final = 600_000_000

Number = tuple[int, int]


class _Waits(NamedTuple):
    """What waits for one detector under one number."""

    payments: list[Note]
    telecoms: list[Note]


class Pairing:
    """The pairs of one shard of the subject hop."""

    def __init__(self, detectors: Iterable[type[Detector]] = (), data_class: str = "synthetic") -> None:
        self.detectors = {d.id: d for d in crossing(detectors)}
        self.keeps = {
            d.id: (duration(d.payment.keeps), duration(d.telecoms.keeps), duration(d.within))
            for d in self.detectors.values()
        }
        self.judges = {d.id: Judge(d, data_class) for d in self.detectors.values() if d.ties is None}
        self.waiting: dict[tuple[str, Number], _Waits] = {}
        self.touched: set[tuple[str, Number]] = set()
        self.now = 0
        self.crowded_out = 0
        self._due: dict[int, set[tuple[str, Number]]] = {}

    def work(
        self, notes: Sequence[Note], names: Names | None, rules: Sequence[Rule]
    ) -> tuple[list[Evidence], list[Crossed]]:
        """Work through a tick's notes in the one order; gives what alerts, and the pairs that go on as ties."""
        ordered = sorted(
            notes, key=lambda n: (n.happened.seq, n.number, n.detector, n.side, n.happened.own_lo)
        )
        found: dict[str, list[Crossed]] = {name: [] for name in self.detectors}
        for note in _named(ordered, names):
            if note.detector in self.detectors:
                found[note.detector] += self._met(self.detectors[note.detector], note)
        self._sweep()
        fired: list[tuple[Crossed, Evidence]] = []
        for name, judge in self.judges.items():
            fired += judge.judged([(crossed, 0) for crossed in found[name]], rules)
        ties = [crossed for name in found if name not in self.judges for crossed in found[name]]
        return merged([evidence for _, evidence in fired]), ties

    def _met(self, detector: type[CrossDetector], note: Note) -> list[Crossed]:
        """Keep a note; gives its pairs with what waits."""
        happened = note.happened
        self.now = max(self.now, happened.recorded)
        key = (detector.id, note.number)
        waits = self._living(key)
        mine, others = (waits.payments, waits.telecoms)[:: 1 if note.side == PAYMENT else -1]
        if note.side == TELECOMS:
            _end_start(mine, happened)
        self.touched.add(key)
        if not detector.part(note.side).is_long_enough(happened):
            return []
        if detector.ties:  # who joins two is one, however often they meet
            mine[:] = [n for n in mine if n.happened.other != happened.other]
        mine.append(note)
        self._note_due(key, happened.recorded, note.side)
        if len(mine) > MOST_WAITING:
            del mine[0]
            self.crowded_out += 1
        within = self.keeps[detector.id][2]
        near = [other for other in others if abs(other.happened.ts - happened.ts) <= within]
        if not near:
            return []
        payments = tuple(n.happened for n in waits.payments)
        contacts = tuple(n.happened for n in waits.telecoms)
        pairs = ((note, other) if note.side == PAYMENT else (other, note) for other in near)
        return [
            Crossed(detector.id, note.number, payment, telecoms, payments, contacts)
            for payment, telecoms in pairs
        ]

    def _living(self, key: tuple[str, Number]) -> _Waits:
        """What still waits, as seen now; what waited too long is gone."""
        waits = self.waiting.get(key)
        if waits is None:
            waits = self.waiting[key] = _Waits([], [])
            return waits
        for notes, keeps in zip(waits, self.keeps[key[0]], strict=False):
            since = self.now - keeps
            living = [n for n in notes if n.happened.recorded >= since]
            if len(living) < len(notes):
                notes[:] = living
        return waits

    def _sweep(self) -> None:
        """Let go of what nobody asked for in its time; when this is done changes no answer."""
        for due in sorted(due for due in self._due if due * _SWEEP_US < self.now):
            for key in self._due.pop(due):
                if key in self.waiting and not any(self._living(key)):
                    del self.waiting[key]

    def _note_due(self, key: tuple[str, Number], recorded: int, side: str) -> None:
        """Look at a number again when a note's time is over."""
        over = recorded + self.keeps[key[0]][0 if side == PAYMENT else 1]
        self._due.setdefault(over // _SWEEP_US + 1, set()).add(key)

    def __len__(self) -> int:
        """How many notes wait."""
        return sum(len(waits.payments) + len(waits.telecoms) for waits in self.waiting.values())

    # --------------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, Any]:
        """All that waits, as plain data."""
        self._sweep()
        self.touched.clear()
        for judge in self.judges.values():
            judge.changed = False
        return self._plain(self.waiting, self.judges)

    def changes(self) -> dict[str, Any]:
        """What changed since the last `dump` or `changes`."""
        touched = [key for key in self.touched if key in self.waiting]
        self.touched.clear()
        changed = [name for name, judge in self.judges.items() if judge.changed]
        for name in changed:
            self.judges[name].changed = False
        return self._plain(touched, changed)

    def let_go(self) -> None:
        """Nobody asks what changed: begin anew, as after `changes`."""
        self.touched.clear()

    def _plain(self, keys: Iterable[tuple[str, Number]], judges: Iterable[str]) -> dict[str, Any]:
        return {
            "now": self.now,
            "crowded_out": self.crowded_out,
            "judges": {name: self.judges[name].state() for name in judges},
            "waiting": [[*key, *map(list, self.waiting[key])] for key in sorted(keys)],
        }

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state, or changes after it."""
        self.now, self.crowded_out = plain["now"], plain["crowded_out"]
        for name, state in plain["judges"].items():
            if name in self.judges:
                self.judges[name].restore(state)
        for name, number, payments, telecoms in plain["waiting"]:
            if name in self.detectors:
                key = (name, tuple(number))
                waits = _Waits(*([note_from(note) for note in notes] for notes in (payments, telecoms)))
                self.waiting[key] = waits
                for note in (*waits.payments, *waits.telecoms):
                    self._note_due(key, note.happened.recorded, note.side)

    def told(self) -> list[Any]:
        """All that is known, in one order: for the digest."""
        living = [(key, self._living(key)) for key in sorted(self.waiting)]
        versions = [(n, j.words_of_state) for n, j in self.judges.items()]
        return [versions, [(key, *waits) for key, waits in living if any(waits)]]


def note_from(plain: Any) -> Note:
    """A note from plain data."""
    detector, side, number, happened, values, usual, named = plain
    return Note(detector, side, tuple(number), Happened(*happened), tuple(values), tuple(usual), tuple(named))


def _named(notes: list[Note], names: Names | None) -> list[Note]:
    """Notes with the names of their events, which only the tick knows."""
    if names is None or not notes:
        return notes
    places = [note.happened.seq - names.first_seq for note in notes]
    told = zip(
        *(column.gather(places).to_list() for column in (names.event_id, names.source, names.basis)),
        strict=True,
    )
    return [Note(*note[:-1], named) for note, named in zip(notes, told, strict=True)]


def _end_start(telecoms: list[Note], happened: Happened) -> None:
    """A call's record takes the place of the record of its start: nobody is rung twice at once by one number."""
    if telecoms and happened.kind == Kind.CALL and not happened.is_open:
        telecoms[:] = [n for n in telecoms if not (n.happened.is_open and n.happened.other == happened.other)]
