"""`linewatch features`: what is known about each account, number and handset at any moment, in words."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from console import wording
from console.errors import ConsoleError
from console.options import Json
from console.output import hint, say_json, say_table, screen
from console.teaching import Example

if TYPE_CHECKING:
    from features.declare import Feature

EXAMPLES: Final = (
    Example("linewatch features", "every feature in one line"),
    Example("linewatch features --entity account", "those of accounts"),
    Example("linewatch features --json", "the catalogue for a program"),
)


def features(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One feature, by its name.")] = None,
    entity: Annotated[
        str | None, typer.Option(help="Only features of this entity, such as account or number.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what is kept about accounts, numbers and the rest, and what each value means.

    Windows slide in aligned steps: a window `within` 24 h `every` 1 h is the 24 most recent whole hours, this one
    included, so the answer is exact by definition.
    """
    from features.catalogue import all_features, network_features

    found = [described(each) for each in all_features()]
    found += [described(each) | {"entity": "network"} for each in network_features()]
    if entity is not None:
        known = sorted({str(each["entity"]) for each in found})
        if entity not in known:
            raise ConsoleError(
                f"No feature is about {entity!r}. There are features about: {', '.join(known)}."
            )
        found = [each for each in found if each["entity"] == entity]
    if name is not None:
        found = [each for each in found if each["name"] == name]
        if not found:
            raise ConsoleError(f"There is no feature {name!r}. `linewatch features` lists them all.")
    if json:
        for each in found:
            say_json(each)
    elif name is not None:
        for key, value in found[0].items():
            screen().print(f"{wording.spoken(key)}: {value}", markup=False)
    else:
        columns = ("name", "entity", "kind", "within", "every", "unit", "words")
        say_table(columns, [[each[column] or "-" for column in columns] for each in found])
        hint("Each is one declaration, in features/")


def described(feature: "Feature") -> dict[str, object]:
    """A feature as plain data."""
    return {
        "name": feature.name,
        "entity": feature.entity.name.lower(),
        "kind": feature.kind,
        "within": feature.within or None,
        "every": feature.every or None,
        "unit": feature.unit or None,
        "words": feature.words,
    }
