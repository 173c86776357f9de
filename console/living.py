"""A made-up world that goes on beside a command: the simulator in a process of its own, writing files that grow."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.errors import ConsoleError

if TYPE_CHECKING:
    from flows.source import Watch

STREAMS: Final = ("watch", "links", "accounts", "telecoms", "payments", "labels")
PEOPLE: Final = 3_000
DAYS: Final = 5
SEED: Final = 3
SPEED: Final = 14_400.0
"""Four hours of life a second: five days in half a minute."""

_START_S: Final = 60.0
_LOOK_S: Final = 0.2


@contextmanager
def living_world(folder: Path, watch: "Watch") -> Iterator[dict[str, list[str]]]:
    """Let a world happen in `folder`; gives the inputs to follow; when it has ended and all of it is through, so does the flow.

    Raises:
        ConsoleError: the simulator did not start.
    """
    for stream in STREAMS:
        (folder / f"{stream}.ndjson").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / "simulator.log").open("wb")
    order = [
        *(
            sys.executable,
            "-m",
            "console.cli",
            "simulate",
            "--stream",
            "--out",
            str(folder),
            "--scenario",
            "demo",
        ),
        *("--people", str(PEOPLE), "--days", str(DAYS), "--seed", str(SEED), "--speed", str(SPEED)),
    ]
    world = subprocess.Popen(order, stdout=log, stderr=log)  # noqa: S603 - our own interpreter and command
    ending = threading.Thread(target=_end_with, args=(world, watch), daemon=True)
    try:
        _wait_for_files(folder, world)
        ending.start()
        yield {stream: [str(folder / f"{stream}.ndjson")] for stream in STREAMS}
    finally:
        world.terminate()
        world.wait()
        log.close()


def _wait_for_files(folder: Path, world: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while not all((folder / f"{stream}.ndjson").exists() for stream in STREAMS):
        if world.poll() is not None or time.monotonic() > deadline:
            raise ConsoleError(
                f"The made-up world did not start; {folder / 'simulator.log'} says why. "
                "`linewatch demo --story` shows a small fixed week instead."
            )
        time.sleep(_LOOK_S)


def _end_with(world: "subprocess.Popen[bytes]", watch: "Watch") -> None:
    world.wait()
    watch.end()
