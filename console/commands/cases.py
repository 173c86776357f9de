"""`linewatch cases` lists cases with open alerts; `linewatch case KEY` shows what its alerts say together."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from alerts.record import to_plain, when_text
from console import wording
from console.commands.alerts import SHORT_ID, about
from console.commands.campuses import known_campus
from console.options import By, Data, Json, Store
from console.output import band, hint, indented, say_json, say_table, screen
from console.people import named
from console.store import open_store
from console.teaching import Example

if TYPE_CHECKING:
    from alerts.cases import Case

LIST_EXAMPLES: Final = (
    Example("linewatch cases", "what is open, most urgent first, alerts about one affair together"),
    Example("linewatch cases --campus north-west", "those in which the North West owns an alert"),
    Example("linewatch cases --json", "all of them for a program, one JSON object a line"),
)
ONE_EXAMPLES: Final = (
    Example("linewatch case C3f2a", "the whole of one case; the first digits of its key are enough"),
    Example("linewatch case C3f2a --json", "the same as JSON, with its alerts"),
)
SHORT_KEY: Final = 13
MOST_BESIDE: Final = 12
"""So many of those beside are named on the page; the JSON has them all."""


def cases(
    campus: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Only those in which this campus owns an alert (see linewatch campuses)."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List cases: alerts that speak of the same people, whichever detector or campus has them.

    A case stands where its most urgent alert stands. Scores are never added up.
    """
    owner = known_campus(campus) if campus is not None else None
    with open_store(store, data) as desk:
        found = desk.cases(campus=owner, limit=limit)
    if json:
        for each in found:
            say_json(plain(each))
        return
    if not found:
        screen().print("No cases with open alerts.")
        return
    say_table(
        ("case", "band", "priority", "last seen", "alerts", "claims", "forces", "campuses"),
        [_row(each) for each in found],
    )
    hint("One whole: linewatch case KEY. One of its alerts: linewatch alert ID")


def case(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The case's key, or enough of its first digits.")],
    reason: Annotated[
        str, typer.Option(metavar="WHY", help="Why you look it up; kept in the audit.")
    ] = "review",
    by: By = "",
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show one whole case: what is claimed and how strongly, who, where, and the alerts in it.

    Claims stand apart: how surely there is a line says nothing of how surely somebody is exploited.
    """
    with open_store(store, data) as desk:
        found = desk.whole_case(key, by=named(by), why=reason)
    if json:
        say_json(plain(found) | {"alerts": [to_plain(each) for each in found.alerts]})
        return
    _show(found)
    hint("\nOne alert: linewatch alert ID. You decide on each: linewatch decide ID OUTCOME --reason WHY")


def plain(found: "Case") -> dict[str, Any]:
    """A case as JSON has it; its alerts by their ids."""
    return {
        "case_key": found.case_key,
        "opened_ts": when_text(found.opened_ts),
        "first_event_ts": when_text(found.first_event_ts),
        "last_event_ts": when_text(found.last_event_ts),
        "alerts": [each.alert_id for each in found.alerts],
        "open_alerts": found.open_alerts,
        "band": found.band,
        "priority_order": found.priority_order,
        "child_first": found.child_first,
        "safeguarding": found.safeguarding,
        "claims": found.claims,
        "streams": list(found.streams),
        "detectors": list(found.detectors),
        "threats": list(found.threats),
        "about": [each.name for each in found.about],
        "beside": [each.name for each in found.beside],
        "forces": list(found.forces),
        "campuses": list(found.campuses),
        "copies": list(found.copies),
        "merged": list(found.merged),
    }


def _row(each: "Case") -> tuple[Any, ...]:
    return (
        each.case_key[:SHORT_KEY],
        band(each.band),
        f"{each.priority_order:.1f}",
        wording.when_short(each.last_event_ts),
        f"{each.open_alerts} open of {len(each.alerts)}",
        _claims(each),
        _forces(each),
        ", ".join(each.campuses),
    )


def _claims(each: "Case") -> str:
    return ", ".join(
        f"{wording.CLAIM_WORDS.get(claim, claim)} {score:.2f}" for claim, score in each.claims.items()
    )


def _forces(each: "Case") -> str:
    from places.forces import force

    known = [found.name for code in each.forces if (found := force(code)) is not None]
    return ", ".join(known) or "-"


def _show(found: "Case") -> None:
    page = screen()
    page.print(Text.assemble(("Case ", "bold"), (found.case_key, "bold"), "  ", band(found.band)))
    page.print(
        f"{wording.some(len(found.alerts), 'alert')}, {found.open_alerts} open, from "
        f"{wording.when(found.first_event_ts)} to {wording.when(found.last_event_ts)}"
    )
    if found.safeguarding:
        page.print(Text("Safeguarding first: someone in it may need protection.", style="bold"))
    page.print(Text("\nWhat is claimed (each its own highest score, never added up)", style="bold"))
    for claim, score in found.claims.items():
        page.print(indented(f"{wording.CLAIM_WORDS.get(claim, claim)}: {score:.2f}"))
    page.print(Text("\nWhere", style="bold"))
    page.print(indented(f"forces: {_forces(found)}"))
    page.print(indented(f"owned by: {', '.join(found.campuses)}"))
    if len(found.campuses) > 1:
        page.print(indented("more than one campus works on it: speak to each other before anyone acts"))
    page.print(Text("\nWho it is about", style="bold"))
    for each in found.about:
        page.print(indented(f"{each.kind} {each.token}"))
    if found.beside:
        page.print(Text(f"\nBeside them ({len(found.beside)})", style="bold"))
        for each in found.beside[:MOST_BESIDE]:
            page.print(indented(f"{each.kind} {each.token}"))
        if len(found.beside) > MOST_BESIDE:
            page.print(indented(f"and {len(found.beside) - MOST_BESIDE} more: say --json"))
    page.print()
    say_table(
        ("alert", "band", "score", "first seen", "status", "what", "about"),
        [
            (
                one.alert_id[:SHORT_ID],
                band(one.band),
                f"{one.score:.2f}",
                wording.when_short(one.first_event_ts),
                one.outcome or one.status,
                about(one.detector).title,
                f"{one.subject.kind} {one.subject.token[: wording.SHORT_TOKEN]}",
            )
            for one in found.alerts
        ],
    )
