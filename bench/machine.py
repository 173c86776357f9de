"""What was measured on, and what the measured path holds: no figure means anything without the two."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from detectors.discovery import all_detectors
from flows.dataflow import plan_of
from flows.settings import Settings, shards_for


def cores() -> list[int]:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def machine() -> dict[str, Any]:
    """Processor, cores, load, versions."""
    named = ("bytewax", "polars", "numba", "numpy", "river", "msgspec")
    return {
        "cpu": _cpu(),
        "cores": len(cores()),
        "pinned": hasattr(os, "sched_setaffinity"),
        "memory_bytes": _memory(),
        "load_before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in named},
        "polars_threads": 1,
        "numba_threads": 1,
        "bytewax_workers": 1,
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: what Python knows is shown instead
    return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def path_holds() -> dict[str, Any]:
    """Passes, features by entity and pass, detectors, shards, tick rows."""
    detectors, settings = all_detectors(), Settings()
    plan = plan_of(detectors)
    features = {
        entity.name.lower(): {
            "first_pass": len(program.names),
            "second_pass": len(plan.subjects[entity].second.names) if entity in plan.subjects else 0,
        }
        for entity, program in plan.first.items()
    }
    return {
        "passes": [
            "source (sequencer, door, split)",
            "first pass",
            "second pass",
            "subject hop",
            "national hop",
            "alert store (SQLite)",
        ],
        "features": features,
        "joined_columns": {e.name.lower(): len(p.columns) for e, p in plan.subjects.items()},
        "detectors": {d.id: {"stream": d.stream, "signals": len(d.signals)} for d in detectors},
        "shards": shards_for(1),
        "tick_rows": settings.tick_rows,
    }
