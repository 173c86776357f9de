"""How a scorecard learns from people's outcomes: a lineage of versions, each lesson kept, nothing learnt in secret.

A **lineage** begins at the expert's weights and stays with one version of its detector. Each alert that a person
decides gives it at most one **lesson**: the feature values as they were frozen when the alert was scored, and whether
the alert was right. The learnt weights are what river's logistic regression makes of the lessons in their order, so
they can be worked out again from the lessons alone; a decision that is corrected corrects what it taught.

Two guardrails. A step is bounded: strengths lie between 0 and 1, so a label moves no weight by more than the
learning rate. And the learner must earn its place: over the latest lessons, each scored before it was learnt from,
it may not do worse than the expert's weights do; while it does, the expert's are the ones in force.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from models.errors import ModelError
from models.scorecard import LEARNING_RATE, Scorecard, Signal, Weights, digest_of

FORMAT: Final = 1
FRESH: Final = 50
"""How many of the latest lessons the learner is compared on."""
ENOUGH: Final = 20
"""From how many lessons on the comparison counts: fewer say little about either."""
MOST_KEPT: Final = 5_000
"""Lessons that are kept to be read and corrected; twice as many before the older half goes."""
_LEAST_OF_EACH: Final = 5
_CLOSEST: Final = 1e-9  # a score of exactly 0 or 1 that was wrong would weigh infinitely


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What one decided alert taught: the values it was scored on, whether it was right, and how both models stood."""

    alert_id: str
    """The alert, or of a row that was drawn at random its event and subject."""
    at: int
    """When it was decided, microseconds since 1970."""
    right: bool
    """Whether the alert was confirmed; else it was innocent."""
    scored_by: str
    """The version that had scored the alert."""
    values: dict[str, float | None]
    learner: float = math.nan
    """The learner's score of it, before it learnt from it."""
    expert: float = math.nan
    """The expert's score of it."""
    version: str = ""
    """The version that came of it; of lessons that were taught together, that of the last."""
    origin: str = "analyst"
    """Who says so: `analyst customer bank recall court random_review`, or `matured` where nobody said anything."""
    weight: float = 1.0
    """How much more than an alert it counts: a drawn row stands for those it was drawn from."""


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """One detector version's scorecard from the expert's weights on, with every lesson."""

    format: int = FORMAT
    detector: str
    detector_version: int
    expert: Weights
    learnt: Weights
    lessons: tuple[Lesson, ...] = ()
    start: Weights | None = None
    """What the lessons kept here were taught on top of, where earlier ones were let go; else the expert's."""

    @property
    def in_force(self) -> Weights:
        """The weights that should score now: what was learnt, unless the expert's do better on the latest lessons."""
        return self.expert if self.is_held_back else self.learnt

    @property
    def is_held_back(self) -> bool:
        """Whether the learner did worse than the expert's weights on the latest lessons."""
        fresh = self.lessons[-FRESH:]
        return len(fresh) >= ENOUGH and loss((one.learner, one.right) for one in fresh) > loss(
            (one.expert, one.right) for one in fresh
        )


def begun(detector: str, detector_version: int, expert: Scorecard) -> Lineage:
    """A lineage that has learnt nothing yet."""
    return Lineage(
        detector=detector, detector_version=detector_version, expert=expert.version, learnt=expert.version
    )


def taught(lineage: Lineage, signals: tuple[Signal, ...], lesson: Lesson) -> Lineage:
    """The lineage after a lesson; an earlier lesson of the same alert is replaced, in its place."""
    known = [one.alert_id for one in lineage.lessons]
    if lesson.alert_id not in known:
        return _with(lineage, signals, lesson)
    return _again(
        lineage, signals, (lesson if one.alert_id == lesson.alert_id else one for one in lineage.lessons)
    )


def taught_all(
    lineage: Lineage, signals: tuple[Signal, ...], lessons: Sequence[Lesson], rate: float = LEARNING_RATE
) -> Lineage:
    """The lineage after many lessons in their order: the same weights as one after another, in a fraction of the time.

    When so many are kept that nobody can read them, the oldest are let go: what they taught stays in `start`.
    """
    if not lessons:
        return lineage
    names = [signal.feature for signal in signals]
    model = Scorecard(signals, lineage.learnt).as_river(rate)
    expert = Scorecard(signals, lineage.expert)
    values = np.array([[known_values(signals, one.values)[name] for name in names] for one in lessons])
    told = expert.score(values)
    learner, strengths = [], [expert.strengths(dict(zip(names, row, strict=True))) for row in values]
    for one, strong in zip(lessons, strengths, strict=True):
        z = float(model.intercept) + sum(model.weights[name] * strong[name] for name in names)
        learner.append(1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, z)))))
        model.learn_one(strong, one.right, w=one.weight)
    weights = {name: float(model.weights[name]) for name in names}
    labels = lineage.learnt.labels + len(lessons)
    intercept = float(model.intercept)
    version = f"{lineage.learnt.version.partition('+')[0]}+{labels}.{digest_of(intercept, weights)}"
    kept = [
        msgspec.structs.replace(one, learner=score, expert=float(its), version=version)
        for one, score, its in zip(lessons, learner, told, strict=True)
    ]
    return msgspec.structs.replace(
        lineage, learnt=Weights(version, intercept, weights, labels), lessons=(*lineage.lessons, *kept)
    )


