"""Who lives in the made-up world: households in real towns, ages, jobs, schools, incomes."""

from typing import Final

import numpy as np

from events.codes import AGE_BANDS
from simulator.arrays import Array, Flags, Floats, Ints
from simulator.chance import lognormal, weighted
from simulator.geography import Geography
from simulator.parameters import Parameters
from simulator.world import JOBS, NONE, Businesses, People

PEOPLE_A_TOWN: Final = 60
"""A small world keeps to as many towns as give them about this many people each, so that towns are communities."""
BAND_STARTS: Final = np.array([0, 16, 18, 21, 25, 35, 50, 65, 80])
"""The first age of each of the contract's age bands."""
_SIZES: Final = np.array([0.30, 0.34, 0.16, 0.14, 0.045, 0.015])
"""Households of 1 to 6 people (general knowledge, after ONS)."""
HUB: Final = 250_000
"""A town of more people is a hub: some shift workers travel from there to a county town (assumed)."""
_INCOMES: Final = {
    "none": 0, "office": 2300, "shop": 1450, "shift": 1950, "school": 0, "student": 650, "retired": 1150, "trade": 2050,
    "home": 0,
}  # fmt: skip
"""Median net income a month in pounds (assumed)."""


def job(name: str) -> int:
    """A job's place in the list of jobs."""
    return JOBS.index(name)


def settle(rng: np.random.Generator, n: int, geography: Geography, parameters: Parameters) -> People:
    """People in households in towns, with ages and jobs; workplaces and the rest come later."""
    sizes = _household_sizes(rng, n, parameters)
    household = np.repeat(np.arange(len(sizes)), sizes)[:n]
    place = (np.arange(len(household)) - np.repeat(np.cumsum(sizes) - sizes, sizes)[:n]).astype(np.int64)
    home = _homes(rng, len(sizes), n, geography, parameters)
    home_cell = geography.town_cell[home] + (rng.random(len(home)) * geography.town_cells[home]).astype(
        np.int64
    )
    age = _ages(rng, sizes, household, place)
    town = home[household]
    people = People.empty()
    people.append(
        town=town,
        cell=home_cell[household],
        force=geography.town_force[town],
        age=age,
        age_band=np.searchsorted(BAND_STARTS, age, side="right"),
        household=household,
        job=_jobs(rng, age, parameters),
        work_town=NONE,
        work_cell=NONE,
        employer=NONE,
        shift=0,
        income=0,
        benefits=0,
        sociability=lognormal(rng, 1.0, 0.6, n) / np.exp(0.18),
        thrift=np.clip(lognormal(rng, 1.0, 0.45, n) / np.exp(0.1), 0.1, 6.0),
        owl=np.clip(rng.normal(np.where(age < 26, 1.2, np.where(age > 60, -0.8, 0.0)), 0.8), -2.5, 4.0),
        phone=NONE,
        account=NONE,
    )
    assert len(AGE_BANDS) == len(BAND_STARTS)
    return people


def _household_sizes(rng: np.random.Generator, n: int, parameters: Parameters) -> Ints:
    """Sizes of enough households for n people; the mean is moved by thinning the singles."""
    shares = _SIZES.copy()
    mean = float(shares @ np.arange(1, 7))
    shares[0] *= mean / parameters.household_mean
    sizes = 1 + weighted(rng, shares, n)
    return sizes[: int(np.searchsorted(np.cumsum(sizes), n)) + 1]


