"""`linewatch simulate`: a made-up world's payments and telecoms, with the truth kept apart."""

from pathlib import Path
from typing import Annotated, Final

import typer

from console import wording
from console.options import Json
from console.output import hint, say_json, screen
from console.progress import Steps
from console.rooms import room
from console.teaching import Example

EXAMPLES: Final = (
    Example("linewatch simulate --people 20000 --days 14 --out world", "two weeks of a small town"),
    Example(
        "linewatch simulate --people 20000 --days 14 --seed 7 --out other", "another world of the same size"
    ),
    Example(
        "linewatch replay --payments world/payments.ndjson --telecoms world/telecoms.ndjson",
        "what to do with it",
    ),
)


def simulate(
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder to write payments, telecoms, labels, links and truth to."),
    ],
    people: Annotated[int, typer.Option(min=100, help="How many people live in it.")] = 20_000,
    days: Annotated[int, typer.Option(min=1, help="How many days pass.")] = 14,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world, byte for byte.")] = 1,
    json: Json = False,
) -> None:
    """Make up a world: people, lines, accounts, crimes and innocent look-alikes.

    Every identifier is from a range reserved for examples; nobody in it is real. The truth goes into a file of its
    own, which no flow reads.
    """
    module = room("simulator.writing", "simulate")
    with Steps("Simulating") as steps:
        written = module.simulate(people=people, days=days, seed=seed, out=out, on_progress=steps.at)
    if json:
        say_json(dict(written.items()))
        return
    for name, count in written.items():
        screen().print(f"{name}: {wording.count(count)} records", markup=False)
    hint(f"Next: linewatch replay --payments {out}/payments.ndjson --telecoms {out}/telecoms.ndjson")
