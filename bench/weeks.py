"""Weeks of life with a flow that learns: `linewatch run --learn` follows files that grow, and a desk outside it answers.

Worlds are fed one after the other, day by day. When the flow is through a day, the desk works the highest-scored new alerts
of each detector it looks after, as many as it has room for (nobody twice in a week), and some of the rows that were put up
for review. What it finds is read from the truth, which no flow sees, and told some days later: of alerts as a stream of
labels, of rows as `linewatch decide review:…` does. The same without `--learn` is the frozen flow.

    python -m bench.weeks --world BEFORE --world AFTER --detector mule_account --capacity 10 --out taught.json
    python -m bench.weeks --world BEFORE --world AFTER --detector mule_account --frozen --out frozen.json
    python -m bench.weeks --compare frozen.json taught.json
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from alerts.record import when_text
from bench.champions_story import Story
from bench.desk import Desk, Guilty
from bench.learning import DAY_US, KINDS, guilty_of
from bench.live_flow import Flow, days_of
from bench.weekly_retraining import retrained
from bench.weeks_compared import say
from console.retraining import Span
from events.tokens import Key

STREAMS: Final = ("payments", "accounts", "telecoms", "links", "watch", "labels")


KEY: Final = "5a" * 32
"""The token key of such a flow: the truth is turned into the same tokens."""


@dataclass(slots=True)
class Weeks:
    """A flow, its desks and its owner over all worlds, one day after the other."""

    asked: argparse.Namespace
    flow: Flow
    desks: list[Desk]
    first: int = 0
    done: int = 0
    changes: list[int] = field(default_factory=list)
    retrainings: list[dict[str, Any]] = field(default_factory=list)
    story: Story | None = None

    def live(self, world: Path) -> None:
        """Feed a world, day by day."""
        guilty = {d.name: guilty_of(world, Key("k1", bytes.fromhex(KEY)), KINDS[d.name]) for d in self.desks}
        days = days_of(world, [s for s in self.flow.streams if s != "labels" or not self.asked.desk_only])
        begins, ends = max(min(days), self.done + 1), max(days)
        for early in [day for day in sorted(days) if day < begins]:
            self.flow.feed(days.pop(early))  # recorded while the world before still went on
        self.changes.append(begins)
        if not self.first:
            self.first = begins
            self.flow.alert_from(_thresholds(self.asked), begins)
            self.flow.start()
        for day in range(begins, ends + 1):
            self._day(day, days.pop(day, {}), guilty)

    def _day(self, day: int, rows: Mapping[str, pl.DataFrame], guilty: Mapping[str, Guilty]) -> None:
        """A day's records, its reviews, and what the owner does in the evening."""
        self.done = day
        if self.flow.learns:
            for desk in self.desks:
                desk.tell(day, self.flow)
        self.flow.feed(rows)
        self.flow.wait()
        for desk in self.desks:
            desk.work(day, self.flow, guilty[desk.name])
        every = self.asked.retrain_every
        if every and self.flow.learns and (day - self.first + 1) % every == 0:
            self._retrain(day)
        if self.asked.story:
            self.story = self.story or Story(
                self.asked.detector[0], self.flow, self.first, self.asked.horizon, self.asked.spoilt
            )
            self.story.evening(day)
        if self.asked.verbose:
            print(when_text(day * DAY_US)[:10], [d.days[-1] for d in self.desks], flush=True)

    def _retrain(self, day: int) -> None:
        since = max(self.first, day + 1 - self.asked.window) if self.asked.window else self.first
        span = Span(since * DAY_US, (day + 1) * DAY_US, (day + 1) * DAY_US, self.asked.horizon)
        for desk in self.desks:
            told = retrained(self.flow.data, desk.name, span, self.asked.kind)
            self.retrainings.append({"detector": desk.name} | told)

    def told(self) -> dict[str, Any]:
        """What came of it, to be compared with others."""
        measures = self.flow.data / "models" / "measures.json"
        return {
            "worlds": [world.name for world in self.asked.world],
            "frozen": self.asked.frozen,
            "kinds": self.asked.kind,
            "thresholds": _thresholds(self.asked),
            "changes": self.changes,
            "days": {f"{desk.name} {desk.capacity}": desk.days for desk in self.desks},
            "retrained": self.retrainings,
            "story": None if self.story is None else self.story.ended(),
            "moved": json.loads(measures.read_text())["moved"] if measures.exists() else [],
        }


def _thresholds(asked: argparse.Namespace) -> dict[str, float]:
    return {name: float(value) for name, _, value in (each.partition("=") for each in asked.threshold)}


def lived(asked: argparse.Namespace) -> dict[str, Any]:
    """Feed the worlds one after the other.

    Raises:
        SystemExit: several desks would teach one flow.
    """
    there = [s for s in STREAMS if s == "labels" or any((w / f"{s}.parquet").exists() for w in asked.world)]
    flow = Flow(asked.data, not asked.frozen, tuple(there), KEY)
    if flow.learns and len(asked.capacity) > 1:
        raise SystemExit("one desk teaches a flow: give --capacity once, or --frozen")
    flow.data.mkdir(parents=True, exist_ok=True)
    weeks = Weeks(
        asked, flow, [Desk(n, c, asked.drawn, asked.delay) for n in asked.detector for c in asked.capacity]
    )
    for world in asked.world:
        weeks.live(world)
    flow.stop()
    return weeks.told()


def main() -> None:
    """Run, or compare runs."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--world", type=Path, action="append", default=[])
    asked.add_argument("--detector", action="append", choices=sorted(KINDS))
    asked.add_argument("--capacity", type=int, action="append", help="reviews a day of each detector")
    asked.add_argument("--drawn", type=int, default=2, help="rows put up for review that are answered, a day")
    asked.add_argument("--delay", type=int, default=2, help="days until an outcome is known")
    asked.add_argument(
        "--threshold", action="append", default=[], metavar="DETECTOR=SCORE", help="from where it alerts"
    )
    asked.add_argument("--frozen", action="store_true", help="without --learn")
    asked.add_argument("--desk-only", action="store_true", help="no labels but the desk's")
    asked.add_argument("--retrain-every", type=int, default=0, metavar="DAYS")
    asked.add_argument(
        "--window", type=int, default=0, metavar="DAYS", help="of retraining: the latest so many days alone"
    )
    asked.add_argument(
        "--kind",
        action="append",
        choices=["scorecard", "boosted"],
        help="which of what is retrained may be promoted",
    )
    asked.add_argument(
        "--horizon", type=int, default=14, help="of retraining: days of silence that count as innocence"
    )
    asked.add_argument(
        "--story", action="store_true", help="retrain, challenge, promote, spoil and be rolled back"
    )
    asked.add_argument(
        "--spoilt", choices=["turned", "blind"], default="turned", help="what is wrong with the bad one"
    )
    asked.add_argument("--data", type=Path, default=Path("weeks-data"))
    asked.add_argument("--verbose", action="store_true")
    asked.add_argument("--compare", type=Path, nargs="+")
    asked.add_argument("--out", type=Path)
    told = asked.parse_args()
    told.capacity = told.capacity or [10]
    told.kind = told.kind or ["scorecard", "boosted"]
    if told.compare:
        say(told.compare, told.out)
        return
    began = datetime.now(UTC)
    done = lived(told) | {"minutes": (datetime.now(UTC) - began).total_seconds() / 60}
    if told.out is not None:
        told.out.write_text(json.dumps(done, indent=1))


if __name__ == "__main__":
    main()
