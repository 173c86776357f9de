"""Running the flow: once over files (replay), or without end and supervised (run)."""

import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from bytewax._bytewax import cluster_main
from bytewax.recovery import RecoveryConfig, init_db_dir

from alerts.priority import STANDING, read_rules
from alerts.store import AlertStore
from detectors.discovery import all_detectors
from events.bases import Bases
from events.codes import STREAMS
from events.door import LATEST, Door, Source
from events.ledger import Ledger, Tick, sync_folder
from events.readers import Input
from events.sequencer import Sequencer
from features.rows import Entity
from flows import control_rows, memory
from flows.dataflow import build, plan_of
from flows.drawing import Draw
from flows.errors import FlowError
from flows.guarding import guard
from flows.keeping import Keeper, is_passing
from flows.learner import LearnerSink, word_of_lesson
from flows.settings import Settings, key_ring, shards_for, sources_beside
from flows.shelf import Shelf
from flows.sinks import AlertsSink, LettersSink, ShadowSink, Tally
from flows.source import LedgerTicks, SequencerSource, Watch
from flows.split import TELLING, Splitter
from models import shadows
from monitoring import metrics, processes
from monitoring.exposition import Exposition
from places.forces import forces

_HOUR_US: Final = 3_600_000_000
_DAY: Final = timedelta(days=1)
_REPLAY_EPOCH_S: Final = 10.0
_REPLAY_BYTES: Final = 8 << 20
_FOLLOW_BYTES: Final = 2 << 20
_STOP_S: Final = 30.0
_RESTART_S: Final = 1.0
_HEALTHY_S: Final = 30.0
_MOST_FAILURES: Final = 5
_LOOK_S: Final = 0.2
_ORPHAN_S: Final = 0.5
_ROOM_BYTES: Final = 1 << 20
"""So much must go onto the recovery folder's disk before the processes are started there again."""
_LOCK: Final = ".lock"
_DROPPED: Final = "dropped."
_FIRST: Final = "one-"
_LAID_OUT: Final = "processes"
_SHARDS: Final = "shards"
_SHARDS_BEFORE: Final = 16
"""Of recovery folders that do not say: once it did not depend on the processes."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow is asked to do."""

    inputs: dict[str, tuple[str, ...]]
    store: str
    data: Path
    recovery: Path | None = None
    processes: int | None = None
    metrics_port: int | None = None
    follow: bool = False
    ledger: bool | None = None
    alerts_out: Path | None = None
    digests: bool = False
    epoch_seconds: float | None = None
    bound: bool = True
    """Whether records from after tomorrow are refused."""
    learn: bool | None = None
    """Whether the flow keeps examples and learns as it goes; as the settings say when not said."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a flow is."""

    events: int = 0
    rejected: int = 0
    repeats: int = 0
    alerts: int = 0
    ticks: int = 0
    event_time: int = 0
    events_per_second: float = 0.0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow did."""

    events: dict[str, int]
    rejected: dict[str, int]
    dropped: dict[str, int]
    repeats: int
    late: int
    raised: int
    amended: int
    seconds: float
    peak_memory_bytes: int
    entities: dict[str, int]
    state_bytes: dict[str, int]


class _Folders(msgspec.Struct, frozen=True):
    """Where one run keeps its things."""

    run: Path
    state: Path | None
    engine: Path | None
    door: Path | None

    @property
    def words(self) -> Path:
        """Where the learner leaves word of each lesson, for the source."""
        return self.run / "lessons"

    @classmethod
    def of(cls, options: RunOptions) -> "_Folders":
        at = options.recovery
        run = (at or options.data) / "run"
        if at is None:
            return cls(run, None, None, None)
        return cls(run, at / "state", at / "engine", at / "door")


def replay(
    options: RunOptions, on_progress: Callable[[Progress], None] | None = None, watch: Watch | None = None
) -> Summary:
    """Run files through the flow as fast as they go, then stop; followed files until `watch` says so.

    Raises:
        FlowError: a process of the flow ended before the input did.
    """
    started = time.monotonic()
    settings = Settings()
    with _alone(options):
        folders = _prepared(options, settings)
        count = options.processes or 1
        metrics.READY.set(1)
        if count == 1:
            teller = None if on_progress is None else _Teller(on_progress, started)
            _work(options, settings, folders, [], 0, teller, watch or Watch())
        else:
            _cluster_once(options, settings, folders, count, on_progress, started)
        return _summary(folders, time.monotonic() - started)


def replay_ledger(
    ledger: Path, options: RunOptions, on_progress: Callable[[Progress], None] | None = None
) -> Summary:
    """Run the ticks of a ledger through the flow again, in one process, from the first that is kept.

    With the whole ledger the alerts are those of the run that wrote it, byte for byte. That run must stand still, and
    `options.data` be another folder than its own; the inputs in the options are not read.
    """
    started = time.monotonic()
    settings = Settings()
    options = msgspec.structs.replace(options, recovery=None, inputs={}, follow=False)
    with _alone(options):
        folders = _prepared(options, settings)
        metrics.READY.set(1)
        teller = None if on_progress is None else _Teller(on_progress, started)
        source = SequencerSource(
            lambda _: LedgerTicks(Ledger(ledger, fsync="never")),
            lambda: _splitter(
                settings,
                _shards(options, settings, folders),
                ledger.parent,
                learns=_learns(options, settings),
            ),
            keeps=False,
            told=lambda tick: word_of_lesson(folders.words, tick),
        )
        _flow_of(source, options, settings, folders, [], 0, teller)
        return _summary(folders, time.monotonic() - started)


def run(options: RunOptions) -> None:
    """Run without end: processes that fall are started again, all together, from the last snapshot.

    Raises:
        FlowError: the processes fell again and again without getting anywhere.
    """
    settings = Settings()
    options = _lasting(options, settings)
    with _alone(options):
        folders = _prepared(options, settings)
        supervisor = _Supervisor(options, settings, folders)
        supervisor.run()


def _lasting(options: RunOptions, settings: Settings) -> RunOptions:
    """A run keeps a ledger and recovers, whether or not it was told where."""
    ledger = settings.ledger if options.ledger is None else options.ledger
    if options.follow and not ledger:
        raise FlowError(
            "a run that follows its input cannot recover without the ledger: leave the setting `ledger` on, or use "
            "replay for files that are whole"
        )
    return msgspec.structs.replace(
        options,
        recovery=options.recovery or options.data / "recovery",
        processes=options.processes or settings.processes,
        ledger=ledger,
    )


@contextmanager
def _alone(options: RunOptions) -> Iterator[None]:
    """One flow at a time in a folder: two would write over each other's state.

    Raises:
        FlowError: there is one at work already.
    """
    folder = _Folders.of(options).run
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise FlowError(
                f"another flow is at work in {folder.parent}: stop it first, or use another folder"
            ) from held
        yield


def _prepared(options: RunOptions, settings: Settings) -> _Folders:
    """Make the folders, and the key if there is none, before any process needs them."""
    folders = _Folders.of(options)
    if folders.engine is None:
        for old in folders.run.glob("*.json"):
            old.unlink()
        for old in (folders.run / "ends").glob("*.json"):
            old.unlink()
    (folders.run / "ends").mkdir(parents=True, exist_ok=True)
    control_rows.folder_of(options.data).mkdir(parents=True, exist_ok=True)
    key_ring(settings)
    if folders.engine is None or not list(folders.engine.glob("*.sqlite3")):
        for old in folders.words.glob("*.json"):  # of an earlier run, which nobody goes on from
            old.unlink()
    if folders.engine is not None and not list(folders.engine.glob("*.sqlite3")):
        (folders.run / _LAID_OUT).write_text(str(options.processes or 1))
        (folders.run / _SHARDS).write_text(str(settings.shards or shards_for(options.processes or 1)))
        _make_engine(folders.engine)
    _shards(options, settings, folders)  # a folder of another number is told of before anything begins
    return folders


def _make_engine(folder: Path) -> None:
    """Make the engine's database whole or not at all: one that a kill left half made could never be resumed from."""
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    init_db_dir(unfinished, 1)  # type: ignore[no-untyped-call]
    for made in unfinished.iterdir():
        made.replace(folder / made.name)
    unfinished.rmdir()
    sync_folder(folder)


