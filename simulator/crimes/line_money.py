"""A county line's money: customers' transfers to young people's accounts, cash-out, pooling, top-ups, notes paid in."""

from typing import Final

import numpy as np

from simulator.arrays import DAY, HOUR, MINUTE, Array, Floats, Ints
from simulator.chance import lognormal
from simulator.crimes import shops
from simulator.crimes.line import Till
from simulator.crimes.line_parameters import LineParameters
from simulator.crimes.line_traffic import Orders, Today
from simulator.world import NONE

PRICES: Final = np.asarray([5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100])
"""Pounds: single deals and "two for", "three for" [assumed from reported prices]."""
REFERENCES: Final = ("", "🍕", "👍", "food", "thanks", "owed", "rent", "bits", "lift", "for last night x")
_REFERENCE_SHARE: Final = np.asarray([0.4, 0.1, 0.1, 0.08, 0.08, 0.06, 0.04, 0.06, 0.04, 0.04])
ATM_MOST: Final = 50_000
"""Pence a cash machine gives in a day [assumed: GBP 500]."""


def money_day(today: Today, orders: Orders, p: LineParameters) -> None:
    """Everything that is paid on a day on a line's account."""
    tills = [till for till in today.line.tills if till.since <= today.day + 0.5 < till.until]
    paid = _prices(today, len(orders.at), p)
    by_transfer = today.rng.random(len(orders.at)) < today.habits.transfer_share
    if tills:
        _paid_in(today, tills, orders, paid, by_transfer)
        for till in today.line.tills:
            _paid_out(today, till)
    _notes(today, p, int(paid[~by_transfer].sum()))
    _collector(today)
    _top_up(today, p)


def _prices(today: Today, n: int, p: LineParameters) -> Ints:
    fits = PRICES[(p.basket_low_gbp - 1 <= PRICES) & (p.basket_high_gbp + 1 >= PRICES)]
    weights = np.exp(-np.arange(len(fits)) / 2.5)
    pounds = today.rng.choice(fits, n, p=weights / weights.sum())
    odd = np.where(today.rng.random(n) < 0.06, today.rng.integers(-300, 300, n), 0)
    return np.asarray(pounds * 100 + odd, dtype=np.int64)


def _paid_in(today: Today, tills: list[Till], orders: Orders, paid: Ints, by_transfer: Array) -> None:
    world, line, rng = today.world, today.line, today.rng
    payer = world.people.account[line.customers[orders.customer]]
    rows = np.flatnonzero(by_transfer & (payer >= 0))
    which = rng.integers(len(tills), size=len(rows))
    delay = (rng.exponential(12, len(rows)) * MINUTE).astype(np.int64)
    for place, till in enumerate(tills):
        mine = rows[which == place]
        mine = mine[payer[mine] != till.account]
        if len(mine) == 0:
            continue
        at = orders.at[mine] + delay[which == place][: len(mine)]
        first = np.asarray([_first_time(till, int(a)) for a in payer[mine]])
        today.pages.say(
            "pay", payer=payer[mine], payee=till.account, amount=paid[mine], ts=at, new_payee=first,
            cop=np.where(first, "match", ""), reference=rng.choice(REFERENCES, len(mine), p=_REFERENCE_SHARE),
        )  # fmt: skip
        till.held += int(paid[mine].sum())
        _owe(today, till, at, paid[mine])


def _first_time(till: Till, payer: int) -> bool:
    if payer in till.paid_in_before:
        return False
    till.paid_in_before.add(payer)
    return True


def _owe(today: Today, till: Till, at: Ints, pence: Ints) -> None:
    """When what came in will go on: within minutes, in the evening, or after a day or more."""
    rng = today.rng
    if till.style == "at_once":
        gone: Floats = at + lognormal(rng, 14, 0.9, len(at)) * MINUTE
    elif till.style == "evening":
        gone = np.full(len(at), today.midnight + rng.uniform(20.5, 27) * HOUR)
    else:
        gone = np.full(len(at), today.midnight + (1 + rng.uniform(0.4, 4)) * DAY)
    gone = np.maximum(gone, at + 2 * MINUTE)
    till.owed.extend((float(when), int(amount)) for when, amount in zip(gone, pence, strict=True))


