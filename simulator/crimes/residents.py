"""Who lives where: people in the order of their towns, so that a crime finds its customers and victims nearby."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.arrays import Flags, Floats, Ints
from simulator.identifiers import mix
from simulator.world import NONE, World

KEPT_ROUNDS: Final = 600
"""Towns for which the order of the others is remembered."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a mechanism looks for: of an age (both ends included), with a phone, with an account."""

    ages: tuple[int, int] = (0, 120)
    phone: bool = False
    account: bool = False

    def fits(self, world: World, people: Ints) -> Flags:
        """Which of some people these are."""
        table = world.people
        age = table.age[people]
        found: Flags = (age >= self.ages[0]) & (age <= self.ages[1])
        if self.phone:
            found &= table.phone[people] >= 0
        if self.account:
            found &= table.account[people] >= 0
        return found


class Residents:
    """The world's people by town."""

    def __init__(self, world: World) -> None:
        towns = len(world.geography.town_name)
        self.world = world
        self._order = np.argsort(world.people.town, kind="stable")
        self._count = np.bincount(world.people.town, minlength=towns)
        self._start = np.cumsum(self._count) - self._count
        self._rounds: dict[int, tuple[Ints, Ints]] = {}

    def in_towns(self, towns: Ints) -> Ints:
        """Everyone who lives in these towns, town by town."""
        if len(towns) == 0:
            return np.empty(0, dtype=np.int64)
        return np.concatenate([self._order[self._start[t] : self._start[t] + self._count[t]] for t in towns])

    def near(self, town: int, who: Who, wanted: int) -> Ints:
        """At least `wanted` people who fit from the towns nearest to one (all who fit when there are fewer)."""
        nearest, people = self._round(town)
        take = 1
        while True:
            reach = int(np.searchsorted(people, take * wanted))
            found = self.in_towns(nearest[: reach + 1])
            found = found[who.fits(self.world, found)]
            if len(found) >= wanted or reach >= len(nearest):
                return found
            take *= 2

    def _round(self, town: int) -> tuple[Ints, Ints]:
        """The inhabited towns, the nearest first, and how many people live in all of them so far."""
        if town not in self._rounds:
            nearest = np.argsort(self.world.geography.distances(town), kind="stable")
            nearest = nearest[self._count[nearest] > 0]
            if len(self._rounds) >= KEPT_ROUNDS:
                self._rounds.clear()
            self._rounds[town] = nearest, np.cumsum(self._count[nearest])
        return self._rounds[town]

    def someone(self, rng: np.random.Generator, who: Who) -> int:
        """One person who fits, anywhere; -1 = hardly anybody does."""
        for _ in range(40):
            drawn = rng.integers(0, len(self.world.people), 50)
            found = drawn[who.fits(self.world, drawn)]
            if len(found):
                return int(found[0])
        return NONE

    def appetite(self, people: Ints, purpose: int) -> Floats:
        """How prone each person is to something: a heavy tail, the same whenever it is asked."""
        hashed = mix(people + (purpose + 1) * 1_000_003 + self.world.seed * 7_919)
        share = (hashed >> np.uint64(11)).astype(np.float64) / 2.0**53
        return np.asarray((-np.log1p(-share)) ** 2 + 1e-3, dtype=np.float64)


def choose(rng: np.random.Generator, people: Ints, weights: Floats, n: int) -> Ints:
    """`n` different people, each as likely as its weight (all of them when there are fewer), likeliest first."""
    keys = np.log(-np.log(rng.random(len(people)) + 1e-300) + 1e-300) - np.log(weights)
    likeliest = np.arange(len(people))
    if 0 < n < len(people):
        likeliest = np.sort(np.argpartition(keys, n - 1)[:n])
    return people[likeliest[np.argsort(keys[likeliest], kind="stable")[:n]]]
