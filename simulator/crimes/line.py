"""One county line as it stands: who buys, who runs, who holds the money, and its habits.

Everything is drawn before the first day, so that a day's records need nothing but the day.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from simulator.arrays import Flags, Floats, Ints
from simulator.chance import lognormal
from simulator.crimes.absences import take_away
from simulator.crimes.cast import Cast
from simulator.crimes.line_parameters import LineParameters
from simulator.crimes.line_plan import Reign, biography
from simulator.crimes.line_setting import Setting, around, setting
from simulator.crimes.residents import Residents, Who, choose
from simulator.world import NONE, World

CUSTOMERS: Final = Who((18, 62), phone=True)
TENANTS: Final = Who((30, 62), phone=True)
"""Those whose homes are taken over: often older, ill or dependent [assumed]."""
FEWEST_CUSTOMERS: Final = 20
MOST_CUSTOMERS: Final = 2_000

Holder = Literal["static", "about", "market", "prison", "abroad"]
"""Where the line's handset is: one place in the hub, moving about it, with the market, in prison, abroad."""
FlareStyle = Literal["whole", "subset", "staggered", "rotating"]
SecondNumber = Literal["none", "split", "spare", "advert"]
"""What a second number is for: half the customers each, every other day, or adverts only."""
TillStyle = Literal["at_once", "evening", "slow"]
Mode = Literal["rail", "car", "taxi"]


@dataclass(frozen=True, slots=True)
class Habits:
    """How this line does business, drawn round the world's parameters."""

    flares_per_day: float
    flares: tuple[FlareStyle, ...]
    flare_hours: tuple[float, float]
    gap_s: tuple[float, float]
    response_share: float
    response_minutes: float
    voice_share: float
    call_seconds: float
    orders_per_customer: float
    late_share: float
    transfer_share: float
    visits_share: float
    confirms: float
    """Share of customers who ring again to say they are there."""
    dispatches: float
    """Share of orders for which the line rings the runner."""
    quiet_days: float


@dataclass(slots=True)
class Stint:
    """A runner's stay in the market."""

    leaves: float
    arrives: float
    departs: float
    home: float
    mode: Mode
    cell: int
    reported_missing: float
    """Day on which the absence is reported, or a negative number: never."""


@dataclass(slots=True)
class Runner:
    """Someone who carries and sells: often a child, who is a victim first."""

    phone: int
    person: int
    age: int
    home_cell: int
    friends: Ints
    stints: list[Stint]
    smart: bool


@dataclass(slots=True)
class Till:
    """An account of a young person that takes the customers' transfers for a while."""

    account: int
    since: float
    until: float
    style: TillStyle
    device: int = NONE
    """The line's own device, from which some tills are run; -1 = the holder's."""
    held: int = 0
    paid_in_before: set[int] = field(default_factory=set)
    owed: list[tuple[float, int]] = field(default_factory=list)


@dataclass(slots=True)
class Address:
    """A cuckooed home: somebody vulnerable's, from which the line sells for some weeks."""

    cell: int
    tenant: int
    since: float
    until: float
    phone: int


@dataclass(slots=True)
class Line:
    """One brand."""

    id: str
    place: Setting
    habits: list[Habits]
    """Of each reign: a line that was disrupted comes back warier."""
    unseen: bool
    holder: Holder
    hub_cells: Ints
    market_cells: Ints
    smart: bool
    second: SecondNumber
    reigns: list[Reign]
    phones: list[list[int]]
    """The numbers of each reign: one, or two when the line has a second."""
    sims: list[list[tuple[int, int]]]
    """The new SIM (or none) and handset of each change of each reign."""
    customers: Ints
    taste: Floats
    present: list[Flags]
    """Which customers are on the list of each reign."""
    runners: list[Runner]
    tills: list[Till]
    collector: int
    exchange: int
    addresses: list[Address]
    buyer: int
    """The account that tops the line up."""


