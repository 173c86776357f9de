"""The whole path over two processes, each on a core of its own: what a second core adds."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench import watched
from bench.measuring import outcome, peak_bytes
from bench.watched import Cluster, Options, Seen
from detectors.discovery import all_detectors
from flows.running import free_addresses

_LOOK_S: Final = 0.005
_PATIENCE_S: Final = 600.0


def path(order: dict[str, Any]) -> dict[str, Any]:
    """The first process: starts the other, and tells what both did together."""
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as folder:
        told = order | {"folder": folder, "addresses": free_addresses(2)}
        other = _started(told | {"what": "other", "core": order["other_core"]})
        seen, seconds, cpu = _take_part(told, 0)
        out, _ = other.communicate(timeout=_PATIENCE_S)
        theirs = json.loads(out)
        return {
            "seconds": seconds,
            "cpu_seconds": cpu + theirs["cpu_seconds"],
            "cpu_shares": [cpu, theirs["cpu_seconds"]],
            "events": sum(tick.rows for tick in seen.through),
            "ticks": len(seen.through),
            "peak_bytes": peak_bytes() + theirs["peak_bytes"],
            **outcome(Path(folder) / "run"),
        }


def other(order: dict[str, Any]) -> dict[str, Any]:
    """The second process."""
    _, _, cpu = _take_part(order, 1)
    return {"cpu_seconds": cpu, "peak_bytes": peak_bytes()}


def _started(order: dict[str, Any]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(order).encode())
    process.stdin.close()
    process.stdin = None
    return process


def _take_part(order: dict[str, Any], process: int) -> tuple[Seen, float, float]:
    """Warm up alone, meet the other, run: what was seen, and the seconds by the clock and of the processor."""
    folder = Path(order["folder"])
    detectors = watched.chosen(order.get("detectors"), all_detectors())
    warm = Options(inputs=order["warm"], folder=str(folder / f"warm-{process}"))
    Path(warm.folder).mkdir()
    watched.run(warm, Seen(), detectors)
    options = Options(inputs=order["inputs"], folder=str(folder / "run"))
    Path(options.folder).mkdir(exist_ok=True)
    seen, cpu = Seen(), time.process_time()
    cluster = Cluster(tuple(order["addresses"]), process, _meeting(folder, process))
    seconds = watched.run(options, seen, detectors, cluster=cluster)
    return seen, seconds, time.process_time() - cpu


def _meeting(folder: Path, process: int) -> Callable[[], None]:
    """Say that this process is ready, and wait until the other is."""

    def meet() -> None:
        (folder / f"ready-{process}").touch()
        deadline = time.monotonic() + _PATIENCE_S
        while not (folder / f"ready-{1 - process}").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    "the other process of the bench did not get ready; its last words are above"
                )
            time.sleep(_LOOK_S)

    return meet
