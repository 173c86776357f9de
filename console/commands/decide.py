"""`linewatch decide`: an officer's outcome for an alert, kept for good and given back to the models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from alerts.outcomes import REASONS, ROLES, check_outcome
from alerts.record import when_text
from console.errors import ConsoleError
from console.learnt import REVIEW
from console.options import By, Data, Json, Store
from console.output import aside, say_json, screen
from console.people import named
from console.store import open_store, use_data
from console.teaching import Example

if TYPE_CHECKING:
    from alerts.store import AlertStore
    from flows.controls import Effect

EXAMPLES: Final = (
    Example("linewatch decide 3f2a confirmed --reason supplier_confirms", "the bank says so too"),
    Example(
        "linewatch decide 3f2a confirmed --reason person_safeguarded --role coerced",
        "it was so, and the person is a victim of coercion",
    ),
    Example(
        "linewatch decide 3f2a innocent --reason business_as_usual --note 'taxi office'",
        "there is an innocent explanation",
    ),
    Example(
        "linewatch decide review:5d1c confirmed --reason other_evidence --role deceived --confidence medium",
        "a row drawn at random (linewatch models review) should have been an alert",
    ),
    Example(
        "linewatch decide 3f2a unclear --reason not_enough_evidence",
        "it cannot be told; that is always an answer",
    ),
)

_SURE: Final = "high"
REASON_HELP: Final = "Why. " + " ".join(
    f"{outcome}: {', '.join(words)}." for outcome, words in REASONS.items()
)


def decide(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The alert's id, or enough of its first digits; or the name of a row up for review, review:….",
        ),
    ],
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help=f"{', '.join(REASONS)}.")],
    reason: Annotated[str, typer.Option(metavar="REASON", help=REASON_HELP)],
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help=f"What the person is: {', '.join(ROLES)}.")
    ] = None,
    note: Annotated[
        str, typer.Option(metavar="WORDS", help="In your own words; the reason `other` needs it.")
    ] = "",
    confidence: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Of a row up for review, how sure you are: high, medium (counts half) or low (teaches nothing). "
            "\\[default: high]",
        ),
    ] = None,
    by: By = "",
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Record what an alert, or a row that was put up for review, turned out to be.

    The decision ends the episode, goes into the alert's history with your name, and teaches the detector: confirmed
    and innocent move its weights a little, unclear teaches nothing, a later decision on the same alert replaces what
    the earlier one taught. A running flow takes it up at once; a replay of the same data folder takes it up at its
    time. It sets nothing else in motion: acting on it is people's work.

    Rows drawn for review (linewatch models review) claim nothing: of them confirmed says that there should have been an
    alert, and needs the role of the person.
    """
    if identifier.startswith(REVIEW):
        _answer(identifier, outcome, reason, role, note, confidence, by, store, data, json=json)
        return
    if confidence is not None:
        raise ConsoleError(
            "--confidence is for rows up for review; of an alert say unclear when you are not sure."
        )
    with open_store(store, data) as desk:
        done = desk.decide(identifier, outcome, named(by), reason, role=role, note=note or None)
        from flows.controls import publish

        effect = next((each for each in publish(desk, use_data(data)) if each.decision == done), None)
        _guard(desk, use_data(data), desk.alert(done.alert_id).detector)
    if json:
        say_json(
            {
                "alert_id": done.alert_id,
                "revision": done.revision,
                "outcome": done.outcome,
                "reason": done.reason,
                "role": done.role,
                "by": done.by,
                "at": when_text(done.at),
                "note": done.note,
                "model_version": None if effect is None else effect.version,
                "held_back": effect is not None and effect.held_back,
            }
        )
        return
    screen().print(f"Recorded: alert {done.alert_id[:12]} is {outcome}, decided by {done.by}.", markup=False)
    if effect is not None and effect.version is not None:
        screen().print(_taught(effect), markup=False)


def _answer(
    name: str,
    outcome: str,
    reason: str,
    role: str | None,
    note: str,
    confidence: str | None,
    by: str,
    store: str | None,
    data: Path | None,
    *,
    json: bool,
) -> None:
    """Record what a row that was put up for review turned out to be: in the audit first, then for the flow."""
    from console.learnt import row_named
    from flows.answering import answer
    from models.labels import CONFIDENCES

    check_outcome(outcome, reason, role, note)
    sure = confidence or _SURE
    if sure not in CONFIDENCES:
        raise ConsoleError(f"{sure!r} is no confidence; say {', '.join(CONFIDENCES)}.")
    if outcome == "confirmed" and role is None:
        raise ConsoleError(f"A row that is confirmed needs the person's role: --role {', '.join(ROLES)}.")
    folder = use_data(data)
    row, who = row_named(folder, name), named(by)
    said = {"outcome": outcome, "reason": reason, "role": role, "confidence": sure, "by": who, "note": note}
    with open_store(store, data, make=True) as desk:
        at = desk.reviewed(
            row.name, f"{outcome} {role or ''}".strip(), who, f"{reason}, {sure} confidence. {note}".strip()
        )
        answer(folder, row, said, at)
        _guard(desk, folder, row.detector)
    if json:
        say_json({"row": row.name, "detector": row.detector, "at": when_text(at)} | said)
        return
    screen().print(f"Recorded: {row.name} is {outcome}, answered by {who} ({sure} confidence).", markup=False)
    screen().print(f"{row.detector} learns from it at the flow's next lesson.", markup=False)


def _guard(desk: "AlertStore", data: Path, detector: str) -> None:
    """Hold the champion against the one before it, now that something more is known."""
    from console.settings import settings
    from flows.guarding import guard

    for one in guard(data, desk, settings().model_key, detector):
        aside().print(
            f"{one.before} was rolled back automatically: {one.why}. {one.version or 'The author`s own'} scores from "
            "here on; tell whoever answers for the model (linewatch models list).",
            markup=False,
        )


def _taught(effect: "Effect") -> str:
    if effect.held_back:
        return (
            f"{effect.detector} has learnt from it, but does no better than its author's weights on the latest "
            f"decisions: {effect.version} scores from here on."
        )
    return f"{effect.detector} has learnt from it: {effect.version} scores from here on."
