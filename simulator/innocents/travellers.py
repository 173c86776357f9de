"""People who travel as runners do: students between two towns, shift workers from hub to county; and two phones.

A student away from home by rail every other week, with GBP 10 to 30 going to and fro between friends; a shift worker
who leaves the city for a county town and comes back at odd hours; somebody who keeps a second phone, for safety from
the person at home.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.arrays import HOUR, MINUTE, Ints
from simulator.chance import lognormal
from simulator.crimes import shops
from simulator.crimes.absences import take_away
from simulator.crimes.cases import Stage, Today, Truth
from simulator.crimes.residents import Who
from simulator.diary import Mechanism
from simulator.innocents.habits import Innocents, log, near, of
from simulator.parameters import Parameters
from simulator.world import World

STUDENT: Final = {
    "per_100k": log(15, 70), "trips_a_week": of(0.25, 0.9), "nights": of(1, 4), "far_km": of(60, 250), "friends": of(4, 12),
    "payments_a_day": of(0.3, 1.4), "low_gbp": of(5, 12), "high_gbp": of(25, 45), "calls": of(1, 4), "texts": of(1, 6),
    "prepaid": of(0.2, 0.5),
}  # fmt: skip
SHIFT: Final = {
    "per_100k": log(8, 40), "days_on": of(3, 5), "days_off": of(2, 4), "stays": of(0.1, 0.6, "shifts after which they stay over"),
    "far_km": of(40, 130), "calls": of(1, 4), "texts": of(0.5, 3), "rail": of(0.4, 0.9), "prepaid": of(0.1, 0.4),
}  # fmt: skip
SECOND: Final = {
    "per_100k": log(15, 70), "contacts": of(2, 6), "calls": of(0.4, 2.5), "texts": of(0.5, 4), "plain": of(0.3, 0.8),
    "changes_a_month": of(0.05, 0.5, "a new SIM or handset when it was found"), "off_share": of(0.3, 0.8),
}  # fmt: skip


@dataclass(slots=True)
class Trip:
    """A time away."""

    leaves: float
    arrives: float
    departs: float
    home: float


@dataclass(slots=True)
class Traveller:
    """One of them."""

    id: str
    since: float
    until: float
    phone: int
    account: int
    home: int
    away: int
    home_cell: int
    away_cell: int
    friends: Ints
    trips: list[Trip]
    rail: bool


def _far_town(stage: Stage[Any], rng: np.random.Generator, home: int, km: float) -> int:
    """A town with people about so far away."""
    towns = stage.world.inhabited
    distance = stage.world.geography.distances(home)[towns]
    weights = (
        np.exp(-(((distance - km) / (0.3 * km + 5)) ** 2)) * np.sqrt(stage.world.geography.town_people[towns])
        + 1e-12
    )
    return int(rng.choice(towns, p=weights / weights.sum()))


def _go_along(world: World, person: int, case: Traveller) -> None:
    """A traveller's everyday phone and card are where the traveller is."""
    way = world.route(case.home, case.away, 8)
    way = way if case.rail else way[[0, -1]]
    for trip in case.trips:
        take_away(world, person, (trip.leaves, trip.arrives, trip.departs, trip.home), case.away_cell, way)


def where(case: Traveller, today: Today, times: Ints) -> Ints:
    """The cell of a traveller's phone."""
    cells = np.full(len(times), case.home_cell)
    for trip in case.trips:
        away = (times >= today.time(trip.arrives)) & (times < today.time(trip.departs))
        cells = np.where(away, case.away_cell, cells)
    return cells


def _journeys(case: Traveller, today: Today) -> None:
    """Cells along the way, and the fare."""
    rng, world = today.rng, today.world
    for trip in case.trips:
        for begins, ends, out in ((trip.leaves, trip.arrives, True), (trip.departs, trip.home, False)):
            if int(np.floor(begins)) != today.day:
                continue
            ends_at = (case.home, case.away) if out else (case.away, case.home)
            cells = world.route(*ends_at, 8)
            cells = cells if case.rail else cells[[0, -1]]
            at = np.linspace(today.time(begins), today.time(ends), len(cells)).astype(np.int64)
            today.pages.say("location", case.id, phone=case.phone, ts=at, cell=cells)
            if case.rail and case.account >= 0:
                business = shops.shop(world, rng, ends_at[0], shops.RAIL)
                when = max(today.time(begins) - int(rng.integers(3, 50)) * MINUTE, today.midnight)
                if business >= 0:
                    pence = int(rng.integers(650, 5_500))
                    entry = "contactless" if world.businesses.town[business] >= 0 else "ecommerce"
                    today.pages.say(
                        "card",
                        case.id,
                        account=case.account,
                        business=business,
                        amount=pence,
                        ts=when,
                        mcc=shops.RAIL,
                        entry=entry,
                    )