def _laid_out(options: RunOptions, folders: _Folders) -> int:
    """For how many processes the shards have their names: in a recovery folder those it began with, for good."""
    if folders.engine is None:
        return options.processes or 1
    told = folders.run / _LAID_OUT
    return int(told.read_text()) if told.exists() else 1


def _shards(options: RunOptions, settings: Settings, folders: _Folders) -> int:
    """Parts the state is split into: in a recovery folder those it began with, for good.

    Raises:
        FlowError: the setting says another number than the folder.
    """
    if folders.engine is None:
        return settings.shards or shards_for(options.processes or 1)
    told = folders.run / _SHARDS
    kept = int(told.read_text()) if told.exists() else settings.shards or _SHARDS_BEFORE
    if settings.shards not in (None, kept):
        raise FlowError(
            f"the recovery folder was made with {kept} shards and the setting now says {settings.shards}: "
            "set it back, or leave it out, or start with a new folder"
        )
    return kept


# ------------------------------------------------------------------------------------------------------ one process


def _work(
    options: RunOptions,
    settings: Settings,
    folders: _Folders,
    addresses: list[str],
    process: int,
    tell: "_Teller | None",
    watch: Watch,
) -> None:
    """This process's part of the flow, to the end of the input."""
    ledger_folder = options.data / "ledger" if options.ledger else None
    door = make_door(settings, bound=options.bound, inputs=options.inputs)
    if options.follow and options.bound:
        watch.before = lambda: door.take_until(_tomorrow())
    source = SequencerSource(
        lambda snapshot: _sequencer(options, settings, folders, ledger_folder, snapshot, door),
        lambda: _splitter(
            settings,
            _shards(options, settings, folders),
            options.data,
            learns=_learns(options, settings),
            keeper=Keeper(folders.state, TELLING, fsync=settings.fsync and options.follow),
        ),
        keeps=folders.door is not None,
        watch=watch,
        ledger=ledger_folder,
        told=lambda tick: word_of_lesson(folders.words, tick),
    )
    _flow_of(source, options, settings, folders, addresses, process, tell)


