"""Which force a point lies in, how far things are, which town is near: for millions of points at a time.

Points are looked up in a raster of 1 km squares, built once from the force areas; a square that a border crosses
is marked, and a point in one of those is tested against the areas themselves, so the answer is that of the areas
everywhere. The areas are generalised (about 500 m), so a point within 1 km of a border belongs to both forces:
`forces_near`. A point at sea falls to the nearest force, up to the limit of territorial waters.
"""

import csv
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import shape

from places.errors import PlaceError
from places.forces import UNKNOWN, force_code

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]

EARTH_M: Final = 6_371_008.8
"""Mean radius of the Earth in metres (IUGG)."""
CENTRE_LON: Final = -2.0
"""Central meridian of the projection, that of the British National Grid."""
NEAR_M: Final = 1_000.0
"""Within this distance of a border a point is given to both forces: the areas are generalised."""
OFFSHORE_M: Final = 22_224.0
"""Twelve nautical miles, the limit of territorial waters: further out a point is in no force."""
OFFSHORE_NI_M: Final = 2_000.0
"""Northern Ireland has a land border with a country that is not in the data, so its shore reaches less far."""

_SQUARE_M: Final = 1_000.0
_WEST, _EAST, _SOUTH, _NORTH = -460_000.0, 340_000.0, 5_480_000.0, 6_800_000.0
_COLS: Final = int((_EAST - _WEST) / _SQUARE_M)
_ROWS: Final = int((_NORTH - _SOUTH) / _SQUARE_M)
_TEST: Final = 255
"""Mark of a square that a border crosses, or that is at sea within reach: its points are tested one by one."""


@dataclass(frozen=True, slots=True)
class Town:
    """A place where people live."""

    name: str
    lat: float
    lon: float
    population: int
    country: str
    force: int
    place_class: str
    nearest_station: str


@dataclass(frozen=True, slots=True)
class Station:
    """A railway station with its three-letter code."""

    crs: str
    name: str
    lat: float
    lon: float
    country: str
    force: int


