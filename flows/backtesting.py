"""Backtests: a detector's own path over history once, then the alerts of as many thresholds as are asked about.

Scores do not depend on the threshold, so history is walked through once, from the lowest; each threshold then has its
own episodes, as the flow keeps them. Labels are read first, for the events that they name are noted on the way.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import polars as pl

from alerts.episodes import Episodes
from alerts.priority import STANDING, Rules
from alerts.record import Alert, Fire, token_text
from detectors.base import Detector
from events.frames import NO_TIME, column
from events.ledger import Tick
from flows.found_out import found_out
from flows.walking import EVERYTHING, Walk
from models.forecast import Crime
from models.labels import PAYEE, PAYER, Label
from models.scorecard import Scorecard

_PARTIES: Final = {
    "payments": (
        ("account", "payer_account"), ("account", "payee_account"), ("card", "card"), ("merchant", "merchant"),
        ("terminal", "terminal"), ("device", "device"),
    ),
    "telecoms": (("number", "number"), ("number", "other"), ("handset", "imei"), ("sim", "imsi")),
    "accounts": (("account", "account"),),
}  # fmt: skip
"""Who and what is in an event, by stream."""


@dataclass(slots=True)
class Named:
    """An event that a label names."""

    ts: int
    subjects: frozenset[str]
    minor: int
    sides: dict[str, str]


@dataclass(slots=True)
class Backtest:
    """One detector's firings over some history, from a lowest score on, and what the labels name."""

    detector: type[Detector]
    lowest: float
    card: Scorecard | None = None
    labels: tuple[Label, ...] = ()
    fires: list[Fire] = field(default_factory=list)
    named: dict[str, Named] = field(default_factory=dict)
    events: int = 0
    opens: int = NO_TIME
    closes: int = NO_TIME

    def run(self, ticks: Iterable[Tick]) -> Iterator[int]:
        """Walk through history; tells after each tick how many events that were."""
        walk = Walk([self.detector], self.fires.append)
        walk.set(self.detector.id, self.card, max(self.lowest, EVERYTHING))
        wanted = pl.Series(
            [one.about.removeprefix("event:") for one in self.labels if one.about.startswith("event:")],
            dtype=pl.String,
        ).unique()
        for tick in ticks:
            walk.take(tick)
            self._note(tick, wanted)
            if self.opens == NO_TIME and tick.height:
                self.opens = min(
                    int(np.asarray(frame["recorded_ts"])[0]) for frame in tick.rows.values() if frame.height
                )
            self.events, self.closes = walk.events, walk.last_ts
            yield walk.events

    def _note(self, tick: Tick, wanted: pl.Series) -> None:
        for stream, parties in _PARTIES.items():
            frame = tick.rows.get(stream)
            if frame is None or wanted.is_empty():
                continue
            found = frame.filter(pl.col("event_id").is_in(wanted.implode()))
            if found.height:
                self._note_all(stream, found, parties)

    def _note_all(self, stream: str, frame: pl.DataFrame, parties: Sequence[tuple[str, str]]) -> None:
        amounts = (
            column(frame, stream, "amount_minor").to_list() if stream == "payments" else [0] * frame.height
        )
        there = [(kind, name) for kind, name in parties if f"{name}_lo" in frame.columns]
        tokens = [
            [(kind, hi, lo) for hi, lo in frame.select(f"{name}_hi", f"{name}_lo").iter_rows()]
            for kind, name in there
        ]
        for row, (event_id, ts) in enumerate(frame.select("event_id", "ts").iter_rows()):
            subjects = {
                f"{kind}:{token_text(hi, lo)}" for kind, hi, lo in (t[row] for t in tokens) if hi or lo
            }
            minor = amounts[row] if amounts[row] == amounts[row] else 0
            sides = {
                f"{kind}:{token_text(hi, lo)}": PAYEE if name == "payee_account" else PAYER
                for (kind, name), (_, hi, lo) in zip(there, (t[row] for t in tokens), strict=True)
                if stream == "payments" and kind in ("account", "card", "device")
            }
            self.named.setdefault(event_id, Named(ts, frozenset(subjects), max(0, int(minor)), sides))

    def rescored(self, scores: Sequence[float]) -> None:
        """Give the firings the scores of another kind of model."""
        pairs = zip(self.fires, scores, strict=True)
        self.fires = [msgspec.structs.replace(fire, score=float(score)) for fire, score in pairs]

    def alerts(self, threshold: float, rules: Rules = STANDING) -> Iterator[Alert]:
        """Every revision of the alerts that a threshold would have given."""
        episodes = Episodes(rules=rules)
        for fire in self.fires:
            if fire.score >= threshold:
                yield from episodes.advance(fire.clock_ts)
                alert = episodes.fire(msgspec.structs.replace(fire, threshold=threshold))
                if alert is not None:
                    yield alert
        yield from episodes.advance(self.closes)

    def crimes(self, said: Iterable[Label], from_ts: int, to_ts: int, as_of: int) -> tuple[Crime, ...]:
        """What labels confirm of a period: each event once, each subject once, by the first word."""
        found: dict[str, Crime] = {}
        for one in sorted(said, key=lambda one: (one.at, one.event_id)):
            if one.taught and one.at <= as_of and one.about not in found:
                crime = self._crime(one)
                if crime is not None and from_ts <= crime.ts < to_ts:
                    found[one.about] = crime
        return tuple(found.values())

    def _crime(self, label: Label) -> Crime | None:
        kind, _, name = label.about.partition(":")
        if kind == "alert":
            return None  # an outcome of this system's own: what it found, not what it might have missed
        if kind == "event":
            event = self.named.get(name)
            if event is None:
                return None  # before the history that was read
            return Crime(
                event_id=name, subjects=event.subjects, ts=event.ts, known=label.at, minor=event.minor
            )
        about = frozenset((label.about, *label.subjects))
        return Crime(event_id="", subjects=about, ts=label.at, known=label.at)

    def side(self, event_id: str, subject: str) -> str:
        """On which side of a payment a subject stood; nothing where that is not known."""
        event = self.named.get(event_id)
        return "" if event is None else event.sides.get(subject, "")


def labels_of(ticks: Iterable[Tick]) -> tuple[Label, ...]:
    """The labels among some ticks."""
    return tuple(label for tick in ticks for label in found_out(tick))
