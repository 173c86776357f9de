"""`linewatch alerts` lists what is waiting; `linewatch alert ID` shows one whole."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from alerts.record import Alert, to_plain
from console import alert_page, wording
from console.alert_page import About, Happening
from console.commands.campuses import known_campus
from console.commands.detectors import all_detectors, lines
from console.errors import ConsoleError
from console.options import Data, Json, Store
from console.output import band, hint, say_json, say_table, screen
from console.store import open_store
from console.teaching import Example

LIST_EXAMPLES: Final = (
    Example("linewatch alerts", "what is waiting, most urgent first"),
    Example("linewatch alerts --campus north-west --band high", "the North West's, high and critical only"),
    Example("linewatch alerts --json", "all of them for a program, one JSON object a line"),
)
ONE_EXAMPLES: Final = (
    Example("linewatch alert 3f2a", "the whole of one alert; the first digits of its id are enough"),
    Example("linewatch alert 3f2a --json", "the same as the contract's JSON"),
)
BANDS: Final = ("low", "medium", "high", "critical")
SHORT_ID: Final = 12


def alerts(
    campus: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this campus's (see linewatch campuses).")
    ] = None,
    detector: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this detector's (see linewatch detectors).")
    ] = None,
    band_from: Annotated[
        str | None,
        typer.Option("--band", metavar="BAND", help="Only this band and above: low, medium, high, critical."),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="STATUS", help="Only alerts that stand so. \\[default: those still open]"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List alerts, the most urgent first.

    Children who may be victims come before everything else; then what does most harm.
    """
    if band_from is not None and band_from not in BANDS:
        raise ConsoleError(f"{band_from!r} is not a band: say {', '.join(BANDS)}.")
    owner = known_campus(campus) if campus is not None else None
    found: list[Alert] = open_store(store, data).alerts(
        campus=owner, detector=detector, status=status, limit=limit
    )
    if band_from is not None:
        found = [each for each in found if BANDS.index(each.band) >= BANDS.index(band_from)]
    if json:
        for each in found:
            say_json(to_plain(each))
        return
    if not found:
        screen().print("No alerts.")
        return
    titles = _titles()
    say_table(
        ("id", "band", "priority", "last seen", "campus", "what", "about", "why"),
        [_row(each, titles) for each in found],
    )
    hint("One whole: linewatch alert ID. Record an outcome: linewatch decide ID confirmed|innocent|unclear")


def alert(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="The alert's id, or enough of its first digits.")
    ],
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show one whole alert: what, who, why in numbers, where it goes, what else it could be, what to do.

    Facts are kept apart from the assessment. All of it was frozen when the alert was scored.
    """
    desk = open_store(store, data)
    found: Alert = desk.alert(identifier)
    history = [Happening(each.ts, each.by, each.what) for each in desk.history(found.alert_id)]
    if json:
        say_json(
            to_plain(found)
            | {
                "history": [
                    {"ts": wording.when(each.ts), "by": each.by, "what": each.what} for each in history
                ]
            }
        )
        return
    alert_page.show(screen(), found, about(found.detector), history)
    hint(
        f"\nYou decide: linewatch decide {found.alert_id[:SHORT_ID]} confirmed|innocent|unclear --by YOU --note WHY"
    )


def about(detector: str) -> About:
    """What the detector's own file says; just its id when this build does not have it any more."""
    for each in _known_detectors():
        if each.id == detector:
            return About(str(each.title), lines(each.misses), lines(each.innocent), lines(each.runbook))
    return About(wording.spoken(detector).capitalize())


def _known_detectors() -> Sequence[Any]:
    try:
        return all_detectors()
    except ConsoleError:
        return ()


def _titles() -> dict[str, str]:
    return {str(each.id): str(each.title) for each in _known_detectors()}


def _row(alert: Alert, titles: dict[str, str]) -> tuple[Any, ...]:
    why = alert.assessment.reasons[0] if alert.assessment.reasons else None
    return (
        alert.alert_id[:SHORT_ID],
        band(alert.band),
        f"{alert.priority.order:.1f}",
        wording.when_short(alert.last_event_ts),
        alert.owner.org_id,
        titles.get(alert.detector, alert.detector),
        f"{alert.subject.kind} {alert.subject.token[: wording.SHORT_TOKEN]}",
        f"{why.words}: {wording.value(why.value)}" if why else "-",
    )
