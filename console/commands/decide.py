"""`linewatch decide`: an officer's outcome for an alert, kept for good and given back to the models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from alerts.outcomes import REASONS, ROLES
from alerts.record import when_text
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
        "linewatch decide 3f2a unclear --reason not_enough_evidence",
        "it cannot be told; that is always an answer",
    ),
)

REASON_HELP: Final = "Why. " + " ".join(
    f"{outcome}: {', '.join(words)}." for outcome, words in REASONS.items()
)


def decide(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="The alert's id, or enough of its first digits.")
    ],
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help=f"{', '.join(REASONS)}.")],
    reason: Annotated[str, typer.Option(metavar="REASON", help=REASON_HELP)],
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help=f"What the person is: {', '.join(ROLES)}.")
    ] = None,
    note: Annotated[
        str, typer.Option(metavar="WORDS", help="In your own words; the reason `other` needs it.")
    ] = "",
    by: By = "",
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Record what an alert turned out to be.

    The decision ends the episode, goes into the alert's history with your name, and teaches the detector: confirmed
    and innocent move its weights a little, unclear teaches nothing, a later decision on the same alert replaces what
    the earlier one taught. A running flow takes it up at once; a replay of the same data folder takes it up at its
    time. It sets nothing else in motion: acting on it is people's work.
    """
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
