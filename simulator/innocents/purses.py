"""People whose accounts look like a mule's or a victim's: treasurers, children, sellers, gig workers, movers, hobbyists.

They share round sums from many, money that goes out as it comes in, many new payees at once, series to an exchange,
notes paid in at several counters, and payments disputed that were one's own.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from simulator.arrays import DAY, HOUR, MINUTE, Ints
from simulator.chance import lognormal
from simulator.crimes import shops
from simulator.crimes.cases import Stage, Today, Truth
from simulator.crimes.residents import Who
from simulator.diary import Mechanism
from simulator.innocents.habits import Innocents, log, near, of
from simulator.parameters import Parameters
from simulator.spreads import Spread
from simulator.world import World


@dataclass(slots=True)
class Holder:
    """One account holder, and those who pay or are paid."""

    id: str
    since: float
    until: float
    person: int
    account: int
    others: Ints
    """Accounts of the others."""
    second: int
    """An account of one's own elsewhere."""
    town: int
    start: float
    rate: float
    seen: set[int] = field(default_factory=set)


class Purses(Innocents[Holder]):
    """What all kinds here have in common: a person, an account, the others."""

    ages: tuple[int, int] = (21, 75)
    strangers = False

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Holder | None:
        """A person with an account and those they deal with."""
        p, people = stage.p, stage.world.people
        person = stage.someone(rng, Who(self.ages, account=True))
        if person < 0:
            return None
        account, town = int(people.account[person]), int(people.town[person])
        size = int(np.clip(near(rng, p.others), 2, 400))
        fits = Who((16, 120), account=True)
        if self.strangers:
            drawn = rng.integers(0, len(people), 3 * size)
            crowd = rng.permutation(np.unique(drawn[fits.fits(stage.world, drawn)]))[:size]
        else:
            crowd = stage.crowd(rng, town, fits, size)
        others = people.account[crowd]
        return Holder(id, -1.0, stage.days + 1.0, person, account, others[others != account], self.other_end(stage, rng, person), town,
                      float(rng.uniform(0, max(stage.days - 3, 1))), near(rng, p.a_week, 0.3))  # fmt: skip

    def other_end(self, stage: Stage[Any], rng: np.random.Generator, person: int) -> int:
        """Where the money goes or comes from."""
        return stage.cast.account(
            rng, person, day=0, age_days=float(rng.uniform(100, 2_000)), kind="savings", balance=80_000
        )

    def tell(self, case: Holder, today: Today) -> None:
        """What is paid on a day."""
        raise NotImplementedError

    def truths(self, case: Holder, world: World) -> list[Truth]:
        """The account, and the number registered for it."""
        phone = int(world.people.phone[case.person])
        return self.innocent(
            world, [phone] if phone >= 0 else [], [case.account], int(world.people.force[case.person])
        )


def receives(case: Holder, today: Today, payers: Ints, pence: Ints, at: Ints, references: list[str]) -> None:
    """Payments in, each payer's first one to a new payee."""
    if len(payers) == 0:
        return
    new = np.asarray([_is_new(case, int(payer)) for payer in payers])
    today.pages.say(
        "pay", case.id, payer=payers, payee=case.account, amount=pence, ts=at, new_payee=new, cop=np.where(new, "match", ""),
        reference=today.rng.choice(references, len(payers)),
    )  # fmt: skip


def _is_new(case: Holder, other: int) -> bool:
    """Whether the two never dealt before: most have, before the run began."""
    if other in case.seen:
        return False
    case.seen.add(other)
    return other % 3 == 0


def some(today: Today, accounts: Ints, n: int) -> Ints:
    """`n` of these accounts, with repeats (none when there are none)."""
    return accounts[today.rng.integers(0, len(accounts), n)] if len(accounts) else accounts


