"""Labels: what was found out, by whom, about what; corrected when a later word differs; joined to examples.

What a label says of an example: one about its event goes before one about its alert, and that before one about its
subject; of equals the latest word counts. *Unclear* teaches nothing, nor does a word that the records were wrong.

Labels come only for what was looked at. So that learning from reviewed alerts does not bend a model, an example
counts for all those like it that nobody looked at: a reviewed alert for the unreviewed ones of its score, a sampled
row for the rows it was drawn from. A sampled row without any report within the horizon of the typology is a
**matured negative**; an alert that nobody decided is nothing.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from alerts.outcomes import Decision
from models.errors import ModelError
from models.examples import ALERT, review_name
from models.typologies import speaks_of

_DAY_US: Final = 86_400_000_000
SUBJECT_DAYS: Final = 30
"""A label about an account or a number speaks of what it did in so many days before."""
NOT_TAUGHT: Final = ("supplier_error", "test_traffic")
MOST: Final = 20.0
"""No example counts for more than so many: one lucky draw must not make a model."""
_BANDS: Final = 4
_RANK: Final = {"event": 2, "alert": 1, "review": 1}
_ANSWERS: Final = ("alert:", "review:")
"""What is said of these is said of what one detector claimed."""
HARMED: Final = "harmed"
INVOLVED: Final = "involved"
PAYER: Final = "payer"
PAYEE: Final = "payee"
"""Sides of a payment."""
_PEOPLE: Final = ("account:", "number:")
ROLES: Final[dict[str, str]] = {
    "victim": HARMED,
    "complicit": INVOLVED,
    "deceived": INVOLVED,
    "coerced": INVOLVED,
}
_CATEGORIES: Final = {"victim": HARMED, "suspect": INVOLVED, "convicted": INVOLVED}


CONFIDENCES: Final[dict[str, float]] = {"high": 1.0, "medium": 0.5, "low": 0.0}
"""How sure somebody was of an answer, and what it counts then: a guess is written down and teaches nothing."""


class Claim(msgspec.Struct, frozen=True):
    """What a detector says of the subject of its alerts: of which typology, and whether it is the one who is harmed."""

    typology: str = ""
    victim: bool = False
    used: bool = False
    """Whether it says that something is made use of, whoever holds it: a line's courier is one, and a victim."""

    def is_right_of(self, role: str, standing: str) -> bool:
        """Whether a confirmed alert was right about somebody who turned out to be so.

        Who was deceived or coerced into lending an account lent it: the alert is right, and the person is to be
        protected. Who was harmed and took no part is not what an alert about a mule says. Who was said to be harmed and
        was an accomplice was not.
        """
        if self.victim:
            return role != "complicit" and not (standing == INVOLVED and not role)
        return standing != HARMED or self.used


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
    subjects: tuple[str, ...] = ()
    """Whom it speaks of, as `account:TOKEN`; nobody when it was not said."""
    role: str = ""
    """What they were: `complicit`, `deceived`, `coerced` or `victim`."""
    category: str = ""
    """`suspect`, `convicted`, `victim`, `possible_victim`, `witness` or `unknown`."""
    seq: int = -1
    """Its place in the one order, where it has one."""
    confidence: str = ""
    """How sure they were, where they were asked: `high`, `medium` or `low`."""

    @property
    def weight(self) -> float:
        """What it counts: half where they were not sure."""
        return CONFIDENCES.get(self.confidence, 1.0)

    @property
    def taught(self) -> bool | None:
        """What it teaches: right, wrong, or nothing."""
        if self.reason_code in NOT_TAUGHT or not self.weight:
            return None
        return {"confirmed": True, "innocent": False}.get(self.label)

    @property
    def standing(self) -> str:
        """What those it names were: harmed, involved, or not said."""
        return ROLES.get(self.role) or _CATEGORIES.get(self.category, "")

    def names(self, subject: str) -> bool:
        """Whether it speaks of a subject by name."""
        return subject == self.about or subject in self.subjects

    def standing_of(self, subject: str, side: str) -> str | None:
        """What somebody was in what it is about; nothing when it does not speak of them.

        Where it names who was involved, the one who paid them was harmed. Where it names nobody, the payer of a
        payment was harmed and the payee involved. That it names who was harmed says nothing of whom they paid.
        """
        if self.names(subject):
            return self.standing
        if not subject.startswith(_PEOPLE):  # a card, a merchant: a label about what was done with it
            return HARMED if side == PAYER else ""
        if not self.subjects:
            return {PAYER: HARMED, PAYEE: INVOLVED}.get(side, "")
        return HARMED if self.standing == INVOLVED and side == PAYER else None

    def says(self, subject: str, side: str, claim: "Claim") -> tuple[bool | None] | None:
        """What it teaches a detector that claims something of a subject: right, wrong or unclear; or it says nothing.

        An outcome of an alert, or of a row that was put up for review, is about what that said. Of who was harmed it is
        wrong to say that they were involved; that somebody was involved, or was not, says nothing about whether they
        were harmed as well.
        """
        if self.about.startswith(_ANSWERS):
            return (self.taught and claim.is_right_of(self.role, self.standing),)
        standing = self.standing_of(subject, side)
        if standing is None or not speaks_of(self.typology, claim.typology):
            return None
        if claim.victim and standing != HARMED and (standing == INVOLVED or not about_one(self)):
            return None
        if not self.taught:
            return (self.taught,)
        named = self.names(subject)
        return (claim.victim or standing != HARMED or (claim.used and named),)


