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
from itertools import combinations
from math import exp, isnan, log, nan
from operator import itemgetter
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
FEW: Final = 16
SOON_US: Final = duration("5m")
"""How often a number is compared whose contacts grow; while it has a few, at each new one."""
ALIKE: Final = 0.4
"""From this overlap on a line counts as alike."""
AGAIN_US: Final = duration("1h")
"""How often a number is compared that has no new contact; until then nothing is told of older lines."""
CAME: Final = 0.05
"""A line is one to which at least this share of its contacts came by themselves, with a call or a text."""
ONE_LIST: Final = 0.8
"""Two numbers that share so much of their lists, and a handset or most of their cells, are two phones of one line."""
KEPT_LIST: Final = 0.4
"""A line that comes back reaches at least this share of its old list (signal T12)."""
BY_CHANCE: Final = 0.2
"""What a line is taken to share by chance, at the least, with one of its town that has a list of the usual length."""
USUAL_LIST: Final = 80.0
"""Customers of a line: the median of what is known of lists (68 to 2,000); the longer the list, the more by chance."""
MOST_BY_CHANCE: Final = 0.6
HAND_OVER_US: Final = duration("48h")
"""An announced change: the old number falls silent within so long of the new one's beginning (signal T13)."""
LAUNCH_US: Final = duration("30m")
"""Whom a number texts this soon after its first use, it had on a list before."""
CANDIDATES: Final = 8
"""So many older lines are looked at closely: those with the most contacts in common."""
CELLS: Final = 12
"""Cells of a line that are kept, with how often it was there."""

_FULL: Final = 1 << 64
_WATCHED_LINE: Final = int(Flag.WATCHED_LINE)
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_HANDSETS: Final = 4
_AT_MOST: Final = 3.0
"""Silence alone is never surer than twenty to one: a phone is lost, or switched off."""
_TIMES_LONGER: Final = 4.0
_EACH: Final = 2.2
"""One contact in common, of four in five under one list against three in ten by chance."""
_SAME_HANDSET: Final = 5.0
_SAME_PLACES: Final = (2.2, -2.0)
"""A line is held where it was held before: of those that come back four in five are used mostly in the old cells, of
other lines hardly one in ten (natural logarithms, for all records and for none)."""
_MOSTLY: Final = 0.6
_JUST_THEN: Final = ((duration("3d"), 2.9), (duration("14d"), 0.5), (duration("45d"), -0.5))
"""Ended so long before the new number began: nine in ten of those it replaces, and one in twenty of all lines (a line
lives for some ninety days) end within three days of it. Longer ago it is the other way round."""
_LONG_AGO: Final = -1.5
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
        (
            "evidence",
            "how much likelier so many contacts in common are with the older line's list than by chance (natural logarithm)",
            "",
            "",
        ),
        (
            "timing",
            "how much likelier the older line's silence is if this number took its place (natural logarithm)",
            "",
            "",
        ),
        (
            "missed",
            "records the older line would have made since it was last heard of, by its own hours",
            "",
            "",
        ),
        ("handset", "it is used in a handset of the older line's (1 yes, 0 no)", "", ""),
        ("places", "share of its records in cells where the older line was used", "share", ""),
        ("lead", "by how much all this is above that of the next line (natural logarithm)", "", ""),
        (
            "announced",
            "contacts of the older line's that it texted within half an hour of its first use",
            "",
            "",
        ),
    ],
)
_COLUMNS: Final = 20


