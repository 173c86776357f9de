"""What `linewatch bench` runs: every variant in a process of its own, in turns, and the figures put together.

Variants take turns, one run each a round, so that a machine that slows down for a while slows all of them.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import report
from bench.inputs import Made, make, make_everyone
from bench.machine import cores, machine
from console.errors import ConsoleError

WHATS: Final = ("payments", "telecoms", "both", "costs", "latency", "state", "door", "all")
_HERE: Final = Path(__file__).resolve().parent.parent
_SEED: Final = 20_260_302
_WARM_ROWS: Final = 20_000
_TWIN_ROWS: Final = 100_000
"""The twin is given the first so many events: with more its memory is the machine's end. It gains by that."""
_TWIN_DETECTORS: Final = ("mule_account",)
"""What the twin is asked for, and the path beside it: what can be said of an account from payments alone."""
_TAIL: Final = 5_000
_PATIENCE_S: Final = 3_600.0
_SETTLE_S: Final = 1.0
"""The first second of a steady input is not counted: files are found, tables begin."""

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured, and how large."""

    what: str = "all"
    events: int = 1_000_000
    accounts: int = 500_000
    runs: int = 3
    seconds: float = 60.0
    rate: int = 20_000
    entities: int = 1_000_000
    folder: Path = Path(tempfile.gettempdir()) / "linewatch-bench"

    def wants(self, *whats: str) -> bool:
        """Whether one of these is asked for."""
        return self.what == "all" or self.what in whats


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the same input."""

    name: str
    order: Plain
    results: list[Plain] = field(default_factory=list)

    def summary(self) -> Plain:
        """Median and spread of its runs, and the last run's particulars."""
        rates = sorted(result["events"] / result["seconds"] for result in self.results)
        last = self.results[-1]
        made: Plain = {
            "variant": self.name,
            "runs": len(rates),
            "events": last["events"],
            "events_per_second": {"median": statistics.median(rates), "least": rates[0], "most": rates[-1]},
            "microseconds_an_event": 1e6 / statistics.median(rates),
            "cpu_microseconds_an_event": _cpu(self.results),
            "pinned": last["pinned"],
            "peak_bytes": last["peak_bytes"],
        }
        for name in ("cpu_shares", "alerts", "gated_share", "entities", "state_bytes", "snapshots", "holds"):
            if name in last:
                made[name] = last[name]
        if "second_half_rate" in last:
            made["second_half_rate"] = statistics.median(r["second_half_rate"] for r in self.results)
        if "steps" in last:
            made["steps"] = _steps(self.results)
        return made


def _cpu(results: list[Plain]) -> float | None:
    """Microseconds of the processor an event, of the run that took least: others' work can only add to it."""
    spent = [r["cpu_seconds"] / r["events"] * 1e6 for r in results if "cpu_seconds" in r]
    return min(spent) if spent else None


def _steps(results: list[Plain]) -> Plain:
    """Each step in microseconds an event and as a share of the whole; what no step measures is Bytewax's own."""
    found = {}
    for name in results[-1]["steps"]:
        found[name] = statistics.median(r["steps"][name] / r["events"] for r in results) * 1e6
    whole = statistics.median(r["seconds"] / r["events"] for r in results) * 1e6
    found["between the steps"] = whole - sum(found.values())
    return {name: {"microseconds": spent, "share": spent / whole} for name, spent in found.items()}


def run(asked: Asked, *, as_json: bool) -> None:
    """Measure what is asked for and print it."""
    say(f"inputs and results are kept in {asked.folder}")
    done: Plain = {"machine": machine(), "asked": _plain(asked), "path": child({"what": "machine"})}
    done["throughput"] = {
        name: throughput(asked, name) for name in ("payments", "telecoms", "both") if asked.wants(name)
    }
    if asked.what == "door":
        done["throughput"]["door"] = measured(asked, _alone(asked, "payments"))
    if asked.what == "costs":
        done["costs"] = costs(asked)
    if asked.wants("latency"):
        done["latency"] = latency(asked)
    if asked.wants("state"):
        done["state"] = state(asked)
    report.show(done, as_json=as_json)


