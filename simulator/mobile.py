"""Data sessions, location updates, and the life of phones: upgrades, lost ones, new SIMs, ports, top-ups."""

import numpy as np

from events.codes import CHANNELS, code_of
from simulator import identifiers, rhythms
from simulator.arrays import DAY, HOUR, Ints
from simulator.calling import line_weights
from simulator.chance import lognormal_mean
from simulator.diary import Diary
from simulator.world import NONE, World

ABROAD = "99901"
"""The made-up network abroad that holidaymakers' phones visit."""
_MEGABYTE = 1_000_000


class Sessions:
    """Data sessions of phones that have data; most bytes come in a few long ones."""

    name = "sessions"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        smart = world.phones.smart[: world.subscribers]
        weight = np.where(smart, np.sqrt(line_weights(world)), 0.0)
        self._rates = weight / weight.mean() * world.parameters.sessions_a_day

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        phone = rhythms.happening(rng, self._rates)
        n, owner = len(phone), world.phones.owner[phone]
        ts = rhythms.times(rng, world.calendar.midnight(day), n, rhythms.DATA, world.people.owl[owner])
        mean = world.parameters.megabytes_a_day / world.parameters.sessions_a_day * _MEGABYTE
        total = np.minimum(lognormal_mean(rng, mean, 1.6, n), 2e10)
        up = total * np.clip(0.09 * np.exp(0.7 * rng.standard_normal(n)), 0.005, 0.8)
        seconds = np.clip(lognormal_mean(rng, 1500, 1.2, n), 5, 6 * 3600)
        cell = world.phone_cells(day, phone, ts)
        abroad = world.plan(day).abroad[owner]
        for away, network in ((False, ""), (True, ABROAD)):
            chosen = abroad == away
            diary.data(
                phone[chosen], ts[chosen], up[chosen].astype(np.int64), (total - up)[chosen].astype(np.int64),
                seconds=seconds[chosen].astype(np.int64), cell=NONE if away else cell[chosen], visited=network,
            )  # fmt: skip


class Locations:
    """Location updates: some at any time, some where somebody arrives."""

    name = "locations"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        """Nothing to prepare."""

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        midnight, plan = world.calendar.midnight(day), world.plan(day)
        phone = rhythms.happening(rng, np.full(world.subscribers, world.parameters.updates_a_day * 0.7))
        at = (rng.random(len(phone)) * DAY).astype(np.int64)
        phones, times = [phone], [at]
        owner = world.phones.owner[: world.subscribers]
        for outing in (0, 1):
            out = np.flatnonzero(plan.cell[outing, owner] >= 0)
            out = out[rng.random(len(out)) < min(1.0, world.parameters.updates_a_day * 0.25)]
            for then in (plan.leave[outing, owner[out]], plan.back[outing, owner[out]]):
                phones.append(out)
                times.append(then + (rng.random(len(out)) * 0.2 * HOUR).astype(np.int64))
        phone, at = np.concatenate(phones), np.concatenate(times)
        within = (at >= 0) & (at < DAY)
        phone, ts = phone[within], midnight + at[within]
        home = ~plan.abroad[world.phones.owner[phone]]
        diary.location(phone[home], ts[home], world.phone_cells(day, phone[home], ts[home]))


