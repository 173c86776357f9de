"""Labels: what was found out, by whom, about what; corrected when a later word differs; joined to examples.

What a label says of an example: one about its event goes before one about its alert, and that before one about its
subject; of equals the latest word counts. *Unclear* teaches nothing, nor does a word that the records were wrong.

Labels come only for what was looked at. So that learning from reviewed alerts does not bend a model, an example
counts for all those like it that nobody looked at: a reviewed alert for the unreviewed ones of its score, a sampled
row for the rows it was drawn from. A sampled row without any report within the horizon of the typology is a
**matured negative**; an alert that nobody decided is nothing.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from models.errors import ModelError
from models.examples import ALERT, SAMPLE

_DAY_US: Final = 86_400_000_000
HORIZON_DAYS: Final[Mapping[str, int]] = {
    "card": 7,  # cardholders report within days of a statement or a notice
    "takeover": 14,
    "app": 30,  # half of authorised push payment victims notice within weeks
    "mule": 30,
    "county_line": 60,  # lines come to light through arrests
}
"""Days after which silence counts, by the beginning of a typology's name."""
LONGEST_DAYS: Final = 60
SUBJECT_DAYS: Final = 30
"""A label about an account or a number speaks of what it did in so many days before."""
NOT_TAUGHT: Final = ("supplier_error", "test_traffic")
MOST: Final = 20.0
"""No example counts for more than so many: one lucky draw must not make a model."""
_BANDS: Final = 4
_RANK: Final = {"event": 2, "alert": 1}


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One word about an event, an alert, an account or a number."""

    event_id: str
    """The label's own id."""
    about: str
    label: str
    """`confirmed`, `innocent` or `unclear`."""
    at: int
    """When it became known here, microseconds since 1970."""
    origin: str
    typology: str = ""
    reason_code: str = ""
    by: str = ""

    @property
    def taught(self) -> bool | None:
        """What it teaches: right, wrong, or nothing."""
        if self.reason_code in NOT_TAUGHT:
            return None
        return {"confirmed": True, "innocent": False}.get(self.label)


class Corrected(msgspec.Struct, frozen=True):
    """A word that was taken back by a later one: what it had taught has to be taught anew."""

    about: str
    before: Label
    after: Label


class LabelBook:
    """All labels in a file, in the order in which they came; nothing is overwritten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_id: dict[str, Label] = {}
        self._last: dict[tuple[str, str], Label] = {}
        for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), start=1):
            try:
                self._take(msgspec.json.decode(line, type=Label))
            except msgspec.MsgspecError as wrong:
                if number == 1 or path.read_bytes().endswith(b"\n"):
                    raise ModelError(f"line {number} of {path} is no label ({wrong}): put it back") from wrong

    def __len__(self) -> int:
        """How many."""
        return len(self._by_id)

    def add(self, labels: Iterable[Label]) -> tuple[Corrected, ...]:
        """Keep labels, each id once; gives the words that were taken back.

        A later word of the same origin about the same thing replaces the earlier; those of others stand beside it.
        """
        fresh: list[Label] = []
        for one in labels:
            if one.event_id not in self._by_id and all(one.event_id != each.event_id for each in fresh):
                fresh.append(one)
        if fresh:
            self._write(fresh)
        return tuple(corrected for one in fresh if (corrected := self._take(one)) is not None)

    def known(self, as_of: int) -> tuple[Label, ...]:
        """What was known at a moment, in order."""
        return tuple(
            sorted((one for one in self._by_id.values() if one.at <= as_of), key=lambda o: (o.at, o.event_id))
        )

    def _write(self, labels: Sequence[Label]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = (
            self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
        )
        if torn:  # half a line from a crash: it was never acknowledged
            whole = self.path.read_bytes()
            self.path.write_bytes(whole[: whole.rfind(b"\n") + 1])
        with self.path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(one) + b"\n" for one in labels))
            file.flush()
            os.fsync(file.fileno())

    def _take(self, label: Label) -> Corrected | None:
        self._by_id[label.event_id] = label
        key = (label.about, label.origin)
        before = self._last.get(key)
        if before is not None and (before.at, before.event_id) > (label.at, label.event_id):
            return None
        self._last[key] = label
        if before is None or before.taught == label.taught:
            return None
        return Corrected(label.about, before, label)


def horizon_us(typology: str) -> int:
    """After which time silence counts as innocence."""
    days = next((d for start, d in HORIZON_DAYS.items() if typology.startswith(start)), LONGEST_DAYS)
    return days * _DAY_US


def labelled(
    examples: pl.DataFrame,
    labels: Sequence[Label],
    as_of: int,
    horizon: int,
    subject_us: int = SUBJECT_DAYS * _DAY_US,
) -> pl.DataFrame:
    """The examples that teach something as of a moment, with `right`, `origin`, `known_at` and `weight`.

    Labels that were not known by then are not looked at, and silence counts only where the horizon has passed.
    """
    words = _words(examples, [one for one in labels if one.at <= as_of], subject_us)
    right: list[float | None] = []
    origin: list[str] = []
    known_at: list[int | None] = []
    for row, kept_as, ts in zip(words, examples["kept_as"], examples["ts"], strict=True):
        if row is not None:
            right.append(None if row.taught is None else float(row.taught))
            origin.append(row.origin)
            known_at.append(row.at)
        elif kept_as == SAMPLE and ts + horizon <= as_of:
            right.append(0.0)
            origin.append("matured")
            known_at.append(ts + horizon)
        else:
            right.append(None)
            origin.append("")
            known_at.append(None)
    told = examples.with_columns(
        pl.Series("right", right, dtype=pl.Float64),
        pl.Series("origin", origin, dtype=pl.String),
        pl.Series("known_at", known_at, dtype=pl.Int64),
    )
    told = told.with_columns(pl.Series("weight", importance(told), dtype=pl.Float64))
    return told.filter(pl.col("right").is_not_null())


def importance(examples: pl.DataFrame) -> npt.NDArray[np.float64]:
    """For how many an example stands: the rows it was drawn from, and the alerts of its score that nobody reviewed."""
    weight = 1.0 / examples["chance"].to_numpy()
    alerts = (examples["kept_as"] == ALERT).to_numpy()
    known = examples["right"].is_not_null().to_numpy()
    score = examples["score"].to_numpy()
    if (alerts & known).any():
        cuts = np.quantile(score[alerts], np.linspace(0, 1, _BANDS + 1)[1:-1])
        band = np.searchsorted(cuts, score, side="right")
        for each in range(_BANDS):
            here = alerts & (band == each)
            reviewed = here & known
            if reviewed.any():
                weight[here] *= here.sum() / reviewed.sum()
    return np.minimum(weight, MOST)


def _words(examples: pl.DataFrame, labels: Sequence[Label], subject_us: int) -> list[Label | None]:
    """The label that counts for each example."""
    by_about: dict[str, list[Label]] = {}
    for one in labels:
        by_about.setdefault(one.about, []).append(one)
    found: list[Label | None] = []
    for event_id, alert_id, subject, ts in examples.select(
        "event_id", "alert_id", "subject", "ts"
    ).iter_rows():
        about = [f"event:{event_id}", subject] + ([f"alert:{alert_id}"] if alert_id else [])
        words = [
            one
            for key in about
            for one in by_about.get(key, ())
            if one.about != subject or ts <= one.at <= ts + subject_us
        ]
        found.append(max(words, key=_standing) if words else None)
    return found


def _standing(label: Label) -> tuple[int, int, str]:
    return _RANK.get(label.about.partition(":")[0], 0), label.at, label.event_id