def taught_anew(
    lineage: Lineage,
    signals: tuple[Signal, ...],
    changed: Mapping[str, Lesson | None],
    rate: float = LEARNING_RATE,
) -> Lineage:
    """The lineage with some of its lessons replaced in their place, or taken back: learnt again from its start."""
    lessons = [
        after
        for one in lineage.lessons
        if (after := changed.get(one.alert_id, one) if one.alert_id in changed else one) is not None
    ]
    begin = msgspec.structs.replace(lineage, learnt=lineage.start or lineage.expert, lessons=())
    return taught_all(begin, signals, lessons, rate)


def shortened(
    lineage: Lineage, signals: tuple[Signal, ...], most: int = MOST_KEPT, rate: float = LEARNING_RATE
) -> Lineage:
    """The lineage with its oldest lessons let go once there are twice too many; its weights stay as they are."""
    if len(lineage.lessons) <= 2 * most:
        return lineage
    begin = msgspec.structs.replace(lineage, learnt=lineage.start or lineage.expert, lessons=())
    start = taught_all(begin, signals, lineage.lessons[:-most], rate).learnt
    return msgspec.structs.replace(lineage, start=start, lessons=lineage.lessons[-most:])


def order_of(scored: Iterable[tuple[float, bool]]) -> float | None:
    """How often a right one scores above a wrong one, a tie counting half; nothing while there are under five of each."""
    scored = list(scored)
    right = np.sort([score for score, is_right in scored if is_right])
    wrong = np.sort([score for score, is_right in scored if not is_right])
    if min(len(right), len(wrong)) < _LEAST_OF_EACH:
        return None
    below = np.searchsorted(wrong, right, side="left") + np.searchsorted(wrong, right, side="right")
    return float(below.sum()) / (2.0 * len(right) * len(wrong))


def untaught(lineage: Lineage, signals: tuple[Signal, ...], alert_id: str) -> Lineage:
    """The lineage as if an alert had never taught it anything."""
    if all(one.alert_id != alert_id for one in lineage.lessons):
        return lineage
    return _again(lineage, signals, (one for one in lineage.lessons if one.alert_id != alert_id))


def checked(lineage: Lineage, signals: tuple[Signal, ...]) -> Lineage:
    """The lineage, after making sure that its weights are those its version names.

    Raises:
        ModelError: it is of another format, lacks a signal, or its numbers were changed by hand.
    """
    if lineage.format != FORMAT:
        raise ModelError(
            f"the lineage of {lineage.detector} has format {lineage.format}, this program reads {FORMAT}: use the "
            "program that wrote it"
        )
    for weights in (lineage.expert, lineage.learnt):
        Scorecard(signals, weights)
    learnt = lineage.learnt
    if learnt.labels and not learnt.version.endswith(digest_of(learnt.intercept, learnt.weights)):
        raise ModelError(
            f"the weights of {learnt.version} are not those that were learnt: put the file back as it was, or move "
            "it away to begin again from the expert's"
        )
    return lineage


def loss(scored: Iterable[tuple[float, bool]]) -> float:
    """Mean logarithmic loss of scores against what was found out; 0 is perfect, 0.69 a coin's."""
    losses = [-math.log(max(_CLOSEST, score if right else 1.0 - score)) for score, right in scored]
    return sum(losses) / len(losses) if losses else 0.0


def _again(lineage: Lineage, signals: tuple[Signal, ...], lessons: Iterable[Lesson]) -> Lineage:
    """The lineage learnt anew from its beginning."""
    begin = msgspec.structs.replace(lineage, learnt=lineage.start or lineage.expert, lessons=())
    for lesson in lessons:
        begin = _with(begin, signals, lesson)
    return begin


def _with(lineage: Lineage, signals: tuple[Signal, ...], lesson: Lesson) -> Lineage:
    learner = Scorecard(signals, lineage.learnt)
    values = known_values(signals, lesson.values)
    after = learner.taught(values, positive=lesson.right).version
    kept = msgspec.structs.replace(
        lesson,
        learner=learner.score_one(values),
        expert=Scorecard(signals, lineage.expert).score_one(values),
        version=after.version,
    )
    return msgspec.structs.replace(lineage, learnt=after, lessons=(*lineage.lessons, kept))


def known_values(signals: tuple[Signal, ...], values: Mapping[str, float | None]) -> dict[str, float]:
    """The value of every signal; what an alert does not say is absent, and no signal."""
    return {
        s.feature: math.nan if (value := values.get(s.feature)) is None else float(value) for s in signals
    }
