"""One measurement in a process of its own: on one core, warmed up, its result as JSON on standard output.

Started by `bench.engine` as `python -m bench.child` with an order on standard input. The core is chosen before
anything that starts threads is imported.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final


def _pin(core: int | None) -> bool:
    """Keep this process on one core, where the system can."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {core})
    return True


def main() -> None:
    """Do as the order says."""
    order = json.loads(sys.stdin.buffer.read())
    order["pinned"] = _pin(order.get("core"))
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    out = os.dup(1)
    os.dup2(2, 1)  # whatever else is printed is no result
    result = _ORDERS[order["what"]](order)
    os.write(out, json.dumps(result | {"pinned": order["pinned"]}).encode() + b"\n")


def _path(order: dict[str, Any]) -> dict[str, Any]:
    from bench.measuring import path

    return path(order)


def _cluster(order: dict[str, Any]) -> dict[str, Any]:
    from bench.cluster import path

    return path(order)


def _other(order: dict[str, Any]) -> dict[str, Any]:
    from bench.cluster import other

    return other(order)


def _twin(order: dict[str, Any]) -> dict[str, Any]:
    from bench.twin import measure

    return measure(order)


def _door(order: dict[str, Any]) -> dict[str, Any]:
    from bench.measuring import door

    return door(order)


def _sequencer(order: dict[str, Any]) -> dict[str, Any]:
    from bench.measuring import sequencer

    return sequencer(order)


def _follow(order: dict[str, Any]) -> dict[str, Any]:
    from bench.measuring import follow

    return follow(order)


def _costs(order: dict[str, Any]) -> dict[str, Any]:
    from bench.costs import measure

    return measure(order)


def _machine(order: dict[str, Any]) -> dict[str, Any]:
    from bench.machine import path_holds

    return path_holds()


_ORDERS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "path": _path,
    "cluster": _cluster,
    "other": _other,
    "twin": _twin,
    "door": _door,
    "sequencer": _sequencer,
    "follow": _follow,
    "costs": _costs,
    "machine": _machine,
}

if __name__ == "__main__":
    main()
