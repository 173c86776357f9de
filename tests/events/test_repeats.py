"""Repeats: a record is dropped as a repeat exactly once within the horizon, whatever the batching."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.repeats import Repeats

SECOND = 1_000_000
START = 1_750_000_000
HORIZON = 10

exact = settings(deadline=None, derandomize=True, max_examples=80)
rows = st.lists(st.tuples(st.integers(0, 12), st.integers(-4, 9)), max_size=60)
cuts = st.lists(st.integers(0, 60), max_size=6)


def spread(key: int) -> tuple[int, int]:
    """A digest that lands in one of a few parts and slots, so that they collide."""
    return ((key % 3) << 58) | key, (key % 2) << 40 | 7


def seconds_of(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keys with times that mostly go on and sometimes back."""
    now, out = START, []
    for key, step in steps:
        now += step
        out.append((key, now))
    return out


def slow(steps: list[tuple[int, int]]) -> list[bool]:
    remembered: dict[int, int] = {}
    newest, fresh = 0, []
    for key, when in seconds_of(steps):
        newest = max(newest, when)
        known = key in remembered and remembered[key] >= newest - HORIZON
        fresh.append(not known)
        if not known:
            remembered[key] = when
    return fresh


def feed(repeats: Repeats, steps: list[tuple[int, int]]) -> list[bool]:
    digests = [spread(key) for key, _ in steps]
    hi = np.array([digest[0] for digest in digests], np.uint64)
    lo = np.array([digest[1] for digest in digests], np.uint64)
    return repeats.fresh(hi, lo, np.array([when * SECOND for _, when in steps], np.int64)).tolist()


@exact
@given(rows, cuts)
def test_repeats_are_those_of_a_plain_dictionary_however_the_rows_are_batched(
    steps: list[tuple[int, int]], ends: list[int]
) -> None:
    repeats, timed = Repeats(HORIZON * SECOND), seconds_of(steps)
    got: list[bool] = []
    begin = 0
    for end in [*sorted(min(end, len(timed)) for end in ends), len(timed)]:
        got += feed(repeats, timed[begin:end])
        begin = end
    assert got == slow(steps)


@exact
@given(rows, st.integers(0, 60), st.integers(0, 60))
def test_a_restored_memory_answers_like_the_one_it_was_taken_from(
    steps: list[tuple[int, int]], first: int, second: int
) -> None:
    timed = seconds_of(steps)
    first, second = sorted((min(first, len(timed)), min(second, len(timed))))
    repeats = Repeats(HORIZON * SECOND)
    feed(repeats, timed[:first])
    changes = [repeats.changes()]
    feed(repeats, timed[first:second])
    changes.append(repeats.changes())
    other = Repeats(HORIZON * SECOND)
    other.restore(changes)
    assert other.changes().size == 0
    assert feed(other, timed[second:]) == feed(repeats, timed[second:]) == slow(steps)[second:]
    assert other.changes().tobytes() == repeats.changes().tobytes()


def test_a_repeat_is_dropped_until_the_horizon_has_passed() -> None:
    repeats = Repeats(HORIZON * SECOND)
    times = [START, START + HORIZON, START + HORIZON + 1, START + HORIZON + 2]
    assert feed(repeats, [(1, when) for when in times]) == [True, False, True, False]


@pytest.mark.parametrize("frames", [1, 40])
def test_a_remembered_record_costs_no_more_than_40_bytes(frames: int) -> None:
    repeats = Repeats()
    rng = np.random.default_rng(7)
    each = 200_000 // frames
    for number in range(frames):
        hi = rng.integers(0, 2**64, each, np.uint64)
        lo = rng.integers(0, 2**64, each, np.uint64)
        assert repeats.fresh(hi, lo, np.full(each, (START + number) * SECOND)).all()
    assert repeats.nbytes / (each * frames) <= 40.5


def test_what_has_expired_is_swept_out() -> None:
    repeats = Repeats(HORIZON * SECOND)
    rng = np.random.default_rng(7)
    for number in range(60):
        hi, lo = rng.integers(0, 2**64, 2000, np.uint64), rng.integers(0, 2**64, 2000, np.uint64)
        repeats.fresh(hi, lo, np.full(2000, (START + number * 5) * SECOND))
    assert repeats.nbytes < 6000 * 60  # three frames live, and what is not swept out yet


def test_changes_tell_only_what_is_new() -> None:
    repeats = Repeats(HORIZON * SECOND)
    feed(repeats, [(1, START), (2, START), (1, START)])
    assert repeats.changes().size == 3  # two records and the newest time
    assert repeats.changes().size == 0
    feed(repeats, [(1, START)])
    assert repeats.changes().size == 0
