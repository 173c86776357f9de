"""False names and false numbers: subscription fraud, and calls that show a number that is not theirs (CLI spoofing)."""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulator.arrays import HOUR, Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Cases, Stage, Today, Truth, place_in_run
from simulator.crimes.disruption import Disrupted, Phase, phases, shifted, told
from simulator.crimes.prevalence import subscriptions
from simulator.crimes.residents import Who
from simulator.crimes.wangiri import reachable, run_of_numbers
from simulator.diary import Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import World

A: Final[Origin] = "assumed"


@dataclass(frozen=True, slots=True)
class SubscriptionParameters(Disrupted):
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
class SpoofingParameters(Disrupted):
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
    """People who take contracts out together."""

    id: str
    since: float
    until: float
    phases: list[Phase]
    batches: list["Batch"]
    """The contracts of each phase."""
    friends: Ints
    town: int


@dataclass(slots=True)
class Batch:
    """Contracts in names of one address, and whom they ring abroad."""

    contracts: Ints
    starts: list[float]
    foreign: Ints
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
        goes = phases(stage.world.seed, p, self.name, id, since, until)
        friends = stage.crowd(rng, town, Who(phone=True), 6)
        batches = []
        for number, phase in enumerate(goes):
            cell = stage.cell(rng, stage.town(rng)) if phase.elsewhere else cell
            batches.append(self._batch(stage, rng, f"{id}-{number + 1}", cell, phase))
        return Ring(id, since, goes[-1].until, goes, batches, friends, town)

    def _batch(
        self,
        stage: Stage[SubscriptionParameters],
        rng: np.random.Generator,
        id: str,
        cell: int,
        phase: Phase,
    ) -> "Batch":
        p, since = stage.p, phase.since
        count = max(2, round(p.contracts * phase.rate * float(np.exp(0.3 * rng.standard_normal()))))
        one = stage.cast.handset(rng, smart=True) if rng.random() < p.shared_handset_share else None
        last = max(phase.until - 0.5, since)
        starts = np.sort(np.clip(since + rng.exponential(min(1.5, last - since + 0.01), count), since, last))
        contracts = [
            stage.cast.phone(
                rng, day=float(start), age_days=0, cell=cell, prepaid=False, smart=True, handset=one
            )
            for start in starts
        ]
        foreign = [stage.cast.foreign(text) for text in run_of_numbers(rng, 6)]
        address = f"address:synthetic-{id}-{int(rng.integers(10**6))}"
        return Batch(np.asarray(contracts), [float(s) for s in starts], np.asarray(foreign), address)

    def tell(self, case: Ring, today: Today) -> None:
        """Heavy use from the first hour: calls abroad, data; then nothing, and no payment."""
        for phase, batch in zip(case.phases, case.batches, strict=True):
            self._use(case, today, phase, batch)

    def _use(self, case: Ring, today: Today, phase: Phase, batch: "Batch") -> None:
        rng, p, world = today.rng, self.p, today.world
        for phone, start in zip(batch.contracts.tolist(), batch.starts, strict=True):
            if int(np.floor(start)) == today.day:
                signed = today.time(start)
                today.diary.link(today.diary.number(phone), batch.address, "registered", signed, since=signed)
            since, until = today.within(start, phase.until)
            if since >= until:
                continue
            minutes = (
                p.foreign_minutes * phase.rate * float(np.exp(0.5 * rng.standard_normal())) * (until - since)
            )
            length = np.maximum(lognormal(rng, 400, 0.8, max(1, round(minutes / 9))), 20).astype(np.int64)
            begin, end = (since - today.day) * 24, (until - today.day) * 24
            at = today.hours(max(6.0, begin) if end > 6.5 else begin, end, len(length))
            abroad = batch.foreign[rng.integers(0, len(batch.foreign), len(length))]
            today.pages.say("call", case.id, caller=phone, callee=abroad, start=at, seconds=length)
            n = int(rng.poisson(8 * (until - since)))
            down = lognormal(rng, p.data_gb * 1e9 / 8, 0.7, n).astype(np.int64)
            today.pages.say(
                "data", phone=phone, ts=today.hours(begin, end, n), up=down // 15, down=down, seconds=1800
            )
            few = (
                world.people.phone[case.friends[rng.integers(0, len(case.friends), 2)]]
                if len(case.friends)
                else np.empty(0, np.int64)
            )
            times = today.hours(10, 22, len(few))
            live = (times >= today.time(since)) & (times < today.time(until))
            today.pages.say(
                "texts", sender=np.full(int(live.sum()), phone), recipients=few[live], times=times[live]
            )

    def truths(self, case: Ring, world: World) -> list[Truth]:
        """The contracts."""
        force = int(world.geography.town_force[case.town])
        contracts = [batch.contracts for batch in case.batches]
        note = told(case.phases, contracts, world, place=True)
        numbers = np.concatenate(contracts).tolist()
        return [
            Truth("subscription_fraud", "subscription_fraud", numbers=numbers, home_force=force, note=note)
        ]