def decided(
    alert_id: str,
    outcome: str | None,
    at: int,
    *,
    reason: str = "",
    role: str = "",
    by: str = "",
    seq: int = -1,
) -> Label:
    """A person's decision on an alert as a label; one that opens the alert again takes the outcome back."""
    return Label(
        event_id=f"decision:{alert_id}:{at:x}",
        about=f"alert:{alert_id}",
        label=outcome or "unclear",
        at=at,
        origin="analyst",
        reason_code=reason,
        role=role,
        by=by,
        seq=seq,
    )


def label_of(decision: Decision) -> Label:
    """A decision of the store as a label."""
    return decided(
        decision.alert_id,
        decision.outcome,
        decision.at,
        reason=decision.reason or "",
        role=decision.role or "",
        by=decision.by,
    )


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
        self._torn = False
        for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), start=1):
            try:
                self._take(msgspec.json.decode(line, type=Label))
            except msgspec.MsgspecError as wrong:
                self._torn = not path.read_bytes().endswith(b"\n")
                if not self._torn:
                    raise ModelError(f"line {number} of {path} is no label ({wrong}): put it back") from wrong

    def __len__(self) -> int:
        """How many."""
        return len(self._by_id)

    def add(self, labels: Iterable[Label]) -> tuple[Corrected, ...]:
        """Keep labels, each id once; gives the words that were taken back.

        A later word of the same origin about the same thing replaces the earlier; those of others stand beside it.
        """
        fresh: list[Label] = []
        taken: set[str] = set()
        for one in labels:
            if one.event_id not in self._by_id and one.event_id not in taken:
                taken.add(one.event_id)
                fresh.append(one)
        if fresh:
            if self._torn:
                self.cut(self.path)
                self._torn = False
            self._write(fresh)
        return tuple(corrected for one in fresh if (corrected := self._take(one)) is not None)

    def known(self, as_of: int) -> tuple[Label, ...]:
        """What was known at a moment, in order."""
        return tuple(
            sorted((one for one in self._by_id.values() if one.at <= as_of), key=lambda o: (o.at, o.event_id))
        )

    def _write(self, labels: Sequence[Label]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(one) + b"\n" for one in labels))
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def cut(path: Path, length: int | None = None) -> None:
        """Cut a file back to a length it had; without one, to its last whole line: half a line was never acknowledged."""
        if not path.exists():
            return
        raw = path.read_bytes()
        keep = raw.rfind(b"\n") + 1 if length is None else min(length, len(raw))
        if keep < len(raw):
            with path.open("r+b") as file:
                file.truncate(keep)

    def _take(self, label: Label) -> Corrected | None:
        self._by_id[label.event_id] = label
        key = (label.about, label.origin)
        before = self._last.get(key)
        if before is not None and (before.at, before.event_id) > (label.at, label.event_id):
            return None
        self._last[key] = label
        if before is None or (before.taught, before.standing) == (label.taught, label.standing):
            return None
        return Corrected(label.about, before, label)


