"""The real flow with a clock beside it: the same source, hops and sinks as `linewatch replay`, each seen at work.

Nothing here changes what the flow does. The source notes when it gave out a tick and how many rows that has; the sink
notes when the tick's alerts were in the store.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from bytewax._bytewax import cluster_main
from bytewax.recovery import RecoveryConfig, init_db_dir

from detectors.base import Detector
from events.codes import STREAMS
from events.ledger import Ledger, Tick
from events.readers import Input
from events.sequencer import Sequencer
from flows import memory
from flows.bases import Beside
from flows.dataflow import Hop, build, plan_of
from flows.keeping import Keeper
from flows.national_hop import TickDone
from flows.running import make_door
from flows.settings import Settings, shards_for
from flows.sinks import AlertsPart, AlertsSink, LettersSink
from flows.source import Cut, SequencerPart, SequencerSource
from flows.split import Split, Splitter
from monitoring import metrics

TOKEN_KEY: Final = "b5" * 32
"""Of the bench only: with the same key the same accounts fall into the same shards at every run."""
_HOUR_US: Final = 3_600_000_000


class Through(msgspec.Struct, frozen=True, array_like=True):
    """One tick that is through, its alerts in the store."""

    tick: int
    rows: int
    done_at: float
    alerts: tuple[str, ...]  # of each alert, the id of the event that was scored


@dataclass(slots=True)
class Still:
    """How long all else waited for one step: in all, and at most, of the processor and by the clock."""

    times: int = 0
    cpu: float = 0.0
    longest_cpu: float = 0.0
    longest: float = 0.0


@dataclass(slots=True)
class Seen:
    """What was seen of one run."""

    through: list[Through] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)  # seconds by part, beside the flow's own measures
    saves: list[tuple[str, float, int]] = field(default_factory=list)  # what, seconds, bytes
    stills: dict[str, Still] = field(default_factory=dict)
    epochs: int = 0
    rows_out: int = 0
    began: float = 0.0
    """When the source was opened: in a cluster only once its processes have found each other."""

    def spent(self, part: str, seconds: float) -> None:
        """Add to a part's time."""
        self.parts[part] = self.parts.get(part, 0.0) + seconds

    @contextmanager
    def at(self, step: str) -> Iterator[None]:
        """Note how long a step takes: other programs add to the clock's time, hardly to the processor's."""
        started, cpu = time.perf_counter(), time.thread_time()
        yield
        cpu, seconds = time.thread_time() - cpu, time.perf_counter() - started
        still = self.stills.setdefault(step, Still())
        still.times += 1
        still.cpu += cpu
        still.longest_cpu, still.longest = max(still.longest_cpu, cpu), max(still.longest, seconds)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to be like."""

    inputs: dict[str, str]
    folder: str
    shards: int = 0
    """0: as many as the flow itself takes for its processes."""
    tick_rows: int = Settings.model_fields["tick_rows"].default
    detectors: tuple[str, ...] | None = None
    """Ids; all when not said."""
    keeps: bool = False
    """Whether state, ledger and snapshots are written, as `linewatch run` does."""
    follow: bool = False
    rows: int = 0
    """Stop after so many rows (a followed file has no end); 0: at the end of the input."""
    epoch_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which process of how many this is."""

    addresses: tuple[str, ...] = ()
    process: int = 0
    meet: Callable[[], None] = lambda: None
    """Called when all is made and the flow is about to begin: waits for the others."""


ALONE: Final = Cluster()


class _Splitter(Splitter):
    seen: Seen

    def split(self, tick: Tick, read_at: float, taught: Sequence[tuple[str, dict[str, Any]]] = ()) -> Split:
        started = time.perf_counter()
        split = super().split(tick, read_at, taught)
        self.seen.spent("split", time.perf_counter() - started)
        return split


class _Source(SequencerPart):
    seen: Seen
    rows: int

    def next_batch(self) -> list[Cut]:
        if self.rows and self.seen.rows_out >= self.rows:
            raise StopIteration
        with self.seen.at("a tick from the source"):
            cuts = super().next_batch()
        self.seen.rows_out += sum(number for cut in cuts for number in cut.events.values())
        return cuts

    def snapshot(self) -> bytes:
        started = time.perf_counter()
        with self.seen.at("the source's close"):
            made = super().snapshot()
        if self.keeps:
            self.seen.saves.append(("door", time.perf_counter() - started, len(made)))
            self.seen.epochs += 1
        return made


class _WatchedSource(SequencerSource):
    """The sequencer's source, watched."""

    def __init__(self, seen: Seen, rows: int, *given: Any, keeps: bool) -> None:
        super().__init__(*given, keeps=keeps)
        self._seen, self._rows = seen, rows

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> SequencerPart:
        made = super().build_part(step_id, for_part, resume_state)
        self._seen.began = time.perf_counter()
        part = _Source(made.sequencer, made.splitter, keeps=made.keeps)
        part.seen, part.rows = self._seen, self._rows
        return part


class _Alerts(AlertsPart):
    seen: Seen
    on_tick: Callable[[], None] | None

    def write_batch(self, items: list[TickDone]) -> None:
        started = time.perf_counter()
        with self.seen.at("alerts to the store"):
            super().write_batch(items)
        self.seen.spent("alerts to the store", time.perf_counter() - started)
        now = time.time()
        self.seen.through += [
            Through(
                done.tick, done.events, now, tuple(alert.assessment.scored_event_id for alert in done.alerts)
            )
            for done in items
        ]
        if self.on_tick is not None:
            self.on_tick()


