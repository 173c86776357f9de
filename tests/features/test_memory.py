"""What is kept of an entity: nothing of what never happened, and what is usual, against a slow obvious definition."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.declare import Catalogue, Of
from features.kernel import usual_values
from features.program import GRAIN, compile_program
from features.rows import Entity, Kind, Role, empty_rows
from features.state import EntityState

MEMORY = 1e6
ALWAYS, SOMETIMES = [0, 1, 2, 4, 5], [3, 6, 7]
_NUMBERS = st.one_of(st.just(0.0), st.floats(-10, 10))
_ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),  # whose
        st.integers(1, 5_000_000),  # when
        st.lists(_NUMBERS, min_size=8, max_size=8),
        st.sets(st.sampled_from(SOMETIMES)),  # absent
        st.booleans(),  # asked
    ),
    max_size=30,
)


def plain(rows: list[tuple[int, int, list[float]]]) -> list[dict[int, float]]:
    """What was usual before each row: a mean of what is present, that forgets with time."""
    means: dict[tuple[int, int], float] = {}
    times: dict[tuple[int, int], float] = {}
    told = []
    for who, ts, values in rows:
        told.append({c: means[who, c] for c in range(8) if (who, c) in means})
        for c, value in enumerate(values):
            if math.isnan(value):
                continue
            last = times.get((who, c), 0.0)
            if not last:
                means[who, c] = value
            else:
                weight = 1.0 - math.exp(-max(ts - last, 0.0) / MEMORY)
                means[who, c] += weight * (value - means[who, c])
            times[who, c] = max(last, float(ts))
    return told


def counting() -> EntityState:
    catalogue = Catalogue()
    of = Of(catalogue, Entity.ACCOUNT)
    paid = of.events("in", words="", roles=[Role.PAYEE], kinds=[Kind.FPS])
    paid.count("in_24h", within="24h", every="2h", words="")
    paid.distinct("senders_24h", field="other", within="24h", every="2h", words="")
    paid.novelty("new_sender", field="other", words="")
    cash = of.events("cash", words="", roles=[Role.PAYEE], kinds=[Kind.CASH_DEPOSIT])
    cash.total("cash_7d", within="7d", every="1d", words="")
    program = compile_program(catalogue, Entity.ACCOUNT)
    return EntityState(program, extra=1, blocks=[1, 1, 1, 1])


@settings(deadline=None, derandomize=True, max_examples=40)
@given(_ROWS)
def test_what_is_usual_is_the_same_mean_as_the_plain_one(
    drawn: list[tuple[int, int, list[float], set[int], bool]],
) -> None:
    state = counting()
    state._make_room(len(drawn))
    values = np.array([d[2] for d in drawn]).reshape(len(drawn), 8)
    for i, (_, _, _, absent, _) in enumerate(drawn):
        values[i, list(absent)] = math.nan
    asked = np.flatnonzero([d[4] for d in drawn])
    before = np.empty((len(asked), 8))
    usual_values(
        values,
        np.array(ALWAYS),
        np.array(SOMETIMES),
        np.array([d[0] for d in drawn], dtype=np.int64),
        np.array([d[1] for d in drawn], dtype=np.int64),
        state.heads,
        state.places,
        state.sums,
        state.used,
        state.program.head,
        state.first_place + len(state.program.blocks),
        MEMORY,
        asked,
        before,
    )
    expected = plain([(d[0], d[1], v) for d, v in zip(drawn, values.tolist(), strict=True)])
    for row, place in enumerate(asked):
        for told, column in zip(before[row], [*ALWAYS, *SOMETIMES], strict=True):
            want = expected[place].get(column, math.nan)
            assert told == want or (math.isnan(told) and math.isnan(want))


def test_what_never_happened_takes_no_memory() -> None:
    rows = empty_rows(200)
    rows["own_lo"] = rows["own_hi"] = np.arange(200) + 1
    rows["kind"], rows["role"], rows["ts"], rows["recorded"] = Kind.FPS, Role.PAYEE, 10**15, 10**15
    rows["other_lo"] = 7
    state = counting()
    nothing = int(state.used[0])
    state.take(rows, np.zeros((200, 0)))
    paid, _cash = state.program.blocks
    assert int(state.used[0]) - nothing == 200 * paid
    rows["kind"] = Kind.CASH_DEPOSIT
    state.take(rows[:10], np.zeros((10, 0)))
    assert int(state.used[0]) - nothing == 200 * paid + 10 * _cash


def test_one_record_serves_all_that_is_asked_of_a_pair() -> None:
    rows = empty_rows(5)
    rows["own_lo"], rows["other_lo"], rows["kind"], rows["role"] = 1, [7, 8, 7, 8, 9], Kind.FPS, Role.PAYEE
    rows["ts"] = rows["recorded"] = 10**15
    state = counting()
    out, _ = state.take(rows, np.zeros((5, 0)))
    assert state.pairs_used == 3
    assert out[:, state.program.names.index("new_sender")].tolist() == [1, 1, 0, 0, 1]


def test_a_dropped_entity_leaves_the_others_as_they_were() -> None:
    day = 86_400_000_000
    rows = empty_rows(300)
    rows["own_lo"] = np.arange(300) % 100 + 1
    rows["other_lo"] = np.arange(300) % 7 + 1
    rows["kind"], rows["role"] = Kind.FPS, Role.PAYEE
    rows["ts"] = rows["recorded"] = 10**15 + np.arange(300)
    rows["recorded"][rows["own_lo"] > 50] -= 390 * day
    state = counting()
    state.take(rows, np.zeros((300, 0)))
    late = empty_rows(1)
    late["own_lo"], late["kind"], late["role"] = 1, Kind.FPS, Role.PAYEE
    late["ts"], late["recorded"] = 10**15, 10**15 + 20 * day
    state.take(late, np.zeros((1, 0)))
    before = state.digest()
    again = counting()
    again.load(state.dump())
    assert state.count == again.count == 50
    assert state.digest() == again.digest() == before
    assert int(state.used[0]) == max(state.blocks) + 50 * int(state.program.blocks[0])
    assert GRAIN * 8 == 32
