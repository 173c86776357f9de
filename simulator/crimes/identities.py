"""False names and false numbers: subscription fraud, and calls that show a number that is not theirs (CLI spoofing)."""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulator.arrays import HOUR, Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Cases, Stage, Today, Truth, place_in_run
from simulator.crimes.prevalence import subscriptions
from simulator.crimes.residents import Who
from simulator.crimes.wangiri import reachable, run_of_numbers
from simulator.diary import Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import World

A: Final[Origin] = "assumed"


@dataclass(frozen=True, slots=True)
class SubscriptionParameters:
    """One world's subscription fraud: contracts in names that will never pay."""

    rings_per_million_month: Annotated[
        float, Spread(4, 25, "derived", "Cifas false applications, mobile products", "log")
    ]
    contracts: Annotated[float, Spread(2, 7, A, "contracts of one ring, one address or device")]
    days: Annotated[float, Spread(12, 40, A, "until the first unpaid bill")]
    foreign_minutes: Annotated[float, Spread(60, 400, A, "international minutes a contract a day", "log")]
    data_gb: Annotated[float, Spread(1, 12, A, "resold data a day")]
    shared_handset_share: Annotated[
        float, Spread(0.2, 0.8, A, "SIMs tried in one handset; the others' are sold on")
    ]


@dataclass(frozen=True, slots=True)
class SpoofingParameters:
    """One world's spoofing call centres."""

    centres_per_million_month: Annotated[float, Spread(2, 8, A, "subscriptions a month", "log")]
    days: Annotated[float, Spread(2, 15, A, "a campaign")]
    calls_an_hour: Annotated[float, Spread(60, 700, A, "of one centre", "log")]
    shown: Annotated[float, Spread(1, 12, A, "numbers shown, in turn")]
    borrowed_share: Annotated[float, Spread(0.2, 0.6, A, "centres that show real people's numbers")]
    answered_share: Annotated[float, Spread(0.12, 0.35, A, "")]
    talk_seconds: Annotated[float, Spread(15, 70, A, "median; a few talk for half an hour")]


@dataclass(slots=True)
class Ring:
    """Contracts taken out together."""

    id: str
    since: float
    until: float
    contracts: Ints
    starts: list[float]
    friends: Ints
    foreign: Ints
    town: int
    address: str


class SubscriptionFraud(Cases[SubscriptionParameters, Ring]):
    """Contracts that will never be paid for."""

    name = "subscription_fraud"
    span = 15
    parameters = SubscriptionParameters
    found_share = 0.6

    def expected(self, world: World) -> float:
        """By subscriptions and months."""
        return self.p.rings_per_million_month * subscriptions(world) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[SubscriptionParameters], rng: np.random.Generator, id: str) -> Ring | None:
        """Contracts at one address, some tried in one handset."""
        p, town = stage.p, stage.town(rng)
        cell = stage.cell(rng, town)
        since, until = place_in_run(rng, stage.days, p.days)
        count = max(2, round(p.contracts * float(np.exp(0.3 * rng.standard_normal()))))
        one = stage.cast.handset(rng, smart=True) if rng.random() < p.shared_handset_share else None
        starts = np.sort(np.clip(since + rng.exponential(1.5, count), since, until - 0.5))
        contracts = [
            stage.cast.phone(
                rng, day=float(start), age_days=0, cell=cell, prepaid=False, smart=True, handset=one
            )
            for start in starts
        ]
        friends = stage.crowd(rng, town, Who(phone=True), 6)
        foreign = [stage.cast.foreign(text) for text in run_of_numbers(rng, 6)]
        return Ring(id, since, until, np.asarray(contracts), [float(s) for s in starts], friends, np.asarray(foreign), town,
                    f"address:synthetic-{id}-{int(rng.integers(10**6))}")  # fmt: skip

    def tell(self, case: Ring, today: Today) -> None:
        """Heavy use from the first hour: calls abroad, data; then nothing, and no payment."""
        rng, p, world = today.rng, self.p, today.world
        for phone, start in zip(case.contracts.tolist(), case.starts, strict=True):
            if int(np.floor(start)) == today.day:
                signed = today.time(start)
                today.diary.link(today.diary.number(phone), case.address, "registered", signed, since=signed)
            since, until = today.within(start, case.until)
            if since >= until:
                continue
            minutes = p.foreign_minutes * float(np.exp(0.5 * rng.standard_normal())) * (until - since)
            length = np.maximum(lognormal(rng, 400, 0.8, max(1, round(minutes / 9))), 20).astype(np.int64)
            at = today.hours(
                max(6.0, (since - today.day) * 24), max(7.0, (until - today.day) * 24), len(length)
            )
            abroad = case.foreign[rng.integers(0, len(case.foreign), len(length))]
            today.pages.say("call", case.id, caller=phone, callee=abroad, start=at, seconds=length)
            n = int(rng.poisson(8))
            down = lognormal(rng, p.data_gb * 1e9 / 8, 0.7, n).astype(np.int64)
            today.pages.say(
                "data", phone=phone, ts=today.hours(0, 24, n), up=down // 15, down=down, seconds=1800
            )
            few = (
                world.people.phone[case.friends[rng.integers(0, len(case.friends), 2)]]
                if len(case.friends)
                else np.empty(0, np.int64)
            )
            today.pages.say(
                "texts", sender=np.full(len(few), phone), recipients=few, times=today.hours(10, 22, len(few))
            )

    def truths(self, case: Ring, world: World) -> list[Truth]:
        """The contracts."""
        force = int(world.geography.town_force[case.town])
        return [
            Truth(
                "subscription_fraud", "subscription_fraud", numbers=case.contracts.tolist(), home_force=force
            )
        ]


