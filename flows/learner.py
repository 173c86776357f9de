"""The learner: one place beside the flow that keeps examples and labels, holds the lessons and says what scores next.

It stands behind the national hop and is given every tick in order: rows as they were scored, what was found out, what
people put in force. After a tick that ends the hours between two lessons it holds one, and leaves word of what scores
from here on; the source waits for that word before the next tick, which begins with the new weights as control rows.
So the place at which a version takes effect follows from the input alone, on any number of processes.

In the data folder: `examples/` (Parquet, by detector and day), `examples/labels.ndjson`, `models/DETECTOR.json` (the
lineage with its lessons), `models/lessons.ndjson` (each lesson, with what it corrected and put in force) and
`models/measures.json`.
"""

import json
import os
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.record import when_text
from detectors.base import Detector
from flows.control_rows import write_whole
from flows.controls import FLOW_TEACHES
from flows.keeping import Keeper, patiently
from flows.measuring import Measures
from flows.national_hop import Lesson, TickDone
from flows.shelf import MODEL, MODELS
from flows.source import Activations
from models.examples import Example, ExampleStore
from models.labels import Label
from models.scorecard import Weights
from models.teaching import Lessons, Taught, Teacher
from monitoring import metrics

EXAMPLES: Final = "examples"
LABELS: Final = "labels.ndjson"
LESSONS: Final = "lessons.ndjson"
MEASURES: Final = "measures.json"
_PART: Final = "one"
_CHUNK: Final = 5_000
"""Examples that are held before they are written: many small files are slow to read."""
_WORDS: Final = 64
"""So many words of past lessons are left for a source that goes on from an older snapshot."""
_DAY_US: Final = 86_400_000_000


class _State(msgspec.Struct, frozen=True):
    """What the learner knows beside the teacher, as plain data."""

    lengths: dict[str, int]
    held: tuple[Example, ...]
    measures: dict[str, Any]
    teacher: dict[str, Any]


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """One tick, as it is kept to be taken again after a restart."""

    tick: int
    now: int
    kept: tuple[Example, ...]
    labels: tuple[Label, ...]
    rules: tuple[tuple[str, str, str], ...]
    learn: bool