def ticks_of(options: RunOptions) -> Iterator[Tick]:
    """The ticks of the inputs as a replay of the same options cuts them, with the data folder's control rows."""
    settings = Settings()
    door = make_door(settings, bound=options.bound, inputs=options.inputs)
    sequencer = _sequencer(options, settings, _Folders.of(options), None, None, door)
    yield from sequencer.ticks()


def _splitter(
    settings: Settings, shards: int, data: Path, *, learns: bool, keeper: Keeper | None = None
) -> Splitter:
    hours = settings.learn_hours if learns else 0
    reach, shelf = plan_of(all_detectors()).reach, Shelf(data, settings.model_key)
    return Splitter(shards, reach, hours * _HOUR_US, shelf, keeper or Keeper(None, TELLING))


def _learns(options: RunOptions, settings: Settings) -> bool:
    return settings.learn if options.learn is None else options.learn


def _flow_of(
    source: SequencerSource,
    options: RunOptions,
    settings: Settings,
    folders: _Folders,
    addresses: list[str],
    process: int,
    tell: "_Teller | None",
) -> None:
    learns = _learns(options, settings)
    learner = None
    if learns:
        learner = LearnerSink(
            all_detectors(),
            options.data,
            folders.words,
            folders.state,
            fsync=settings.fsync and options.follow,
        )
    flow = build(
        source,
        AlertsSink(
            options.store,
            options.alerts_out,
            folders.run / "alerts.json",
            None if tell is None else tell.alerts,
        ),
        LettersSink(
            options.data / "rejected.ndjson",
            folders.run / "letters.json",
            None if tell is None else tell.letters,
        ),
        shards=_shards(options, settings, folders),
        state=folders.state,
        ends=folders.run / "ends",
        digests=options.digests,
        fsync=settings.fsync and options.follow,
        data_class=settings.data_class,
        priorities=STANDING if settings.priority is None else read_rules(settings.priority),
        draw=Draw(settings.sample_one_in) if learns else None,
        learner=learner,
        shadows=ShadowSink(
            options.data / shadows.FILE,
            (lambda at: _guard(options, settings, at)) if options.follow else None,
        ),
        workers=_laid_out(options, folders),
    )
    seconds = options.epoch_seconds or (settings.epoch_seconds if options.follow else _REPLAY_EPOCH_S)
    recovery = None if folders.engine is None else RecoveryConfig(str(folders.engine))  # type: ignore[no-untyped-call]
    memory.settle()
    cluster_main(  # type: ignore[no-untyped-call]
        flow, addresses, process, epoch_interval=timedelta(seconds=seconds), recovery_config=recovery
    )


