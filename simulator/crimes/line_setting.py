"""Where a county line works: the hub its holder runs it from, and the market its customers live in."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.arrays import Floats, Ints
from simulator.chance import chance, weighted
from simulator.crimes.line_parameters import LineParameters
from simulator.world import World

EXPORTERS: Final = {"E23000001": 0.33, "E23000014": 0.12, "E23000004": 0.12, "E23000005": 0.10}
"""Share of lines by the force of their hub: Metropolitan, West Midlands, Merseyside, Greater Manchester [assumed]."""
LONDON: Final = "E23000001"
LONDON_REACH_LAT: Final = 53.0
"""London's lines work in the southern half of the country (Castro-Gonzalez et al. 2022), as a latitude [assumed]."""
KM_A_MINUTE: Final = 1.1
"""Door to door, by rail or road [assumed]."""
INTERNAL_KM: Final = 20.0
"""How far from its hub an internal line sells [assumed]."""
RAIL_TOWN: Final = (8_000, 250_000)
"""Inhabitants of the towns that lines prefer: big enough to sell in, with a station [assumed]."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The two ends of a line."""

    hub: int
    market: int
    external: bool


def setting(world: World, rng: np.random.Generator, p: LineParameters) -> Setting:
    """Draws a hub and a market for one line."""
    hub = _hub(world, rng)
    external = bool(rng.random() < p.external_share)
    weights = _pull(world, hub, p)
    same_force = world.geography.town_force == world.geography.town_force[hub]
    near = world.geography.distances(hub) <= INTERNAL_KM
    weights = np.where(~same_force if external else same_force & near, weights, 0.0)
    if weights.sum() == 0:
        return Setting(hub, hub, external=False)
    return Setting(hub, int(weighted(rng, weights, 1)[0]), external)


def _hub(world: World, rng: np.random.Generator) -> int:
    geo = world.geography
    here = np.isin(geo.town_nation, (0, 1))
    left = 1 - sum(EXPORTERS.values())
    codes = np.asarray(geo.force_codes)
    exporter = np.isin(codes[geo.town_force], list(EXPORTERS))
    share = np.where(here & ~exporter, geo.town_people, 0).astype(np.float64)
    share *= left / max(share.sum(), 1.0)
    for code, weight in EXPORTERS.items():
        theirs = (codes[geo.town_force] == code).astype(np.float64) * geo.town_people
        share += theirs * (weight / max(theirs.sum(), 1.0))
    return int(weighted(rng, share, 1)[0])


def _pull(world: World, hub: int, p: LineParameters) -> Floats:
    """How much each town draws lines from a hub: population, deprivation and travel time (a gravity model)."""
    geo = world.geography
    minutes = geo.distances(hub) / KM_A_MINUTE + 10
    pull = geo.town_people**p.gravity_power * np.exp(-minutes / p.gravity_minutes) * _deprivation(world)
    by_rail = (geo.town_people >= RAIL_TOWN[0]) & (geo.town_people <= RAIL_TOWN[1])
    pull = np.where(by_rail, pull * p.rail_town_pull, pull)
    pull = np.where(np.isin(geo.town_nation, (0, 1)), pull, 0.0)
    if geo.force_codes[geo.town_force[hub]] == LONDON:
        pull = np.where(geo.town_lat < LONDON_REACH_LAT, pull, 0.0)
    return np.asarray(pull, dtype=np.float64)


def _deprivation(world: World) -> Floats:
    """A made-up deprivation of each town, mean 1: no index is in the data [assumed]."""
    rng = chance(world.seed, "county_lines", "deprivation")
    return np.asarray(np.exp(0.5 * rng.standard_normal(len(world.geography.town_name))), dtype=np.float64)


def around(world: World, rng: np.random.Generator, town: int, n: int) -> Ints:
    """`n` cells of a town or, for a small one, of the towns within a few kilometres."""
    cells = world.cells_of(town)
    if len(cells) >= n:
        return rng.choice(cells, n, replace=False)
    near = np.argsort(world.geography.distances(town), kind="stable")[1:4]
    more = np.concatenate([world.cells_of(int(t)) for t in near])
    extra = rng.choice(more, min(n - len(cells), len(more)), replace=False)
    return np.concatenate([cells, extra]).astype(np.int64)
