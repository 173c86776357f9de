"""Organisations as dated data: the campuses of today, and a reform that is data only."""

from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from places.errors import PlaceError
from places.forces import force_code, forces
from places.organisations import DUTIES, load, organisations

TODAY = date(2026, 6, 1)
EXAMPLE = Path(str(files("places"))) / "data" / "organisations_nps_example.csv"
HEAD = "org_id,kind,name,parent,built_on,forces,duties,valid_from,valid_to,note\n"


def test_there_are_ten_campuses_on_nine_units_and_london_has_none() -> None:
    today = organisations().on(TODAY)
    assert len(today.campuses) == 10
    units = {campus.org_id: campus.built_on for campus in today.campuses}
    assert [campus for campus, unit in units.items() if not unit] == ["rcc-london"]
    assert len(set(units.values()) - {""}) == 9
    assert all(unit.kind == "ROCU" for built in units.values() if (unit := today.get(built)))


@pytest.mark.parametrize(
    ("short", "campus"),
    [
        ("north-wales", "rcc-north-west"),
        ("south-wales", "rcc-wales"),
        ("kent", "rcc-eastern"),
        ("essex", "rcc-eastern"),
        ("surrey", "rcc-south-east"),
        ("city-of-london", "rcc-london"),
        ("btp", "rcc-london"),
    ],
)
def test_the_memberships_people_get_wrong_are_right(short: str, campus: str) -> None:
    found = organisations().on(TODAY).campus_of(force_code(short))
    assert found is not None
    assert found.org_id == campus


def test_every_force_is_policed_and_every_territorial_one_has_a_campus() -> None:
    today = organisations().on(TODAY)
    for force in forces():
        assert today.police_of(force.code) is not None
        assert (today.campus_of(force.code) is not None) == (force.kind in ("territorial", "rail"))


def test_every_duty_is_held_every_day() -> None:
    for day in (date(1999, 1, 1), date(2025, 12, 3), TODAY):
        for duty in DUTIES:
            assert organisations().on(day).on_duty(duty) is not None, duty


def test_the_fraud_desk_is_renamed_on_its_day() -> None:
    before = organisations().on(date(2025, 12, 3)).on_duty("fraud")
    after = organisations().on(date(2025, 12, 4)).on_duty("fraud")
    assert before is not None
    assert after is not None
    assert before.org_id == after.org_id
    assert "Action Fraud" in before.name
    assert "Report Fraud" in after.name


def test_a_reform_is_data_only() -> None:
    reformed = load(EXAMPLE)
    before, after = reformed.on(date(2029, 3, 31)), reformed.on(date(2029, 4, 1))
    assert [c.org_id for c in before.campuses] == [c.org_id for c in organisations().on(TODAY).campuses]
    assert {campus.kind for campus in after.campuses} == {"HUB"}
    durham, york = force_code("durham"), force_code("north-yorkshire")
    assert before.campus_of(durham) != before.campus_of(york)
    assert after.campus_of(durham) == after.campus_of(york)  # two regions merged
    warwickshire, mercia = force_code("warwickshire"), force_code("west-mercia")
    assert after.police_of(warwickshire) == after.police_of(mercia)  # two forces merged
    for force in forces():
        assert after.police_of(force.code) is not None
        if force.kind == "territorial":
            assert after.campus_of(force.code) is not None
    for duty in DUTIES:
        assert after.on_duty(duty) is not None, duty


def test_times_before_and_after_everything_have_an_answer() -> None:
    assert organisations().at(0).campuses
    assert organisations().at(4_102_444_800_000_000).campuses


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,RCC,A,,,,,2020-01-01,2019-01-01,\n", "ends before it begins"),
        ("a,RCC,A,,,,,,2020-01-02,\na,RCC,A,,,,,2020-01-01,,\n", "stands twice on 2020-01-01"),
        ("a,RCC,A,b,,,,,,\n", "refers to b"),
        ("a,RCC,A,b,,,,,,\nb,ROCU,B,,,,,,2020-01-01,\n", "does not stand on 2020-01-01"),
        ("a,CLUB,A,,,,,,,\n", "is not a kind"),
        ("a,RCC,A,,,,party,,,\n", "is not a duty"),
        ("a,FORCE,A,,,atlantis,,,,\n", "not in the table of forces"),
        ("a,FORCE,A,,,kent,,,,\nb,FORCE,B,,,kent,,,,\n", "both police one area"),
        ("a,RCC,A,,,,,yesterday,,\n", "line 2"),
    ],
)
def test_a_set_that_contradicts_itself_is_refused_with_the_reason(
    tmp_path: Path, rows: str, said: str
) -> None:
    file = tmp_path / "organisations.csv"
    file.write_text(HEAD + rows, encoding="utf-8")
    with pytest.raises(PlaceError, match=said):
        load(file)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="cannot be read"):
        load(tmp_path / "none.csv")
