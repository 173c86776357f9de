"""Payments people and businesses make by hand: to friends, to tradesmen, between their own accounts, to suppliers."""

import numpy as np

from simulator import rhythms
from simulator.arrays import HOUR, MINUTE, Array, Ints
from simulator.chance import lognormal, weighted
from simulator.diary import Diary
from simulator.identifiers import mix
from simulator.world import NONE, World

ROUND_POUNDS = np.array([5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200])
ROUND_SHARES = np.array([0.10, 0.20, 0.09, 0.20, 0.07, 0.08, 0.06, 0.10, 0.02, 0.02, 0.04, 0.01, 0.01])
REFERENCES = {
    "": 0.22, "🍕": 0.05, "🍻": 0.05, "❤️": 0.03, "rent": 0.04, "food": 0.10, "thanks": 0.08, "dinner": 0.07,
    "drinks": 0.06, "taxi": 0.04, "for the tickets": 0.06, "my share of the bill": 0.06, "happy birthday": 0.05,
    "shopping": 0.05, "money I owe you": 0.04,
}  # fmt: skip
"""What people write (assumed)."""
SPLIT_SHARE = 0.3
"""Share of payments to friends that are shares of one bill, paid to one of them by several (assumed)."""


class FriendPayments:
    """Money between people who know each other, some of it several sharing a bill."""

    name = "friend payments"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        people = world.people
        self._payers = np.flatnonzero((people.account >= 0) & (people.age >= 13))
        age = people.age[self._payers]
        habit = np.where(age < 18, 0.6, np.where(age < 30, 2.0, np.where(age < 50, 1.1, 0.5)))
        habit = habit * people.sociability[self._payers]
        self._habit = habit / habit.mean()

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        factor = (0.9, 0.9, 0.92, 1.0, 1.2, 1.12, 0.96)[world.calendar.weekday(day)]
        rate = world.parameters.friend_payments_a_day * factor
        payer = self._payers[rhythms.happening(rng, self._habit * rate * (1 - SPLIT_SHARE))]
        payee = world.contacts.pick(rng, payer, world.parameters.closest_skew * 0.8)
        self._pay(
            world,
            day,
            rng,
            diary,
            payer,
            payee,
            self._amounts(world, rng, len(payer)),
            self._times(world, day, rng, payer),
        )
        collector = self._payers[rhythms.happening(rng, self._habit * rate * SPLIT_SHARE / 3.2)]
        count = 1 + rng.poisson(2.2, len(collector))
        which = np.repeat(np.arange(len(collector)), count)
        payer = world.contacts.pick(rng, collector[which], 1.2)
        share = np.maximum(lognormal(rng, 1_700, 0.6, len(collector)), 200).astype(np.int64)
        first = self._times(world, day, rng, collector)
        ts = first[which] + (lognormal(rng, 0.8, 1.4, len(which)) * HOUR).astype(np.int64)
        adults = (payer >= 0) & (world.people.age[np.maximum(payer, 0)] >= 13)
        self._pay(
            world, day, rng, diary, payer[adults], collector[which][adults], share[which][adults], ts[adults]
        )

    def _times(self, world: World, day: int, rng: np.random.Generator, who: Ints) -> Ints:
        return rhythms.times(
            rng, world.calendar.midnight(day), len(who), rhythms.FRIENDS, world.people.owl[who]
        )

    def _amounts(self, world: World, rng: np.random.Generator, n: int) -> Ints:
        nice = ROUND_POUNDS[weighted(rng, ROUND_SHARES, n)] * 100
        drawn = lognormal(rng, 1_600, 0.95, n)
        return np.where(rng.random(n) < world.parameters.round_share, nice, np.maximum(drawn, 100)).astype(
            np.int64
        )

    def _pay(
        self,
        world: World,
        day: int,
        rng: np.random.Generator,
        diary: Diary,
        payer: Ints,
        payee: Ints,
        amount: Ints,
        ts: Ints,
    ) -> None:
        account = world.people.account
        known = (payee >= 0) & (account[np.maximum(payee, 0)] >= 0) & (account[np.maximum(payer, 0)] >= 0)
        payer, payee, amount, ts = payer[known], payee[known], amount[known], ts[known]
        reference = rhythms.choose(rng, len(payer), REFERENCES)
        by_hand(world, day, rng, diary, account[payer], account[payee], amount, ts, reference=reference)