def labelled(
    examples: pl.DataFrame,
    labels: Sequence[Label],
    as_of: int,
    horizon: int,
    subject_us: int = SUBJECT_DAYS * _DAY_US,
    claim: Claim = Claim(),
) -> pl.DataFrame:
    """The examples that teach something as of a moment, with `right`, `origin`, `known_at` and `weight`.

    Labels that were not known by then are not looked at, and silence counts only where the horizon has passed. `claim`
    is what the examples' detector says of its subjects: who was harmed must not teach it who is involved.
    """
    words = _words(examples, [one for one in labels if one.at <= as_of], subject_us, claim)
    right: list[float | None] = []
    origin: list[str] = []
    known_at: list[int | None] = []
    for row, kept_as, ts in zip(words, examples["kept_as"], examples["ts"], strict=True):
        if row is not None:
            said, label = row
            right.append(None if said is None else float(said))
            origin.append(label.origin)
            known_at.append(label.at)
        elif kept_as != ALERT and ts + horizon <= as_of:
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
    sure = np.array([1.0 if row is None else row[1].weight for row in words])
    told = told.with_columns(pl.Series("weight", importance(told) * sure, dtype=pl.Float64))
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


Word = tuple[bool | None, Label]
"""What a label teaches of an example."""


def _words(
    examples: pl.DataFrame, labels: Sequence[Label], subject_us: int, claim: Claim
) -> list[Word | None]:
    """The label that counts for each example, and what it teaches of it."""
    by_key: dict[str, list[Label]] = {}
    for one in labels:
        for key in dict.fromkeys((one.about, *(() if about_one(one) else one.subjects))):
            by_key.setdefault(key, []).append(one)
    sides = examples["side"].to_list() if "side" in examples.columns else [""] * examples.height
    reviewed = "detector" in examples.columns and any(key.startswith("review:") for key in by_key)
    detectors = examples["detector"].to_list() if reviewed else [""] * examples.height
    found: list[Word | None] = []
    rows = examples.select("event_id", "alert_id", "subject", "ts").iter_rows()
    for (event_id, alert_id, subject, ts), side, detector in zip(rows, sides, detectors, strict=True):
        keys = [f"event:{event_id}", subject] + ([f"alert:{alert_id}"] if alert_id else [])
        keys += [review_name(detector, event_id, subject)] if reviewed else []
        words = [one for key in keys for one in by_key.get(key, ())]
        found.append(word_for(words, subject, side or "", ts, claim, subject_us))
    return found


def about_one(label: Label) -> bool:
    """Whether it is about one event or alert, and not about somebody."""
    return label.about.partition(":")[0] in _RANK


def word_for(
    labels: Iterable[Label],
    subject: str,
    side: str,
    ts: int,
    claim: Claim,
    subject_us: int = SUBJECT_DAYS * _DAY_US,
) -> Word | None:
    """Of labels that are about a row's event, alert or subject, the one that counts, and what it teaches of it."""
    words = [
        (one, said[0])
        for one in labels
        if about_one(one) or ts <= one.at <= ts + subject_us
        if (said := one.says(subject, side, claim)) is not None
    ]
    if not words:
        return None
    label, said_of_it = max(words, key=lambda each: _standing(each[0]))
    return said_of_it, label


def _standing(label: Label) -> tuple[int, int, str]:
    return _RANK.get(label.about.partition(":")[0], 0), label.at, label.event_id
