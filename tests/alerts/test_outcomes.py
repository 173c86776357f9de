"""What people may do with an alert: the table of steps, reasons that are required, names that are names."""

import pytest

from alerts.errors import NotAllowed
from alerts.outcomes import (
    OUTCOMES,
    REASONS,
    ROLES,
    STATUSES,
    TRANSITIONS,
    check_name,
    check_outcome,
    check_step,
)
from events.codes import LABEL_ROLES, LABELS


def test_every_status_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS) == set(STATUSES)
    assert {after for follow in TRANSITIONS.values() for after in follow} == set(STATUSES)
    assert all("closed" in follow for follow in TRANSITIONS.values())


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_only_the_steps_of_the_table_are_open(before: str, after: str) -> None:
    if after in TRANSITIONS[before]:
        check_step(before, after)
    else:
        with pytest.raises(NotAllowed, match="it may become"):
            check_step(before, after)


def test_an_unknown_status_names_the_known_ones() -> None:
    with pytest.raises(NotAllowed, match="in_review"):
        check_step("new", "archived")


@pytest.mark.parametrize("name", ["", "  ", "system", "Unknown", "LINEWATCH", "nobody", "-"])
def test_nobody_unnamed_may_decide(name: str) -> None:
    with pytest.raises(NotAllowed, match="named person"):
        check_name(name)


def test_a_name_is_taken_without_its_blanks() -> None:
    assert check_name("  DC Patel ") == "DC Patel"


def test_outcomes_are_the_labels_of_the_contract() -> None:
    assert set(OUTCOMES) == set(LABELS)
    assert ROLES == LABEL_ROLES


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_needs_a_reason_of_its_own(outcome: str) -> None:
    for reason in REASONS[outcome]:
        check_outcome(outcome, reason, None, "what it was")
    with pytest.raises(NotAllowed, match="needs a reason"):
        check_outcome(outcome, "", None, "")
    with pytest.raises(NotAllowed, match="needs a note"):
        check_outcome(outcome, "other", None, " ")
    with pytest.raises(NotAllowed, match="not a role"):
        check_outcome(outcome, REASONS[outcome][0], "villain", "")


def test_an_outcome_that_is_none_is_refused() -> None:
    with pytest.raises(NotAllowed, match="confirmed, innocent, unclear"):
        check_outcome("guilty", "other", None, "note")