def _paid_out(today: Today, till: Till) -> None:
    """What is due today goes to the collector or out of a cash machine; things due within the hour go together."""
    line, rng = today.line, today.rng
    tomorrow = today.world.calendar.midnight(today.day + 1)
    due = sorted(entry for entry in till.owed if entry[0] < tomorrow)
    till.owed = [entry for entry in till.owed if entry[0] >= tomorrow]
    while due:
        last = max(due[0][0] + HOUR / 2, float(today.midnight))
        batch = [entry for entry in due if entry[0] <= last]
        due = due[len(batch) :]
        amount = int(sum(pence for _, pence in batch) * rng.uniform(0.85, 1.0))
        at = int(max(batch[-1][0], today.midnight + MINUTE))
        to_collector = line.collector >= 0 and rng.random() < 0.7
        if to_collector and amount > 0:
            today.pages.say(
                "pay",
                payer=till.account,
                payee=line.collector,
                amount=amount,
                ts=at,
                new_payee=_first_time(till, -line.collector),
                reference=str(rng.choice(REFERENCES[:6])),
                device=till.device if till.device >= 0 else int(today.world.accounts.device[till.account]),
            )
        elif amount >= 1_000:
            town = line.place.market if rng.random() < 0.5 else line.place.hub
            pence = min(amount // 1_000 * 1_000, ATM_MOST)
            today.pages.say(
                "cash", account=till.account, amount=pence, ts=at, cell=int(today.world.cells_of(town)[0])
            )
        till.held -= amount


def _notes(today: Today, p: LineParameters, taken: int) -> None:
    """Some of the notes are paid in, in round amounts at several counters."""
    line, rng = today.line, today.rng
    if rng.random() >= 0.35 or taken <= 0:
        return
    left = int(taken * p.cash_banked_share / 0.35)
    account = line.collector if line.collector >= 0 else line.tills[0].account
    while left >= 5_000:
        pence = int(min(left, rng.choice([10_000, 15_000, 20_000, 30_000, 40_000, 50_000])) // 500 * 500)
        town = line.place.hub if rng.random() < 0.7 else line.place.market
        cell = int(rng.choice(today.world.cells_of(town)))
        at = today.midnight + int(rng.uniform(9, 17.5) * HOUR)
        today.pages.say(
            "cash", account=account, amount=pence, ts=at, cell=cell, deposit=True, channel="branch"
        )
        left -= pence


def _collector(today: Today) -> None:
    """The pooled money is turned into cash or sent to an exchange every few days."""
    line, rng = today.line, today.rng
    if line.collector < 0 or rng.random() >= 0.4:
        return
    at = today.midnight + int(rng.uniform(10, 22) * HOUR)
    if line.exchange >= 0 and rng.random() < 0.6:
        pence = int(rng.integers(10, 90)) * 1_000
        today.pages.say(
            "pay", payer=line.collector, payee=line.exchange, amount=pence, ts=at, new_payee=False
        )
    else:
        cell = int(rng.choice(today.world.cells_of(line.place.hub)))
        pence = int(rng.integers(10, 50)) * 1_000
        today.pages.say("cash", account=line.collector, amount=pence, ts=at, cell=cell)


def _top_up(today: Today, p: LineParameters) -> None:
    """Credit for the line's phones, five or ten pounds at a time: vouchers for cash, or somebody else's card."""
    line, rng = today.line, today.rng
    for place, reign in enumerate(line.reigns):
        if not reign.since <= today.day + 0.5 < reign.until or line.holder == "abroad":
            continue
        for phone in line.phones[place]:
            for _ in range(int(rng.poisson(p.topups_per_week / 7))):
                at = today.midnight + int(rng.uniform(9, 22) * HOUR)
                pence = int(rng.choice([500, 1_000, 1_500], p=[0.4, 0.5, 0.1]))
                by_card = rng.random() < 0.35
                payer = line.buyer if rng.random() < 0.5 else line.tills[0].account
                today.pages.say(
                    "topup",
                    phone=phone,
                    ts=at,
                    amount=pence,
                    channel="card" if by_card else "voucher",
                    paid_by=payer if by_card else NONE,
                )
                business = shops.shop(today.world, rng, line.place.hub, shops.TELECOMS)
                if by_card and business >= 0:
                    today.pages.say(
                        "card",
                        account=payer,
                        business=business,
                        amount=pence,
                        ts=at - 20_000_000,
                        mcc=shops.TELECOMS,
                        entry="ecommerce",
                        beneficiary=phone,
                    )
