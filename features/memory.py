"""A table of zeros that can grow in place.

Memory is taken only where it is touched, in large pages where the system has them. Addresses are set aside well beyond
what is needed, so that growing is nothing but looking further: with a million entities a copy would stop the stream for
a noticeable moment, and the copy's fresh pages would have to be cleared once more.
"""

import mmap
import sys
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_OWN: Final = 64 << 10
"""From this size on a mapping of its own is worth having."""
_LARGE: Final = 64 << 20
"""From here on memory is taken in large pages. A smaller table fills faster than large pages repay being cleared: on a
virtual machine, whose host must first find them, that takes two to four times as long as for small ones."""
_LEAST_ASIDE: Final = 4 << 20
_AHEAD: Final = 16
"""How many times what is needed is set aside. It takes no memory; growing beyond moves page tables and not data."""
_NOT_RESERVED: Final = 0x4000 if sys.platform == "linux" else 0
"""Linux's MAP_NORESERVE, which Python does not name: addresses alone are set aside."""


class GrowingRows:
    """Rows of float64, all zero until written."""

    def __init__(self, rows: int, width: int) -> None:
        self._width = width
        self._mapping: mmap.mmap | None = None
        self._set_aside = 0
        self.rows: Floats = np.zeros((0, width))
        self.grow(rows)

    def grow(self, rows: int) -> None:
        """Have room for so many rows; those there keep their values. No other view of the rows may be in use."""
        size = rows * self._width * 8
        if size < _OWN:
            before, self.rows = self.rows, np.zeros((rows, self._width))
            self.rows[: len(before)] = before
            return
        before, self.rows = self.rows, np.zeros((0, self._width))  # a mapping in view cannot be resized
        if self._mapping is None:
            self._mapping, self._set_aside = _mapped(size)
        else:
            before = self.rows
            if size > self._set_aside:
                self._set_aside = _moved(self._mapping, size)
        if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
            self._mapping.madvise(mmap.MADV_HUGEPAGE)
        self.rows = self._view(rows)
        if len(before):
            self.rows[: len(before)] = before

    def _view(self, rows: int) -> Floats:
        assert self._mapping is not None
        flat = np.frombuffer(self._mapping, dtype=np.float64, count=rows * self._width)
        return flat.reshape(rows, self._width)


def _mapped(size: int) -> tuple[mmap.mmap, int]:
    """A mapping with room for so many bytes, and how many it has room for."""
    for length in (max(_LEAST_ASIDE, _AHEAD * size), size):
        try:
            if not hasattr(mmap, "MAP_ANONYMOUS"):
                return mmap.mmap(-1, size), size
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NOT_RESERVED
            mapping = mmap.mmap(-1, length, flags=flags)
        except OSError:  # a system that counts addresses as memory
            continue
        return mapping, length
    raise MemoryError(f"no memory for a table of {size} bytes")


def _moved(mapping: mmap.mmap, size: int) -> int:
    """Give a mapping room for so many bytes; says for how many it has now."""
    for length in (_AHEAD * size, size):
        try:
            mapping.resize(length)
        except OSError:
            continue
        return length
    raise MemoryError(f"no memory for a table of {size} bytes")
