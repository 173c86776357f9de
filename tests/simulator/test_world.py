"""The world before its first day: people, phones, accounts, who knows whom."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from simulator.building import build_world
from simulator.calendar import Calendar
from simulator.chance import chance
from simulator.geography import geography
from simulator.parameters import Parameters, parameters_of
from simulator.spreads import provenance, spreads
from simulator.world import JOBS, World

START = date(2025, 3, 3)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(6000, 7, 11, START)


def test_people_live_where_people_live(world: World) -> None:
    nation = world.geography.town_nation[world.people.town]
    outside = (nation >= 2).mean()
    assert 0.003 < outside < 0.06
    assert (world.people.force[nation < 2] > 0).all()
    london = world.people.force == 1
    assert 0.10 < london.mean() < 0.24  # about 9 of 60 million


def test_ages_and_households_are_plausible(world: World) -> None:
    people = world.people
    assert 0.17 < (people.age < 18).mean() < 0.30
    assert 0.10 < (people.age >= 65).mean() < 0.25
    sizes = np.bincount(people.household)
    assert 2.0 < sizes[sizes > 0].mean() < 2.7
    assert (people.town == people.town[np.searchsorted(people.household, people.household)]).all()


def test_children_go_to_school_and_workers_have_employers(world: World) -> None:
    people = world.people
    school = people.job == JOBS.index("school")
    assert (people.age[school] < 18).all()
    works = np.isin(people.job, [JOBS.index(name) for name in ("office", "shop", "shift", "trade")])
    assert (people.employer[works] >= 0).all()
    assert (people.work_cell[works] >= 0).all()


def test_some_shift_workers_travel_from_a_hub_to_a_county_town() -> None:
    world = build_world(6000, 1, 5, START, {"world": {"hub_shift_share": 0.3}})
    people, size = world.people, world.geography.town_people
    moved = (people.job == JOBS.index("shift")) & (size[people.town] > 250_000) & (people.work_town >= 0)
    far = [world.distance_km(int(people.town[p]), int(people.work_town[p])) for p in np.flatnonzero(moved)]
    assert sum(35 < km < 130 for km in far) > 5


def test_who_knows_whom_is_mutual_with_a_heavy_tail_and_communities(world: World) -> None:
    contacts = world.contacts
    known = {(i, int(j)) for i in range(len(world.people)) for j in contacts.of(i)}
    assert all((j, i) in known for i, j in known)
    degree = contacts.degree()
    assert 5 < degree.mean() < 30
    assert np.percentile(degree, 99.9) > 5 * np.median(degree)
    rng = np.random.default_rng(1)
    someone = rng.choice(np.flatnonzero(degree >= 2), 600)
    pairs = [rng.choice(contacts.of(int(i)), 2, replace=False) for i in someone]
    closed = np.mean([(int(a), int(b)) in known for a, b in pairs])
    assert closed > 20 * degree.mean() / len(world.people)  # far above chance


def test_the_closest_contacts_are_called_most(world: World) -> None:
    person = int(np.argmax(world.contacts.degree()))
    picked = world.contacts.pick(np.random.default_rng(1), np.full(4000, person), 2.5)
    known = world.contacts.of(person)
    assert (picked == known[0]).mean() > (picked == known[len(known) // 2]).mean()
    assert set(picked) <= set(known)


def test_no_two_rows_share_an_identifier(world: World) -> None:
    from simulator import identifiers

    phones = np.arange(world.subscribers)
    numbers = identifiers.mobile_numbers(phones, world.seed)
    assert numbers.n_unique() == len(phones)
    sims = identifiers.from_bytes(identifiers.imsi_table(world.phones.sim[phones]))
    assert sims.n_unique() == len(phones)
    handsets = np.unique(world.phones.handset[phones])
    assert identifiers.imeis(handsets).n_unique() == len(handsets)
    accounts = np.arange(len(world.accounts))
    assert identifiers.account_numbers(accounts).n_unique() == len(accounts)


def test_new_phones_and_accounts_come_behind_and_look_like_others(world: World) -> None:
    rng = np.random.default_rng(3)
    before = world.number(0)
    phone = world.new_phone(rng, day=2, prepaid=True, sim_age=1)
    account = world.new_account(rng, day=2, holder=5)
    assert phone >= world.native_phones
    assert account >= world.native_accounts
    assert world.number(phone).startswith("+999")
    assert world.number(0) == before
    assert world.accounts.age_band[account] == world.people.age_band[5]
    assert world.phones.activated[phone] == world.calendar.first + 1


def test_picking_people_keeps_to_what_was_asked(world: World) -> None:
    rng = np.random.default_rng(4)
    chosen = world.pick_people(rng, 30, ages=(15, 17), with_phone=True)
    assert len(set(chosen.tolist())) == len(chosen) > 0
    assert ((world.people.age[chosen] >= 15) & (world.people.age[chosen] <= 17)).all()
    again = world.pick_people(rng, 10_000, ages=(15, 17), besides=chosen)
    assert not set(again.tolist()) & set(chosen.tolist())


def test_people_are_at_home_at_night_and_at_work_by_day(world: World) -> None:
    people = world.people
    office = np.flatnonzero((people.job == JOBS.index("office")) & (people.work_town != people.town))
    midnight = world.calendar.midnight(1)
    hour = 3_600_000_000
    town = world.geography.cell_town
    night = town[world.whereabouts(1, office, np.full(len(office), midnight + 3 * hour))]
    noon = town[world.whereabouts(1, office, np.full(len(office), midnight + 12 * hour))]
    assert (night == people.town[office]).mean() > 0.9
    assert (noon == people.work_town[office]).mean() > 0.5


def test_somebody_sent_away_is_away(world: World) -> None:
    midnight = world.calendar.midnight(3)
    there = int(world.geography.town_cell[0])
    world.send_away(17, midnight, midnight + 10_000_000, there)
    cells = world.whereabouts(3, np.array([17, 17]), np.array([midnight + 5, midnight + 20_000_000]))
    assert cells[0] == there
    assert cells[1] != there or world.people.cell[17] == there


def test_a_route_by_rail_passes_stations_from_end_to_end(world: World) -> None:
    land = geography()
    london, leeds = land.town_name.index("London"), land.town_name.index("Leeds")
    cells = world.route(london, leeds)
    assert (land.cell_town[cells] == -1).all()
    latitudes = land.cell_lat[cells]
    assert len(cells) >= 4
    assert (np.diff(latitudes) > 0).all()


def test_worlds_differ_in_their_parameters_and_a_scenario_may_fix_them() -> None:
    one, two = parameters_of(1), parameters_of(2)
    differ = [name for name in spreads(Parameters) if getattr(one, name) != getattr(two, name)]
    assert len(differ) > 50
    fixed = parameters_of(1, {"world": {"texts_a_day": 3.5, "banks": [6, 6]}})
    assert fixed.texts_a_day == 3.5
    assert fixed.banks == 6
    assert fixed.minutes_a_day == one.minutes_a_day


def test_every_parameter_says_where_it_comes_from_and_lies_in_its_range() -> None:
    drawn = parameters_of(9)
    for name, spread in spreads(Parameters).items():
        assert spread.origin in {"published", "derived", "assumed"}
        assert spread.low <= getattr(drawn, name) <= spread.high


def test_chance_depends_on_its_names_only() -> None:
    assert chance(1, "calls", 3).random() == chance(1, "calls", 3).random()
    assert chance(1, "calls", 3).random() != chance(1, "calls", 4).random()


def test_the_calendar_knows_holidays_and_summer_time() -> None:
    year = Calendar(date(2025, 1, 1), 365)

    def holiday(month: int, day: int) -> bool:
        return year.is_bank_holiday((date(2025, month, day) - date(2025, 1, 1)).days)

    official = [(1, 1), (4, 18), (4, 21), (5, 5), (5, 26), (8, 25), (12, 25), (12, 26)]  # gov.uk, 2025
    assert [d for d in ((m, n) for m in range(1, 13) for n in range(1, 29)) if holiday(*d)] == official
    hour = 3_600_000_000
    lengths = {(year.midnight(day + 1) - year.midnight(day)) // hour for day in range(364)}
    assert lengths == {23, 24, 25}
    spring = (date(2025, 3, 30) - date(2025, 1, 1)).days
    assert (year.midnight(spring + 1) - year.midnight(spring)) // hour == 23


def test_the_page_names_every_parameter_with_its_range_and_origin() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    table = page.split("<!-- parameters -->\n")[1].split("\n<!-- /parameters -->")[0]
    assert table == provenance(Parameters)
