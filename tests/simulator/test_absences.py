"""Those whom a mechanism takes elsewhere: what is theirs at home goes with them."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from simulator.crimes.absences import moment, take_away
from simulator.crimes.county_lines import CountyLines
from simulator.innocents.travellers import Students
from simulator.simulation import Simulation

START = date(2025, 3, 3)
SCENARIO: dict[str, Any] = {
    "crimes": {"scale": 0, "county_lines": 4},
    "innocents": {"scale": 0, "student_shuttle": 3, "shift_worker": 3},
    "county_lines": {"external_share": 1.0},
}


@pytest.fixture(scope="module")
def run() -> Simulation:
    return Simulation(900, 10, 5, START, SCENARIO)


def test_a_runners_own_phone_and_card_are_in_the_market(run: Simulation) -> None:
    world = run.world
    lines = next(each for each in run.mechanisms if isinstance(each, CountyLines)).lines
    seen = 0
    for line in lines:
        for runner in line.runners:
            others = [r for each in lines for r in each.runners if r.person == runner.person]
            for stint in runner.stints if len(others) == 1 else []:
                middle = (stint.arrives + stint.departs) / 2
                if 0 <= middle < 10:
                    when, own = np.asarray([moment(world, middle)]), world.people.phone[[runner.person]]
                    if own[0] >= 0:
                        assert world.phone_cells(int(middle), own, when)[0] == stint.cell
                    assert world.whereabouts(int(middle), np.asarray([runner.person]), when)[0] == stint.cell
                    seen += 1
    assert seen >= 5


def test_a_student_is_at_home_again_after_the_stay(run: Simulation) -> None:
    world = run.world
    cases = next(m for m in run.mechanisms if isinstance(m, Students) and m.name == "student_shuttle").cases
    assert cases
    for case in cases:
        person = np.asarray([world.accounts.holder[case.account]])
        for trip in case.trips:
            for then, away in (((trip.arrives + trip.departs) / 2, True), (trip.home + 0.001, False)):
                if 0 <= then < 10:
                    sent = world.sent_to(person, np.asarray([moment(world, then)]))[0]
                    assert sent == (case.away_cell if away else -1)


def test_the_way_passes_its_cells_in_order_and_back(run: Simulation) -> None:
    world, person = run.world, 3
    way = np.asarray([11, 12, 13])
    take_away(world, person, (1.0, 1.3, 2.0, 2.3), 14, way)
    times = np.asarray([moment(world, day) for day in (0.99, 1.05, 1.15, 1.25, 1.5, 2.05, 2.15, 2.25, 2.31)])
    found = world.sent_to(np.full(len(times), person), times)
    assert found.tolist() == [-1, 11, 12, 13, 14, 13, 12, 11, -1]
    assert world.sent_to(np.asarray([4]), times[:1]).tolist() == [-1]


def test_who_is_away_pays_in_shops_there(run: Simulation) -> None:
    world = run.world
    adult = int(np.flatnonzero((world.people.account >= 0) & (world.people.age >= 18))[0])
    far = int(
        world.inhabited[np.argmax(world.geography.distances(int(world.people.town[adult]))[world.inhabited])]
    )
    world.send_away(adult, moment(world, 0), moment(world, 10), int(world.geography.town_cell[far]))
    for day in range(3):
        run.live(day)
    paid = []
    for stretch in (each for day in range(3) for each in run.due(day) if each.stream == "payments"):
        for rows in stretch.rows:
            if "business" in rows:
                mine = (rows["payer"] == world.people.account[adult]) & (rows["cell"] >= 0)
                paid += world.businesses.town[rows["business"][mine]].tolist()
    assert paid
    assert set(paid) == {far}
