"""`linewatch detectors`: what is looked for, and what each detector cannot see."""

import inspect
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from console import wording
from console.options import Json
from console.output import hint, indented, say_json, say_table, screen
from console.teaching import Example

if TYPE_CHECKING:
    from detectors.base import Detector

EXAMPLES: Final = (
    Example("linewatch detectors", "every detector in one line"),
    Example("linewatch detectors mule_account", "one whole: the crime, what it needs, blind spots, runbook"),
    Example("linewatch detectors --json", "the catalogue for a program"),
)


def detectors(
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", help="One detector, by its id.")] = None,
    json: Json = False,
) -> None:
    """Show what is looked for: the detectors, or one of them whole.

    A detector is one file in detectors/; dropping it in is all it takes to appear here.
    """
    from detectors.discovery import all_detectors, detector

    found = all_detectors() if identifier is None else (detector(identifier),)
    if json:
        for each in found:
            say_json(described(each))
    elif identifier is not None:
        screen().print(_page(found[0]))
    else:
        say_table(
            ("id", "looks for", "threat", "reads", "about one", "status", "version"),
            [
                (
                    each.id,
                    each.title,
                    wording.spoken(each.threat),
                    each.stream,
                    alerts_about(each),
                    each.status,
                    each.version,
                )
                for each in found
            ],
        )
        hint("One whole: linewatch detectors ID")


def described(detector: type["Detector"]) -> dict[str, object]:
    """A detector as plain data."""
    return {
        "id": detector.id,
        "title": detector.title,
        "version": detector.version,
        "status": detector.status,
        "threat": detector.threat,
        "typology": detector.typology,
        "stream": detector.stream,
        "subject": detector.subject.name.lower(),
        "alerts_about": alerts_about(detector),
        "claim": detector.claim,
        "four_p": detector.four_p,
        "about": crime(detector),
        "needs": list(detector.needs()),
        "threshold": detector.threshold,
        "bands": list(detector.bands),
        "budget": detector.budget,
        "harm": dict(detector.harm),
        "misses": detector.misses,
        "innocent": list(detector.innocent),
        "runbook": list(detector.runbook),
    }


def alerts_about(detector: type["Detector"]) -> str:
    """What its alerts are about: mostly what it scores, but with a network detector perhaps the place of it."""
    if getattr(detector, "about", "own") == "place":
        return "cell" if detector.subject.name == "NUMBER" else "terminal"
    return detector.subject.name.lower()


def crime(detector: type["Detector"]) -> str:
    """What the detector's own file says first: the crime, for a newcomer."""
    module = inspect.getmodule(detector)
    return inspect.cleandoc((module.__doc__ if module else None) or detector.__doc__ or "")


def units(detector: type["Detector"]) -> dict[str, str]:
    """The unit of each value the detector reads, by its name."""
    declared = {column: detector.meaning(column) for column in detector.needs()}
    return {
        column: "share" if each.unit == "ratio" and each.words.startswith("share") else each.unit
        for column, each in declared.items()
    }


def _needs(detector: type["Detector"]) -> list[str]:
    return [f"{column}: {detector.meaning(column).words}" for column in detector.needs()]


def _claim(detector: type["Detector"]) -> str:
    return f"claims {wording.CLAIM_WORDS[detector.claim]}; " if detector.claim else ""


def _page(detector: type["Detector"]) -> Group:
    parts: list[Text | Padding] = [
        Text.assemble((detector.title, "bold"), f"  {detector.id} {detector.version}, {detector.status}"),
        Text(
            f"{wording.spoken(detector.threat)}; reads {detector.stream}, about one {alerts_about(detector)}; "
            f"{_claim(detector)}{detector.four_p}; alerts from {detector.threshold:.2f}; "
            f"budget {detector.budget:g} alerts a day for 100,000 subjects"
        ),
        Text(""),
        Text(crime(detector)),
    ]
    sections = (
        ("What it reads", _needs(detector)),
        ("What it cannot see", [detector.misses]),
        ("It could be innocent", list(detector.innocent)),
        ("What to do", [f"{number}. {step}" for number, step in enumerate(detector.runbook, start=1)]),
        ("Its stories, which the tests hold it to", [story.title for story in detector.examples()]),
    )
    for title, words in sections:
        parts += [
            Text(""),
            Text(title, style="bold"),
            indented(*(Text(each) for each in words)),
        ]
    return Group(*parts)
