"""The whole bench: one pass over the payments, every way beside the others, then the measures of the test weeks."""

import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl

from bench.handbook.protocol import CHOSEN_FROM, TESTS_FROM, WEEK, WEEKS, table
from bench.handbook.stream import DAY_US, Batch, Floats, Ints, Stream, contract_events
from bench.handbook.ways import History, Online, Retrained, stacked

WAYS: Final = ("online", "retrained", "stacked")
PUBLISHED: Final = (
    ("logistic regression, published (batch, 7 days)", 0.868, 0.623, 0.297),
    ("random forest, published (batch, 7 days)", 0.870, 0.678, 0.299),
    ("XGBoost, published (batch, 7 days)", 0.869, 0.687, 0.303),
)
"""The Handbook's table for the same four weeks (chapters 5 and 6)."""

Plain = dict[str, Any]


class Runner:
    """The ways side by side over one stream."""

    def __init__(self, stream: Stream, ways: tuple[str, ...]) -> None:
        self.stream = stream
        self.ways = ways
        self.history = History()
        self.scores: dict[str, list[Floats]] = {way: [] for way in ways}
        self.ids: list[str] = []
        self._days: list[Ints] = []
        self._holders: list[Ints] = []

    def run(self, until_day: int | None = None) -> None:
        """Score everything, in order."""
        for batch in self.stream.batches():
            if not self._days:
                self._begin(batch)
            day = batch.ts // DAY_US - self._first
            self._days.append(day)
            self._holders.append(batch.holder.astype(np.int64))
            self.ids += batch.event_ids
            self._take(batch, day)
            if until_day is not None and day[-1] >= until_day:
                break

    def _begin(self, batch: Batch) -> None:
        self._first = int(batch.ts[0]) // DAY_US
        self.online = Online(self.stream.names)
        self.retrained = Retrained(self.stream.names, self.history)

    def _take(self, batch: Batch, day: Ints) -> None:
        online = self.online.take(batch, day)
        self.scores["online"].append(online)
        if self.ways == ("online",):
            return
        self.history.add(batch.values, day)
        said = self.retrained.take(batch, day)
        self.scores["retrained"].append(said)
        if "stacked" in self.ways:
            self.scores["stacked"].append(stacked(online, said))

    @property
    def day(self) -> Ints:
        """The day of each payment, 0 the first."""
        return np.concatenate(self._days)

    @property
    def holder(self) -> Ints:
        """The holder of each payment."""
        return np.concatenate(self._holders)

    def seconds(self, way: str) -> float:
        """What a way took, the path to the features included."""
        own = {
            "online": self.online.seconds,
            "retrained": self.retrained.seconds,
            "stacked": self.retrained.seconds + self.online.seconds,
        }
        return self.stream.seconds + own[way]


def run(raw: Path, folder: Path, ways: tuple[str, ...] = WAYS) -> Plain:
    """Measure the ways asked for."""
    inputs = contract_events(raw, folder)
    runner = Runner(
        Stream(inputs), WAYS if "stacked" in ways else ("online", *(way for way in WAYS[1:] if way in ways))
    )
    started = time.perf_counter()
    runner.run()
    say(f"{runner.stream.events:,} payments in {time.perf_counter() - started:.0f} s")
    frauds = pl.read_parquet(inputs["labels"]).filter(pl.col("label") == "confirmed")["about"]
    frauds = frauds.str.strip_prefix("event:")
    right = pl.Series(runner.ids).is_in(frauds.implode()).to_numpy().astype(np.float64)
    done: Plain = {
        "events": runner.stream.events,
        "refused": runner.stream.refused,
        "features": len(runner.stream.names),
        "path_events_per_second": runner.stream.events / runner.stream.seconds,
        "fits": runner.retrained.fits,
        "seconds_a_fit": runner.retrained.fit_seconds / max(runner.retrained.fits, 1),
        "ways": {},
    }
    day, holder = runner.day, runner.holder
    for way in ways:
        score = np.concatenate(runner.scores[way])
        made: Plain = {"events_per_second": runner.stream.events / runner.seconds(way)}
        for name, first in (("test", TESTS_FROM), ("earlier", CHOSEN_FROM)):
            if day[-1] < first + WEEKS * WEEK - 1:
                continue
            mean, spread, weeks = table(day, holder, right, score, first)
            made[name] = msgspec.to_builtins({"mean": mean, "spread": spread, "weeks": weeks})
        done["ways"][way] = made
    return done


def say(words: str) -> None:
    """Progress, for whoever waits."""
    print(words, file=sys.stderr, flush=True)


def shown(done: Plain) -> str:
    """The measures as a table in Markdown, beside the published ones."""
    sizes = (
        f"{done['events']:,} payments, {done['features']} values each, {done['refused']} refused; "
        f"path to the values alone {done['path_events_per_second']:,.0f} events/s; "
        f"{done['fits']} trainings of {done['seconds_a_fit']:.1f} s"
    )
    lines = [
        sizes,
        "",
        "| way | AUC | AP | CP@100 | events/s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for way, made in done["ways"].items():
        for name, words in (("test", ""), ("earlier", ", the four weeks before")):
            if name not in made:
                continue
            mean, spread = made[name]["mean"], made[name]["spread"]
            cells = [f"{mean[m]:.3f} ± {spread[m]:.3f}" for m in ("auc", "ap", "cp100")]
            lines.append("| " + " | ".join([way + words, *cells, f"{made['events_per_second']:,.0f}"]) + " |")
    lines += [f"| {name} | {auc:.3f} | {ap:.3f} | {cp:.3f} | |" for name, auc, ap, cp in PUBLISHED]
    return "\n".join(lines)
