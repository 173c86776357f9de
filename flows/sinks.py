"""Where a flow's results go: alerts to the store (and to a file, if asked), refused records to theirs, counts to all.

Writes are at least once, under ids and revisions that make a repeat harmless; files are cut back to where the last
snapshot was. A store that is down or a disk that is full pauses the flow, which goes on by itself.
"""

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.errors import AlertError, StoreUnavailable
from alerts.record import to_json, when_text
from alerts.store import AlertStore
from events.rejected import Rejected
from flows.errors import FlowError
from flows.keeping import patiently
from flows.national_hop import TickDone
from flows.source import Cut
from models.errors import ModelError
from models.shadows import Shadow, ShadowPaused, ShadowStore
from monitoring import metrics

_RETRY_S: Final = 0.5
_GUARD_S: Final = 60.0
_PART: Final = "one"
_MICRO: Final = 1e6
_REPEATED: Final = "repeated."
_DROPPED: Final = "dropped."
_ADDED: Final = "second_records"


class Tally(msgspec.Struct):
    """What has gone through a sink so far: kept with its state, so that a restart goes on counting."""

    events: dict[str, int] = msgspec.field(default_factory=dict)
    rejected: dict[str, int] = msgspec.field(default_factory=dict)
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    raised: int = 0
    amended: int = 0
    ticks: int = 0
    last_ts: int = 0
    length: int = 0  # of the file written beside


class _File:
    """A file of lines that can be cut back to where it was."""

    def __init__(self, path: Path | None, length: int) -> None:
        self.file: FileIO | None = None
        self.path = path
        if path is not None:
            patiently("output", lambda: self._open(path, length))

    def _open(self, path: Path, length: int) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        file.truncate(length)
        self.file = file
        return file.seek(length)

    def write(self, lines: list[bytes], length: int) -> int:
        """Write lines after `length`; gives the new length."""
        file = self.file
        if file is None or not lines:
            return length

        def put() -> int:
            file.truncate(length)
            file.seek(length)
            rest = memoryview(b"".join(line + b"\n" for line in lines))
            while rest:
                rest = rest[file.write(rest) or 0 :]
            return file.tell()

        return patiently("output", put)

    def sync(self) -> None:
        """Wait until it is on the disk."""
        file = self.file
        if file is not None:
            patiently("output", lambda: _on_disk(file))


def _on_disk(file: FileIO) -> int:
    os.fdatasync(file.fileno())
    return file.tell()


class _Part(StatefulSinkPartition[Any, bytes]):
    """A sink's one partition: a tally, a file beside, and somebody to tell."""

    def __init__(
        self, path: Path | None, tally_path: Path, resume: bytes | None, tell: Callable[[Tally], None] | None
    ) -> None:
        self.tally = Tally() if resume is None else msgspec.msgpack.decode(resume, type=Tally)
        self.lines = _File(path, self.tally.length)
        self.tally_path = tally_path
        self.tell = tell
        self._told = 0.0

    def told(self) -> None:
        """Tell how far it is, now and then."""
        now = time.monotonic()
        if now - self._told > 0.2:
            self._told = now
            if self.tell is not None:
                self.tell(self.tally)
            else:
                self._write_tally()

    def _write_tally(self) -> None:
        part, told = self.tally_path.with_suffix(".part"), msgspec.json.encode(self.tally)
        patiently("output", lambda: part.write_bytes(told))
        part.replace(self.tally_path)

    def snapshot(self) -> bytes:
        """The tally, with the file's length; what it counts is on the disk."""
        self.lines.sync()
        if self.tell is None:
            self._write_tally()
        return msgspec.msgpack.encode(self.tally)

    def close(self) -> None:
        """Leave the last tally for whoever asks."""
        self._write_tally()
        if self.tell is not None:
            self.tell(self.tally)


class AlertsPart(_Part):
    """Writes alerts to the store, in order, and waits for it when it is down."""

    def __init__(
        self,
        store: AlertStore,
        path: Path | None,
        tally_path: Path,
        resume: bytes | None,
        tell: Callable[[Tally], None] | None,
    ) -> None:
        super().__init__(path, tally_path, resume, tell)
        self.store = store

    def write_batch(self, items: list[TickDone]) -> None:
        """Write the alerts of ticks that are through."""
        for done in items:
            if done.alerts:
                lines = [to_json(alert) for alert in done.alerts]
                self._store(done, lines)
                self.tally.length = self.lines.write(lines, self.tally.length)
            self.tally.ticks += 1
            self.tally.last_ts = max(self.tally.last_ts, done.last_ts)
        metrics.EVENT_TIME.set(self.tally.last_ts / _MICRO)
        self.told()

    def _store(self, done: TickDone, lines: list[bytes]) -> None:
        while True:
            try:
                self.store.write(done.alerts, done.tick, lines)
            except StoreUnavailable:
                metrics.pause("store")
                time.sleep(_RETRY_S)
                continue
            break
        metrics.go_on("store")
        now = time.time()
        for alert in done.alerts:
            new = alert.revision == 1
            self.tally.raised += new
            self.tally.amended += not new
            what = "raised" if new else "amended"
            metrics.ALERTS.labels(detector=alert.detector, campus=alert.owner.org_id, what=what).inc()
            metrics.EVENT_TO_ALERT_SECONDS.labels(detector=alert.detector).observe(
                max(0.0, now - done.read_at)
            )