def _plain(asked: Asked) -> Plain:
    names = ("what", "events", "accounts", "runs", "seconds", "rate", "entities")
    return {name: getattr(asked, name) for name in names}


def say(words: str) -> None:
    """Progress, for whoever waits."""
    print(words, file=sys.stderr, flush=True)


def input_of(asked: Asked, stream: str, events: int | None = None) -> Made:
    """A stream's input at the size asked for."""
    events = asked.events if events is None else events
    say(f"{stream}: {events:,} events among {asked.accounts:,}")
    return make(stream, asked.folder, events=events, entities=asked.accounts, seed=_SEED)


# --------------------------------------------------------------------------------------------------------- children


def environment() -> dict[str, str]:
    """One thread for everything that would take more, and settings of nobody's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINEWATCH_")}
    one = dict.fromkeys(("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    path = os.pathsep.join(filter(None, (str(_HERE), kept.get("PYTHONPATH"))))
    return kept | one | {"PYTHONPATH": path}


def start(module: str, order: Plain, folder: Path | None = None) -> "subprocess.Popen[bytes]":
    """A process of the bench, given its order."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        cwd=folder or tempfile.gettempdir(),  # no settings file of whoever measures
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(order).encode())
    process.stdin.close()
    process.stdin = None
    return process


def child(order: Plain) -> Plain:
    """One measurement on one core."""
    return finish(start("bench.child", {"core": cores()[-1]} | order))


def finish(process: "subprocess.Popen[bytes]") -> Plain:
    """What a child measured.

    Raises:
        ConsoleError: it ended without a result.
    """
    out, _ = process.communicate(timeout=_PATIENCE_S)
    if process.returncode != 0:
        raise ConsoleError(f"a measuring process ended with {process.returncode}; its last words are above")
    return json.loads(out)  # type: ignore[no-any-return]


def measured(asked: Asked, variants: list[Variant]) -> list[Plain]:
    """Every variant run in turns."""
    for turn in range(asked.runs):
        for variant in variants:
            started = time.monotonic()
            result = child(variant.order)
            variant.results.append(result)
            rate = result["events"] / result["seconds"]
            say(
                f"  run {turn + 1} of {asked.runs}, {variant.name}: {rate:,.0f} events/s "
                f"({time.monotonic() - started:.0f} s with warm-up)"
            )
    return [variant.summary() for variant in variants]


# ------------------------------------------------------------------------------------------------------- throughput


def throughput(asked: Asked, stream: str) -> Plain:
    """The whole path in its variants, its parts alone, and for payments the naive twin."""
    streams = ("payments", "telecoms") if stream == "both" else (stream,)
    made = [input_of(asked, each) for each in streams]
    lines = {each.stream: str(each.ndjson) for each in made}
    columns = {each.stream: str(each.parquet) for each in made}
    warm = {each.stream: str(each.head(_WARM_ROWS)) for each in made}
    whole = {"what": "path", "inputs": lines, "warm": warm}
    variants = [
        Variant("NDJSON", whole),
        Variant("Parquet", whole | {"inputs": columns}),
        Variant("NDJSON, 64 shards", whole | {"shards": 64}),
        Variant("NDJSON, ledger and snapshots each second", whole | {"keeps": True, "epoch_seconds": 1.0}),
    ]
    if stream == "both" and len(cores()) > 1:
        two = {"what": "cluster", "warm": warm, "other_core": cores()[0]}
        variants += [
            Variant("NDJSON, two processes on two cores", two | {"inputs": lines}),
            Variant("Parquet, two processes on two cores", two | {"inputs": columns}),
        ]
    if stream == "both":
        found: Plain = {"input": _described(made), "variants": measured(asked, variants)}
        return found | {"costs": costs(asked)}
    variants += _alone(asked, stream)
    if stream == "payments":
        first = {stream: str(made[0].head(_TWIN_ROWS))}
        asks = {"inputs": first, "detectors": _TWIN_DETECTORS}
        words = f"NDJSON, first {min(_TWIN_ROWS, asked.events):,}, {' '.join(_TWIN_DETECTORS)} alone"
        variants += [
            Variant(words, whole | asks),
            Variant("naive twin", {"what": "twin", "warm": warm} | asks),
            Variant(
                "naive twin, river pipeline on every row",
                {"what": "twin", "warm": warm, "every_row": True} | asks,
            ),
        ]
    found = {"input": _described(made), "variants": measured(asked, variants)}
    if stream == "payments":
        found["twin"] = _ratio(variants)
    return found


