"""Where people are: home, work, school, trips by rail, nights out, holidays.

A plan is drawn for each day from the day's own chance, so it is the same whoever asks and in whatever order.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.arrays import DAY, HOUR, MINUTE, Flags, Floats, Ints
from simulator.chance import chance
from simulator.geography import Geography
from simulator.identifiers import mix
from simulator.inhabitants import job
from simulator.world import NONE, World

_STAYS: Final = 3
"""Holidays planned for each person and year, of which as many are taken as the world's rate says."""
_NEAR: Final = 9
"""How many towns near by people make trips to, their own included."""
FAR_KM: Final = 10.0
"""From this distance on a way to work passes cells of its own."""


@dataclass(slots=True)
class Plan:
    """One day of everybody: two outings at most, each with its cell, and those who are away."""

    midnight: int
    leave: Ints  # (2, people): when each outing begins at its place, after midnight; DAY * 9 = none
    back: Ints
    cell: Ints
    way: Ints  # (2, people): how long the way takes
    base: Ints  # where the night is spent: home, or the holiday's cell
    abroad: Flags


def plan_day(world: World, day: int) -> Plan:
    """Everybody's day."""
    rng = chance(world.seed, "movement", day)
    people, n = world.people, len(world.people)
    leave = np.full((2, n), DAY * 9, dtype=np.int64)
    back, cell = leave.copy(), np.full((2, n), NONE, dtype=np.int64)
    base, abroad = _holidays(world, day)
    home = base == people.cell
    late = (people.owl * 0.4 * HOUR).astype(np.int64)
    _set(leave, back, cell, 0, *_workday(world, day, rng, home), late, people.work_cell, rng)
    _nights(world, day, leave, back, cell, home)
    _outings(world, day, rng, leave, back, cell, home)
    way = np.zeros((2, n), dtype=np.int64)
    for outing in (0, 1):
        going = np.flatnonzero(cell[outing] >= 0)
        km = _km(world, people.cell[going], cell[outing][going])
        way[outing, going] = ((6 + 1.1 * km) * MINUTE).astype(np.int64)
    return Plan(world.calendar.midnight(day), leave, back, cell, way, base, abroad)


