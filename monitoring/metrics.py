"""Every number that Linewatch counts about itself, named in one place.

Names begin with `linewatch_` and end with their unit. The page for the ops team (docs/operations.md) explains each;
a test checks that none is missing there. How to use them:

    from monitoring import metrics
    metrics.EVENTS.labels(stream="payments").inc(frame.height)

The same names work in one process and in several: where `PROMETHEUS_MULTIPROC_DIR` is set before the first import
(see `monitoring.processes`), each process keeps its numbers in that folder and the supervisor serves their sum.
"""

from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX: Final = "linewatch_"

WORKERS: Final = CollectorRegistry()
"""What the flows count; in several processes these are summed (or as each gauge says)."""

SUPERVISOR: Final = CollectorRegistry()
"""What only the supervising process counts."""

OWNERS: Final = CollectorRegistry()
"""What those who answer for models measure now and then: written to a file, not served."""

LATENCY_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0,
)  # fmt: skip
"""From a millisecond, which a quiet flow needs, to the minutes of one that is catching up."""

STEP_BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
"""One step over one frame: 2 rows take some 100 microseconds, 20,000 rows some 20 milliseconds."""

DELAY_BUCKETS: Final = (
    3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 1_209_600.0, 2_592_000.0, 5_184_000.0, 7_776_000.0, 15_552_000.0,
)  # fmt: skip
"""From an hour, an analyst's answer, to half a year, the longest horizon."""

SNAPSHOT_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

