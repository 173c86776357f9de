"""Points and forces: the raster answers as the areas themselves do."""

import json
import math
from importlib.resources import files

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from places import where
from places.forces import force, force_code

TOWNS = {
    "Liverpool": (53.4106, -2.9779, "merseyside"),
    "Bangor": (53.2274, -4.1293, "north-wales"),
    "Maidstone": (51.2704, 0.5227, "kent"),
    "Boston": (52.9789, -0.0266, "lincolnshire"),
    "Bank of England": (51.5142, -0.0885, "city-of-london"),
    "Charing Cross": (51.5074, -0.1278, "metropolitan"),
    "Plymouth": (50.3755, -4.1427, "devon-and-cornwall"),
    "Glasgow": (55.8609, -4.2514, "police-scotland"),
    "Belfast": (54.5973, -5.9301, "psni"),
}


@pytest.mark.parametrize(("name", "at"), TOWNS.items())
def test_known_towns_lie_in_the_known_force(name: str, at: tuple[float, float, str]) -> None:
    lat, lon, short = at
    assert where.force_at(lat, lon).tolist() == [force_code(short)], name


def test_every_town_and_station_of_the_tables_lies_in_the_force_written_beside_it() -> None:
    for table in (where.towns(), where.stations()):
        found = where.force_at([row.lat for row in table], [row.lon for row in table])
        assert [row.name for row, code in zip(table, found, strict=True) if row.force != code] == []


@given(st.lists(st.tuples(st.floats(49.8, 56.0), st.floats(-6.0, 2.0)), min_size=1, max_size=60))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_raster_agrees_with_the_areas_point_by_point(points: list[tuple[float, float]]) -> None:
    lat, lon = map(np.array, zip(*points, strict=True))
    found = where.force_at(lat, lon)
    for place, (y, x) in enumerate(points):
        inside = [code for code, area in _areas().items() if area.intersects(shapely.Point(x, y))]
        # A straight edge in degrees is not quite straight in metres, so a point a few metres from one is left out.
        if any(area.boundary.distance(shapely.Point(x, y)) < 0.0005 for area in _areas().values()):
            continue
        assert not inside or found[place] == min(inside)


def test_answers_do_not_depend_on_how_points_are_put_together() -> None:
    rng = np.random.default_rng(7)
    lat, lon = rng.uniform(50, 55, 500), rng.uniform(-5, 1.5, 500)
    first, second = where.forces_near(lat, lon)
    for place in range(0, 500, 17):
        one, other = where.forces_near(lat[place], lon[place])
        assert (one[0], other[0]) == (first[place], second[place])


def test_a_point_near_a_border_belongs_to_both_forces() -> None:
    merseyside, cheshire = force_code("merseyside"), force_code("cheshire")
    shared = _areas()[merseyside].boundary.intersection(_areas()[cheshire].boundary.buffer(1e-6))
    longest = max(shapely.get_parts(shared), key=lambda part: part.length)
    point = longest.interpolate(0.5, normalized=True)
    first, second = where.forces_near([point.y], [point.x])
    assert {int(first[0]), int(second[0])} == {merseyside, cheshire}
    assert where.forces_near([52.95], [-1.15])[1].tolist() == [0]  # Nottingham, far from any border


def test_a_point_off_the_coast_falls_to_the_nearest_force_within_territorial_waters() -> None:
    assert where.force_at([53.35], [0.5]).tolist() == [force_code("lincolnshire")]  # off Skegness
    assert where.force_at([54.5], [3.0]).tolist() == [0]  # the Dogger Bank
    assert where.force_at([50.95, 48.85], [1.85, 2.35]).tolist() == [0, 0]  # Calais, Paris
    assert where.force_at([53.35], [-6.26]).tolist() == [0]  # Dublin is no business of Belfast's


@pytest.mark.parametrize(
    "point", [(math.nan, 0.0), (0.0, math.nan), (math.inf, 0), (95.0, 0.0), (51.0, 400.0)]
)
def test_a_point_that_is_none_is_in_no_force(point: tuple[float, float]) -> None:
    assert where.force_at(*point).tolist() == [0]
    assert [code.tolist() for code in where.forces_near(*point)] == [[0], [0]]


def test_distances_are_those_of_a_great_circle() -> None:
    assert float(where.distance_km(51.5085, -0.1257, 53.4106, -2.9779)) == pytest.approx(286.4, abs=0.5)
    assert float(where.distance_km(0, 0, 0, 180)) == pytest.approx(math.pi * 6371.0088, rel=1e-9)
    assert where.distance_km([51, 52], [0, 0], [51, 53], [0, 0]).tolist() == pytest.approx(
        [0, 111.195], abs=0.01
    )


def test_the_nearest_town_is_the_one_a_slow_search_finds() -> None:
    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(50.5, 55, 40), rng.uniform(-4, 1, 40)
    found, distance = where.nearest_towns(lat, lon)
    at = np.array([(town.lat, town.lon) for town in where.towns()])
    for place in range(40):
        slow = where.distance_km(lat[place], lon[place], at[:, 0], at[:, 1])
        # The projection is true to 0.3 %, so of two towns about as far either will do.
        assert slow[found[place]] <= slow.min() * 1.01
        assert distance[place] == pytest.approx(slow[found[place]])
    nearest = where.nearest_town(53.41, -2.98)
    assert nearest is not None
    assert nearest[0].name == "Liverpool"
    assert where.nearest_town(math.nan, 0.0) is None


def test_stations_have_unique_codes_and_places() -> None:
    codes = [station.crs for station in where.stations()]
    assert len(codes) == len(set(codes)) == 2606
    found, distance = where.nearest_stations([53.4076], [-2.9775])
    assert where.stations()[found[0]].name.startswith("Liverpool")
    assert distance[0] < 1


def test_the_open_database_files_are_kept_apart_with_their_notice() -> None:
    folder = files("places") / "data" / "odbl"
    assert "Open Database License" in (folder / "NOTICE.md").read_text(encoding="utf-8")
    assert force(1) is not None


def _areas() -> dict[int, shapely.Geometry]:
    if not _CACHE:
        text = (files("places") / "data" / "force_areas_ew.geojson").read_text(encoding="utf-8")
        for feature in json.loads(text)["features"]:
            _CACHE[force_code(feature["properties"]["force_code"])] = shape(feature["geometry"])
    return _CACHE


_CACHE: dict[int, shapely.Geometry] = {}
