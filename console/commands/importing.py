"""`linewatch import`: any CSV, Parquet, NDJSON or ISO 20022 XML to contract events, by a map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console import wording
from console.errors import ConsoleError
from console.options import Json
from console.output import aside, hint, say_json, say_table, screen
from console.progress import Steps
from console.teaching import Example

if TYPE_CHECKING:
    from events.importing import ImportSummary

EXAMPLES: Final = (
    Example("linewatch import --map bank.toml statements.csv payments.ndjson", "a bank's CSV to payments"),
    Example(
        "linewatch import --map pacs.008 batch.xml payments.ndjson",
        "an ISO 20022 message, with a map that comes along",
    ),
    Example("linewatch import --list", "the maps that come along"),
)


def import_(
    source: Annotated[Path | None, typer.Argument(metavar="IN", help="A file, or a folder of files.")] = None,
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT", help="A file (.ndjson, .ndjson.gz, .parquet), or a folder for several streams."
        ),
    ] = None,
    map_: Annotated[
        str | None,
        typer.Option("--map", metavar="MAP", help="A map file, or the name of one that comes along."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the maps that come along, and stop.")] = False,
    rejected: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where refused rows go. \\[default: beside OUT]")
    ] = None,
    out_format: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="ndjson, ndjson.gz or parquet, where OUT is a folder."
        ),
    ] = "ndjson",
    json: Json = False,
) -> None:
    """Turn a supplier's file into contract events, with a map that says which column is what.

    A row that cannot be taken is told with its number and the field, counted, and left out; the rest go on.
    """
    if list_:
        _list(json=json)
        return
    if map_ is None or source is None or target is None:
        raise ConsoleError(
            "Say what to import: linewatch import --map MAP IN OUT. `linewatch import --list` shows the maps that come along."
        )
    from events.importing import import_file

    with Steps("Importing") as steps:
        summary = import_file(
            _map_path(map_),
            source,
            target,
            on_progress=lambda progress: steps.at(
                progress.share, 1.0, f"Importing, {wording.some(progress.rows, 'row')}"
            ),
            rejected_path=rejected,
            out_format=out_format,
        )
    _report(summary, json=json)


def _map_path(text: str) -> Path:
    """A map file as it was typed, or the map of that name that comes along."""
    from events.importing import shipped_maps

    path = Path(text)
    if path.exists():
        return path
    shipped = {each.name: each.path for each in shipped_maps()}
    if text in shipped:
        return shipped[text]
    raise ConsoleError(
        f"There is no map {text!r}: it is neither a file nor one that comes along ({', '.join(sorted(shipped))})."
    )


def _list(*, json: bool) -> None:
    from events.importing import shipped_maps

    maps = [{"name": each.name, "title": each.title, "summary": each.summary} for each in shipped_maps()]
    if json:
        for each in maps:
            say_json(each)
        return
    say_table(("map", "reads", "in short"), [(each["name"], each["title"], each["summary"]) for each in maps])
    hint("Use one by its name: linewatch import --map NAME IN OUT")


def _report(summary: "ImportSummary", *, json: bool) -> None:
    if json:
        say_json(
            {
                "rows_in": summary.rows_in,
                "rows_skipped": summary.rows_skipped,
                "records_out": summary.records_out,
                "refused": summary.refused,
                "seconds": round(summary.seconds, 3),
                "outputs": {stream: str(path) for stream, path in summary.outputs.items()},
                "rejected": str(summary.rejected) if summary.rejected else None,
                "notes": list(summary.notes),
            }
        )
        return
    out = screen()
    for stream, path in summary.outputs.items():
        out.print(
            f"{wording.some(summary.records_out[stream], 'record')} of {stream} written to {path}",
            markup=False,
        )
    refused = sum(summary.refused.values())
    out.print(
        f"{wording.some(summary.rows_in, 'row')} read in {wording.took(summary.seconds)}, "
        f"{wording.count(summary.rows_skipped)} left out by the map, {wording.count(refused)} refused",
        markup=False,
    )
    for reason, number in summary.refused.items():
        aside().print(f"  refused, {wording.spoken(reason)}: {wording.count(number)}", markup=False)
    if summary.rejected:
        aside().print(f"  each with its row and field in {summary.rejected}", markup=False)
    for note in summary.notes:
        aside().print(f"  note: {note}", markup=False)
    inputs = " ".join(f"--{stream} {path}" for stream, path in summary.outputs.items())
    hint(f"Next: linewatch replay {inputs}")
