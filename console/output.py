"""Where a command's words go: results to standard output, progress and errors to standard error.

On a terminal a list is a table; into a pipe it is one line a row with tabs between, and with `--json` one JSON object
a line. Colour follows the terminal and NO_COLOR.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

BAND_STYLES: Final = {"low": "dim", "medium": "yellow", "high": "bright_red", "critical": "bold white on red"}


UNBROKEN: Final = 4096
"""Columns of a pipe: wide enough that no line is broken for a reader that is a program."""


def screen() -> Console:
    """Standard output; lines are not broken when it goes into a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else UNBROKEN)


def aside() -> Console:
    """Standard error, for progress, hints and errors."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else UNBROKEN)


def indented(*parts: RenderableType) -> Padding:
    """Set in by two columns."""
    return Padding(Group(*parts), (0, 0, 0, 2), expand=False)


def say_json(plain: object) -> None:
    """One JSON object on one line, keys sorted."""
    sys.stdout.write(msgspec.json.encode(plain, order="sorted").decode() + "\n")


def say_line(raw: bytes) -> None:
    """One line that is JSON already."""
    sys.stdout.write(raw.decode() + "\n")


def say_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table for a person, or the same as lines with tabs for a pipe."""
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(columns) + "\n")
        for row in rows:
            sys.stdout.write("\t".join(_plain(cell) for cell in row) + "\n")
        return
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    screen().print(table)


def band(word: str) -> Text:
    """A band in its colour; the word says it without."""
    return Text(word, style=BAND_STYLES.get(word, ""))


def hint(words: str) -> None:
    """What to type next, on standard error so that it never gets into a pipe; silent when nobody reads."""
    if sys.stderr.isatty():
        aside().print(Text(words, style="dim"))


def _plain(cell: object) -> str:
    text = cell.plain if isinstance(cell, Text) else str(cell)
    return text.replace("\t", " ").replace("\n", " ")