def _guard(options: RunOptions, settings: Settings, at: int) -> None:
    """Hold every champion against the one before it, on what was found out since."""
    store = AlertStore(options.store)
    try:
        guard(options.data, store, settings.model_key, at=at or None)
    finally:
        store.close()


def _sequencer(
    options: RunOptions,
    settings: Settings,
    folders: _Folders,
    ledger_folder: Path | None,
    snapshot: bytes | None,
    door: Door,
) -> Sequencer:
    ledger = (
        None if ledger_folder is None else Ledger(ledger_folder, fsync="tick" if settings.fsync else "never")
    )
    return Sequencer(
        _inputs(options),
        door,
        tick_rows=settings.tick_rows,
        chunk_bytes=_FOLLOW_BYTES if options.follow else _REPLAY_BYTES,
        ledger=ledger,
        state_dir=folders.door,
        horizon_us=int(settings.repeat_horizon_hours * _HOUR_US),
        jump_us=int(settings.jump_days * 24 * _HOUR_US),
        line_limit=settings.max_line_bytes,
        snapshot=snapshot,
    )


def _inputs(options: RunOptions) -> list[Input]:
    decisions = Input(
        "control", str(control_rows.folder_of(options.data)), control_rows.SOURCE, options.follow
    )
    return [decisions] + [
        Input(stream, where, _feed(stream, where), options.follow)
        for stream in STREAMS
        for where in options.inputs.get(stream, ())
    ]


def _feed(stream: str, where: str) -> str:
    """The supplier's feed of records that do not name theirs: the file's own name."""
    return stream if where == "-" else Path(where).name.partition(".")[0]


def make_door(
    settings: Settings, *, bound: bool = True, inputs: Mapping[str, tuple[str, ...]] | None = None
) -> Door:
    """The door with the keys, bases and sources of the settings, and the sources told of beside the inputs."""
    bases = Bases.demo() if settings.bases is None else Bases.from_toml(settings.bases.read_text())
    told = sources_beside(inputs or {}) | settings.sources
    sources = [Source(name, each.legs, each.basis) for name, each in told.items()]
    latest = _tomorrow() if bound else LATEST
    codes = {force.ons_code: force.code for force in forces() if force.ons_code}
    return Door(
        key_ring(settings),
        bases,
        sources,
        forces=codes,
        default_basis=settings.default_basis,
        latest=latest,
        max_line=settings.max_line_bytes,
    )


def _tomorrow() -> int:
    """What lies after this has a wrong clock."""
    return int((datetime.now(UTC) + _DAY).timestamp() * 1e6)


class _Teller:
    """Puts the sinks' tallies together into one progress."""

    def __init__(self, on_progress: Callable[[Progress], None], started: float) -> None:
        self.on_progress = on_progress
        self.started = started
        self.alert_tally = Tally()
        self.letter_tally = Tally()

    def alerts(self, tally: Tally) -> None:
        self.alert_tally = tally
        self.tell()

    def letters(self, tally: Tally) -> None:
        self.letter_tally = tally
        self.tell()

    def tell(self) -> None:
        events = sum(self.letter_tally.events.values())
        self.on_progress(
            Progress(
                events=events,
                rejected=sum(self.letter_tally.rejected.values()),
                repeats=_repeats(self.letter_tally.counts),
                alerts=self.alert_tally.raised,
                ticks=self.letter_tally.ticks,
                event_time=self.alert_tally.last_ts,
                events_per_second=events / max(1e-9, time.monotonic() - self.started),
            )
        )


