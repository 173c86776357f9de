"""`linewatch bench`: how fast, how late, how large, on this machine."""

from typing import Annotated, Final

import typer

from console.options import Json
from console.rooms import beside
from console.teaching import Example

EXAMPLES: Final = (
    Example("linewatch bench", "every measurement; takes some minutes"),
    Example("linewatch bench --quick", "a short look, good for a comparison before and after a change"),
    Example("linewatch bench --only throughput --json", "one measurement, for a program"),
)


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this measurement; may be given more than once."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer events and repeats.")] = False,
    json: Json = False,
) -> None:
    """Measure throughput, latency and state here, with the machine and the path named.

    Each variant is warmed up and run several times; the median and the spread are printed.
    """
    beside("bench.engine", "bench").run(only=tuple(only or ()), quick=quick, as_json=json)
