"""One set of numbers over several processes: each writes its own into a folder, the supervisor reads them all.

The supervisor calls `prepare` once, gives the environment it returns to every process it starts, and `forget` when
one has ended. Counters of an ended process stay in the sum, so that a restart is not a fall to zero; its gauges go.
"""

import shutil
from pathlib import Path
from typing import Final

from prometheus_client import multiprocess

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def prepare(folder: Path) -> dict[str, str]:
    """An empty folder for the numbers, and the environment variable that the processes need to use it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return {VARIABLE: str(folder)}


def forget(folder: Path, pid: int) -> None:
    """Take the gauges of an ended process out of the sum."""
    multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