def by_hand(
    world: World,
    day: int,
    rng: np.random.Generator,
    diary: Diary,
    payer: Ints,
    payee: Ints,
    amount: Ints,
    ts: Ints,
    *,
    reference: Array | str = "",
) -> None:
    """Payments in the app or on the web; one to somebody new adds the payee first and checks the name."""
    n = len(payer)
    pair = (mix(payer * 1_000_003 + payee) % np.uint64(1000)).astype(np.int64)
    new = (pair < world.parameters.new_payee_share * 2000) & (rng.random(n) < 0.5)
    checks = rhythms.choose(
        rng, n, {"match": 0.90, "close_match": 0.06, "no_match": 0.015, "unavailable": 0.025}
    )
    rail = np.where(world.accounts.bank[payer] == world.accounts.bank[payee], "internal", "fps")
    channel = rhythms.choose(
        rng, n, {"mobile_app": 0.84, "web": 0.12, "open_banking": 0.03, "telephone": 0.01}
    )
    earlier = np.maximum(
        ts - (lognormal(rng, 2.0, 0.8, n) * MINUTE).astype(np.int64), world.calendar.midnight(day)
    )
    diary.account_event(payer[new], "payee_added", earlier[new], channel=channel[new])
    diary.pay(
        payer, payee, amount, ts, rail, channel=channel, new_payee=new, cop=np.where(new, checks, ""),
        cop_overridden=new & np.isin(checks, ("no_match", "close_match")), reference=reference,
        auth=np.where(new, "otp", np.where(rng.random(n) < 0.8, "biometric", "password")),
    )  # fmt: skip


class OwnTransfers:
    """Money moved between one's own accounts, and to wallets."""

    name = "own transfers"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        accounts = world.accounts
        rows = np.arange(world.native_accounts)
        used = (
            (accounts.holder[rows] >= 0)
            & ~accounts.dormant[rows]
            & (accounts.opened[rows] < world.calendar.first)
        )
        self._other = rows[used & (world.people.account[np.maximum(accounts.holder[rows], 0)] != rows)]
        self._adults = int(((world.people.age >= 18) & (world.people.account >= 0)).sum())
        self._wallets = world.businesses.account[world.online(5734)]

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        expected = world.parameters.own_transfers_a_day * self._adults
        payday = 1.3 if world.calendar.date(day).day in (1, 2, 26, 27, 28, 29, 30, 31) else 0.9
        n = int(rng.poisson(expected * payday)) if len(self._other) else 0
        other = self._other[(rng.random(n) * len(self._other)).astype(np.int64)]
        main = world.people.account[world.accounts.holder[other]]
        there = rng.random(n) < 0.62
        amount = np.maximum((lognormal(rng, 12_000, 1.2, n) / 500).astype(np.int64) * 500, 500)
        ts = rhythms.times(rng, world.calendar.midnight(day), n, rhythms.ONLINE)
        same = world.accounts.bank[main] == world.accounts.bank[other]
        diary.pay(
            np.where(there, main, other), np.where(there, other, main), amount, ts, np.where(same, "internal", "fps"),
            auth="biometric",
        )  # fmt: skip
        w = int(rng.poisson(self._adults * 0.006))
        person = rng.integers(0, len(world.people), w)
        person = person[world.people.account[person] >= 0]
        wallet = self._wallets[(rng.random(len(person)) * len(self._wallets)).astype(np.int64)]
        ts = rhythms.times(rng, world.calendar.midnight(day), len(person), rhythms.ONLINE)
        pounds = rng.choice([1000, 2000, 2500, 5000, 10000], len(person))
        diary.pay(world.people.account[person], wallet, pounds, ts, "wallet", auth="biometric")


class Bills:
    """What people pay tradesmen, clubs and shops by transfer, and what businesses pay each other."""

    name = "bills"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        businesses = world.businesses
        self._payers = np.flatnonzero((world.people.account >= 0) & (world.people.age >= 18))
        self._local = np.flatnonzero(businesses.town >= 0)
        self._reporting = self._local[world.accounts.bank[businesses.account[self._local]] >= 0]
        self._acquirers = businesses.account[np.flatnonzero(businesses.mcc == 6012)]

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        midnight, businesses = world.calendar.midnight(day), world.businesses
        working = world.calendar.is_working(day)
        rate = world.parameters.bill_payments_a_day * (1.1 if working else 0.75)
        payer = self._payers[rhythms.happening(rng, np.full(len(self._payers), rate))]
        payee = self._local[(rng.random(len(payer)) * len(self._local)).astype(np.int64)]
        amount = np.maximum(lognormal(rng, 6_000, 1.1, len(payer)), 300).astype(np.int64)
        ts = rhythms.times(rng, midnight, len(payer), rhythms.FRIENDS)
        by_hand(
            world, day, rng, diary, world.people.account[payer], businesses.account[payee], amount, ts,
            reference=rhythms.choose(rng, len(payer), {"invoice": 0.5, "": 0.1, "thank you": 0.2, "INV 2041": 0.2}),
        )  # fmt: skip
        if working and len(self._reporting):
            self._between_businesses(world, midnight, rng, diary)

    def _between_businesses(
        self, world: World, midnight: int, rng: np.random.Generator, diary: Diary
    ) -> None:
        account = world.businesses.account
        payer = self._reporting[
            rhythms.happening(rng, 0.5 * np.sqrt(world.businesses.weight[self._reporting]))
        ]
        payee = self._local[(rng.random(len(payer)) * len(self._local)).astype(np.int64)]
        amount = np.maximum(lognormal(rng, 32_000, 1.3, len(payer)), 500).astype(np.int64)
        rail = np.where(amount > 20_000_000, "chaps", np.where(rng.random(len(payer)) < 0.4, "bacs", "fps"))
        same = world.accounts.bank[account[payer]] == world.accounts.bank[account[payee]]
        rail = np.where(same, "internal", rail)
        ts = rhythms.times(rng, midnight, len(payer), rhythms.OFFICE)
        other = payer != payee
        diary.pay(
            account[payer][other], account[payee][other], amount[other], ts[other], rail[other], channel="web",
            auth="otp", reference="supplier invoice",
        )  # fmt: skip
        settled = self._reporting[rng.random(len(self._reporting)) < 0.8]
        taken = np.maximum(lognormal(rng, 70_000, 0.9, len(settled)), 1000).astype(np.int64)
        early = midnight + ((2 + 4 * rng.random(len(settled))) * HOUR).astype(np.int64)
        acquirer = self._acquirers[settled % len(self._acquirers)]
        diary.pay(
            acquirer, account[settled], taken, early, "bacs", channel="batch", reference="CARD SETTLEMENT"
        )
        house = rng.random() < 0.5
        if house and len(settled) > 1:
            diary.pay(
                account[settled[0]], account[settled[1]], int(lognormal(rng, 24_000_000, 0.5, 1)[0]),
                midnight + 11 * HOUR, "chaps", channel="branch", auth="password", reference="completion",
            )  # fmt: skip


