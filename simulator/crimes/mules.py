"""Mule networks: layers of accounts through which stolen money is passed on, each holding it for some minutes.

An operation's first layer takes the victims' payments; each account passes what it gets to one or a few of the next
layer; the last turns it into cash, crypto-assets or gift cards, or sends it abroad. Account holders are complicit,
deceived (a job, a romance) or coerced, and are kept apart as such.

Banks block some of the accounts. What lies there is lost; the network goes on with what it has left or with accounts
held in reserve, passes money on faster and in smaller parts.
"""

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Annotated, Final, Literal

import numpy as np

from simulator.arrays import DAY, HOUR, MINUTE, Ints
from simulator.chance import lognormal
from simulator.crimes import shops
from simulator.crimes.cases import Cases, Stage, Today, Truth, place_in_run
from simulator.crimes.residents import Who
from simulator.diary import Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import NONE, World

A: Final[Origin] = "assumed"
Role = Literal["complicit", "deceived", "coerced"]
ATM_MOST: Final = 50_000
"""Pence a cash machine gives at once [assumed]."""
HASTE: Final = 0.7
"""How much sooner money is passed on for each of the first accounts a network has lost [assumed]."""
CLEARING_DAYS: Final = 4.0
"""How long after the last theft the slow accounts still pass money on [assumed]."""


@dataclass(frozen=True, slots=True)
class MuleParameters:
    """How mule networks work in one world."""

    depth_low: Annotated[float, Spread(1.6, 2.4, A, "layers: 2 to 5")]
    depth_high: Annotated[float, Spread(3.5, 5.49, A, "layers: 2 to 5")]
    width: Annotated[float, Spread(1.5, 4.5, A, "accounts of a layer; onward to 2 to 6 accounts")]
    dwell_minutes: Annotated[float, Spread(5, 30, A, "median 12 minutes", "log")]
    dwell_sigma: Annotated[float, Spread(0.7, 1.5, A, "")]
    slow_share: Annotated[float, Spread(0.05, 0.35, A, "accounts that wait a day or more")]
    young_share: Annotated[float, Spread(0.6, 0.85, "published", "64 % aged 30 or under (Cifas, H1 2023)")]
    fresh_share: Annotated[float, Spread(0.25, 0.6, A, "accounts opened in the last weeks")]
    sleeper_share: Annotated[
        float, Spread(0.1, 0.3, A, "dormant accounts woken up; the rest are in everyday use")
    ]
    shared_device_share: Annotated[float, Spread(0.15, 0.5, A, "accounts run from the controller's device")]
    complicit_share: Annotated[float, Spread(0.45, 0.7, A, "of holders")]
    deceived_share: Annotated[float, Spread(0.15, 0.35, A, "of holders; the rest are coerced")]
    cut_share: Annotated[float, Spread(0.02, 0.12, A, "what a holder keeps")]
    exit_cash: Annotated[float, Spread(0.1, 0.5, A, "weight of cash machines at the end")]
    exit_crypto: Annotated[float, Spread(0.2, 0.6, A, "weight of crypto exchanges at the end")]
    exit_abroad: Annotated[float, Spread(0.1, 0.4, A, "weight of accounts abroad at the end")]
    skips_layers: Annotated[float, Spread(0.0, 0.3, A, "payments that jump a layer")]
    never_alerted: Annotated[float, Spread(0.12, 0.28, A, "20 % of mule accounts are never alerted")]
    blocked_share: Annotated[
        float, Spread(0.05, 0.3, A, "accounts a bank blocks while the network is at work")
    ]
    blocked_hours: Annotated[
        float, Spread(6, 96, A, "median from an account's first payment to its block", "log")
    ]


