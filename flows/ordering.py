"""A tick's rows in the order in which shards take them, and how many of them each shard is told of."""

from typing import Any

import numpy as np
import numpy.typing as npt

from events.kernels import bare
from features.rows import ROW, Role, Rows

Counts = npt.NDArray[np.int64]

_PEEK = int(Role.PEEK)
_LABELLED = int(Role.LABELLED)
_PLACES = 4  # of one event: either side, under the current key and under the one before


def in_order(rows: Rows, first_seq: int, shards: int) -> tuple[Rows, Counts]:
    """Rows by shard, and of one shard in the one order; gives with them where each shard's begin.

    Rows of one place in the order stay as they come.
    """
    places = int(rows["seq"].max()) - first_seq + 1
    words: npt.NDArray[Any] = np.ascontiguousarray(rows).view(np.uint64).reshape(len(rows), -1)
    ordered, starts = np.empty_like(words), np.zeros(shards + 1, dtype=np.int64)
    ends, by_place = np.zeros(_PLACES * places + 1, dtype=np.int64), np.empty(len(rows), dtype=np.int64)
    _order(rows, words, first_seq, ends, by_place, starts, ordered)
    return ordered.reshape(-1).view(ROW), starts


@bare
def _order(rows, words, first_seq, ends, by_place, starts, ordered):  # type: ignore[no-untyped-def]
    """Count rows by their place in the order, then by shard; both are few beside the rows, so nothing is compared.

    `ends` and `starts` come as zeros; `starts` goes as where each shard's rows begin.
    """
    shards = len(starts) - 1
    mask = np.uint64(shards - 1)
    for i in range(len(rows)):
        row = rows[i]
        ends[(row.seq - first_seq) * _PLACES + row.side * 2 + row.shadow + 1] += 1
        starts[np.int64(row.own_lo & mask) + 1] += 1
    for place in range(len(ends) - 1):
        ends[place + 1] += ends[place]
    for i in range(len(rows)):
        row = rows[i]
        place = (row.seq - first_seq) * _PLACES + row.side * 2 + row.shadow
        by_place[ends[place]] = i
        ends[place] += 1
    for shard in range(shards):
        starts[shard + 1] += starts[shard]
    for k in range(len(rows)):
        i = by_place[k]
        whose = np.int64(rows[i].own_lo & mask)
        to = starts[whose]
        starts[whose] += 1
        for j in range(words.shape[1]):
            ordered[to, j] = words[i, j]
    for shard in range(shards, 0, -1):
        starts[shard] = starts[shard - 1]
    starts[0] = 0


@bare
def add_coming(rows, shards, scored, told, counts):  # type: ignore[no-untyped-def]
    """Count how many halves of these rows each shard of the second pass will get.

    `scored` says whether rows go on to their own second pass, `told` whether they are told to other parties.
    """
    mask = np.uint64(shards - 1)
    for i in range(len(rows)):
        row = rows[i]
        if scored and row.role != _PEEK and row.role != _LABELLED:
            counts[np.int64(row.own_lo & mask)] += 1
        if told and row.sends == 1:
            counts[np.int64(row.other_lo & mask)] += 1