class _WatchedAlerts(AlertsSink):
    """The alert store, watched."""

    def __init__(self, seen: Seen, on_tick: Callable[[], None] | None, *given: Any) -> None:
        super().__init__(*given)
        self._seen, self._on_tick = seen, on_tick

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> AlertsPart:
        made = super().build_part(step_id, for_part, resume_state)
        part = _Alerts.__new__(_Alerts)
        part.__dict__ = made.__dict__
        part.seen, part.on_tick = self._seen, self._on_tick
        return part


def watch_keepers(seen: Seen) -> None:
    """Have the shards' keepers say how long the flow waited for them; for this process, which the bench started.

    What is done beside the flow is not waited for: of a base, the copying is.
    """
    write, begin, together = Keeper.write, Keeper.begin, Beside.together

    def wrote(self: Keeper) -> None:
        started, before = time.perf_counter(), self.length
        write(self)
        if self.length > before:
            seen.saves.append(("log", time.perf_counter() - started, self.length - before))

    def began(self: Keeper, dump: Callable[[], Any]) -> None:
        started = time.perf_counter()
        begin(self, dump)
        seen.saves.append(("base", time.perf_counter() - started, self.base_bytes))

    def waited(self: Beside, work: Iterable[Callable[[], int]]) -> list[OSError | None]:
        started = time.perf_counter()
        found = together(self, work)
        seen.saves.append(("disk", time.perf_counter() - started, 0))
        return found

    Keeper.write, Keeper.begin, Beside.together = wrote, began, waited  # type: ignore[method-assign]
    _watch_hops(seen)


def _watch_hops(seen: Seen) -> None:
    work, close = Hop.on_batch, Hop.snapshot

    def worked(self: Hop, values: list[tuple[str, Any]]) -> tuple[list[Any], bool]:
        with seen.at(self.step.replace("_", " ")):
            return work(self, values)

    def closed(self: Hop) -> bytes:
        with seen.at(self.step.replace("_", " ") + ", a shard's close"):
            return close(self)

    Hop.on_batch, Hop.snapshot = worked, closed  # type: ignore[method-assign]


def settings_of(options: Options) -> Settings:
    """Everything at its default but what the run says."""
    return Settings(
        data=Path(options.folder),
        token_key=TOKEN_KEY,  # type: ignore[arg-type]
        tick_rows=options.tick_rows,
        bases=None,
        sources={},
    )


def sequencer_of(options: Options, settings: Settings, snapshot: bytes | None = None) -> Sequencer:
    """The sequencer over the run's inputs."""
    folder = Path(options.folder)
    return Sequencer(
        [
            Input(stream, options.inputs[stream], f"bench-{stream}", options.follow)
            for stream in STREAMS
            if stream in options.inputs
        ],
        make_door(settings, bound=False),
        tick_rows=settings.tick_rows,
        ledger=Ledger(folder / "ledger", fsync="tick") if options.keeps else None,
        state_dir=folder / "door" if options.keeps else None,
        horizon_us=int(settings.repeat_horizon_hours * _HOUR_US),
        jump_us=int(settings.jump_days * 24 * _HOUR_US),
        snapshot=snapshot,
    )


def run(
    options: Options,
    seen: Seen,
    detectors: tuple[type[Detector], ...],
    on_tick: Callable[[], None] | None = None,
    cluster: Cluster = ALONE,
) -> float:
    """Run the flow to its end, or this process's part of it; gives the seconds it took."""
    settings, folder = settings_of(options), Path(options.folder)
    shards = options.shards or shards_for(len(cluster.addresses) or 1)
    reach = plan_of(detectors).reach

    def splitter() -> Splitter:
        made = _Splitter(shards, reach)
        made.seen = seen
        return made

    source = _WatchedSource(
        seen,
        options.rows,
        lambda snapshot: sequencer_of(options, settings, snapshot),
        splitter,
        keeps=options.keeps,
    )
    flow = build(
        source,
        _WatchedAlerts(
            seen,
            on_tick,
            f"sqlite:///{folder / 'alerts.sqlite'}",
            folder / "alerts.ndjson",
            folder / "alerts.json",
            lambda tally: None,
        ),
        LettersSink(folder / "rejected.ndjson", folder / "letters.json", None),
        shards=shards,
        state=folder / "state" if options.keeps else None,
        ends=folder / "ends",
        fsync=settings.fsync and options.keeps,
        detectors=detectors,
        workers=len(cluster.addresses) or 1,
    )
    recovery = None
    if options.keeps:
        engine = folder / "engine"
        if not list(engine.glob("*.sqlite3")):
            engine.mkdir(parents=True, exist_ok=True)
            init_db_dir(engine, 1)  # type: ignore[no-untyped-call]
        recovery = RecoveryConfig(str(engine))  # type: ignore[no-untyped-call]
    memory.settle()
    cluster.meet()
    started = time.perf_counter()
    cluster_main(  # type: ignore[no-untyped-call]
        flow,
        list(cluster.addresses),
        cluster.process,
        epoch_interval=timedelta(seconds=options.epoch_seconds),
        recovery_config=recovery,
    )
    return time.perf_counter() - (seen.began if cluster.addresses and seen.began else started)


def step_seconds() -> dict[str, float]:
    """What the flow's own measure says of each step so far."""
    return {
        sample.labels["step"]: sample.value
        for family in metrics.STEP_SECONDS.collect()
        for sample in family.samples
        if sample.name.endswith("_sum")
    }


def less(now: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """What came since."""
    return {name: value - before.get(name, 0.0) for name, value in now.items()}


def chosen(ids: Sequence[str] | None, everyone: tuple[type[Detector], ...]) -> tuple[type[Detector], ...]:
    """The detectors of these ids; all when not said."""
    return everyone if ids is None else tuple(d for d in everyone if d.id in ids)
