"""Running a made-up world: day after day, to files, or as a stream at real or scaled time.

A day is told by every mechanism in turn, then everything recorded before its end is written in the order of
recording; what is recorded later waits. So memory holds a day, and of ordinary life a run of seven days is the
beginning of a run of fourteen.
"""

import pkgutil
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import polars as pl

from simulator.arrays import SECOND, Ints
from simulator.background import ordinary_life
from simulator.building import build_world
from simulator.chance import chance
from simulator.diary import Diary, Mechanism
from simulator.errors import SimulationError
from simulator.parameters import Parameters
from simulator.records import STREAMS, Writer
from simulator.spreads import spreads
from simulator.world import World
from simulator.writing import NdjsonFolder, ParquetFolder, Sink, Stretch, stretches, write_truth

FOLDERS: Final = ("innocents", "crimes")
"""Where mechanisms beside ordinary life are found, in the order they are told."""
Scenario = Mapping[str, Any] | Path | str | None
Progress = Callable[[int, int, int], None]
"""Told after each day: days done, days in all, records written so far."""


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What a run wrote."""

    people: int
    days: int
    seed: int
    start: date
    records: Mapping[str, int]
    held_back: int
    """Records of the last days that would be recorded after the run's end: calls still going on, late labels."""
    truths: int
    sources: Mapping[str, str]
    """Every supplier and the legs it reports (`own` or `both`), as settings have to say."""
    parameters: Parameters = field(repr=False)

    @property
    def total(self) -> int:
        """Records in all streams."""
        return sum(self.records.values())


class Simulation:
    """One world and what goes on in it."""

    def __init__(self, people: int, days: int, seed: int, start: date, scenario: Scenario = None) -> None:
        settings = read_scenario(scenario)
        self.world: World = build_world(people, days, seed, start, settings)
        self.diary = Diary(self.world)
        self.mechanisms = [*ordinary_life(), *found_mechanisms(self.world.parameters)]
        self.records = dict.fromkeys(STREAMS, 0)
        _no_two_alike(self.mechanisms)
        for mechanism in self.mechanisms:
            mechanism.begin(self.world, chance(seed, mechanism.name, "begin"))

    def live(self, day: int) -> None:
        """Let a day happen."""
        if day == 0:
            self._register()
        for mechanism in self.mechanisms:
            self.diary.open(mechanism.name, day)
            mechanism.day(self.world, day, chance(self.world.seed, mechanism.name, day), self.diary)
        self.diary.close()

    def due(self, day: int) -> Iterator[Stretch]:
        """What was recorded by the end of a day, stream by stream, in the order of recording."""
        before = self.world.calendar.midnight(day + 1)
        for stream in STREAMS:
            batches, order = self.diary.waiting[stream].take(before)
            for stretch in stretches(stream, batches, order):
                self.records[stream] += len(stretch.recorded)
                yield stretch

    def writer(self, *, typed: bool) -> Writer:
        """What turns the waiting rows into the contract's fields."""
        return Writer(self.world, self.diary.wordings, self.diary.notes, typed=typed)

    def summary(self) -> SimulationSummary:
        """What has been written so far."""
        world = self.world
        return SimulationSummary(
            people=len(world.people),
            days=world.calendar.days,
            seed=world.seed,
            start=world.start,
            records=dict(self.records),
            held_back=sum(len(waiting) for waiting in self.diary.waiting.values()),
            truths=len(self.diary.truths),
            sources=sources(world.parameters),
            parameters=world.parameters,
        )

    def _register(self) -> None:
        """At the start every bank knows which numbers its customers registered."""
        accounts, first = self.world.accounts, self.world.calendar.first
        rows = np.arange(self.world.native_accounts)
        known = rows[
            (accounts.phone[rows] >= 0) & (accounts.holder[rows] >= 0) & (accounts.opened[rows] < first)
        ]
        self.diary.open("registry", -1)
        midnight = self.world.calendar.midnight(0)
        self.diary.links(known, accounts.phone[known], midnight, accounts.opened[known] * 86_400 * SECOND)