def make_line(
    world: World,
    cast: Cast,
    residents: Residents,
    rng: np.random.Generator,
    p: LineParameters,
    id: str,
) -> Line:
    """Draws one line that is active at some time in the run."""
    days = world.calendar.days
    place = setting(world, rng, p)
    reigns = biography(rng, p, days)
    size = int(
        np.clip(lognormal(rng, p.customers_median, p.customers_sigma, 1)[0], FEWEST_CUSTOMERS, MOST_CUSTOMERS)
    )
    pool = residents.near(place.market, CUSTOMERS, 4 * size)
    customers = choose(rng, pool, residents.appetite(pool, 0), size)
    taste = np.exp(p.customer_taste_sigma * rng.standard_normal(len(customers)))
    unseen = bool(rng.random() < p.unseen_share)
    holder = _holder(rng, p)
    smart = unseen or bool(rng.random() < p.smart_handset_share)
    second: SecondNumber = "none"
    if rng.random() < p.second_number_share:
        second = str(rng.choice(["split", "spare", "advert"]))  # type: ignore[assignment]
    hub_cells = around(world, rng, place.market if holder == "market" else place.hub, 3)
    market_cells = around(world, rng, place.market, 5)
    phones, sims = _phones(rng, cast, reigns, hub_cells, smart=smart, two=second != "none")
    tills, collector, exchange = _money(world, cast, residents, rng, p, place, reigns)
    addresses = _addresses(world, residents, rng, p, place, reigns, days)
    runners = _runners(world, cast, residents, rng, p, place, reigns, addresses, market_cells)
    return Line(
        id=id, place=place, habits=_all_habits(rng, p, reigns), unseen=unseen, holder=holder, hub_cells=hub_cells,
        market_cells=market_cells, smart=smart, second=second, reigns=reigns, phones=phones, sims=sims,
        customers=customers, taste=taste / taste.mean(), present=_lists(rng, p, reigns, len(customers)), runners=runners,
        tills=tills, collector=collector, exchange=exchange, addresses=addresses,
        buyer=collector if collector >= 0 else tills[0].account,
    )  # fmt: skip


def _holder(rng: np.random.Generator, p: LineParameters) -> Holder:
    draw = rng.random()
    for share, where in (
        (p.prison_share, "prison"),
        (p.abroad_share, "abroad"),
        (p.roaming_holder_share, "about"),
    ):
        if draw < share:
            return where  # type: ignore[return-value]
        draw -= share
    return "market" if rng.random() < 0.12 else "static"


def _all_habits(rng: np.random.Generator, p: LineParameters, reigns: list[Reign]) -> list[Habits]:
    """Habits reign by reign: the same after a planned change of number, other ones after a closure."""
    found = [_habits(rng, p)]
    for reign in reigns[1:]:
        disrupted = reign.came_after in ("type1", "type2")
        found.append(_warier(rng, found[-1]) if disrupted else found[-1])
    return found


def _warier(rng: np.random.Generator, before: Habits) -> Habits:
    """Fewer adverts, to fewer at a time, more slowly [assumed]."""
    return replace(
        before,
        flares_per_day=before.flares_per_day * float(rng.uniform(0.3, 1.0)),
        flares=tuple(rng.choice(["subset", "staggered", "rotating"], 3)),
        gap_s=(before.gap_s[0] * float(rng.uniform(1, 2)), before.gap_s[1] * float(rng.uniform(1, 2))),
        quiet_days=min(before.quiet_days + float(rng.uniform(0, 0.2)), 0.7),
        visits_share=before.visits_share * float(rng.uniform(0.3, 1.0)),
    )


def _habits(rng: np.random.Generator, p: LineParameters) -> Habits:
    def near(value: float, sigma: float = 0.25) -> float:
        return float(value * np.exp(sigma * rng.standard_normal()))

    weights = np.asarray([p.whole_list_weight, p.subset_weight, p.staggered_weight, p.rotating_weight])
    styles = tuple(rng.choice(["whole", "subset", "staggered", "rotating"], 3, p=weights / weights.sum()))
    never = bool(rng.random() < p.never_flares_share)
    low, high = near(p.send_gap_low_s), near(p.send_gap_high_s)
    return Habits(
        flares_per_day=0.0 if never else near(p.flares_per_day, 0.4),
        flares=styles,
        flare_hours=(
            p.flare_from_hour + float(rng.normal(0, 0.7)),
            p.flare_to_hour + float(rng.normal(0, 0.7)),
        ),
        gap_s=(min(low, high), max(low, high) + 0.5),
        response_share=min(near(p.response_share), 0.6),
        response_minutes=near(p.response_minutes),
        voice_share=float(np.clip(rng.normal(p.voice_share, 0.15), 0.05, 1.0)),
        call_seconds=near(p.call_seconds),
        orders_per_customer=near(p.orders_per_customer_day),
        late_share=min(near(p.late_share), 0.5),
        transfer_share=min(near(p.transfer_share), 0.9),
        visits_share=min(near(p.visits_share), 0.9),
        confirms=float(rng.uniform(0.1, 0.7)),
        dispatches=float(rng.uniform(0.3, 0.95)),
        quiet_days=min(near(p.quiet_day_share), 0.6),
    )


