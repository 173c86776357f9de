"""Shopping by card and cash: where people are, in their usual shops and new ones, online, on nights out."""

import numpy as np

from simulator import rhythms
from simulator.arrays import SECOND, Array, Flags, Floats, Ints
from simulator.chance import lognormal, weighted
from simulator.diary import Diary
from simulator.identifiers import mix
from simulator.trade import LOCAL, ONLINE, Shops, amounts, custom, shops
from simulator.world import NONE, World

USUAL = 0.55
"""Share of shopping done at one of a person's four usual shops (assumed)."""
CONTACTLESS_LIMIT = 10_000
"""The contactless limit, in pence (GBP 100 since October 2021)."""
AMOUNT_SIGMA = 0.75
"""Spread of what is paid at one shop (assumed; the mean of all in-person payments is held to the published one)."""


class CardPayments:
    """The day's card payments."""

    name = "card payments"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        people, parameters = world.people, world.parameters
        holder = np.flatnonzero(people.account >= 0)
        age = people.age[holder]
        habit = np.where(age < 18, 0.4, np.where(age > 74, 0.7, 1.1)) * people.thrift[holder]
        adults = age >= 18
        self._holders = holder
        self._rates = habit / habit[adults].mean() * parameters.cards_a_day
        self._local: Shops = shops(world.businesses, len(world.geography.town_name), custom(world.businesses))
        self._online = np.flatnonzero(world.businesses.online)
        share = {code: of_all / count for code, (count, of_all, _) in ONLINE.items()}
        self._online_pull = np.array([share[int(code)] for code in world.businesses.mcc[self._online]])
        self._mean = amounts(world.businesses) * parameters.card_amount * _to_published()
        self._joint = _second_accounts(world)
        self._night = shops(
            world.businesses,
            len(world.geography.town_name),
            np.where(np.isin(world.businesses.mcc, (5812, 5813, 5814, 4121)), custom(world.businesses), 0.0),
        )
        self._codes = world.senders

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        then = world.calendar.date(day)
        payday = 1.12 if then.day >= 27 or then.day <= 4 else 0.96
        factor = (0.93, 0.95, 0.98, 1.02, 1.14, 1.15, 0.83)[then.weekday()] * payday
        row = rhythms.happening(rng, self._rates * factor)
        person = self._holders[row]
        online = rng.random(len(person)) < world.parameters.online_share
        self._at_shops(world, day, rng, diary, person[~online])
        self._online_shopping(world, day, rng, diary, person[online])
        self._night_out(world, day, rng, diary)

    def _account(self, world: World, rng: np.random.Generator, person: Ints) -> Ints:
        """Mostly the main account, now and then the second or the joint one."""
        other = self._joint[person]
        return np.where((rng.random(len(person)) < 0.22) & (other >= 0), other, world.people.account[person])

    def _at_shops(self, world: World, day: int, rng: np.random.Generator, diary: Diary, person: Ints) -> None:
        ts = rhythms.times(rng, world.calendar.midnight(day), len(person), rhythms.SHOPPING)
        town = world.geography.cell_town[world.whereabouts(day, person, ts)]
        home = world.people.town[person]
        town = np.where(town < 0, home, town)
        slot = (rng.random(len(person)) * 4).astype(np.int64)
        usual = (rng.random(len(person)) < USUAL) & (town == home)
        habit = mix(person * 4 + slot + world.seed).astype(np.float64) / 2.0**64
        shop = self._local.pick_by(np.where(usual, habit, rng.random(len(person))), town)
        shop = np.where(shop < 0, self._local.pick_by(habit, home), shop)
        self._pay(world, rng, diary, person, shop, ts)

    def _pay(
        self, world: World, rng: np.random.Generator, diary: Diary, person: Ints, shop: Ints, ts: Ints
    ) -> None:
        """Pay in person: contactless below its limit, else by chip; a few are declined."""
        shop = self._where_sent(world, person, shop, ts)
        known = shop >= 0
        person, shop, ts = person[known], shop[known], ts[known]
        n = len(person)
        amount = self._amounts(rng, shop)
        tap = (rng.random(n) < world.parameters.contactless_share) & (amount <= CONTACTLESS_LIMIT)
        entry = np.where(tap, "contactless", np.where(rng.random(n) < 0.98, "chip", "swipe"))
        diary.card(
            self._account(world, rng, person), shop, amount, ts, entry=entry, decline=_declined(world, rng, n)
        )

    def _where_sent(self, world: World, person: Ints, shop: Ints, ts: Ints) -> Ints:
        """Whoever has been sent elsewhere pays there, or in the next town that has a shop."""
        cell = world.sent_to(person, ts)
        away = np.flatnonzero((cell >= 0) & (shop >= 0))
        towns = [world.nearest_inhabited(int(town)) for town in world.geography.cell_town[cell[away]]]
        draw = mix(ts[away] + person[away]).astype(np.float64) / 2.0**64
        there = self._local.pick_by(draw, np.asarray(towns, dtype=np.int64))
        shop = shop.copy()
        shop[away] = np.where(there >= 0, there, shop[away])
        return shop

    def _amounts(self, rng: np.random.Generator, shop: Ints) -> Ints:
        mean = self._mean[shop]
        drawn = lognormal(rng, mean * np.exp(-(AMOUNT_SIGMA**2) / 2), AMOUNT_SIGMA, len(shop))
        nice = rng.random(len(shop))
        pence = np.where(
            nice < 0.3, np.ceil(drawn / 100) * 100 - 1, np.where(nice < 0.5, np.round(drawn / 50) * 50, drawn)
        )
        return np.maximum(pence, 40).astype(np.int64)

    def _online_shopping(
        self, world: World, day: int, rng: np.random.Generator, diary: Diary, person: Ints
    ) -> None:
        n = len(person)
        late = world.people.owl[person]
        ts = rhythms.times(rng, world.calendar.midnight(day), n, rhythms.ONLINE, late)
        shop = self._online[weighted(rng, self._online_pull, n)]
        account = self._account(world, rng, person)
        confirmed = rng.random(n)
        otp = (confirmed < world.parameters.otp_share) & (world.people.phone[person] >= 0)
        auth = np.where(otp, "otp", np.where(confirmed < 0.55, "biometric", "exempt"))
        entry = np.where(rng.random(n) < 0.35, "token", "ecommerce")
        diary.card(
            account, shop, self._amounts(rng, shop), ts, entry=entry, auth=auth, decline=_declined(world, rng, n),
            device=world.accounts.device[account], ip=world.accounts.home_ip[account],
        )  # fmt: skip
        self._text_codes(world, day, rng, diary, person[otp], ts[otp], account[otp])

    def _text_codes(
        self,
        world: World,
        day: int,
        rng: np.random.Generator,
        diary: Diary,
        person: Ints,
        ts: Ints,
        account: Ints,
    ) -> None:
        """The bank's code comes by text half a minute before the payment goes through."""
        sent = ts - ((8 + 40 * rng.random(len(ts))) * SECOND).astype(np.int64)
        sent = np.maximum(sent, world.calendar.midnight(day))
        phone = world.people.phone[person]
        sender = self._codes[world.accounts.bank[account] % 3]
        diary.texts(sender, phone, sent, recipient_cell=world.phone_cells(day, phone, sent))

    def _night_out(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        """Rounds, meals and the ride home of those whose plan has an evening out."""
        plan = world.plan(day)
        centre = world.geography.town_cell[world.people.town]
        out = np.flatnonzero((plan.cell[1] == centre) & (plan.leave[1] > 0) & (world.people.account >= 0))
        person = np.repeat(out, rng.poisson(2.6, len(out)))
        span = plan.back[1, person] - plan.leave[1, person]
        ts = plan.midnight + plan.leave[1, person] + (rng.random(len(person)) * span).astype(np.int64)
        self._pay(world, rng, diary, person, self._night.pick(rng, world.people.town[person]), ts)


class Cash:
    """Cash from machines and paid in: by people at branches and shops, by shops their takings."""

    name = "cash"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        self._adults = np.flatnonzero((world.people.account >= 0) & (world.people.age >= 14))
        age = world.people.age[self._adults]
        habit = np.where(age > 60, 1.5, np.where(age < 25, 0.6, 0.9)) * lognormal(rng, 1.0, 0.8, len(age))
        self._habit = habit / habit.mean()
        account = world.businesses.account
        taking = np.isin(world.businesses.mcc, (5411, 5499, 5814, 5812, 5813, 7230, 5310, 4121))
        self._takings = account[taking & (world.accounts.bank[account] >= 0)]

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        midnight, parameters = world.calendar.midnight(day), world.parameters
        person = self._adults[rhythms.happening(rng, self._habit * parameters.cash_a_day)]
        ts = rhythms.times(rng, midnight, len(person), rhythms.SHOPPING)
        amount = rng.choice([1000, 2000, 3000, 4000, 5000, 6000, 8000, 10000, 15000, 20000], len(person),
                            p=[0.13, 0.22, 0.12, 0.10, 0.14, 0.06, 0.05, 0.10, 0.03, 0.05])  # fmt: skip
        diary.cash(world.people.account[person], amount, ts, cell=world.whereabouts(day, person, ts))
        payer_in = self._adults[rhythms.happening(rng, self._habit * parameters.deposits_a_day)]
        ts = rhythms.times(rng, midnight, len(payer_in), rhythms.OFFICE)
        paid_in = np.maximum(np.round(lognormal(rng, 12_000, 0.9, len(payer_in)) / 500) * 500, 500).astype(
            np.int64
        )
        channel = rhythms.choose(rng, len(payer_in), {"branch": 0.6, "atm": 0.4})
        diary.cash(
            world.people.account[payer_in], paid_in, ts, cell=world.whereabouts(day, payer_in, ts), deposit=True,
            channel=channel,
        )  # fmt: skip
        if world.calendar.is_working(day):
            shop = self._takings[rng.random(len(self._takings)) < 0.16]
            ts = rhythms.times(rng, midnight, len(shop), rhythms.OFFICE)
            takings = (lognormal(rng, 60_000, 0.8, len(shop)) / 500).astype(np.int64) * 500
            cell = world.businesses.cell[world.accounts.business[shop]]
            diary.cash(shop, takings, ts, cell=cell, deposit=True, channel="branch")


def _declined(world: World, rng: np.random.Generator, n: int) -> Array:
    """Response codes: "" for most; not enough money, do not honour, wrong code for the few declined."""
    out = np.full(n, "", dtype="<U2")
    refused: Flags = rng.random(n) < world.parameters.decline_share
    out[refused] = rhythms.choose(rng, int(refused.sum()), {"51": 0.6, "05": 0.25, "55": 0.1, "54": 0.05})
    return out


def _second_accounts(world: World) -> Ints:
    """For each person another account than the main one that is in use, -1 = none."""
    accounts = world.accounts
    rows = np.arange(world.native_accounts)
    used = (accounts.holder[rows] >= 0) & ~accounts.dormant[rows] & np.isin(accounts.kind[rows], (0, 2))
    used &= world.people.account[np.maximum(accounts.holder[rows], 0)] != rows
    out = np.full(len(world.people), NONE, dtype=np.int64)
    out[accounts.holder[rows[used]]] = rows[used]
    return out


def _to_published() -> float:
    """What brings the mean of payments in person to GBP 20 (contactless alone has a mean of GBP 15.86)."""
    table: Floats = np.array([(share, mean) for _, share, mean in LOCAL.values()])
    return 20.0 / float((table[:, 0] * table[:, 1]).sum() / table[:, 0].sum())