class AccountLife:
    """Logins, failed ones, changed details, new cards and new accounts."""

    name = "account life"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        accounts = world.accounts
        rows = np.arange(world.native_accounts)
        open_now = (accounts.holder[rows] >= 0) & (accounts.opened[rows] < world.calendar.first)
        self._used = rows[open_now & ~accounts.dormant[rows]]
        habit = np.where(accounts.kind[self._used] == 1, 0.25, 1.0) * lognormal(
            rng, 1.0, 0.8, len(self._used)
        )
        self._habit = habit / habit.mean()
        self._opening = rows[(accounts.holder[rows] >= 0) & (accounts.opened[rows] >= world.calendar.first)]

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        midnight, parameters = world.calendar.midnight(day), world.parameters
        account = self._used[rhythms.happening(rng, self._habit * parameters.logins_a_day)]
        ts = rhythms.times(rng, midnight, len(account), rhythms.ONLINE)
        channel = rhythms.choose(rng, len(account), {"mobile_app": 0.88, "web": 0.12})
        failed = rng.random(len(account)) < parameters.failed_login_share
        diary.account_event(account, np.where(failed, "login_failed", "login"), ts, channel=channel)
        changed = self._used[rng.random(len(self._used)) < parameters.changes_a_year / 365]
        kinds = rhythms.choose(rng, len(changed), {
            "detail_changed": 0.45, "card_issued": 0.3, "limit_changed": 0.1, "credential_reset": 0.13, "restricted": 0.005,
            "closed": 0.015,
        })  # fmt: skip
        details = rhythms.choose(rng, len(changed), {"email": 0.4, "phone": 0.25, "address": 0.35})
        details = np.where(kinds == "detail_changed", details, "")
        ts = rhythms.times(rng, midnight, len(changed), rhythms.OFFICE)
        diary.account_event(changed, kinds, ts, channel="web", detail=details)
        self._open(world, day, rng, diary)

    def _open(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        """Accounts that open today: opened, card issued, first login, some money moved in."""
        new = self._opening[world.accounts.opened[self._opening] == world.calendar.first + day]
        if not len(new):
            return
        ts = rhythms.times(rng, world.calendar.midnight(day), len(new), rhythms.OFFICE)
        diary.account_event(new, "opened", ts)
        reachable = world.accounts.phone[new] >= 0
        for account, at in zip(new[reachable], ts[reachable], strict=True):
            diary.links(account, world.accounts.phone[account], int(at) + MINUTE, at)
        diary.account_event(new, "card_issued", ts + 2 * MINUTE)
        diary.account_event(new, "login", ts + 10 * MINUTE)
        main = world.people.account[world.accounts.holder[new]]
        funded = (rng.random(len(new)) < 0.7) & (main != new) & (main != NONE)
        amount = (lognormal(rng, 10_000, 1.0, int(funded.sum())) / 500).astype(np.int64) * 500 + 500
        same = world.accounts.bank[main[funded]] == world.accounts.bank[new[funded]]
        diary.pay(
            main[funded], new[funded], amount, ts[funded] + 30 * MINUTE, np.where(same, "internal", "fps"),
            new_payee=True, cop="match", auth="otp",
        )  # fmt: skip