class AlertsSink(FixedPartitionedSink[TickDone, bytes]):
    """The alert store."""

    def __init__(
        self, url: str, path: Path | None, tally_path: Path, tell: Callable[[Tally], None] | None
    ) -> None:
        self._url, self._path, self._tally_path, self._tell = url, path, tally_path, tell

    def list_parts(self) -> list[str]:
        """One writer: alerts go out in one order."""
        return [_PART]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> AlertsPart:
        """Open the store, waiting for it if it is down."""
        store = AlertStore(self._url)
        while True:
            try:
                store.migrate()
            except StoreUnavailable:
                metrics.pause("store")
                time.sleep(_RETRY_S)
                continue
            break
        metrics.go_on("store")
        return AlertsPart(store, self._path, self._tally_path, resume_state, self._tell)


class LettersPart(_Part):
    """Writes refused records as dead letters, and counts what came in."""

    def write_batch(self, items: list[Cut]) -> None:
        """Write the dead letters of ticks, and count."""
        for cut in items:
            received = when_text(int(time.time() * _MICRO))
            letters = [dead_letter(refused, received) for refused in cut.rejected]
            self.tally.length = self.lines.write(letters, self.tally.length)
            self._count(cut)
        self.told()

    def _count(self, cut: Cut) -> None:
        self.tally.ticks += 1
        metrics.TICKS.inc()
        for stream, number in cut.events.items():
            self.tally.events[stream] = self.tally.events.get(stream, 0) + number
            metrics.EVENTS.labels(stream=stream).inc(number)
        for (stream, reason), number in Counter((r.stream, r.reason) for r in cut.rejected).items():
            self.tally.rejected[reason] = self.tally.rejected.get(reason, 0) + number
            metrics.REFUSED.labels(stream=stream, reason=reason).inc(number)
        for name, number in cut.counts.items():
            self.tally.counts[name] = self.tally.counts.get(name, 0) + number
            if name == _ADDED:
                metrics.ADDED.inc(number)
            elif name.startswith(_REPEATED):
                metrics.REPEATS.labels(stream=name.removeprefix(_REPEATED)).inc(number)
            elif name.startswith(_DROPPED):
                metrics.DROPPED.labels(reason=name.removeprefix(_DROPPED)).inc(number)


class LettersSink(FixedPartitionedSink[Cut, bytes]):
    """The dead letters."""

    def __init__(self, path: Path | None, tally_path: Path, tell: Callable[[Tally], None] | None) -> None:
        self._path, self._tally_path, self._tell = path, tally_path, tell

    def list_parts(self) -> list[str]:
        """One writer."""
        return [_PART]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> LettersPart:
        """Open the file where it was."""
        return LettersPart(self._path, self._tally_path, resume_state, self._tell)


class ShadowPart(StatefulSinkPartition[tuple[Shadow, ...], bytes]):
    """Writes what challengers said, and waits while the disk is full."""

    def __init__(self, path: Path, guard: Callable[[int], object] | None) -> None:
        self.store = ShadowStore(path)
        self.guard = guard
        self._guarded = time.monotonic()

    def write_batch(self, items: list[tuple[Shadow, ...]]) -> None:
        """Write the rows of ticks that are through."""
        rows = told = [one for shadows in items for one in shadows]
        while rows:
            try:
                self.store.write(rows)
            except ShadowPaused:
                metrics.pause("output")
                time.sleep(_RETRY_S)
                continue
            break
        metrics.go_on("output")
        if self.guard is not None and time.monotonic() - self._guarded > _GUARD_S:
            self._guarded = time.monotonic()
            self._judge(self.guard, max((one.ts for one in told), default=0))

    def _judge(self, guard: Callable[[int], object], at: int) -> None:
        """Hold champions against those before them; what hinders that is said, and does not stop the flow."""
        try:
            guard(at)
        except (AlertError, FlowError, ModelError) as trouble:
            logging.getLogger("linewatch").warning(
                "champions were not held against those before: %s", trouble
            )

    def snapshot(self) -> bytes:
        """Nothing: what is written again is the same."""
        return b""

    def close(self) -> None:
        """Let go of the file."""
        self.store.close()


class ShadowSink(FixedPartitionedSink[tuple[Shadow, ...], bytes]):
    """The shadow store."""

    def __init__(self, path: Path, guard: Callable[[int], object] | None = None) -> None:
        """`guard` is called now and then when rows have come, with the time of the latest."""
        self._path = path
        self._guard = guard

    def list_parts(self) -> list[str]:
        """One writer."""
        return ["one"]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> ShadowPart:
        """Open nothing yet: there may be no challenger."""
        return ShadowPart(self._path, self._guard)


def dead_letter(rejected: Rejected, received_ts: str) -> bytes:
    """A refused record as one line: when, whose, why, the field, the digest, the bytes if they may be kept."""
    plain = msgspec.to_builtins(rejected) | {"received_ts": received_ts}
    if plain.get("raw") is not None:
        plain["raw"] = rejected.raw.decode("utf-8", "replace") if rejected.raw else ""
    return json.dumps({k: v for k, v in plain.items() if v is not None}, sort_keys=True).encode()
