"""The example store: feature values as they were when scored, for every alert and for a random share of the rest.

Kept as Parquet, one folder for each version of a detector and day, and beside it an index by which a label about an
event, an alert or a subject finds its examples. A chunk has a name given by who writes it (a tick and shard), and
writing it again replaces it: a flow that goes on after a crash leaves no doubles. Whole days are forgotten when
retention ends.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from models.errors import ModelError

ALERT: Final = "alert"
SAMPLE: Final = "sample"
REVIEW: Final = "review"
"""Why a row was kept: it alerted, it was drawn at random, or it was drawn to be reviewed by a person."""
RETENTION_DAYS: Final = 400
"""Thirteen months: the longest retention of unflagged working data."""
_DAY_US: Final = 86_400_000_000
_HASHED: Final = 1 << 64
_PLAIN: Final = {
    "event_id": pl.String,
    "detector": pl.String,
    "detector_version": pl.Int64,
    "model_version": pl.String,
    "subject": pl.String,
    "ts": pl.Int64,
    "seq": pl.Int64,
    "score": pl.Float64,
    "threshold": pl.Float64,
    "kept_as": pl.String,
    "chance": pl.Float64,
    "alert_id": pl.String,
    "side": pl.String,
}
VALUE: Final = "v."
STRATUM: Final = "s."
"""How columns of values and of strata begin."""
_INDEX: Final = {"key": pl.String, "ts": pl.Int64, "detector": pl.String, "event_id": pl.String}


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One scored row as it was."""

    event_id: str
    detector: str
    detector_version: int
    model_version: str
    subject: str
    """`account:TOKEN` or `number:TOKEN`."""
    ts: int
    seq: int
    score: float
    threshold: float
    kept_as: str
    chance: float = 1.0
    """With which chance a row such as this was kept: its importance is one over it."""
    alert_id: str = ""
    side: str = ""
    """Of a payment: `payer` or `payee`; else nothing."""
    strata: dict[str, str] = {}
    values: dict[str, float | None]

    @property
    def keys(self) -> tuple[str, ...]:
        """All that a label about it may name: its event, its subject, its alert."""
        return (
            f"event:{self.event_id}",
            self.subject,
            *((f"alert:{self.alert_id}",) if self.alert_id else ()),
            *((review_name(self.detector, self.event_id, self.subject),) if self.kept_as == REVIEW else ()),
        )


def review_name(detector: str, event_id: str, subject: str) -> str:
    """The name under which people answer for one row of one detector, `review:` and sixteen digits."""
    digest = hashlib.blake2b(f"{detector}\0{event_id}\0{subject}".encode(), digest_size=8)
    return f"review:{digest.hexdigest()}"


def drawn(event_id: str, detector: str, one_in: int) -> bool:
    """Whether an event belongs to the random share: by a hash of its id, so that every run draws the same."""
    digest = hashlib.blake2b(f"{detector}\0{event_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") < _HASHED // one_in


