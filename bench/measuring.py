"""What a child measures: the whole path, the door alone, the sequencer alone, a followed input."""

import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from bench import watched
from bench.watched import Options, Seen
from detectors.discovery import all_detectors
from events.door import Door
from events.rejected import Where
from flows.running import make_door
from flows.settings import Settings

_CHUNK: Final = 4 << 20
_KIB: Final = 1024


def peak_bytes() -> int:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB


def path(order: dict[str, Any]) -> dict[str, Any]:
    """The whole path from records to alerts in the store, after a warm-up of the same."""
    detectors = watched.chosen(order.get("detectors"), all_detectors())
    given = {k: order[k] for k in ("shards", "tick_rows", "keeps", "epoch_seconds") if k in order}
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as folder:
        warm = Options(inputs=order["warm"], folder=f"{folder}/warm", **given)
        Path(warm.folder).mkdir()
        watched.run(warm, Seen(), detectors)
        options = Options(inputs=order["inputs"], folder=f"{folder}/run", **given)
        Path(options.folder).mkdir()
        seen, before = Seen(), watched.step_seconds()
        if options.keeps:
            watched.watch_keepers(seen)
        began, cpu = time.time(), time.process_time()
        seconds = watched.run(options, seen, detectors)
        cpu = time.process_time() - cpu
        steps = watched.less(watched.step_seconds(), before)
        steps["split"] = seen.parts.get("split", 0.0)
        steps["door"] -= steps["split"]
        steps["alerts to the store"] = seen.parts.get("alerts to the store", 0.0)
        return {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "events": sum(tick.rows for tick in seen.through),
            "second_half_rate": _second_half(seen, began),
            "ticks": len(seen.through),
            "steps": steps,
            "peak_bytes": peak_bytes(),
            **outcome(Path(options.folder)),
            **_kept(seen, Path(options.folder)),
        }


def _second_half(seen: Seen, began: float) -> float:
    """Events a second from the middle on, when most entities are known and the tables have grown."""
    total, reached = sum(tick.rows for tick in seen.through), 0
    for tick in seen.through:
        reached += tick.rows
        if reached >= total / 2:
            took = seen.through[-1].done_at - tick.done_at
            return (total - reached) / took if took > 0 else 0.0
    return 0.0


def outcome(folder: Path) -> dict[str, Any]:
    """What was found and what is known at the end."""
    lines = (folder / "alerts.ndjson").read_bytes().splitlines()
    alerts = [msgspec.json.decode(line) for line in lines]
    found = {(alert["detector"], alert["subjects"][0]["token"]) for alert in alerts}
    letters = json.loads((folder / "letters.json").read_bytes())
    counts: dict[str, dict[str, int]] = {"entities": {}, "bytes": {}}
    for end in sorted((folder / "ends").glob("*.json")):
        told = json.loads(end.read_bytes())
        for what, of in counts.items():
            # both passes know a subject: it is counted in the first, and its bytes are those of both
            if what == "entities" and not end.stem.startswith("one-"):
                continue
            for kind, number in told.get(what, {}).items():
                of[kind] = of.get(kind, 0) + number
    return {
        "alerts": len(lines),
        "found": sorted(found),
        "refused": sum(letters["rejected"].values()),
        "entities": {kind: n for kind, n in counts["entities"].items() if n},
        "state_bytes": {kind: n for kind, n in counts["bytes"].items() if counts["entities"].get(kind)},
    }


def _kept(seen: Seen, folder: Path) -> dict[str, Any]:
    """What keeping it cost."""
    if not seen.saves:
        return {}
    epochs = max(1, seen.epochs)
    kinds: dict[str, Any] = {}
    for what in ("door", "log", "disk", "base"):
        mine = [(seconds, size) for kind, seconds, size in seen.saves if kind == what]
        kinds[what] = {
            "times": len(mine),
            "seconds": sum(seconds for seconds, _ in mine),
            "longest": max((seconds for seconds, _ in mine), default=0.0),
            "bytes": sum(size for _, size in mine),
        }
    return {
        "snapshots": {
            "epochs": seen.epochs,
            "seconds_an_epoch": sum(k["seconds"] for k in kinds.values()) / epochs,
            "bytes_an_epoch": sum(k["bytes"] for k in kinds.values()) / epochs,
            "by_kind": kinds,
            "stills": {step: msgspec.to_builtins(still) for step, still in seen.stills.items()},
            "on_disk": {
                part: sum(f.stat().st_size for f in (folder / part).rglob("*") if f.is_file())
                for part in ("state", "engine", "door", "ledger")
            },
        }
    }


# --------------------------------------------------------------------------------------------- parts of the path alone


def door(order: dict[str, Any]) -> dict[str, Any]:
    """The door alone: chunks in, frames of tokens out."""
    ((stream, where),) = order["inputs"].items()
    warm = order["warm"][stream]
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as folder:
        made = make_door(watched.settings_of(Options(inputs={}, folder=folder)), bound=False)
        _decode(made, stream, warm)
        started = time.perf_counter()
        events = _decode(made, stream, where)
        return {"seconds": time.perf_counter() - started, "events": events, "peak_bytes": peak_bytes()}


def _decode(made: Door, stream: str, where: str) -> int:
    accepted = 0
    if where.endswith(".parquet"):
        frame = pl.read_parquet(where)
        for start in range(0, frame.height, Settings().tick_rows):
            rows = frame.slice(start, Settings().tick_rows)
            accepted += made.decode(stream, rows, source="bench", where=Where(where, start)).frame.height
        return accepted
    with open(where, "rb") as file:
        while chunk := file.read(_CHUNK):
            chunk += file.readline()
            accepted += made.decode(stream, chunk, source="bench", where=Where(where, 0)).frame.height
    return accepted


def sequencer(order: dict[str, Any]) -> dict[str, Any]:
    """The sequencer with the door behind it: files in, ticks out."""
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as folder:
        _cut(Options(inputs=order["warm"], folder=folder))
        started = time.perf_counter()
        events = _cut(Options(inputs=order["inputs"], folder=folder))
        return {"seconds": time.perf_counter() - started, "events": events, "peak_bytes": peak_bytes()}


def _cut(options: Options) -> int:
    made, rows = watched.sequencer_of(options, watched.settings_of(options)), 0
    while not made.finished:
        tick = made.next_tick()
        rows += 0 if tick is None else tick.height
    made.close()
    return rows


# ------------------------------------------------------------------------------------------------------ a followed input


def follow(order: dict[str, Any]) -> dict[str, Any]:
    """A file that grows, snapshots on: goes on until so many rows are through, and tells when each tick was."""
    if "warm" in order:
        with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as warm:
            watched.run(Options(inputs=order["warm"], folder=warm), Seen(), all_detectors())
    options = Options(
        inputs=order["inputs"],
        folder=order["folder"],
        keeps=True,
        follow=True,
        rows=order["rows"],
        epoch_seconds=order["epoch_seconds"],
    )
    seen = Seen()
    watched.watch_keepers(seen)
    reached = Path(order["reached"])

    def on_tick() -> None:
        part = reached.with_suffix(".part")
        part.write_text(f"{seen.through[0].done_at!r} {sum(tick.rows for tick in seen.through)}")
        part.replace(reached)

    Path(order["ready"]).write_text(repr(time.time()))
    seconds = watched.run(options, seen, all_detectors(), on_tick)
    return {
        "seconds": seconds,
        "through": [msgspec.to_builtins(tick) for tick in seen.through],
        "peak_bytes": peak_bytes(),
        "pid": os.getpid(),
        **outcome(Path(options.folder)),
        **_kept(seen, Path(options.folder)),
    }