@dataclass(slots=True)
class Centre:
    """A call centre abroad and the numbers it shows."""

    id: str
    since: float
    until: float
    phases: list[Phase]
    trunk: list[Ints]
    """Of each phase, as the numbers shown: those of before are barred."""
    shown: list[Ints]
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
        borrowed = bool(rng.random() < p.borrowed_share)
        count = max(1, round(p.shown * float(np.exp(0.4 * rng.standard_normal()))))
        goes = phases(stage.world.seed, p, self.name, id, since, until)
        trunk = [np.asarray([stage.cast.foreign(text) for text in run_of_numbers(rng, 3)]) for _ in goes]
        shown = [_shown(stage, rng, count, borrowed=borrowed) for _ in goes]
        if any(len(numbers) == 0 for numbers in shown):
            return None
        rate = p.calls_an_hour * float(np.exp(0.4 * rng.standard_normal()))
        return Centre(id, since, goes[-1].until, goes, trunk, shown, borrowed, rate)

    def tell(self, case: Centre, today: Today) -> None:
        """Working hours, one number after another shown."""
        if today.world.calendar.weekday(today.day) == 6:
            return
        for number, phase in enumerate(case.phases):
            since, until = today.within(phase.since, phase.until)
            first, last = shifted(9, 19, phase)
            low, high = max(first, (since - today.day) * 24), min(last, (until - today.day) * 24)
            if low < high:
                self._ring(case, today, number, low, high)

    def _ring(self, case: Centre, today: Today, number: int, low: float, high: float) -> None:
        rng, p, world = today.rng, self.p, today.world
        trunk, shown, phase = case.trunk[number], case.shown[number], case.phases[number]
        n = min(int(rng.poisson(case.rate * phase.rate * (high - low))), 8_000)
        to = rng.integers(0, world.native_phones, n)
        to = to[reachable(world, to)]
        at = today.hours(low, high, len(to))
        block = (at // HOUR + np.arange(len(to)) // 40) % len(shown)
        taken = rng.random(len(to)) < p.answered_share
        length = np.maximum(lognormal(rng, p.talk_seconds, 1.2, len(to)), 2).astype(np.int64)
        today.pages.say(
            "call", case.id, caller=trunk[rng.integers(0, len(trunk), len(to))], callee=to, start=at,
            seconds=np.minimum(length, 3_600), answered=taken, shown=shown[block], ingress="international",
        )  # fmt: skip

    def truths(self, case: Centre, world: World) -> list[Truth]:
        """The trunk's numbers, and the numbers shown unless they are somebody's (a victim's)."""
        trunk, shown = np.concatenate(case.trunk).tolist(), np.concatenate(case.shown).tolist()
        numbers = trunk + ([] if case.borrowed else shown)
        note: dict[str, object] = {"borrowed": case.borrowed}
        if case.borrowed:
            note["victims"] = [world.number(int(phone)) for phone in shown]
        note |= told(case.phases, case.trunk, world, hours=True)
        return [Truth("cli_spoofing", "cli_spoofing", numbers=numbers, note=note)]


def _shown(stage: Stage[SpoofingParameters], rng: np.random.Generator, count: int, *, borrowed: bool) -> Ints:
    """Numbers nobody has, or real people's."""
    if not borrowed:
        return np.asarray([stage.cast.foreign(british_number(rng)) for _ in range(count)])
    people = rng.integers(0, len(stage.world.people), 4 * count)
    phones = stage.world.people.phone[people]
    return phones[phones >= 0][:count]


def british_number(rng: np.random.Generator) -> str:
    """A British number of the ranges kept for drama: what a bank's or an office's would look like."""
    prefix = str(rng.choice(["+443069990", "+442079460", "+441214960", "+441614960", "+441632960"]))
    return f"{prefix}{int(rng.integers(0, 1000)):03d}"


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [SubscriptionFraud(), CliSpoofing()]