def _phones(
    rng: np.random.Generator, cast: Cast, reigns: list[Reign], cells: Ints, *, smart: bool, two: bool
) -> tuple[list[list[int]], list[list[tuple[int, int]]]]:
    """The numbers of each reign, and the SIM and handset of each change; a change of number may keep the handset."""
    phones: list[list[int]] = []
    changes: list[list[tuple[int, int]]] = []
    kept = NONE
    for reign in reigns:
        age = float(rng.uniform(0, 3))
        handset = kept if kept >= 0 and reign.came_after == "number_change" and rng.random() < 0.5 else NONE
        handset = cast.handset(rng, smart=smart) if handset < 0 else handset
        numbers = [
            cast.phone(rng, day=reign.since, age_days=age, cell=int(cells[0]), smart=smart, handset=handset)
        ]
        if two:
            other = handset if rng.random() < 0.3 else None  # a phone with two SIMs
            numbers.append(
                cast.phone(rng, day=reign.since, age_days=age, cell=int(cells[0]), smart=smart, handset=other)
            )
        phones.append(numbers)
        made = [(cast.issue() if c.new_sim else NONE, cast.handset(rng, smart=smart)) for c in reign.changes]
        changes.append(made)
        kept = made[-1][1] if made else handset
    return phones, changes


def _lists(rng: np.random.Generator, p: LineParameters, reigns: list[Reign], size: int) -> list[Flags]:
    """Who is on the customer list of each number: carried over, lost and found."""
    lists: list[Flags] = []
    core = rng.random(size) < 0.85 if len(reigns) > 1 else np.ones(size, dtype=np.bool_)
    for place, reign in enumerate(reigns):
        if place == 0:
            lists.append(core)
            continue
        kept = lists[-1] & (rng.random(size) < reign.kept_share)
        new = ~lists[-1] & (rng.random(size) < 10 * p.customer_turnover_day)
        lists.append(kept | new)
    return lists


def _money(
    world: World,
    cast: Cast,
    residents: Residents,
    rng: np.random.Generator,
    p: LineParameters,
    place: Setting,
    reigns: list[Reign],
) -> tuple[list[Till], int, int]:
    """The tills of young people, who follow each other, and the account they pay into."""
    people = world.people
    town = place.hub if rng.random() < 0.6 else place.market
    young = choose(rng, residents.near(town, Who((16, 24), account=True), 60), np.ones(1), 12)
    begin, end = min(r.since for r in reigns), max(r.until for r in reigns)
    tills: list[Till] = []
    device = cast.issue()
    for lane in range(1 + int(rng.random() * p.tills_high)):
        at = max(begin, -30.0)
        while at < min(end, world.calendar.days) and len(young):
            until = at + float(rng.uniform(8, 60))
            person = int(young[(len(tills) + lane) % len(young)])
            kind = rng.random()
            if kind < 0.55:
                account = int(people.account[person])
            else:  # a second account, fresh or long asleep
                age = float(rng.uniform(1, 25)) if kind < 0.8 else float(rng.uniform(200, 900))
                account = cast.account(rng, person, day=at, age_days=age, dormant=kind >= 0.8, balance=500)
            style: TillStyle = (
                "slow"
                if rng.random() < p.slow_till_share
                else ("at_once" if rng.random() < 0.5 else "evening")
            )
            tills.append(
                Till(account, at, until, style, device if rng.random() < p.shared_till_share else NONE)
            )
            at = until
    older = residents.near(place.hub, Who((20, 45), account=True), 30)
    holder = int(choose(rng, older, np.ones(1), 1)[0])
    collector = NONE
    if rng.random() < p.collector_share:
        collector = cast.account(rng, holder, day=begin, age_days=float(rng.uniform(20, 700)), balance=20_000)
    exchange = cast.elsewhere() if collector >= 0 and rng.random() < 0.4 else NONE
    if not tills:
        tills.append(Till(int(people.account[holder]), begin, end, "evening"))
    return tills, collector, exchange


