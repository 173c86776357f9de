"""The command `linewatch`: puts the commands together and turns errors into a sentence and an exit status.

Exit status: 0 it did what was asked, 1 it did not succeed (the reason is on standard error), 2 the command line was
not understood, 3 it did what was asked and found something that somebody must look at (`fairness`).
"""

import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer
from rich.text import Text

from console.commands import (
    alerts,
    backtest,
    bench,
    campuses,
    cases,
    decide,
    demo,
    detectors,
    evaluate,
    fairness,
    features,
    importing,
    models,
    replay,
    run,
    simulate,
    token,
)
from console.output import aside
from console.rooms import check_own_rooms
from console.teaching import Example, epilog, paragraphs

SUCCESS: Final = 0
FAILURE: Final = 1

ROOMS: Final = (
    "places", "events", "alerts", "features", "models", "detectors", "monitoring", "flows", "console", "simulator",
)  # fmt: skip

RUN_IT: Final = "Run it"
ALERTS: Final = "Work with alerts"
LOOK_UP: Final = "Look things up"
DATA: Final = "Data and measuring"

COMMANDS: Final[tuple[tuple[str, str, Callable[..., None], tuple[Example, ...]], ...]] = (
    ("demo", RUN_IT, demo.demo, demo.EXAMPLES),
    ("run", RUN_IT, run.run, run.EXAMPLES),
    ("replay", RUN_IT, replay.replay, replay.EXAMPLES),
    ("alerts", ALERTS, alerts.alerts, alerts.LIST_EXAMPLES),
    ("alert", ALERTS, alerts.alert, alerts.ONE_EXAMPLES),
    ("cases", ALERTS, cases.cases, cases.LIST_EXAMPLES),
    ("case", ALERTS, cases.case, cases.ONE_EXAMPLES),
    ("decide", ALERTS, decide.decide, decide.EXAMPLES),
    ("token", ALERTS, token.token, token.EXAMPLES),
    ("detectors", LOOK_UP, detectors.detectors, detectors.EXAMPLES),
    ("features", LOOK_UP, features.features, features.EXAMPLES),
    ("models", LOOK_UP, models.models, models.EXAMPLES),
    ("fairness", LOOK_UP, fairness.fairness, fairness.EXAMPLES),
    ("campuses", LOOK_UP, campuses.campuses, campuses.EXAMPLES),
    ("import", DATA, importing.import_, importing.EXAMPLES),
    ("simulate", DATA, simulate.simulate, simulate.EXAMPLES),
    ("backtest", DATA, backtest.backtest, backtest.EXAMPLES),
    ("evaluate", DATA, evaluate.evaluate, evaluate.EXAMPLES),
    ("bench", DATA, bench.bench, bench.EXAMPLES),
)
"""Every command: its name, the panel of the help it stands in, what it does, its examples."""

app = typer.Typer(
    name="linewatch",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog(
        Example("linewatch demo", "see streams flow and alerts appear, with nothing set up"),
        Example("linewatch alerts", "what is waiting; then linewatch alert ID shows one whole"),
        Example("linewatch COMMAND --help", "what a command does, with examples"),
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linewatch {importlib.metadata.version('linewatch')}")
        raise typer.Exit


@app.callback()
def linewatch(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Finds fraud and county lines in payment and telecoms streams while they happen.

    Alerts go to the regional crime campus whose work they are, each with its reasons in numbers.
    A person decides: nothing here does.
    """


for _name, _panel, _does, _examples in COMMANDS:
    app.command(_name, help=paragraphs(_does), rich_help_panel=_panel, epilog=epilog(*_examples))(_does)


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit status."""
    try:
        check_own_rooms()
        app(args=arguments, prog_name="linewatch")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else SUCCESS
    except OSError as problem:
        if problem.filename is None:
            raise
        _say(f"{problem.filename}: {problem.strerror}. Check that the path is right and that you may use it.")
        return FAILURE
    except Exception as problem:
        said = known(problem)
        if said is None:
            raise
        _say(str(said))
        return FAILURE
    return SUCCESS


def known(problem: BaseException | None) -> BaseException | None:
    """The room's own error in or behind a problem, whose message already says what happened and what to do.

    The engine wraps what a step raises, so the cause is looked at too.
    """
    homes = {f"{room}.errors" for room in ROOMS}
    while problem is not None:
        if any(kind.__module__ in homes for kind in type(problem).__mro__):
            return problem
        problem = problem.__cause__
    return None


def _say(words: str) -> None:
    aside().print(Text.assemble(("linewatch: ", "bold red"), words))


def main() -> None:
    """The console script."""
    sys.exit(run_command())


if __name__ == "__main__":
    main()
