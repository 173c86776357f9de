"""`linewatch evaluate`: the alerts against the truth of a made-up world."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.errors import ConsoleError
from console.options import PLACES_PANEL, Data, Json, Store
from console.output import aside, hint, say_json
from console.settings import settings
from console.store import FILE, open_store, use_data
from console.teaching import Example

if TYPE_CHECKING:
    from events.tokens import KeyRing
    from models.evaluation import Declared, Money, Quiet, Raised, World

EXAMPLES: Final = (
    Example(
        "linewatch evaluate --truth world/truth --data world-run",
        "how well the alerts of that run found what was there",
    ),
    Example("linewatch evaluate --truth world/truth --out report", "the same with result.json and plots"),
    Example(
        "linewatch evaluate --truth world/truth --quiet quiet-report/result.json",
        "precision at the published prevalence, with the false alarms of a quiet world",
    ),
    Example(
        "linewatch evaluate --truth world/truth --data world-run --whole-calls whole-run",
        "how much sooner records of calls as they begin make payment fraud known",
    ),
    Example("linewatch evaluate --truth world/truth --json", "everything for a program"),
)
TRUTH: Final = "truth.ndjson"
WORLD: Final = "world.json"
RESULT: Final = "result.json"
SHOWN: Final = 3
"""So many lines that could not be read are shown; all are counted."""


class Plots(StrEnum):
    """Which pictures go beside the result."""

    BOTH = "both"
    SVG = "svg"
    PNG = "png"
    NONE = "none"


def evaluate(
    truth: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="The folder `truth` that `linewatch simulate` wrote, or the file in it."
        ),
    ],
    alerts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Alerts as NDJSON. \\[default: those in the store]"),
    ] = None,
    people: Annotated[
        int | None, typer.Option(min=1, help="How many people the world has. \\[default: from world.json]")
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.01, help="How many days it lasted. \\[default: from world.json]")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Its first day. \\[default: from world.json]"),
    ] = None,
    capacity: Annotated[int, typer.Option(min=1, help="Alerts that a campus works in a week.")] = 20,
    grace: Annotated[
        float, typer.Option(min=0, help="Hours before and after a crime in which an alert still counts.")
    ] = 24.0,
    payments: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The world's payments, for value saved. \\[default: those beside the truth folder]",
        ),
    ] = None,
    quiet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The result.json of a quiet world, whose false alarms to go by."),
    ] = None,
    whole_calls: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The data folder of a run over the same world less its records of calls as they begin (phase start), "
            "to tell how much sooner those make payment fraud known.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write result.json and plots here.", rich_help_panel=PLACES_PANEL),
    ] = None,
    plots: Annotated[
        Plots, typer.Option(help="Which plots to write with --out; they need matplotlib.")
    ] = Plots.BOTH,
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Hold the alerts against the truth of a made-up world: recall, precision, lead time, false alarms.

    Only made-up worlds have a truth, and no flow ever reads it. Every share has its interval; with few crimes it is
    wide, and says so.
    """  # fmt: skip
    from models import evaluation

    use_data(data)
    folder = truth if truth.is_dir() else truth.parent
    world = _world(folder / WORLD, people, days, start)
    with (truth / TRUTH if truth.is_dir() else truth).open("rb") as lines:
        rows = evaluation.read_truth(lines, _keys(), world)
    raised = _from_file(alerts) if alerts is not None else _from_store(store, data)
    result = evaluation.evaluate(
        rows,
        raised,
        world,
        declared=_declared(),
        grace_hours=grace,
        capacity=capacity,
        quiet=_quiet(quiet),
        money=_money(
            truth / TRUTH if truth.is_dir() else truth, payments, raised, grace, world.closes, whole_calls
        ),
    )
    if out is not None:
        _write(out, evaluation.to_json(result))
        if plots is not Plots.NONE:
            from console.plots import draw

            draw(result, out, ("svg", "png") if plots is Plots.BOTH else (plots.value,))
    if json:
        say_json(evaluation.to_plain(result))
        return
    from console.evaluation_page import say_result

    say_result(result)
    if out is not None:
        hint(f"Written to {out}")


