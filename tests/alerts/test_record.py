"""Alerts as JSON and CloudEvents: one spelling, read back the same, as the contract has it."""

import json
import math
from typing import Any

import pytest

from alerts.episodes import Episodes
from alerts.errors import AlertError
from alerts.ids import alert_id, case_key
from alerts.record import (
    Alert,
    Subject,
    band_of,
    from_json,
    to_cloudevent,
    to_json,
    token_text,
    when_text,
    when_us,
)

CONTRACT = {
    "alert_id", "case_key", "detector", "detector_version", "model_version", "threat", "typology", "four_p",
    "status", "first_event_ts", "last_event_ts", "raised_ts", "subjects", "score", "band", "priority", "facts",
    "assessment", "event_ids", "linked_alerts", "owner", "copies", "safeguarding", "handling", "bases",
}  # fmt: skip


@pytest.fixture
def alert(fire: Any) -> Alert:
    """A first alert."""
    raised = Episodes().fire(fire())
    assert raised is not None
    return raised


def test_json_holds_everything_the_contract_names(alert: Alert) -> None:
    plain = json.loads(to_json(alert))
    assert set(plain) >= CONTRACT
    assert set(plain["subjects"][0]) == {"kind", "token", "subject_category"}
    assert set(plain["facts"][0]) == {"name", "value", "unit", "from", "to", "sources"}
    assert set(plain["assessment"]) >= {"reasons", "contributions", "counterfactual", "features", "usual"}
    assert set(plain["handling"]) >= {"marking", "grade", "conditions"}
    assert plain["raised_ts"] == "2026-01-01T00:00:01.000000Z"


def test_json_has_sorted_keys_throughout(alert: Alert) -> None:
    def check(part: Any) -> None:
        if isinstance(part, dict):
            assert list(part) == sorted(part)
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            check(inner)

    check(json.loads(to_json(alert)))


def test_an_alert_read_back_is_the_same(alert: Alert) -> None:
    assert from_json(to_json(alert)) == alert
    assert to_json(from_json(to_json(alert))) == to_json(alert)


def test_a_value_that_is_no_number_becomes_null(alert: Alert, fire: Any) -> None:
    assert alert.assessment.features == {"senders_24h": 9.0, "age_days": None}
    infinite = Episodes().fire(fire(features={"x": math.inf, "y": -math.inf}))
    assert infinite is not None
    assert infinite.assessment.features == {"x": None, "y": None}
    slip = Episodes().fire(fire(score=math.nan, intercept=math.inf))
    assert slip is not None
    assert from_json(to_json(slip)) == slip


def test_a_cloud_event_tells_revisions_apart(alert: Alert) -> None:
    event = json.loads(to_cloudevent(alert, "linewatch/north-west"))
    assert event["specversion"] == "1.0"
    assert event["type"] == "linewatch.alert.v1"
    assert event["id"] == f"{alert.alert_id}.1"
    assert event["source"] == "linewatch/north-west"
    assert event["data"] == json.loads(to_json(alert))


@pytest.mark.parametrize("raw", [b"{}", b"not json", b"[]", b'{"alert_id": 3}', b"\xff"])
def test_what_is_no_alert_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(AlertError, match="not an alert"):
        from_json(raw)


def test_times_go_out_and_come_back() -> None:
    for us in (0, 1, 1_700_000_000_123_456, 4_102_444_800_000_000):
        assert when_us(when_text(us)) == us
    assert when_us("2026-01-01T01:00:00+01:00") == when_us("2026-01-01T00:00:00Z")


def test_bands_begin_at_their_cut_offs() -> None:
    cuts = (0.5, 0.75, 0.9)
    assert [band_of(score, cuts) for score in (0.49, 0.5, 0.75, 0.9, 1.0)] == [
        "low", "medium", "high", "critical", "critical",
    ]  # fmt: skip


def test_ids_tell_apart_what_differs_and_nothing_else() -> None:
    one = Subject("account", token_text(1, 2))
    assert alert_id("d", one, "e1") == alert_id("d", Subject("account", one.token, "suspect"), "e1")
    ids = {
        alert_id("d", one, "e1"),
        alert_id("d", one, "e2"),
        alert_id("d2", one, "e1"),
        alert_id("d", Subject("number", one.token), "e1"),
        alert_id("d", one, "e1", "bank-a"),
        alert_id("de", one, "1"),
    }
    assert len(ids) == 6
    assert case_key(one) != case_key(Subject("number", one.token))
