"""The people a county line uses: runners on their stints, visitors to a cuckooed home, tenants who lose it.

Runners are often children; what is told of them here (a missing episode, a phone in the market) is for their safety.
"""

from typing import Final

import numpy as np

from simulator.arrays import HOUR, MINUTE, SECOND, Ints
from simulator.chance import lognormal
from simulator.crimes import shops
from simulator.crimes.line import Address, Runner, Stint
from simulator.crimes.line_traffic import Orders, Today, in_market, uniform_times

STAY_MINUTES: Final = (3.0, 14.0)
"""How long a customer stays at the address [assumed]."""


def runners_day(today: Today) -> None:
    """Where the runners' phones are, whom they ring beside the line, what they spend."""
    for runner in today.line.runners:
        _attached(today, runner)
        _friends(today, runner)
        for stint in runner.stints:
            _travels(today, runner, stint)
            _spends(today, runner, stint)


def _attached(today: Today, runner: Runner) -> None:
    times = uniform_times(today, int(today.rng.poisson(6)), 7, 24)
    _, cells = in_market(today, runner, times)
    today.pages.say("location", phone=runner.phone, ts=times, cell=cells)
    if runner.smart:
        at = uniform_times(today, int(today.rng.poisson(5)), 8, 24)
        _, where = in_market(today, runner, at)
        down = lognormal(today.rng, 8e6, 1.4, len(at)).astype(np.int64)
        today.pages.say(
            "data",
            phone=runner.phone,
            ts=at,
            up=down // 12,
            down=down,
            seconds=today.rng.integers(30, 3000, len(at)),
            cell=where,
        )


def _friends(today: Today, runner: Runner) -> None:
    rng, people = today.rng, today.world.people
    friends = people.phone[runner.friends]
    if len(friends) == 0:
        return
    at = uniform_times(today, int(rng.poisson(2.5)), 9, 24)
    _, cells = in_market(today, runner, at)
    other = friends[(len(friends) * rng.random(len(at)) ** 2).astype(np.int64)]
    out = rng.random(len(at)) < 0.5
    length = np.maximum(lognormal(rng, 70, 1.1, len(at)), 4).astype(np.int64)
    say = today.pages.say
    say(
        "call",
        caller=np.full(int(out.sum()), runner.phone),
        callee=other[out],
        start=at[out],
        seconds=length[out],
        caller_cell=cells[out],
    )
    say(
        "call",
        caller=other[~out],
        callee=runner.phone,
        start=at[~out],
        seconds=length[~out],
        callee_cell=cells[~out],
    )
    at = uniform_times(today, int(rng.poisson(1.5)), 9, 24)
    _, cells = in_market(today, runner, at)
    other = friends[(len(friends) * rng.random(len(at)) ** 2).astype(np.int64)]
    say("texts", sender=np.full(len(at), runner.phone), recipients=other, times=at, sender_cell=cells)


def _travels(today: Today, runner: Runner, stint: Stint) -> None:
    """The phone passes the cells along the way, by rail those of the stations; a ticket or a fare is paid."""
    world, line, rng = today.world, today.line, today.rng
    if not line.place.external:
        return
    account = int(world.people.account[runner.person])
    for begins, ends, out in ((stint.leaves, stint.arrives, True), (stint.departs, stint.home, False)):
        if int(np.floor(begins)) != today.day:
            continue
        hub, market = line.place.hub, line.place.market
        cells = world.route(hub, market, 8) if out else world.route(market, hub, 8)
        start, stop = today.time(begins), today.time(ends)
        times = np.linspace(start, stop, len(cells)).astype(np.int64)
        passing = cells if stint.mode == "rail" else cells[[0, -1]]
        times = times if stint.mode == "rail" else times[[0, -1]]
        today.pages.say("location", phone=runner.phone, ts=times, cell=passing)
        if stint.mode == "car" and rng.random() < 0.7:
            continue
        mcc = {"rail": shops.RAIL, "taxi": shops.TAXI, "car": shops.FUEL}[stint.mode]
        price = int(rng.integers(900, 7500))
        bought_for = stint.mode == "rail" and rng.random() < 0.45
        payer = line.buyer if bought_for else account
        _card(
            today,
            payer,
            hub if out else market,
            mcc,
            start - int(rng.integers(2, 40)) * MINUTE,
            price,
            beneficiary=runner.phone if bought_for else None,
        )