def _talk(case: Traveller, today: Today, calls: float, texts: float) -> None:
    rng, people = today.rng, today.world.people
    friends = people.phone[case.friends]
    friends = friends[friends >= 0]
    if len(friends) == 0:
        return
    say = today.pages.say
    n = int(rng.poisson(calls))
    at = today.hours(8, 24, n)
    other = friends[(len(friends) * rng.random(n) ** 2).astype(np.int64)]
    length = np.maximum(lognormal(rng, 90, 1.1, n), 4).astype(np.int64)
    out = rng.random(n) < 0.5
    cells = where(case, today, at)
    say(
        "call",
        caller=case.phone,
        callee=other[out],
        start=at[out],
        seconds=length[out],
        caller_cell=cells[out],
    )
    say(
        "call",
        caller=other[~out],
        callee=case.phone,
        start=at[~out],
        seconds=length[~out],
        callee_cell=cells[~out],
    )
    n = int(rng.poisson(texts))
    at = today.hours(8, 24, n)
    other = friends[(len(friends) * rng.random(n) ** 2).astype(np.int64)]
    say(
        "texts", sender=np.full(n, case.phone), recipients=other, times=at, sender_cell=where(case, today, at)
    )
    n = int(rng.poisson(5))
    at = today.hours(0, 24, n)
    down = lognormal(rng, 2e7, 1.5, n).astype(np.int64)
    say("data", phone=case.phone, ts=at, up=down // 12, down=down, seconds=900, cell=where(case, today, at))
    at = today.hours(0, 24, int(rng.poisson(4)))
    say("location", phone=case.phone, ts=at, cell=where(case, today, at))


class Students(Innocents[Traveller]):
    """Students between two towns."""

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Traveller | None:
        """A student, the other town, friends."""
        p, people = stage.p, stage.world.people
        person = stage.someone(rng, Who((18, 22), account=True))
        if person < 0:
            return None
        home = int(people.town[person])
        away = _far_town(stage, rng, home, near(rng, p.far_km, 0.3))
        young = Who((17, 25), account=True)
        friends = np.concatenate(
            [stage.crowd(rng, town, young, max(2, round(p.friends / 2))) for town in (away, home)]
        )
        hours = stage.world.distance_km(home, away) / 70 + 0.5
        trips, at = [], float(rng.uniform(-4, 5))
        while at < stage.days:
            leaves = np.floor(at) + float(rng.uniform(9, 19)) / 24
            arrives = leaves + hours / 24
            departs = (
                np.floor(arrives) + max(1, round(near(rng, p.nights, 0.4))) + float(rng.uniform(11, 20)) / 24
            )
            trips.append(Trip(float(leaves), arrives, float(departs), float(departs) + hours / 24))
            at = departs + float(rng.exponential(7 / p.trips_a_week)) * 0.6 + 1
        home_cell = int(people.cell[person])
        phone = stage.cast.phone(rng, day=0, age_days=float(rng.uniform(20, 900)), cell=home_cell, owner=person, smart=True,
                                 prepaid=bool(rng.random() < p.prepaid), known=bool(rng.random() < 0.7))  # fmt: skip
        case = Traveller(id, -1.0, stage.days + 1.0, phone, int(people.account[person]), home, away, home_cell,
                         stage.cell(rng, away), friends, trips, bool(rng.random() < 0.85))  # fmt: skip
        _go_along(stage.world, person, case)
        return case

    def tell(self, case: Traveller, today: Today) -> None:
        """Trains, talk, and small sums between friends."""
        rng, p, people = today.rng, self.p, today.world.people
        _journeys(case, today)
        _talk(case, today, p.calls, p.texts)
        n = int(rng.poisson(p.payments_a_day))
        if len(case.friends) == 0 or n == 0:
            return
        other = people.account[case.friends[rng.integers(0, len(case.friends), n)]]
        inward = rng.random(n) < 0.5
        pence = (rng.uniform(p.low_gbp, p.high_gbp, n) / 5).round().astype(np.int64) * 500
        apart = other != case.account
        today.pages.say(
            "pay", case.id, payer=np.where(inward, other, case.account)[apart], payee=np.where(inward, case.account, other)[apart],
            amount=np.maximum(pence, 500)[apart], ts=today.hours(11, 26, n)[apart],
            reference=rng.choice(["", "🍕", "🍻", "food", "uber", "thanks x"], n)[apart],
        )  # fmt: skip

    def truths(self, case: Traveller, world: World) -> list[Truth]:
        """The phone and the account."""
        return self.innocent(world, [case.phone], [case.account], int(world.geography.town_force[case.home]))


class ShiftWorkers(Innocents[Traveller]):
    """People who live in a city and work shifts in a county town."""

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Traveller | None:
        """A worker and the other town."""
        p, people = stage.p, stage.world.people
        cities = stage.world.geography.town_people > 100_000
        fits = Who((18, 60), account=True)
        tried = [stage.someone(rng, fits) for _ in range(12)]
        person = next((who for who in tried if who >= 0 and cities[people.town[who]]), tried[-1])
        if person < 0:
            return None
        home = int(people.town[person])
        away = _far_town(stage, rng, home, near(rng, p.far_km, 0.3))
        hours = stage.world.distance_km(home, away) / 70 + 0.4
        on, off = max(1, round(p.days_on)), max(1, round(p.days_off))
        starts = float(rng.choice([6.0, 14.0, 21.5]))
        offset = int(rng.integers(0, on + off))
        trips: list[Trip] = []
        for day in range(-1, stage.days):
            if (day + offset) % (on + off) >= on:
                continue
            begin = day + starts / 24
            trips.append(Trip(begin - hours / 24, begin, begin + 8.5 / 24, begin + (8.5 + hours) / 24))
        if rng.random() < p.stays and trips:  # lodges near work through the days on
            trips = [Trip(t.leaves, t.arrives, t.departs + 0.9, t.home + 0.9) for t in trips[::on]]
        friends = stage.crowd(rng, home, Who(phone=True), 8)
        home_cell = int(people.cell[person])
        phone = stage.cast.phone(rng, day=0, age_days=float(rng.uniform(20, 1_200)), cell=home_cell, owner=person, smart=True,
                                 prepaid=bool(rng.random() < p.prepaid), known=bool(rng.random() < 0.7))  # fmt: skip
        case = Traveller(id, -1.0, stage.days + 1.0, phone, int(people.account[person]), home, away, home_cell,
                         stage.cell(rng, away), friends, trips, bool(rng.random() < p.rail))  # fmt: skip
        _go_along(stage.world, person, case)
        return case

    def tell(self, case: Traveller, today: Today) -> None:
        """The way to work and back, and talk."""
        _journeys(case, today)
        _talk(case, today, self.p.calls, self.p.texts)

    def truths(self, case: Traveller, world: World) -> list[Truth]:
        """The phone and the account."""
        return self.innocent(world, [case.phone], [case.account], int(world.geography.town_force[case.home]))


@dataclass(slots=True)
class Hidden:
    """Somebody's second phone."""

    id: str
    since: float
    until: float
    phone: int
    person: int
    contacts: Ints
    smart: bool
    changes: list[tuple[float, int, int]]


class TwoPhones(Innocents[Hidden]):
    """Second phones kept for safety."""

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Hidden | None:
        """A person with a phone, a second one, and the few who know its number."""
        p, people = stage.p, stage.world.people
        person = stage.someone(rng, Who((18, 60), phone=True))
        if person < 0:
            return None
        smart = bool(rng.random() >= p.plain)
        phone = stage.cast.phone(
            rng, day=0, age_days=float(rng.uniform(2, 200)), cell=int(people.cell[person]), smart=smart
        )
        contacts = people.phone[
            stage.crowd(rng, int(people.town[person]), Who(phone=True), max(2, round(p.contacts)))
        ]
        changes = [
            (float(day), stage.cast.issue(), stage.cast.handset(rng, smart=smart))
            for day in np.flatnonzero(rng.random(stage.days) < p.changes_a_month / 30) + rng.uniform(0.4, 0.9)
        ]
        return Hidden(id, -1.0, stage.days + 1.0, phone, person, contacts, smart, changes)

    def tell(self, case: Hidden, today: Today) -> None:
        """A few calls at hours when it is safe; off otherwise."""
        rng, p, world = today.rng, self.p, today.world
        for when, sim, handset in case.changes:
            if int(when) == today.day:
                changed = today.time(when)
                today.pages.change("sim_change", case.phone, changed, case.id, sim=sim, channel="store")
                today.pages.change("device_change", case.phone, changed + MINUTE, case.id, handset=handset)
        if rng.random() < p.off_share * 0.5 or len(case.contacts) == 0:
            return
        say = today.pages.say

        def cells(times: Ints) -> Ints:
            return world.whereabouts(today.day, np.full(len(times), case.person), times)

        for low, high in ((9.0, 12.0), (13.0, 16.5)):
            n = int(rng.poisson(p.calls / 2))
            at = today.hours(low, high, n)
            other = case.contacts[rng.integers(0, len(case.contacts), n)]
            length = np.maximum(lognormal(rng, 120, 1.1, n), 4).astype(np.int64)
            out = rng.random(n) < 0.6
            where_at = cells(at)
            say(
                "call",
                case.id,
                caller=case.phone,
                callee=other[out],
                start=at[out],
                seconds=length[out],
                caller_cell=where_at[out],
            )
            say(
                "call",
                caller=other[~out],
                callee=case.phone,
                start=at[~out],
                seconds=length[~out],
                callee_cell=where_at[~out],
            )
        n = int(rng.poisson(p.texts))
        at = today.hours(9, 17, n)
        other = case.contacts[rng.integers(0, len(case.contacts), n)]
        say(
            "texts", case.id, sender=np.full(n, case.phone), recipients=other, times=at, sender_cell=cells(at)
        )
        at = today.midnight + np.sort(rng.integers(9 * HOUR, 17 * HOUR, 2))
        say("location", phone=case.phone, ts=at, cell=cells(at))

    def truths(self, case: Hidden, world: World) -> list[Truth]:
        """Both phones."""
        numbers = [case.phone, int(world.people.phone[case.person])]
        return self.innocent(world, numbers, [], int(world.people.force[case.person]), protected=True)


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [
        Students("student_shuttle", 52, STUDENT),
        ShiftWorkers("shift_worker", 53, SHIFT),
        TwoPhones("two_phones", 54, SECOND),
    ]
