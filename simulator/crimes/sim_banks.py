"""Banks of SIMs: boxes that bring foreign calls in as local ones (bypass), and farms that send fraud texts.

Both put many SIMs into a few handsets at one place, and throw SIMs away after hours or days. Some rotate SIMs through
handsets, some keep one to one; some stand still, some are moved.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulator.arrays import DAY, SECOND, Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Cases, Stage, Today, Truth, place_in_run
from simulator.crimes.disruption import Disrupted, Phase, phases, shifted, told
from simulator.crimes.prevalence import subscriptions
from simulator.crimes.wangiri import reachable
from simulator.diary import Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import World

A: Final[Origin] = "assumed"


@dataclass(frozen=True, slots=True)
class SimBoxParameters(Disrupted):
    """One world's SIM boxes. Published findings: static place, disproportionate outgoing calls (Murynets et al. 2014)."""

    boxes_per_million_month: Annotated[float, Spread(1, 5, A, "subscriptions a month", "log")]
    days: Annotated[float, Spread(4, 25, A, "until it is found or moved", "log")]
    sims_at_once: Annotated[float, Spread(4, 28, A, "slots of a box", "log")]
    sims_per_handset: Annotated[float, Spread(1, 8, A, "SIMs that share a slot's IMEI")]
    sim_days: Annotated[float, Spread(1.5, 9, A, "a SIM's life", "log")]
    calls_per_sim_day: Annotated[
        float, Spread(25, 160, "derived", "out:in far above 10; Murynets et al. 2014", "log")
    ]
    call_seconds: Annotated[float, Spread(60, 260, A, "median")]
    answered_share: Annotated[float, Spread(0.4, 0.75, A, "")]
    humanlike_share: Annotated[
        float, Spread(0.0, 0.5, A, "boxes that also text, take calls and pause at night")
    ]
    moved_share: Annotated[float, Spread(0.0, 0.3, A, "boxes carried from place to place")]


@dataclass(frozen=True, slots=True)
class SmishingParameters(Disrupted):
    """One world's fraud text farms."""

    farms_per_million_month: Annotated[float, Spread(1.5, 7, A, "subscriptions a month", "log")]
    days: Annotated[float, Spread(1, 10, A, "a campaign", "log")]
    sims_at_once: Annotated[float, Spread(3, 24, A, "slots", "log")]
    sims_per_handset: Annotated[float, Spread(1, 12, A, "SIMs that share an IMEI")]
    sim_hours: Annotated[float, Spread(3, 40, A, "a SIM's life until it is blocked", "log")]
    texts_per_sim_hour: Annotated[float, Spread(40, 400, A, "sends of one SIM in its hours", "log")]
    sequential_share: Annotated[
        float, Spread(0.2, 0.7, A, "farms that work through number ranges, not lists")
    ]
    reply_share: Annotated[float, Spread(0.001, 0.005, "derived", "below 0.5 %: few answer", "log")]
    day_only_share: Annotated[float, Spread(0.3, 0.9, A, "farms that send in waking hours")]


@dataclass(slots=True)
class Slot:
    """One SIM's time in a bank."""

    phone: int
    since: float
    until: float
    phase: int
    cells: Ints


@dataclass(slots=True)
class Bank:
    """One box or farm."""

    id: str
    since: float
    until: float
    phases: list[Phase]
    slots: list[Slot]
    town: int
    humanlike: bool
    sequential: bool

    def by_phase(self) -> list[list[int]]:
        """The SIMs of each phase."""
        return [
            [slot.phone for slot in self.slots if slot.phase == number] for number in range(len(self.phases))
        ]


