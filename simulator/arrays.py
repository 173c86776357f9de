"""The array types of the made-up world, named once."""

from typing import Any, Final

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

_PLACE_BITS: Final = 28


def order_by(*keys: Ints) -> Ints:
    """The places of rows in the order of whole numbers, the last key first (as `lexsort`, but many times faster).

    A key and a place fit in one number, and plain numbers are sorted fastest.
    """
    order = np.arange(len(keys[0]), dtype=np.int64)
    if not len(order):
        return order
    for number, key in enumerate(keys):
        packed = key[order] if number else key.copy()
        packed -= packed.min()
        if int(packed.max()) >> (62 - _PLACE_BITS) or len(order) >> _PLACE_BITS:
            order = order[np.argsort(packed, kind="stable")]
            continue
        packed <<= _PLACE_BITS
        packed |= np.arange(len(order), dtype=np.int64)
        packed.sort()
        packed &= (1 << _PLACE_BITS) - 1
        order = order[packed] if number else packed
    return order
