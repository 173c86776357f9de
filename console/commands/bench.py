"""`linewatch bench`: how fast, how late, how large, on this machine."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from console.options import Json
from console.rooms import beside
from console.teaching import Example

EXAMPLES: Final = (
    Example("linewatch bench", "every measurement; takes the better part of an hour"),
    Example("linewatch bench payments --events 200000 --runs 1", "a short look, before and after a change"),
    Example("linewatch bench costs --events 400000", "what each detector costs; some minutes"),
    Example("linewatch bench latency --json", "one measurement, for a program"),
)

What = Literal["payments", "telecoms", "both", "costs", "latency", "state", "door", "all"]


def bench(
    what: Annotated[
        What,
        typer.Argument(
            help="Which streams' throughput, or what each detector costs, latency, state, the door alone, or all."
        ),
    ] = "all",
    events: Annotated[int, typer.Option(min=1_000, help="Events of each stream.")] = 1_000_000,
    accounts: Annotated[
        int, typer.Option(min=100, help="Accounts, or numbers, among which they are.")
    ] = 500_000,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each variant.")] = 3,
    seconds: Annotated[float, typer.Option(min=2.0, help="Latency: for how long.")] = 60.0,
    rate: Annotated[int, typer.Option(min=100, help="Latency: events a second.")] = 20_000,
    entities: Annotated[
        int, typer.Option(min=10_000, help="State: accounts known at the restart.")
    ] = 1_000_000,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where inputs are kept for the next time. \\[default: the temporary folder]"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure throughput, latency and state here, with the machine and the path named.

    Each run is a process of its own on one core, warmed up; variants take turns, and the median and the spread are
    printed. A naive twin of the path runs beside it. Figures taken while the machine does other work are worth
    little: the load before is printed with them.
    """
    engine = beside("bench.engine", "bench")
    given: dict[str, object] = {"events": events, "accounts": accounts, "runs": runs}
    given |= {"seconds": seconds, "rate": rate, "entities": entities}
    if folder is not None:
        given |= {"folder": folder.resolve()}
    engine.run(engine.Asked(what=what, **given), as_json=json)
