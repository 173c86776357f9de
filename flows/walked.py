"""History as a detector saw it: every row that passed its gate, scored by the flow's own code, as examples.

For every kind of detector: rows of accounts and numbers, things, networks, pairs across streams. Memory is that of
the flow (what is remembered of entities) and the gated rows; the events themselves are let go tick by tick.
"""

from typing import Final

import numpy as np
import polars as pl

from alerts.record import Fire, token_text
from detectors.base import Detector
from events.ledger import Tick
from features.rows import Entity, Rows
from flows.drawing import STRATA, strata_of
from flows.found_out import found_out, sides_of
from flows.walking import EVERYTHING, Walk
from models.examples import SAMPLE, STRATUM, VALUE
from models.labels import Label

_TOGETHER: Final = 20_000
"""Gated rows that are put into columns at a time."""


class Walked:
    """The ticks of some history, walked through one by one, and what passed one detector's gate."""

    def __init__(self, detector: type[Detector]) -> None:
        self.detector = detector
        self.labels: list[Label] = []
        self.signals = [signal.feature for signal in detector.signals]
        self._card = detector.scorecard()
        self._heard: list[Fire] = []
        self._rows: list[tuple[object, ...]] = []
        self._frames: list[pl.DataFrame] = []
        self._walk = Walk([detector], self._heard.append)
        self._walk.set(detector.id, None, EVERYTHING)

    @property
    def events(self) -> int:
        """How many events were taken."""
        return self._walk.events

    @property
    def height(self) -> int:
        """How many rows passed the gate."""
        return sum(frame.height for frame in self._frames) + len(self._rows)

    def take(self, tick: Tick) -> None:
        """Take a tick, in order."""
        shares = self._walk.take(tick)
        rows = {entity: mine for share in shares.values() for entity, mine in share.rows.items()}
        for fire in self._heard:
            age, home, side = _of_owner(fire, rows)
            strata = strata_of(age, home or int(fire.home_force))
            self._rows.append(
                (
                    fire.seq,
                    fire.ts,
                    fire.subject.name,
                    fire.event_id,
                    fire.score,
                    side,
                    *(strata[name] for name in STRATA),
                    *(_number(fire.features.get(name)) for name in self.signals),
                )
            )
        self._heard.clear()
        if len(self._rows) >= _TOGETHER:
            self._frames.append(self._framed())
        self.labels += found_out(tick)

    def gated(self) -> pl.DataFrame:
        """The gated rows as examples: every one of them, with its values and its score by the author's scorecard."""
        if self._rows or not self._frames:
            self._frames.append(self._framed())
        return pl.concat(self._frames)

    def _framed(self) -> pl.DataFrame:
        schema: dict[str, type[pl.DataType]] = {
            "seq": pl.Int64,
            "ts": pl.Int64,
            "subject": pl.String,
            "event_id": pl.String,
            "score": pl.Float64,
            "side": pl.String,
        }
        schema |= {STRATUM + name: pl.String for name in STRATA}
        schema |= {VALUE + name: pl.Float64 for name in self.signals}
        rows, self._rows = self._rows, []
        return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
            detector=pl.lit(self.detector.id),
            detector_version=pl.lit(self.detector.version, dtype=pl.Int64),
            model_version=pl.lit(self._card.version.version),
            threshold=pl.lit(self.detector.threshold),
            kept_as=pl.lit(SAMPLE),
            chance=pl.lit(1.0),
            alert_id=pl.lit(""),
        )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _of_owner(fire: Fire, rows: dict[Entity, Rows]) -> tuple[int, int, str]:
    """What the subject's own row of the event says: age band, home (0 where it does not say), side of a payment."""
    entity = Entity[fire.subject.kind.upper()]
    mine = rows.get(entity)
    if mine is None:
        return 0, 0, ""
    at = int(np.searchsorted(mine["seq"], fire.seq))
    while at < len(mine) and mine["seq"][at] == fire.seq:
        row = mine[at]
        if token_text(int(row["own_hi"]), int(row["own_lo"])) == fire.subject.token:
            return int(row["age"]), int(row["home"]), sides_of(mine[at : at + 1], entity)[0]
        at += 1
    return 0, 0, ""
