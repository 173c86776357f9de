"""Shares, rates and times, each with the interval that says how far a world of this size can be believed."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

Z: Final = 1.959963984540054
"""The 97.5 % point of the normal distribution: intervals are of 95 %."""
TAIL: Final = 0.025
MANY: Final = 500
"""From so many on, Byar's approximation to the Poisson interval is as good as exact, and much quicker."""
HOURS_US: Final = 3_600_000_000


class Share(msgspec.Struct, frozen=True):
    """So many of so many, with Wilson's interval; no share of nothing."""

    count: int
    of: int
    share: float | None
    low: float
    high: float


class Rate(msgspec.Struct, frozen=True):
    """So many in so much (100,000 people for a day is one), with the exact Poisson interval."""

    count: int
    exposure: float
    rate: float | None
    low: float
    high: float | None


class Times(msgspec.Struct, frozen=True):
    """How long something took, in hours: median and quartiles of those that happened."""

    of: int
    median: float | None
    lower_quartile: float | None
    upper_quartile: float | None


def share_of(count: int, of: int) -> Share:
    """A share with Wilson's score interval (E. B. Wilson, 1927)."""
    low, high = wilson(count, of)
    return Share(count, of, count / of if of else None, low, high)


def wilson(count: int, of: int) -> tuple[float, float]:
    """The shares for which `count` of `of` lies within Z standard errors; everything is possible of nothing."""
    if of == 0:
        return 0.0, 1.0
    share, square = count / of, Z * Z / of
    centre = (share + square / 2) / (1 + square)
    reach = Z * math.sqrt((share * (1 - share) + square / 4) / of) / (1 + square)
    low = 0.0 if count == 0 else max(0.0, centre - reach)
    high = 1.0 if count == of else min(1.0, centre + reach)
    return low, high


def rate_of(count: int, exposure: float) -> Rate:
    """A rate with the exact Poisson interval (F. Garwood, 1936)."""
    if exposure <= 0:
        return Rate(count, exposure, None, 0.0, None)
    low, high = poisson(count)
    return Rate(count, exposure, count / exposure, low / exposure, high / exposure)


def poisson(count: int) -> tuple[float, float]:
    """The means at which so many, or more, or fewer, are just not too surprising."""
    if count >= MANY:
        return _byar(count, -Z), _byar(count + 1, Z)
    low = 0.0 if count == 0 else _root(lambda mean: 1 - _at_most(count - 1, mean) >= TAIL, count)
    return low, _root(lambda mean: _at_most(count, mean) <= TAIL, count)


def _byar(count: int, z: float) -> float:
    return count * (1 - 1 / (9 * count) + z / (3 * math.sqrt(count))) ** 3


def _root(reached: Callable[[float], bool], count: int) -> float:
    """Where a rising test turns true, halved down to the last bit that matters."""
    low, high = 0.0, count + 6 * math.sqrt(count + 1) + 6
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _at_most(count: int, mean: float) -> float:
    """The chance of `count` or fewer where `mean` are expected."""
    if mean <= 0:
        return 1.0
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
    return min(1.0, math.fsum(math.exp(log) for log in logs))


def times_of(micros: Iterable[int]) -> Times:
    """The median and quartiles of durations, in hours."""
    hours = sorted(us / HOURS_US for us in micros)
    if not hours:
        return Times(0, None, None, None)
    return Times(len(hours), quantile(hours, 0.5), quantile(hours, 0.25), quantile(hours, 0.75))


def quantile(ordered: Sequence[float], at: float) -> float:
    """A quantile of values in order, between the two nearest in proportion."""
    place = at * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
