"""What a flow's process asks about memory."""

import gc
import platform
import resource
from collections.abc import Iterator

import numpy as np
import pytest

from flows import memory


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_what_a_tick_drops_the_next_uses_again() -> None:
    memory.settle()

    def faults_of_ten_ticks() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            kept = [np.ones(size) for size in (1 << 16, 1 << 18, 1 << 17, 1 << 18)]
            del kept
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults_of_ten_ticks()
    assert faults_of_ten_ticks() < 1_000, "a tick's arrays have 1,408 pages"
    assert gc.get_threshold()[0] == 50_000
