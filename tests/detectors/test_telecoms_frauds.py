"""Telecoms frauds at their edges: suppliers that tell little, campaigns of our own SIMs, and what stays quiet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detectors.discovery import detector
from features.declared import CATALOGUE
from features.rows import Entity

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PACK = (
    "cli_spoofing", "revenue_share", "sim_box", "sim_swap", "smishing_farm", "subscription_fraud", "wangiri",
)  # fmt: skip
OPTIONAL = {
    "imei", "imsi", "iccid", "previous_imsi", "previous_imei", "cell", "lat", "lon", "force", "network_number",
    "ingress", "prepaid", "age_band",
}  # fmt: skip
STRAIGHT = ("revenue_share", "subscription_fraud", "wangiri")
"""Those that go by who called whom, when and how long: nothing optional is needed."""


def call(n: int, minutes: float, number: str, other: str, direction: str, seconds: int, **more: Any) -> Any:
    record = {
        "event_id": f"t{n}", "ts": (START + timedelta(minutes=minutes)).isoformat(), "source": "operator",
        "kind": "call", "number": number, "other_number": other, "direction": direction, "phase": "complete",
        "duration_s": seconds, "answered": seconds > 0,
    }  # fmt: skip
    return "telecoms", record | more


def bare(events: Any) -> Any:
    """The same records from a supplier that tells no more than it must."""
    return [(stream, {k: v for k, v in record.items() if k not in OPTIONAL}) for stream, record in events]


def found_by(stage: Any, ended: Any) -> set[tuple[str, str]]:
    return {(alert.detector, alert.subject.name) for alert in ended.alerts}


@pytest.fixture(scope="module")
def of_little(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every firing story of the pack, from suppliers that tell no more than they must; one after another in years."""
    stage = request.getfixturevalue("stage")
    folder = tmp_path_factory.mktemp("little")
    ended = {}
    for name in PACK:
        story = next(s for s in detector(name).examples() if s.alerts_about)
        ended[name] = stage.run_flow(bare(story.events), folder / name)
    return ended


@pytest.mark.parametrize("name", PACK)
def test_a_supplier_that_tells_little_is_no_reason_to_fall_over(of_little: Any, name: str) -> None:
    assert sum(of_little[name].rejected.values()) == 0


@pytest.mark.parametrize("name", STRAIGHT)
def test_calls_alone_are_enough(of_little: Any, stage: Any, name: str) -> None:
    story = next(s for s in detector(name).examples() if s.alerts_about)
    found = of_little[name].about(name, stage.subjects_in(story))
    assert {a.subject.name for a in found} == {stage.tokens_of(about) for about in story.alerts_about}


@pytest.mark.parametrize("name", ["sim_box", "smishing_farm"])
def test_nothing_is_said_of_handsets_that_nobody_reports(of_little: Any, name: str) -> None:
    assert [a for a in of_little[name].alerts if a.detector == name] == []


def test_a_campaign_from_our_own_sims_is_found_by_its_own_records(stage: Any, tmp_path: Any) -> None:
    caller = "+447700900001"
    events = [
        call(k, k / 3, caller, f"+44770090{100 + k:04d}", "mo", 0, sim_activated="2026-03-01", prepaid=True)
        for k in range(80)
    ]
    ended = stage.run_flow(events, tmp_path)
    assert ("wangiri", stage.tokens_of(f"number:{caller}")) in found_by(stage, ended)


def test_a_traveller_who_calls_home_and_a_long_call_abroad_stay_quiet(stage: Any, tmp_path: Any) -> None:
    events = []
    for k in range(40):
        friend = f"+4477009001{k % 6:02d}"
        events.append(
            call(
                len(events), 60 * k, friend, "+447700900001", "mt", 300 if k % 3 else 0, ingress="international"
            )
        )  # fmt: skip
        events.append(
            call(len(events), 60 * k + 9, "+447700900002", "+99950100001", "mo", 900 if k % 8 == 0 else 0)
        )
    ended = stage.run_flow(events, tmp_path)
    assert {name for name, _ in found_by(stage, ended)} & set(PACK) == set()


def test_texts_between_people_alone_are_no_telecoms_fraud(stage: Any, tmp_path: Any) -> None:
    events = []
    for k in range(900):
        record = {
            "event_id": f"t{k}", "ts": (START + timedelta(seconds=40 * k)).isoformat(), "source": "college",
            "kind": "sms", "number": f"+9990000{k % 7:05d}", "other_number": f"+9990000{7 + k % 241:05d}",
            "direction": "mo",
        }  # fmt: skip
        events.append(("telecoms", record))
    ended = stage.run_flow(events, tmp_path)
    assert {name for name, _ in found_by(stage, ended)} & set(PACK) == set()


def test_what_is_declared_for_the_pack_is_used(stage: Any) -> None:
    asked = {(d.subject, column) for d in map(detector, PACK) for column in d.needs()}
    handset = {f.name for (entity, _), f in CATALOGUE.features.items() if entity == Entity.HANDSET}
    told = {column for subject, column in asked if subject == Entity.HANDSET}
    parts = {part for name in told for part in parts_of(Entity.HANDSET, name)}
    assert {name for name in handset if name.startswith("box_")} <= told | parts


def parts_of(entity: Entity, name: str) -> set[str]:
    """The features a ratio is made of."""
    feature = CATALOGUE.features[entity, name]
    return {part for part in (feature.against, feature.over) if part}
