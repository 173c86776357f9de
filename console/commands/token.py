"""`linewatch token`: the token of an identifier that is already known, to look a subject up; every use is audited."""

import sys
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from console.errors import ConsoleError
from console.options import By, Data, Json, Store
from console.output import say_json
from console.people import named
from console.settings import settings
from console.store import open_store, use_data
from console.teaching import Example
from events.codes import TOKEN_KINDS

EXAMPLES: Final = (
    Example(
        "linewatch token --reason 'case 17/26' number:+447700900001",
        "the token under which this number's events are kept",
    ),
    Example(
        "linewatch token --reason 'case 17/26' account:000000-12345678 number:+447700900001",
        "several at once, one a line",
    ),
    Example(
        "linewatch token --reason 'case 17/26' - < identifiers.txt",
        "from a file, so that they stay out of the shell's history",
    ),
)


def token(
    identifiers: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND:VALUE…",
            help=f"Identifiers, or - to read them from standard input, one a line. Kinds: {', '.join(TOKEN_KINDS)}.",
        ),
    ],
    reason: Annotated[
        str,
        typer.Option(metavar="WORDS", help="Why you need it: a case, an authorisation. Required, and kept."),
    ],
    by: By = "",
    store: Store = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Print the tokens of identifiers that you know, one a line.

    A token cannot be turned back here. Who asked, when, why and for how many of which kind is written down first:
    no record, no token.
    """
    if not reason.strip():
        raise ConsoleError("The reason is empty: say which case or authorisation needs it, with --reason.")
    wanted = [_parted(text) for text in _listed(identifiers)]
    if not wanted:
        raise ConsoleError("No identifier was given: say KIND:VALUE, such as number:+447700900001.")
    from events.tokens import token_for
    from flows.settings import key_ring

    use_data(data)
    keys = key_ring(settings())
    found = [(kind, value, token_for(keys, kind, value)) for kind, value in wanted]
    looked_up = [("token", printed) for _, _, tokens in found for printed in tokens]
    with open_store(store, data, make=True) as desk:
        desk.consult(looked_up, by=named(by), why=reason.strip())
    for kind, value, printed in found:
        if json:
            say_json({"kind": kind, "value": value, "tokens": printed})
        else:
            sys.stdout.write("\n".join(printed) + "\n")


def _listed(identifiers: Iterable[str]) -> Iterable[str]:
    for text in identifiers:
        if text == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield text


def _parted(text: str) -> tuple[str, str]:
    kind, colon, value = text.partition(":")
    if not colon or not value:
        raise ConsoleError(f"{text!r} is not KIND:VALUE: write it as number:+447700900001.")
    if kind not in TOKEN_KINDS:
        raise ConsoleError(f"{kind!r} is not a kind of identifier. Kinds: {', '.join(TOKEN_KINDS)}.")
    return kind, value
