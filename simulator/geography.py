"""Where the made-up people live and move: real towns and stations, invented cells.

Cells are scattered round the towns' centres, one to about 4,000 inhabitants, and one stands at each station. None is
the site of a real mast.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from places.forces import ALIASES, forces
from places.where import distance_km, nearest_stations, stations, towns
from simulator.arrays import Floats, Ints
from simulator.chance import chance
from simulator.errors import SimulationError

PEOPLE_A_CELL: Final = 4_000
"""Inhabitants a cell serves (assumed: about 17,000 invented sites for the country)."""
PEOPLE_A_KM2: Final = 4_000
"""Density inside English towns and cities (general knowledge: about 4,000 a square kilometre)."""
NATIONS: Final = ("england", "wales", "scotland", "northern ireland")


@dataclass(slots=True)
class Geography:
    """Towns, stations and cells in columns."""

    town_name: list[str]
    town_lat: Floats
    town_lon: Floats
    town_people: Ints
    town_force: Ints  # small code of places.forces
    town_nation: Ints  # place in NATIONS
    town_station: Ints  # nearest station
    town_cell: Ints  # the first of its cells; they follow each other
    town_cells: Ints
    station_lat: Floats
    station_lon: Floats
    station_cell: Ints
    cell_lat: Floats
    cell_lon: Floats
    cell_force: Ints
    cell_town: Ints  # -1 = at a station
    force_codes: list[str]  # small code -> ONS code, "" for 0

    def distances(self, town: int) -> Floats:
        """From one town to all, in kilometres."""
        return distance_km(self.town_lat[town], self.town_lon[town], self.town_lat, self.town_lon)

    def distance_km(self, town_from: int, town_to: int) -> float:
        """As the crow flies."""
        a, b = town_from, town_to
        return float(distance_km(self.town_lat[a], self.town_lon[a], self.town_lat[b], self.town_lon[b]))

    def route(self, town_from: int, town_to: int, steps: int) -> Ints:
        """The cells of stations along the way from one town's station to another's, both included, in order."""
        a, b = self.town_station[town_from], self.town_station[town_to]
        along = np.linspace(0.0, 1.0, max(steps, 2))
        lat = self.station_lat[a] + along * (self.station_lat[b] - self.station_lat[a])
        lon = self.station_lon[a] + along * (self.station_lon[b] - self.station_lon[a])
        passed = np.concatenate([[a], nearest_stations(lat[1:-1], lon[1:-1])[0], [b]])
        kept = np.concatenate([[True], passed[1:] != passed[:-1]])
        cells: Ints = self.station_cell[passed[kept]]
        return cells

    def passing(self, cell_from: Ints, cell_to: Ints, share: Floats) -> Ints:
        """The cell of the station one passes when a share (0 to 1) of the way from one cell to another."""
        lat = self.cell_lat[cell_from] + share * (self.cell_lat[cell_to] - self.cell_lat[cell_from])
        lon = self.cell_lon[cell_from] + share * (self.cell_lon[cell_to] - self.cell_lon[cell_from])
        return self.station_cell[nearest_stations(lat, lon)[0]]


@cache
def geography() -> Geography:
    """The geography every world shares.

    Raises:
        SimulationError: the towns or stations were left out of this installation.
    """
    if not towns() or not stations():
        raise SimulationError("the open-database files of places are missing; install the package with them")
    rng = chance(0, "geography")
    people = np.array([town.population for town in towns()], dtype=np.int64)
    lat = np.array([town.lat for town in towns()])
    lon = np.array([town.lon for town in towns()])
    force = np.array([town.force for town in towns()], dtype=np.int64)
    cells = np.maximum(1, people // PEOPLE_A_CELL)
    of_town = np.repeat(np.arange(len(people)), cells)
    reach_km = np.sqrt(people / PEOPLE_A_KM2 / np.pi)[of_town] * np.sqrt(rng.random(len(of_town)))
    angle = rng.random(len(of_town)) * 2 * np.pi
    cell_lat = lat[of_town] + reach_km * np.cos(angle) / 111.2
    cell_lon = lon[of_town] + reach_km * np.sin(angle) / (111.2 * np.cos(np.radians(lat[of_town])))
    station_lat = np.array([s.lat for s in stations()])
    station_lon = np.array([s.lon for s in stations()])
    nations = [NATIONS.index(town.country.lower()) for town in towns()]
    return Geography(
        town_name=[town.name for town in towns()],
        town_lat=lat,
        town_lon=lon,
        town_people=people,
        town_force=force,
        town_nation=np.array(nations, dtype=np.int64),
        town_station=nearest_stations(lat, lon)[0],
        town_cell=np.cumsum(cells) - cells,
        town_cells=cells,
        station_lat=station_lat,
        station_lon=station_lon,
        station_cell=np.arange(len(station_lat)) + len(of_town),
        cell_lat=np.round(np.concatenate([cell_lat, station_lat]), 4),
        cell_lon=np.round(np.concatenate([cell_lon, station_lon]), 4),
        cell_force=np.concatenate([force[of_town], np.array([s.force for s in stations()], dtype=np.int64)]),
        cell_town=np.concatenate([of_town, np.full(len(station_lat), -1)]),
        force_codes=_force_codes(),
    )


def _force_codes() -> list[str]:
    nation = {short: code for code, short in ALIASES.items()}
    return [""] + [force.ons_code or nation.get(force.short, "") for force in forces()]
