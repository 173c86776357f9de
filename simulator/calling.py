"""Ordinary calls: to family and friends, closest first; to and from businesses; abroad; missed and called back."""

import numpy as np

from simulator import rhythms
from simulator.arrays import MINUTE, Flags, Floats, Ints
from simulator.chance import lognormal, lognormal_mean
from simulator.diary import Diary
from simulator.trade import Shops, shops
from simulator.world import NONE, World

CALLED_BACK = 0.35
"""Share of missed calls between people that are called back within hours (assumed)."""
LONGEST = 4 * 3600
SECOND_PHONE = 0.35
"""How much a second number is used beside a first one (assumed)."""


def line_weights(world: World) -> Floats:
    """How much each subscriber's number is used; mean 1 over all numbers."""
    phones = world.subscribers
    owner = world.phones.owner[:phones]
    weight = world.people.sociability[owner].copy()
    weight[world.people.phone[owner] != np.arange(phones)] *= SECOND_PHONE
    return np.asarray(weight / weight.mean(), dtype=np.float64)


class Calls:
    """The day's ordinary calls."""

    name = "calls"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        parameters = world.parameters
        answered = parameters.minutes_a_day / parameters.call_minutes
        attempts = answered / (1 - parameters.unanswered_share)
        self._rates = line_weights(world) * attempts / (1 + CALLED_BACK * parameters.unanswered_share)
        self._shops: Shops = shops(world.businesses, len(world.geography.town_name), world.businesses.weight)
        self._national = np.flatnonzero((world.businesses.town == NONE) & (world.businesses.phone >= 0))

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        factor = (1.04, 1.03, 1.03, 1.04, 1.10, 0.94, 0.82)[world.calendar.weekday(day)]
        caller = rhythms.happening(rng, self._rates * factor)
        owner = world.phones.owner[caller]
        start = rhythms.times(
            rng, world.calendar.midnight(day), len(caller), rhythms.CALLS, world.people.owl[owner]
        )
        callee = self._callees(world, rng, owner)
        usable = (callee >= 0) & (callee != caller)
        caller, owner, start, callee = caller[usable], owner[usable], start[usable], callee[usable]
        answered = rng.random(len(caller)) >= world.parameters.unanswered_share
        seconds = self._seconds(world, rng, len(caller))
        self._tell(world, day, diary, caller, callee, start, seconds, answered)
        self._call_back(world, day, rng, diary, caller, callee, start, answered)
        self._from_businesses(world, day, rng, diary)

    def _callees(self, world: World, rng: np.random.Generator, owner: Ints) -> Ints:
        """Who is called: a contact, a business near by or a national one, somebody abroad."""
        parameters, n = world.parameters, len(owner)
        friend = world.contacts.pick(rng, owner, parameters.closest_skew)
        callee = np.where(friend >= 0, world.people.phone[np.maximum(friend, 0)], NONE)
        u = rng.random(n)
        shop = self._business(world, rng, world.people.town[owner])
        callee = np.where(
            (u < parameters.to_business_share) | (callee < 0), world.businesses.phone[shop], callee
        )
        foreign = world.foreign[(rng.random(n) * len(world.foreign)).astype(np.int64)]
        return np.where(u > 1 - parameters.foreign_share, foreign, callee)

    def _business(self, world: World, rng: np.random.Generator, towns: Ints) -> Ints:
        near = self._shops.pick(rng, towns)
        far = self._national[(rng.random(len(towns)) * len(self._national)).astype(np.int64)]
        return np.where((near < 0) | (rng.random(len(towns)) < 0.3), far, near)

    def _seconds(self, world: World, rng: np.random.Generator, n: int) -> Ints:
        mean = world.parameters.call_minutes * 60
        long = lognormal_mean(rng, mean, world.parameters.call_sigma, n)
        return np.clip(long, 1, LONGEST).astype(np.int64)

    def _tell(
        self,
        world: World,
        day: int,
        diary: Diary,
        caller: Ints,
        callee: Ints,
        start: Ints,
        seconds: Ints,
        answered: Flags,
    ) -> None:
        here, there = world.phone_cells(day, caller, start), world.phone_cells(day, callee, start)
        diary.call(caller, callee, start, seconds, answered=answered, caller_cell=here, callee_cell=there)

    def _call_back(
        self, world: World, day: int, rng: np.random.Generator, diary: Diary, caller: Ints, callee: Ints, start: Ints,
        answered: Flags,
    ) -> None:  # fmt: skip
        missed = ~answered & (world.phones.owner[callee] >= 0) & (rng.random(len(caller)) < CALLED_BACK)
        who, whom = callee[missed], caller[missed]
        later = start[missed] + (lognormal(rng, 14.0, 1.3, len(who)) * MINUTE).astype(np.int64)
        taken = rng.random(len(who)) < 0.8
        self._tell(world, day, diary, who, whom, later, self._seconds(world, rng, len(who)), taken)

    def _from_businesses(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        """Switchboards, surgeries and couriers ring people up, some with their number withheld."""
        working = 1.25 if world.calendar.is_working(day) else 0.35
        rates = np.full(world.subscribers, world.parameters.from_business_a_day * working)
        callee = rhythms.happening(rng, rates)
        shop = self._business(world, rng, world.people.town[world.phones.owner[callee]])
        start = rhythms.times(rng, world.calendar.midnight(day), len(callee), rhythms.OFFICE)
        seconds = np.clip(lognormal(rng, 75.0, 1.0, len(callee)), 2, LONGEST).astype(np.int64)
        diary.call(
            world.businesses.phone[shop],
            callee,
            start,
            seconds,
            answered=rng.random(len(callee)) < 0.62,
            callee_cell=world.phone_cells(day, callee, start),
            withheld=rng.random(len(callee)) < world.parameters.withheld_share,
        )
