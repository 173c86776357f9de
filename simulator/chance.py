"""Chance that repeats: a generator named by the world's seed and what it is for.

No two purposes share one, so that switching a mechanism on or off leaves everybody else's records as they were.
"""

import hashlib

import numpy as np

from simulator.arrays import Floats, Ints


def chance(seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one purpose in one world: the same seed and names give the same draws."""
    words = "\x1f".join(str(name) for name in (seed, *names)).encode()
    return np.random.Generator(
        np.random.PCG64DXSM(int.from_bytes(hashlib.blake2b(words, digest_size=16).digest()))
    )


def lognormal(rng: np.random.Generator, median: float | Floats, sigma: float | Floats, n: int) -> Floats:
    """Draws of a log-normal named by its median, as the sources give it."""
    return np.asarray(median * np.exp(sigma * rng.standard_normal(n)), dtype=np.float64)


def lognormal_mean(rng: np.random.Generator, mean: float, sigma: float, n: int) -> Floats:
    """Draws of a log-normal named by its mean."""
    return lognormal(rng, mean * np.exp(-sigma * sigma / 2), sigma, n)


def weighted(rng: np.random.Generator, weights: Floats | Ints, n: int) -> Ints:
    """`n` places in a list of weights, each as likely as its weight."""
    total = np.cumsum(weights, dtype=np.float64)
    place: Ints = np.searchsorted(total, rng.random(n) * total[-1], side="right").astype(np.int64)
    return np.minimum(place, len(weights) - 1)


def spread_out(rng: np.random.Generator, expected: float | Floats, n: int) -> Ints:
    """How often something happens to each of `n`, when it happens at random at this rate."""
    return rng.poisson(expected, n).astype(np.int64)
