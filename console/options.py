"""Options that several commands share, with the same name and meaning everywhere."""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

INPUTS_PANEL: Final = "Inputs: a file, a folder, or - for standard input; each may be repeated"
PLACES_PANEL: Final = "Where things are kept"
RUNNING_PANEL: Final = "Running"

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for a program, one object a line.")]
By: TypeAlias = Annotated[
    str, typer.Option(metavar="WHO", help="Who you are; kept in the audit. \\[default: your user name]")
]
Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The alert store, such as sqlite:///alerts.sqlite. \\[default: from settings, else in the data folder]",
        rich_help_panel=PLACES_PANEL,
    ),
]
Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for everything Linewatch keeps. \\[default: from settings, else linewatch-data]",
        rich_help_panel=PLACES_PANEL,
    ),
]
Recovery: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for snapshots and the ledger; a run that finds one there goes on where it stopped.",
        rich_help_panel=PLACES_PANEL,
    ),
]
Processes: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="How many worker processes. \\[default: from settings, else 1]",
        rich_help_panel=RUNNING_PANEL,
    ),
]
MetricsPort: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Port for /metrics, /healthz and /readyz; 0 takes any free one.",
        rich_help_panel=RUNNING_PANEL,
    ),
]


Learn: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--learn/--no-learn",
        help="Keep examples and learn from every outcome as the flow goes. \\[default: the setting `learn`]",
        rich_help_panel=RUNNING_PANEL,
        show_default=False,
    ),
]
AsOf: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DATE", help="Labels known by then count. \\[default: all]")
]
Horizon: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="DAYS",
        help="After how many days without a report a row counts as innocent. \\[default: the typology's own]",
    ),
]


def _input(words: str) -> object:
    return typer.Option(metavar="WHERE", help=words, rich_help_panel=INPUTS_PANEL)


Inputs: TypeAlias = list[str]
Payments: TypeAlias = Annotated[Inputs | None, _input("Payments.")]
Telecoms: TypeAlias = Annotated[Inputs | None, _input("Calls, messages, locations, SIM changes.")]
Accounts: TypeAlias = Annotated[Inputs | None, _input("What happens to accounts beside payments.")]
Labels: TypeAlias = Annotated[Inputs | None, _input("What was found out about earlier events.")]
Links: TypeAlias = Annotated[Inputs | None, _input("Which account, number, handset, person belong together.")]
Watch: TypeAlias = Annotated[Inputs | None, _input("Known things to look out for.")]


def by_stream(
    payments: Inputs | None,
    telecoms: Inputs | None,
    accounts: Inputs | None,
    labels: Inputs | None,
    links: Inputs | None,
    watch: Inputs | None,
) -> dict[str, Inputs | None]:
    """The inputs that were named, under the names of their streams."""
    return {
        "payments": payments,
        "telecoms": telecoms,
        "accounts": accounts,
        "labels": labels,
        "links": links,
        "watch": watch,
    }