def _repeats(counts: Mapping[str, int]) -> int:
    return sum(number for name, number in counts.items() if name.startswith("repeated."))


def _tally(path: Path) -> Tally:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Tally)
    except (OSError, msgspec.DecodeError):
        return Tally()


def _summary(folders: _Folders, seconds: float) -> Summary:
    alerts, letters = _tally(folders.run / "alerts.json"), _tally(folders.run / "letters.json")
    ends = {path.stem: json.loads(path.read_text()) for path in sorted((folders.run / "ends").glob("*.json"))}
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    kinds = sorted(
        {e.name.lower() for e in Entity} & {k for end in ends.values() for k in end.get("entities", {})}
    )
    return Summary(
        events=letters.events,
        rejected=letters.rejected,
        dropped={
            name.removeprefix(_DROPPED): number
            for name, number in letters.counts.items()
            if name.startswith(_DROPPED)
        },
        repeats=_repeats(letters.counts),
        # the first pass sees every event as each entity in it; the second sees subjects again
        late=sum(end.get("late", 0) for name, end in ends.items() if name.startswith(_FIRST)),
        raised=alerts.raised,
        amended=alerts.amended,
        seconds=seconds,
        peak_memory_bytes=peak * 1024,
        # both passes know a subject; the first knows every entity
        entities={
            k: sum(end["entities"].get(k, 0) for name, end in ends.items() if name.startswith(_FIRST))
            for k in kinds
        },
        state_bytes={k: sum(end.get("bytes", {}).get(k, 0) for end in ends.values()) for k in kinds},
    )


# ------------------------------------------------------------------------------------------------------ several processes


def free_addresses(count: int) -> list[str]:
    """Addresses of this machine at which nobody listens, for so many processes."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def _start(
    options: RunOptions, folders: _Folders, count: int, environment: Mapping[str, str]
) -> list[subprocess.Popen[bytes]]:
    addresses = free_addresses(count) if count > 1 else []
    folders.run.mkdir(parents=True, exist_ok=True)
    started = []
    for process in range(count):
        order = msgspec.json.encode(
            {
                "options": msgspec.to_builtins(options, enc_hook=str),
                "addresses": addresses,
                "process": process,
                "parent": os.getpid(),
            }
        )
        made = subprocess.Popen(
            [sys.executable, "-m", "flows.process"], stdin=subprocess.PIPE, env=dict(environment)
        )
        assert made.stdin is not None
        made.stdin.write(order)
        made.stdin.close()
        started.append(made)
    return started


def work_as_told(order: bytes) -> None:
    """Be one process of a flow, as the supervisor's order says."""
    told = msgspec.json.decode(order)
    options = msgspec.convert(told["options"], RunOptions, dec_hook=lambda kind, value: kind(value))
    settings = Settings()
    threading.Thread(target=_end_with, args=(told["parent"],), name="parent", daemon=True).start()
    metrics.READY.set(1)
    watch = Watch()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, watch.stop)
    _work(options, settings, _Folders.of(options), told["addresses"], told["process"], None, watch)