def simulate(
    people: int,
    days: int,
    seed: int,
    start: date,
    out: Path,
    *,
    format: Literal["ndjson", "parquet"] = "ndjson",
    scenario: Scenario = None,
    on_progress: Progress | None = None,
) -> SimulationSummary:
    """Write a made-up world: six streams to `out`, what really went on to `out/truth`.

    Raises:
        SimulationError: it cannot be built as asked.
    """
    run = Simulation(people, days, seed, start, scenario)
    sink: Sink = (
        ParquetFolder(out) if format == "parquet" else NdjsonFolder(out, run.world.parameters.bad_share)
    )
    writer = run.writer(typed=sink.typed)
    try:
        for day in range(days):
            run.live(day)
            for stretch in run.due(day):
                sink.write(stretch, writer)
            if on_progress is not None:
                on_progress(day + 1, days, sum(run.records.values()))
    finally:
        sink.close()
    _write_apart(out, run)
    return run.summary()


def stream(
    people: int,
    days: int,
    seed: int,
    start: date,
    out: Path | None,
    *,
    speed: float = 1.0,
    scenario: Scenario = None,
    only: str | None = None,
    to: BinaryIO | None = None,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> SimulationSummary:
    """Let a made-up world happen: each record appears when it is recorded, `speed` times as fast as in life.

    To growing NDJSON files in `out`, or (`out` None) to standard output: one stream when `only` names it, else all
    of them with a field `stream` in front. `speed` 0 does not wait.
    """
    if only is not None and only not in STREAMS:
        raise SimulationError(f"there is no stream {only!r}; there are: {', '.join(STREAMS)}")
    run = Simulation(people, days, seed, start, scenario)
    writer = run.writer(typed=False)
    if out is not None:  # first, since a flow may start as soon as there are files to follow
        _write_sources(out, run)
    carrier = _Lines(out, only, to if to is not None else sys.stdout.buffer)
    begin, first = now(), run.world.calendar.midnight(0)
    try:
        for day in range(days):
            run.live(day)
            _emit(_by_time(run, day, writer), carrier, speed, first, begin, now, pause)
            if out is not None:
                _write_apart(out, run)
    finally:
        carrier.close()
    return run.summary()


def _write_apart(out: Path, run: Simulation) -> None:
    """What no flow reads: what really went on, and what the world is like."""
    world, accounts = run.world, run.world.people.account
    about = {
        "people": len(world.people),
        "adults": int(((world.people.age >= 18) & (accounts >= 0)).sum()),
        "subscriptions": world.subscribers,
        "days": world.calendar.days,
        "seed": world.seed,
        "start": world.start.isoformat(),
        "sources": sources(world.parameters),
        "parameters": {name: getattr(world.parameters, name) for name in spreads(Parameters)},
    }
    write_truth(out / "truth", run.diary, about)
    _write_sources(out, run)


def _write_sources(out: Path, run: Simulation) -> None:
    """Which legs each supplier reports: a flow that reads this folder has to know."""
    out.mkdir(parents=True, exist_ok=True)
    legs = sources(run.world.parameters)
    told = "".join(f'[sources."{name}"]\nlegs = "{which}"\n\n' for name, which in legs.items())
    (out / "sources.toml").write_text(told, encoding="utf-8")


class _Lines:
    """Lines to growing files, or to one output for all streams."""

    def __init__(self, out: Path | None, only: str | None, to: BinaryIO) -> None:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            self._files = {name: (out / f"{name}.ndjson").open("wb") for name in STREAMS}
        else:
            self._files = {}
        self._only, self._to = only, to

    def write(self, stream: str, line: str) -> None:
        if self._files:
            self._files[stream].write(line.encode())
        elif self._only is None:
            self._to.write(f'{{"stream":"{stream}",{line[1:]}'.encode())
        elif self._only == stream:
            self._to.write(line.encode())

    def flush(self) -> None:
        for file in self._files.values():
            file.flush()
        if not self._files:
            self._to.flush()

    def close(self) -> None:
        self.flush()
        for file in self._files.values():
            file.close()


def _by_time(run: Simulation, day: int, writer: Writer) -> tuple[Ints, list[str], list[str]]:
    """A day's lines of all streams in the order of recording: when, which stream, the line."""
    times: list[Ints] = []
    lines: list[pl.Series] = []
    streams: list[str] = []
    for stretch in run.due(day):
        times.append(stretch.recorded)
        lines.append(stretch.lines(writer, run.world.parameters.bad_share))
        streams += [stretch.stream] * len(stretch.recorded)
    when = np.concatenate(times) if times else np.empty(0, np.int64)
    order = np.argsort(when, kind="stable")
    text = pl.concat(lines).gather(order.astype(np.uint32)).to_list() if lines else []
    return when[order], [streams[place] for place in order], text


def _emit(
    rows: tuple[Ints, list[str], list[str]],
    carrier: _Lines,
    speed: float,
    first: int,
    begin: float,
    now: Callable[[], float],
    pause: Callable[[float], None],
) -> None:
    """Write each line when its time has come."""
    when, streams, lines = rows
    done = 0
    while done < len(lines):
        if speed <= 0:
            upto = len(lines)
        else:
            upto = int(np.searchsorted(when, first + int((now() - begin) * speed * SECOND), side="right"))
        for place in range(done, upto):
            carrier.write(streams[place], lines[place])
        carrier.flush()
        done = max(done, upto)
        if done < len(lines):
            wait = (int(when[done]) - first) / SECOND / speed - (now() - begin)
            pause(min(max(wait, 0.01), 0.5))


def sources(parameters: Parameters) -> dict[str, str]:
    """Every supplier here and the legs it reports."""
    out = {f"operator-{i + 1}": "own" for i in range(parameters.operators)}
    out |= {f"bank-{i + 1}": "both" if i == parameters.both_bank else "own" for i in range(parameters.banks)}
    return out | {"registry": "own", "outcomes": "own", "watch-list": "own"}


def read_scenario(scenario: Scenario) -> Mapping[str, Any]:
    """A scenario as a table, from a file of the user's or by the name of one that ships.

    Raises:
        SimulationError: there is no such file, or it is not TOML.
    """
    if scenario is None:
        return {}
    if isinstance(scenario, Mapping):
        return scenario
    path, folder = Path(scenario), Path(__file__).with_name("scenarios")
    shipped = folder / f"{path.name}.toml"
    if not path.is_file() and path.name == str(scenario) and shipped.exists():
        path = shipped
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
        raise SimulationError(f"no scenario {scenario}: name a TOML file, or one of {names}") from error
    except tomllib.TOMLDecodeError as error:
        raise SimulationError(f"{path} is not TOML ({error}); see docs/simulator.md") from error


def found_mechanisms(parameters: Parameters) -> list[Mechanism]:
    """The crimes and innocent look-alikes that ship, less those a scenario switches off (`[run] without = [...]`)."""
    without = set(parameters.settings("run").get("without", ()))
    found: list[Mechanism] = []
    known: set[str] = set(FOLDERS)
    for folder in FOLDERS:
        package = import_module(f"simulator.{folder}")
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            make = getattr(import_module(f"simulator.{folder}.{module.name}"), "mechanisms", None)
            if make is None:
                continue
            known.add(module.name)
            if not without & {folder, module.name}:
                found += make(parameters)
    unknown = sorted(without - known)
    if unknown:
        raise SimulationError(f"[run] without names {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    return found


def _no_two_alike(mechanisms: list[Mechanism]) -> None:
    names = [mechanism.name for mechanism in mechanisms]
    if len({Diary.key(name) for name in [*names, "registry"]}) != len(names) + 1:
        raise SimulationError(
            f"two mechanisms have the same name, or names whose keys are the same: {sorted(names)}"
        )