def _addresses(
    world: World,
    residents: Residents,
    rng: np.random.Generator,
    p: LineParameters,
    place: Setting,
    reigns: list[Reign],
    days: int,
) -> list[Address]:
    """Homes taken over one after another, some weeks each."""
    if rng.random() >= p.cuckooed_share:
        return []
    begin, end = max(min(r.since for r in reigns), -30.0), min(max(r.until for r in reigns), float(days))
    homes = choose(rng, residents.near(place.market, TENANTS, 40), np.ones(1), 8)
    found: list[Address] = []
    at = begin + float(rng.uniform(0, 5))
    while at < end and len(found) < len(homes):
        until = at + float(rng.uniform(10, 60))
        tenant = int(homes[len(found)])
        found.append(
            Address(
                int(world.people.cell[tenant]), tenant, at, min(until, end), int(world.people.phone[tenant])
            )
        )
        at = until + float(rng.uniform(0, 10))
    return found


def _runners(
    world: World,
    cast: Cast,
    residents: Residents,
    rng: np.random.Generator,
    p: LineParameters,
    place: Setting,
    reigns: list[Reign],
    addresses: list[Address],
    market_cells: Ints,
) -> list[Runner]:
    people = world.people
    count = int(rng.integers(int(p.runners_low), int(p.runners_high) + 1))
    crowd = residents.near(place.hub, Who(phone=True), 80)
    found: list[Runner] = []
    for _ in range(count):
        draw = rng.random()
        low, high = (15, 17) if draw < p.child_share else (18, 24)
        if draw >= p.child_share + p.young_adult_share:
            low, high = 25, 40
        near = residents.near(place.hub, Who((low, high), account=True), 12)
        if len(near) == 0:
            continue
        person = int(rng.choice(near))
        home = int(people.cell[person])
        smart = bool(rng.random() < 0.8)
        phone = cast.phone(rng, day=0, age_days=float(rng.uniform(5, 300)), cell=home, smart=smart)
        stints = _stints(world, rng, p, place, reigns, addresses, market_cells, child=high < 18)
        friends = rng.choice(crowd, min(6, len(crowd)), replace=False)
        _go_along(world, person, place, stints)
        found.append(Runner(phone, person, int(people.age[person]), home, friends, stints, smart))
    return found


def _go_along(world: World, person: int, place: Setting, stints: list[Stint]) -> None:
    """A runner's own phone and card are where the runner is."""
    way = world.route(place.hub, place.market, 8) if place.external else np.empty(0, dtype=np.int64)
    for stint in stints:
        passing = way if stint.mode == "rail" else way[[0, -1]] if len(way) else way
        stay = (stint.leaves, stint.arrives, stint.departs, stint.home)
        take_away(world, person, stay, stint.cell, passing)


def _stints(
    world: World,
    rng: np.random.Generator,
    p: LineParameters,
    place: Setting,
    reigns: list[Reign],
    addresses: list[Address],
    market_cells: Ints,
    *,
    child: bool,
) -> list[Stint]:
    """Stays of some nights in the market, with days at home to fetch more (re-up) between them."""
    hours = world.distance_km(place.hub, place.market) / 75 + 0.4 if place.external else 0.3
    begin, end = max(reigns[0].since, -6.0), min(reigns[-1].until, float(world.calendar.days))
    found: list[Stint] = []
    at = begin + float(rng.uniform(0, 3))
    while at < end:
        leaves = np.floor(at) + float(rng.uniform(9, 19)) / 24
        arrives = leaves + hours / 24
        nights = int(rng.integers(1, int(p.stint_nights_high) + 1)) if place.external else 0
        if p.day_trip_share > 0 and rng.random() < p.day_trip_share:
            nights = 0
        departs = (
            np.floor(arrives)
            + nights
            + float(rng.uniform(20, 23) if not nights else rng.uniform(10, 21)) / 24
        )
        departs = max(departs, arrives + 2 / 24)
        draw = rng.random()
        mode: Mode = "rail" if draw < p.rail_share else ("car" if draw < p.rail_share + 0.25 else "taxi")
        where = next((a.cell for a in addresses if a.since <= arrives < a.until), int(market_cells[0]))
        reported = departs > arrives + 0.6 and child and rng.random() < p.missing_reported_share
        missing = float(leaves + rng.uniform(6, 30) / 24) if reported else -1e9
        if any(r.since <= arrives < r.until for r in reigns):
            found.append(
                Stint(float(leaves), float(arrives), departs, departs + hours / 24, mode, where, missing)
            )
        at = departs + hours / 24 + float(rng.uniform(0.5, p.reup_days_high))
    return found
