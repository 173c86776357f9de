"""Every command teaches by example, knows its exit status, and says errors as sentences."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from console import cli
from console.teaching import Example

ROOT = Path(cli.__file__).resolve().parent.parent
LINEWATCH = Path(sys.executable).parent / "linewatch"
ALL_EXAMPLES = [(name, each) for name, _, _, examples in cli.COMMANDS for each in examples]


@pytest.mark.parametrize("name", [name for name, *_ in cli.COMMANDS])
def test_help_tells_what_a_command_does_with_examples(name: str, run) -> None:
    said = run(name, "--help")
    assert said.status == 0
    assert "Examples" in said.out
    assert "linewatch " in said.out.partition("Examples")[2]


def parse(line: str) -> None:
    """Parse a command line as the shell and the program would, without running it."""
    import typer.main

    words = shlex.split(line.partition(" < ")[0].partition(" | ")[0])
    assert words[0] == "linewatch"
    group = typer.main.get_command(cli.app)
    context = group.make_context("linewatch", words[1:], resilient_parsing=False)
    name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize(("name", "example"), ALL_EXAMPLES, ids=[each.line for _, each in ALL_EXAMPLES])
def test_an_example_is_a_command_line_that_is_understood(name: str, example: Example) -> None:
    assert example.line.startswith("linewatch ")
    assert example.words
    parse(example.line)


def test_every_command_has_a_file_and_every_file_a_command() -> None:
    files = {path.stem for path in (ROOT / "console" / "commands").glob("*.py")} - {"__init__"}
    assert {does.__module__.rpartition(".")[2] for _, _, does, _ in cli.COMMANDS} == files


def test_the_version_is_printed(run) -> None:
    said = run("--version")
    assert said.status == 0
    assert re.fullmatch(r"linewatch \d+\.\d+\.\d+\n", said.out)


@pytest.mark.parametrize(
    "line", ["nonsense", "alerts --nonsense", "alert", "token number:+447700900001", "alerts --limit 0"]
)
def test_a_line_that_is_not_understood_is_usage(line: str, run) -> None:
    said = run(*line.split())
    assert said.status == 2
    assert said.out == ""
    assert "linewatch" in said.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("alerts", "There are no alerts yet"),
        ("alerts --store sqlite:///x.sqlite --band huge", "is not a band"),
        ("replay", "nothing to read"),
        ("replay --payments nowhere.ndjson", "no such file"),
        ("campuses --on tomorrow", "is not a day"),
        ("features --entity nobody", "There are features about"),
        ("features nothing", "There is no feature"),
        ("detectors nothing", "no detector is called"),
        ("token --reason why identifier", "is not KIND:VALUE"),
        ("token --reason why shoe:42", "is not a kind"),
        ("token --reason why -", "No identifier was given"),
        ("import --map nowhere in.csv out.ndjson", "There is no map"),
        ("import", "Say what to import"),
    ],
)
def test_an_error_is_a_sentence_on_standard_error(line: str, words: str, run) -> None:
    said = run(*line.split())
    assert said.status == 1
    assert said.out == ""
    assert words in said.err
    assert "Traceback" not in said.err


def test_an_error_of_a_room_is_known_and_a_fault_is_not() -> None:
    from alerts.errors import UnknownAlert
    from events.importing import MapError

    assert cli.known(UnknownAlert("x"))
    assert cli.known(MapError("x"))
    assert cli.known(ValueError("x")) is None


def test_it_runs_in_a_pipe_whose_reader_has_had_enough() -> None:
    done = subprocess.run(
        f"{LINEWATCH} features --json | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_colour_is_left_out_where_it_is_not_wanted(desk: str) -> None:
    done = subprocess.run(
        [LINEWATCH, "alerts", "--store", desk],
        env={"NO_COLOR": "1", "TERM": "xterm-256color", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert "\x1b[" not in done.stdout + done.stderr


def test_help_is_quick_because_heavy_rooms_are_imported_when_a_command_runs() -> None:
    heavy = ("bytewax", "numba", "polars", "river", "sklearn", "sqlalchemy", "pyarrow")
    code = f"import sys, console.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert ast.literal_eval(done.stdout) == []
