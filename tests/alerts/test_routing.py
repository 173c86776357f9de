"""Routing: the rules of docs/routing.md, one by one."""

from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.routing import route
from places.forces import force_code, forces
from places.organisations import Directory, load, organisations

CUMBRIA, KENT, MET = force_code("cumbria"), force_code("kent"), force_code("metropolitan")
MERSEYSIDE, DORSET, GMP = force_code("merseyside"), force_code("dorset"), force_code("greater-manchester")
NORFOLK, SCOTLAND, PSNI = force_code("norfolk"), force_code("police-scotland"), force_code("psni")


@pytest.fixture(scope="module")
def today() -> Directory:
    """The organisations of a day in 2026."""
    return organisations().on(date(2026, 6, 1))


def told(routing: Any) -> dict[str, str]:
    return {copy.org_id: copy.why for copy in routing.copies}


def test_a_line_belongs_to_the_campus_of_the_exporting_force(fire: Any, today: Directory) -> None:
    line = fire(threat="county_lines", home_force=MERSEYSIDE, active_forces=((DORSET, 0.9), (CUMBRIA, 0.1)))
    routing = route(line, today)
    assert routing.owner.org_id == "rcc-north-west"
    assert not routing.owner.provisional
    assert told(routing)["rcc-south-west"] == "active in its area"
    assert "nclcc" in told(routing)
    assert "rcc-north-west" not in told(routing)
    assert "colp-fraud" not in told(routing)


def test_a_line_within_one_force_needs_no_hop(fire: Any, today: Directory) -> None:
    routing = route(fire(threat="county_lines", home_force=KENT, active_forces=((KENT, 1.0),)), today)
    assert routing.owner.org_id == "rcc-eastern"
    assert set(told(routing)) == {"nclcc"}


def test_an_unknown_holder_gives_a_provisional_owner_by_activity(fire: Any, today: Directory) -> None:
    activity = ((DORSET, 0.3), (CUMBRIA, 0.25), (MERSEYSIDE, 0.25), (KENT, 0.2))
    owner = route(fire(threat="county_lines", home_force=0, active_forces=activity), today).owner
    assert (owner.org_id, owner.provisional) == ("rcc-north-west", True)  # two forces of one campus add up


def test_fraud_belongs_where_the_account_is_held_and_the_victim_is_cared_for_at_home(
    fire: Any, today: Directory
) -> None:
    routing = route(fire(home_force=GMP, victim_force=DORSET), today)
    assert routing.owner.org_id == "rcc-north-west"
    assert routing.victim_care is not None
    assert routing.victim_care.org_id == "force-dorset"
    assert set(told(routing)) == {"colp-fraud"}


def test_fraud_of_which_only_the_victim_is_known_is_provisional(fire: Any, today: Directory) -> None:
    owner = route(fire(home_force=0, victim_force=DORSET), today).owner
    assert (owner.org_id, owner.provisional, owner.unplaced) == ("rcc-south-west", True, False)


def test_telecoms_fraud_without_a_place_is_the_city_of_londons(fire: Any, today: Directory) -> None:
    assert route(fire(threat="telecoms_fraud", home_force=0), today).owner.org_id == "colp-fraud"
    assert route(fire(threat="telecoms_fraud", home_force=KENT), today).owner.org_id == "rcc-eastern"


@pytest.mark.parametrize("threat", ["fraud", "county_lines"])
def test_what_cannot_be_placed_goes_to_the_national_desk_flagged(
    fire: Any, today: Directory, threat: str
) -> None:
    owner = route(fire(threat=threat, home_force=0), today).owner
    assert (owner.org_id, owner.unplaced) == ("ukcc", True)


def test_three_regions_or_grave_signs_escalate(fire: Any, today: Directory) -> None:
    two = fire(threat="county_lines", home_force=MERSEYSIDE, active_forces=((DORSET, 1), (CUMBRIA, 1)))
    assert route(two, today).escalation is None
    three = fire(threat="county_lines", home_force=MERSEYSIDE, active_forces=((DORSET, 1), (KENT, 1)))
    escalation = route(three, today).escalation
    assert escalation is not None
    assert (escalation.org_id, escalation.why) == ("ukcc", "active in 3 regions")
    for sign in ("mapped_group", "importation", "firearms"):
        assert route(fire(indicators=(sign,)), today).escalation is not None


