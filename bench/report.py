"""The figures as tables for a person, in Markdown so that they can be kept, or as JSON for a program."""

import json
import sys
from typing import Any

Plain = dict[str, Any]


def show(done: Plain, *, as_json: bool) -> None:
    """Print all that was measured."""
    if as_json:
        sys.stdout.write(json.dumps(done, sort_keys=True) + "\n")
        return
    parts = [_machine(done["machine"]), _path(done["path"])]
    for stream, found in done["throughput"].items():
        parts.append(_throughput(stream, found))
    if "costs" in done:
        parts.append(_costs(done["costs"]))
    if "latency" in done:
        parts.append(_latency(done["latency"]))
    if "state" in done:
        parts.append(_state(done["state"]))
    sys.stdout.write("\n\n".join(parts) + "\n")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _machine(m: Plain) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in m["versions"].items())
    pinned = "pinned to one core" if m["pinned"] else "not pinned to a core (this system cannot)"
    return (
        f"Machine: {m['cpu']}, {m['cores']} cores, {m['memory_bytes'] / 2**30:.1f} GiB, {m['system']}, "
        f"load before {m['load_before']:.2f}\n"
        f"Python {m['python']}, {versions}\n"
        f"Each run: one process, {pinned}; Polars threads {m['polars_threads']}, numba threads "
        f"{m['numba_threads']}, Bytewax workers {m['bytewax_workers']}"
    )


def _path(p: Plain) -> str:
    features = ", ".join(
        f"{entity} {n['first_pass']} + {n['second_pass']}" for entity, n in p["features"].items()
    )
    detectors = ", ".join(
        f"{name} ({of['stream']}, {of['signals']} signals)" for name, of in p["detectors"].items()
    )
    return (
        f"Path: {' > '.join(p['passes'])}\n"
        f"Features (first + second pass): {features}\n"
        f"Detectors: {detectors}\n"
        f"Shards {p['shards']}, tick rows {p['tick_rows']:,}"
    )


def _throughput(stream: str, found: Any) -> str:
    variants = found if isinstance(found, list) else found["variants"]
    parts = [f"## {stream}"]
    if isinstance(found, dict):
        parts += [
            f"{each['events']:,} {each['stream']} of {each['line_bytes']} bytes a line"
            for each in found["input"]
        ]
    parts.append(_rates(variants))
    steps = [v for v in variants if "steps" in v]
    if steps:
        parts.append(_steps(steps[0]))
    if isinstance(found, dict) and "costs" in found:
        parts.append(_costs(found["costs"]))
    if isinstance(found, dict) and "twin" in found:
        parts.append(_twin(found["twin"], variants))
    return "\n\n".join(parts)


def _rates(variants: list[Plain]) -> str:
    rows = []
    for v in variants:
        rate = v["events_per_second"]
        rows.append(
            [
                v["variant"],
                f"{rate['median']:,.0f}",
                f"{rate['least']:,.0f} - {rate['most']:,.0f}",
                f"{v['microseconds_an_event']:.2f}",
                f"{v['second_half_rate']:,.0f}" if "second_half_rate" in v else "",
                f"{v['alerts']:,}" if "alerts" in v else "",
                f"{v['peak_bytes'] / 2**20:,.0f}",
            ]
        )
    head = [
        "variant",
        "events/s, median",
        "least - most",
        "us/event",
        "second half",
        "alert rows",
        "peak MiB",
    ]
    return _table(head, rows)


def _steps(variant: Plain) -> str:
    rows = [
        [name.replace("_", " "), f"{of['microseconds']:.2f}", f"{of['share']:.0%}"]
        for name, of in variant["steps"].items()
    ]
    return f"Where the time goes ({variant['variant']}):\n\n" + _table(["step", "us/event", "share"], rows)


