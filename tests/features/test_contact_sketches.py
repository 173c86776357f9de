"""Contact sketches against whole sets, and the same however they are fed or kept."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contact_sketches import FEW, KEPT, ContactSketches
from features.rows import Flag, Kind, Role, Rows, empty_rows

HOUR = 3_600_000_000
START = 1_771_999_200_000_000  # on the hour
CONTACTS = ContactSketches()
COLUMN = {name.partition(".")[2]: i for i, name in enumerate(CONTACTS.told)}

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 60),  # hours since the one before
        st.integers(1, 5),  # the number
        st.integers(1, 12),  # in contact with
        st.sampled_from([Kind.SMS, Kind.CALL, Kind.WATCH, Kind.DATA]),
        st.sampled_from([Role.IN, Role.OUT]),
        st.integers(0, 2),  # in which handset; 0: nobody says
        st.integers(0, 3),  # in which cell
    ),
    max_size=60,
)
Event = tuple[int, int, int, Kind, Role] | tuple[int, int, int, Kind, Role, int, int]


def token(n: int) -> int:
    """As a token is: a keyed digest, so that its smallest are a fair sample."""
    return int.from_bytes(hashlib.blake2b(str(n).encode(), digest_size=8).digest(), "big")


def rows_of(events: Sequence[Event]) -> Rows:
    rows, now = empty_rows(len(events)), START
    for i, (gap, own, other, kind, role, *used) in enumerate(events):
        now += gap * HOUR
        rows[i]["seq"], rows[i]["ts"], rows[i]["kind"], rows[i]["role"] = i, now, kind, role
        rows[i]["own_hi"], rows[i]["own_lo"] = 1, own
        rows[i]["flags"] = Flag.WATCHED_LINE if kind == Kind.WATCH else 0
        if kind in (Kind.SMS, Kind.CALL):
            rows[i]["other_lo"] = token(other)
        if used:
            rows[i]["device_lo"], rows[i]["place_lo"] = used
    return rows


class Slow:
    """Whole sets, compared with everybody on every row."""

    def __init__(self) -> None:
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.closed: dict[int, int] = {}
        self.contacts: dict[int, set[int]] = {}
        self.came: dict[int, set[int]] = {}
        self.compared: dict[int, int] = {}
        self.used: dict[int, list[tuple[int, int, int]]] = {}  # when, in which handset, in which cell
        self.launched: dict[int, set[int]] = {}

    def overlap(self, a: int, b: int) -> float:
        common = self.contacts[a] & self.contacts[b]
        return len(common) / min(len(self.contacts[a]), len(self.contacts[b]))

    def of_mine(self, own: int, older: int) -> float:
        """Each contact counts the less, the more lines know it."""
        weights = {
            c: 1 / max(1, sum(c in known for known in self.contacts.values()) - 1) for c in self.contacts[own]
        }
        return sum(weights[c] for c in self.contacts[own] & self.contacts[older]) / sum(weights.values())

    def missed(self, older: int, ts: int) -> float:
        """Hour by hour, what it made at this hour of the day before."""
        first, last = self.first[older], self.last[older]
        hours = [at // HOUR % 24 for at in range(last, ts, HOUR)]
        made = [when // HOUR % 24 for when, *_ in self.used.get(older, [])]
        return sum(made.count(hour) for hour in hours) / max(1.0, (last - first) / (24 * HOUR))

    def timing(self, own: int, older: int, ts: int) -> float:
        closed, last = self.closed.get(older), self.last[older]
        if closed is None and last > self.first[own] + 48 * HOUR:
            return -min(6.0, 1 + (last - self.first[own] - 48 * HOUR) / (6 * HOUR))
        alive = 0.0 if closed else math.exp(-self.missed(older, ts))
        days = (self.first[own] - (closed or last)) / (24 * HOUR)
        then = 2.9 if days <= 3 else 0.5 if days <= 14 else -0.5 if days <= 45 else -1.5
        return (3.0 if closed else min(3.0, self.missed(older, ts))) + (1 - alive) * then

    def handset(self, own: int, older: int) -> bool:
        own_ones, older_ones = ({h for _, h, _ in self.used.get(k, []) if h} for k in (own, older))
        return bool(own_ones & older_ones)

    def places(self, own: int, older: int) -> float:
        own_ones, older_ones = ([c for *_, c in self.used.get(k, []) if c] for k in (own, older))
        return sum(c in older_ones for c in own_ones) / len(own_ones) if own_ones and older_ones else math.nan

    def side(self, own: int, older: int, ts: int) -> float:
        places = self.places(own, older)
        there = 0.0 if math.isnan(places) else -2.0 + 4.2 * min(1.0, places / 0.6)
        return self.timing(own, older, ts) + 5.0 * self.handset(own, older) + there

    def shared(self, own: int, older: int) -> int:
        return len(self.contacts[own] & self.contacts[older])

    def evidence(self, own: int, older: int, others: list[int]) -> tuple[float, float]:
        """Of the shared list against chance; and of each contact more."""
        count, among, size = self.shared(own, older), len(self.contacts[own]), len(self.contacts[older])
        chances = [
            (self.shared(own, k) + 0.5) / (among + 2) * min(4.0, size / len(self.contacts[k])) for k in others
        ]
        chance = max([0.2, *chances])  # no list here is longer than usual
        share = min(0.9, max(0.4, count / among))
        if share <= chance:
            return 0.0, 0.0
        yes, no = math.log(share / chance), math.log((1 - share) / (1 - chance))
        return max(0.0, count * yes + (among - count) * no), yes - no

    def one_line(self, one: int, other: int) -> bool:
        """Whether they are two phones of one line: nearly one list, and one handset or mostly the same cells."""
        common = len(self.contacts[one] & self.contacts[other])
        if not common or common / min(len(self.contacts[one]), len(self.contacts[other])) < 0.8:
            return False
        cells = {k: [cell for _, _, cell in self.used.get(k, []) if cell] for k in (one, other)}
        alike = [
            sum(cell in cells[b] for cell in cells[a]) / max(1, len(cells[a]))
            for a, b in ((one, other), (other, one))
        ]
        return self.handset(one, other) or min(alike) >= 0.6

    def earlier(self, one: int, other: int) -> bool:
        """Whether it is an earlier number of the same line."""
        ended = self.first[one] <= self.first[other] and self.last[one] <= self.first[other] + 48 * HOUR
        return ended and bool(self.contacts[one] & self.contacts[other]) and self.overlap(one, other) >= 0.4

    def take(
        self, ts: int, own: int, other: int, kind: Kind, role: Role, handset: int, cell: int
    ) -> dict[str, Any] | None:
        self.first.setdefault(own, ts)
        self.last.setdefault(own, ts)
        mine = self.contacts.setdefault(own, set())
        came = self.came.setdefault(own, set())
        if kind == Kind.WATCH:
            self.closed[own] = ts
            return None
        self.last[own] = ts
        known = len(mine)
        if kind in (Kind.SMS, Kind.CALL):
            self.used.setdefault(own, []).append((ts, handset, cell))
            mine.add(other)
            if role == Role.IN:
                came.add(other)
            elif kind == Kind.SMS and ts == self.first[own]:
                self.launched.setdefault(own, set()).add(other)
        told: dict[str, Any] = {"mine": len(mine), "known_for": (ts - self.first[own]) / (24 * HOUR)}
        told["came"] = len(came) / len(mine) if mine else 0.0
        due = len(mine) > known or ts - self.compared.get(own, 0) >= HOUR
        if not due or ts - self.first[own] > 45 * 24 * HOUR:
            return told
        self.compared[own] = ts
        found = [
            k
            for k in self.first
            if k != own and self.first[k] + 24 * HOUR <= self.first[own]
            if mine & self.contacts[k] and (k in self.closed or self.came[k])
        ]
        told |= {"overlap": 0.0, "of_mine": 0.0, "evidence": 0.0, "shared": 0.0}
        told["alike"] = sum(self.overlap(own, k) >= 0.4 for k in found)
        if found:
            told |= self.of_best(own, found, ts)
        return told

    def of_best(self, own: int, found: list[int], ts: int) -> dict[str, Any]:
        ranks = {k: (2.2 * self.shared(own, k) + self.side(own, k, ts), self.first[k], k) for k in found}
        best = max(found, key=lambda k: ranks[k])
        others = [k for k in found if k != best and not self.earlier(k, best) and not self.one_line(k, best)]
        evidence, each = self.evidence(own, best, others)
        leads = [
            self.side(own, best, ts) - self.side(own, k, ts) + each * (self.shared(own, best) - self.shared(own, k))
            for k in others
        ]  # fmt: skip
        unlike = [self.of_mine(own, k) for k in found if k != best and self.overlap(best, k) < 0.4]
        silence = (ts - self.last[best]) / HOUR
        return {
            "of_mine": self.of_mine(own, best), "overlap": self.overlap(own, best), "shared": self.shared(own, best),
            "theirs": len(self.contacts[best]), "silence": silence, "closed": float(best in self.closed),
            "retired": float(best in self.closed or silence >= 48), "which": best,
            "after": (self.first[own] - self.last[best]) / HOUR, "ahead": self.of_mine(own, best) - max(unlike, default=0.0),
            "evidence": evidence, "timing": self.timing(own, best, ts), "missed": self.missed(best, ts),
            "handset": float(self.handset(own, best)), "places": self.places(own, best),
            "lead": min(leads, default=evidence + self.side(own, best, ts)),
            "announced": len(self.launched.get(own, set()) & self.contacts[best]),
        }  # fmt: skip


@settings(max_examples=80, deadline=None, derandomize=True)
@given(events=EVENTS)
def test_every_column_is_what_whole_sets_say(events: list[Any]) -> None:
    rows = rows_of(events)
    told = CONTACTS.begin().take(rows, {})
    slow = Slow()
    for i, (_, own, other, kind, role, handset, cell) in enumerate(events):
        expected = slow.take(int(rows[i]["ts"]), own, other, kind, role, handset, cell)
        if expected is None:
            assert np.isnan(told.values[i]).all()
            continue
        which = expected.pop("which", None)
        for name, column in COLUMN.items():
            assert told.values[i, column] == pytest.approx(expected.get(name, math.nan), nan_ok=True), (
                i,
                name,
            )
        named = (("number", 1, which),) if which and expected["overlap"] >= 0.2 else ()
        assert told.related.get(i, ()) == named


@settings(max_examples=30, deadline=None, derandomize=True)
@given(events=EVENTS, cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_batches_and_restarts_change_nothing(events: list[Any], cuts: list[int]) -> None:
    rows = rows_of(events)
    whole = CONTACTS.begin()
    expected = whole.take(rows, {})
    state, parts, at = CONTACTS.begin(), [np.zeros((0, len(COLUMN)))], 0
    while at < len(rows):
        end = min(len(rows), at + cuts[at % len(cuts)])
        parts.append(state.take(rows[at:end], {}).values)
        kept, state, at = state.dump(), CONTACTS.begin(), end
        state.load(kept)
    assert np.array_equal(np.concatenate(parts), expected.values, equal_nan=True)
    assert state.digest() == whole.digest()


def test_a_long_list_is_sampled_and_its_overlap_still_told_nearly_right() -> None:
    old = [(0, 1, n, Kind.SMS, Role.IN) for n in range(2_000)]
    new = [
        ({0: 72, 199: 1}.get(n, 0), 2, 1_900 + n, Kind.SMS, Role.OUT) for n in range(200)
    ]  # half of them the old line's
    told = CONTACTS.begin().take(rows_of([*old, *new]), {}).values[-1]
    assert told[COLUMN["theirs"]] == pytest.approx(2_000, rel=0.15)
    assert told[COLUMN["mine"]] == 200
    assert told[COLUMN["overlap"]] == pytest.approx(0.5, abs=0.2)
    assert told[COLUMN["retired"]] == 1.0


def test_memory_of_one_line_is_bounded() -> None:
    state = CONTACTS.begin()
    state.take(rows_of([(0, 1, n, Kind.SMS, Role.IN) for n in range(3_000)]), {})
    ((*_, contacts, came, _, _, _, _, _),) = state.dump()["lines"]
    assert len(contacts) == len(came) == KEPT


def test_what_is_older_than_thirteen_months_is_gone() -> None:
    state = CONTACTS.begin()
    state.take(rows_of([(0, 1, 5, Kind.SMS, Role.IN), (24 * 401, 2, 6, Kind.SMS, Role.IN)]), {})
    assert [line[1] for line in state.dump()["lines"]] == [2]


def test_one_whom_nobody_ever_answers_is_no_older_line() -> None:
    texted = [(0, 1, n, Kind.SMS, Role.OUT) for n in range(100)]
    new = [({0: 72, 29: 1}.get(n, 0), 2, n, Kind.SMS, Role.OUT) for n in range(30)]
    told = CONTACTS.begin().take(rows_of([*texted, *new]), {})
    assert told.values[-1][COLUMN["overlap"]] == 0.0
    assert not told.related


def test_an_older_line_is_ahead_of_the_next_one_but_not_of_its_own_other_number() -> None:
    one = [(0, number, n, Kind.SMS, Role.IN) for number in (1, 2) for n in range(20)]  # two numbers, one list
    next_one = [(0, 3, n, Kind.SMS, Role.IN) for n in range(16, 40)]
    new = [({0: 72, 19: 1}.get(n, 0), 4, n, Kind.SMS, Role.OUT) for n in range(20)]
    told = CONTACTS.begin().take(rows_of([*one, *next_one, *new]), {})
    values = dict(zip(COLUMN, told.values[-1], strict=True))
    assert values["of_mine"] == 1.0
    assert 0.8 < values["ahead"] < 1.0
    assert told.related[len(told.values) - 1] == (("number", 1, 2),)  # the latest, of two that are alike


def test_a_confirmed_line_counts_as_closed() -> None:
    state = CONTACTS.begin()
    rows = rows_of([(0, 1, 5, Kind.SMS, Role.OUT), (30, 2, 5, Kind.SMS, Role.OUT)])
    state.take(rows[:1], {})
    state.close(("number", 1, 1), START)
    told = state.take(rows[1:], {}).values[-1]
    assert told[COLUMN["closed"]] == told[COLUMN["retired"]] == 1.0


def test_a_number_whose_contacts_grow_is_compared_every_few_minutes() -> None:
    old = [(0, 1, n, Kind.SMS, Role.IN) for n in range(40)]
    new = [({0: 72, 39: 1}.get(n, 0), 2, n, Kind.SMS, Role.OUT) for n in range(40)]
    shared = CONTACTS.begin().take(rows_of([*old, *new]), {}).values[40:, COLUMN["shared"]]
    assert shared[:FEW].tolist() == list(range(1, FEW + 1))
    assert np.isnan(shared[FEW:-1]).all()
    assert shared[-1] == 40


def test_an_older_number_that_goes_on_working_was_not_replaced() -> None:
    old = [(0, 1, n, Kind.SMS, Role.IN) for n in range(15)]
    new = [(72 if n == 0 else 0, 2, n, Kind.SMS, Role.OUT) for n in range(15)]
    still = [(60, 1, 3, Kind.SMS, Role.IN), (1, 2, 4, Kind.SMS, Role.OUT)]
    told = CONTACTS.begin().take(rows_of([*old, *new, *still]), {}).values[:, COLUMN["timing"]]
    assert told[29] > 0
    assert told[-1] < -2
