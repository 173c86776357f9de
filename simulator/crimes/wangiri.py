"""Wangiri: one ring and gone, so that the curious call back a number that costs them dear."""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulator.arrays import MINUTE, SECOND, Flags, Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Cases, Stage, Today, Truth, place_in_run
from simulator.crimes.disruption import Disrupted, Phase, phases, shifted, told
from simulator.crimes.prevalence import subscriptions
from simulator.diary import Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import World

A: Final[Origin] = "assumed"


@dataclass(frozen=True, slots=True)
class WangiriParameters(Disrupted):
    """One world's one-ring campaigns. The mechanism is described by CEPT; no volumes are published."""

    campaigns_per_million_month: Annotated[float, Spread(1, 6, A, "subscriptions a month", "log")]
    days: Annotated[float, Spread(0.4, 3, A, "length of a campaign")]
    numbers: Annotated[float, Spread(3, 24, A, "caller numbers, out of one range")]
    rings_per_number_hour: Annotated[float, Spread(30, 220, A, "high unique B", "log")]
    ring_low_s: Annotated[float, Spread(0.6, 1.5, A, "0 to 3 seconds")]
    called_back_share: Annotated[float, Spread(0.006, 0.06, A, "of those rung", "log")]
    callback_minutes: Annotated[float, Spread(4, 35, A, "median")]
    callback_seconds: Annotated[float, Spread(25, 160, A, "median: music, then an answering machine")]
    from_home_share: Annotated[float, Spread(0.1, 0.45, A, "campaigns dialled from SIMs on our networks")]


@dataclass(slots=True)
class Campaign:
    """One campaign: the numbers it shows, when it runs."""

    id: str
    since: float
    until: float
    phases: list[Phase]
    numbers: list[Ints]
    """Of each phase."""
    home: bool
    rate: float
    hours: tuple[float, float]
    town: int


class Wangiri(Cases[WangiriParameters, Campaign]):
    """All one-ring campaigns."""

    name = "wangiri"
    span = 10
    parameters = WangiriParameters
    found_share = 0.6

    def expected(self, world: World) -> float:
        """By subscriptions and months."""
        return self.p.campaigns_per_million_month * subscriptions(world) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[WangiriParameters], rng: np.random.Generator, id: str) -> Campaign | None:
        """A run of premium or foreign numbers, or of SIMs on our own networks."""
        p = stage.p
        since, until = place_in_run(rng, stage.days, p.days * float(np.exp(0.4 * rng.standard_normal())))
        home, town = bool(rng.random() < p.from_home_share), stage.town(rng)
        count = max(2, round(p.numbers * float(np.exp(0.4 * rng.standard_normal()))))
        goes = phases(stage.world.seed, p, self.name, id, since, until)
        first = _numbers(stage, rng, town, count, since, home=home)
        low = float(rng.choice([0.0, 8.0, 18.0]))
        rate = float(p.rings_per_number_hour * np.exp(0.4 * rng.standard_normal()))
        hours = (low, low + float(rng.uniform(3, 6)))
        numbers = [first]
        for phase in goes[1:]:
            place = stage.town(rng) if phase.elsewhere else town
            numbers.append(_numbers(stage, rng, place, count, phase.since, home=home))
        return Campaign(id, since, goes[-1].until, goes, numbers, home, rate, hours, town)

    def tell(self, case: Campaign, today: Today) -> None:
        """Rings in the hours of the campaign, and those who call back."""
        for phase, numbers in zip(case.phases, case.numbers, strict=True):
            since, until = today.within(phase.since, phase.until)
            if since < until:
                self._ring(case, today, phase, numbers, since, until)

    def _ring(
        self, case: Campaign, today: Today, phase: Phase, numbers: Ints, since: float, until: float
    ) -> None:
        rng, p, world = today.rng, self.p, today.world
        hours = shifted(*case.hours, phase)
        low, high = max(hours[0], (since - today.day) * 24), min(hours[1], (until - today.day) * 24)
        if low >= high:
            low, high = (since - today.day) * 24, min((until - today.day) * 24, (since - today.day) * 24 + 1)
        per_number = np.minimum(rng.poisson(case.rate * phase.rate * (high - low), len(numbers)), 4_000)
        caller = np.repeat(numbers, per_number)
        people = rng.integers(0, world.native_phones, len(caller))
        reached = people[reachable(world, people)]
        caller = caller[reachable(world, people)]
        at = today.hours(low, high, len(caller))
        rng.shuffle(at)
        today.pages.say(
            "call", case.id, caller=caller, callee=reached, start=at, seconds=0, answered=False,
            ingress="" if case.home else "international",
        )  # fmt: skip
        back = rng.random(len(caller)) < p.called_back_share
        n = int(back.sum())
        delay = (lognormal(rng, p.callback_minutes, 1.0, n) * MINUTE).astype(np.int64) + 5 * SECOND
        length = np.maximum(lognormal(rng, p.callback_seconds, 0.8, n), 4).astype(np.int64)
        returned = at[back] + delay
        open_still = returned < today.time(phase.until) if phase.ended == "blocked" else np.ones(n, np.bool_)
        today.pages.say(
            "call", case.id, caller=reached[back], callee=caller[back], start=returned,
            seconds=length * open_still, answered=open_still,
        )  # fmt: skip

    def truths(self, case: Campaign, world: World) -> list[Truth]:
        """The numbers shown."""
        force = int(world.geography.town_force[case.town]) if case.home else 0
        note = {"home_sims": case.home, **told(case.phases, case.numbers, world, hours=True, place=case.home)}
        numbers = np.concatenate(case.numbers).tolist()
        return [Truth("wangiri", "wangiri", numbers=numbers, home_force=force, note=note)]


def _numbers(
    stage: Stage[WangiriParameters],
    rng: np.random.Generator,
    town: int,
    count: int,
    day: float,
    *,
    home: bool,
) -> Ints:
    """What a phase rings from: SIMs in a few handsets at one place, or a foreign range."""
    if not home:
        return np.asarray([stage.cast.foreign(text) for text in run_of_numbers(rng, count)])
    cell = stage.cell(rng, town)
    shared = [stage.cast.handset(rng, smart=False) for _ in range(max(1, count // 8))]
    return np.asarray(
        [
            stage.cast.phone(rng, day=day, age_days=1, cell=cell, handset=shared[i % len(shared)])
            for i in range(count)
        ]
    )


def reachable(world: World, phones: Ints) -> Flags:
    """Which numbers are subscribers' of our operators."""
    ours: Flags = (world.phones.operator[phones] >= 0) & (world.phones.owner[phones] >= 0)
    return ours


def run_of_numbers(rng: np.random.Generator, n: int) -> list[str]:
    """Foreign numbers of one range, one after another: country code 999 is nobody's."""
    first = int(rng.integers(0, 10**6 - n))
    country = int(rng.integers(10, 60))
    return [f"+999{country}{first + i:06d}" for i in range(n)]


def premium_numbers(rng: np.random.Generator, n: int) -> list[str]:
    """British premium-rate numbers of the range kept for drama."""
    first = int(rng.integers(0, 1000 - n))
    return [f"+4490987 90{first + i:03d}".replace(" ", "") for i in range(n)]


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [Wangiri()]