def test_safeguarding_does_not_wait_and_goes_where_the_child_is_and_lives(
    fire: Any, today: Directory
) -> None:
    child = fire(threat="county_lines", home_force=MET, current_force=NORFOLK, minor=True, score=0.01)
    safeguarding = route(child, today).safeguarding
    assert safeguarding.needed
    assert {copy.org_id for copy in safeguarding.copies} == {
        "force-norfolk", "mash:norfolk", "force-metropolitan", "mash:metropolitan",
    }  # fmt: skip
    nowhere = route(fire(home_force=0, minor=True), today).safeguarding
    assert [copy.org_id for copy in nowhere.copies] == ["ukcc"]
    in_scotland = route(fire(home_force=0, current_force=SCOTLAND, vulnerable=True), today).safeguarding
    assert "police-scotland" in {copy.org_id for copy in in_scotland.copies}
    assert not route(fire(), today).safeguarding.needed


def test_near_a_border_both_forces_are_told(fire: Any, today: Directory) -> None:
    near = told(route(fire(home_force=0, near_forces=(GMP, force_code("west-yorkshire"))), today))
    assert {"force-greater-manchester", "force-west-yorkshire", "rcc-yorkshire-humber"} <= set(near)
    assert "force-greater-manchester" not in told(route(fire(home_force=GMP, near_forces=(GMP,)), today))


@pytest.mark.parametrize(
    ("code", "org", "via"),
    [(SCOTLAND, "police-scotland", "scottish-crime-campus"), (PSNI, "psni", "octf")],
)
def test_scotland_and_northern_ireland_get_a_referral_only(
    fire: Any, today: Directory, code: int, org: str, via: str
) -> None:
    routing = route(fire(threat="county_lines", home_force=code), today)
    assert [(referral.org_id, referral.via) for referral in routing.referrals_out] == [(org, (via, "nca"))]
    assert (routing.owner.org_id, routing.owner.unplaced) == ("ukcc", False)
    assert org not in told(routing)
    both = route(fire(threat="county_lines", home_force=code, active_forces=((CUMBRIA, 1.0),)), today)
    assert (both.owner.org_id, both.owner.provisional) == ("rcc-north-west", True)
    assert both.referrals_out


def test_rail_laundering_cards_and_protect_tell_their_desks(fire: Any, today: Directory) -> None:
    assert "force-btp" in told(route(fire(rail=True), today))
    spread = fire(home_force=KENT, active_forces=((DORSET, 1.0),), indicators=("money_laundering",))
    assert "necc" in told(route(spread, today))
    assert "necc" not in told(route(fire(home_force=KENT, indicators=("money_laundering",)), today))
    assert "dcpcu" in told(route(fire(indicators=("card_group",)), today))
    assert "supplier:bank-a" in told(route(fire(four_p="protect"), today))
    assert "supplier:bank-a" not in told(route(fire(four_p="pursue"), today))


def test_a_reform_changes_where_alerts_go_without_any_code(fire: Any) -> None:
    reformed = load(Path(str(files("places"))) / "data" / "organisations_nps_example.csv")
    line = fire(threat="county_lines", home_force=KENT, active_forces=((DORSET, 1), (CUMBRIA, 1)))
    before, after = route(line, reformed.on(date(2029, 3, 31))), route(line, reformed.on(date(2029, 4, 1)))
    assert (before.owner.org_id, after.owner.org_id) == ("rcc-eastern", "hub-eastern")
    assert after.escalation is not None
    assert after.escalation.org_id == "nps"
    assert {"hub-wales-west", "hub-north-west", "nps"} == set(told(after))


CODES = st.integers(0, len(forces()))


@given(
    home=CODES,
    active=st.lists(st.tuples(CODES, st.floats(0, 1)), max_size=5),
    near=st.lists(CODES, max_size=2),
    victim=CODES,
    current=CODES,
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    threat=st.sampled_from(["fraud", "telecoms_fraud", "county_lines"]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_alert_has_one_owner_and_nobody_is_told_twice(
    fire: Any,
    today: Directory,
    home: int,
    active: list[tuple[int, float]],
    near: list[int],
    victim: int,
    current: int,
    flags: tuple[bool, bool, bool],
    threat: str,
) -> None:
    fired = fire(
        threat=threat, home_force=home, active_forces=tuple(active), near_forces=tuple(near), victim_force=victim,
        current_force=current, minor=flags[0], vulnerable=flags[1], rail=flags[2],
    )  # fmt: skip
    routing = route(fired, today)
    assert today.get(routing.owner.org_id) is not None
    ids = [copy.org_id for copy in routing.copies]
    assert len(ids) == len(set(ids))
    assert routing.owner.org_id not in ids
    assert bool(routing.safeguarding.copies) == routing.safeguarding.needed == (flags[0] or flags[1])
    assert (routing.escalation is not None) == (len(routing.regions) >= 3)