@dataclass(slots=True)
class Mule:
    """One account of a network."""

    account: int
    layer: int
    role: Role
    slow: bool
    device: int
    """The controller's device, or -1: the holder's own."""
    never_alerted: bool
    told: bool = False
    """A bank has found it out."""
    used: float = 1e9
    last: float = -1e9
    paid_before: set[int] = field(default_factory=set)
    blocks_after: float = float("inf")
    """Days from its first use until its bank blocks it."""
    blocks_at: float = float("inf")
    """The day on which it does, known from the first use on."""
    lost: bool = False
    """The network has seen that it is blocked."""

    def blocked(self, day: float) -> bool:
        """Whether its bank has stopped it by then."""
        return day > self.blocks_at

    def use(self, day: float) -> None:
        """Money comes in or goes on."""
        if self.last < -1e8:
            self.blocks_at = day + self.blocks_after
        self.used, self.last = min(self.used, day), max(self.last, day)


@dataclass(slots=True)
class Network:
    """The layers of an operation, and where the money leaves them."""

    mules: list[Mule]
    depth: int
    exits: Ints
    exit_weights: tuple[float, float, float]
    town: int
    waiting: list[tuple[int, int, int]] = field(default_factory=list)
    """Money to be moved later: when, from which mule, how much."""
    reserves: list[Mule] = field(default_factory=list)
    """Accounts that take the place of blocked ones."""

    def layer(self, number: int) -> list[int]:
        """The places of a layer's accounts."""
        return [place for place, mule in enumerate(self.mules) if mule.layer == number]

    @property
    def losses(self) -> int:
        """How many of its accounts it has seen blocked."""
        return sum(mule.lost for mule in self.mules)

    def stand_in(self, place: int, day: float) -> int:
        """The account itself, or what is used in its place once it is blocked; -1 = nothing is left."""
        blocked = self.mules[place]
        if not blocked.blocked(day):
            return place
        blocked.lost = True
        left = [other for other in self.layer(blocked.layer) if not self.mules[other].blocked(day)]
        if left:
            return left[place % len(left)]
        if not self.reserves:
            return NONE
        fresh = self.reserves.pop(0)
        fresh.layer = blocked.layer
        self.mules.append(fresh)
        return len(self.mules) - 1


def make_network(
    stage: Stage[object], rng: np.random.Generator, p: MuleParameters, since: float, town: int
) -> Network:
    """Recruits account holders round a town and opens or wakes accounts."""
    people = stage.world.people
    depth = int(np.clip(rng.integers(round(p.depth_low), round(p.depth_high) + 1), 2, 5))
    crowd = stage.crowd(rng, town, Who((17, 70), account=True), 60)
    young = crowd[people.age[crowd] <= 30]
    controller = stage.cast.issue()
    recruited: list[int] = []

    def recruit(layer: int, wanted: int) -> list[Mule]:
        found = []
        for _ in range(wanted):
            pool = young if rng.random() < p.young_share else crowd
            left = pool[~np.isin(pool, recruited)]
            if len(left) == 0:
                left = crowd[~np.isin(crowd, recruited)]
            if len(left) == 0:
                break
            recruited.append(int(rng.choice(left)))
            device = controller if rng.random() < p.shared_device_share else NONE
            found.append(_mule(stage, rng, p, recruited[-1], layer, since, device))
        return found

    mules: list[Mule] = []
    for layer in range(depth):
        width = max(1, round(p.width * float(np.exp(0.4 * rng.standard_normal())) * (1.0 if layer else 1.3)))
        mules += recruit(layer, width)
    exits = np.asarray([stage.cast.elsewhere(), stage.cast.elsewhere()])
    weights = (p.exit_cash, p.exit_crypto, p.exit_abroad)
    return Network(mules, depth, exits, weights, town, reserves=recruit(NONE, max(1, round(p.width / 2))))


def _mule(
    stage: Stage[object],
    rng: np.random.Generator,
    p: MuleParameters,
    person: int,
    layer: int,
    since: float,
    device: int,
) -> Mule:
    account = _account(stage, rng, p, person, since, device)
    draw = rng.random()
    role: Role = "complicit" if draw < p.complicit_share else "deceived"
    role = "coerced" if draw > p.complicit_share + p.deceived_share else role
    mule = Mule(
        account, layer, role, bool(rng.random() < p.slow_share), device, bool(rng.random() < p.never_alerted)
    )
    days = float(lognormal(rng, p.blocked_hours / 24, 0.8, 1)[0])
    if rng.random() < p.blocked_share and not mule.never_alerted:
        mule.blocks_after = days
    return mule