def distance_km(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """Great-circle distance in kilometres (haversine), point by point.

    >>> round(float(distance_km(51.5085, -0.1257, 53.4106, -2.9779)), 1)  # London, Liverpool
    286.4
    """
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    half_lat = (phi2 - phi1) / 2
    half_lon = (np.radians(lon2) - np.radians(lon1)) / 2
    root = np.sin(half_lat) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin(half_lon) ** 2
    return np.asarray(2 * EARTH_M / 1000 * np.arcsin(np.sqrt(np.clip(root, 0.0, 1.0))), dtype=np.float64)


def force_at(lat: ArrayLike, lon: ArrayLike) -> Codes:
    """The small code of the force each point lies in; 0 where it is in none, or the point is not known (NaN)."""
    x, y = _project(lat, lon)
    raster = _map().raster
    codes = np.zeros(x.shape, dtype=np.uint8)
    row, col, inside = _squares(x, y)
    codes[inside] = raster[row[inside], col[inside]]
    tested = np.flatnonzero(codes == _TEST)
    if tested.size:
        codes[tested] = _exact(x[tested], y[tested])
    return codes


def forces_near(lat: ArrayLike, lon: ArrayLike) -> tuple[Codes, Codes]:
    """The force of each point, and a second one where another force's area is within 1 km (else 0)."""
    first = force_at(lat, lon)
    second = np.zeros_like(first)
    x, y = _project(lat, lon)
    row, col, inside = _squares(x, y)
    near = np.zeros(x.shape, dtype=bool)
    near[inside] = _map().near[row[inside], col[inside]]
    candidates = np.flatnonzero(near & (first != UNKNOWN))
    if candidates.size:
        second[candidates] = _second(x[candidates], y[candidates], first[candidates])
    return first, second


@cache
def towns() -> tuple[Town, ...]:
    """The towns and cities, largest first; none when the open-database files were left out."""
    return tuple(
        Town(
            name=row["name"],
            lat=float(row["lat"]),
            lon=float(row["lon"]),
            population=int(row["population"]),
            country=row["country"],
            force=_force_of(row["force_code"], row["country"]),
            place_class=row["place_class"],
            nearest_station=row["nearest_station_crs"],
        )
        for row in _rows("towns.csv")
    )


@cache
def stations() -> tuple[Station, ...]:
    """The railway stations; none when the open-database files were left out."""
    return tuple(
        Station(
            crs=row["crs"],
            name=row["name"],
            lat=float(row["lat"]),
            lon=float(row["lon"]),
            country=row["country"],
            force=_force_of(row["force_code"], row["country"]),
        )
        for row in _rows("rail_stations.csv")
    )


def nearest_towns(lat: ArrayLike, lon: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    """For each point the place in `towns()` of the nearest town, and its distance in kilometres.

    -1 and NaN where the point is not known.
    """
    return _nearest(lat, lon, _town_tree(), _town_points())


def nearest_stations(lat: ArrayLike, lon: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    """For each point the place in `stations()` of the nearest station, and its distance in kilometres."""
    return _nearest(lat, lon, _station_tree(), _station_points())


def nearest_town(lat: float, lon: float) -> tuple[Town, float] | None:
    """The town nearest to one point and its distance in kilometres; nothing when no town is known."""
    where, distance = nearest_towns([lat], [lon])
    return (towns()[where[0]], float(distance[0])) if where[0] >= 0 else None


# --- the map ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Map:
    raster: Codes
    near: NDArray[np.bool_]
    areas: tuple[Any, ...]
    codes: Codes
    pieces: shapely.STRtree
    """The areas' edges, two points a piece: distances to small things are quick to work out."""
    piece_codes: Codes


@cache
def _map() -> _Map:
    codes, areas = _areas()
    shapely.prepare(np.array(areas, dtype=object))
    edges = _edges(areas)
    raster = _fill(edges, areas, codes)
    reach = _widen(edges, round(OFFSHORE_M / _SQUARE_M) + 1)
    raster[(raster == UNKNOWN) & reach] = _TEST
    near = _widen(edges, round(NEAR_M / _SQUARE_M) + 1)
    pieces, piece_codes = _pieces(areas, codes)
    return _Map(raster, near, areas, codes, shapely.STRtree(pieces), piece_codes)


def _areas() -> tuple[Codes, tuple[Any, ...]]:
    """The forces' areas in metres, with their codes: England and Wales first, then the two other nations."""
    codes: list[int] = []
    areas: list[Any] = []
    for feature in _features("force_areas_ew.geojson"):
        codes.append(force_code(feature["properties"]["force_code"]))
        areas.append(_polygons(feature["geometry"]))
    england_and_wales = shapely.union_all(areas)
    for feature in _features("nations.geojson"):
        code = force_code(feature["properties"]["code"])
        if code != UNKNOWN:
            codes.append(code)
            areas.append(_polygons(feature["geometry"]).difference(england_and_wales))
    return np.array(codes, dtype=np.uint8), tuple(areas)


def _polygons(geometry: dict[str, Any]) -> Any:
    """A geometry as valid polygons in metres (anything that is not an area is left out)."""
    parts = [
        part
        for part in shapely.get_parts(shapely.make_valid(shape(geometry)), return_index=False)
        if part.geom_type in ("Polygon", "MultiPolygon")
    ]
    whole = shapely.union_all(parts)
    projected = shapely.transform(whole, lambda xy: np.column_stack(_project(xy[:, 1], xy[:, 0])))
    return shapely.make_valid(projected)


def _edges(areas: tuple[Any, ...]) -> NDArray[np.bool_]:
    """The squares a border or a shore may cross."""
    lines = shapely.segmentize(shapely.boundary(np.array(areas, dtype=object)), _SQUARE_M / 4)
    points = shapely.get_coordinates(lines)
    edges = np.zeros((_ROWS, _COLS), dtype=bool)
    row, col, inside = _squares(points[:, 0], points[:, 1])
    edges[row[inside], col[inside]] = True
    # A line can clip a square's corner between two of its points 250 m apart; its neighbours cover that.
    return _widen(edges, 1)


def _pieces(areas: tuple[Any, ...], codes: Codes) -> tuple[NDArray[Any], Codes]:
    """Every straight piece of every area's edge, with the area's code."""
    rings, area = shapely.get_parts(shapely.boundary(np.array(areas, dtype=object)), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[1:] == ring[:-1]
    ends = np.stack((points[:-1], points[1:]), axis=1)[joined]
    return shapely.linestrings(ends), codes[area[ring[:-1][joined]]]


def _fill(edges: NDArray[np.bool_], areas: tuple[Any, ...], codes: Codes) -> Codes:
    """The raster: squares in a row between two edges lie in one area, so one point answers for all of them."""
    raster = np.full((_ROWS, _COLS), _TEST, dtype=np.uint8)
    starts = ~edges & np.column_stack((np.ones(_ROWS, dtype=bool), edges[:, :-1]))
    row, col = np.nonzero(starts)
    x = np.asarray(_WEST + (col + 0.5) * _SQUARE_M, dtype=np.float64)
    y = np.asarray(_SOUTH + (row + 0.5) * _SQUARE_M, dtype=np.float64)
    answers = _containing(areas, codes, x, y)
    run = np.cumsum(starts.ravel()).reshape(starts.shape) - 1
    raster[~edges] = answers[run[~edges]]
    return raster


def _containing(areas: tuple[Any, ...], codes: Codes, x: Floats, y: Floats) -> Codes:
    """The area each point lies in, 0 for none; of two that meet exactly there, the one with the lower code."""
    found = np.zeros(x.size, dtype=np.uint8)
    for place in np.argsort(codes)[::-1]:
        west, south, east, north = shapely.bounds(areas[place])
        box = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
        found[box[shapely.intersects_xy(areas[place], x[box], y[box])]] = codes[place]
    return found


def _exact(x: Floats, y: Floats) -> Codes:
    """The area each point lies in, or the nearest one within reach of the shore."""
    here = _map()
    found = _containing(here.areas, here.codes, x, y)
    at_sea = np.flatnonzero(found == UNKNOWN)
    if at_sea.size:
        points = shapely.points(x[at_sea], y[at_sea])
        (point, piece), distance = here.pieces.query_nearest(
            points, max_distance=OFFSHORE_M, return_distance=True, all_matches=True
        )
        codes = here.piece_codes[piece]
        limit = np.where(codes == force_code("psni"), OFFSHORE_NI_M, OFFSHORE_M)
        codes = np.where(distance <= limit, codes, UNKNOWN)
        # Two areas that share the nearest piece are equally near: the lower code stands, as on a border.
        order = np.lexsort((-codes.astype(np.int16), point))
        found[at_sea[point[order]]] = codes[order]
    return found


def _second(x: Floats, y: Floats, first: Codes) -> Codes:
    """The nearest other force within 1 km of each point, 0 for none."""
    here = _map()
    points = shapely.points(x, y)
    point, piece = here.pieces.query(points, predicate="dwithin", distance=NEAR_M)
    other = here.piece_codes[piece] != first[point]
    point, piece = point[other], piece[other]
    codes = here.piece_codes[piece]
    distance = shapely.distance(points[point], here.pieces.geometries[piece])
    second = np.zeros(x.size, dtype=np.uint8)
    # Farthest written first, so that the nearest stands; of equally near ones the lower code.
    order = np.lexsort((-codes.astype(np.int16), -distance))
    second[point[order]] = codes[order]
    return second


def _widen(squares: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Every square within `by` squares (a square neighbourhood) of a marked one."""
    wide = squares
    for axis in (0, 1):
        total = np.cumsum(wide, axis=axis, dtype=np.int32)
        padded = np.concatenate((np.zeros_like(total.take([0], axis)), total), axis)
        size = wide.shape[axis]
        upper = np.minimum(np.arange(size) + by + 1, size)
        lower = np.maximum(np.arange(size) - by, 0)
        wide = (padded.take(upper, axis) - padded.take(lower, axis)) > 0
    return wide


def _squares(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Row and column of each point's square, and whether it is on the map at all."""
    inside = (x >= _WEST) & (x < _EAST) & (y >= _SOUTH) & (y < _NORTH)
    col = np.where(inside, (x - _WEST) / _SQUARE_M, 0).astype(np.int64)
    row = np.where(inside, (y - _SOUTH) / _SQUARE_M, 0).astype(np.int64)
    return row, col, inside


def _project(lat: ArrayLike, lon: ArrayLike) -> tuple[Floats, Floats]:
    """Transverse Mercator on a sphere, in metres: within 0.3 % of true lengths over the whole country."""
    phi = np.radians(np.atleast_1d(np.asarray(lat, dtype=np.float64)))
    lam = np.radians(np.atleast_1d(np.asarray(lon, dtype=np.float64)) - CENTRE_LON)
    known = (np.abs(phi) < np.pi / 2) & (np.abs(lam) < np.pi / 4)
    phi, lam = np.where(known, phi, np.nan), np.where(known, lam, np.nan)
    x = EARTH_M * np.arctanh(np.cos(phi) * np.sin(lam))
    y = EARTH_M * np.arctan2(np.tan(phi), np.cos(lam))
    return x, y


def _nearest(
    lat: ArrayLike, lon: ArrayLike, tree: shapely.STRtree, at: Floats
) -> tuple[NDArray[np.int64], Floats]:
    lats = np.atleast_1d(np.asarray(lat, dtype=np.float64))
    lons = np.atleast_1d(np.asarray(lon, dtype=np.float64))
    x, y = _project(lats, lons)
    where = np.full(x.shape, -1, dtype=np.int64)
    distance = np.full(x.shape, np.nan)
    known = np.flatnonzero(np.isfinite(x))
    if known.size and len(at):
        point, found = tree.query_nearest(shapely.points(x[known], y[known]), all_matches=False)
        where[known[point]] = found
        place = known[point]
        distance[place] = distance_km(lats[place], lons[place], at[found, 0], at[found, 1])
    return where, distance


@cache
def _town_points() -> Floats:
    return np.array([(town.lat, town.lon) for town in towns()], dtype=np.float64).reshape(-1, 2)


@cache
def _station_points() -> Floats:
    return np.array([(station.lat, station.lon) for station in stations()], dtype=np.float64).reshape(-1, 2)


@cache
def _town_tree() -> shapely.STRtree:
    return _tree(_town_points())


@cache
def _station_tree() -> shapely.STRtree:
    return _tree(_station_points())


def _tree(at: Floats) -> shapely.STRtree:
    x, y = _project(at[:, 0], at[:, 1])
    return shapely.STRtree(shapely.points(x, y))


_NATION_FORCE: Final = {"scotland": "police-scotland", "northern ireland": "psni"}


def _force_of(ons_code: str, country: str) -> int:
    return force_code(ons_code) if ons_code else force_code(_NATION_FORCE.get(country.lower(), ""))


def _rows(name: str) -> list[dict[str, str]]:
    """The rows of an open-database file; none when an installation left it out."""
    path = files("places").joinpath("data", "odbl", name)
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []


def _features(name: str) -> list[dict[str, Any]]:
    try:
        text = files("places").joinpath("data", name).read_text(encoding="utf-8")
        features: list[dict[str, Any]] = json.loads(text)["features"]
    except (OSError, ValueError, KeyError) as error:
        raise PlaceError(f"places/data/{name} cannot be read ({error}); install the package again") from error
    return features