def atm(today: Today, account: int, town: int, at: int, pence: int, story: str) -> None:
    """Notes from a machine in a town."""
    cell = int(today.rng.choice(today.world.cells_of(town)))
    today.pages.say(
        "cash", story, account=account, amount=max(pence // 1_000 * 1_000, 1_000), ts=at, cell=cell
    )


class Treasurers(Purses):
    """A club's subscriptions: round sums from its members, then the hall is paid."""

    def tell(self, case: Holder, today: Today) -> None:
        """On collecting days most members pay within hours."""
        rng, p = today.rng, self.p
        if (today.day + case.person) % max(round(7 / case.rate), 1) == 0:
            payers = case.others[rng.random(len(case.others)) < p.pays_share]
            price = int(rng.choice([500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000]))
            receives(
                case,
                today,
                payers,
                np.full(len(payers), price),
                today.hours(12, 25, len(payers)),
                ["", "subs", "sub", "match fees", "club"],
            )
        if rng.random() < 0.2:
            at = int(today.hours(9, 21, 1)[0])
            today.pages.say(
                "pay",
                case.id,
                payer=case.account,
                payee=case.second,
                amount=int(rng.integers(8, 60)) * 1_000,
                ts=at,
                reference="hall hire",
            )


class PocketMoney(Purses):
    """Children's accounts: small round sums from family, more at birthdays, spent nearby."""

    ages = (11, 17)

    def tell(self, case: Holder, today: Today) -> None:
        """A few pounds now and then, from the same few people."""
        rng = today.rng
        birthday = (case.person + today.day) % 180 == 0
        n = len(case.others) if birthday else int(rng.poisson(case.rate / 7))
        pence = rng.choice([300, 500, 1_000, 1_500, 2_000, 3_000], n) * (2 if birthday else 1)
        receives(
            case,
            today,
            case.others if birthday else some(today, case.others, n),
            pence,
            today.hours(8, 21, n),
            ["", "🎂", "pocket money", "xx"],
        )
        if rng.random() < 0.5:
            business = shops.shop(
                today.world, rng, case.town, int(rng.choice([shops.FAST_FOOD, shops.GROCERY]))
            )
            if business >= 0:
                today.pages.say(
                    "card",
                    case.id,
                    account=case.account,
                    business=business,
                    amount=int(rng.integers(150, 1_200)),
                    ts=int(today.hours(12, 19, 1)[0]),
                )


class Sellers(Purses):
    """Marketplace sellers: strangers pay, the money is moved to savings."""

    strangers = True

    def tell(self, case: Holder, today: Today) -> None:
        """Sales as they come; now and then the takings are swept."""
        rng, p = today.rng, self.p
        n = int(rng.poisson(case.rate / 7))
        pence = np.where(
            rng.random(n) < 0.6,
            rng.choice([500, 1_000, 1_500, 2_000, 2_500, 4_000, 6_000], n),
            rng.integers(300, 12_000, n),
        )
        receives(
            case,
            today,
            some(today, case.others, n),
            pence,
            today.hours(8, 24, n),
            ["", "item", "ebay", "bike", "dress", "thanks"],
        )
        if n and rng.random() < p.sweeps:
            at = int(today.hours(18, 26, 1)[0])
            today.pages.say(
                "pay", case.id, payer=case.account, payee=case.second, amount=int(pence.sum()), ts=at
            )


class GigWorkers(Purses):
    """Paid by the job, cashed out at once."""

    ages = (18, 50)

    def other_end(self, stage: Stage[Any], rng: np.random.Generator, person: int) -> int:
        """The platform's account."""
        return stage.cast.elsewhere()

    def tell(self, case: Holder, today: Today) -> None:
        """A payout, and minutes later most of it is gone."""
        rng, p = today.rng, self.p
        for at in today.hours(10, 24, int(rng.poisson(case.rate / 7))):
            pence = int(rng.integers(1_500, 14_000))
            today.pages.say(
                "pay",
                case.id,
                payer=case.second,
                payee=case.account,
                amount=pence,
                ts=int(at),
                reference="payout",
            )
            if rng.random() >= p.at_once:
                continue
            out = int(pence * rng.uniform(0.8, 1.0))
            when = int(at) + int(lognormal(rng, p.minutes, 0.8, 1)[0] * MINUTE)
            if rng.random() < 0.4:
                atm(today, case.account, case.town, when, out, case.id)
            elif len(case.others):
                today.pages.say(
                    "pay",
                    case.id,
                    payer=case.account,
                    payee=int(case.others[int(rng.integers(0, min(3, len(case.others))))]),
                    amount=out,
                    ts=when,
                )


class Movers(Purses):
    """A house move: an address changed, a deposit after a long call, many new payees in a fortnight."""

    ages = (25, 65)
    strangers = True

    def other_end(self, stage: Stage[Any], rng: np.random.Generator, person: int) -> int:
        """The solicitor's account, and a number nobody here has rung."""
        self._solicitor = stage.cast.phone(
            rng,
            day=0,
            age_days=900,
            cell=stage.cell(rng, int(stage.world.people.town[person])),
            prepaid=False,
        )
        self._solicitors[person] = self._solicitor
        return stage.cast.elsewhere()

    def __init__(self, name: str, span: int, ranges: dict[str, Spread]) -> None:
        super().__init__(name, span, ranges)
        self._solicitors: dict[int, int] = {}
        self._solicitor = -1

    def tell(self, case: Holder, today: Today) -> None:
        """Payees day by day, the deposit on the middle one."""
        rng, p, phone = today.rng, self.p, int(today.world.people.phone[case.person])
        since = today.day - int(case.start)
        if not 0 <= since < 14:
            return
        if since == 2:
            moved = int(today.hours(10, 18, 1)[0])
            today.pages.say(
                "account_event",
                case.id,
                account=case.account,
                kind="detail_changed",
                ts=moved,
                detail="address",
            )
        n = int(rng.poisson(case.rate / 7))
        who = some(today, case.others, n)
        new = np.asarray([_is_new(case, int(a)) or bool(rng.random() < 0.7) for a in who], dtype=np.bool_)
        if n:
            at = today.hours(9, 22, n)
            today.pages.say(
                "account_event",
                case.id,
                account=np.full(int(new.sum()), case.account),
                kind="payee_added",
                ts=at[new],
            )
            today.pages.say(
                "pay", case.id, payer=case.account, payee=who, amount=rng.integers(20, 1_500, n) * 100, ts=at + MINUTE, new_payee=new,
                cop=np.where(new, rng.choice(["match", "close_match", "no_match"], n, p=[0.75, 0.17, 0.08]), ""), cop_overridden=False,
            )  # fmt: skip
        if since == 6:
            paid = int(today.hours(10, 16, 1)[0])
            if phone >= 0:
                today.pages.say(
                    "call",
                    case.id,
                    caller=self._solicitors[case.person],
                    callee=phone,
                    start=paid - 25 * MINUTE,
                    seconds=int(rng.integers(300, 2_400)),
                )
            pence = int(near(rng, p.deposit_gbp, 0.6)) * 100
            today.pages.say("pay", case.id, payer=case.account, payee=case.second, amount=pence, ts=paid, new_payee=True,
                            cop=str(rng.choice(["match", "close_match", "unavailable"])), channel="web", reference="deposit")  # fmt: skip


class Hobbyists(Purses):
    """Crypto-assets as a pastime: many payments to one exchange, some of them growing, some coming back."""

    ages = (18, 55)

    def other_end(self, stage: Stage[Any], rng: np.random.Generator, person: int) -> int:
        """The exchange."""
        return stage.cast.elsewhere()

    def tell(self, case: Holder, today: Today) -> None:
        """Buys, and now and then sells."""
        rng, p = today.rng, self.p
        n = int(rng.poisson(case.rate / 7))
        first = case.second not in case.seen and n > 0
        case.seen.add(case.second)
        for number, at in enumerate(today.hours(7, 26, n)):
            pence = int(near(rng, p.gbp * (1.03 ** (today.day * p.grows)), 0.7)) * 100
            today.pages.say("pay", case.id, payer=case.account, payee=case.second, amount=max(pence, 1_000), ts=int(at),
                            new_payee=bool(first and number == 0 and rng.random() < 0.4))  # fmt: skip
        if rng.random() < 0.06:
            pence = int(near(rng, p.gbp * 3, 0.8)) * 100
            today.pages.say(
                "pay",
                case.id,
                payer=case.second,
                payee=case.account,
                amount=pence,
                ts=int(today.hours(8, 22, 1)[0]),
            )


class Traders(Purses):
    """Market traders: round sums from customers, notes paid in at several counters."""

    def tell(self, case: Holder, today: Today) -> None:
        """Takings on market days."""
        rng = today.rng
        if rng.random() >= case.rate / 7:
            return
        n = int(rng.poisson(6))
        receives(
            case,
            today,
            some(today, case.others, n),
            rng.choice([500, 1_000, 1_500, 2_000, 3_000, 5_000], n),
            today.hours(8, 17, n),
            ["", "stall", "thanks", "👍"],
        )
        for at in today.hours(10, 18, int(rng.integers(1, 4))):
            cell = int(rng.choice(today.world.cells_of(case.town)))
            pence = int(rng.integers(10, 90)) * 500
            today.pages.say(
                "cash",
                case.id,
                account=case.account,
                amount=pence,
                ts=int(at),
                cell=cell,
                deposit=True,
                channel="branch",
            )


class Claimants(Purses):
    """First-party claims: one's own purchases, reported as somebody else's."""

    ages = (18, 60)

    def tell(self, case: Holder, today: Today) -> None:
        """Ordinary purchases online, and a report of them weeks later."""
        rng = today.rng
        if int(case.start) != today.day:
            return
        account, world = case.account, today.world
        liked = [shops.shop(world, rng, case.town, code) for code in (5816, 5732, 5651, 5999)]
        liked = [business for business in liked if business >= 0]
        if not liked:
            return
        n = int(rng.integers(1, 5))
        ids = today.diary.card(account, rng.choice(liked, n), rng.integers(1_500, 40_000, n), today.hours(10, 23, n), entry="ecommerce",
                               auth="otp", device=int(world.accounts.device[account]), ip=int(world.accounts.home_ip[account]))  # fmt: skip
        self.known.setdefault(case.id, []).extend(int(i) for i in ids)
        at = (
            today.world.calendar.midnight(today.day + 1)
            + int(lognormal(rng, self.p.days, 0.6, 1)[0] * DAY)
            + 10 * HOUR
        )
        for record in ids:
            about = f"event:{int(record):016x}"
            today.diary.label(about, "confirmed", at, subjects=[today.diary.account(account)], typology="card_not_present",
                              role="victim", subject_category="victim", origin="customer", reason_code="FRAD")  # fmt: skip


KINDS: Final[dict[str, tuple[type[Purses], dict[str, Spread]]]] = {
    "club_treasurer": (Treasurers, {"per_100k": log(15, 70), "others": log(12, 70), "a_week": of(0.5, 2), "pays_share": of(0.4, 0.95)}),
    "pocket_money": (PocketMoney, {"per_100k": log(30, 120), "others": of(2, 9), "a_week": of(0.8, 3)}),
    "marketplace_seller": (Sellers, {"per_100k": log(25, 120), "others": log(60, 400), "a_week": log(3, 30), "sweeps": of(0.2, 0.9)}),
    "gig_worker": (GigWorkers, {"per_100k": log(25, 110), "others": of(2, 8), "a_week": of(3, 9), "at_once": of(0.4, 0.95),
                                "minutes": log(4, 40)}),
    "house_move": (Movers, {"per_100k": log(15, 70), "others": log(8, 30), "a_week": of(5, 14), "deposit_gbp": log(3_000, 45_000)}),
    "crypto_hobbyist": (Hobbyists, {"per_100k": log(20, 90), "others": of(2, 4), "a_week": of(0.5, 7), "gbp": log(25, 250),
                                    "grows": of(0, 1)}),
    "market_trader_till": (Traders, {"per_100k": log(5, 25), "others": log(30, 150), "a_week": of(2, 6)}),
    "first_party_claim": (Claimants, {"per_100k": log(4, 20), "others": of(2, 4), "a_week": of(1, 2), "days": log(6, 40)}),
}  # fmt: skip


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [kind(name, 56 + place, ranges) for place, (name, (kind, ranges)) in enumerate(KINDS.items())]
