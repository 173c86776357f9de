"""`linewatch alerts` lists what is waiting; `linewatch alert ID` shows one whole."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from alerts.record import Alert, to_cloudevent, to_plain, when_text
from console import alert_page, wording
from console.alert_page import About, Happening
from console.commands.campuses import known_campus
from console.commands.detectors import units
from console.errors import ConsoleError
from console.options import (
    Accounts,
    By,
    Data,
    Json,
    Labels,
    Links,
    Payments,
    Store,
    Telecoms,
    Watch,
    by_stream,
)
from console.output import band, hint, say_json, say_line, say_table, screen
from console.people import named
from console.store import open_store, use_data
from console.teaching import Example

if TYPE_CHECKING:
    from alerts.store import HistoryEntry

LIST_EXAMPLES: Final = (
    Example("linewatch alerts", "what is waiting, most urgent first"),
    Example("linewatch alerts --campus north-west --band high", "the North West's, high and critical only"),
    Example(
        "linewatch alerts --status any --about number:k1-00c4d1",
        "everything ever said about one number's token",
    ),
    Example("linewatch alerts --json", "all of them for a program, one JSON object a line"),
    Example("linewatch alerts --status any --cloudevents", "the same as CloudEvents 1.0, for another system"),
)
ONE_EXAMPLES: Final = (
    Example("linewatch alert 3f2a", "the whole of one alert; the first digits of its id are enough"),
    Example("linewatch alert 3f2a --json", "the same as the contract's JSON"),
    Example(
        "linewatch alert 3f2a --replay",
        "score it anew, from what was frozen and from the events, and say whether it comes out the same",
    ),
)
BANDS: Final = ("low", "medium", "high", "critical")
ANY: Final = "any"
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
        str,
        typer.Option(
            metavar="STATUS",
            help="Only alerts that stand so: open, new, in_review, waiting, snoozed, closed, or any.",
        ),
    ] = "open",
    subject: Annotated[
        str | None,
        typer.Option("--about", metavar="TOKEN", help="Only about this token, as linewatch token prints it."),
    ] = None,
    copied: Annotated[
        bool, typer.Option("--copied", help="With --campus: also what it has a copy of.")
    ] = False,
    order: Annotated[
        str, typer.Option(metavar="ORDER", help="priority, newest or oldest first.")
    ] = "priority",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    store: Store = None,
    data: Data = None,
    json: Json = False,
    cloudevents: Annotated[
        bool, typer.Option("--cloudevents", help="Print CloudEvents 1.0, one a line; data is the alert.")
    ] = False,
) -> None:
    """List alerts, the most urgent first.

    Children who may be victims come before everything else; then what does most harm.
    """
    if band_from is not None and band_from not in BANDS:
        raise ConsoleError(f"{band_from!r} is not a band: say {', '.join(BANDS)}.")
    owner = known_campus(campus) if campus is not None else None
    with open_store(store, data) as desk:
        found = desk.alerts(
            campus=owner,
            detector=detector,
            status=None if status == ANY else status,
            copied=copied,
            order=order,
        )
    if band_from is not None:
        found = tuple(each for each in found if BANDS.index(each.band) >= BANDS.index(band_from))
    if subject is not None:
        token = _hex(subject)
        found = tuple(each for each in found if any(one.token == token for one in each.subjects))
    total, found = len(found), found[:limit]
    if cloudevents:
        for each in found:
            say_line(to_cloudevent(each))
        return
    if json:
        for each in found:
            say_json(to_plain(each))
        return
    if not found:
        screen().print("No alerts.")
        return
    known = {detector: about(detector) for detector in {each.detector for each in found}}
    say_table(
        ("id", "band", "priority", "last seen", "campus", "what", "about", "why"),
        [_row(each, known[each.detector]) for each in found],
    )
    if total > len(found):
        hint(f"{wording.count(total - len(found))} more: say --limit")
    hint("One whole: linewatch alert ID. Record an outcome: linewatch decide ID confirmed|innocent|unclear")


def alert(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="The alert's id, or enough of its first digits.")
    ],
    reason: Annotated[
        str, typer.Option(metavar="WHY", help="Why you look it up; kept in the audit.")
    ] = "review",
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Score it anew from what was frozen and from the events; status 1 when the numbers differ.",
        ),
    ] = False,
    payments: Payments = None,
    telecoms: Telecoms = None,
    accounts: Accounts = None,
    labels: Labels = None,
    links: Links = None,
    watch: Watch = None,
    by: By = "",
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show one whole alert: what, who, why in numbers, where it goes, what else it could be, what to do.

    Facts are kept apart from the assessment. All of it was frozen when the alert was scored; --replay works it out
    again. The events come from the ledger, or, where none was kept, from the inputs you name.
    """
    inputs = by_stream(payments, telecoms, accounts, labels, links, watch)
    if not replay and any(inputs.values()):
        raise ConsoleError("Inputs are only read to score the alert anew: say --replay.")
    with open_store(store, data) as desk:
        found = desk.alert(identifier, by=named(by), why=reason)
        history = desk.history(found.alert_id)
    if replay:
        from console.replaying import look_again

        look_again(found, use_data(data), inputs, json=json)
        return
    if json:
        say_json(to_plain(found) | {"history": [_plain(each) for each in history]})
        return
    happened = [Happening(each.at, _told(each)) for each in history]
    alert_page.show(screen(), found, about(found.detector), happened)
    hint(
        f"\nYou decide: linewatch decide {found.alert_id[:SHORT_ID]} confirmed|innocent|unclear --reason WHY"
    )


def about(detector: str) -> About:
    """What the detector's own file says; just its id when this build does not have it any more."""
    from detectors.discovery import all_detectors

    for each in all_detectors():
        if each.id == detector:
            return About(each.title, (each.misses,), each.innocent, each.runbook, units(each))
    return About(wording.spoken(detector).capitalize())


def _told(entry: "HistoryEntry") -> str:
    if entry.kind == "revision":
        return f"{entry.what}: {wording.spoken(entry.why)}"
    if entry.kind == "CONSULT":
        return f"{entry.by} looked at it: {entry.why}"
    return f"{entry.by}: {entry.what}: {entry.why}"


def _hex(token: str) -> str:
    """The 32 digits of a token, from however much of it was given (`number:k1-…`)."""
    return token.rpartition(":")[2].rpartition("-")[2].lower()


def _plain(entry: "HistoryEntry") -> dict[str, str]:
    return {
        "at": when_text(entry.at),
        "kind": entry.kind,
        "by": entry.by,
        "what": entry.what,
        "why": entry.why,
    }


def _row(alert: Alert, known: About) -> tuple[Any, ...]:
    why = alert.assessment.reasons[0] if alert.assessment.reasons else None
    return (
        alert.alert_id[:SHORT_ID],
        band(alert.band),
        f"{alert.priority.order:.1f}",
        wording.when_short(alert.last_event_ts),
        alert.owner.org_id,
        known.title,
        f"{alert.subject.kind} {alert.subject.token[: wording.SHORT_TOKEN]}",
        f"{why.words}: {wording.value(why.value, known.unit_of(why.feature))}" if why else "-",
    )
