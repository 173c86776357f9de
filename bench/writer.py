"""Appends lines to a file at a steady rate, and notes when it had written how many.

A process of its own on another core, so that it does not take the flow's time. Started as `python -m bench.writer`.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Final

_EVERY_S: Final = 0.01


def main() -> None:
    """Write as the order on standard input says."""
    order = json.loads(sys.stdin.buffer.read())
    if order["core"] is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {order["core"]})
    rate, rows, written, log = order["rate"], order["rows"], 0, []
    with Path(order["source"]).open("rb") as source, Path(order["target"]).open("ab", buffering=0) as target:
        started = time.time()
        while written < rows:
            due = min(rows, int((time.time() - started + _EVERY_S) * rate))
            lines = [source.readline() for _ in range(due - written)]
            if lines:
                target.write(b"".join(lines))
                written = due
                log.append((written, time.time()))
            time.sleep(_EVERY_S)
    Path(order["log"]).write_text(json.dumps(log))


if __name__ == "__main__":
    main()