class PhoneLife:
    """Upgrades, lost phones, SIMs replaced, numbers moved to another operator, calls forwarded."""

    name = "phone life"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        self._account_of_phone, self._accounts = _accounts_by_phone(world)

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        parameters, n = world.parameters, world.subscribers
        lost = rng.random(n) < parameters.lost_a_year / 365
        upgraded = ~lost & (rng.random(n) < 1 / (parameters.handset_years * 365))
        moved = ~lost & (rng.random(n) < parameters.sim_changes_a_year / 365)
        self._new_handsets(world, day, rng, diary, np.flatnonzero(lost | upgraded))
        self._new_sims(world, day, rng, diary, np.flatnonzero(lost | moved))
        ported = np.flatnonzero(rng.random(n) < parameters.ports_a_year / 365)
        ts = rhythms.times(rng, world.calendar.midnight(day), len(ported), rhythms.OFFICE)
        diary.port(
            ported,
            ts,
            (world.phones.operator[ported] + 1 + rng.integers(0, 2, len(ported))) % parameters.operators,
        )
        forwarded = np.flatnonzero(rng.random(n) < parameters.forwards_a_year / 365)
        friend = world.contacts.pick(rng, world.phones.owner[forwarded], 2.0)
        to = np.where(friend >= 0, world.people.phone[np.maximum(friend, 0)], NONE)
        to = np.where((to < 0) | (rng.random(len(to)) < 0.7), world.short_codes[0], to)
        ts = rhythms.times(rng, world.calendar.midnight(day), len(forwarded), rhythms.CALLS)
        diary.forwarding(forwarded, ts, to)

    def _new_handsets(
        self, world: World, day: int, rng: np.random.Generator, diary: Diary, phone: Ints
    ) -> None:
        """New handsets; the banking apps move to them within days."""
        phones = world.phones
        ts = rhythms.times(rng, world.calendar.midnight(day), len(phone), rhythms.SHOPPING)
        serial = _unused(world, day, phone)
        smart = phones.smart[phone] | (rng.random(len(phone)) < 0.3)
        before = phones.handset[phone].copy()
        phones.handset[phone] = identifiers.handsets(serial, rng, smart)
        phones.smart[phone] = smart
        diary.changed("device_change", phone, ts, {"previous_handset": before})
        first = self._account_of_phone[phone]
        count = self._account_of_phone[phone + 1] - first
        row = np.repeat(np.arange(len(phone)), count)
        account = self._accounts[
            np.repeat(first, count) + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        ]
        world.accounts.device[account] = phones.handset[phone[row]]
        later = ts[row] + (rng.exponential(3.0, len(row)) * HOUR).astype(np.int64)
        diary.account_event(account, "device_added", later)

    def _new_sims(self, world: World, day: int, rng: np.random.Generator, diary: Diary, phone: Ints) -> None:
        phones = world.phones
        ts = rhythms.times(rng, world.calendar.midnight(day), len(phone), rhythms.SHOPPING)
        before = phones.sim[phone].copy()
        phones.sim[phone] = _unused(world, day, phone)
        phones.activated[phone] = world.calendar.first + day
        channels = rhythms.choose(rng, len(phone), {"store": 0.4, "app": 0.4, "call": 0.2})
        coded = np.array([code_of(CHANNELS, str(word)) for word in channels], dtype=np.int64)
        diary.changed("sim_change", phone, ts, {"previous_sim": before, "channel": coded})


def _unused(world: World, day: int, phone: Ints) -> Ints:
    """Serial numbers for things given to phones on a day: nobody else's, whatever else goes on."""
    block = world.subscribers // 100 + 64
    return world.subscribers + (day % 365) * block + np.arange(len(phone)) % block


def _accounts_by_phone(world: World) -> tuple[Ints, Ints]:
    """The accounts registered for each subscriber's number: places, and rows of accounts in order of number."""
    registered = np.flatnonzero(world.accounts.phone[: world.native_accounts] >= 0)
    order = registered[np.argsort(world.accounts.phone[registered], kind="stable")]
    starts = np.searchsorted(world.accounts.phone[order], np.arange(len(world.phones) + 1))
    return starts.astype(np.int64), order


class TopUps:
    """Credit for prepaid phones: vouchers and cash in shops, cards and the app."""

    name = "top-ups"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        self._sellers = world.online(4814)

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        prepaid = np.flatnonzero(world.phones.prepaid[: world.subscribers])
        phone = prepaid[rhythms.happening(rng, np.full(len(prepaid), world.parameters.topups_a_month / 30.4))]
        n, owner = len(phone), world.phones.owner[phone]
        ts = rhythms.times(rng, world.calendar.midnight(day), n, rhythms.SHOPPING)
        amount = rng.choice([500, 1000, 1500, 2000, 3000], n, p=[0.22, 0.48, 0.12, 0.14, 0.04])
        account = world.people.account[owner]
        channel = rhythms.choose(rng, n, {"voucher": 0.3, "cash": 0.2, "card": 0.25, "app": 0.25})
        by_card = np.isin(channel, ("card", "app")) & (account >= 0)
        channel = np.where(by_card | (channel == "voucher"), channel, "cash")
        cell = world.phone_cells(day, phone, ts)
        diary.topup(phone, ts, amount, channel=channel, paid_by=np.where(by_card, account, NONE), cell=cell)
        seller = self._sellers[(rng.random(n) * len(self._sellers)).astype(np.int64)]
        diary.card(
            account[by_card], seller[by_card], amount[by_card], ts[by_card], entry="ecommerce", auth="exempt",
            device=world.accounts.device[account[by_card]], ip=world.accounts.home_ip[account[by_card]],
            beneficiary=phone[by_card],
        )  # fmt: skip
