"""Compiled kernels and where their machine code is kept.

numba keeps compiled code between runs but looks only at the file a kernel stands in, not at the constants and kernels
it takes from others: after an update an old kernel could run on with new meanings, and give wrong tokens or features
without a sign. So the code is kept in a folder named by a digest of everything kernels are made of.
"""

import functools
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final

import numba
from numba import njit

_HOUSE: Final = Path(__file__).resolve().parent.parent
_ROOMS: Final = ("events", "features", "models", "flows")
_HAS_KERNELS: Final = re.compile(rb"^from events.kernels import", re.MULTILINE)
_TAKES_FROM: Final = re.compile(rb"^from ([a-z_.]+) import", re.MULTILINE)


def _digest() -> str:
    """A digest of numba's version, every file with kernels, and every file of ours that one of those takes from."""
    sources: set[Path] = set()
    for path in (path for room in _ROOMS for path in (_HOUSE / room).rglob("*.py")):
        text = path.read_bytes()
        if _HAS_KERNELS.search(text):
            sources.add(path)
            sources |= {
                _HOUSE / f"{name.decode().replace('.', '/')}.py" for name in _TAKES_FROM.findall(text)
            }
    found = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for path in sorted(source for source in sources if source.is_file()):
        found.update(path.relative_to(_HOUSE).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _folder() -> Path:
    """Where compiled code is kept: the folder that NUMBA_CACHE_DIR names, else the user's cache."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME")
    top = Path(named) if named else (Path(home) if home else Path.home() / ".cache") / "linewatch"
    return top / f"kernels-{_digest()}"


def _keep_in(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (
        OSError
    ):  # a home that cannot be written: compiled code lives as long as the machine's temporary files
        folder = Path(tempfile.gettempdir()) / f"linewatch-{os.getuid()}" / folder.name
        folder.mkdir(parents=True, exist_ok=True)
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]


_keep_in(_folder())

bare: Final[Any] = functools.partial(njit, cache=True, _nrt=False)
"""A kernel that counts no references to the arrays it is given, which at every row can cost more than reading them.

So it makes no arrays, and whoever calls it holds what it works on.
"""

__all__ = ["bare", "njit"]
