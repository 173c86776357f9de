"""The teacher: rows as they were scored, what is found out about them, and what that makes of each detector's weights.

In one place and in one order: rows are taken as they are scored, labels as they come, and at a **lesson** everything
that has become known by then is taught, labels by their place in the one order and silence when its horizon is over.
A later word that says otherwise replaces what the earlier one taught, in its place.

The learner decides which rows are alerts, people decide how many: what it publishes has the intercept at which it would
have raised as many subjects of the last weeks as the author's weights, by rows that are kept for certain: those that
alerted, and those that the author's weights alone would have raised. While it puts the latest labelled
rows into a worse order than those weights do, those are in force.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from models.drift import ErrorWatch, Moved, Watch
from models.examples import ALERT, Example
from models.labels import Claim, Label, about_one, word_for
from models.learning import (
    FRESH,
    Lesson,
    Lineage,
    begun,
    known_values,
    order_of,
    shortened,
    taught_all,
    taught_anew,
)
from models.scorecard import Scorecard, Signal, Weights, digest_of
from models.typologies import LONGEST_DAYS, horizon_us

DAY_US: Final = 86_400_000_000
KEPT_DAYS: Final = LONGEST_DAYS + 30
"""Rows are remembered here until the longest horizon is over, and a month for words that come late."""
HEAVIEST: Final = 4.0
"""No lesson counts for more than four alerts, however many rows it stands for: a step must stay bounded."""
STEP: Final = 0.15
"""The step of a lesson, three times what one decision at a desk moves: here the number of alerts is held where it was."""
VOLUME_DAYS: Final = 14
"""Over so many days the learner raises as many alerts as the author's weights would."""
_LEAST_ROWS: Final = 30

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Taught:
    """What the teacher needs to know of a detector."""

    id: str
    version: int
    signals: tuple[Signal, ...]
    claim: Claim
    expert: Weights
    threshold: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became known of one scored row: what `labelled` says of a whole store, told as it happens."""

    detector: str
    model_version: str
    event_id: str
    subject: str
    alert_id: str
    kept_as: str
    chance: float
    strata: dict[str, str]
    scored_at: int
    known_at: int
    score: float
    threshold: float
    right: bool | None
    """`None` takes back what was known before."""
    before: bool | None
    """What it had been said to be."""
    origin: str
    label: str
    """The label's own id; nothing where silence spoke."""
    author: float
    """What the author's weights say of it."""
    role: str = ""
    """What the person turned out to be, where somebody said it."""
    role_before: str = ""
    """The role that had been said; where only this changes, counts by role change and nothing is taught."""
    sure: float = 1.0
    """What the word counts: half where whoever said it was not sure."""

    @property
    def teaches(self) -> bool:
        """Whether it says something else of the row than was known."""
        return self.right != self.before


