"""Exact memory of the records already seen, so that a repeat is dropped once and for all within the horizon."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Repeats:
    """Remembers record digests for a horizon of `recorded_ts`; call it in the one order."""

    def __init__(self, horizon_us: int = 86_400_000_000) -> None: ...

    def fresh(
        self, hi: NDArray[np.uint64], lo: NDArray[np.uint64], recorded_ts: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """True for a row that is no repeat; the rows are remembered."""
        raise NotImplementedError

    def changes(self) -> NDArray[Any]:
        """What was added since the last call: a structured array to append to the snapshot."""
        raise NotImplementedError

    def restore(self, changes: Iterable[NDArray[Any]]) -> None:
        """Takes up again what `changes` gave, in the order it was given."""
        raise NotImplementedError
