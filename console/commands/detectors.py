"""`linewatch detectors`: what is looked for, and what each detector cannot see."""

from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from console import wording
from console.errors import ConsoleError
from console.options import Json
from console.output import hint, say_json, say_table, screen
from console.rooms import room
from console.teaching import Example

EXAMPLES: Final = (
    Example("linewatch detectors", "every detector in one line"),
    Example("linewatch detectors mule_account", "one whole: the crime, what it needs, blind spots, runbook"),
    Example("linewatch detectors --json", "the catalogue for a program"),
)

FIELDS: Final = (
    "id", "title", "version", "status", "threat", "stream", "subject", "four_p", "needs", "threshold", "budget", "misses",
    "innocent", "runbook",
)  # fmt: skip


def detectors(
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", help="One detector, by its id.")] = None,
    json: Json = False,
) -> None:
    """Show what is looked for: the detectors, or one of them whole.

    A detector is one file in detectors/; dropping it in is all it takes to appear here.
    """
    found = all_detectors()
    if identifier is not None:
        found = [chosen(found, identifier)]
    if json:
        for each in found:
            say_json(described(each))
    elif identifier is not None:
        _show(found[0])
    else:
        say_table(
            ("id", "looks for", "threat", "stream", "about", "status", "version"),
            [
                (
                    each.id,
                    each.title,
                    wording.spoken(each.threat),
                    each.stream,
                    each.subject,
                    each.status,
                    each.version,
                )
                for each in found
            ],
        )
        hint("One whole: linewatch detectors ID")


def all_detectors() -> list[Any]:
    """Every detector, in the order of its id."""
    return sorted(room("detectors.discovery", "detectors").all_detectors(), key=lambda each: str(each.id))


def chosen(found: list[Any], identifier: str) -> Any:
    """The detector of an id.

    Raises:
        ConsoleError: there is none.
    """
    for each in found:
        if each.id == identifier:
            return each
    raise ConsoleError(
        f"There is no detector {identifier!r}. There are: {', '.join(str(each.id) for each in found) or 'none yet'}."
    )


def described(detector: Any) -> dict[str, object]:
    """A detector as plain data."""
    plain: dict[str, object] = {}
    for name in FIELDS:
        value = getattr(detector, name, None)
        plain[name] = (
            [str(each) for each in value] if isinstance(value, (list, tuple, frozenset, set)) else value
        )
    return plain


def lines(value: object) -> tuple[str, ...]:
    """Words that a detector gives as one text or as several."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(each) for each in value)  # type: ignore[attr-defined]


def about(detector: Any) -> str:
    """The crime, for a newcomer: what the detector's own file says first."""
    import sys

    home = detector if isinstance(detector, type) else type(detector)
    words = (home.__doc__ or "").strip()
    module = (sys.modules[home.__module__].__doc__ or "").strip() if home.__module__ in sys.modules else ""
    return module if home.__module__.startswith("detectors.") and module else words


def _show(detector: Any) -> None:
    parts: list[Text | Padding] = [
        Text.assemble(
            (str(detector.title), "bold"), f"  {detector.id} {detector.version}, {detector.status}"
        ),
        Text(
            f"{wording.spoken(detector.threat)}; reads {detector.stream}, about one {detector.subject}; {detector.four_p}"
        ),
        Text(""),
        Text(about(detector)),
    ]
    sections = (
        ("What it needs (linewatch features NAME explains)", lines(detector.needs)),
        ("What it cannot see", lines(detector.misses)),
        ("It could be innocent", lines(detector.innocent)),
        ("What to do", lines(detector.runbook)),
    )
    for title, words in sections:
        if words:
            parts += [
                Text(""),
                Text(title, style="bold"),
                Padding(Group(*(Text(each) for each in words)), (0, 0, 0, 2)),
            ]
    parts += [Text(""), Text(f"Budget: {detector.budget} alerts a day for 100,000 subjects")]
    screen().print(Group(*parts))
