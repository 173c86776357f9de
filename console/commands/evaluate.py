"""`linewatch evaluate`: the alerts against the truth of a made-up world."""

from pathlib import Path
from typing import Annotated, Final

import typer

from console.options import Data, Json, Store
from console.output import say_json, say_table
from console.rooms import room
from console.store import store_url
from console.teaching import Example

EXAMPLES: Final = (
    Example(
        "linewatch evaluate --truth world/truth/truth.ndjson",
        "how well the alerts in the data folder found what was there",
    ),
    Example("linewatch evaluate --truth world/truth/truth.ndjson --json", "the same for a program"),
)


def evaluate(
    truth: Annotated[
        Path, typer.Option(metavar="FILE", help="The truth file that `linewatch simulate` wrote.")
    ],
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Hold the alerts against the truth of a simulated world: precision, recall, lead time, at capacity.

    Only simulated worlds have a truth; no flow ever reads it.
    """
    measures = room("models.evaluation", "evaluate").evaluate(truth=truth, store=store_url(store, data))
    if json:
        for each in measures:
            say_json(each)
        return
    rows = [dict(each) for each in measures]
    columns = list(rows[0]) if rows else ["nothing to measure"]
    say_table(columns, [[row.get(column, "") for column in columns] for row in rows])
