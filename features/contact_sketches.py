"""Contact sketches: who was in contact with each number that behaved like a line, kept so that it is known again.

A line that is closed, or given up for another number, keeps its customers: the list is what it is worth. So for every
number that has behaved like a line its contacts are remembered, dated, for thirteen months: all of them while they are
few, then the 256 whose tokens are smallest (a bottom-k sketch: tokens are keyed digests, so this is a fair sample).
What a new number shares with an older line is told as the overlap coefficient, shared over the smaller of the two, and
as the share of its own contacts. In the latter a contact who knows many lines counts the less: everybody's customer says
little of whose list it is. Which older line it is, if any, is the one that has most of them; how far it is ahead of the
next that is another line (not one more number of the same list) is told too.

A line is rung: only those are older lines whose contacts came to them by themselves. Who texts thousands that never
answer has no customers.

Edges for this family are a line-like number's own calls and texts with mobiles, and watch rows about numbers. An edge
gate on `texted_10m` or `callers_24h`, say, decides from when on a number is line-like.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar, Final

import numpy as np

from features.declare import duration
from features.network import Carried, Named, Network, NetworkState, Told, declare
from features.rows import Flag, Kind, Role, Rows

KEPT: Final = 256
"""Contacts of a line that are kept; beyond, the smallest tokens stand for all (standard error of a share: 3 %)."""
RETENTION_US: Final = duration("400d")
NEW_US: Final = duration("45d")
"""For so long a number is new and compared with older lines; a comparison on every row of every line is not needed."""
OLDER_US: Final = duration("24h")
"""A line is older when it was first seen this much before: two phones taken into use together are no re-emergence."""
SILENT_US: Final = duration("48h")
"""A line that has said nothing for this long is retired (after an announced change the old number goes silent by then)."""
HUB: Final = 64
"""A contact of more lines than this says nothing of which line it is."""
ALIKE: Final = 0.4
"""From this overlap on a line counts as alike."""
AGAIN_US: Final = duration("1h")
"""How often a number is compared that has no new contact; until then nothing is told of older lines."""
CAME: Final = 0.05
"""A line is one to which at least this share of its contacts came by themselves, with a call or a text."""

_FULL: Final = 1 << 64
_WATCHED_LINE: Final = int(Flag.WATCHED_LINE)
_HOUR_US: Final = 3_600_000_000
_SPEECH: Final = (int(Kind.CALL), int(Kind.SMS), int(Kind.MMS))

declare(
    "contacts",
    [
        (
            "overlap",
            "share of contacts in common with an older line (of the smaller of both lists)",
            "share",
            "",
        ),
        ("shared", "contacts in common with that older line", "", ""),
        ("mine", "contacts the number has had since it began to behave like a line", "", ""),
        ("theirs", "contacts the older line had", "", ""),
        ("silence", "time since the older line was last heard of", "hours", ""),
        ("retired", "the older line is closed, or has been silent for two days (1 yes, 0 no)", "", ""),
        ("closed", "the older line was closed or put under an order (1 yes, 0 no)", "", ""),
        ("after", "time from the older line's last sign to this number's first", "hours", ""),
        ("known_for", "time since the number began to behave like a line", "days", ""),
        ("alike", "older lines with which it shares two in five contacts or more", "", ""),
        (
            "of_mine",
            "share of its contacts that the older line had (who knows many lines counts less)",
            "share",
            "",
        ),
        ("ahead", "by how much that share is above that of the next other line", "share", ""),
        ("came", "share of its contacts that have called or texted it themselves", "share", ""),
    ],
)
_COLUMNS: Final = 13


@dataclass(frozen=True)
class ContactSketches(Network):
    """The declaration: `contacts.overlap`, `.shared`, `.mine`, `.theirs`, `.silence`, `.retired`, `.closed`, `.after`, `.known_for`, `.alike`, `.of_mine`, `.ahead`, `.came`.

    The older line is a related subject of the row once the overlap is `related_from`.
    """

    name: ClassVar[str] = "contacts"
    related_from: float = 0.2

    def reads(self) -> tuple[str, ...]:
        """Nothing: the rows themselves say who was in contact with whom."""
        return ()

    def begin(self) -> NetworkState:
        """No line is known."""
        return ContactState(self.related_from)


@dataclass(slots=True)
class _Line:
    """One number that behaved like a line."""

    hi: int
    lo: int
    first: int
    last: int
    closed: int = 0  # since when; 0: not closed
    contacts: dict[int, int] = field(default_factory=dict)  # a contact's token half, and when last
    ordered: list[int] = field(default_factory=list)  # the same, ascending
    more: bool = False  # some were left out
    came: set[int] = field(default_factory=set)  # contacts who called or texted it
    compared: int = 0  # when it last was, with older lines

    @property
    def bound(self) -> int:
        """Contacts below this are all there."""
        return self.ordered[-1] + 1 if self.more else _FULL

    @property
    def size(self) -> float:
        """How many contacts it has had; estimated from the sample when some were left out."""
        kept = len(self.ordered)
        return (kept - 1) * _FULL / (self.bound - 1) if self.more else float(kept)

    @property
    def came_share(self) -> float:
        """The share of its contacts that came by themselves."""
        return len(self.came) / len(self.ordered) if self.ordered else 0.0


class ContactState:
    """What is remembered of lines."""

    def __init__(self, related_from: float) -> None:
        self.related_from = related_from
        self.lines: dict[tuple[int, int], _Line] = {}
        self.with_contact: dict[int, set[tuple[int, int]]] = {}
        self.now = 0
        self.pruned = 0
        self.cut = 0

    # ---------------------------------------------------------------------------------------------------------- taking

    def take(self, rows: Rows, carried: Carried) -> Told:
        """Take edges in the one order; gives what each shares with an older line."""
        values = np.full((len(rows), _COLUMNS), np.nan)
        related: dict[int, tuple[Named, ...]] = {}
        names = ("own_hi", "own_lo", "other_hi", "other_lo", "ts", "kind", "flags", "role")
        for i, (hi, lo, other_hi, other_lo, ts, kind, flags, role) in enumerate(
            zip(*(rows[name].tolist() for name in names), strict=True)
        ):
            self._advance(ts)
            if kind == Kind.WATCH:
                if flags & _WATCHED_LINE:
                    self._line(hi, lo, ts).closed = ts
                continue
            line = self._line(hi, lo, ts)
            line.last = max(line.last, ts)
            known = len(line.contacts)
            if kind in _SPEECH and (other_hi or other_lo):
                self._add(line, other_lo, ts, came=role == Role.IN)
            more = len(line.contacts) > known or ts - line.compared >= AGAIN_US
            if more and ts - line.first <= NEW_US:
                line.compared = ts
                found = self._compare(line, ts, values[i])
                if found is not None and values[i, 0] >= self.related_from:
                    related[i] = (("number", found.hi, found.lo),)
            values[i, 2], values[i, 8] = line.size, (ts - line.first) / (24 * _HOUR_US)
            values[i, 12] = line.came_share
        return Told(values, related)

    def _advance(self, ts: int) -> None:
        self.now = max(self.now, ts)
        if self.now - self.pruned >= 24 * _HOUR_US:
            self.pruned = self.now - self.now % (24 * _HOUR_US)
            self._forget()

    def _line(self, hi: int, lo: int, ts: int) -> _Line:
        line = self.lines.get((hi, lo))
        if line is None:
            line = self.lines[hi, lo] = _Line(hi, lo, ts, ts)
        return line

    def _add(self, line: _Line, contact: int, ts: int, *, came: bool) -> None:
        before = line.contacts.get(contact)
        if before is None and contact >= line.bound:
            return
        if came:
            line.came.add(contact)
        if before is not None:
            line.contacts[contact] = max(before, ts)
            return
        line.contacts[contact] = ts
        insort(line.ordered, contact)
        self.with_contact.setdefault(contact, set()).add((line.hi, line.lo))
        if len(line.ordered) > KEPT:
            line.more = True
            self.cut += 1
            self._drop(line, line.ordered[-1])

    def _drop(self, line: _Line, contact: int) -> None:
        del line.contacts[contact]
        line.came.discard(contact)
        line.ordered.remove(contact)
        sharing = self.with_contact[contact]
        sharing.discard((line.hi, line.lo))
        if not sharing:
            del self.with_contact[contact]

    def _forget(self) -> None:
        """Contacts and lines unseen for their retention go."""
        oldest = self.now - RETENTION_US
        for key, line in list(self.lines.items()):
            for contact in [c for c, last in line.contacts.items() if last < oldest]:
                self._drop(line, contact)
            if max(line.last, line.closed) < oldest:
                for contact in list(line.contacts):
                    self._drop(line, contact)
                del self.lines[key]

    # ------------------------------------------------------------------------------------------------------- comparing

    def _compare(self, line: _Line, ts: int, out: "np.ndarray[Any, Any]") -> _Line | None:
        """The older line that has most of its contacts, told into `out`."""
        counts: dict[tuple[int, int], int] = {}
        weighed: dict[tuple[int, int], float] = {}
        upto = [0.0]  # the weight of its contacts below each place
        for contact in line.ordered:
            sharing = self.with_contact[contact]
            weight = 1.0 / max(1, len(sharing) - 1) if len(sharing) <= HUB else 0.0
            upto.append(upto[-1] + weight)
            for key in sharing if weight else ():
                counts[key] = counts.get(key, 0) + 1
                weighed[key] = weighed.get(key, 0.0) + weight
        ranked, alike = [], 0
        for key, count in counts.items():
            other = self.lines[key]
            if other.first + OLDER_US > line.first or not self._is_line(other):
                continue
            overlap, shared = _overlap(line, other, count)
            alike += overlap >= ALIKE
            whole = upto[bisect_left(line.ordered, min(line.bound, other.bound))]
            of_mine = min(1.0, weighed[key] / whole) if whole else 0.0
            ranked.append((of_mine, overlap, shared, other.first, key))
        out[9] = alike
        if not ranked:
            out[0] = out[1] = out[10] = 0.0
            return None
        ranked.sort(reverse=True)
        of_mine, overlap, shared, _, key = ranked[0]
        other = self.lines[key]
        silence = max(0, ts - other.last)
        closed = bool(other.closed) and other.closed <= ts
        out[0], out[1], out[3], out[4] = overlap, shared, other.size, silence / _HOUR_US
        out[5], out[6] = float(closed or silence >= SILENT_US), float(closed)
        out[7] = (line.first - other.last) / _HOUR_US
        out[10], out[11] = of_mine, of_mine - self._next(ranked)
        return other

    def _is_line(self, line: _Line) -> bool:
        """Whether its contacts came to it by themselves, or somebody who knows has said that it is a line."""
        return bool(line.closed) or line.came_share >= CAME

    def _next(self, ranked: list[tuple[float, float, float, int, tuple[int, int]]]) -> float:
        """How much of its contacts the next line has that is another than the first: with a list of its own."""
        first = self.lines[ranked[0][4]]
        for of_mine, *_, key in ranked[1:]:
            other = self.lines[key]
            common = len(first.contacts.keys() & other.contacts.keys())
            if not common or _overlap(first, other, common)[0] < ALIKE:
                return of_mine
        return 0.0

    # --------------------------------------------------------------------------------------------------- state as data

    def close(self, who: Named, ts: int) -> None:
        """A person confirmed that this number is a line: it counts as closed from then on."""
        kind, hi, lo = who
        if kind == "number" and (hi, lo) in self.lines:
            self.lines[hi, lo].closed = ts

    def dump(self) -> dict[str, Any]:
        """All that is remembered, as plain data."""
        return {
            "now": self.now,
            "pruned": self.pruned,
            "cut": self.cut,
            "lines": [
                [
                    line.hi,
                    line.lo,
                    line.first,
                    line.last,
                    line.closed,
                    line.more,
                    sorted(line.contacts.items()),
                    sorted(line.came),
                    line.compared,
                ]
                for _, line in sorted(self.lines.items())
            ],
        }

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state."""
        self.now, self.pruned, self.cut = plain["now"], plain["pruned"], plain["cut"]
        self.lines, self.with_contact = {}, {}
        for hi, lo, first, last, closed, more, contacts, came, compared in plain["lines"]:
            kept = {int(contact): int(ts) for contact, ts in contacts}
            self.lines[hi, lo] = _Line(
                hi, lo, first, last, closed, kept, sorted(kept), more, set(came), compared
            )
            for contact in kept:
                self.with_contact.setdefault(contact, set()).add((hi, lo))

    def digest(self) -> str:
        """A digest of what is remembered."""
        return blake2b(repr(self.dump()).encode(), digest_size=16).hexdigest()

    def sizes(self) -> tuple[int, int, int]:
        """Lines, their bytes (about), and contacts left out."""
        contacts = sum(len(line.contacts) for line in self.lines.values())
        return len(self.lines), 400 * len(self.lines) + 350 * contacts, self.cut


def _overlap(a: _Line, b: _Line, count: int) -> tuple[float, float]:
    """Overlap coefficient and number shared, from what both kept below the smaller bound."""
    bound = min(a.bound, b.bound)
    if bound == _FULL:
        return count / min(len(a.ordered), len(b.ordered)), float(count)
    smaller = min(_below(a, bound), _below(b, bound))
    return min(1.0, count / smaller), count * (_FULL / bound)


def _below(line: _Line, bound: int) -> int:
    return sum(1 for contact in line.ordered if contact < bound)