def _bank(
    stage: Stage[SimBoxParameters] | Stage[SmishingParameters],
    rng: np.random.Generator,
    name: str,
    id: str,
    *,
    days: float,
    at_once: float,
    per_handset: float,
    sim_days: float,
    moved: bool,
) -> Bank:
    since, until = place_in_run(rng, stage.days, float(lognormal(rng, days, 0.4, 1)[0]))
    town = stage.town(rng)
    goes = phases(stage.world.seed, stage.p, name, id, since, until)
    width = 0.0
    slots: list[Slot] = []
    place = town
    for number, phase in enumerate(goes):
        place = stage.town(rng) if phase.elsewhere else place
        cells = np.asarray([stage.cell(rng, place) for _ in range(3 if moved else 1)])
        width = width or at_once * float(np.exp(0.4 * rng.standard_normal()))
        slots += _slots(stage, rng, phase, number, cells, max(2, round(width)), per_handset, sim_days)
    return Bank(id, since, goes[-1].until, goes, slots, town, False, False)


def _slots(
    stage: Stage[SimBoxParameters] | Stage[SmishingParameters],
    rng: np.random.Generator,
    phase: Phase,
    number: int,
    cells: Ints,
    width: int,
    per_handset: float,
    sim_days: float,
) -> list[Slot]:
    """The SIMs of a phase, one after another in each place of the bank; new handsets too after a block."""
    handsets = [stage.cast.handset(rng, smart=False) for _ in range(max(1, round(width / per_handset)))]
    slots: list[Slot] = []
    for place in range(width):
        at = max(phase.since, -1.0)
        while at < min(phase.until, stage.days):
            end = min(at + float(lognormal(rng, sim_days, 0.6, 1)[0]), phase.until)
            handset = handsets[place % len(handsets)]
            phone = stage.cast.phone(
                rng, day=at, age_days=float(rng.uniform(0, 2)), cell=int(cells[0]), handset=handset
            )
            slots.append(Slot(phone, at, end, number, cells))
            at = end
    return slots


def _people(rng: np.random.Generator, world: World, n: int) -> Ints:
    phones = rng.integers(0, world.native_phones, n)
    kept: Ints = phones[reachable(world, phones)]
    return kept


class SimBox(Cases[SimBoxParameters, Bank]):
    """Interconnect bypass."""

    name = "sim_box"
    span = 13
    parameters = SimBoxParameters
    found_share = 0.6

    def expected(self, world: World) -> float:
        """By subscriptions and months."""
        return self.p.boxes_per_million_month * subscriptions(world) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[SimBoxParameters], rng: np.random.Generator, id: str) -> Bank | None:
        """A box and the SIMs that go through it."""
        p = stage.p
        bank = _bank(stage, rng, self.name, id, days=p.days, at_once=p.sims_at_once, per_handset=p.sims_per_handset,
                     sim_days=p.sim_days, moved=bool(rng.random() < p.moved_share))  # fmt: skip
        bank.humanlike = bool(rng.random() < p.humanlike_share)
        return bank

    def tell(self, case: Bank, today: Today) -> None:
        """Many calls out to numbers never called before, hardly any in."""
        rng, p, world = today.rng, self.p, today.world
        for slot in case.slots:
            since, until = today.within(slot.since, slot.until)
            if since >= until:
                continue
            cell, phase = int(slot.cells[today.day % len(slot.cells)]), case.phases[slot.phase]
            n = int(rng.poisson(p.calls_per_sim_day * phase.rate * (until - since)))
            to = _people(rng, world, n)
            at = np.sort(today.time(since) + (rng.random(len(to)) * (until - since) * DAY).astype(np.int64))
            if case.humanlike:
                awake = (at - today.midnight) % DAY > DAY / 24 * (7.5 + max(phase.hours, -7.5))
                to, at = to[awake], at[awake]
            taken = rng.random(len(to)) < p.answered_share
            length = np.maximum(lognormal(rng, p.call_seconds, 0.9, len(to)), 3).astype(np.int64)
            today.pages.say(
                "call",
                case.id,
                caller=slot.phone,
                callee=to,
                start=at,
                seconds=length,
                answered=taken,
                caller_cell=cell,
            )
            returned = rng.random(len(to)) < (0.03 if case.humanlike else 0.008)
            today.pages.say(
                "call",
                caller=to[returned],
                callee=slot.phone,
                start=at[returned] + 600 * SECOND,
                seconds=0,
                answered=False,
                callee_cell=cell,
            )
            if case.humanlike:
                few = today.hours(9, 21, int(rng.poisson(3)))
                few = few[(few >= today.time(since)) & (few < today.time(until))]
                others = _people(rng, world, len(few))
                today.pages.say(
                    "texts",
                    sender=np.full(len(others), slot.phone),
                    recipients=others,
                    times=few[: len(others)],
                    sender_cell=cell,
                )
            times = today.time(since) + (rng.random(2) * (until - since) * DAY).astype(np.int64)
            today.pages.say("location", phone=slot.phone, ts=times, cell=cell)

    def truths(self, case: Bank, world: World) -> list[Truth]:
        """Every SIM that went through the box."""
        force = int(world.geography.town_force[case.town])
        numbers = [slot.phone for slot in case.slots]
        note = {
            "humanlike": case.humanlike,
            **told(case.phases, case.by_phase(), world, hours=case.humanlike, place=True),
        }
        return [Truth("sim_box", "sim_box", numbers=numbers, home_force=force, note=note)]


