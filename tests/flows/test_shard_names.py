"""Shards' names: the engine itself sends each shard to the worker its number says."""

from typing import Any

import bytewax.operators as op
import pytest
from bytewax._bytewax import cluster_main
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import TestingSource
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.shard_names import plain_name, seats, shard_names, shard_of, sip13

ASKED = [
    *shard_names("one", 16),
    *shard_names("two", 16),
    *(f"any-{n}-name" for n in range(40)),
    "",
    "ü",
    "x" * 33,
]


class _Part(StatelessSinkPartition[Any]):
    def __init__(self, worker: int, out: dict[str, int]) -> None:
        self.worker, self.out = worker, out

    def write_batch(self, items: list[Any]) -> None:
        for key, _ in items:
            self.out[key] = self.worker


class _Sink(DynamicSink[Any]):
    def __init__(self, out: dict[str, int]) -> None:
        self.out = out

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Part:
        return _Part(worker_index, self.out)


def _sent_by_the_engine(names: list[str], workers: int) -> dict[str, int]:
    """Which worker the engine gives each key to."""
    out: dict[str, int] = {}
    flow = Dataflow("routing")
    keyed = op.input("in", flow, TestingSource([(name, 1) for name in names]))
    op.output("out", op.stateful_map("keep", keyed, lambda state, value: (state, value)), _Sink(out))
    cluster_main(flow, [], 0, worker_count_per_proc=workers)
    return out


@pytest.mark.parametrize("workers", [2, 4])
def test_the_engine_routes_by_this_hash(workers: int) -> None:
    sent = _sent_by_the_engine(ASKED, workers)
    assert sent == {name: sip13(name.encode() + b"\xff") % workers for name in ASKED}


@pytest.mark.parametrize("workers", [2, 4])
def test_shard_and_worker_have_the_same_number(workers: int) -> None:
    sent = _sent_by_the_engine(list(shard_names("one", 16)), workers)
    assert sent == {name: shard_of(name) % workers for name in sent}
    assert len(sent) == 16


@pytest.mark.parametrize("shards", [1, 2, 16, 64, 256])
@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
def test_shards_are_spread_evenly_over_any_power_of_two(shards: int, workers: int) -> None:
    load = [0] * workers
    for name in shard_names("two", shards):
        load[sip13(name.encode() + b"\xff") % workers] += 1
    assert max(load) - min(load) <= (1 if shards < workers else 0)


def test_names_are_numbered_and_different_for_each_hop() -> None:
    one, two = shard_names("one", 64), shard_names("two", 64)
    assert [shard_of(name) for name in one] == list(range(64))
    assert not set(one) & set(two)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.binary(max_size=40))
def test_the_hash_is_64_bits_and_depends_on_every_byte(data: bytes) -> None:
    assert 0 <= sip13(data) < 2**64
    if data:
        assert sip13(data) != sip13(bytes([data[0] ^ 1]) + data[1:])
        assert sip13(data) != sip13(data[:-1])


@pytest.mark.parametrize("workers", [2, 3])
def test_the_engine_puts_each_shard_at_its_seat(workers: int) -> None:
    seated = seats(16, workers)
    names = shard_names("one", 16, seated, workers)
    sent = _sent_by_the_engine(list(names), workers)
    assert [sent[name] for name in names] == list(seated)
    assert [plain_name(name) for name in names] == [plain_name(name) for name in shard_names("one", 16)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 8), st.integers(1, 40))
def test_the_worker_that_reads_has_the_fewest_shards(power: int, workers: int) -> None:
    seated = seats(1 << power, workers)
    load = [seated.count(worker) for worker in range(workers)]
    assert sum(load) == 1 << power
    assert workers == 1 or (load[0] <= max(load[1:]) and max(load[1:]) - min(load[1:]) <= 1)