def _homes(
    rng: np.random.Generator, households: int, n: int, geography: Geography, parameters: Parameters
) -> Ints:
    """The home town of each household, by population; in a small world only some towns are lived in."""
    people = geography.town_people.astype(np.float64)
    outside = geography.town_nation >= 2
    people[outside] *= (
        parameters.outside_share
        / (1 - parameters.outside_share)
        * people[~outside].sum()
        / people[outside].sum()
    )
    hits = min(max(n // PEOPLE_A_TOWN, 1), 20_000)
    total = np.cumsum(people)
    at = (np.arange(hits) + rng.random()) / hits * total[-1]
    chosen = np.minimum(np.searchsorted(total, at, side="right"), len(people) - 1)
    if n // PEOPLE_A_TOWN > 20_000:
        return weighted(rng, people, households)
    return np.sort(chosen)[np.arange(households) * hits // households]


def _ages(rng: np.random.Generator, sizes: Ints, household: Ints, place: Ints) -> Ints:
    """Ages that make households of couples, families, sharers and people alone."""
    n, size = len(household), sizes[household]
    kind = rng.random(len(sizes))[household]
    alone = np.clip(rng.normal(62, 18, len(sizes)), 19, 96)
    couple = np.clip(rng.normal(60, 16, len(sizes)), 20, 94)
    parent = np.clip(rng.normal(42, 8, len(sizes)), 21, 64)
    sharer = kind > 0.9
    head = np.where(
        size == 1,
        alone[household],
        np.where((size == 2) & (kind < 0.8), couple[household], parent[household]),
    )
    partner = np.clip(head + rng.normal(-1, 4, n), 18, 96)
    child = rng.random(n) * np.minimum(head - 19, 23)
    lone = (kind > 0.78) & (size > 1)
    age = np.where(place == 0, head, np.where((place == 1) & ~lone, partner, child))
    age = np.where(sharer & (size > 2), 18 + rng.exponential(6.0, n), age)
    return np.clip(age, 0, 99).astype(np.int64)


def _jobs(rng: np.random.Generator, age: Ints, parameters: Parameters) -> Ints:
    """What people do all day, by age."""
    n = len(age)
    u, v = rng.random(n), rng.random(n)
    working = np.select(
        [v < parameters.shift_share, v < 0.55, v < 0.78, v < 0.92],
        [job("shift"), job("office"), job("shop"), job("trade")],
        job("office"),
    )
    young = np.where(u < 0.42, job("student"), np.where(u < 0.86, working, job("none")))
    adult = np.where(u < 0.78, working, np.where(u < 0.88, job("home"), job("none")))
    old = np.where(u < 0.12, working, job("retired"))
    out = np.select([age < 4, age < 18, age < 22, age < 66], [job("home"), job("school"), young, adult], old)
    return out.astype(np.int64)


def employ(
    rng: np.random.Generator,
    people: People,
    businesses: Businesses,
    geography: Geography,
    parameters: Parameters,
) -> None:
    """Give workers a workplace, an employer, a shift and pay; pupils and students a school."""
    works = np.isin(people.job, [job(name) for name in ("office", "shop", "shift", "trade")])
    away = works | (people.job == job("student"))
    inhabited = np.unique(people.town)
    people.work_town[people.job == job("school")] = people.town[people.job == job("school")]
    reach = np.where(rng.random(len(people)) < parameters.commute_rail_share, 35.0, 9.0)
    reach[people.job == job("student")] = 60.0
    people.work_town[away] = _gravity(rng, people.town[away], reach[away], inhabited, geography)
    _send_hub_workers(rng, people, inhabited, geography, parameters)
    gone = people.work_town >= 0
    towns = people.work_town[gone]
    people.work_cell[gone] = geography.town_cell[towns] + (
        rng.random(len(towns)) * geography.town_cells[towns]
    ).astype(np.int64)
    people.employer[works] = _employers(rng, people.work_town[works], businesses, geography)
    people.shift[people.job == job("shift")] = 1 + (
        rng.random(int((people.job == job("shift")).sum())) * 12
    ).astype(np.int64)
    _pay(rng, people)


def _gravity(rng: np.random.Generator, homes: Ints, reach: Floats, towns: Ints, geography: Geography) -> Ints:
    """A town for each home, near and large ones first: population^0.8 times exp(-distance / reach)."""
    out = homes.copy()
    pull = geography.town_people[towns].astype(np.float64) ** 0.8
    order = np.lexsort((reach, homes))
    keys = homes[order].astype(np.float64) * 1000 + reach[order]
    for group in np.split(order, np.flatnonzero(np.diff(keys)) + 1):
        if len(group):
            distance = geography.distances(int(homes[group[0]]))[towns]
            out[group] = towns[weighted(rng, pull * np.exp(-distance / reach[group[0]]), len(group))]
    return out


def _send_hub_workers(
    rng: np.random.Generator, people: People, towns: Ints, geography: Geography, parameters: Parameters
) -> None:
    """Some shift workers of the hubs work in a county town 35 to 130 km away: as innocent as can be."""
    size = geography.town_people
    moved = (
        (people.job == job("shift"))
        & (size[people.town] > HUB)
        & (rng.random(len(people)) < parameters.hub_shift_share)
    )
    for person in np.flatnonzero(moved):
        distance = geography.distances(int(people.town[person]))[towns]
        fits = towns[(distance > 35) & (distance < 130) & (size[towns] < HUB)]
        if len(fits):
            people.work_town[person] = int(rng.choice(fits))


def _employers(rng: np.random.Generator, towns: Ints, businesses: Businesses, geography: Geography) -> Ints:
    """An employer in each work town, large ones first."""
    from simulator.trade import shops

    found = shops(businesses, len(geography.town_name), businesses.weight**1.5).pick(rng, towns)
    national = np.flatnonzero(businesses.town == NONE)
    return np.where(found == NONE, national[(rng.random(len(towns)) * len(national)).astype(np.int64)], found)


def _pay(rng: np.random.Generator, people: People) -> None:
    median = np.array([_INCOMES[name] for name in JOBS])[people.job]
    people.income[:] = (
        median * 100 * np.clip(np.exp(0.4 * rng.standard_normal(len(people))), 0.3, 8)
    ).astype(np.int64)
    jobless = (people.age >= 18) & np.isin(people.job, [job("none"), job("home")])
    heads: Flags = _first_of(people.household) & (people.age >= 18)
    children = np.bincount(people.household[people.age < 16], minlength=int(people.household.max()) + 1)
    people.benefits[:] = np.where(jobless, rng.integers(39_000, 120_000, len(people)), 0)
    people.benefits[heads] += children[people.household[heads]] * 9_600


def _first_of(groups: Array) -> Flags:
    """The first of each run of equal values."""
    return np.concatenate([[True], groups[1:] != groups[:-1]])
