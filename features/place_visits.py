"""Visits to places: a line's customers who come to one cell, who stays there at night, and who is where the line is.

A cuckooed home is where the customers of one line come and go, day after day; a courier is where the line's own phone
is. Both need rows of many people at one place and time, so they are kept in the national hop, on edges only: rows
with a cell of a line's customers (who carry the line's id, see `features.declare.OTHER_ID`), of line-like numbers and
of courier-like ones. A visit is a half hour in which somebody was seen in a cell; windows are of a week.
"""

from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar, Final

import numpy as np

from features.declare import duration
from features.network import Carried, Floats, Named, Network, NetworkState, Told, declare
from features.rows import Rows

HALF_HOUR_US: Final = duration("30m")
WEEK: Final = duration("7d") // HALF_HOUR_US
"""The window, in half hours."""
DAY: Final = duration("24h") // HALF_HOUR_US
ID_MASK: Final = (1 << 52) - 1
"""An id that travels as an exact float is the low 52 bits of a token."""
MOST_VISITS: Final = 20_000
"""Of one line's customers in a week; the oldest go first, and are counted."""
_NIGHT: Final = (22, 23, 0, 1, 2, 3, 4, 5)

declare(
    "visits",
    [
        ("customers_7d", "different customers of one line seen in this cell in a week", "", "7d"),
        ("visits_7d", "visits (half hours) of that line's customers to this cell in a week", "", "7d"),
        ("days_7d", "days of the week on which customers of that line came to this cell", "", "7d"),
        ("share_7d", "share of all visits of that line's customers that are to this cell", "share", "7d"),
        ("per_customer_7d", "visits for each of these customers in a week", "", "7d"),
        ("of_cell", "share of the cell's visitors of a week who are customers of that line", "share", "7d"),
        ("staying_7d", "line- or courier-like numbers seen in this cell at night in a week", "", "7d"),
        (
            "together_7d",
            "half hours in a week in one cell with the same line-like (or courier-like) number",
            "",
            "7d",
        ),
        ("together_cells_7d", "different cells in which they were together", "", "7d"),
    ],
)
_COLUMNS: Final = 9


@dataclass(frozen=True)
class PlaceVisits(Network):
    """The declaration; its fields name carried columns.

    * `customer_of`: the line whose customer the row's number is (its id as a float); absent or 0: nobody's.
    * `line_like`, `courier_like`: the row's number is one from `line_from`, `courier_from` on; a courier-like number (a
      runner, a taxi office's driver) is nobody's customer.
    * `ordinary`: how many different numbers the cell sees in a week (such as `cell.visitors_7d`); absent: not known.

    Columns: `visits.customers_7d`, `.visits_7d`, `.days_7d`, `.share_7d`, `.per_customer_7d`, `.of_cell`, `.staying_7d`
    on a customer's row; `visits.together_7d`, `.together_cells_7d` on the row of a courier-like or line-like number;
    `.staying_7d` on all. The line, and whoever it was together with, are related subjects.
    """

    name: ClassVar[str] = "visits"
    customer_of: str = ""
    line_like: str = ""
    courier_like: str = ""
    ordinary: str = ""
    line_from: float = 1.0
    courier_from: float = 1.0

    def reads(self) -> tuple[str, ...]:
        """The columns its fields name."""
        return tuple(
            name for name in (self.customer_of, self.line_like, self.courier_like, self.ordinary) if name
        )

    def begin(self) -> NetworkState:
        """No place is known."""
        return VisitState(self)


@dataclass(slots=True)
class _Visits:
    """One line's customers' visits of a week."""

    all: deque[tuple[int, int, int, int]] = field(
        default_factory=deque
    )  # when taken, half hour, cell, customer
    seen: set[tuple[int, int, int]] = field(default_factory=set)  # half hour, cell, customer
    by_cell: dict[int, set[tuple[int, int]]] = field(default_factory=dict)  # cell: (customer, half hour)


@dataclass(slots=True)
class _Company:
    """With whom one number was in one cell at one time, within a week."""

    all: deque[tuple[int, int, int, int]] = field(
        default_factory=deque
    )  # when taken, half hour, cell, with whom