@dataclass(slots=True)
class Centre:
    """A call centre abroad and the numbers it shows."""

    id: str
    since: float
    until: float
    trunk: Ints
    shown: Ints
    borrowed: bool
    rate: float


class CliSpoofing(Cases[SpoofingParameters, Centre]):
    """Calls that come in from abroad and show a British number."""

    name = "cli_spoofing"
    span = 16
    parameters = SpoofingParameters
    found_share = 0.6

    def expected(self, world: World) -> float:
        """By subscriptions and months."""
        return self.p.centres_per_million_month * subscriptions(world) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[SpoofingParameters], rng: np.random.Generator, id: str) -> Centre | None:
        """A trunk abroad; numbers nobody has, or real people's."""
        p = stage.p
        since, until = place_in_run(rng, stage.days, p.days)
        trunk = [stage.cast.foreign(text) for text in run_of_numbers(rng, 3)]
        borrowed = bool(rng.random() < p.borrowed_share)
        count = max(1, round(p.shown * float(np.exp(0.4 * rng.standard_normal()))))
        if borrowed:
            people = rng.integers(0, len(stage.world.people), 4 * count)
            phones = stage.world.people.phone[people]
            shown = phones[phones >= 0][:count]
        else:
            shown = np.asarray([stage.cast.foreign(british_number(rng)) for _ in range(count)])
        if len(shown) == 0:
            return None
        return Centre(
            id,
            since,
            until,
            np.asarray(trunk),
            shown,
            borrowed,
            p.calls_an_hour * float(np.exp(0.4 * rng.standard_normal())),
        )

    def tell(self, case: Centre, today: Today) -> None:
        """Working hours, one number after another shown."""
        rng, p, world = today.rng, self.p, today.world
        if today.world.calendar.weekday(today.day) == 6:
            return
        since, until = today.within(case.since, case.until)
        low, high = max(9.0, (since - today.day) * 24), min(19.0, (until - today.day) * 24)
        if low >= high:
            return
        n = min(int(rng.poisson(case.rate * (high - low))), 8_000)
        to = rng.integers(0, world.native_phones, n)
        to = to[reachable(world, to)]
        at = today.hours(low, high, len(to))
        block = (at // HOUR + np.arange(len(to)) // 40) % len(case.shown)
        taken = rng.random(len(to)) < p.answered_share
        length = np.maximum(lognormal(rng, p.talk_seconds, 1.2, len(to)), 2).astype(np.int64)
        today.pages.say(
            "call", case.id, caller=case.trunk[rng.integers(0, len(case.trunk), len(to))], callee=to, start=at,
            seconds=np.minimum(length, 3_600), answered=taken, shown=case.shown[block], ingress="international",
        )  # fmt: skip

    def truths(self, case: Centre, world: World) -> list[Truth]:
        """The trunk's numbers, and the numbers shown unless they are somebody's (a victim's)."""
        numbers = case.trunk.tolist() + ([] if case.borrowed else case.shown.tolist())
        note: dict[str, object] = {"borrowed": case.borrowed}
        if case.borrowed:
            note["victims"] = [world.number(int(phone)) for phone in case.shown]
        return [Truth("cli_spoofing", "cli_spoofing", numbers=numbers, note=note)]


def british_number(rng: np.random.Generator) -> str:
    """A British number of the ranges kept for drama: what a bank's or an office's would look like."""
    prefix = str(rng.choice(["+443069990", "+442079460", "+441214960", "+441614960", "+441632960"]))
    return f"{prefix}{int(rng.integers(0, 1000)):03d}"


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [SubscriptionFraud(), CliSpoofing()]