def _account(
    stage: Stage[object], rng: np.random.Generator, p: MuleParameters, person: int, since: float, device: int
) -> int:
    draw = rng.random()
    own_device = None if device < 0 else device
    if draw < p.fresh_share:
        return stage.cast.account(
            rng, person, day=since, age_days=float(rng.uniform(1, 40)), balance=1_000, device=own_device
        )
    if draw < p.fresh_share + p.sleeper_share:
        age = float(rng.uniform(250, 1_500))
        return stage.cast.account(
            rng, person, day=since, age_days=age, dormant=True, balance=700, device=own_device
        )
    return int(stage.world.people.account[person])


def receive(
    network: Network, place: int, at: int, pence: int, rng: np.random.Generator, p: MuleParameters
) -> None:
    """Money has come into an account: decides when it will go on."""
    mule = network.mules[place]
    wait = lognormal(rng, p.dwell_minutes, p.dwell_sigma, 1)[0] * MINUTE
    if mule.slow:
        wait = rng.uniform(0.8, 2.5) * DAY
    wait *= HASTE ** min(network.losses, 3)
    heappush(network.waiting, (at + int(max(wait, MINUTE)), place, pence))


def move(network: Network, today: Today, p: MuleParameters, story: str) -> None:
    """Passes on everything that is due before the day is over, in the order of time."""
    tomorrow = today.world.calendar.midnight(today.day + 1)
    heapify(network.waiting)
    while network.waiting and network.waiting[0][0] < tomorrow:
        at, place, pence = heappop(network.waiting)
        _pass_on(network, today, p, story, max(at, today.midnight + MINUTE), place, pence)


def _pass_on(
    network: Network, today: Today, p: MuleParameters, story: str, at: int, place: int, pence: int
) -> None:
    rng, mule = today.rng, network.mules[place]
    moment = today.day + (at - today.midnight) / DAY
    if mule.blocked(moment):  # one more try shows it; what lies there is lost
        if not mule.lost:
            mule.lost = True
            onward = network.layer(mule.layer + 1)
            payee = network.mules[onward[0]].account if onward else int(network.exits[0])
            _refused(today, story, mule, payee, pence, at)
        return
    mule.use(moment)
    pence = int(pence * (1 - p.cut_share * rng.random() * 2))
    step = 2 if rng.random() < p.skips_layers else 1
    onward = network.layer(mule.layer + step) or network.layer(mule.layer + 1)
    if not onward:
        _leave(network, today, story, at, mule, pence)
        return
    parts = min((int(rng.integers(1, 4)) if pence > 60_000 else 1) + min(network.losses, 2), len(onward))
    targets = rng.choice(onward, parts, replace=False)
    cuts = np.sort(rng.random(parts - 1)) if parts > 1 else np.empty(0)
    shares = np.diff(np.concatenate([[0.0], cuts, [1.0]]))
    for number, (target, share) in enumerate(zip(targets, shares, strict=True)):
        amount = int(pence * share)
        if amount < 100:
            continue
        when = at + number * int(rng.integers(40, 400)) * 1_000_000
        if network.mules[int(target)].blocked(moment) and not network.mules[int(target)].lost:
            _refused(today, story, mule, network.mules[int(target)].account, amount, when)
            when += int(rng.integers(60, 1_800)) * 1_000_000
        taker = network.stand_in(int(target), moment)
        if taker < 0:
            _leave(network, today, story, when, mule, amount)
            continue
        _pay(today, story, mule, network.mules[taker].account, amount, when)
        receive(network, taker, when + 5_000_000, amount, rng, p)


