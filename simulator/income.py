"""Pay, pensions, benefits, direct debits and standing orders: money that moves by the calendar."""

from dataclasses import dataclass

import numpy as np

from simulator.arrays import HOUR, Ints
from simulator.chance import lognormal, weighted
from simulator.diary import Diary
from simulator.identifiers import mix
from simulator.inhabitants import job
from simulator.trade import BILLERS
from simulator.world import NONE, World


def due_days(world: World, day: int) -> Ints:
    """The days of the month (1 to 28) whose payments are taken today: on working days, those since the last one."""
    calendar = world.calendar
    if not calendar.is_working(day):
        return np.empty(0, dtype=np.int64)
    due, before = [calendar.date(day).day], day - 1
    while not calendar.is_working(before):
        due.append(calendar.date(before).day)
        before -= 1
    return np.array([d for d in due if d <= 28], dtype=np.int64)


def early(rng: np.random.Generator, midnight: int, n: int) -> Ints:
    """Times in the small hours, when batches are booked."""
    return midnight + ((0.5 + 5.5 * rng.random(n) ** 2) * HOUR).astype(np.int64)


class Pay:
    """Wages, pensions, benefits and student money by Bacs."""

    name = "pay"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        people = world.people
        self._state = int(world.businesses.account[np.flatnonzero(world.businesses.mcc == 9311)[0]])
        self._paid = np.flatnonzero((people.income > 0) & (people.account >= 0))
        employer = people.employer[self._paid]
        self._payer = np.where(employer >= 0, world.businesses.account[np.maximum(employer, 0)], self._state)
        # An employer pays everybody on one rule; pensions go by the person.
        key = mix(np.where(employer >= 0, employer, self._paid + 10**9)).astype(np.float64) / 2.0**64
        rules = np.searchsorted([0.30, 0.62, 0.76, 0.90, 0.95], key, side="right")
        self._rule = np.where(employer >= 0, rules, np.where(people.job[self._paid] == job("retired"), 5, 0))
        self._helped = np.flatnonzero((people.benefits > 0) & (people.account >= 0))
        self._helped_on = 1 + (mix(self._helped + 77) % np.uint64(28)).astype(np.int64)

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        self._wages(world, day, rng, diary)
        who = self._helped[np.isin(self._helped_on, due_days(world, day))]
        amount = world.people.benefits[who]
        ts = early(rng, world.calendar.midnight(day), len(who))
        diary.pay(
            self._state, world.people.account[who], amount, ts, "bacs", channel="batch", reference="BENEFIT"
        )

    def _wages(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        calendar = world.calendar
        if not calendar.is_working(day):
            return
        due = due_days(world, day)
        last = calendar.date(day + 1).month != calendar.date(day).month
        ahead = day + 1
        while not calendar.is_working(ahead):  # a last working day before a weekend at the end of the month
            last |= calendar.date(ahead + 1).month != calendar.date(ahead).month
            ahead += 1
        weeks = (calendar.first + day) // 7
        friday = calendar.weekday(day) == 4
        monthly, weekly = np.ones(len(self._paid)), np.full(len(self._paid), 7 / 30.4)
        today = np.select(
            [self._rule == rule for rule in range(6)],
            [
                monthly * bool(np.isin(28, due)), monthly * last, monthly * bool(np.isin(25, due)), weekly * friday,
                weekly * 4 * (friday & (weeks % 4 == 0)),
                weekly * 4 * (mix(self._paid) % np.uint64(28) == (calendar.first + day) % 28),
            ],
        )  # fmt: skip
        row = np.flatnonzero(today > 0)
        person = self._paid[row]
        amount = world.people.income[person] * today[row] * np.exp(0.03 * rng.standard_normal(len(row)))
        ts = early(rng, calendar.midnight(day), len(row))
        diary.pay(
            self._payer[row], world.people.account[person], amount.astype(np.int64), ts, "bacs", channel="batch",
            reference="SALARY PAYMENT",
        )  # fmt: skip


@dataclass(slots=True)
class Mandates:
    """Payments laid down by day of the month."""

    payer: Ints
    payee: Ints
    day: Ints
    amount: Ints

    def due(self, world: World, day: int) -> Ints:
        """Those taken today."""
        return np.flatnonzero(np.isin(self.day, due_days(world, day)))


class Debits:
    """Direct debits to the billers: energy, council tax, telephone, insurance, loans."""

    name = "direct debits"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        people = world.people
        adults = np.flatnonzero((people.account >= 0) & (people.age >= 18))
        need = np.where(people.age[adults] < 23, 0.5, 1.1) * lognormal(rng, 1.0, 0.35, len(adults))
        count = rng.poisson(need / need.mean() * world.parameters.debits_a_month)
        person = np.repeat(adults, count)
        billers = np.flatnonzero((world.businesses.town == NONE) & ~world.businesses.online)
        share = {code: of_all / many for code, (many, of_all, _) in BILLERS.items()}
        pull = np.array([share[int(code)] for code in world.businesses.mcc[billers]])
        biller = billers[weighted(rng, pull, len(person))]
        median = {code: pounds for code, (_, _, pounds) in BILLERS.items()}
        usual = np.array([median.get(int(code), 20.0) for code in world.businesses.mcc])[biller]
        amount = np.maximum(lognormal(rng, usual * 100, 0.5, len(person)), 99).astype(np.int64)
        monthday = np.where(rng.random(len(person)) < 0.4, 1, 1 + rng.integers(0, 28, len(person)))
        self._all = Mandates(people.account[person], world.businesses.account[biller], monthday, amount)

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        row, due = self._all.due(world, day), self._all
        varied = due.amount[row] * np.where(
            rng.random(len(row)) < 0.2, np.exp(0.15 * rng.standard_normal(len(row))), 1
        )
        unpaid = rng.random(len(row)) < 0.006
        diary.pay(
            due.payer[row], due.payee[row], varied.astype(np.int64), early(rng, world.calendar.midnight(day), len(row)),
            "direct_debit", channel="batch", status=np.where(unpaid, "rejected", "accepted"),
            reason=np.where(unpaid, "AM04", ""),
        )  # fmt: skip


class Orders:
    """Standing orders: rent, savings, the joint account, pocket money, clubs."""

    name = "standing orders"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        people = world.people
        adults = np.flatnonzero((people.account >= 0) & (people.age >= 18))
        parts = [self._rent(world, rng, adults), self._own(world, rng), self._pocket_money(world, rng)]
        payer, payee, amount = (np.concatenate([part[i] for part in parts]) for i in range(3))
        wanted = int(len(adults) * world.parameters.orders_a_month)
        if len(payer) > wanted:
            kept = np.sort(rng.permutation(len(payer))[:wanted])
            payer, payee, amount = payer[kept], payee[kept], amount[kept]
        monthday = np.where(
            rng.random(len(payer)) < 0.5, 1, rng.choice([2, 3, 5, 15, 20, 25, 28], len(payer))
        )
        self._all = Mandates(payer, payee, monthday, amount)

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        row, due = self._all.due(world, day), self._all
        ts = early(rng, world.calendar.midnight(day), len(row))
        diary.pay(due.payer[row], due.payee[row], due.amount[row], ts, "standing_order", channel="batch")

    @staticmethod
    def _rent(world: World, rng: np.random.Generator, adults: Ints) -> tuple[Ints, Ints, Ints]:
        """A third of households rent: from agents, councils, and private landlords who have a few tenants."""
        people = world.people
        first = np.concatenate([[True], people.household[adults][1:] != people.household[adults][:-1]])
        tenant = adults[first & (rng.random(len(adults)) < 0.34)]
        landlords = adults[rng.random(len(adults)) < 0.02]
        local = world.businesses.account[world.businesses.mcc == 8999]
        if len(local) == 0 and len(landlords) == 0:  # a very small world has nobody to rent from
            tenant = tenant[:0]
        private = (
            people.account[landlords][(rng.random(len(tenant)) * len(landlords)).astype(np.int64)]
            if len(landlords)
            else local[:1]
        )
        agent = local[(rng.random(len(tenant)) * len(local)).astype(np.int64)] if len(local) else private
        payee = np.where(rng.random(len(tenant)) < 0.45, private, agent)
        amount = (lognormal(rng, 85_000, 0.35, len(tenant)) / 500).astype(np.int64) * 500
        return people.account[tenant], payee, amount

    @staticmethod
    def _own(world: World, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Into savings and joint accounts."""
        accounts = world.accounts
        rows = np.flatnonzero(np.isin(accounts.kind[: world.native_accounts], (1, 2)))
        rows = rows[rng.random(len(rows)) < 0.6]
        main = world.people.account[accounts.holder[rows]]
        joint = accounts.kind[rows] == 2
        amount = (lognormal(rng, np.where(joint, 60_000.0, 10_000.0), 0.6, len(rows)) / 500).astype(
            np.int64
        ) * 500
        return main, rows, np.maximum(amount, 500)

    @staticmethod
    def _pocket_money(world: World, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """From the head of the household to children with an account of their own."""
        people = world.people
        child = np.flatnonzero((people.age < 18) & (people.account >= 0))
        head = np.searchsorted(people.household, people.household[child])
        ok = (people.account[head] >= 0) & (people.age[head] >= 18)
        amount = rng.choice([1000, 1500, 2000, 2500, 3000, 4000], int(ok.sum()))
        return people.account[head[ok]], people.account[child[ok]], amount.astype(np.int64)
