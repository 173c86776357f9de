"""What a flow's process asks of Python and of the C library about memory, once, before it starts.

A tick makes and drops arrays of some megabytes by the hundred. Given back to the system each time, they come again as
empty pages that the system has to clear; kept, they are simply used again.
"""

import ctypes
import gc
from typing import Final

_COLLECT_AFTER: Final = (50_000, 10, 10)
"""New objects after which Python looks for rings of them: a tick makes thousands of notes and no rings."""
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Names of settings in glibc's `malloc.h`."""
_ARENAS: Final = 1
"""A thread's own arena is made of pieces of 64 MB that go back whole whenever one is empty; the first of all keeps what
it has. The flow's threads take turns anyway."""
_KEEP_BYTES: Final = 1 << 30
_OWN_PAGES_FROM: Final = 32 << 20
"""What is larger (the tables of a large shard) goes back to the system when it is dropped; glibc's own upper bound."""


def settle() -> None:
    """Have what is imported left alone by the collector, and what is dropped kept for the next tick."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it; others know better by themselves
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _OWN_PAGES_FROM)
        mallopt(_TRIM_THRESHOLD, _KEEP_BYTES)
        mallopt(_ARENA_MAX, _ARENAS)