@dataclass(slots=True)
class _Row:
    example: Example
    labels: list[Label] = field(default_factory=list)
    right: bool | None = None
    matured: bool = False
    role: str = ""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What one lesson did."""

    activated: tuple[tuple[str, Weights], ...]
    """Detectors whose weights in force are others now."""
    outcomes: tuple[Outcome, ...]
    moved: tuple[tuple[str, Moved], ...]
    """What was noticed to have changed, by detector."""


class Teacher:
    """All detectors' lineages, and the rows that may still be spoken of."""

    def __init__(self, detectors: Iterable[Taught]) -> None:
        self.about = {each.id: each for each in detectors}
        self.lineages = {
            each.id: begun(each.id, each.version, Scorecard(each.signals, each.expert))
            for each in self.about.values()
        }
        self.in_force = {each.id: each.expert for each in self.about.values()}
        self.errors = {name: ErrorWatch() for name in self.about}
        self.watches = {
            name: Watch(["score", *(s.feature for s in each.signals)]) for name, each in self.about.items()
        }
        self.stood: dict[str, tuple[Lineage, Weights]] = {}
        """What was in force before the champion that people promoted last: what a rollback puts back."""
        self.resting: set[str] = set()
        """Where something scores that lessons do not teach: the scorecard learns on, and is not put in force."""
        self._voted: dict[str, tuple[int, set[str]]] = {}
        self.now = 0
        self._rows: list[_Row] = []
        self._by_key: dict[str, list[int]] = {}
        self._due: list[tuple[int, int]] = []
        self._heard: list[Label] = []
        self._moved: list[tuple[str, Moved]] = []

    # ------------------------------------------------------------------------------------------- what comes in

    def take(self, examples: Sequence[Example]) -> None:
        """Take rows as they were scored, in the one order."""
        for one in examples:
            about = self.about.get(one.detector)
            if about is None or one.detector_version != about.version:
                continue
            number = self._remember(_Row(one))
            if one.kept_as != ALERT:
                heapq.heappush(self._due, (one.ts + horizon_us(about.claim.typology), number))
            if one.kept_as != ALERT and self._votes(one.detector, "row", one.subject, one.ts):
                values = {name: value for name, value in one.values.items() if value is not None}
                seen = self.watches[one.detector].see(one.ts, {"score": one.score} | values)
                self._moved += [(one.detector, each) for each in seen]

    def _votes(self, detector: str, about: str, subject: str, at: int) -> bool:
        """Whether a watch is to hear of it: once for each subject and day, or one busy account would sound like drift."""
        day, voted = self._voted.get(f"{detector} {about}", (0, set()))
        if at // DAY_US != day:
            day, voted = at // DAY_US, set()
            self._voted[f"{detector} {about}"] = (day, voted)
        if subject in voted:
            return False
        voted.add(subject)
        return True

    def _remember(self, row: _Row) -> int:
        """Remember a row under all that a label may name; gives its number."""
        number = len(self._rows)
        self._rows.append(row)
        for key in row.example.keys:
            self._by_key.setdefault(key, []).append(number)
        return number

    def hear(self, labels: Sequence[Label]) -> None:
        """Hear labels, in the one order."""
        self._heard += labels

    def set_threshold(self, detector: str, threshold: float) -> None:
        """People have set another threshold: as many alerts as the author's weights would raise with it."""
        if detector in self.about and detector not in self.resting:
            self.about[detector] = replace(self.about[detector], threshold=threshold)

    def begin(self, detector: str, weights: Weights | None, stage: str = "") -> None:
        """People have put something else in force: a lineage begins there, or goes on where it stood before.

        Without weights it is something that lessons do not teach.
        """
        about = self.about.get(detector)
        if about is None:
            return
        stood = self.stood.pop(detector, None)
        rested = detector in self.resting
        self.resting.discard(detector)
        if stage == "rollback" and weights is not None and stood is not None and _begins(stood[1], weights):
            if not rested:
                self.lineages[detector] = stood[0]
            self.in_force[detector] = stood[1]
            return
        if stage == "promote":
            self.stood[detector] = (self.lineages[detector], self.in_force[detector])
        if weights is None:
            self.resting.add(detector)
        elif weights != self.in_force[detector]:
            self.lineages[detector] = begun(detector, about.version, Scorecard(about.signals, weights))
            self.in_force[detector] = weights

    # ------------------------------------------------------------------------------------------------ a lesson

    def learn(self, now: int) -> Lessons:
        """Teach everything that has become known by `now`; gives the weights that should score from here on."""
        self.now = now
        outcomes: list[Outcome] = []
        fresh: dict[str, dict[str, Lesson]] = {}
        changed: dict[str, dict[str, Lesson | None]] = {}
        for number, label, at in self._known(now):
            outcome = self._outcome(number, label, at)
            if outcome is None:
                continue
            outcomes.append(outcome)
            if outcome.teaches:
                self._note(outcome, number, fresh, changed)
        activated = []
        for name in sorted({*fresh, *changed}):
            before = self.in_force[name]
            self._teach(name, list(fresh.get(name, {}).values()), changed.get(name, {}))
            if self.in_force[name].version != before.version:
                activated.append((name, self.in_force[name]))
        moved, self._moved = tuple(self._moved), []
        self._forget(now)
        return Lessons(tuple(activated), tuple(outcomes), moved)

    def _known(self, now: int) -> list[tuple[int, Label | None, int]]:
        """Rows of which something has become known, in order: before each label, what had matured by its time."""
        found: list[tuple[int, Label | None, int]] = []
        for label in sorted(self._heard, key=lambda one: (one.seq, one.event_id)):
            found += self._matured(label.at)
            found += [(number, label, label.at) for number in self._spoken_of(label)]
        self._heard = []
        return found + self._matured(now)

    def _matured(self, until: int) -> list[tuple[int, Label | None, int]]:
        found: list[tuple[int, Label | None, int]] = []
        while self._due and self._due[0][0] <= until:
            due, number = heapq.heappop(self._due)
            found.append((number, None, due))
        return found

    def _spoken_of(self, label: Label) -> list[int]:
        keys = dict.fromkeys((label.about, *(() if about_one(label) else label.subjects)))
        return sorted({number for key in keys for number in self._by_key.get(key, ())})

    def _outcome(self, number: int, label: Label | None, at: int) -> Outcome | None:
        """What a label, or silence, makes of a row; nothing when that is known already."""
        row = self._rows[number]
        one = row.example
        claim = self.about[one.detector].claim
        before = row.right
        if label is not None:
            row.labels.append(label)
        word = word_for(row.labels, one.subject, one.side, one.ts, claim)
        if label is None:
            row.matured = word is None
        right, origin = (False, "matured") if row.matured else (None, "")
        if word is not None:
            right, origin = word[0], word[1].origin
        role = "" if word is None else word[1].role
        if right == before and role == row.role:
            return None
        row.right = right
        role_before, row.role = row.role, role
        about = self.about[one.detector]
        return Outcome(
            detector=one.detector,
            model_version=one.model_version,
            event_id=one.event_id,
            subject=one.subject,
            alert_id=one.alert_id,
            kept_as=one.kept_as,
            chance=one.chance,
            strata=one.strata,
            scored_at=one.ts,
            known_at=at,
            score=one.score,
            threshold=one.threshold,
            right=right,
            before=before,
            origin=origin,
            label="" if label is None else label.event_id,
            role=row.role,
            role_before=role_before,
            sure=1.0 if word is None else word[1].weight,
            author=Scorecard(about.signals, about.expert).score_one(known_values(about.signals, one.values)),
        )

    def _note(
        self,
        outcome: Outcome,
        number: int,
        fresh: dict[str, dict[str, Lesson]],
        changed: dict[str, dict[str, Lesson | None]],
    ) -> None:
        name, row = outcome.detector, self._rows[number].example
        key = outcome.alert_id or f"{outcome.event_id} {outcome.subject}"
        mine = fresh.setdefault(name, {})
        lesson = None
        if outcome.right is not None:
            lesson = Lesson(
                alert_id=key,
                at=outcome.known_at,
                right=outcome.right,
                scored_by=outcome.model_version,
                values=dict(row.values),
                origin=outcome.origin,
                weight=min(HEAVIEST, 1.0 / outcome.chance) * outcome.sure,
            )
            if outcome.before is None and self._votes(name, "label", outcome.subject, outcome.known_at):
                seen = self.errors[name].see(
                    outcome.known_at, outcome.score, outcome.threshold, right=outcome.right
                )
                self._moved += [(name, each) for each in seen]
        if key in mine and lesson is None:
            del mine[key]
        elif key in mine or outcome.before is None:
            mine |= {} if lesson is None else {key: lesson}
        else:
            changed.setdefault(name, {})[key] = lesson

    def _teach(self, name: str, fresh: list[Lesson], changed: dict[str, Lesson | None]) -> None:
        about, lineage = self.about[name], self.lineages[name]
        if changed:
            lineage = taught_anew(lineage, about.signals, changed, STEP)
        lineage = shortened(taught_all(lineage, about.signals, fresh, STEP), about.signals, rate=STEP)
        self.lineages[name] = lineage
        if name not in self.resting:
            self.in_force[name] = lineage.expert if held_back(lineage) else self._at_volume(name, lineage)

    def _at_volume(self, name: str, lineage: Lineage) -> Weights:
        """The learnt weights with the intercept at which as many of the latest rows would alert as by the expert's."""
        about = self.about[name]
        latest = [
            row.example
            for row in self._rows
            if row.example.detector == name and row.example.ts > self.now - VOLUME_DAYS * DAY_US
        ]
        if len(latest) < _LEAST_ROWS:
            latest = [row.example for row in self._rows if row.example.detector == name][-_LEAST_ROWS:]
        names = [signal.feature for signal in about.signals]
        values = np.array([[known_values(about.signals, one.values)[n] for n in names] for one in latest])
        weight = np.array([1.0 / one.chance for one in latest])
        line = np.log(about.threshold / (1.0 - about.threshold))
        who = np.unique([one.subject for one in latest], return_inverse=True)[1]
        expert = _logits(about.signals, lineage.expert, values)
        wanted = float(len(np.unique(who[(weight <= 1.0) & (expert >= line)])))
        # drawn rows stand for rows, of which a subject has several: as many as where every row is kept
        whole = who[(weight <= 1.0) & np.array([one.kept_as != ALERT for one in latest])]
        weight = np.maximum(1.0, weight * len(np.unique(whole)) / len(whole)) if len(whole) else weight
        learnt = _logits(about.signals, lineage.learnt, values)
        highest = np.lexsort((-learnt, who))
        first = highest[np.flatnonzero(np.diff(who[highest], prepend=-1))]
        learnt, weight = learnt[first], weight[first]
        shift = _shift(learnt, weight, wanted, float(line))
        intercept = lineage.learnt.intercept + shift
        base = lineage.learnt.version.rpartition(".")[0]
        version = f"{base}.{digest_of(intercept, lineage.learnt.weights)}"
        return Weights(version, intercept, lineage.learnt.weights, lineage.learnt.labels)

    def _forget(self, now: int) -> None:
        """Let go of rows nobody can speak of any more."""
        since = now - KEPT_DAYS * DAY_US
        gone = 0
        while gone < len(self._rows) and self._rows[gone].example.ts < since:
            gone += 1
        if gone < max(1_000, len(self._rows) // 4):
            return
        rows, due = self._rows[gone:], self._due
        self._rows, self._by_key, self._due = [], {}, []
        for row in rows:
            self._remember(row)
        self._due = [(at, number - gone) for at, number in due if number >= gone]
        heapq.heapify(self._due)

    def __len__(self) -> int:
        """How many rows are remembered."""
        return len(self._rows)

    # --------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, Any]:
        """What it knows, as plain data; the watches begin anew after it is taken up."""
        return {
            "now": self.now,
            "rows": [
                [msgspec.to_builtins(r.example), msgspec.to_builtins(r.labels), r.right, r.matured, r.role]
                for r in self._rows
            ],
            "due": [list(one) for one in sorted(self._due)],
            "heard": msgspec.to_builtins(self._heard),
            "lineages": msgspec.to_builtins(self.lineages),
            "in_force": msgspec.to_builtins(self.in_force),
            "stood": msgspec.to_builtins(self.stood),
            "resting": sorted(self.resting),
        }

    def load(self, plain: Mapping[str, Any]) -> None:
        """Take up what it knew."""
        self.now = plain["now"]
        self._rows, self._by_key = [], {}
        for example, labels, *rest in plain["rows"]:
            one = msgspec.convert(example, Example)
            self._remember(_Row(one, msgspec.convert(labels, list[Label]), *rest))
        self._due = [(at, number) for at, number in plain["due"]]
        self._heard = msgspec.convert(plain["heard"], list[Label])
        for name, kept in plain["lineages"].items():
            lineage = msgspec.convert(kept, Lineage)
            if name in self.about and lineage.detector_version == self.about[name].version:
                self.lineages[name] = lineage
        self.in_force |= {
            name: msgspec.convert(kept, Weights)
            for name, kept in plain["in_force"].items()
            if name in self.about and kept["version"].startswith(self.lineages[name].expert.version)
        }
        self.stood = msgspec.convert(plain.get("stood", {}), dict[str, tuple[Lineage, Weights]])
        self.resting = set(plain.get("resting", ()))


def _begins(stood: Weights, base: Weights) -> bool:
    """Whether what stood is those weights, or what was learnt on top of them."""
    return stood.version.partition("+")[0] == base.version


def held_back(lineage: Lineage) -> bool:
    """Whether the learner puts the latest labelled rows into a worse order than the author's weights do.

    Where there are too few of one kind to speak of an order, how wrong they are is compared.
    """
    fresh = lineage.lessons[-4 * FRESH :]
    learner = order_of((one.learner, one.right) for one in fresh)
    expert = order_of((one.expert, one.right) for one in fresh)
    if learner is None or expert is None:
        return lineage.is_held_back
    return learner < expert


def _logits(signals: tuple[Signal, ...], weights: Weights, values: Floats) -> Floats:
    card = Scorecard(signals, weights)
    score = np.clip(card.score(values), 1e-15, 1.0 - 1e-15) if len(values) else np.zeros(0)
    return np.asarray(np.log(score / (1.0 - score)), dtype=np.float64)


def _shift(logits: Floats, weight: Floats, wanted: float, line: float) -> float:
    """By how much to move all rows so that the strongest of them, so many by weight, come to lie above the line."""
    if not len(logits):
        return 0.0
    order = np.argsort(-logits, kind="stable")
    total = np.cumsum(weight[order])
    count = int(np.searchsorted(total, wanted + 1e-9, side="right"))
    if count == 0:
        return float(line - logits[order[0]] - 1e-6)
    if count == len(order):
        return float(line - logits[order[-1]])
    return float(line - (logits[order[count - 1]] + logits[order[count]]) / 2.0)
