"""Finding detectors: every file in this folder that holds one is one."""

import importlib
import pkgutil
from functools import cache

import detectors
from detectors.base import Detector
from detectors.errors import DetectorError

_HOUSE = {"base", "cross", "discovery", "errors", "network"}


@cache
def all_detectors() -> tuple[type[Detector], ...]:
    """Every detector, by id.

    Raises:
        DetectorError: a file holds none, or two have one id.
    """
    found: dict[str, type[Detector]] = {}
    for module in pkgutil.iter_modules(detectors.__path__):
        if module.name in _HOUSE:
            continue
        loaded = importlib.import_module(f"detectors.{module.name}")
        here = [
            thing
            for thing in vars(loaded).values()
            if isinstance(thing, type) and issubclass(thing, Detector) and thing.__module__ == loaded.__name__
        ]
        if not here:
            raise DetectorError(
                f"detectors/{module.name}.py holds no detector: add one, or move the file elsewhere"
            )
        for detector in here:
            if detector.id in found:
                raise DetectorError(f"two detectors are called {detector.id!r}: rename one")
            found[detector.id] = detector
    return tuple(found[name] for name in sorted(found))


def detector(name: str) -> type[Detector]:
    """The detector of an id.

    Raises:
        DetectorError: there is none of that name.
    """
    for found in all_detectors():
        if found.id == name:
            return found
    names = ", ".join(d.id for d in all_detectors())
    raise DetectorError(f"no detector is called {name!r}; there are: {names}")