class Learner:
    """Takes ticks, keeps what they bring, holds the lessons."""

    def __init__(self, detectors: Iterable[type[Detector]], data: Path, words: Path) -> None:
        self.data, self.words = data, words
        self.teacher = Teacher(
            Taught(d.id, d.version, d.signals, d.says_when_right(), d.scorecard().version, d.threshold)
            for d in detectors
        )
        self.store = ExampleStore(data / EXAMPLES)
        self.measures = Measures()
        self.held: list[Example] = []
        self.lengths: dict[str, int] = {}
        self._left: deque[int] = deque()
        self._forgotten = 0

    def take(self, entry: _Entry, *, write: bool = True) -> Lessons | None:
        """Take one tick; without `write` it was taken and written before, and only has to be known again."""
        for kind, name, body in entry.rules:
            self._obey(kind, name, json.loads(body or "{}"))
        self.teacher.take(entry.kept)
        self.held += entry.kept
        self.teacher.hear(entry.labels)
        if write:
            self._append(self.data / EXAMPLES / LABELS, entry.labels)
            for one in entry.kept:
                metrics.EXAMPLES.labels(detector=one.detector, kept_as=one.kept_as).inc()
        lessons = None
        if entry.learn:
            started = time.perf_counter()
            lessons = self.teacher.learn(entry.now)
            self.measures.take(lessons)
            if write:
                metrics.LESSON_SECONDS.observe(time.perf_counter() - started)
                self._held_lesson(entry, lessons)
        if len(self.held) >= _CHUNK or (self.held and entry.now // _DAY_US > self.held[0].ts // _DAY_US + 1):
            self.seal(write=write)
        return lessons

    def _obey(self, kind: str, name: str, body: dict[str, Any]) -> None:
        if kind == "threshold":
            self.teacher.set_threshold(name, float(body["threshold"]))
        elif not body.get("taught"):
            weights = None if MODEL in body else msgspec.convert(body["weights"], Weights)
            self.teacher.begin(name, weights, str((body.get("promotion") or {}).get("stage") or ""))

    def seal(self, *, write: bool = True) -> None:
        """Write the examples that are held, under the name of the first: written again, they take their own place."""
        if self.held and write:
            first, held = self.held[0].seq, tuple(self.held)
            patiently("examples", lambda: self._put(f"{first:012d}", held))
        self.held = []
        if write and self.teacher.now - self._forgotten > _DAY_US:
            self._forgotten = self.teacher.now
            patiently("examples", lambda: self.store.forget(self.teacher.now))

    def _put(self, name: str, held: tuple[Example, ...]) -> int:
        self.store.add(name, held)
        return len(held)

    def _held_lesson(self, entry: _Entry, lessons: Lessons) -> None:
        """Write what a lesson did, and last of all the word that the source waits for."""
        folder = self.data / MODELS
        self.measures.publish(lessons)
        touched = {one.detector for one in lessons.outcomes if one.teaches}
        for name in sorted(touched):
            raw = msgspec.json.format(msgspec.json.encode(self.teacher.lineages[name]), indent=1) + b"\n"
            _whole(folder / f"{name}.json", raw)
        taught = [one for one in lessons.outcomes if one.teaches]
        corrected = [one for one in taught if one.before is not None]
        said = {
            "tick": entry.tick,
            "at": when_text(entry.now),
            "learnt": len(taught) - len(corrected),
            "corrected": [
                {"detector": c.detector, "about": c.alert_id or f"{c.event_id} {c.subject}", "label": c.label,
                 "origin": c.origin, "had_taught": c.before, "teaches": c.right}
                for c in corrected
            ],
            "activated": {name: weights.version for name, weights in lessons.activated},
            "moved": [{"detector": name} | msgspec.to_builtins(each) for name, each in lessons.moved],
        }  # fmt: skip
        self._append(folder / LESSONS, [said])
        _whole(
            folder / MEASURES,
            msgspec.json.format(msgspec.json.encode(self.measures.told()), indent=1) + b"\n",
        )
        metrics.LESSONS.labels(activated="yes" if lessons.activated else "no").inc()
        word = msgspec.json.encode(
            [[name, msgspec.to_builtins(weights)] for name, weights in lessons.activated]
        )
        _whole(self.words / f"{entry.tick}.json", word)
        self._left.append(entry.tick)
        while len(self._left) > _WORDS:
            (self.words / f"{self._left.popleft()}.json").unlink(missing_ok=True)

    def _append(self, path: Path, lines: Iterable[Any]) -> None:
        """Append lines to a file that is cut back to where it was when the flow goes on from a snapshot."""
        raw = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        if raw or path.name not in self.lengths:
            length = self.lengths.get(path.name, 0)
            self.lengths[path.name] = patiently("examples", lambda: _write_at(path, length, raw))

    def begin(self) -> None:
        """Say that here the flow teaches; what an earlier run from the start had written is written anew."""
        for path in (self.data / EXAMPLES / LABELS, self.data / MODELS / LESSONS):
            self._append(path, ())
        _whole(self.data / MODELS / FLOW_TEACHES, b"the flow teaches\n")

    def dump(self) -> bytes:
        """All that is known, as bytes."""
        return msgspec.msgpack.encode(
            _State(self.lengths, tuple(self.held), self.measures.dump(), self.teacher.dump())
        )

    def load(self, state: bytes) -> None:
        """Take up what was known."""
        kept = msgspec.msgpack.decode(state, type=_State)
        self.lengths, self.held = dict(kept.lengths), list(kept.held)
        self.measures.load(kept.measures)
        self.teacher.load(kept.teacher)


def word_of_lesson(words: Path, tick: int) -> Activations | None:
    """What the lesson after a tick put in force; nothing while it has not been held."""
    try:
        raw = (words / f"{tick}.json").read_bytes()
    except FileNotFoundError:
        return None
    return tuple((name, weights) for name, weights in msgspec.json.decode(raw))


class LearnerPart(StatefulSinkPartition[TickDone, bytes]):
    """The learner as the flow's sink: one part, with its state kept as what it was given."""

    def __init__(self, learner: Learner, keeper: Keeper, resume: bytes | None) -> None:
        self.learner, self.keeper = learner, keeper
        self._entries: list[bytes] = []
        if resume:
            base, entries = keeper.resume(resume)
            if base is not None:
                learner.load(base["state"])
            for raw in entries:
                for one in raw["entries"]:
                    learner.take(msgspec.msgpack.decode(one, type=_Entry), write=False)
                learner.lengths = dict(raw["lengths"])
        else:
            learner.begin()

    def write_batch(self, items: list[TickDone]) -> None:
        """Take ticks that are through, in order."""
        for done in items:
            entry = entry_of(done)
            if entry is not None:
                self.learner.take(entry)
                if self.keeper.folder is not None:
                    self._entries.append(msgspec.msgpack.encode(entry))

    def snapshot(self) -> bytes:
        """Write what came since the last one."""
        if self.keeper.folder is None:
            return b""
        if self._entries:
            self.keeper.add({"entries": self._entries, "lengths": self.learner.lengths})
            self._entries = []
        return self.keeper.save(lambda: {"state": self.learner.dump()})

    def close(self) -> None:
        """At the end of the input the examples that are held are written; a run that goes on writes them again."""
        self.learner.seal()


def entry_of(done: TickDone) -> _Entry | None:
    """What a tick brings the learner; nothing when it brings nothing."""
    lesson: Lesson | None = done.lesson
    if lesson is None or not (lesson.kept or lesson.labels or lesson.rules or lesson.learn):
        return None
    rules = tuple((rule.kind, rule.detector, rule.body) for rule in lesson.rules)
    return _Entry(done.tick, done.last_ts, lesson.kept, lesson.labels, rules, lesson.learn)


class LearnerSink(FixedPartitionedSink[TickDone, bytes]):
    """Where ticks are learnt from."""

    def __init__(
        self,
        detectors: tuple[type[Detector], ...],
        data: Path,
        words: Path,
        state: Path | None,
        *,
        fsync: bool,
    ) -> None:
        self._detectors, self._data, self._words, self._state, self._fsync = (
            detectors,
            data,
            words,
            state,
            fsync,
        )

    def list_parts(self) -> list[str]:
        """One place."""
        return [_PART]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> LearnerPart:
        """Begin, or go on from where it was."""
        layout = repr([(d.id, d.version, [s.feature for s in d.signals]) for d in self._detectors])
        keeper = Keeper(self._state, "learner", fsync=self._fsync, layout=layout)
        return LearnerPart(Learner(self._detectors, self._data, self._words), keeper, resume_state)


def _write_at(path: Path, length: int, raw: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(length)
        file.seek(length)
        file.write(raw)
        file.flush()
        os.fdatasync(file.fileno())
        return file.tell()


def _whole(path: Path, raw: bytes) -> None:
    """Put a file in place whole or not at all; a disk that is full is waited for."""

    def put() -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, raw)
        return len(raw)

    patiently("examples", put)