class VisitState:
    """What is remembered of visits."""

    def __init__(self, declared: PlaceVisits) -> None:
        self.declared = declared
        self.now = 0
        self.tokens: dict[
            int, tuple[int, int, int]
        ] = {}  # a line's or courier's id: its token, and when last seen
        self.visits: dict[int, _Visits] = {}
        self.nights: dict[
            int, dict[int, int]
        ] = {}  # cell: who was there at night, and in which half hour last
        self.present: dict[
            tuple[int, int], tuple[set[int], set[int]]
        ] = {}  # half hour and cell: lines, couriers
        self.company: dict[int, _Company] = {}
        self.cut = 0
        self.pruned = 0

    # ---------------------------------------------------------------------------------------------------------- taking

    def take(self, rows: Rows, carried: Carried) -> Told:
        """Take edges in the one order; gives what is known of the place and the company."""
        values = np.full((len(rows), _COLUMNS), np.nan)
        related: dict[int, tuple[Named, ...]] = {}
        line_of = self._column(carried, self.declared.customer_of, len(rows))
        line_like = self._column(carried, self.declared.line_like, len(rows)) >= self.declared.line_from
        courier_like = (
            self._column(carried, self.declared.courier_like, len(rows)) >= self.declared.courier_from
        )
        ordinary = self._column(carried, self.declared.ordinary, len(rows))
        names = ("own_hi", "own_lo", "place_lo", "ts")
        for i, (hi, lo, cell, ts) in enumerate(zip(*(rows[name].tolist() for name in names), strict=True)):
            self.now = max(self.now, ts)
            self._prune()
            if line_like[i] or courier_like[i]:
                self.tokens[lo & ID_MASK] = (hi, lo, self.now)
            if not cell:
                continue
            half_hour, found = ts // HALF_HOUR_US, []
            if line_like[i] or courier_like[i]:
                found += self._company(
                    lo & ID_MASK, cell, half_hour, bool(line_like[i]), bool(courier_like[i]), values[i]
                )
                if (ts // (2 * HALF_HOUR_US)) % 24 in _NIGHT:
                    staying = self.nights.setdefault(cell, {})
                    staying[lo & ID_MASK] = max(half_hour, staying.get(lo & ID_MASK, 0))
            line = 0.0 if courier_like[i] else line_of[i]  # whom it sends about is no customer of it
            if line > 0.0:
                self._visit(int(line), cell, lo, half_hour, values[i])
                values[i, 5] = values[i, 0] / ordinary[i] if ordinary[i] > 0.0 else np.nan
                found.append(int(line))
            values[i, 6] = self._staying(cell)
            told = [("number", *self.tokens[one][:2]) for one in dict.fromkeys(found) if one in self.tokens]
            if told:
                related[i] = tuple(told)
        return Told(values, related)

    def _column(self, carried: Carried, name: str, n: int) -> Floats:
        return carried[name] if name else np.full(n, np.nan)

    @property
    def _hour(self) -> int:
        return self.now // HALF_HOUR_US

    def _visit(self, line: int, cell: int, customer: int, half_hour: int, out: Floats) -> None:
        known = self.visits.setdefault(line, _Visits())
        visit = (half_hour, cell, customer)
        if visit not in known.seen:
            known.seen.add(visit)
            known.all.append((self._hour, *visit))
            known.by_cell.setdefault(cell, set()).add((customer, half_hour))
        self._expire(known)
        here: set[tuple[int, int]] = known.by_cell.get(cell, set())
        customers = {who for who, _ in here}
        out[0], out[1] = len(customers), len(here)
        out[2] = len({when // DAY for _, when in here})
        out[3] = len(here) / len(known.all) if known.all else np.nan
        out[4] = len(here) / len(customers) if customers else np.nan

    def _expire(self, known: _Visits) -> None:
        """What is older than a week goes, and the oldest of what is too much."""
        while known.all and (known.all[0][0] <= self._hour - WEEK or len(known.all) > MOST_VISITS):
            taken, half_hour, cell, customer = known.all.popleft()
            self.cut += taken > self._hour - WEEK
            known.seen.discard((half_hour, cell, customer))
            known.by_cell[cell].discard((customer, half_hour))
            if not known.by_cell[cell]:
                del known.by_cell[cell]

    def _staying(self, cell: int) -> float:
        return float(sum(1 for last in self.nights.get(cell, {}).values() if last > self._hour - WEEK))

    def _company(
        self, who: int, cell: int, half_hour: int, line: bool, courier: bool, out: Floats
    ) -> list[int]:
        """Note who is here now; gives the one with whom this number was together most."""
        lines, couriers = self.present.setdefault((half_hour, cell), (set(), set()))
        met = (couriers if line else set()) | (lines if courier else set())
        for other in sorted(met - {who}):
            self._met(who, other, half_hour, cell)
            self._met(other, who, half_hour, cell)
        if line:
            lines.add(who)
        if courier:
            couriers.add(who)
        known = self.company.get(who)
        if known is None:
            out[7] = out[8] = 0.0
            return []
        self._part(known)
        together: dict[int, set[int]] = {}
        for _, when, _, other in known.all:
            together.setdefault(other, set()).add(when)
        if not together:
            out[7] = out[8] = 0.0
            return []
        most = max(together, key=lambda other: (len(together[other]), other))
        out[7] = len(together[most])
        out[8] = len({where for _, _, where, other in known.all if other == most})
        return [most]

    def _met(self, who: int, other: int, half_hour: int, cell: int) -> None:
        known = self.company.setdefault(who, _Company())
        self._part(known)
        if not any(each[1:] == (half_hour, cell, other) for each in reversed(known.all)):
            known.all.append((self._hour, half_hour, cell, other))

    def _part(self, known: _Company) -> None:
        while known.all and known.all[0][0] <= self._hour - WEEK:
            known.all.popleft()

    def _prune(self) -> None:
        """Once a day whatever nobody can ask for any more goes."""
        if self._hour - self.pruned < DAY:
            return
        self.pruned = self._hour - self._hour % DAY
        oldest = self._hour - WEEK
        self.present = {key: who for key, who in self.present.items() if key[0] > oldest}
        for cell in list(self.nights):
            self.nights[cell] = {who: last for who, last in self.nights[cell].items() if last > oldest}
            if not self.nights[cell]:
                del self.nights[cell]
        for line in list(self.visits):
            self._expire(self.visits[line])
            if not self.visits[line].all:
                del self.visits[line]
        for who in list(self.company):
            self._part(self.company[who])
            if not self.company[who].all:
                del self.company[who]
        gone = self.now - duration("400d")
        self.tokens = {each: token for each, token in self.tokens.items() if token[2] >= gone}

    # --------------------------------------------------------------------------------------------------- state as data

    def close(self, who: Named, ts: int) -> None:
        """A decision changes nothing of where people are."""

    def dump(self) -> dict[str, Any]:
        """All that is remembered, as plain data."""
        return {
            "now": self.now,
            "pruned": self.pruned,
            "cut": self.cut,
            "tokens": [[each, *token] for each, token in sorted(self.tokens.items())],
            "visits": [[line, [list(v) for v in known.all]] for line, known in sorted(self.visits.items())],
            "nights": [[cell, sorted(who.items())] for cell, who in sorted(self.nights.items())],
            "present": [[*key, sorted(a), sorted(b)] for key, (a, b) in sorted(self.present.items())],
            "company": [[who, [list(m) for m in known.all]] for who, known in sorted(self.company.items())],
        }

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state."""
        self.now, self.pruned, self.cut = plain["now"], plain["pruned"], plain["cut"]
        self.tokens = {each: (hi, lo, last) for each, hi, lo, last in plain["tokens"]}
        self.visits = {}
        for line, visits in plain["visits"]:
            known = self.visits[line] = _Visits()
            for taken, half_hour, cell, customer in visits:
                known.all.append((taken, half_hour, cell, customer))
                known.seen.add((half_hour, cell, customer))
                known.by_cell.setdefault(cell, set()).add((customer, half_hour))
        self.nights = {cell: dict(night) for cell, night in plain["nights"]}
        self.present = {(when, cell): (set(a), set(b)) for when, cell, a, b in plain["present"]}
        self.company = {}
        for who, met in plain["company"]:
            self.company[who] = _Company(deque((a, b, c, d) for a, b, c, d in met))

    def digest(self) -> str:
        """A digest of what is remembered."""
        return blake2b(repr(self.dump()).encode(), digest_size=16).hexdigest()

    def sizes(self) -> tuple[int, int, int]:
        """Lines with visits, bytes (about), and visits left out."""
        visits = sum(len(known.all) for known in self.visits.values())
        met = sum(len(known.all) for known in self.company.values())
        here = len(self.present) + sum(len(night) for night in self.nights.values())
        return len(self.visits), 350 * visits + 120 * met + 400 * here + 150 * len(self.tokens), self.cut
