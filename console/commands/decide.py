"""`linewatch decide`: an officer's outcome for an alert, kept for good and given back to the models."""

import getpass
from typing import Annotated, Final

import typer

from console.options import Data, Json, Store
from console.output import say_json, screen
from console.rooms import room
from console.store import open_store
from console.teaching import Example

EXAMPLES: Final = (
    Example("linewatch decide 3f2a confirmed --note 'bank confirms mule'", "it was what the alert said"),
    Example("linewatch decide 3f2a confirmed --role coerced", "and the person is a victim of coercion"),
    Example("linewatch decide 3f2a innocent --note 'charity appeal'", "there is an innocent explanation"),
    Example("linewatch decide 3f2a unclear", "it cannot be told; that is always an answer"),
)


def decide(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="The alert's id, or enough of its first digits.")
    ],
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help="confirmed, innocent or unclear.")],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who decides. \\[default: your user name]")] = "",
    note: Annotated[str, typer.Option(metavar="WORDS", help="Why; kept with the decision.")] = "",
    role: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="What the person is: complicit, deceived, coerced, victim."),
    ] = None,
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Record what an alert turned out to be.

    The decision ends the episode, goes into the alert's history with your name, and is a label the models learn
    from. It sets nothing else in motion: acting on it is people's work.
    """
    done = room("alerts.outcomes", "decide").decide(
        open_store(store, data), identifier, outcome, by=by or getpass.getuser(), note=note, role=role
    )
    if json:
        say_json(done)
        return
    screen().print(f"Recorded: {identifier} is {outcome}.", markup=False)