Over = Literal["livesum", "livemax", "livemin", "max"]
"""How one gauge of several processes becomes one number."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as it is published: its full name, its kind, its labels and what it says."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    words: str


_declared: list[Declared] = []


def _declare(
    kind: Literal["counter", "gauge", "histogram"], name: str, words: str, labels: tuple[str, ...]
) -> str:
    full = PREFIX + name + ("_total" if kind == "counter" else "")
    _declared.append(Declared(full, kind, labels, words))
    return PREFIX + name


def _counter(name: str, words: str, *labels: str, registry: CollectorRegistry = WORKERS) -> Counter:
    return Counter(_declare("counter", name, words, labels), words, labels, registry=registry)


def _gauge(name: str, words: str, *labels: str, over: Over, registry: CollectorRegistry = WORKERS) -> Gauge:
    return Gauge(
        _declare("gauge", name, words, labels), words, labels, registry=registry, multiprocess_mode=over
    )


def _histogram(name: str, words: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(
        _declare("histogram", name, words, labels), words, labels, registry=WORKERS, buckets=buckets
    )


# What came in
EVENTS: Final = _counter("events", "Records accepted from the inputs", "stream")
REFUSED: Final = _counter("refused_events", "Records refused at the door, by reason", "stream", "reason")
DROPPED: Final = _counter(
    "dropped_events", "Records dropped because no lawful basis covers them, by reason", "reason"
)
REPEATS: Final = _counter(
    "repeated_events", "Records dropped because their source sent them before", "stream"
)
ADDED: Final = _counter(
    "second_records", "Records of a payment told already that add what only their supplier knows"
)
LATE: Final = _counter(
    "late_events",
    "Events, as one entity in them sees them, too late for a window of a step",
    "step",
    "entity",
)

# How the flow moves
TICKS: Final = _counter("ticks", "Numbered frames that the sequencer has cut")
FRAMES: Final = _counter("frames", "Frames that a step has worked through", "step")
ROWS: Final = _counter("rows", "Rows that a step has worked through", "step")
STEP_SECONDS: Final = _histogram(
    "step_seconds", "Time a step takes over one frame", "step", buckets=STEP_BUCKETS
)
EVENT_TIME: Final = _gauge(
    "event_time_seconds", "Recorded time of the newest tick, since 1970", over="livemax"
)
EPOCH: Final = _gauge("epoch", "Number of the epoch that is open", over="livemax")
LEDGER_BYTES: Final = _gauge("ledger_bytes", "Size of the ledger of ticks on disk", over="livemax")

# What it remembers
STATE_ENTITIES: Final = _gauge(
    "state_entities", "Entities that the flow remembers, by kind", "entity", over="livesum"
)
STATE_BYTES: Final = _gauge(
    "state_bytes", "Memory held for what is remembered, by kind", "entity", over="livesum"
)
SNAPSHOT_SECONDS: Final = _histogram(
    "snapshot_seconds",
    "Time the flow stands still for one shard when an epoch closes",
    buckets=SNAPSHOT_BUCKETS,
)
SNAPSHOT_BYTES: Final = _counter("snapshot_bytes", "Bytes written for snapshots")

# What went out
ALERTS: Final = _counter("alerts", "Alerts written, by detector and owner", "detector", "campus", "what")
EVENT_TO_ALERT_SECONDS: Final = _histogram(
    "event_to_alert_seconds",
    "Time from a record's arrival to its alert being in the store",
    "detector",
    buckets=LATENCY_BUCKETS,
)
MODEL: Final = _gauge(
    "model_info",
    "1 for the version of each detector's model that scores now",
    "detector",
    "version",
    over="livemax",
)
SCORED: Final = _counter("scored_rows", "Rows that passed a detector's gate and were scored", "detector")
ROLLED_BACK: Final = _counter(
    "model_rolled_back",
    "Champions that were rolled back automatically, for doing worse than what stood before",
    "detector",
)
SHADOW_ROWS: Final = _counter("shadow_rows", "Rows that a model in shadow has scored", "detector", "version")
SHADOW_SECONDS: Final = _counter(
    "shadow_seconds", "Processor seconds that a model in shadow took over its rows", "detector", "version"
)

# What it learns
EXAMPLES: Final = _counter(
    "examples", "Scored rows kept to learn from, by detector and why they were kept", "detector", "kept_as"
)
OUTCOMES: Final = _counter(
    "outcomes",
    "Scored rows of which the truth became known, by detector, force, age band, who said so and what",
    "detector",
    "force",
    "age_band",
    "origin",
    "outcome",
)
LABEL_DELAY_SECONDS: Final = _histogram(
    "label_delay_seconds",
    "Time from scoring a row to knowing the truth of it",
    "detector",
    "origin",
    buckets=DELAY_BUCKETS,
)
PREQUENTIAL_LOSS: Final = _gauge(
    "prequential_loss_ratio",
    "Mean logarithmic loss of the scores of rows whose truth became known, latest 200",
    "detector",
    over="livemax",
)
DRIFT: Final = _counter(
    "drift_changes",
    "Changes noticed in scores, features or errors, by detector and what changed",
    "detector",
    "what",
)
DRIFT_TIME: Final = _gauge(
    "drift_last_seconds",
    "Event time of the last change noticed, since 1970",
    "detector",
    "what",
    over="livemax",
)
LESSONS: Final = _counter("lessons", "Lessons held", "activated")
LESSON_SECONDS: Final = _histogram("lesson_seconds", "Time of one lesson", buckets=STEP_BUCKETS)

# Whether it runs
READY: Final = _gauge(
    "ready", "1 while the flow takes events, 0 while it starts, pauses or stops", over="livemin"
)
PAUSED: Final = _gauge(
    "paused", "1 while the flow waits, by reason (disk full, store down)", "reason", over="livemax"
)
RESTARTS: Final = _counter(
    "restarts", "Times the supervisor started the processes again", "process", registry=SUPERVISOR
)
SUPERVISOR_PAUSED: Final = _gauge(
    "supervisor_paused",
    "1 while the supervisor waits before it starts the processes again, by reason",
    "reason",
    over="livemax",
    registry=SUPERVISOR,
)

# What is measured now and then
FAIRNESS_SHARE: Final = _gauge(
    "fairness_share",
    "Share of a stratum's subjects, by measure.",
    "detector",
    "by",
    "stratum",
    "measure",
    over="max",
    registry=OWNERS,
)
FAIRNESS_ALARMS: Final = _gauge(
    "fairness_alarms",
    "Strata that are worse off than all others, beyond chance.",
    "detector",
    "by",
    over="max",
    registry=OWNERS,
)

ALL: Final = tuple(_declared)
"""Every metric, in the order of this page."""


def pause(reason: str) -> None:
    """Say that the flow waits, and what for; it is not ready until it goes on."""
    PAUSED.labels(reason=reason).set(1)
    READY.set(0)


def go_on(reason: str) -> None:
    """Say that what the flow waited for is over; it is ready when nothing else is waited for."""
    PAUSED.labels(reason=reason).set(0)
    waiting = any(sample.value for family in PAUSED.collect() for sample in family.samples)
    READY.set(0 if waiting else 1)
