"""Visits to places against a slow count, and the same however they are fed or kept."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.place_visits import PlaceVisits
from features.rows import Rows, empty_rows

HOUR = 3_600_000_000
HALF = HOUR // 2
START = 1_772_323_200_000_000  # a midnight
VISITS = PlaceVisits(customer_of="line", line_like="is_line", courier_like="is_courier", ordinary="visitors")
COLUMN = {name.partition(".")[2]: i for i, name in enumerate(VISITS.told)}

SEEN = st.lists(
    st.tuples(
        st.integers(0, 50),  # tenths of an hour since the one before
        st.integers(1, 9),  # whose phone
        st.sampled_from([0, 1, 2, 3]),  # the cell
    ),
    max_size=60,
)
LINE_OF = {1: 8.0, 2: 8.0, 3: 8.0, 4: 9.0, 5: math.nan}
"""Customers of line 8 and of line 9; 6 and 7 are couriers; 8 and 9 are lines."""
CARRIED = LINE_OF | {6: 8.0, 7: 9.0}
"""What the rows carry: a courier was in contact with its line too, and is no customer for that."""


def rows_of(seen: list[tuple[int, int, int]]) -> tuple[Rows, dict[str, Any]]:
    rows, now = empty_rows(len(seen)), START
    for i, (gap, who, cell) in enumerate(seen):
        now += gap * gap * HOUR // 100
        rows[i]["seq"], rows[i]["ts"], rows[i]["place_lo"] = i, now, cell
        rows[i]["own_hi"], rows[i]["own_lo"] = 4, who
    whose = np.array([who for _, who, _ in seen], dtype=np.int64)
    return rows, {
        "line": np.array([CARRIED.get(int(who), math.nan) for who in whose]),
        "is_line": np.isin(whose, [8, 9]).astype(np.float64),
        "is_courier": np.isin(whose, [6, 7]).astype(np.float64),
        "visitors": np.full(len(seen), 12.0),
    }


class Slow:
    """Everything seen so far, counted again on every row."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, int]] = []  # half hour, who, cell

    def take(self, ts: int, who: int, cell: int) -> dict[str, float]:
        now = ts // HALF
        if not cell:
            return {}
        self.seen.append((now, who, cell))
        week = {each for each in self.seen if each[0] > now - 7 * 48}
        told: dict[str, float] = {}
        if LINE_OF.get(who, math.nan) > 0:
            of_line = {e for e in week if LINE_OF.get(e[1]) == LINE_OF[who]}
            here = {e for e in of_line if e[2] == cell}
            people = {e[1] for e in here}
            told |= {
                "customers_7d": len(people), "visits_7d": len(here), "days_7d": len({e[0] // 48 for e in here}),
                "share_7d": len(here) / len(of_line), "per_customer_7d": len(here) / len(people),
                "of_cell": len(people) / 12.0,
            }  # fmt: skip
        nightly = {
            e[1]
            for e in week
            if e[1] >= 6
            and e[2] == cell
            and datetime.fromtimestamp(e[0] * 1800, UTC).hour in (22, 23, 0, 1, 2, 3, 4, 5)
        }
        told["staying_7d"] = len(nightly)
        if who >= 6:
            other_sort = (6, 7) if who >= 8 else (8, 9)
            met = {
                other: {e for e in week if e[1] == who and (e[0], other, e[2]) in week}
                for other in other_sort
            }
            most = max(met, key=lambda other: (len({e[0] for e in met[other]}), other))
            told["together_7d"] = len({e[0] for e in met[most]})
            told["together_cells_7d"] = len({e[2] for e in met[most]})
        return told


@settings(max_examples=80, deadline=None, derandomize=True)
@given(seen=SEEN)
def test_every_column_is_what_a_slow_count_says(seen: list[tuple[int, int, int]]) -> None:
    rows, carried = rows_of(seen)
    told = VISITS.begin().take(rows, carried).values
    slow = Slow()
    for i, (_, who, cell) in enumerate(seen):
        expected = slow.take(int(rows[i]["ts"]), who, cell)
        for name, column in COLUMN.items():
            assert told[i, column] == pytest.approx(expected.get(name, math.nan), nan_ok=True), (i, name)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seen=SEEN, cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_batches_and_restarts_change_nothing(seen: list[Any], cuts: list[int]) -> None:
    rows, carried = rows_of(seen)
    whole = VISITS.begin()
    expected = whole.take(rows, carried)
    state, parts, at, related = VISITS.begin(), [np.zeros((0, len(COLUMN)))], 0, {}
    while at < len(rows):
        end = min(len(rows), at + cuts[at % len(cuts)])
        told = state.take(rows[at:end], {k: c[at:end] for k, c in carried.items()})
        parts.append(told.values)
        related |= {at + i: who for i, who in told.related.items()}
        kept, state, at = state.dump(), VISITS.begin(), end
        state.load(kept)
    assert np.array_equal(np.concatenate(parts), expected.values, equal_nan=True)
    assert related == expected.related
    assert state.digest() == whole.digest()


def test_the_line_is_named_once_its_own_phone_was_seen() -> None:
    rows, carried = rows_of([(0, 1, 2), (1, 8, 3), (1, 2, 2)])
    told = VISITS.begin().take(rows, carried)
    assert told.related == {2: (("number", 4, 8),)}


def test_memory_follows_the_week() -> None:
    state, sizes = VISITS.begin(), []
    for week in range(6):
        rows, carried = rows_of([(3, 1 + n % 9, 1 + n % 3) for n in range(400)])
        rows["ts"] += week * 14 * 24 * HOUR
        state.take(rows, carried)
        sizes.append(state.sizes()[1])
    assert sizes[-1] == sizes[1]
