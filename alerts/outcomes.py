"""What people do with an alert: the life-cycle as a table, outcomes with their required reasons, roles, names.

A person decides, by name. No step is open to an unnamed reviewer, and an outcome always says why.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from alerts.errors import NotAllowed

STATUSES: Final = ("new", "in_review", "waiting", "snoozed", "closed")
OPEN: Final = STATUSES[:-1]
TRANSITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "new": ("in_review", "waiting", "snoozed", "closed"),
    "in_review": ("new", "waiting", "snoozed", "closed"),
    "waiting": ("in_review", "snoozed", "closed"),
    "snoozed": ("new", "in_review", "closed"),
    "closed": ("in_review", "closed"),  # opened again, or the outcome corrected
}
"""From which status which may follow."""

REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "confirmed": (
        "holder_charged",  # NCLCC type 1: holder charged, number stays dead
        "line_deactivated",  # NCLCC type 2: number or SIM deactivated
        "account_restricted",
        "money_recovered",
        "person_safeguarded",
        "victim_confirms",
        "supplier_confirms",
        "other_evidence",
        "other",
    ),
    "innocent": (
        "family_or_friends",
        "business_as_usual",
        "marketing_or_service_messages",
        "own_accounts",
        "explained_by_holder",
        "mistaken_identity",
        "supplier_error",
        "test_traffic",
        "other",
    ),
    "unclear": (
        "not_enough_evidence",
        "no_answer_from_supplier",
        "outside_area",
        "duplicate",
        "basis_lapsed",
        "not_pursued",
        "other",
    ),
}
"""Why an outcome was reached; `other` needs a note."""
OUTCOMES: Final = tuple(REASONS)
ROLES: Final = ("complicit", "deceived", "coerced", "victim")
UNNAMED: Final = frozenset(
    (
        "",
        "anonymous",
        "automatic",
        "linewatch",
        "nobody",
        "none",
        "null",
        "system",
        "unknown",
        "user",
        "-",
        "?",
    )
)
"""What is no person's name: a decision under one of these is refused."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One step a person took: who, when, from what to what, and why."""

    number: int
    """Its place in the store's one order of decisions."""
    alert_id: str
    revision: int
    """The revision of the alert that was decided on."""
    status_from: str
    status: str
    outcome: str | None
    reason: str
    role: str | None
    by: str
    at: int
    note: str
    until: int | None = None
    """The end of a snooze, the reminder of a wait."""


def check_name(by: str) -> str:
    """The name of the person who acts.

    Raises:
        NotAllowed: it names nobody.
    """
    name = by.strip()
    if name.lower() in UNNAMED:
        raise NotAllowed("only a named person may decide on or look up an alert: say who you are (--by NAME)")
    return name


def check_step(status_from: str, status: str) -> None:
    """Refuse a step the life-cycle does not have.

    Raises:
        NotAllowed: it does not.
    """
    if status not in STATUSES:
        raise NotAllowed(f"{status!r} is not a status; statuses are {', '.join(STATUSES)}")
    if status not in TRANSITIONS[status_from]:
        allowed = ", ".join(TRANSITIONS[status_from])
        raise NotAllowed(f"an alert that is {status_from} cannot become {status}; it may become {allowed}")


def check_outcome(outcome: str, reason: str, role: str | None, note: str) -> None:
    """Refuse an outcome without a reason of its own list, `other` without a note, an unknown role.

    Raises:
        NotAllowed: with the words that are allowed.
    """
    if outcome not in REASONS:
        raise NotAllowed(f"{outcome!r} is not an outcome; outcomes are {', '.join(OUTCOMES)}")
    if reason not in REASONS[outcome]:
        raise NotAllowed(f"{outcome!r} needs a reason; choose from {', '.join(REASONS[outcome])}")
    if reason == "other" and not note.strip():
        raise NotAllowed("the reason 'other' needs a note that says what it was")
    if role is not None and role not in ROLES:
        raise NotAllowed(f"{role!r} is not a role; roles are {', '.join(ROLES)}")
