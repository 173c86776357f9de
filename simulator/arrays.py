"""The array types of the made-up world, named once."""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
"""Indices, identifiers, money in minor units, times in microseconds since 1970 UTC."""
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.uint64]
"""Record ids as numbers; `identifiers.hexadecimal` writes them."""
Array = npt.NDArray[Any]

SECOND = 1_000_000
"""Microseconds in a second: every time in this room is in microseconds."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