def _costs(found: Plain) -> str:
    """What each detector costs, dearest first."""
    whole, costs = found["microseconds_an_event"], found["detectors"]
    rows = [
        [
            name,
            f"{of['median']:+.2f}",
            f"{of['from']:+.2f} to {of['to']:+.2f}",
            f"{of['median'] / whole:+.1%}",
        ]
        for name, of in sorted(costs.items(), key=lambda item: -item[1]["median"])
    ]
    alone = sum(of["median"] for of in costs.values())
    table = _table(["detector", "us/event", "19 times in 20", "of all"], rows)
    return (
        f"What each detector costs: the path behind the door, up to the alerts, takes {whole:.2f} microseconds of the "
        f"processor an event with all of them ({found['events']:,} events, {found['rounds']} rounds); less it, and what only "
        f"it reads:\n\n{table}\n\nTogether {alone:.2f}: the other {whole - alone:.2f} are the path itself and what two "
        "or more of them read. An interval that begins below nothing says no more than that the cost is below its end."
    )


def _twin(twin: Plain, variants: list[Plain]) -> str:
    naive = next(v for v in variants if v["variant"] == "naive twin")
    holds = naive["holds"]
    return (
        f"The path is {twin['times_as_fast']:.1f} times as fast as the naive twin on the same events "
        f"({twin['times_as_fast_as_with_river_on_every_row']:.1f} times with river's scaler and logistic regression "
        f"on every row). Both were asked for {', '.join(holds['detectors'])}; the twin keeps the {holds['features']} features "
        f"that this takes, as the path does; "
        f"{naive['gated_share']:.1%} of its rows pass a gate; it found "
        f"{'the same subjects' if twin['same_alerts'] else 'OTHER subjects: the two differ, find out why'}."
    )


def _latency(found: Plain) -> str:
    rows = []
    for name, words in (
        ("every_event", "every event, written to through"),
        ("alerts", "alerts, written to stored"),
    ):
        p = found[name]
        if not p["count"]:
            rows.append([words, "0", "", "", "", ""])
            continue
        most = "too few" if p["p99.9_ms"] is None else f"{p['p99.9_ms']:.1f}"
        rows.append(
            [
                words,
                f"{p['count']:,}",
                f"{p['p50_ms']:.1f}",
                f"{p['p99_ms']:.1f}",
                most,
                f"{p['most_ms']:.1f}",
            ]
        )
    head = ["milliseconds", "count", "p50", "p99", "p99.9", "most"]
    return (
        f"## Latency\n\n{found['rate']:,} events/s asked, {found['wrote_at']:,.0f} written, for {found['seconds']:.0f} s; "
        f"recovery, ledger and snapshots on, epoch 1 s; {found['ticks']:,} ticks of {found['rows_a_tick']:,.0f} rows "
        f"(median)\n\n{_table(head, rows)}\n\n{_snapshots(found['snapshots'])}"
        f"\n\n{_stills(found['snapshots']['stills'])}"
    )


def _snapshots(s: Plain | None) -> str:
    if not s:
        return "No snapshot was taken."
    longest = max(kind["longest"] for kind in s["by_kind"].values())
    return (
        f"Snapshots: {s['epochs']} epochs, {s['seconds_an_epoch'] * 1e3:.1f} ms and "
        f"{s['bytes_an_epoch'] / 2**20:.2f} MiB an epoch; longest single write {longest * 1e3:.1f} ms; "
        + ", ".join(f"{kind['times']} {name}s" for name, kind in s["by_kind"].items())
    )


def _stills(stills: Plain) -> str:
    """What all else waited for: what took the processor longest first."""
    rows = [
        [step, f"{s['times']:,}", *(f"{s[each] * 1e3:,.1f}" for each in ("cpu", "longest_cpu", "longest"))]
        for step, s in sorted(stills.items(), key=lambda item: -item[1]["longest_cpu"])
    ]
    head = [
        "all else waits for, ms",
        "times",
        "processor, all",
        "processor, longest",
        "by the clock, longest",
    ]
    return _table(head, rows)


def _state(found: Plain) -> str:
    rows = [
        [kind, f"{of['entities']:,}", f"{of['bytes_each']:,.0f}"]
        for kind, of in sorted(found["kinds"].items())
    ]
    restart = found["restart"]
    disk = ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in restart["on_disk"].items())
    return (
        "## State\n\n"
        + _table(["entity", "known", "bytes each"], rows)
        + f"\n\nRestart after kill -9 with {restart['entities']:,} entities: "
        f"{restart['seconds_to_first_tick']:.1f} s to the first tick, {restart['of_which_imports']:.1f} s of it "
        f"starting Python; on disk: {disk}\n\n"
        f"{_snapshots(found['snapshots'])} ({found['snapshots_of']})"
    )