def _spends(today: Today, runner: Runner, stint: Stint) -> None:
    """Meals and small things away from home; a bed when there is no address to stay in."""
    line, rng = today.line, today.rng
    account = int(today.world.people.account[runner.person])
    first = max(stint.arrives, today.day)
    last = min(stint.departs, today.day + 1.0)
    if first >= last:
        return
    for _ in range(int(rng.poisson(2.2 * (last - first)))):
        at = today.time(float(rng.uniform(first, last)))
        mcc = int(rng.choice([shops.FAST_FOOD, shops.GROCERY, shops.TAXI], p=[0.5, 0.35, 0.15]))
        _card(today, account, line.place.market, mcc, at, int(rng.integers(180, 1900)))
    has_bed = any(a.since <= stint.arrives < a.until for a in line.addresses)
    if int(np.floor(stint.arrives)) == today.day and line.place.external and not has_bed:
        mcc = shops.SHORT_LET if rng.random() < 0.6 else shops.HOTEL
        nights = max(1, round(stint.departs - stint.arrives))
        at = today.time(stint.arrives) - int(rng.uniform(0, 20) * 60) * SECOND
        _card(today, line.buyer, line.place.market, mcc, at, nights * int(rng.integers(3500, 9000)))


def _card(
    today: Today, account: int, town: int, mcc: int, ts: int, pence: int, *, beneficiary: int | None = None
) -> None:
    business = shops.shop(today.world, today.rng, town, mcc)
    if account < 0 or business < 0 or ts < today.midnight:
        return
    here = today.world.businesses.town[business] >= 0
    today.pages.say(
        "card", account=account, business=business, amount=pence, ts=ts, mcc=mcc, beneficiary=beneficiary,
        entry="contactless" if here else "ecommerce",
    )  # fmt: skip


def missing_children(today: Today) -> list[tuple[Runner, Stint]]:
    """The stints of children whose absence is reported today."""
    return [
        (runner, stint)
        for runner in today.line.runners
        for stint in runner.stints
        if int(np.floor(stint.reported_missing)) == today.day
    ]


def visits(today: Today, orders: Orders) -> None:
    """Customers come to the cuckooed address, stay a few minutes and go home again."""
    world, line, rng = today.world, today.line, today.rng
    home = at_address(line.addresses, today.day)
    if home is None or len(orders.at) == 0:
        return
    come = rng.random(len(orders.at)) < today.habits.visits_share
    person = line.customers[orders.customer[come]]
    at = orders.at[come] + (rng.uniform(8, 70, int(come.sum())) * MINUTE).astype(np.int64)
    stay = (rng.uniform(*STAY_MINUTES, len(at)) * MINUTE).astype(np.int64)
    today.pages.say("location", f"{line.id}.cuckoo", phone=world.people.phone[person], ts=at, cell=home.cell)
    back = world.people.cell[person]
    elsewhere = back != home.cell
    today.pages.say(
        "location",
        phone=world.people.phone[person][elsewhere],
        ts=(at + stay)[elsewhere],
        cell=back[elsewhere],
    )


def at_address(addresses: list[Address], day: int) -> Address | None:
    """The home in use on a day."""
    return next((a for a in addresses if a.since < day + 1 and a.until > day), None)


def tenant_day(today: Today, till: int) -> None:
    """Somebody's home and account are used by others: a new device, money sent on, food delivered [P9, assumed]."""
    world, rng = today.world, today.rng
    home = at_address(today.line.addresses, today.day)
    if home is None or home.tenant % 2:  # the account is used too in every other home [assumed]
        return
    account = int(world.people.account[home.tenant])
    if account < 0:
        return
    start = max(int(np.floor(home.since)), 0)
    if today.day == start:
        at = today.midnight + int(rng.uniform(10, 20) * HOUR)
        device = int(world.accounts.device[till])
        today.pages.say("account_event", account=account, kind="device_added", ts=at, device=device)
        today.pages.say(
            "account_event", account=account, kind="payee_added", ts=at + 5 * MINUTE, device=device
        )
        _takes(today, account, till, at + 7 * MINUTE, first=True)
    elif rng.random() < 0.2:
        _takes(today, account, till, today.midnight + int(rng.uniform(9, 23) * HOUR), first=False)
    times: Ints = uniform_times(today, int(rng.poisson(0.9)), 16, 24)
    for at in times:
        _card(
            today, account, today.line.place.market, shops.FAST_FOOD, int(at), int(rng.integers(1500, 5200))
        )


def _takes(today: Today, account: int, till: int, ts: int, *, first: bool) -> None:
    pence = int(today.rng.integers(4, 40)) * 500
    today.pages.say(
        "pay",
        payer=account,
        payee=till,
        amount=pence,
        ts=ts,
        new_payee=first,
        cop="match" if first else "",
        device=int(today.world.accounts.device[till]),
    )