@dataclass(frozen=True)
class ContactSketches(Network):
    """The declaration: `contacts.overlap`, `.shared`, `.mine`, `.theirs`, `.silence`, `.retired`, `.closed`, `.after`, `.known_for`, `.alike`, `.of_mine`, `.ahead`, `.came`, `.evidence`, `.timing`, `.missed`, `.handset`, `.places`, `.lead`, `.announced`.

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
    hours: list[int] = field(default_factory=lambda: [0] * 24)  # records by the hour of the day (UTC)
    handsets: list[int] = field(default_factory=list)  # the last it was used in
    cells: dict[int, int] = field(default_factory=dict)  # where it was used most, and how often
    launched: set[int] = field(default_factory=set)  # whom it texted within half an hour of its first use

    def used(self, ts: int, handset: int, cell: int) -> None:
        """Take in that it was used: when, in what and where."""
        self.hours[ts // _HOUR_US % 24] += 1
        if handset and handset not in self.handsets:
            self.handsets = [*self.handsets[1 - _HANDSETS :], handset]
        if cell:
            self.cells[cell] = self.cells.get(cell, 0) + 1
            if len(self.cells) > CELLS:
                del self.cells[min(self.cells, key=lambda each: (each == cell, self.cells[each], each))]

    def missed(self, ts: int) -> float:
        """How many records it would have made since it was last heard of, by its own hours."""
        made = sum(self.hours)
        whole, rest = divmod(max(0, ts - self.last), _DAY_US)
        expected, at, end = float(whole * made), self.last, self.last + rest
        while at < end:
            until = min(end, at - at % _HOUR_US + _HOUR_US)
            expected += self.hours[at // _HOUR_US % 24] * (until - at) / _HOUR_US
            at = until
        return expected / max(1.0, (self.last - self.first) / _DAY_US)

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


_Key = tuple[int, int]


class _Common:
    """How many contacts any two lines have in common, kept as contacts come and go; a hub's lines share nothing by it."""

    def __init__(self) -> None:
        self._counts: dict[_Key, dict[_Key, int]] = {}

    def most(self, hi: int, lo: int) -> list[tuple[_Key, int]]:
        """The lines that share contacts with one, those with the most first."""
        return sorted(self._counts.get((hi, lo), {}).items(), key=itemgetter(1), reverse=True)

    def come(self, line: _Key, others: set[_Key]) -> None:
        """A contact of these others becomes one of a line's too."""
        if len(others) < HUB:
            for other in others:
                self._change(line, other, 1)
        elif len(others) == HUB:  # now it is a hub
            self.count(others, -1)

    def go(self, line: _Key, others: set[_Key]) -> None:
        """A contact of these others is a line's no longer."""
        if len(others) < HUB:
            for other in others:
                self._change(line, other, -1)
        elif len(others) == HUB:  # it was a hub until now
            self.count(others)

    def count(self, lines: set[_Key], by: int = 1) -> None:
        """These lines share a contact (or, by -1, do not any more), unless there are too many of them."""
        if len(lines) <= HUB:
            for one, other in combinations(lines, 2):
                self._change(one, other, by)

    def _change(self, one: _Key, other: _Key, by: int) -> None:
        for mine, theirs in ((one, other), (other, one)):
            counts = self._counts.setdefault(mine, {})
            counts[theirs] = now = counts.get(theirs, 0) + by
            if not now:
                del counts[theirs]
                if not counts:
                    del self._counts[mine]


