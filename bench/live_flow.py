"""A flow of its own process over files that grow by a day at a time, and is waited for."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from alerts.record import when_text
from bench.learning import DAY_US
from flows.sinks import Tally

_WAIT_S: Final = 0.05
_STUCK_S: Final = 900.0
_JSON: Final = msgspec.json.Encoder()


def days_of(world: Path, streams: Iterable[str]) -> dict[int, dict[str, pl.DataFrame]]:
    """A world's records by the day on which they were recorded."""
    found: dict[int, dict[str, pl.DataFrame]] = defaultdict(dict)
    for stream in streams:
        path = world / f"{stream}.parquet"
        if path.exists():
            frame = pl.read_parquet(path)
            day = (pl.col("recorded_ts").dt.timestamp("us") // DAY_US).alias("day")
            for (number,), rows in frame.group_by(day, maintain_order=True):
                found[int(number)][stream] = rows  # type: ignore[call-overload,unused-ignore]
    return found


def written(path: Path, frame: pl.DataFrame) -> int:
    """Append records to a growing file, as a supplier would; gives how many."""
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    told = frame.with_columns(pl.col(times).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    days = [name for name, kind in told.schema.items() if kind == pl.Date]
    rows = told.with_columns(pl.col(days).dt.to_string("%Y-%m-%d")).iter_rows(named=True)
    with path.open("ab") as file:
        file.writelines(_JSON.encode({k: v for k, v in row.items() if v is not None}) + b"\n" for row in rows)
    return frame.height


@dataclass(slots=True)
class Flow:
    """`linewatch run` in a process of its own, over files that grow."""

    data: Path
    learns: bool
    streams: tuple[str, ...]
    key: str
    fed: int = 0
    process: subprocess.Popen[bytes] | None = None

    def path(self, stream: str) -> Path:
        """The growing file of a stream."""
        return self.data / "in" / f"{stream}.ndjson"

    def start(self) -> None:
        """Start it, or start it again."""
        self.path("").parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "console.cli", "run", "--data", str(self.data)]
        for stream in self.streams:
            self.path(stream).touch()
            command += [f"--{stream}", str(self.path(stream))]
        environment = os.environ | {"LINEWATCH_TOKEN_KEY": self.key}
        with (self.data / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                command + (["--learn"] if self.learns else []), env=environment, stdout=log, stderr=log
            )

    def stop(self) -> None:
        """Stop it as a person does, with SIGINT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)

    def alert_from(self, thresholds: Mapping[str, float], day: int) -> None:
        """Let people set from where detectors alert, before the first record."""
        at = when_text(day * DAY_US)
        rows = [
            {"event_id": f"threshold-{name}", "ts": at, "recorded_ts": at, "source": "bench", "kind": "threshold",
             "detector": name, "body": {"threshold": threshold}}
            for name, threshold in thresholds.items()
        ]  # fmt: skip
        (self.data / "control").mkdir(parents=True, exist_ok=True)
        (self.data / "control" / "bench.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def feed(self, rows: Mapping[str, pl.DataFrame]) -> None:
        """Let a day's records appear."""
        for stream, frame in rows.items():
            self.fed += written(self.path(stream), frame)

    def tell(self, labels: list[dict[str, Any]]) -> None:
        """Let labels appear."""
        self.fed += len(labels)
        with self.path("labels").open("a") as file:
            file.writelines(json.dumps(one) + "\n" for one in labels)

    def wait(self) -> None:
        """Until everything that was fed is through, to the alerts in the store."""
        assert self.process is not None
        since = time.monotonic()
        while True:
            letters, alerts = (self._tally(name) for name in ("letters", "alerts"))
            taken = sum(n for stream, n in letters.events.items() if stream != "control")
            taken += sum(letters.rejected.values())
            taken += sum(
                n for name, n in letters.counts.items() if name.startswith(("repeated.", "dropped."))
            )
            if taken >= self.fed and alerts.ticks >= letters.ticks:
                return
            if self.process.poll() is not None or time.monotonic() - since > _STUCK_S:
                raise SystemExit(f"the flow stands: {taken} of {self.fed}; see {self.data / 'run.log'}")
            time.sleep(_WAIT_S)

    def _tally(self, name: str) -> Tally:
        try:
            return msgspec.json.decode(
                (self.data / "recovery" / "run" / f"{name}.json").read_bytes(), type=Tally
            )
        except (OSError, msgspec.DecodeError):
            return Tally()