def costs(asked: Asked) -> Plain:
    """What each detector costs, of both streams together."""
    inputs = {stream: str(input_of(asked, stream).parquet) for stream in ("payments", "telecoms")}
    say("what each detector costs: some minutes")
    return child({"what": "costs", "inputs": inputs})


def _alone(asked: Asked, stream: str) -> list[Variant]:
    made = input_of(asked, stream)
    warm = {stream: str(made.head(_WARM_ROWS))}
    return [
        Variant(f"{part} alone, {words}", {"what": part, "inputs": {stream: str(where)}, "warm": warm})
        for part in ("sequencer", "door")
        for words, where in (("NDJSON", made.ndjson), ("Parquet", made.parquet))
    ]


def _described(made: list[Made]) -> list[Plain]:
    return [{"stream": m.stream, "events": m.events, "line_bytes": round(m.line_bytes)} for m in made]


def _ratio(variants: list[Variant]) -> Plain:
    """How many times the twin's rate the path's is, on the same events; and whether both found the same."""
    path, twin, every_row = variants[-3:]

    def rate(variant: Variant) -> float:
        return float(statistics.median(r["events"] / r["seconds"] for r in variant.results))

    return {
        "times_as_fast": rate(path) / rate(twin),
        "times_as_fast_as_with_river_on_every_row": rate(path) / rate(every_row),
        "same_alerts": path.results[-1]["found"] == twin.results[-1]["found"],
    }


# ----------------------------------------------------------------------------------------------------------- latency


@contextmanager
def _following(asked: Asked, **order: Any) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A flow that follows a file; ended with the block if it has not ended by itself."""
    folder = Path(order["folder"])
    order |= {"what": "follow", "core": cores()[-1], "epoch_seconds": 1.0, "ready": str(folder / "ready")}
    process = start("bench.child", order | {"reached": str(folder / "reached")})
    try:
        yield process, folder
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_for(path: Path, process: "subprocess.Popen[bytes]", *, rows: int = 0) -> list[float]:
    """Wait until a child has written a file (and it says that so many rows are through)."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if path.exists():
            told = [float(word) for word in path.read_text().split()]
            if not rows or told[1] >= rows:
                return told
        if process.poll() not in (None, 0):
            raise ConsoleError("a measuring process ended too early; its last words are above")
        time.sleep(0.02)
    raise ConsoleError(f"nothing reached {path.name} in {_PATIENCE_S:.0f} seconds")


