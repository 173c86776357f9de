"""Building a world: the same seed, number of people and start give the same one."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np

from simulator.acquaintance import acquaint
from simulator.banking import open_accounts
from simulator.calendar import Calendar
from simulator.chance import chance
from simulator.errors import SimulationError
from simulator.geography import geography
from simulator.inhabitants import employ, settle
from simulator.movement import near_towns
from simulator.parameters import parameters_of
from simulator.subscribers import add_services, connect_businesses, subscribe
from simulator.trade import open_businesses
from simulator.world import World

FEWEST: Final = 50
"""Fewer people make no world: there would be no shop, no bank and nobody to call."""


def build_world(
    people: int, days: int, seed: int, start: date, scenario: Mapping[str, Any] | None = None
) -> World:
    """Everything that is there before the first day.

    Raises:
        SimulationError: too few people or days, a seed below 0, or a scenario that sets what does not exist.
    """
    if people < FEWEST:
        raise SimulationError(f"{people} people are too few for a world; ask for {FEWEST} or more")
    if days < 1:
        raise SimulationError(f"a run of {days} days has nothing to tell; ask for one day or more")
    if seed < 0:
        raise SimulationError(f"the seed is {seed}; take 0 or a larger whole number")
    land, parameters = geography(), parameters_of(seed, scenario)
    calendar = Calendar(start, days)
    residents = settle(chance(seed, "inhabitants"), people, land, parameters)
    here = np.bincount(residents.town, minlength=len(land.town_name))
    businesses = open_businesses(chance(seed, "trade"), land, here)
    employ(chance(seed, "work"), residents, businesses, land, parameters)
    phones = subscribe(chance(seed, "phones"), residents, calendar.first, parameters)
    subscribers = len(phones)
    texts: list[str] = []
    connect_businesses(chance(seed, "switchboards"), phones, texts, businesses)
    short_codes, foreign = add_services(phones, texts)
    accounts = open_accounts(
        chance(seed, "accounts"), residents, phones, businesses, calendar.first, parameters
    )
    shop = accounts.business >= 0
    towns = businesses.town[accounts.business[shop]]
    accounts.force[shop] = np.where(towns >= 0, land.town_force[towns], 0)
    return World(
        seed=seed,
        calendar=calendar,
        parameters=parameters,
        geography=land,
        people=residents,
        phones=phones,
        accounts=accounts,
        businesses=businesses,
        contacts=acquaint(chance(seed, "contacts"), residents, parameters),
        number_texts=texts,
        inhabited=np.flatnonzero(here),
        near=near_towns(land, np.flatnonzero(here)),
        short_codes=short_codes,
        foreign=foreign,
        subscribers=subscribers,
        native_phones=len(phones),
        native_accounts=len(accounts),
    )