def _pay(today: Today, story: str, mule: Mule, payee: int, amount: int, at: int) -> None:
    new = payee not in mule.paid_before
    mule.paid_before.add(payee)
    cop = str(today.rng.choice(["match", "close_match", "no_match"], p=[0.75, 0.1, 0.15])) if new else ""
    today.pages.say(
        "pay", story, payer=mule.account, payee=payee, amount=amount, ts=at, new_payee=new, cop=cop,
        device=mule.device if mule.device >= 0 else int(today.world.accounts.device[mule.account]),
    )  # fmt: skip


def _refused(today: Today, story: str, mule: Mule, payee: int, amount: int, at: int) -> None:
    """A payment out of, or into, an account its bank has blocked."""
    today.pages.say(
        "pay", story, payer=mule.account, payee=payee, amount=amount, ts=at, new_payee=payee not in mule.paid_before,
        device=mule.device if mule.device >= 0 else int(today.world.accounts.device[mule.account]),
        status="rejected", reason="AC06",
    )  # fmt: skip


def _leave(network: Network, today: Today, story: str, at: int, mule: Mule, pence: int) -> None:
    rng = today.rng
    weights = np.asarray(network.exit_weights)
    way = int(rng.choice(3, p=weights / weights.sum()))
    if way == 0:
        cell = int(rng.choice(today.world.cells_of(network.town)))
        while pence >= 1_000 and at < today.midnight + 2 * DAY:
            amount = min(pence // 1_000 * 1_000, int(rng.choice([20_000, 30_000, ATM_MOST])))
            today.pages.say("cash", story, account=mule.account, amount=amount, ts=at, cell=cell)
            pence -= amount
            at += int(rng.integers(3, 40)) * MINUTE if rng.random() < 0.6 else 20 * HOUR
    elif way == 1 and rng.random() < 0.3:
        business = shops.shop(today.world, rng, network.town, shops.QUASI_CASH)
        if business >= 0:
            today.pages.say(
                "card",
                story,
                account=mule.account,
                business=business,
                amount=pence,
                ts=at,
                entry="ecommerce",
                mcc=shops.QUASI_CASH,
            )
    else:
        _pay(today, story, mule, int(network.exits[way - 1]), pence, at)


def network_truth(
    network: Network, world: World, *, note: dict[str, object] | None = None, part: str = ""
) -> list[Truth]:
    """The accounts of a network that were used, by how their holders came into it: a row, or none."""
    used = [mule for mule in network.mules if mule.last > -1e8]
    if not used:
        return []
    roles = {
        role: [world.account_id(m.account) for m in used if m.role == role]
        for role in ("complicit", "deceived", "coerced")
    }
    entry = [world.account_id(m.account) for m in used if m.layer == 0]
    silent = [world.account_id(m.account) for m in used if m.never_alerted]
    force = int(world.geography.town_force[network.town])
    forces = sorted({int(world.accounts.force[m.account]) for m in used} - {0})
    told: dict[str, object] = {
        "depth": network.depth,
        "first_layer": entry,
        **{k: v for k, v in roles.items() if v},
    }
    told |= {"never_alerted": silent} if silent else {}
    lost = {world.account_id(m.account): round(m.blocks_at, 4) for m in used if m.lost}
    told |= {"blocked": lost} if lost else {}
    told |= {"first_used": {world.account_id(m.account): round(m.used, 4) for m in used}}
    truth = Truth(
        "mule_network", "mule_network", accounts=list(dict.fromkeys(m.account for m in used)), home_force=force,
        active_forces=forces, note=told | (note or {}), part=part,
        since=min(m.used for m in used), until=max(m.last for m in used) + 0.01,
    )  # fmt: skip
    return [truth]


@dataclass(frozen=True, slots=True)
class MuleNetworksParameters(MuleParameters):
    """Networks that serve thefts the streams do not show."""

    networks_per_million_month: Annotated[
        float, Spread(8, 40, "derived", "about 38,000 mule cases a year (Cifas)", "log")
    ]
    days: Annotated[float, Spread(3, 25, A, "until it is burnt", "log")]
    payments_a_day: Annotated[float, Spread(0.8, 6, A, "into the first layer")]
    amount_gbp: Annotated[float, Spread(250, 1_800, A, "median into the first layer", "log")]
    victims_here_share: Annotated[
        float, Spread(0.3, 0.8, A, "payments from accounts of banks that report here")
    ]


@dataclass(slots=True)
class Laundry:
    """One such network at work."""

    id: str
    since: float
    closes: float
    until: float
    network: Network
    outside: Ints
    payers: Ints


class MuleNetworks(Cases[MuleNetworksParameters, Laundry]):
    """Networks of their own, beside those of the frauds told here."""

    name = "mule_networks"
    span = 20
    parameters = MuleNetworksParameters

    def expected(self, world: World) -> float:
        """By people and months."""
        return self.p.networks_per_million_month * len(world.people) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[MuleNetworksParameters], rng: np.random.Generator, id: str) -> Laundry | None:
        """A network and those whose money it takes."""
        p = stage.p
        since, until = place_in_run(rng, stage.days, float(lognormal(rng, p.days, 0.4, 1)[0]))
        network = make_network(stage, rng, p, since, stage.town(rng))  # type: ignore[arg-type]
        if not network.mules:
            return None
        payers = np.flatnonzero((stage.world.people.account >= 0) & (stage.world.people.age >= 20))
        payers = rng.choice(payers, min(40, len(payers)), replace=False)
        outside = np.asarray([stage.cast.elsewhere() for _ in range(4)])
        return Laundry(
            id, since, until, until + CLEARING_DAYS, network, outside, stage.world.people.account[payers]
        )

    def tell(self, case: Laundry, today: Today) -> None:
        """Stolen money comes in and runs through."""
        rng, p = today.rng, self.p
        since, until = today.within(case.since, case.closes)
        first = case.network.layer(0)
        for at in today.hours(
            (since - today.day) * 24,
            (until - today.day) * 24,
            int(rng.poisson(p.payments_a_day * max(until - since, 0.0))),
        ):
            place = case.network.stand_in(
                int(rng.choice(first)), today.day + (int(at) - today.midnight) / DAY
            )
            if place < 0:
                continue
            mule = case.network.mules[place]
            here = rng.random() < p.victims_here_share
            payer = int(rng.choice(case.payers if here else case.outside))
            if payer == mule.account:
                continue
            pence = int(np.clip(lognormal(rng, p.amount_gbp, 0.9, 1)[0], 40, 20_000) * 100) // 100 * 100
            mule.use(today.day + (int(at) - today.midnight) / DAY)
            today.pages.say(
                "pay", case.id, payer=payer, payee=mule.account, amount=pence, ts=int(at), new_payee=True,
                cop=str(rng.choice(["match", "close_match", "no_match"], p=[0.6, 0.15, 0.25])),
            )  # fmt: skip
            receive(case.network, place, int(at) + 5_000_000, pence, rng, p)
        move(case.network, today, p, case.id)
        _labels(case, today)

    def truths(self, case: Laundry, world: World) -> list[Truth]:
        """The accounts used."""
        return network_truth(case.network, world)


def _labels(case: Laundry, today: Today) -> None:
    """Banks find some of the accounts out, days later."""
    for mule in case.network.mules:
        found = mule.lost or today.rng.random() < 0.08
        if not (mule.never_alerted or mule.told) and mule.last > -1e8 and found:
            about = today.diary.account(mule.account)
            at = today.world.calendar.midnight(today.day + 1) + int(today.rng.uniform(1, 14) * DAY)
            today.diary.label(about, "confirmed", at, subjects=[about], typology="mule_account", role=mule.role,
                              subject_category="suspect" if mule.role == "complicit" else "possible_victim",
                              origin="bank", reason_code="FRAD")  # fmt: skip
            mule.told = True


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [MuleNetworks()]
