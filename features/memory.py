"""A table of zeros that can grow in place.

Memory is taken only where it is touched, in large pages where the system has them, and growing moves page tables and
not data: with a million entities a copy would stop the stream for a noticeable moment.
"""

import mmap
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LARGE: Final = 4 << 20
"""From this size on a mapping of its own is worth having."""


class GrowingRows:
    """Rows of float64, all zero until written."""

    def __init__(self, rows: int, width: int) -> None:
        self._width = width
        self._mapping: mmap.mmap | None = None
        self.rows: Floats = np.zeros((0, width))
        self.grow(rows)

    def grow(self, rows: int) -> None:
        """Have room for so many rows; those there keep their values. No other view of the rows may be in use."""
        size = rows * self._width * 8
        if size < _LARGE:
            before, self.rows = self.rows, np.zeros((rows, self._width))
            self.rows[: len(before)] = before
        elif self._mapping is None:
            before = self.rows
            self._mapping = _mapped(size)
            self.rows = self._view(rows)
            self.rows[: len(before)] = before
        else:
            self.rows = np.zeros((0, self._width))  # a mapping in view cannot be resized
            self._mapping.resize(size)
            self.rows = self._view(rows)

    def _view(self, rows: int) -> Floats:
        assert self._mapping is not None
        flat = np.frombuffer(self._mapping, dtype=np.float64, count=rows * self._width)
        return flat.reshape(rows, self._width)


def _mapped(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return mmap.mmap(-1, size)
    mapping = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        mapping.madvise(mmap.MADV_HUGEPAGE)
    return mapping
