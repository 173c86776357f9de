"""Events waiting for what will be found out about them, and what is known of each at a moment.

An event is **confirmed** or said to be innocent when a report says so, and at once. It is a **matured negative** when
its horizon has passed without a report: an absence that counts only after the time in which reports of its kind
come. Everything is released in one order, each before the first event that may know it, so that nothing is learnt or
told of anything before its time. A report that comes later still is released too, and marked as a correction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from features.rows import Kind, Role, Rows, empty_rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

REMEMBERED: Final = 4
"""Events stay known for so many horizons, so that late reports find them."""


class Report(msgspec.Struct, frozen=True):
    """What somebody found out about an event."""

    event_id: str
    at: int
    """When it was recorded, microseconds since 1970."""
    seq: int
    """Its place in the one order."""
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Released:
    """What became known, in order."""

    before: Ints
    """Before which row of the batch; the batch's length when after all of them."""
    event: Ints
    """The number of the event: its place among all that were ever taken."""
    at: Ints
    """When it became known."""
    confirmed: npt.NDArray[np.bool_]
    corrects: npt.NDArray[np.bool_]
    """Whether something else had been released about the event."""

    def __len__(self) -> int:
        """How many."""
        return len(self.event)


class Maturing:
    """Events in their order, the reports about them, and one horizon."""

    def __init__(self, horizon_us: int) -> None:
        self.horizon = horizon_us
        self.taken = 0
        self.unknown = 0  # reports about events that are not known, or no more
        self._number: dict[str, int] = {}
        self._ids: list[str] = []  # of the events still known, the oldest first
        self._known_from = 0
        self._waiting_from = 0
        self._due = np.zeros(0, dtype=np.int64)  # of the waiting ones; never falls
        self._told: dict[int, bool] = {}

    def take(self, ids: Sequence[str], clock: Ints, seq: Ints, reports: Sequence[Report]) -> Released:
        """Take a batch of events in order (recorded time, which never falls, and seq) and the reports among them."""
        for place, name in enumerate(ids):
            self._number[name] = self.taken + place
        self._ids.extend(ids)
        self._due = np.concatenate([self._due, clock + self.horizon])
        self.taken += len(ids)
        found = self._found(clock, seq, reports)
        # of one place in the batch, what was known first; of one moment, the older event
        found.sort()
        self._forget()
        columns = list(zip(*found, strict=True)) or [()] * 5
        before, at, event = (np.array(columns[i], dtype=np.int64) for i in range(3))
        confirmed, corrects = (np.array(columns[i], dtype=np.bool_) for i in (3, 4))
        return Released(before, event, at, confirmed, corrects)

    def _found(
        self, clock: Ints, seq: Ints, reports: Sequence[Report]
    ) -> list[tuple[int, int, int, bool, bool]]:
        """What the batch makes known: before each report, what had matured by its place in the order."""
        due = int(np.searchsorted(self._due, clock[-1], side="left")) if len(clock) else 0
        places = np.searchsorted(clock, self._due[:due], side="right")
        found, done = [], 0
        for report in sorted(reports, key=lambda report: report.seq):
            before = int(np.searchsorted(seq, report.seq))
            until = int(np.searchsorted(places, before, side="left"))
            found += self._matured(places[done:until])
            done = max(done, until)
            found += self._reported(before, report)
        return found + self._matured(places[done:])

    def _reported(self, before: int, report: Report) -> list[tuple[int, int, int, bool, bool]]:
        number = self._number.get(report.event_id)
        if number is None:
            self.unknown += 1
            return []
        matured = number < self._waiting_from
        if self._told.get(number, False if matured else None) == report.confirmed:
            return []  # it says what is known already
        corrects = matured or number in self._told
        self._told[number] = report.confirmed
        return [(before, report.at, number, report.confirmed, corrects)]

    def _matured(self, places: Ints) -> list[tuple[int, int, int, bool, bool]]:
        """The oldest waiting events, which wait no more: silence about them, where nothing was said."""
        found = [
            (int(place), int(at), number, False, False)
            for number, (place, at) in enumerate(
                zip(places, self._due[: len(places)], strict=True), start=self._waiting_from
            )
            if number not in self._told
        ]
        self._due = self._due[len(places) :]
        self._waiting_from += len(places)
        return found

    def _forget(self) -> None:
        """Let go of events that were taken long before the waiting ones."""
        waiting = self.taken - self._waiting_from
        surplus = len(self._ids) - REMEMBERED * max(waiting, 1)
        if surplus < max(waiting, 10_000):
            return
        for number, name in enumerate(self._ids[:surplus], start=self._known_from):
            if self._number.get(name) == number:
                del self._number[name]
            self._told.pop(number, None)
        self._ids = self._ids[surplus:]
        self._known_from += surplus


def label_rows(released: Released, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]) -> Rows:
    """What was found out, as rows of the entities (by token) that were in the events: what label-fed features count.

    A correction is a row of its own; the one it corrects stays, as it was known then.
    """
    rows = empty_rows(len(released))
    rows["ts"] = rows["recorded"] = released.at
    rows["own_hi"], rows["own_lo"] = hi, lo
    rows["value"] = released.confirmed
    rows["kind"], rows["role"] = Kind.LABEL, Role.LABELLED
    return rows
