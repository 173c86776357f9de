"""Where people shop, work and pay bills: local shops, national and online ones, billers, with merchant codes."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.arrays import Floats, Ints
from simulator.chance import lognormal, weighted
from simulator.geography import Geography
from simulator.world import NONE, Businesses

LOCAL: Final = {
    # merchant category: (share of the shops, share of card payments made locally, mean amount in pounds)
    5411: (0.09, 0.27, 24.0),  # groceries
    5499: (0.14, 0.14, 8.5),  # corner shops
    5814: (0.14, 0.15, 9.5),  # fast food, coffee
    5812: (0.09, 0.07, 32.0),  # restaurants
    5813: (0.07, 0.07, 14.0),  # pubs
    5541: (0.03, 0.06, 41.0),  # fuel
    5912: (0.04, 0.04, 13.0),  # chemists
    5651: (0.06, 0.04, 36.0),  # clothes
    5310: (0.04, 0.05, 15.0),  # discount stores
    5200: (0.03, 0.02, 29.0),  # home and garden
    7230: (0.06, 0.01, 28.0),  # hairdressers
    7538: (0.04, 0.005, 160.0),  # garages
    4121: (0.04, 0.02, 12.0),  # taxis
    4111: (0.01, 0.03, 4.2),  # buses, local transport
    4112: (0.01, 0.01, 21.0),  # railway tickets
    7011: (0.02, 0.003, 95.0),  # hotels
    7832: (0.01, 0.01, 18.0),  # cinemas
    8021: (0.02, 0.002, 70.0),  # dentists
    8211: (0.02, 0.004, 16.0),  # schools
    8999: (0.04, 0.001, 120.0),  # offices and services
}
"""The high street (merchant categories of ISO 18245; shares and amounts assumed, after UK Finance card spending)."""

ONLINE: Final = {
    # merchant category: (how many, share of online card payments, mean amount in pounds)
    5999: (3, 0.24, 23.0),  # market places
    5311: (5, 0.08, 39.0),
    5411: (4, 0.07, 78.0),
    5814: (4, 0.13, 23.0),  # meals delivered
    4121: (3, 0.08, 11.0),  # ride hailing
    4899: (6, 0.08, 9.5),  # streaming
    5816: (5, 0.09, 7.5),  # games
    5734: (4, 0.05, 12.0),  # software
    5732: (3, 0.02, 120.0),  # electronics
    4112: (2, 0.03, 28.0),  # railway tickets
    4131: (2, 0.005, 14.0),  # coaches
    4722: (4, 0.01, 240.0),  # travel
    6513: (2, 0.005, 180.0),  # short lets
    4814: (4, 0.03, 14.0),  # telephone credit
    7995: (5, 0.05, 16.0),  # gambling
    6051: (3, 0.005, 110.0),  # crypto exchanges
    4829: (2, 0.005, 130.0),  # money transfer
    7512: (2, 0.005, 110.0),  # car hire
    8398: (3, 0.02, 12.0),  # charities
}
"""Shops everywhere and nowhere (shares and amounts assumed)."""

BILLERS: Final = {
    # merchant category: (how many, share of direct debits, median amount in pounds)
    4900: (14, 0.26, 75.0),  # energy and water
    9311: (40, 0.11, 165.0),  # council tax
    4812: (5, 0.20, 22.0),  # telephone and broadband
    6300: (12, 0.15, 38.0),  # insurance
    4841: (4, 0.05, 14.0),  # television
    7997: (8, 0.07, 32.0),  # gyms and clubs
    8398: (10, 0.06, 10.0),  # charities
    6012: (10, 0.10, 280.0),  # loans and mortgages
}
"""Who collects by direct debit (shares and amounts assumed, after Pay.UK)."""

SENDERS: Final = (
    "MYBANK", "CityBank", "NorthBank", "PARCELS", "DELIVERY", "SURGERY", "DENTIST", "GOVUK", "MARKET", "TICKETS",
    "RIDES", "MEALS", "ENERGY", "WATER", "COUNCIL", "NETWORK", "VERIFY", "INFO", "SCHOOL", "SALON", "GARAGE", "PHARMACY",
    "INSURE", "CINEMA", "GYM", "LETTINGS", "TRAINS", "HOTEL", "SPORTS", "VOTE",
)  # fmt: skip
"""Made-up names businesses text under."""


@dataclass(slots=True)
class Shops:
    """Businesses by town, for drawing one where somebody is."""

    order: Ints
    start: Ints  # by town
    until: Floats  # running total of custom along `order`

    def pick(self, rng: np.random.Generator, towns: Ints) -> Ints:
        """A shop in each town, by how much custom they draw; -1 where the town has none."""
        return self.pick_by(rng.random(len(towns)), towns)

    def pick_by(self, draw: Floats, towns: Ints) -> Ints:
        """The shop of each town that a draw between 0 and 1 falls on; the same draw gives the same shop."""
        until = np.concatenate([[0.0], self.until])
        low, high = until[self.start[towns]], until[self.start[towns + 1]]
        place = np.searchsorted(self.until, low + draw * (high - low), side="right")
        place = np.minimum(place, self.start[towns + 1] - 1)
        return np.where(high > low, self.order[np.maximum(place, 0)], NONE)


def shops(businesses: Businesses, towns: int, weights: Floats) -> Shops:
    """The local businesses by town, drawn by these weights (0: never)."""
    local = np.flatnonzero((businesses.town >= 0) & (weights > 0))
    order = local[np.argsort(businesses.town[local], kind="stable")]
    start = np.searchsorted(businesses.town[order], np.arange(towns + 1))
    return Shops(order, start.astype(np.int64), np.cumsum(weights[order]))


def open_businesses(rng: np.random.Generator, geography: Geography, inhabitants: Ints) -> Businesses:
    """Shops and employers for these inhabitants (a number for each town), and the national ones.

    Accounts, switchboards and senders are given to them later.
    """
    town, mcc = _local(rng, geography, inhabitants)
    national = [(code, count) for code, (count, _, _) in ONLINE.items()]
    national += [(code, count) for code, (count, _, _) in BILLERS.items()]
    codes = np.repeat([code for code, _ in national], [count for _, count in national])
    online = np.repeat([True] * len(ONLINE) + [False] * len(BILLERS), [count for _, count in national])
    n_local, n = len(town), len(town) + len(codes)
    cell = geography.town_cell[town] + (rng.random(n_local) * geography.town_cells[town]).astype(np.int64)
    weight = lognormal(rng, 1.0, 0.9, n)
    out = Businesses.empty()
    out.append(
        town=np.concatenate([town, np.full(len(codes), NONE)]),
        cell=np.concatenate([cell, np.full(len(codes), NONE)]),
        mcc=np.concatenate([mcc, codes]),
        online=np.concatenate([np.zeros(n_local, np.bool_), online]),
        account=NONE,
        phone=NONE,
        sender=NONE,
        weight=weight,
        terminals=np.clip(weight * 2, 1, 60).astype(np.int64) + np.where(np.arange(n) < n_local, 0, 1),
    )
    return out


def _local(rng: np.random.Generator, geography: Geography, inhabitants: Ints) -> tuple[Ints, Ints]:
    """Where the local shops are and what they sell: one to about 28 inhabitants, at least four a town."""
    count = np.where(inhabitants > 0, np.maximum(4, inhabitants // 28), 0)
    town = np.repeat(np.arange(len(count)), count)
    codes = np.array(list(LOCAL))
    mcc = codes[weighted(rng, np.array([share for share, _, _ in LOCAL.values()]), len(town))]
    rank = np.arange(len(town)) - np.repeat(np.cumsum(count) - count, count)
    for place, always in enumerate((5411, 5499, 5814, 5812)):
        mcc[rank == place] = always
    return town, mcc


def custom(businesses: Businesses) -> Floats:
    """How much card custom each local business draws: its category's share spread over its town's shops."""
    shares = {code: share / of_shops for code, (of_shops, share, _) in LOCAL.items()}
    pull = np.array([shares.get(int(code), 0.0) for code in businesses.mcc])
    return np.where(businesses.town >= 0, pull * businesses.weight, 0.0)


def amounts(businesses: Businesses) -> Floats:
    """The mean card payment at each business in minor units."""
    local = {code: mean for code, (_, _, mean) in LOCAL.items()}
    far = {code: mean for code, (_, _, mean) in (ONLINE | BILLERS).items()}
    here = businesses.town >= 0
    return np.array(
        [
            100 * (local if at else far).get(int(code), 20.0)
            for code, at in zip(businesses.mcc, here, strict=True)
        ]
    )
