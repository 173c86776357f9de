"""Contact sketches against whole sets, and the same however they are fed or kept."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contact_sketches import KEPT, ContactSketches
from features.rows import Flag, Kind, Role, Rows, empty_rows

HOUR = 3_600_000_000
START = 1_772_000_000_000_000
CONTACTS = ContactSketches()
COLUMN = {name.partition(".")[2]: i for i, name in enumerate(CONTACTS.told)}

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 60),  # hours since the one before
        st.integers(1, 5),  # the number
        st.integers(1, 12),  # in contact with
        st.sampled_from([Kind.SMS, Kind.CALL, Kind.WATCH, Kind.DATA]),
        st.sampled_from([Role.IN, Role.OUT]),
    ),
    max_size=60,
)


def token(n: int) -> int:
    """As a token is: a keyed digest, so that its smallest are a fair sample."""
    return int.from_bytes(hashlib.blake2b(str(n).encode(), digest_size=8).digest(), "big")


def rows_of(events: list[tuple[int, int, int, Kind, Role]]) -> Rows:
    rows, now = empty_rows(len(events)), START
    for i, (gap, own, other, kind, role) in enumerate(events):
        now += gap * HOUR
        rows[i]["seq"], rows[i]["ts"], rows[i]["kind"], rows[i]["role"] = i, now, kind, role
        rows[i]["own_hi"], rows[i]["own_lo"] = 1, own
        rows[i]["flags"] = Flag.WATCHED_LINE if kind == Kind.WATCH else 0
        if kind in (Kind.SMS, Kind.CALL):
            rows[i]["other_lo"] = token(other)
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

    def overlap(self, a: int, b: int) -> float:
        common = self.contacts[a] & self.contacts[b]
        return len(common) / min(len(self.contacts[a]), len(self.contacts[b]))

    def of_mine(self, own: int, older: int) -> float:
        """Each contact counts the less, the more lines know it."""
        weights = {
            c: 1 / max(1, sum(c in known for known in self.contacts.values()) - 1) for c in self.contacts[own]
        }
        return sum(weights[c] for c in self.contacts[own] & self.contacts[older]) / sum(weights.values())

    def take(self, ts: int, own: int, other: int, kind: Kind, role: Role) -> dict[str, Any] | None:
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
            mine.add(other)
            if role == Role.IN:
                came.add(other)
        told: dict[str, Any] = {"mine": len(mine), "known_for": (ts - self.first[own]) / (24 * HOUR)}
        told["came"] = len(came) / len(mine) if mine else 0.0
        due = len(mine) > known or ts - self.compared.get(own, 0) >= HOUR
        if not due or ts - self.first[own] > 45 * 24 * HOUR:
            return told
        self.compared[own] = ts
        found = {
            k: (self.of_mine(own, k), self.overlap(own, k), len(mine & self.contacts[k]))
            for k in self.first
            if k != own and self.first[k] + 24 * HOUR <= self.first[own]
            if mine & self.contacts[k] and (k in self.closed or self.came[k])
        }
        told |= {
            "overlap": 0.0,
            "shared": 0.0,
            "of_mine": 0.0,
            "alike": sum(o >= 0.4 for _, o, _ in found.values()),
        }
        if found:
            ranked = sorted(found, key=lambda k: (*found[k], self.first[k], k), reverse=True)
            best = ranked[0]
            others = [found[k][0] for k in ranked[1:] if self.overlap(best, k) < 0.4]
            silence = (ts - self.last[best]) / HOUR
            told |= {
                "of_mine": found[best][0], "overlap": found[best][1], "shared": found[best][2], "theirs": len(self.contacts[best]),
                "silence": silence, "closed": float(best in self.closed), "retired": float(best in self.closed or silence >= 48),
                "after": (self.first[own] - self.last[best]) / HOUR, "which": best,
                "ahead": found[best][0] - max(others, default=0.0),
            }  # fmt: skip
        return told


@settings(max_examples=80, deadline=None, derandomize=True)
@given(events=EVENTS)
def test_every_column_is_what_whole_sets_say(events: list[tuple[int, int, int, Kind, Role]]) -> None:
    rows = rows_of(events)
    told = CONTACTS.begin().take(rows, {})
    slow = Slow()
    for i, (_, own, other, kind, role) in enumerate(events):
        expected = slow.take(int(rows[i]["ts"]), own, other, kind, role)
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
        (72 if n == 0 else 0, 2, 1_900 + n, Kind.SMS, Role.OUT) for n in range(200)
    ]  # half of them the old line's
    told = CONTACTS.begin().take(rows_of([*old, *new]), {}).values[-1]
    assert told[COLUMN["theirs"]] == pytest.approx(2_000, rel=0.15)
    assert told[COLUMN["mine"]] == 200
    assert told[COLUMN["overlap"]] == pytest.approx(0.5, abs=0.2)
    assert told[COLUMN["retired"]] == 1.0


def test_memory_of_one_line_is_bounded() -> None:
    state = CONTACTS.begin()
    state.take(rows_of([(0, 1, n, Kind.SMS, Role.IN) for n in range(3_000)]), {})
    ((*_, contacts, came, _),) = state.dump()["lines"]
    assert len(contacts) == len(came) == KEPT


def test_what_is_older_than_thirteen_months_is_gone() -> None:
    state = CONTACTS.begin()
    state.take(rows_of([(0, 1, 5, Kind.SMS, Role.IN), (24 * 401, 2, 6, Kind.SMS, Role.IN)]), {})
    assert [line[1] for line in state.dump()["lines"]] == [2]


def test_one_whom_nobody_ever_answers_is_no_older_line() -> None:
    texted = [(0, 1, n, Kind.SMS, Role.OUT) for n in range(100)]
    new = [(72 if n == 0 else 0, 2, n, Kind.SMS, Role.OUT) for n in range(30)]
    told = CONTACTS.begin().take(rows_of([*texted, *new]), {})
    assert told.values[-1][COLUMN["overlap"]] == 0.0
    assert not told.related


def test_an_older_line_is_ahead_of_the_next_one_but_not_of_its_own_other_number() -> None:
    one = [(0, number, n, Kind.SMS, Role.IN) for number in (1, 2) for n in range(20)]  # two numbers, one list
    next_one = [(0, 3, n, Kind.SMS, Role.IN) for n in range(16, 40)]
    new = [(72 if n == 0 else 0, 4, n, Kind.SMS, Role.OUT) for n in range(20)]
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