class SmishingFarm(Cases[SmishingParameters, Bank]):
    """Fraud texts in bulk."""

    name = "smishing_farm"
    span = 14
    parameters = SmishingParameters
    found_share = 0.6

    def expected(self, world: World) -> float:
        """By subscriptions and months."""
        return self.p.farms_per_million_month * subscriptions(world) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[SmishingParameters], rng: np.random.Generator, id: str) -> Bank | None:
        """A farm and its SIMs."""
        p = stage.p
        bank = _bank(stage, rng, self.name, id, days=p.days, at_once=p.sims_at_once, per_handset=p.sims_per_handset,
                     sim_days=p.sim_hours / 24, moved=False)  # fmt: skip
        bank.sequential = bool(rng.random() < p.sequential_share)
        bank.humanlike = bool(rng.random() < p.day_only_share)
        return bank

    def tell(self, case: Bank, today: Today) -> None:
        """Each SIM sends until it is blocked; nearly nobody answers."""
        rng, p, world = today.rng, self.p, today.world
        for slot in case.slots:
            since, until = today.within(slot.since, slot.until)
            if since >= until:
                continue
            cell, phase = int(slot.cells[0]), case.phases[slot.phase]
            n = min(int(rng.poisson(p.texts_per_sim_hour * phase.rate * 24 * (until - since) * 0.4)), 6_000)
            if case.sequential:
                first = int(rng.integers(0, max(world.native_phones - n, 1)))
                to = np.arange(first, min(first + n, world.native_phones))
                to = to[reachable(world, to)]
            else:
                to = _people(rng, world, n)
            at = np.sort(today.time(since) + (rng.random(len(to)) * (until - since) * DAY).astype(np.int64))
            if case.humanlike:
                hour = (at - today.midnight) / DAY * 24
                low, high = shifted(8, 21, phase)
                awake = (hour > low) & (hour < high)
                to, at = to[awake], at[awake]
            today.pages.say("texts", case.id, sender=slot.phone, recipients=to, times=at, sender_cell=cell)
            answer = rng.random(len(to)) < p.reply_share
            back = at[answer] + (rng.uniform(30, 3_000, int(answer.sum())) * SECOND).astype(np.int64)
            today.pages.say(
                "texts", sender=to[answer], recipients=slot.phone, times=back, recipient_cell=cell
            )

    def truths(self, case: Bank, world: World) -> list[Truth]:
        """Every SIM of the farm."""
        force = int(world.geography.town_force[case.town])
        numbers = [slot.phone for slot in case.slots]
        note = {
            "sequential": case.sequential,
            **told(case.phases, case.by_phase(), world, hours=case.humanlike, place=True),
        }
        return [Truth("smishing", "smishing_farm", numbers=numbers, home_force=force, note=note)]


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [SimBox(), SmishingFarm()]