class ContactState:
    """What is remembered of lines."""

    def __init__(self, related_from: float) -> None:
        self.related_from = related_from
        self.lines: dict[tuple[int, int], _Line] = {}
        self.with_contact: dict[int, set[tuple[int, int]]] = {}
        self.common = _Common()
        self.now = 0
        self.pruned = 0
        self.cut = 0

    # ---------------------------------------------------------------------------------------------------------- taking

    def take(self, rows: Rows, carried: Carried) -> Told:
        """Take edges in the one order; gives what each shares with an older line."""
        values = np.full((len(rows), _COLUMNS), np.nan)
        related: dict[int, tuple[Named, ...]] = {}
        names = (
            "own_hi",
            "own_lo",
            "other_hi",
            "other_lo",
            "ts",
            "kind",
            "flags",
            "role",
            "device_lo",
            "place_lo",
        )
        for i, (hi, lo, other_hi, other_lo, ts, kind, flags, role, device, place) in enumerate(
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
            if kind in _SPEECH:
                line.used(ts, device, place)
                if other_hi or other_lo:
                    self._add(line, other_lo, ts, came=role == Role.IN)
                    texted = role == Role.OUT and kind != Kind.CALL and other_lo in line.contacts
                    if texted and ts - line.first <= LAUNCH_US:
                        line.launched.add(other_lo)
            since = ts - line.compared
            more = len(line.contacts) > known and (known < FEW or since >= SOON_US)
            if (more or since >= AGAIN_US) and ts - line.first <= NEW_US:
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
        sharing = self.with_contact.setdefault(contact, set())
        self.common.come((line.hi, line.lo), sharing)
        sharing.add((line.hi, line.lo))
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
        self.common.go((line.hi, line.lo), sharing)
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
        out[9] = out[0] = out[1] = out[10] = out[13] = 0.0
        candidates = self._candidates(line)
        if not candidates:
            return None
        weights, upto = self._weights(line)
        found = [self._like(line, other, count, weights, upto, ts) for count, other in candidates]
        out[9] = sum(each.overlap >= ALIKE for each in found)
        best = max(found, key=lambda each: (each.sum, each.other.first, each.other.hi, each.other.lo))
        others = [
            each
            for each in found
            if each is not best
            and not self._earlier(each.other, best.other)
            and not self._one_line(each.other, best.other)
        ]
        evidence, each_contact = _evidence(best.count, best.among, _chance(best.other, others))
        other, closed = best.other, bool(best.other.closed) and best.other.closed <= ts
        silence = max(0, ts - other.last)
        out[0], out[1], out[3], out[4] = best.overlap, best.shared, other.size, silence / _HOUR_US
        out[5], out[6] = float(closed or silence >= SILENT_US), float(closed)
        out[7] = (line.first - other.last) / _HOUR_US
        out[10], out[11] = best.of_mine, best.of_mine - self._next(best, found)
        out[13], out[14], out[15] = evidence, best.timing, best.missed
        out[16], out[17] = float(best.handset), best.places
        rivals = (best.side - each.side + (best.count - each.count) * each_contact for each in others)
        out[18] = min(rivals, default=evidence + best.side)
        out[19] = len(line.launched & other.contacts.keys())
        return other

    def _candidates(self, line: _Line) -> list[tuple[int, _Line]]:
        """The older lines with the most contacts in common, and how many."""
        latest = line.first - OLDER_US
        most: list[tuple[int, _Line]] = []
        for key, count in self.common.most(line.hi, line.lo):
            if len(most) >= CANDIDATES and count < most[CANDIDATES - 1][0]:
                break
            other = self.lines[key]
            if other.first <= latest and self._is_line(other):
                most.append((count, other))
        most.sort(key=lambda each: (-each[0], -each[1].last, each[1].hi, each[1].lo))
        return most[:CANDIDATES]

    def _weights(self, line: _Line) -> tuple[list[tuple[int, float]], list[float]]:
        """What each of its contacts counts, those of many lines less; and their sums below each place."""
        weights, upto, total = [], [0.0], 0.0
        for contact in line.ordered:
            sharing = len(self.with_contact[contact])
            if sharing <= HUB:
                weight = 1.0 / max(1, sharing - 1)
                total += weight
                if sharing > 1:
                    weights.append((contact, weight))
            upto.append(total)
        return weights, upto

    def _like(
        self,
        line: _Line,
        other: _Line,
        count: int,
        weights: list[tuple[int, float]],
        upto: list[float],
        ts: int,
    ) -> "_Likeness":
        """What speaks for this older line's being the one that came back."""
        weighed = 0.0
        for contact, weight in weights:
            if contact in other.contacts:
                weighed += weight
        overlap, shared = _overlap(line, other, count)
        place = bisect_left(line.ordered, min(line.bound, other.bound))
        whole = upto[place]
        missed = other.missed(ts)
        return _Likeness(
            other=other,
            count=count,
            among=place,
            overlap=overlap,
            shared=shared,
            of_mine=min(1.0, weighed / whole) if whole else 0.0,
            timing=_timing(line, other, missed, ts),
            missed=missed,
            handset=not set(line.handsets).isdisjoint(other.handsets),
            places=_held_in(line, other),
        )

    def _earlier(self, one: _Line, other: _Line) -> bool:
        """Whether one ended as the other began, with the same contacts: an earlier number of the same line."""
        if one.last > other.first + HAND_OVER_US or one.first > other.first:
            return False
        return _have_one_list(one, other, ALIKE)

    def _one_line(self, one: _Line, other: _Line) -> bool:
        """Whether both are phones of one line, so that either is the right one: one list, one handset or the same cells."""
        mostly = _held_in(one, other) >= _MOSTLY and _held_in(other, one) >= _MOSTLY
        if not mostly and set(one.handsets).isdisjoint(other.handsets):
            return False
        return _have_one_list(one, other, ONE_LIST)

    def _is_line(self, line: _Line) -> bool:
        """Whether its contacts came to it by themselves, or somebody who knows has said that it is a line."""
        return bool(line.closed) or line.came_share >= CAME

    def _next(self, best: "_Likeness", found: "list[_Likeness]") -> float:
        """How much of its contacts the next line has that is another than the best: with a list of its own."""
        for each in sorted(found, key=lambda each: -each.of_mine):
            if each is best:
                continue
            common = len(best.other.contacts.keys() & each.other.contacts.keys())
            if not common or _overlap(best.other, each.other, common)[0] < ALIKE:
                return each.of_mine
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
                    line.hours,
                    line.handsets,
                    list(line.cells.items()),
                    sorted(line.launched),
                ]
                for _, line in sorted(self.lines.items())
            ],
        }

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state."""
        self.now, self.pruned, self.cut = plain["now"], plain["pruned"], plain["cut"]
        self.lines, self.with_contact = {}, {}
        for hi, lo, first, last, closed, more, contacts, came, compared, *used in plain["lines"]:
            kept = {int(contact): int(ts) for contact, ts in contacts}
            hours, handsets, cells, launched = used
            self.lines[hi, lo] = _Line(
                hi, lo, first, last, closed, kept, sorted(kept), more, set(came), compared,
                list(hours), list(handsets), {int(cell): int(n) for cell, n in cells}, set(launched),
            )  # fmt: skip
            for contact in kept:
                self.with_contact.setdefault(contact, set()).add((hi, lo))
        self.common = _Common()
        for sharing in self.with_contact.values():
            self.common.count(sharing)

    def digest(self) -> str:
        """A digest of what is remembered."""
        return blake2b(repr(self.dump()).encode(), digest_size=16).hexdigest()

    def sizes(self) -> tuple[int, int, int]:
        """Lines, their bytes (about), and contacts left out."""
        contacts = sum(len(line.contacts) for line in self.lines.values())
        return len(self.lines), 2_000 * len(self.lines) + 350 * contacts, self.cut


@dataclass(frozen=True, slots=True)
class _Likeness:
    """What speaks for an older line's being the one that came back under a new number."""

    other: _Line
    count: int  # contacts in common, of those kept
    among: int  # so many of the new number's contacts could be
    overlap: float
    shared: float
    of_mine: float
    timing: float
    missed: float
    handset: bool
    places: float

    @property
    def share(self) -> float:
        """The share of the new number's contacts that are this line's, guarded against small numbers."""
        return (self.count + 0.5) / (self.among + 2)

    @property
    def side(self) -> float:
        """All the evidence beside contacts."""
        there, elsewhere = _SAME_PLACES
        places = (
            0.0 if isnan(self.places) else elsewhere + min(1.0, self.places / _MOSTLY) * (there - elsewhere)
        )
        return self.timing + _SAME_HANDSET * self.handset + places

    @property
    def sum(self) -> float:
        """By which lines are ranked."""
        return self.count * _EACH + self.side


