"""`linewatch backtest`: what a threshold would have given each campus to do, before anybody is asked to do it."""

from pathlib import Path
from typing import Annotated, Final

import typer

from console.commands.campuses import known_campus
from console.commands.evaluate import Plots
from console.errors import ConsoleError
from console.options import (
    PLACES_PANEL,
    Accounts,
    AsOf,
    Data,
    Json,
    Labels,
    Links,
    Payments,
    Telecoms,
    Watch,
    by_stream,
)
from console.output import hint, say_json
from console.store import use_data
from console.teaching import Example

EXAMPLES: Final = (
    Example(
        "linewatch backtest --detector mule_account --payments p.parquet --labels l.ndjson",
        "the threshold in force; every campus works whatever comes",
    ),
    Example(
        "linewatch backtest --detector mule_account --threshold 0.4 --threshold 0.5 --threshold 0.6 "
        "--capacity rcc-london=4 --capacity all=2 --payments p.parquet --labels l.ndjson",
        "three thresholds in one run; London works four alerts a day, the others two",
    ),
    Example(
        "linewatch backtest --detector app_scam --model app_scam-1.r3f2a --payments p.parquet --labels l.ndjson --out report",
        "another version's scores, with result.json and a plot",
    ),
)
RESULT: Final = "result.json"


def backtest(
    detector: Annotated[str, typer.Option(metavar="NAME", help="Which detector.")],
    threshold: Annotated[
        list[float] | None,
        typer.Option(help="From which score it alerts; may be repeated. \\[default: as it stands]"),
    ] = None,
    capacity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CAMPUS=N",
            help="Alerts of it that a campus works a day (`all`: every campus not named); may be repeated. "
            "\\[default: whatever comes]",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Score with this version. \\[default: the one in force]"),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATE", help="Count alerts from then on. \\[default: where the records begin]"
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Count alerts until then. \\[default: where the records end]"),
    ] = None,
    as_of: AsOf = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="DAYS",
            help="After how many days without a report an alert counts as false. \\[default: the typology's own]",
        ),
    ] = None,
    typology: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="Labels whose typology begins so say what is missed; may be repeated. \\[default: the detector's own]",
        ),
    ] = None,
    payments: Payments = None,
    telecoms: Telecoms = None,
    accounts: Accounts = None,
    labels: Labels = None,
    links: Links = None,
    watch: Watch = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write result.json and a plot here.", rich_help_panel=PLACES_PANEL),
    ] = None,
    plots: Annotated[
        Plots, typer.Option(help="Which plots to write with --out; they need matplotlib.")
    ] = Plots.BOTH,
    data: Data = None,
    json: Json = False,
) -> None:
    """Forecast what a detector gives people to do: alerts a day, precision, harm missed, how long alerts wait.

    Walks the records through the detector's own path, as `linewatch replay` does, without a store: nothing is raised.
    Campuses work the highest priority first, so many alerts a day. What is right and what was missed is as labels say
    (those given, and those in the data folder); each share has its interval.
    """
    from console import backtesting

    inputs = by_stream(payments, telecoms, accounts, labels, links, watch)
    asked = backtesting.Asked(
        detector=detector,
        thresholds=tuple(dict.fromkeys(threshold or ())),
        capacity=_capacity(capacity or []),
        model=model,
        from_=from_,
        to=to,
        as_of=as_of,
        horizon_days=horizon,
        typologies=tuple(typology or ()),
    )
    result = backtesting.backtest(use_data(data), asked, inputs, quiet=json)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / RESULT).write_bytes(backtesting.to_json(result))
        if plots is not Plots.NONE:
            from console.plots import draw_backtest

            draw_backtest(result, out, ("svg", "png") if plots is Plots.BOTH else (plots.value,))
    if json:
        say_json(backtesting.to_plain(result))
        return
    backtesting.say(result)
    if out is not None:
        hint(f"Written to {out}")


def _capacity(said: list[str]) -> dict[str, int]:
    """Alerts a day by campus, from `campus=N`.

    Raises:
        ConsoleError: it is not written so, or there is no such campus.
    """
    from models.forecast import ALL

    told = {}
    for word in said:
        campus, _, number = word.partition("=")
        if not number.isdigit():
            raise ConsoleError(f"--capacity {word}: write it as campus=N, such as rcc-london=4 or all=2.")
        told[campus if campus == ALL else known_campus(campus)] = int(number)
    return told
