"""Help that teaches: every command shows examples that work as they stand."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One command line as it would be typed, and what it is for."""

    line: str
    words: str


def epilog(*examples: Example) -> str:
    """The examples as the end of a command's help page."""
    lines = "\n".join(f"  [bold cyan]{_shown(each.line)}[/]\n    {each.words}" for each in examples)
    return f"[bold]Examples[/]\n{lines}"


def _shown(line: str) -> str:
    return line.replace("[", r"\[")


def paragraphs(command: Callable[..., None]) -> str:
    """A command's docstring as help: the terminal breaks the lines, not the source."""
    return "\n\n".join(" ".join(each.split()) for each in (inspect.getdoc(command) or "").split("\n\n"))
