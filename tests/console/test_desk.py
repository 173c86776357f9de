"""The desk: listing alerts, reading one whole, deciding, and looking a known identifier up."""

import json
from pathlib import Path

import pytest

from alerts.record import Alert
from alerts.store import AlertStore


def test_the_queue_has_the_child_first(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    adult, child = two_alerts
    said = run("alerts", "--store", desk)
    assert said.status == 0
    header, first, second = said.out.splitlines()
    assert header.split("\t")[0] == "id"
    assert first.startswith(child.alert_id[:12])
    assert second.startswith(adult.alert_id[:12])
    assert "£850.00" in second


def test_another_system_gets_cloudevents(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    said = run("alerts", "--store", desk, "--cloudevents")
    events = [json.loads(line) for line in said.out.splitlines()]
    assert {each["data"]["alert_id"] for each in events} == {alert.alert_id for alert in two_alerts}
    for event in events:
        assert (event["specversion"], event["type"]) == ("1.0", "linewatch.alert.v1")
        assert event["id"] == f"{event['subject']}.{event['data']['revision']}"


def test_a_campus_sees_its_own_and_with_copied_what_it_is_told_of(
    run, desk: str, two_alerts: tuple[Alert, Alert]
) -> None:
    adult, child = two_alerts
    own = run("alerts", "--store", desk, "--campus", "eastern", "--json")
    assert own.out == ""
    copied = run("alerts", "--store", desk, "--campus", "rcc-eastern", "--copied", "--json")
    assert [json.loads(line)["alert_id"] for line in copied.out.splitlines()] == [child.alert_id]
    north_west = run("alerts", "--store", desk, "--campus", "North West", "--json")
    assert {json.loads(line)["alert_id"] for line in north_west.out.splitlines()} == {
        adult.alert_id,
        child.alert_id,
    }


def test_an_unknown_campus_is_told_with_those_there_are(run, desk: str) -> None:
    said = run("alerts", "--store", desk, "--campus", "atlantis")
    assert said.status == 1
    assert "rcc-north-west" in said.err


def test_the_queue_can_be_narrowed_by_band_detector_and_subject(
    run, desk: str, two_alerts: tuple[Alert, Alert]
) -> None:
    adult, child = two_alerts
    cases = {
        ("--band", "high"): [adult],
        ("--detector", "deal_line"): [child],
        ("--about", f"number:k1-{'b' * 32}"): [child],
        ("--status", "closed"): [],
        ("--limit", "1"): [child],
    }
    for options, expected in cases.items():
        said = run("alerts", "--store", desk, "--json", *options)
        assert [json.loads(line)["alert_id"] for line in said.out.splitlines()] == [
            each.alert_id for each in expected
        ]


def test_one_alert_is_told_whole(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    adult, _ = two_alerts
    said = run("alert", adult.alert_id[:8], "--store", desk)
    assert said.status == 0
    for words in (
        "Money from strangers, passed straight on",
        adult.alert_id,
        "an assessment",
        "sent on within an hour of coming in, in a day",
        "£850.00",
        "61%",
        "£210.00 instead of £850.00",
        "What was seen (facts)",
        "£900.00",
        "North West Regional Crime Campus",
        "It could be innocent",
        "What this detector cannot see",
        "What to do",
        adult.handling.marking,
        adult.model_version,
        "History",
        "synthetic data: nobody real",
    ):
        assert words in said.out, words
    assert "Safeguarding first" not in said.out


def test_safeguarding_stands_before_everything_else(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    _, child = two_alerts
    said = run("alert", child.alert_id[:8], "--store", desk)
    assert said.out.index("Safeguarding first") < said.out.index("Why (an assessment")
    assert "possible victim" in said.out


def test_one_alert_for_a_program_is_the_contracts_json_with_its_history(
    run, desk: str, two_alerts: tuple[Alert, Alert]
) -> None:
    adult, _ = two_alerts
    plain = json.loads(run("alert", adult.alert_id, "--store", desk, "--json").out)
    assert plain["alert_id"] == adult.alert_id
    assert plain["assessment"]["reasons"][0]["value"] == 85_000.0
    assert plain["history"][0]["kind"] == "revision"


def test_reading_one_is_audited_with_a_name(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    adult, _ = two_alerts
    run("alert", adult.alert_id, "--store", desk, "--reason", "morning review")
    trail = AlertStore(desk).audit_trail(adult.alert_id)
    assert [(row.op, row.actor, row.why) for row in trail] == [("CONSULT", "pc_1234", "morning review")]


def test_a_decision_closes_it_and_is_in_its_history(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    adult, child = two_alerts
    said = run(
        "decide",
        adult.alert_id[:8],
        "confirmed",
        "--reason",
        "supplier_confirms",
        "--role",
        "coerced",
        "--store",
        desk,
    )
    assert said.status == 0, said.err
    assert "decided by pc_1234" in said.out
    waiting = run("alerts", "--store", desk, "--json").out.splitlines()
    assert [json.loads(line)["alert_id"] for line in waiting] == [child.alert_id]
    shown = run("alert", adult.alert_id, "--store", desk).out
    assert "closed (confirmed)" in shown
    assert "supplier_confirms" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["guilty", "--reason", "other"], "is not an outcome"),
        (["innocent", "--reason", "holder_charged"], "needs a reason; choose from"),
        (["unclear", "--reason", "other"], "needs a note"),
        (["confirmed", "--reason", "holder_charged", "--by", "nobody"], "named person"),
        (["confirmed", "--reason", "holder_charged", "--role", "boss"], "is not a role"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_and_nothing_changes(
    run, desk: str, two_alerts: tuple[Alert, Alert], arguments: list[str], words: str
) -> None:
    said = run("decide", two_alerts[0].alert_id, *arguments, "--store", desk)
    assert said.status == 1
    assert words in said.err
    assert AlertStore(desk).alert(two_alerts[0].alert_id).status == "new"


def test_an_unknown_alert_is_told(run, desk: str) -> None:
    said = run("alert", "0000000000", "--store", desk)
    assert said.status == 1
    assert "linewatch alerts" in said.err


def test_what_the_store_holds_is_never_lost_to_markup(
    run, desk: str, two_alerts: tuple[Alert, Alert]
) -> None:
    note = "[bold]see [/] file [red]7"
    run("decide", two_alerts[0].alert_id, "unclear", "--reason", "other", "--note", note, "--store", desk)
    assert note in run("alert", two_alerts[0].alert_id, "--store", desk).out


def test_an_empty_queue_says_so(run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    AlertStore(url).migrate()
    assert run("alerts", "--store", url).out == "No alerts.\n"


def test_cases_tell_who_where_and_what_is_claimed(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    listed = run("cases", "--store", desk, "--json")
    cases = [json.loads(line) for line in listed.out.splitlines()]
    assert sum(len(each["alerts"]) for each in cases) == 2
    assert cases[0]["child_first"]  # the child before everything else
    table = run("cases", "--store", desk)
    assert "fraud" in table.out
    one = run("case", cases[0]["case_key"][:8], "--store", desk)
    assert one.status == 0
    for words in ("What is claimed", "never added up", "Safeguarding first", "owned by"):
        assert words in one.out, words
    plain = json.loads(run("case", cases[0]["case_key"], "--store", desk, "--json").out)
    assert plain["alerts"][0]["alert_id"] == cases[0]["alerts"][0]
    missing = run("case", "Cnothing", "--store", desk)
    assert missing.status == 1
    assert "linewatch cases" in missing.err
