"""Who knows whom: households, families, classes, workplaces, friends, with heavy tails and mutual ties."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulator.arrays import Array, Floats, Ints, order_by
from simulator.chance import lognormal, weighted
from simulator.parameters import Parameters
from simulator.world import Contacts, People

_FINE_BITS: Final = 21
"""The last bits of a number with a point: what two people feel is not told apart so finely."""


@dataclass(slots=True)
class _Ties:
    """Pairs of people and how close they are."""

    rng: np.random.Generator
    a: list[Ints] = field(default_factory=list)
    b: list[Ints] = field(default_factory=list)
    closeness: list[Floats] = field(default_factory=list)

    def add(self, a: Ints, b: Ints, closeness: float) -> None:
        keep = a != b
        self.a.append(a[keep])
        self.b.append(b[keep])
        self.closeness.append(lognormal(self.rng, closeness, 0.6, int(keep.sum())))

    def ring(self, who: Ints, group: Array, shares: tuple[float, ...], closeness: float) -> None:
        """People next to each other in `who` know each other when of one group: `shares` by how far apart."""
        for apart, share in enumerate(shares, start=1):
            a, b = who[:-apart], who[apart:]
            kept = (group[a] == group[b]) & (self.rng.random(len(a)) < share)
            self.add(a[kept], b[kept], closeness)


def acquaint(rng: np.random.Generator, people: People, parameters: Parameters) -> Contacts:
    """The contact graph: every tie is known to both, and each orders theirs by closeness of their own."""
    ties = _Ties(rng)
    n = len(people)
    ties.ring(np.arange(n), people.household, (1.0, 1.0, 1.0, 1.0, 1.0), 9.0)
    shuffle = rng.random(n)
    learns = np.isin(people.job, (4, 5))
    _cluster(
        ties,
        np.flatnonzero(learns),
        people.work_town * 128 + people.age,
        shuffle,
        28,
        (0.5, 0.4, 0.3, 0.2, 0.1),
        2.5,
    )
    works = people.employer >= 0
    _cluster(ties, np.flatnonzero(works), people.employer, shuffle, 12, (0.5, 0.35, 0.25, 0.15), 1.5)
    teens = np.flatnonzero(people.age >= 9)
    cohort = people.town * 16 + np.searchsorted([14, 18, 22, 30, 42, 58, 72], people.age, side="right")
    mean = parameters.friends_mean
    near = min(1.0, mean / 24)
    _cluster(
        ties, teens, cohort, shuffle[::-1], 40, (near, near * 0.8, near * 0.6, near * 0.4, near * 0.2), 3.0
    )
    weight = people.sociability * lognormal(rng, 1.0, parameters.friends_sigma, n)
    _chance_friends(ties, teens, cohort, weight, int(len(teens) * mean * 0.20), 1.2)
    _chance_friends(ties, teens, people.town, weight, int(len(teens) * mean * 0.08), 0.8)
    _chance_friends(ties, teens, np.zeros(n, np.int64), weight, int(len(teens) * mean * 0.05), 0.8)
    _families(ties, people)
    return _contacts(ties, n)


def _cluster(
    ties: _Ties,
    who: Ints,
    group: Ints,
    shuffle: Floats,
    size: int,
    shares: tuple[float, ...],
    closeness: float,
) -> None:
    """Communities of about `size` within each group, with triangles."""
    order = who[np.lexsort((shuffle[who], group[who]))]
    if not len(order):
        return
    block = group.astype(np.int64) * 4096
    place = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    block[order] += place // size
    ties.ring(order, block, shares, closeness)


def _chance_friends(
    ties: _Ties, who: Ints, group: Ints, weight: Floats, count: int, closeness: float
) -> None:
    """Ties between people of a group, the popular ones more often."""
    order = who[np.argsort(group[who], kind="stable")]
    if not len(order) or not count:
        return
    until = np.concatenate([[0.0], np.cumsum(weight[order])])
    first = weighted(ties.rng, weight[order], count)
    low = until[np.searchsorted(group[order], group[order][first], side="left")]
    high = until[np.searchsorted(group[order], group[order][first], side="right")]
    second = np.searchsorted(until, low + ties.rng.random(count) * (high - low), side="right") - 1
    ties.add(order[first], order[np.clip(second, 0, len(order) - 1)], closeness)


def _families(ties: _Ties, people: People) -> None:
    """Grown-up children and parents in other households, often of the same region."""
    rng, n = ties.rng, len(people)
    parents = np.flatnonzero(people.age >= 50)
    children = np.flatnonzero((people.age >= 22) & (people.age < 60))
    if not len(parents) or not len(children):
        return
    place = np.searchsorted(parents, children)
    near = np.clip(
        place + (rng.normal(0, 1, len(children)) * max(3.0, n / 200)).astype(np.int64), 0, len(parents) - 1
    )
    chosen = rng.random(len(children)) < 0.8
    ties.add(children[chosen], parents[near[chosen]], 6.0)


def _contacts(ties: _Ties, n: int) -> Contacts:
    a, b = np.concatenate(ties.a), np.concatenate(ties.b)
    closeness = np.concatenate(ties.closeness)
    one, other = np.concatenate([a, b]), np.concatenate([b, a])
    felt = np.concatenate([closeness, closeness]) * lognormal(ties.rng, 1.0, 0.3, 2 * len(a))
    order = order_by(other, one)
    one, other = one[order], other[order]
    fresh = np.concatenate([[True], (one[1:] != one[:-1]) | (other[1:] != other[:-1])])
    one, other, felt = one[fresh], other[fresh], felt[order[fresh]]
    order = order_by(-(felt.view(np.int64) >> _FINE_BITS), one)
    start = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=n))])
    return Contacts(start.astype(np.int64), other[order])
