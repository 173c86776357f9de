"""The door: raw chunks come in, frames of tokens and codes go out, and what cannot be taken is said and counted."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import polars as pl

from events.bases import Bases
from events.rejected import Rejected, Where
from events.tokens import KeyRing


class Source(msgspec.Struct, frozen=True):
    """What we know of a supplier's feed: which legs it reports, and the basis its records are held under."""

    name: str
    legs: Literal["own", "both"] = "own"
    basis: str | None = None


class Decoded(msgspec.Struct, frozen=True):
    """What one chunk gave.

    `frame` is a frame of `events.frames` (seq = -1, wholly absent columns left out) with three columns more:
    `repeat_hi`, `repeat_lo` (UInt64, the digest for `Repeats.fresh`) and `place` (Int64, the line's byte offset or
    the row's number within the chunk). Take them off with `frame.drop(INTERNAL)`.
    """

    frame: pl.DataFrame
    rejected: list[Rejected]
    counts: dict[str, int]


INTERNAL = ("repeat_hi", "repeat_lo", "place")


class Door:
    """Turns chunks into frames; holds no state, so that a chunk's rows do not depend on where it was cut."""

    def __init__(
        self,
        keys: KeyRing,
        bases: Bases,
        sources: Sequence[Source] = (),
        *,
        forces: Mapping[str, int] | None = None,
        earliest: int = 0,
        latest: int = 0,
        tolerance_us: int = 86_400_000_000,
        max_line: int = 1 << 20,
    ) -> None: ...

    def decode(self, stream: str, chunk: bytes | pl.DataFrame, *, source: str, where: Where) -> Decoded:
        """The frame of a chunk: whole lines of NDJSON, or rows of a Parquet file; never raises for bad data."""
        raise NotImplementedError
