"""One payment told by two banks is one payment: each role is taken once, and status records find their payment."""

from collections.abc import Iterable
from typing import Any

import msgspec
import polars as pl
from numpy.typing import NDArray


class Taken(msgspec.Struct, frozen=True):
    """A payments frame with `take_payer`, `take_payee` set and status records filled in, and how many were not."""

    frame: pl.DataFrame
    unmatched_status: int


class Legs:
    """Remembers payments for a horizon of `recorded_ts`; call it in the one order."""

    def __init__(self, horizon_us: int = 86_400_000_000) -> None: ...

    def take(self, frame: pl.DataFrame) -> Taken:
        """The frame (payments, rows in the one order) with its legs taken."""
        raise NotImplementedError

    def changes(self) -> NDArray[Any]:
        """What changed since the last call: a structured array to append to the snapshot."""
        raise NotImplementedError

    def restore(self, changes: Iterable[NDArray[Any]]) -> None:
        """Takes up again what `changes` gave, in the order it was given."""
        raise NotImplementedError
