"""A county line's day on the telephone: adverts, answers, orders, dispatch, handset changes, top-ups.

Nothing is said of what the messages are; communications data is all there is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.arrays import DAY, HOUR, MINUTE, SECOND, Array, Floats, Ints
from simulator.chance import lognormal
from simulator.crimes.line import Habits, Line, Runner
from simulator.crimes.line_plan import Reign
from simulator.crimes.pages import Pages
from simulator.world import NONE, World

ABROAD: Final = "999-01"
"""The made-up network a holder abroad roams on."""
UPDATES_A_DAY: Final = 5
HOURLY: Final = np.asarray(
    [3, 1.5, 0.7, 0.3, 0.2, 0.2, 0.4, 1, 2, 3, 4.5, 5.5, 6, 6, 6, 6.2, 6.5, 7, 7.2, 7.2, 7, 6.5, 5.5, 4.2]
)
"""Share of orders by hour of the day [assumed: noon to late evening]."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What was bought on a day: by which customer, when."""

    customer: Ints
    """Place in the line's list of customers."""
    at: Ints


@dataclass(slots=True)
class Today:
    """A line on a day: what its methods need."""

    world: World
    line: Line
    day: int
    rng: np.random.Generator
    pages: Pages
    place: int = 0
    """The reign that is being told of."""

    @property
    def habits(self) -> Habits:
        """How the line does business in this reign."""
        return self.line.habits[self.place]

    @property
    def midnight(self) -> int:
        """When the day begins."""
        return self.world.calendar.midnight(self.day)

    def time(self, day: float) -> int:
        """A moment of the biography as a time of the records."""
        whole = int(np.floor(day))
        return self.world.calendar.midnight(whole) + int((day - whole) * DAY)


