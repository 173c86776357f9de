"""What a mechanism has to say of a day, gathered so that the diary is told once for each kind of thing.

A crime is worked out person by person, in small steps; the diary likes long columns. Pages hold the steps and tell
the diary at the end, and remember which records each story made, for `truth`. A phone's SIM or handset may change in
the middle of a day: what happened before the change is told before it.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from simulator.arrays import Array, Ids, Ints
from simulator.diary import Diary
from simulator.world import World

KEY_EVENTS: Final = 40
"""Truth names at most this many records of a crime, the first ones."""

Column = Array | Sequence[int] | Sequence[float] | Sequence[str] | Sequence[bool] | int | float | str | bool
_Said = dict[str, Array]
_FOR_ALL: Final = {"": ("visited", "deposit", "currency"), "texts": ("kind",), "card": ("rail",)}
"""Arguments of the diary's methods that are one value for all rows; "" for every method."""
_WHEN: Final = {"call": "start", "texts": "times", "data": "ts", "location": "ts", "topup": "ts"}
"""The methods whose records carry the SIM and handset of the moment, and their column of times."""


_PARTIES: Final = {
    "call": (("caller", "caller_cell"), ("callee", "callee_cell")),
    "texts": (("sender", "sender_cell"), ("recipients", "recipient_cell")),
}


class Pages:
    """One mechanism's day before it is told."""

    def __init__(self, world: World, day: int) -> None:
        self.world, self.day = world, day
        self._said: dict[tuple[str, tuple[str, ...], tuple[tuple[str, Any], ...], str], list[_Said]] = {}
        self._changes: list[tuple[int, str, dict[str, Any], str]] = []

    def say(self, method: str, story: str = "", **columns: Column | None) -> None:
        """Adds rows for a method of the diary: columns are arrays of one length, or one value for all.

        `story` names the crime whose key events these are ("" for none); a column that is None is left to the diary.
        """
        once = (*_FOR_ALL[""], *_FOR_ALL.get(method, ()))
        fixed = tuple(sorted((n, v) for n, v in columns.items() if n in once and v not in (None, "", False)))
        given = {n: _array(v) for n, v in columns.items() if v is not None and n not in once}
        if any(value.ndim and len(value) == 0 for value in given.values()):
            return
        rows = max((len(value) for value in given.values() if value.ndim), default=1)
        said = {name: np.broadcast_to(value, (rows,)) for name, value in given.items()}
        for party, cell in _PARTIES.get(method, ()):
            if cell not in said:
                said[cell] = self._cells(said[party].astype(np.int64), said[_WHEN[method]].astype(np.int64))
        self._said.setdefault((method, tuple(sorted(said)), fixed, story), []).append(said)

    def _cells(self, phones: Ints, times: Ints) -> Ints:
        """Where phones are: with their owners as they go about, or where they are kept."""
        owner = self.world.phones.owner[phones]
        native = (phones < self.world.subscribers) & (owner >= 0)
        found = self.world.phones.cell[phones]
        if native.any():
            found[native] = self.world.whereabouts(self.day, owner[native], times[native])
        return found

    def change(self, method: str, phone: int, ts: int, story: str = "", **values: Any) -> None:
        """A change of SIM or handset (`sim_change`, `device_change`) at a moment of the day."""
        self._changes.append((ts, method, {"phone": phone, "ts": ts, **values}, story))

    def tell(self, diary: Diary, known: dict[str, list[int]]) -> None:
        """Tells the diary everything; the records' ids are added to their story's list in `known`, up to the cap."""
        self._changes.sort(key=lambda change: (change[0], change[2]["phone"], change[1]))
        moments = np.asarray([change[0] for change in self._changes], dtype=np.int64)
        groups: dict[tuple[str, tuple[str, ...], tuple[tuple[str, Any], ...], str], list[_Said]] = {}
        for (
            method,
            names,
            fixed,
            story,
        ), parts in self._said.items():  # what is known well enough goes together
            open_story = story if len(known.get(story, ())) < KEY_EVENTS else ""
            groups.setdefault((method, names, fixed, open_story), []).extend(parts)
        whole = [(key, _joined(parts)) for key, parts in groups.items()]
        for act in range(len(moments) + 1):
            for (method, names, fixed, story), columns in whole:
                chosen = _of_act(method, columns, moments, act)
                if chosen is None:
                    continue
                told = {name: columns[name][chosen] for name in names} if len(moments) else columns
                ids: Ids = getattr(diary, method)(**told, **dict(fixed))
                _remember(known, story, ids)
            if act < len(moments):
                _, method, values, story = self._changes[act]
                _remember(known, story, getattr(diary, method)(**values))
        self._said.clear()
        self._changes.clear()


def _joined(parts: list[_Said]) -> _Said:
    return {name: np.concatenate([said[name] for said in parts]) for name in parts[0]}


def _of_act(method: str, columns: _Said, moments: Ints, act: int) -> Array | None:
    """Which rows are told between two changes; None for none of them. Payments are all told in the first act."""
    rows = len(next(iter(columns.values())))
    if len(moments) == 0:
        return np.ones(rows, dtype=np.bool_)
    if method not in _WHEN:
        return np.ones(rows, dtype=np.bool_) if act == 0 else None
    mine = np.searchsorted(moments, columns[_WHEN[method]], side="right") == act
    return mine if mine.any() else None


def _remember(known: dict[str, list[int]], story: str, ids: Ids) -> None:
    if story:
        kept = known.setdefault(story, [])
        kept.extend(int(i) for i in ids[: KEY_EVENTS - len(kept)])


def _array(value: Column) -> Array:
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind == "U" else array
