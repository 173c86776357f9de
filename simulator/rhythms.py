"""The rhythm of the day and the week: when people call, text, shop and pay."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from simulator.arrays import DAY, HOUR, Array, Floats, Ints

Profile = Sequence[float]

CALLS: Final = (1, 1, 1, 1, 1, 2, 8, 22, 45, 68, 76, 76, 74, 72, 72, 74, 82, 90, 88, 76, 58, 36, 16, 5)
"""Share of calls by hour (assumed, as are all the shapes here: low before six, high from noon to the evening)."""
TEXTS: Final = (7, 4, 2, 1, 1, 2, 8, 22, 42, 55, 60, 64, 70, 66, 66, 70, 78, 86, 90, 90, 86, 70, 44, 18)
DATA: Final = (14, 8, 5, 4, 4, 8, 26, 55, 66, 60, 60, 64, 72, 66, 64, 70, 78, 84, 84, 84, 86, 82, 62, 32)
SHOPPING: Final = (3, 2, 1, 1, 1, 3, 14, 40, 62, 66, 74, 86, 104, 92, 82, 84, 88, 92, 74, 56, 40, 28, 18, 8)
ONLINE: Final = (14, 8, 4, 3, 3, 5, 14, 28, 40, 52, 60, 62, 66, 62, 58, 58, 60, 62, 66, 78, 88, 84, 62, 32)
OFFICE: Final = (0, 0, 0, 0, 0, 0, 0, 3, 25, 80, 100, 100, 70, 80, 100, 95, 75, 40, 12, 4, 1, 0, 0, 0)
"""When businesses call and write."""
FRIENDS: Final = (8, 4, 2, 1, 1, 1, 6, 18, 34, 44, 50, 56, 64, 60, 56, 58, 64, 76, 86, 90, 84, 72, 48, 22)
"""When people pay each other."""
NIGHT_OUT: Final = (40, 26, 14, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 16, 36, 62, 84, 92, 84, 62)


def times(
    rng: np.random.Generator, midnight: int, n: int, profile: Profile, late: Floats | float = 0.0
) -> Ints:
    """`n` times of a day by its profile; `late` shifts each by hours (early birds and night owls)."""
    shares = np.cumsum(profile) / np.sum(profile)
    hour = np.searchsorted(shares, rng.random(n), side="right") + rng.random(n)
    at = np.mod(np.clip(hour + late, np.where(hour < 5, -1.0, 0.0), 23.999), 24.0)
    return midnight + np.minimum((at * HOUR).astype(np.int64), DAY - 1)


def happening(rng: np.random.Generator, rates: Floats) -> Ints:
    """Who does something today, each as often as happens at random at their rate: row numbers, with repeats."""
    return np.repeat(np.arange(len(rates)), rng.poisson(rates))


def choose(rng: np.random.Generator, n: int, options: dict[str, float]) -> Array:
    """`n` words, each by its share."""
    shares = np.cumsum(list(options.values()))
    place = np.searchsorted(shares, rng.random(n) * shares[-1], side="right")
    words: Array = np.array(list(options))
    return np.asarray(words[np.minimum(place, len(shares) - 1)])