def where(line: Line, times: Ints) -> Ints:
    """The cell of the line's handset at some times."""
    if line.holder == "abroad":
        return np.full(len(times), NONE)
    if line.holder in ("static", "prison"):
        return np.full(len(times), int(line.hub_cells[0]))
    block = (times // (3 * HOUR)) * 2_654_435_761 % 97
    night = (times % DAY) // HOUR < 9
    return np.where(night, line.hub_cells[0], line.hub_cells[block % len(line.hub_cells)])


def traffic(today: Today, place: int, reign: Reign) -> Orders:
    """Everything one reign of a line does on a day with its telephones; returns the orders it took."""
    line, day, rng = today.line, today.day, today.rng
    today.place = place
    since, until = max(reign.since, day), min(reign.until, day + 1.0)
    if since >= until:
        return Orders(np.empty(0, np.int64), np.empty(0, np.int64))
    story = f"{line.id}.{place + 1}"
    _changes(today, place, reign)
    _carried(today, place, since, until)
    on_list = np.flatnonzero(line.present[place] & _in_trade(today, reign))
    sells = (max(since, reign.first_flare), min(until, reign.quiet_from))
    flares = _flares(today, place, reign, on_list, sells, story)
    orders = _orders(today, flares, on_list, sells, until)
    if line.unseen:
        _data(today, line.phones[place][0], since, until, sessions=20 + len(orders.at) // 2)
        return orders
    _answered(today, place, orders, story)
    if line.smart:
        _data(today, line.phones[place][0], since, until, sessions=int(rng.poisson(6)))
    return orders


def _in_trade(today: Today, reign: Reign) -> Array:
    """A new line gives samples to a few first; its list fills over some days."""
    line = today.line
    grown = 1.0 if reign.came_after else np.clip((today.day - reign.since + 2) / 10, 0.25, 1.0)
    return np.arange(len(line.customers)) < grown * len(line.customers)


def _changes(today: Today, place: int, reign: Reign) -> None:
    line = today.line
    for change, (sim, handset) in zip(reign.changes, line.sims[place], strict=True):
        if int(np.floor(change.day)) != today.day:
            continue
        at, phone = today.time(change.day), line.phones[place][0]
        if sim != NONE:
            today.pages.change(
                "sim_change", phone, max(at - 20 * MINUTE, today.midnight), sim=sim, channel="store"
            )
        today.pages.change("device_change", phone, at, f"{line.id}.{place + 1}", handset=handset)
        if change.handed_over and line.holder == "static":
            today.rng.shuffle(line.hub_cells)


def _carried(today: Today, place: int, since: float, until: float) -> None:
    """Location updates of the handset."""
    line, rng = today.line, today.rng
    low, high = today.time(since), today.time(since) + int((until - since) * DAY)
    for phone in line.phones[place]:
        times = np.sort(rng.integers(low, high, int(rng.poisson(UPDATES_A_DAY * (until - since)))))
        today.pages.say("location", visited=_roaming(line), phone=phone, ts=times, cell=where(line, times))


def _recipients(today: Today, on_list: Ints, flare: int) -> tuple[Ints, bool]:
    """Whom one advert goes to, in the order of the list in the phone, and whether it is spread over an hour or more."""
    rng = today.rng
    style = today.habits.flares[int(rng.integers(len(today.habits.flares)))]
    if style == "subset":
        return on_list[rng.random(len(on_list)) < rng.uniform(0.4, 1.0)], False
    if style == "rotating":
        return on_list[(on_list + flare + today.day) % 3 == 0], False
    return on_list, style == "staggered"


def _flares(
    today: Today, place: int, reign: Reign, on_list: Ints, sells: tuple[float, float], story: str
) -> list[tuple[Ints, Ints]]:
    """Sends the day's adverts; returns for each the customers reached and when."""
    line, rng, habits = today.line, today.rng, today.habits
    if sells[0] >= sells[1] or len(on_list) == 0:
        return []
    count = int(rng.poisson(habits.flares_per_day)) if rng.random() >= habits.quiet_days else 0
    low, high = habits.flare_hours
    starts = np.sort(today.day + rng.uniform(low, high, count) / 24)
    if habits.flares_per_day > 0 and int(np.floor(reign.first_flare)) == today.day:
        starts = np.unique(np.append(starts, reign.first_flare + 0.001))
    if reign.ending == "number_change" and reign.announced and int(np.floor(reign.quiet_from)) == today.day:
        starts = np.append(starts[starts < reign.quiet_from - 0.02], max(reign.quiet_from - 0.01, sells[0]))
    sent: list[tuple[Ints, Ints]] = []
    for number, start in enumerate(starts[(starts >= sells[0]) & (starts <= sells[1])]):
        announcing = (
            reign.announced and reign.ending == "number_change" and start >= reign.quiet_from - 0.0101
        )
        chosen, staggered = (on_list, False) if announcing else _recipients(today, on_list, number)
        if len(chosen) == 0:
            continue
        gaps = rng.uniform(*habits.gap_s, len(chosen))
        if staggered:  # in parts of ten or so, minutes apart
            gaps[:: int(rng.integers(6, 16))] += rng.uniform(240, 900)
        else:
            gaps[:: int(rng.integers(20, 60))] += rng.uniform(0, 40)
        times = today.time(float(start)) + (np.cumsum(gaps) * SECOND).astype(np.int64)
        sent.append((chosen, times))
        if not line.unseen:
            _send(today, place, number, chosen, times, story)
    return sent


def _from(line: Line, place: int, customers: Ints, day: int, number: int, *, advert: bool) -> Ints:
    """Which of the line's numbers deals with which customer."""
    phones = line.phones[place]
    if len(phones) == 1:
        return np.full(len(customers), phones[0])
    match line.second:
        case "split":
            return np.asarray(phones)[customers % 2]
        case "spare":
            return np.full(len(customers), phones[(day + number // 3) % 2 if advert else day % 2])
        case _:
            return np.full(len(customers), phones[1 if advert else 0])


def _send(today: Today, place: int, number: int, chosen: Ints, times: Ints, story: str) -> None:
    line = today.line
    sender = _from(line, place, chosen, today.day, number, advert=True)
    to = today.world.people.phone[line.customers[chosen]]
    today.pages.say(
        "texts", story, visited=_roaming(line), sender=sender, recipients=to, times=times, sender_cell=where(line, times)
    )  # fmt: skip


def _orders(
    today: Today, flares: list[tuple[Ints, Ints]], on_list: Ints, sells: tuple[float, float], until: float
) -> Orders:
    """Answers to the adverts, and orders that nobody prompted."""
    line, rng, habits = today.line, today.rng, today.habits
    taste = line.taste
    who: list[Ints] = []
    when: list[Ints] = []
    for chosen, times in flares:
        answers = rng.random(len(chosen)) < np.clip(habits.response_share * taste[chosen] ** 0.5, 0, 0.7)
        delay = np.minimum(lognormal(rng, habits.response_minutes, 0.9, int(answers.sum())), 240)
        who.append(chosen[answers])
        when.append(times[answers] + (delay * MINUTE).astype(np.int64))
    open_from = max(sells[0], float(today.day))
    if open_from < until and len(on_list):
        share = (0.35 if flares else 1.0) * (until - open_from)
        expected = min(habits.orders_per_customer * taste[on_list].sum() * share, 260.0)
        count = int(rng.poisson(expected))
        weights = taste[on_list] / taste[on_list].sum()
        who.append(rng.choice(on_list, count, p=weights))
        hours = HOURLY.copy()
        hours[[23, 0, 1, 2]] *= 0.4 + 4 * habits.late_share
        hour = rng.choice(24, count, p=hours / hours.sum()) + rng.random(count)
        when.append(today.midnight + (hour * HOUR).astype(np.int64))
    if not who:
        return Orders(np.empty(0, np.int64), np.empty(0, np.int64))
    customer, at = np.concatenate(who), np.concatenate(when)
    kept = (at >= today.time(max(sells[0], today.day))) & (
        at < today.time(float(today.day)) + int((until - today.day) * DAY)
    )
    order = np.argsort(at[kept], kind="stable")
    return Orders(customer[kept][order], at[kept][order])


def _answered(today: Today, place: int, orders: Orders, story: str) -> None:
    """The calls and texts by which orders are placed, confirmed and passed on to a runner."""
    line, rng, habits, pages = today.line, today.rng, today.habits, today.pages
    n = len(orders.at)
    if n == 0:
        return
    customer = today.world.people.phone[line.customers[orders.customer]]
    number = _from(line, place, orders.customer, today.day, 0, advert=False)
    by_voice = rng.random(n) < habits.voice_share
    taken = rng.random(n) < 0.85
    seconds = np.maximum(lognormal(rng, habits.call_seconds, 0.7, n), 3).astype(np.int64)

    def ring(chosen: Array, at: Ints, length: Ints, answered: Array, told: str = "") -> None:
        pages.say(
            "call", told, caller=customer[chosen], callee=number[chosen], start=at, seconds=length,
            answered=answered, callee_cell=where(line, at),
        )  # fmt: skip

    ring(by_voice, orders.at[by_voice], np.where(taken, seconds, 0)[by_voice], taken[by_voice], story)
    again = by_voice & ~taken
    ring(
        again,
        orders.at[again] + _seconds(rng, 40, 300, again),
        seconds[again],
        np.ones(int(again.sum()), np.bool_),
    )
    arrived = rng.random(n) < habits.confirms
    at = orders.at[arrived] + _seconds(rng, 8 * 60, 45 * 60, arrived)
    ring(arrived, at, np.maximum(seconds[arrived] // 2, 3), np.ones(len(at), np.bool_))
    written = ~by_voice
    times = orders.at[written]
    _write(today, customer[written], number[written], times, to_line=True)
    for share, low, high, to_line in ((0.85, 15, 240, False), (0.6, 250, 600, True), (0.3, 620, 1500, False)):
        goes_on = written & (rng.random(n) < share)
        at = orders.at[goes_on] + _seconds(rng, low, high, goes_on)
        _write(today, customer[goes_on], number[goes_on], at, to_line=to_line)
    _dispatch(today, number, orders)


def _seconds(rng: np.random.Generator, low: float, high: float, of: Array) -> Ints:
    return (rng.uniform(low, high, int(of.sum())) * SECOND).astype(np.int64)


def _write(today: Today, customers: Ints, numbers: Ints, times: Ints, *, to_line: bool) -> None:
    at_line = where(today.line, times)
    if to_line:
        today.pages.say("texts", sender=customers, recipients=numbers, times=times, recipient_cell=at_line)
    else:
        today.pages.say(
            "texts", visited=_roaming(today.line), sender=numbers, recipients=customers, times=times, sender_cell=at_line
        )  # fmt: skip


def _roaming(line: Line) -> str:
    """The network the line's handset roams on, "" at home."""
    return ABROAD if line.holder == "abroad" else ""


def _dispatch(today: Today, number: Ints, orders: Orders) -> None:
    """The line sends a runner: a short call or a text to the one in the market."""
    line, rng = today.line, today.rng
    passed = np.flatnonzero(rng.random(len(orders.at)) < today.habits.dispatches)
    at = orders.at[passed] + (rng.uniform(20, 400, len(passed)) * SECOND).astype(np.int64)
    runner = np.full(len(passed), NONE)
    cell = np.full(len(passed), NONE)
    for candidate in line.runners:
        there, cells = in_market(today, candidate, at)
        free = there & ((runner < 0) | (rng.random(len(passed)) < 0.5))
        runner, cell = np.where(free, candidate.phone, runner), np.where(free, cells, cell)
    voice = (runner >= 0) & (rng.random(len(passed)) < 0.7)
    written = (runner >= 0) & ~voice
    length = np.maximum(lognormal(rng, 16, 0.6, int(voice.sum())), 3).astype(np.int64)
    at_line, roaming = where(line, at), _roaming(line)
    today.pages.say(
        "call", visited=roaming, caller=number[passed[voice]], callee=runner[voice], start=at[voice], seconds=length,
        caller_cell=at_line[voice], callee_cell=cell[voice],
    )  # fmt: skip
    today.pages.say(
        "texts", visited=roaming, sender=number[passed[written]], recipients=runner[written], times=at[written],
        sender_cell=at_line[written], recipient_cell=cell[written],
    )  # fmt: skip


def in_market(today: Today, runner: Runner, times: Ints) -> tuple[Array, Ints]:
    """At which of some times a runner is in the market, and in which cell."""
    there = np.zeros(len(times), dtype=np.bool_)
    cells = np.full(len(times), runner.home_cell)
    for stint in runner.stints:
        if stint.departs < today.day - 1 or stint.arrives > today.day + 2:
            continue
        inside = (times >= today.time(stint.arrives)) & (times < today.time(stint.departs))
        there |= inside
        about = (times // (40 * MINUTE)) * 40_503 % 7
        near = today.line.market_cells[about % len(today.line.market_cells)]
        cells = np.where(inside, np.where(about < 3, stint.cell, near), cells)
    return there, cells


def _data(today: Today, phone: int, since: float, until: float, *, sessions: int) -> None:
    line, rng = today.line, today.rng
    low, high = today.time(since), today.time(since) + int((until - since) * DAY)
    times = np.sort(rng.integers(low, high, sessions))
    down = lognormal(rng, 400_000.0, 1.2, sessions).astype(np.int64)
    today.pages.say(
        "data", visited=_roaming(line), phone=phone, ts=times, up=down // 6, down=down,
        seconds=rng.integers(5, 900, sessions), cell=where(line, times),
    )  # fmt: skip


def uniform_times(today: Today, count: int, low_hour: float, high_hour: float) -> Ints:
    """Some times of the day between two hours, in order."""
    hours: Floats = np.sort(today.rng.uniform(low_hour, high_hour, count))
    return today.midnight + (hours * HOUR).astype(np.int64)