def _end_with(parent: int) -> None:
    """End with the supervisor: without it nobody would start the others again, and the next run would meet this one."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN_S)
    os._exit(1)


def _environment(**more: str) -> dict[str, str]:
    environment = dict(os.environ)
    environment.setdefault("POLARS_MAX_THREADS", "1")
    return environment | more


def _cluster_once(
    options: RunOptions,
    settings: Settings,
    folders: _Folders,
    count: int,
    on_progress: Callable[[Progress], None] | None,
    started: float,
) -> None:
    teller = None if on_progress is None else _Teller(on_progress, started)
    made = _start(options, folders, count, _environment())
    try:
        while any(each.poll() is None for each in made):
            if any(each.poll() not in (None, 0) for each in made):
                break
            time.sleep(_LOOK_S)
            if teller is not None:
                teller.letter_tally = _tally(folders.run / "letters.json")
                teller.alerts(_tally(folders.run / "alerts.json"))
    finally:
        _end(made)
    failed = [each.returncode for each in made if each.returncode != 0]
    if failed:
        raise FlowError(
            f"a process of the flow ended with {failed[0]}; its last words are above. Start it again to go on"
        )


def _end(made: list[subprocess.Popen[bytes]], patience: float = 0.0) -> None:
    """End processes: after some patience they are killed, which loses nothing but the last epoch's work."""
    if patience:
        for each in made:
            if each.poll() is None:
                each.terminate()
    deadline = time.monotonic() + patience
    for each in made:
        try:
            each.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - a person started this


class _Supervisor:
    """Keeps the processes of a run going: one that dies ends them all, and all are started again."""

    def __init__(self, options: RunOptions, settings: Settings, folders: _Folders) -> None:
        self.options = options
        self.settings = settings
        self.folders = folders
        self.stopping = threading.Event()

    def run(self) -> None:
        """Until stopped by a signal, or until the input is done."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        with tempfile.TemporaryDirectory(prefix="linewatch-metrics-") as folder, ExitStack() as stack:
            numbers = Path(folder) / "numbers"
            environment = _environment(**processes.prepare(numbers))
            if self.options.metrics_port is not None:
                served = stack.enter_context(Exposition(self.options.metrics_port, folder=numbers))
                _say(f"metrics on {served.url}/metrics")
            self._keep_going(environment, numbers)

    def _keep_going(self, environment: dict[str, str], numbers: Path) -> None:
        failures = 0
        while not self.stopping.is_set():
            if self._waited_for_room():
                failures = 0  # it is known why they fell
            began = time.monotonic()
            made = _start(self.options, self.folders, self.options.processes or 1, environment)
            self._watch(made)
            done = all(each.poll() == 0 for each in made)
            _end(made, _STOP_S if self.stopping.is_set() else 0.0)
            for each in made:
                processes.forget(numbers, each.pid)
            if done or self.stopping.is_set():
                return
            failures = 1 if time.monotonic() - began > _HEALTHY_S else failures + 1
            if self._no_room() is not None:
                continue
            if failures >= _MOST_FAILURES:
                raise FlowError(
                    f"the processes fell {failures} times, each within {_HEALTHY_S:.0f} seconds; their last words are "
                    "above. Nothing that was taken is lost: mend the cause and start again"
                )
            metrics.RESTARTS.labels(process="all").inc()
            _say("a process of the flow ended; starting all again from the last snapshot")
            self.stopping.wait(_RESTART_S * failures)

    def _watch(self, made: list[subprocess.Popen[bytes]]) -> None:
        """Until all are done, one has fallen, or it is to stop."""
        while not self.stopping.is_set():
            ended = [each.poll() for each in made]
            if all(code == 0 for code in ended) or any(code not in (None, 0) for code in ended):
                return
            self.stopping.wait(_LOOK_S)

    def _waited_for_room(self) -> bool:
        """Wait while the recovery folder's disk is full: the engine cannot pause there, it falls."""
        trouble = self._no_room()
        if trouble is None:
            return False
        _say(f"waiting for the disk of the recovery folder ({trouble}); it goes on by itself")
        metrics.SUPERVISOR_PAUSED.labels(reason="disk").set(1)
        while trouble is not None and not self.stopping.is_set():
            self.stopping.wait(_RESTART_S)
            trouble = self._no_room()
        metrics.SUPERVISOR_PAUSED.labels(reason="disk").set(0)
        return True

    def _no_room(self) -> str | None:
        """Why nothing can be written into the recovery folder just now; nothing when it can."""
        assert self.folders.engine is not None
        probe = self.folders.engine / ".room"
        try:
            with probe.open("wb") as file:
                file.write(bytes(_ROOM_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as trouble:
            return trouble.strerror if is_passing(trouble) else None
        finally:
            probe.unlink(missing_ok=True)
        return None
