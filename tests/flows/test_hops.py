"""The hops wait for whole ticks, in order, however their packets come; what they keep comes back."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.record import Subject
from flows.errors import FlowError
from flows.evidence import Evidence
from flows.second_pass import Scored
from flows.split import Expect
from flows.subject_hop import SubjectHop
from flows.waiting import Waiting

WEEK_US = 7 * 24 * 3_600_000_000


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=12), gaps=st.data(), seed=st.integers(0, 2**20)
)
def test_ticks_come_out_whole_and_in_order(counts: list[int], gaps: st.DataObject, seed: int) -> None:
    ticks, number = [], -1
    for count in counts:
        number += gaps.draw(st.integers(1, 3))
        ticks.append((number, count))
    packets: list[tuple[str, int, Any]] = [
        ("take", tick, f"{tick}.{k}") for tick, count in ticks for k in range(count)
    ]
    random.Random(seed).shuffle(packets)
    expects: list[tuple[str, int, Any]] = []
    for (tick, count), (before, _) in zip(ticks, [(-1, 0), *ticks], strict=False):
        expects.append(("expect", tick, Expect(tick, before, count)))
    rng, waiting, out = random.Random(seed + 1), Waiting[str]("hop of this test"), []
    while packets or expects:  # what is expected comes in order; packets come as they come
        coming = expects if expects and (not packets or rng.random() < 0.5) else packets
        what, tick, value = coming.pop(0)
        out += waiting.expect(value) if what == "expect" else waiting.take(tick, value)
    assert [(tick, sorted(held)) for tick, held in out] == [
        (tick, [f"{tick}.{k}" for k in range(count)]) for tick, count in ticks
    ]
    assert waiting.had == number


def test_a_packet_too_many_is_an_error_and_not_taken_for_another_tick() -> None:
    waiting = Waiting[str]("hop of this test")
    waiting.take(0, "a")
    waiting.take(0, "b")
    with pytest.raises(FlowError, match="got 2 packets of tick 0, not 1"):
        waiting.expect(Expect(0, -1, 1))


def test_a_tick_that_was_lost_before_is_an_error() -> None:
    waiting = Waiting[str]("hop of this test")
    waiting.expect(Expect(0, -1, 0))
    with pytest.raises(FlowError, match="had tick 0 last and was told 1"):
        waiting.expect(Expect(2, 1, 0))


# ------------------------------------------------------------------------------------------------- the subject hop

SAID = st.tuples(
    st.integers(0, 3 * WEEK_US),  # when
    st.sampled_from(["mule_account", "deal_line", "third"]),
    st.floats(0.3, 1.0),
    st.sampled_from(["account", "number"]),
    st.integers(1, 3),  # under which number
)


def _evidence(seq: int, said: tuple[int, str, float, str, int]) -> Evidence:
    ts, detector, score, kind, number = said
    return Evidence(seq, ts, detector, score, 0.5, Subject(kind, f"{number:032x}"), (0, number), None)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    said=st.lists(SAID, max_size=25),
    cuts=st.lists(st.integers(1, 5), min_size=25, max_size=25),
    seed=st.integers(0, 99),
)
def test_ticks_saving_and_sending_change_nothing(
    said: list[tuple[int, str, float, str, int]], cuts: list[int], seed: int
) -> None:
    evidence = [_evidence(seq, each) for seq, each in enumerate(said)]
    whole = SubjectHop()
    whole.work(0, [Scored(0, tuple(evidence))])
    rng, hop, tick, states = random.Random(seed), SubjectHop(), 0, [SubjectHop().dump()]
    while evidence:
        size = cuts[tick % len(cuts)]
        mine, evidence = evidence[:size], evidence[size:]
        rng.shuffle(mine)
        half = len(mine) // 2
        hop.work(tick, [Scored(tick, tuple(mine[:half])), Scored(tick, tuple(mine[half:]))])
        tick += 1
        states = [hop.dump()] if rng.random() < 0.2 else [*states, hop.changes()]
        if rng.random() < 0.4:  # killed, and taken up again
            hop = SubjectHop()
            for state in states:
                hop.load(state)
    assert hop.digest() == whole.digest()