def _held_in(one: _Line, other: _Line) -> float:
    """The share of a number's records that lie in cells where another was used; nan where cells of both are not known."""
    if not one.cells or not other.cells:
        return nan
    return sum(n for cell, n in one.cells.items() if cell in other.cells) / sum(one.cells.values())


def _have_one_list(one: _Line, other: _Line, least: float) -> bool:
    """Whether two numbers share at least so much of their lists."""
    common = len(one.contacts.keys() & other.contacts.keys())
    return bool(common) and _overlap(one, other, common)[0] >= least


def _chance(line: _Line, others: list[_Likeness]) -> float:
    """The share of a number's contacts that this line has by chance, by what others there have and how long its list is."""
    size = max(1.0, line.size)
    usual = min(MOST_BY_CHANCE, BY_CHANCE * max(1.0, size / USUAL_LIST))
    return max(
        [usual, *(each.share * min(_TIMES_LONGER, size / max(1.0, each.other.size)) for each in others)]
    )


def _evidence(count: int, among: int, chance: float) -> tuple[float, float]:
    """The likelihood ratio (natural logarithm) of a shared list against chance; and what each contact more adds."""
    share = min(0.9, max(KEPT_LIST, count / among)) if among else KEPT_LIST
    if share <= chance:
        return 0.0, 0.0
    shared, not_shared = log(share / chance), log((1 - share) / (1 - chance))
    return max(0.0, count * shared + (among - count) * not_shared), shared - not_shared


def _timing(line: _Line, other: _Line, missed: float, ts: int) -> float:
    """How much likelier (natural logarithm) the older line's silence is if the new number took its place."""
    closed = bool(other.closed) and other.closed <= ts
    over = other.last - line.first - HAND_OVER_US
    if over > 0 and not closed:
        return -min(6.0, 1.0 + over / (6 * _HOUR_US))  # it goes on working: nobody took its place
    alive = 0.0 if closed else exp(-missed)
    ended = (closed and other.closed) or other.last
    then = next((weight for within, weight in _JUST_THEN if line.first - ended <= within), _LONG_AGO)
    return -log(max(exp(-_AT_MOST), alive)) + (1.0 - alive) * then


def _overlap(a: _Line, b: _Line, count: int) -> tuple[float, float]:
    """Overlap coefficient and number shared, from what both kept below the smaller bound."""
    bound = min(a.bound, b.bound)
    if bound == _FULL:
        return count / min(len(a.ordered), len(b.ordered)), float(count)
    smaller = min(_below(a, bound), _below(b, bound))
    return min(1.0, count / smaller), count * (_FULL / bound)


def _below(line: _Line, bound: int) -> int:
    return sum(1 for contact in line.ordered if contact < bound)