def _write(out: Path, text: bytes) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULT).write_bytes(text)


def _world(path: Path, people: int | None, days: float | None, start: datetime | None) -> "World":
    """The world's size: what is said on the command line goes before what lies beside truth."""
    from models.evaluation import World, read_world

    day = None if start is None else start.date()
    if path.exists():
        return read_world(path.read_bytes(), people, days, day)
    if people is None or days is None:
        raise ConsoleError(
            f"{path} does not exist, so the world's size is not known: say --people and --days (and --start)."
        )
    return World(people=people, days=days, start=day)


def _keys(data: Path | None = None) -> "KeyRing":
    """The keys under which the run made its tokens; another key would find nothing, so none is made here."""
    from flows.settings import KEY_FILE, key_ring

    said = settings()
    folder = data or said.data
    if said.token_key is None and not (folder / KEY_FILE).exists():
        raise ConsoleError(
            f"There is no token key in {folder}, so nobody in truth can be recognised in an alert. "
            "Name the data folder of the run that made the alerts with --data."
        )
    return key_ring(said, folder)


def _money(
    truth: Path,
    payments: Path | None,
    raised: "list[Raised]",
    grace: float,
    closes: int | None,
    whole_calls: Path | None,
) -> "Money | None":
    """What the alerts were worth in money, when the payments of the world are at hand."""
    import polars as pl
    from msgspec.structs import replace

    from models.evaluation import measure_money, read_written

    beside = [truth.parent.parent / f"payments.{form}" for form in ("parquet", "ndjson")]
    found = payments or next((path for path in beside if path.exists()), None)
    if found is None:
        return None
    if not found.exists():
        raise ConsoleError(
            f"{found} does not exist: name the payments of the world, or leave --payments out."
        )
    frame = (
        pl.scan_parquet(found)
        if found.suffix == ".parquet"
        else pl.scan_ndjson(found, infer_schema_length=None)
    )
    with truth.open("rb") as lines:
        rows = read_written(lines)
    span = int(grace * 3_600_000_000)
    worth = measure_money(rows, frame, raised, _keys(), span, closes)
    if whole_calls is None:
        return worth
    other = measure_money(rows, frame, _from_folder(whole_calls), _keys(whole_calls), span, closes)
    return replace(worth, whole_calls=other.values)


def _from_store(store: str | None, data: Path | None) -> "list[Raised]":
    from models.evaluation import raised_of

    with open_store(store, data) as desk:
        return [raised_of(alert) for alert in desk.alerts()]


def _from_folder(data: Path) -> "list[Raised]":
    """The alerts of another run."""
    from models.evaluation import raised_of

    with open_store(f"sqlite:///{data / FILE}", None) as desk:
        return [raised_of(alert) for alert in desk.alerts()]


def _from_file(path: Path) -> "list[Raised]":
    """The alerts of a file; lines that are none are counted and the first of them shown."""
    from alerts.errors import AlertError
    from models.evaluation import read_alert

    found: list[Raised] = []
    refused: list[str] = []
    with path.open("rb") as lines:
        for place, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found.append(read_alert(line))
            except AlertError as wrong:
                refused.append(f"line {place}: {wrong}")
    if refused:
        aside().print(f"{len(refused)} lines of {path} are no alerts and were left out:", style="yellow")
        for words in refused[:SHOWN]:
            aside().print(f"  {words}", markup=False)
    return found


def _declared() -> "list[Declared]":
    """What the detectors say of themselves."""
    from detectors.discovery import all_detectors
    from models.evaluation import Declared

    return [
        Declared(each.id, each.threat, each.typology, each.subject.name.lower(), each.budget)
        for each in all_detectors()
    ]


def _quiet(path: Path | None) -> "Quiet | None":
    from models.evaluation import SCHEMA, read_quiet

    return None if path is None else read_quiet(path.read_bytes(), str(path), SCHEMA)
