"""Noting halves: what the second pass tells the subject hop of rows that are half of something across streams.

Gated rows only. A note goes to the number whose row it is, or to each number that belongs to the account.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.base import Detector
from detectors.cross import SIDES, CrossDetector, Happened, Part
from features.plan import Plan
from features.rows import Entity, Rows
from flows.gates import Asked, Gate

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_KEPT: Final = list(Happened._fields)
_OWN: Final = slice(_KEPT.index("own_hi"), _KEPT.index("own_lo") + 1)
UNNAMED: Final = ("", "", "")


class Note(NamedTuple):
    """One half, as it waits for the other: plain data throughout."""

    detector: str
    side: str
    number: tuple[int, int]  # under which number's token it waits
    happened: Happened
    values: tuple[float, ...]  # of the columns that the detector's half carries
    usual: tuple[float, ...]
    named: tuple[str, str, str] = UNNAMED  # event id, source and basis, once they are known


class Crossed(NamedTuple):
    """Two halves that met under a number: what is to be scored, with what waited beside them."""

    detector: str
    number: tuple[int, int]
    payment: Note
    telecoms: Note
    payments: tuple[Happened, ...]
    contacts: tuple[Happened, ...]

    @property
    def seq(self) -> int:
        """Where it stands in the one order: at the half that came second."""
        return max(self.payment.happened.seq, self.telecoms.happened.seq)

    @property
    def halves(self) -> tuple[Note, Note]:
        """The half that came second, and the one that came first."""
        a, b = self.payment, self.telecoms
        return (a, b) if a.happened.seq > b.happened.seq else (b, a)


def crossing(detectors: Iterable[type[Detector]]) -> list[type[CrossDetector]]:
    """The cross-stream detectors among some."""
    return [each for each in detectors if issubclass(each, CrossDetector)]


@dataclass(frozen=True, slots=True)
class Usual:
    """What was usual of an entity's signals before some rows: by row, and by joined column."""

    columns: Sequence[int]
    places: Places  # the rows, ascending
    values: Floats

    def some(self, places: Places, columns: Sequence[int]) -> Floats:
        """What was usual of some columns before some rows."""
        at = [self.columns.index(column) for column in columns]
        return self.values[np.searchsorted(self.places, places)][:, at]


@dataclass(frozen=True, slots=True)
class _Half:
    """One side of one detector at work in a shard of the second pass."""

    detector: type[CrossDetector]
    side: str
    part: Part
    carried: list[int]
    asked: Asked


class Noter:
    """Notes the halves of cross-stream detectors in one shard of the second pass."""

    def __init__(self, plan: Plan, detectors: Iterable[type[Detector]]) -> None:
        self.halves: dict[Entity, list[_Half]] = {entity: [] for entity in plan.subjects}
        for detector in crossing(detectors):
            for side, entity in SIDES.items():
                if entity in plan.subjects:
                    self.halves[entity].append(_half(plan, detector, side, entity))

    def columns(self, entity: Entity) -> list[int]:
        """The joined columns whose usual values must be known too."""
        return list(dict.fromkeys(c for half in self.halves[entity] for c in half.carried))

    def asked(self, entity: Entity) -> list[Asked]:
        """For every half, which rows are worth a note."""
        return [half.asked for half in self.halves[entity]]

    def notes(
        self,
        entity: Entity,
        rows: Rows,
        joined: Floats,
        usual: Usual,
        gated: Sequence[Places],
        numbers: Callable[[int], list[tuple[int, int]]],
    ) -> list[Note]:
        """The notes of a tick's rows of one entity; `numbers` says under which numbers an account's are kept."""
        found = []
        for half, places in zip(self.halves[entity], gated, strict=True):
            if entity != Entity.NUMBER:  # most accounts have no number that is known
                under: Iterable[list[tuple[int, int]]] = map(numbers, places.tolist())
                places, under = _those_with_some(places, list(under))
            if not len(places):
                continue
            happened = [Happened._make(kept) for kept in rows[places][_KEPT].tolist()]
            values = map(tuple, joined[places][:, half.carried].tolist())
            usually = map(tuple, usual.some(places, half.carried).tolist())
            if entity == Entity.NUMBER:
                under = ([one[_OWN]] for one in happened)  # type: ignore[list-item]
            name, side = half.detector.id, half.side
            found += [
                Note(name, side, number, kept, told, was)
                for kept, told, was, each in zip(happened, values, usually, under, strict=True)
                for number in each
            ]
        return found


def _those_with_some(
    places: Places, under: list[list[tuple[int, int]]]
) -> tuple[Places, list[list[tuple[int, int]]]]:
    """The rows under whose subject some number is known, with these."""
    some = [at for at, numbers in enumerate(under) if numbers]
    return places[some], [under[at] for at in some]


def _half(plan: Plan, detector: type[CrossDetector], side: str, entity: Entity) -> _Half:
    columns = plan.subjects[entity].columns
    part = detector.part(side)
    gate = Gate(part.gate)
    return _Half(
        detector,
        side,
        part,
        [columns.index(name) for name in detector.carried(side)],
        Asked(
            gate,
            {name: columns.index(name) for name in gate.columns},
            sum(1 << role for role in set(part.roles)),
            sum(1 << kind for kind in set(part.kinds)),
            sum(part.having),
        ),
    )
