"""`linewatch campuses`: who owns which alerts, on any day."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from console.errors import ConsoleError
from console.options import Json
from console.output import hint, say_json, say_table, screen
from console.teaching import Example

if TYPE_CHECKING:
    from places.organisations import Directory, Organisation

EXAMPLES: Final = (
    Example("linewatch campuses", "the campuses today, with their forces"),
    Example("linewatch campuses --on 2027-06-01", "as they will stand on a day"),
    Example("linewatch campuses --all --json", "every organisation, for a program"),
)


def campuses(
    on: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="As they stand on this day, such as 2026-11-20. \\[default: today]"),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Forces, national bodies and partners too.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the regional crime campuses and the forces whose alerts they own.

    Organisations are dated data (places/data/organisations.csv): a merger is a new line there, never new code.
    """
    directory = _directory(on)
    chosen = directory.organisations if everyone else directory.campuses
    if json:
        for each in chosen:
            say_json(described(each, directory))
        return
    say_table(
        ("id", "kind", "name", "forces", "duties"),
        [
            (each.org_id, each.kind, each.name, ", ".join(_forces(each, directory)), ", ".join(each.duties))
            for each in chosen
        ],
    )
    desk = directory.on_duty("national_desk")
    if desk is not None and not everyone:
        screen().print(Text(f"\nWhat cannot be placed goes to {desk.name} ({desk.org_id})."))
    hint("What waits for one: linewatch alerts --campus ID")


def described(organisation: "Organisation", directory: "Directory") -> dict[str, object]:
    """An organisation as plain data."""
    return {
        "id": organisation.org_id,
        "kind": organisation.kind,
        "name": organisation.name,
        "parent": organisation.parent or None,
        "built_on": organisation.built_on or None,
        "forces": _forces(organisation, directory),
        "duties": list(organisation.duties),
        "from": None if organisation.valid_from == date.min else organisation.valid_from.isoformat(),
        "to": None if organisation.valid_to == date.max else organisation.valid_to.isoformat(),
    }


def known_campus(identifier: str) -> str:
    """A campus's id as it is written, from what was typed: in any case, with or without `rcc-`.

    Raises:
        ConsoleError: there is no such campus today.
    """
    today = _directory(None)
    wanted = identifier.lower().replace(" ", "-").replace("_", "-")
    for each in today.organisations:
        if wanted in {each.org_id.lower(), each.org_id.lower().removeprefix("rcc-")}:
            return each.org_id
    raise ConsoleError(
        f"There is no campus {identifier!r}. There are: {', '.join(each.org_id for each in today.campuses)}."
    )


def _directory(day: str | None) -> "Directory":
    from places.organisations import organisations

    return organisations().on(_day(day))


def _forces(organisation: "Organisation", directory: "Directory") -> list[str]:
    from places.forces import force

    codes = [
        code for code in range(1, 256)
        if (organisation.forces and code in organisation.forces) or directory.campus_of(code) is organisation
    ]  # fmt: skip
    return [found.short for code in codes if (found := force(code)) is not None]


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConsoleError(f"{text!r} is not a day: write it as 2026-11-20.") from None