def _set(
    leave: Ints, back: Ints, cell: Ints, outing: int, who: Ints, begin: Floats, end: Floats, late: Ints, where: Ints,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    jitter = (rng.normal(0, 0.25, len(who)) * HOUR).astype(np.int64)
    leave[outing, who] = (begin * HOUR).astype(np.int64) + jitter + np.clip(late[who], -HOUR, HOUR)
    back[outing, who] = (end * HOUR).astype(np.int64) + jitter
    cell[outing, who] = where[who]


def _workday(world: World, day: int, rng: np.random.Generator, home: Flags) -> tuple[Ints, Floats, Floats]:
    """Who works or learns today, from when to when (hours)."""
    people, calendar = world.people, world.calendar
    u = rng.random(len(people))
    office = np.isin(people.job, (job("office"), job("trade"))) & calendar.is_working(day) & (u < 0.72)
    shop = (people.job == job("shop")) & (u < 0.68)
    learns = (people.job == job("school")) & calendar.is_school(day) & (u < 0.94)
    studies = (people.job == job("student")) & calendar.is_school(day) & (u < 0.6)
    early, late = _on_shift(world, day, 0) & (u < 0.95), _on_shift(world, day, 1) & (u < 0.95)
    begin = np.select([office, shop, learns, studies, early, late], [8.7, 9.2, 8.6, 10.0, 6.0, 14.0], 0.0)
    length = np.select([office, shop, learns, studies, early, late], [8.2, 8.0, 6.7, 5.0, 8.0, 8.0], 0.0)
    who = np.flatnonzero((begin > 0) & home & (people.work_cell >= 0))
    return who, begin[who], begin[who] + length[who]


def _on_shift(world: World, day: int, turn: int) -> Flags:
    """Four days on, four off; `turn` 0 early, 1 late, 2 night."""
    shift = world.people.shift
    on = (world.calendar.first + day + shift * 5) % 8 < 4
    return np.asarray((shift > 0) & (shift % 3 == turn) & on, dtype=np.bool_)


def _nights(world: World, day: int, leave: Ints, back: Ints, cell: Ints, home: Flags) -> None:
    """Night shifts: the end of yesterday's and the beginning of today's."""
    work = world.people.work_cell
    ending = np.flatnonzero(_on_shift(world, day - 1, 2) & home & (work >= 0))
    leave[0, ending], back[0, ending], cell[0, ending] = -2 * HOUR, 6 * HOUR, work[ending]
    starting = np.flatnonzero(_on_shift(world, day, 2) & home & (work >= 0))
    leave[1, starting], back[1, starting], cell[1, starting] = 22 * HOUR, 30 * HOUR, work[starting]


def _outings(
    world: World, day: int, rng: np.random.Generator, leave: Ints, back: Ints, cell: Ints, home: Flags
) -> None:
    """Trips to another town on free days, evenings out."""
    people, parameters, geography = world.people, world.parameters, world.geography
    n = len(people)
    weekend = world.calendar.weekday(day) >= 5 or world.calendar.is_bank_holiday(day)
    u = rng.random(n)
    free = home & (cell[0] == NONE) & (cell[1] == NONE) & (people.age >= 14)
    trip = np.flatnonzero(free & (u < parameters.day_trips_a_week / (3.0 if weekend else 7.0)))
    towns = world.inhabited
    to = towns[(rng.random(len(trip)) ** 2 * len(towns)).astype(np.int64)]
    near = rng.random(len(trip)) < 0.8
    to = np.where(near, _near_town(world, rng, people.town[trip]), to)
    begin = ((8.5 + 4 * rng.random(len(trip))) * HOUR).astype(np.int64)
    leave[0, trip], back[0, trip] = begin, begin + ((2 + 6 * rng.random(len(trip))) * HOUR).astype(np.int64)
    cell[0, trip] = geography.town_cell[to] + (rng.random(len(trip)) * geography.town_cells[to]).astype(
        np.int64
    )
    weights = (0.5, 0.5, 0.6, 0.9, 1.8, 2.0, 0.7)
    young = np.where(people.age < 36, 1.0, np.where(people.age < 55, 0.45, 0.2)) * (people.age >= 17)
    rate = parameters.nights_out_a_week / 7 * weights[world.calendar.weekday(day)] * young
    out = np.flatnonzero(home & (cell[1] == NONE) & (rng.random(n) < rate))
    begin = ((18.8 + 2.4 * rng.random(len(out))) * HOUR).astype(np.int64)
    leave[1, out], back[1, out] = begin, begin + ((2 + 3 * rng.random(len(out))) * HOUR).astype(np.int64)
    cell[1, out] = geography.town_cell[people.town[out]]


def near_towns(land: Geography, inhabited: Ints) -> Ints:
    """For each inhabited town the nearest ones somebody lives in, itself first; other towns' rows are of no use."""
    near = np.zeros((len(land.town_name), min(_NEAR, len(inhabited))), dtype=np.int64)
    for town in inhabited:
        near[town] = inhabited[np.argsort(land.distances(int(town))[inhabited], kind="stable")[:_NEAR]]
    return near


def _near_town(world: World, rng: np.random.Generator, towns: Ints) -> Ints:
    """One of the nearest towns somebody lives in."""
    pick = (rng.random(len(towns)) * world.near.shape[1]).astype(np.int64)
    return np.asarray(world.near[towns, pick], dtype=np.int64)


def _holidays(world: World, day: int) -> tuple[Ints, Flags]:
    """Where everybody sleeps: most at home. Holidays are laid down by a shuffle of person and year."""
    people, n = world.people, len(world.people)
    base, abroad = people.cell.copy(), np.zeros(n, dtype=np.bool_)
    then = world.calendar.date(day)
    of_year = then.timetuple().tm_yday
    household = people.household.astype(np.uint64)
    for stay in range(_STAYS):
        key = mix(household * np.uint64(8) + np.uint64(stay) + np.uint64(then.year * 1_000_003 + world.seed))
        taken = (key % np.uint64(1000)).astype(np.int64) < world.parameters.holidays_a_year / _STAYS * 1000
        start = (key >> np.uint64(12)) % np.uint64(730)
        start = np.where(start >= 365, 170 + start % np.uint64(80), start).astype(
            np.int64
        )  # half of all in summer
        length = 2 + ((key >> np.uint64(24)) % np.uint64(13)).astype(np.int64)
        gone = np.flatnonzero(taken & (of_year >= start) & (of_year < start + length))
        away = key[gone] >> np.uint64(34)
        town = world.inhabited[(away % np.uint64(len(world.inhabited))).astype(np.int64)]
        base[gone] = world.geography.town_cell[town]
        abroad[gone] = (away % np.uint64(1009)).astype(np.int64) < world.parameters.roaming_share * 1009
    return base, abroad


def _km(world: World, a: Ints, b: Ints) -> Floats:
    geography = world.geography
    north = (geography.cell_lat[a] - geography.cell_lat[b]) * 111.2
    east = (geography.cell_lon[a] - geography.cell_lon[b]) * 66.0
    return np.asarray(np.hypot(north, east), dtype=np.float64)


def cells_at(world: World, plan: Plan, people: Ints, ts: Ints) -> Ints:
    """The cell each person's phone hangs on at each time of the plan's day."""
    at = ts - plan.midnight
    cell = plan.base[people]
    for outing in (0, 1):
        leave, back = plan.leave[outing, people], plan.back[outing, people]
        there, way = plan.cell[outing, people], plan.way[outing, people]
        cell = np.where((at >= leave) & (at < back) & (there >= 0), there, cell)
        far = (there >= 0) & (way > (6 + 1.1 * FAR_KM) * MINUTE)
        going, coming = far & (at >= leave - way) & (at < leave), far & (at >= back) & (at < back + way)
        passing = np.flatnonzero(going | coming)
        if len(passing):
            share = np.where(going, at - leave + way, way - (at - back))[passing] / way[passing]
            home = plan.base[people[passing]]
            cell[passing] = world.geography.passing(home, there[passing], share.astype(np.float64))
    return _wobble(world, cell, people, ts)


def _wobble(world: World, cell: Ints, people: Ints, ts: Ints) -> Ints:
    """A phone does not always hang on the same cell of the place it is at."""
    geography = world.geography
    town = geography.cell_town[cell]
    draw = mix((ts + people * 1_000_003).astype(np.uint64))
    hundredths = draw - draw // np.uint64(100) * np.uint64(100)  # several times faster than `%`
    moved = np.flatnonzero((hundredths < 22) & (town >= 0))
    cell, town, draw = cell.copy(), town[moved], draw[moved]
    step = ((draw >> np.uint64(20)) % np.uint64(5)).astype(np.int64) - 2
    other = cell[moved] + step
    first = geography.town_cell[town]
    inside = (other >= first) & (other < first + geography.town_cells[town])
    cell[moved[inside]] = other[inside]
    return cell