def latency(asked: Asked) -> Plain:
    """From the moment a line is written to the moment all its alerts are in the store, at a steady rate."""
    rows = int(asked.rate * asked.seconds)
    made = input_of(asked, "payments", rows)
    say(f"latency: {asked.rate:,} events/s for {asked.seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as at:
        grows, log = Path(at) / "payments.ndjson", Path(at) / "log.json"
        grows.touch()
        warm = {"payments": str(made.head(_WARM_ROWS))}
        given = {"inputs": {"payments": str(grows)}, "folder": at, "rows": rows, "warm": warm}
        with _following(asked, **given) as (process, folder):
            _wait_for(folder / "ready", process)
            time.sleep(_SETTLE_S)
            writer = start(
                "bench.writer",
                {
                    "source": str(made.ndjson), "target": str(grows), "log": str(log),
                    "rate": asked.rate, "rows": rows, "core": cores()[0] if len(cores()) > 1 else None,
                },
            )  # fmt: skip
            result = finish(process)
            writer.communicate(timeout=_PATIENCE_S)
        return _latencies(json.loads(log.read_text()), result, asked)


def _latencies(log: list[tuple[int, float]], result: Plain, asked: Asked) -> Plain:
    until, at = (np.array(column) for column in zip(*log, strict=True))
    written = np.repeat(at, np.diff(until, prepend=0))
    rows = np.array([tick[1] for tick in result["through"]])
    done = np.repeat([tick[2] for tick in result["through"]], rows)[: len(written)]
    took = done - written[: len(done)]
    steady = written[: len(done)] >= written[0] + _SETTLE_S
    last = np.cumsum(rows)
    alerts = [
        tick[2] - written[number]
        for i, tick in enumerate(result["through"])
        for number in (int(event_id[1:]) for event_id in tick[3])
        if last[i] - rows[i] <= number < last[i] and written[number] >= written[0] + _SETTLE_S
    ]
    return {
        "rate": asked.rate,
        "wrote_at": len(written) / (at[-1] - at[0]) if len(at) > 1 else 0.0,
        "seconds": asked.seconds,
        "ticks": len(rows),
        "rows_a_tick": float(np.median(rows)),
        "every_event": _percentiles(took[steady]),
        "alerts": _percentiles(np.array(alerts)),
        "snapshots": result.get("snapshots"),
    }


def _percentiles(seconds: "np.ndarray[Any, np.dtype[np.float64]]") -> Plain:
    if not len(seconds):
        return {"count": 0}
    p50, p99, p999 = np.percentile(seconds, (50, 99, 99.9)) * 1e3
    # a percentile needs some events beyond it: ten at least
    enough = len(seconds) >= 10_000
    return {
        "count": len(seconds),
        "p50_ms": p50,
        "p99_ms": p99,
        "p99.9_ms": p999 if enough else None,
        "most_ms": float(seconds.max()) * 1e3,
    }


# ------------------------------------------------------------------------------------------------------------- state


def state(asked: Asked) -> Plain:
    """Bytes an entity, what an epoch's snapshot costs, and how soon a killed flow works again."""
    say(f"state: {asked.entities:,} accounts")
    made = make_everyone(asked.folder, entities=asked.entities, seed=_SEED)
    rows = made.events - _TAIL
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as at:
        grows, rest = Path(at) / "payments.ndjson", _parted(made, Path(at), rows)
        given = {"inputs": {"payments": str(grows)}, "folder": at}
        with _following(asked, **given, rows=0) as (process, folder):
            _wait_for(folder / "reached", process, rows=rows)
            time.sleep(3.0)  # three epochs: all is committed
            say("  killing it, and starting it again")
        (folder / "reached").unlink()
        with grows.open("ab") as file:
            file.write(rest)
        began = time.time()
        with _following(asked, **given, rows=_TAIL) as (process, folder):
            first = _wait_for(folder / "reached", process)[0]
            result = finish(process)
        ready = float((folder / "ready").read_text())
        kept = {
            part: sum(f.stat().st_size for f in (folder / part).rglob("*") if f.is_file())
            for part in ("state", "engine", "door", "ledger")
        }
    telecoms = input_of(asked, "telecoms")
    warm = {"telecoms": str(telecoms.head(_WARM_ROWS))}
    order = {"what": "path", "inputs": {"telecoms": str(telecoms.ndjson)}, "warm": warm}
    spoken = child(order | {"keeps": True, "epoch_seconds": 1.0})
    kinds: Plain = {}
    for told in (spoken, result):
        for kind, number in told["entities"].items():
            kinds[kind] = {"entities": number, "bytes_each": told["state_bytes"][kind] / number}
    return {
        "kinds": kinds,
        "restart": {
            "entities": sum(result["entities"].values()),
            "seconds_to_first_tick": first - began,
            "of_which_imports": ready - began,
            "on_disk": kept,
        },
        "snapshots": spoken["snapshots"],
        "snapshots_of": f"telecoms at full speed, {spoken['events'] / spoken['seconds']:,.0f} events/s",
    }


def _parted(made: Made, at: Path, rows: int) -> bytes:
    """The first lines into the file that is followed; gives the others."""
    with made.ndjson.open("rb") as source, (at / "payments.ndjson").open("wb") as target:
        for _, line in zip(range(rows), source, strict=False):
            target.write(line)
        # zip has taken no line too many: the range ends first
        return source.read()
