"""`linewatch simulate`: a made-up world's payments and telecoms, with the truth kept apart."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from console import wording
from console.errors import ConsoleError
from console.options import Json
from console.output import hint, say_json, screen
from console.progress import Steps
from console.teaching import Example

EXAMPLES: Final = (
    Example("linewatch simulate --people 20000 --days 14 --out world", "two weeks of a small town"),
    Example(
        "linewatch simulate --people 20000 --days 14 --seed 7 --out other", "another world of the same size"
    ),
    Example(
        "linewatch simulate --scenario quiet --out quiet",
        "ordinary people only, by a scenario that comes along",
    ),
    Example(
        "linewatch simulate --stream --speed 600 --out live --days 2",
        "ten minutes of life a second, into files that `linewatch run` can follow",
    ),
    Example(
        "linewatch simulate --out world --report report",
        "with plots of volumes, degrees, durations, amounts and hours beside published figures",
    ),
    Example(
        "linewatch replay --payments world/payments.ndjson --telecoms world/telecoms.ndjson",
        "what to do with it then",
    ),
)


class Format(StrEnum):
    """How the streams are written."""

    ndjson = "ndjson"
    parquet = "parquet"


def simulate(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the streams; the truth goes to DIR/truth.")
    ],
    people: Annotated[int, typer.Option(min=100, help="How many people live in it.")] = 20_000,
    days: Annotated[int, typer.Option(min=1, help="How many days pass.")] = 14,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world, byte for byte.")] = 1,
    start: Annotated[str, typer.Option(metavar="DAY", help="The first day.")] = "2025-03-03",
    scenario: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A scenario that comes along, or a TOML file of your own."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How the streams are written.")] = Format.ndjson,
    live: Annotated[
        bool,
        typer.Option("--stream", help="Let it happen: records appear in growing files as they are recorded."),
    ] = False,
    speed: Annotated[
        float,
        typer.Option(min=0.0, help="With --stream: how many times as fast as in life; 0 does not wait."),
    ] = 1.0,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="STREAM", help="With --stream and --out -: the one stream to write to standard output."
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="DIR", help="Draw the world beside published and real figures into DIR."
        ),
    ] = None,
    messages: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --report: a Parquet file of real messages (src, dst, ts) to draw beside.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make up a world: people, lines, accounts, crimes and innocent look-alikes.

    Every identifier is from a range reserved for examples; nobody in it is real. The truth goes into a folder of its
    own, which no flow reads.
    """
    first = _day(start)
    if only is not None and not (live and str(out) == "-"):
        raise ConsoleError("--only goes with --stream --out -: into a folder every stream is written.")
    if str(out) == "-" and not live:
        raise ConsoleError("--out - goes with --stream; without it a world is written into a folder.")
    if messages is not None and plots is None:
        raise ConsoleError("--messages goes with --report DIR: it is drawn there.")
    if plots is not None and live:
        raise ConsoleError("--report is drawn of a world that has been written: leave --stream out.")
    if live:
        _stream(people, days, seed, first, out, scenario, speed, only)
        return
    from simulator.simulation import simulate as make_up

    with Steps("Simulating", quiet=json) as steps:
        summary = make_up(
            people,
            days,
            seed,
            first,
            out,
            format="parquet" if format_ is Format.parquet else "ndjson",
            scenario=scenario,
            on_progress=lambda done, of, records: steps.at(
                done, of, f"Simulating, day {done} of {of}, {wording.some(records, 'record')}"
            ),
        )
    drawn = None if plots is None else _report(out, plots, messages)
    if json:
        say_json(
            {
                "people": summary.people,
                "days": summary.days,
                "seed": summary.seed,
                "start": summary.start.isoformat(),
                "records": dict(summary.records),
                "held_back": summary.held_back,
                "truths": summary.truths,
                "sources": dict(summary.sources),
                "report": drawn,
            }
        )
        return
    if drawn is not None:
        screen().print(f"report: {drawn}", markup=False)
    for stream, number in summary.records.items():
        screen().print(f"{stream}: {wording.some(number, 'record')}", markup=False)
    screen().print(
        f"truth: {wording.some(summary.truths, 'story', 'stories')} in {out / 'truth'}", markup=False
    )
    hint(
        f"Next: linewatch replay --payments {out}/payments.{format_.value} --telecoms {out}/telecoms.{format_.value}"
    )


def _stream(
    people: int,
    days: int,
    seed: int,
    first: date,
    out: Path,
    scenario: str | None,
    speed: float,
    only: str | None,
) -> None:
    from simulator.simulation import stream as let_happen

    to_output = str(out) == "-"
    summary = let_happen(
        people, days, seed, first, None if to_output else out, speed=speed, scenario=scenario, only=only
    )
    if not to_output:
        screen().print(f"{wording.some(sum(summary.records.values()), 'record')} in {out}", markup=False)


def _report(world: Path, plots: Path, messages: Path | None) -> str:
    """Draw the realism report; gives where it is."""
    from simulator.report import report

    report(world, plots, messages=messages)
    return str(plots / "report.md")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConsoleError(f"{text!r} is not a day: write it as 2025-03-03.") from None