SEED: Final = 20_260_302
"""What the draw begins with: another seed draws other rows."""
GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def drawn_rows(
    token: npt.NDArray[np.uint64], ts: npt.NDArray[np.int64], detector: str, one_in: int, seed: int = SEED
) -> npt.NDArray[np.bool_]:
    """Which rows belong to the random share: by a hash of whose row it is, when it happened, detector and seed.

    A token is secret to whoever has no key, so nobody can choose an hour at which nothing is drawn; and the same
    happening is drawn in every run, wherever it stands in its order.
    """
    salt = int.from_bytes(hashlib.blake2b(f"{seed}\0{detector}".encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        bits = token ^ (ts.astype(np.uint64) * GOLDEN) ^ np.uint64(salt)
    return mixed(bits) < np.uint64((_HASHED - 1) // one_in)


def mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Numbers stirred until neighbours have nothing in common (the finaliser of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        for shift, factor in zip((30, 27), _MIX, strict=True):
            bits = (bits ^ (bits >> np.uint64(shift))) * factor
        return bits ^ (bits >> np.uint64(31))


class ExampleStore:
    """The examples in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, examples: Sequence[Example]) -> None:
        """Keep a chunk of examples; the same name again replaces what it held, when its rows are of the same days.

        Raises:
            ModelError: an example has no sensible chance.
        """
        groups: dict[tuple[str, str], list[Example]] = {}
        days: dict[str, list[Example]] = {}
        for one in examples:
            if not 0.0 < one.chance <= 1.0:
                raise ModelError(
                    f"example {one.event_id}: a chance lies above 0 and at most at 1, not at {one.chance}"
                )
            groups.setdefault((f"{one.detector}-{one.detector_version}", _day(one.ts)), []).append(one)
            days.setdefault(_day(one.ts), []).append(one)
        for (kind, day), some in sorted(groups.items()):
            _put(self.folder / kind / day / f"{name}.parquet", _frame(some))
        for day, some in sorted(days.items()):
            _put(self.folder / "index" / day / f"{name}.parquet", _index(some))

    def examples(self, detector: str, detector_version: int, from_ts: int, to_ts: int) -> pl.DataFrame:
        """The examples of one version of a detector within a span of time, in the one order."""
        root = self.folder / f"{detector}-{detector_version}"
        days = [day for day in _folders(root) if _day(from_ts) <= day.name <= _day(to_ts)]
        frames = [pl.read_parquet(path) for day in days for path in sorted(day.glob("*.parquet"))]
        if not frames:
            return pl.DataFrame(schema=_PLAIN)
        whole = pl.concat(frames, how="diagonal")
        return whole.filter(pl.col("ts").is_between(from_ts, to_ts, closed="left")).sort("seq", "event_id")

    def resolve(self, about: str, at: int, within_us: int) -> list[tuple[str, str]]:
        """The examples (detector, event id) that a label about an event, alert or subject speaks of.

        Only those from `within_us` before the label was made up to it: what a subject does after that is not judged.
        """
        found: list[tuple[int, str, str]] = []
        for day in _folders(self.folder / "index"):
            if _day(at - within_us) <= day.name <= _day(at):
                for path in sorted(day.glob("*.parquet")):
                    rows = pl.scan_parquet(path).filter(
                        (pl.col("key") == about) & pl.col("ts").is_between(at - within_us, at)
                    )
                    found += rows.select("ts", "detector", "event_id").collect().rows()
        return [(detector, event_id) for _, detector, event_id in sorted(set(found))]

    def forget(self, now: int, days: int = RETENTION_DAYS) -> int:
        """Let go of whole days beyond retention; gives how many folders went."""
        last, gone = _day(now - days * _DAY_US), 0
        for kind in _folders(self.folder):
            for day in _folders(kind):
                if day.name < last:
                    shutil.rmtree(day)
                    gone += 1
        return gone


def _frame(examples: Sequence[Example]) -> pl.DataFrame:
    columns: dict[str, list[object]] = {name: [getattr(one, name) for one in examples] for name in _PLAIN}
    for start, named in ((STRATUM, "strata"), (VALUE, "values")):
        names = dict.fromkeys(name for one in examples for name in getattr(one, named))
        for name in names:
            columns[start + name] = [getattr(one, named).get(name) for one in examples]
    schema = _PLAIN | {
        name: pl.Float64 if name.startswith(VALUE) else pl.String for name in columns if name not in _PLAIN
    }
    return pl.DataFrame(columns, schema=schema)


def _index(examples: Sequence[Example]) -> pl.DataFrame:
    rows = []
    for one in examples:
        rows += [(key, one.ts, one.detector, one.event_id) for key in one.keys]
    return pl.DataFrame(rows, schema=_INDEX, orient="row").sort("key", "ts")


def _put(path: Path, frame: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    frame.write_parquet(draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.exists() else []


def _day(ts: int) -> str:
    return datetime.fromtimestamp(ts // 1_000_000, tz=UTC).date().isoformat()
