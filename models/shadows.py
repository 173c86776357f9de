"""What challengers said in shadow, kept in a small SQLite file: one row for each row of each model.

A row's name is its detector, version, event and subject, so writing it again after a crash changes nothing. A day
holds at most so many rows of one model, the first in the one order; retention is that of examples.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from models.errors import ModelError
from models.examples import RETENTION_DAYS

FILE: Final = "shadow.sqlite"
MOST_A_DAY: Final = 100_000
"""Rows of one model that are kept of one day: a challenger that raises everything must not fill the disk."""
_DAY_US: Final = 86_400_000_000
_COLUMNS: Final = {
    "detector": pl.String,
    "version": pl.String,
    "event_id": pl.String,
    "subject": pl.String,
    "seq": pl.Int64,
    "ts": pl.Int64,
    "score": pl.Float64,
    "threshold": pl.Float64,
    "champion": pl.String,
    "champion_score": pl.Float64,
    "champion_threshold": pl.Float64,
    "chance": pl.Float64,
    "side": pl.String,
}
_SQL_TYPES: Final = {pl.String: "TEXT", pl.Int64: "INTEGER", pl.Float64: "REAL"}
_NAMES: Final = ", ".join(_COLUMNS)
_MADE: Final = f"""
CREATE TABLE IF NOT EXISTS shadow ({", ".join(f"{n} {_SQL_TYPES[k]} NOT NULL" for n, k in _COLUMNS.items())},
PRIMARY KEY (detector, version, event_id, subject)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS shadow_by_time ON shadow (detector, version, ts);
"""
_PUT: Final = f"INSERT OR REPLACE INTO shadow ({_NAMES}) VALUES ({', '.join('?' for _ in _COLUMNS)})"  # noqa: S608 - names of our own


class ShadowPaused(ModelError):  # noqa: N818 - a state, not a fault
    """What challengers said cannot be written just now (a full disk, say); nothing is lost, try again later."""


class Shadow(NamedTuple):
    """What a model in shadow said of one row, beside what the champion said."""

    seq: int
    ts: int
    detector: str
    subject: str
    version: str
    score: float
    threshold: float
    champion: str
    champion_score: float
    champion_threshold: float
    chance: float
    """With which chance a row such as this is kept."""
    side: str = ""
    """On which side of a payment the subject stands: labels about a payment speak of one of them."""
    event_id: str = ""
    """The national hop says it."""

    @property
    def key(self) -> tuple[Any, ...]:
        """Which row of which model it is."""
        return self.seq, self.detector, self.version, self.subject


class ShadowStore:
    """What challengers said, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._held: dict[tuple[str, str, int], int] = {}  # rows by detector, version and day
        self._pruned = -1

    def write(self, shadows: Sequence[Shadow]) -> None:
        """Keep rows; those that are there already stay as they are.

        Raises:
            ShadowPaused: the file cannot be written just now.
        """
        with self._open() as connection:
            for one in shadows:
                row = _row(one)
                if self._is_there(connection, one) or self._has_room(connection, one):
                    connection.execute(_PUT, row)
            self._forget(connection, max(one.ts for one in shadows))

    def _has_room(self, connection: sqlite3.Connection, one: Shadow) -> bool:
        day = one.ts // _DAY_US
        key = (one.detector, one.version, day)
        if key not in self._held:
            (self._held[key],) = connection.execute(
                "SELECT count(*) FROM shadow WHERE detector = ? AND version = ? AND ts >= ? AND ts < ?",
                (one.detector, one.version, day * _DAY_US, (day + 1) * _DAY_US),
            ).fetchone()
        if self._held[key] >= MOST_A_DAY:
            return False
        self._held[key] += 1
        return True

    def _is_there(self, connection: sqlite3.Connection, one: Shadow) -> bool:
        found = connection.execute(
            "SELECT 1 FROM shadow WHERE detector = ? AND version = ? AND event_id = ? AND subject = ?",
            (one.detector, one.version, one.event_id, one.subject),
        ).fetchone()
        return found is not None

    def _forget(self, connection: sqlite3.Connection, now: int) -> None:
        """Let go of what is beyond retention, once a day of event time."""
        if now // _DAY_US > self._pruned:
            self._pruned = now // _DAY_US
            connection.execute("DELETE FROM shadow WHERE ts < ?", (now - RETENTION_DAYS * _DAY_US,))
            self._held = {key: held for key, held in self._held.items() if key[2] >= self._pruned - 1}

    def rows(
        self, detector: str, version: str | None = None, from_ts: int = 0, to_ts: int = 2**62
    ) -> pl.DataFrame:
        """What models in shadow said for a detector, in the one order; empty when there is nothing."""
        if not self.path.exists():
            return pl.DataFrame(schema=_COLUMNS)
        with self._open() as connection:
            found = connection.execute(
                f"SELECT {_NAMES} FROM shadow WHERE detector = ? AND (? IS NULL OR version = ?) AND ts >= ? AND ts < ? "  # noqa: S608
                "ORDER BY seq, version, subject",
                (detector, version, version, from_ts, to_ts),
            ).fetchall()
        return pl.DataFrame(found, schema=_COLUMNS, orient="row")

    def latest(self, detector: str) -> int:
        """The time of a detector's latest row; 0 when there is none."""
        if not self.path.exists():
            return 0
        with self._open() as connection:
            (ts,) = connection.execute(
                "SELECT max(ts) FROM shadow WHERE detector = ?", (detector,)
            ).fetchone()
        return int(ts or 0)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The file, in one transaction."""
        try:
            if self._connection is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self.path, timeout=30.0)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_MADE)
                self._connection = connection
            with self._connection:
                yield self._connection
        except sqlite3.DatabaseError as trouble:
            self.close()
            raise ShadowPaused(
                f"{self.path} cannot be used just now ({trouble}): make room, or move it away if it is damaged"
            ) from trouble

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _row(one: Shadow) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in _COLUMNS)
