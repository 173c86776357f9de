"""Looking again at how an alert was scored: from the values frozen in it, and from the events themselves.

Two ways that share nothing but the detector's code. *From what was frozen*: the version the alert names is found
(the author's own, the registry, the lineage, or the control row that brought it), and score, reasons and the smallest
change are worked out anew from the frozen values. *From the events*: the ticks go through the hops again up to the
scored event, control rows and all, and what fires there is held against the alert. Numbers agree to the last digit
or they do not agree.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import polars as pl

from alerts.episodes import assessed
from alerts.record import Alert, Assessment, Counterfactual, Fire
from detectors.base import Detector
from detectors.discovery import detector
from detectors.errors import DetectorError
from events.ledger import LedgerError, Tick
from flows.control_rows import folder_of
from flows.shelf import MODELS, Shelf
from flows.standing import reasons_of
from flows.walking import Walk
from models.errors import ModelError
from models.learning import Lineage, known_values, taught
from models.registry import Registry
from models.scorecard import Scorecard, Weights, digest_of
from models.working import Model

Outcome = Literal["agrees", "differs", "gone"]
_LOOK_EVERY: Final = 20


class Difference(msgspec.Struct, frozen=True):
    """One number of the alert that came out otherwise."""

    what: str
    frozen: Any
    again: Any


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of looking again found."""

    outcome: Outcome
    why: str
    """What it rests on, or what is gone that it would have needed."""
    score: float | None = None
    compared: int = 0
    """How many numbers were held against each other."""
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where the events are, still or again."""

    words: str
    ticks: Iterator[Tick]


# ------------------------------------------------------------------------------------------------ from what was frozen


def from_frozen(alert: Alert, data: Path, registry: Registry | None) -> Look:
    """Work the score out anew from the values in the alert and the weights of the version it names."""
    about = _detector_of(alert)
    if isinstance(about, str):
        return Look(outcome="gone", why=about)
    try:
        model, where = model_of(about, alert.model_version, data, registry)
    except ModelError as gone:
        return Look(outcome="gone", why=str(gone))
    held = alert.assessment
    values = known_values(about.signals, held.features)
    contributions, intercept = model.explained(values)
    usual = {name: math.nan if (u := held.usual.get(name)) is None else u for name in values}
    words = dict.fromkeys(values, "")
    change = model.smallest_change(values, held.threshold)
    again = Assessment(
        reasons=reasons_of(words, values, usual, contributions),
        contributions=dict(contributions),
        intercept=intercept,
        counterfactual=None if change is None else Counterfactual(change[0], None, change[1]),
    )
    score = float(model.score(np.array([[values[name] for name in values]]))[0])
    told = {"score": score, **_told(again)}
    return _held_against(_frozen(alert), told, f"the weights of {model.name}, {where}")


def model_of(about: type[Detector], version: str, data: Path, registry: Registry | None) -> tuple[Model, str]:
    """The model that a version names, and where its weights were found.

    Raises:
        ModelError: they are nowhere any more, or not as they were signed.
    """
    expert = about.scorecard()
    if version == expert.name:
        return expert, "the author's own"
    if registry is not None and any(card.version == version for card in registry.versions(about.id)):
        return registry.model(version, about.signals), "from the registry"
    for lineage in _lineages(data, about.id):
        found = _within(lineage, about, version)
        if found is not None:
            return Scorecard(about.signals, found), "as its lessons make them"
    for path in sorted(folder_of(data).glob("*.ndjson")):
        found = _brought(path, version)
        if found is not None:
            return Scorecard(about.signals, found), f"as {path.name} brought them"
    raise ModelError(
        f"the weights of {version} are nowhere any more: not in the registry, in no lineage and in no control row of "
        f"{data}. Look in a copy of the data folder from when it scored"
    )


def _lineages(data: Path, name: str) -> Iterator[Lineage]:
    """The lineage as it stands, and those it followed."""
    for path in sorted((data / MODELS).glob(f"{name}*.json")):
        try:
            lineage = msgspec.json.decode(path.read_bytes(), type=Lineage)
        except msgspec.MsgspecError:
            continue  # whoever teaches it says so
        if lineage.detector == name:
            yield lineage


def _within(lineage: Lineage, about: type[Detector], version: str) -> Weights | None:
    """A version of a lineage: its beginning, its end, or where it stood after one of its lessons."""
    for weights in (lineage.expert, lineage.learnt):
        if weights.version == version:
            return _sound(weights)
    if all(lesson.version != version for lesson in lineage.lessons):
        return None
    again = msgspec.structs.replace(lineage, learnt=lineage.expert, lessons=())
    for lesson in lineage.lessons:
        again = taught(again, about.signals, lesson)
        if again.learnt.version == version:
            return again.learnt
    return None


def _brought(path: Path, version: str) -> Weights | None:
    """The weights that a control row brought under this name."""
    wanted = version.encode()
    for line in path.read_bytes().splitlines():
        if wanted not in line:
            continue
        try:
            weights = msgspec.convert(json.loads(line)["body"]["weights"], Weights)
        except (ValueError, KeyError, TypeError, msgspec.ValidationError):
            continue  # not such a row
        if weights.version == version:
            return _sound(weights)
    return None


def _sound(weights: Weights) -> Weights:
    """The weights, after making sure that a learnt version's are those its name says."""
    digest = digest_of(weights.intercept, weights.weights)
    if "+" in weights.version and not weights.version.endswith(digest):
        raise ModelError(
            f"the weights kept under {weights.version} are not those it had: put the file back as it was"
        )
    return weights


# --------------------------------------------------------------------------------------------------- from the events


def from_events(
    alert: Alert, source: Source, shelf: Shelf | None = None, progress: Callable[[int], None] | None = None
) -> Look:
    """Take the ticks through the hops again, up to the scored event, and hold what fires there against the alert."""
    about = _detector_of(alert)
    if isinstance(about, str):
        return Look(outcome="gone", why=about)
    fires: list[Fire] = []
    walk = Walk([about], fires.append, raising=True, shelf=shelf)
    begins = 0
    began = False
    try:
        for tick in source.ticks:
            if not began:
                began, begins = True, tick.first_seq
            fires.clear()  # only what this tick fires can be it
            walk.take(tick)
            if progress is not None and tick.number % _LOOK_EVERY == 0:
                progress(walk.events)
            if _holds(tick, alert):
                words = f"{source.words}, {walk.events:,} events up to it"
                return _fired(alert, fires, words, whole=begins == 0)
    except LedgerError as damaged:
        return Look(outcome="gone", why=str(damaged))
    return Look(
        outcome="gone",
        why=f"event {alert.assessment.scored_event_id}, on which it was scored, is not in {source.words}",
    )


def _holds(tick: Tick, alert: Alert) -> bool:
    """Whether the scored event is in a tick."""
    wanted = pl.col("event_id") == alert.assessment.scored_event_id
    sources = pl.col("source").is_in(alert.sources) if alert.sources else pl.lit(value=True)
    return any(not frame.filter(wanted & sources).is_empty() for frame in tick.rows.values() if frame.height)


def _fired(alert: Alert, fires: Iterable[Fire], words: str, *, whole: bool) -> Look:
    mine = [
        fire
        for fire in fires
        if fire.event_id == alert.assessment.scored_event_id
        and (fire.subject.kind, fire.subject.token) == (alert.subject.kind, alert.subject.token)
    ]
    cut = "the log no longer goes back to its beginning (retention), so what was known then cannot be told again"
    if not mine:
        if not whole:
            return Look(outcome="gone", why=cut)
        silent = Difference("alert", "raised", "not raised")
        return Look(outcome="differs", why=words, compared=1, differences=(silent,))
    fire = max(mine, key=lambda each: each.score)
    told = assessed(fire)
    again = {"version": fire.model_version, "score": float(fire.score), **_told(told), **_kept(told)}
    frozen = {"version": alert.model_version, **_frozen(alert), **_kept(alert.assessment)}
    look = _held_against(frozen, again, words)
    if look.outcome == "differs" and not whole:
        return Look(outcome="gone", why=cut, score=look.score)
    return look


# ------------------------------------------------------------------------------------------------------ what is compared


def _detector_of(alert: Alert) -> type[Detector] | str:
    """The detector that made an alert, or why it cannot be asked again."""
    try:
        about = detector(alert.detector)
    except DetectorError as gone:
        return str(gone)
    if str(about.version) != alert.detector_version:
        return (
            f"{alert.detector} is at version {about.version} here and the alert was made by version "
            f"{alert.detector_version}: replay it with the Linewatch of that time"
        )
    return about


def _frozen(alert: Alert) -> dict[str, Any]:
    return {"score": alert.score, **_told(alert.assessment)}


def _told(held: Assessment) -> dict[str, Any]:
    change = held.counterfactual
    reasons = enumerate(held.reasons, start=1)
    return {
        "intercept": held.intercept,
        **_numbers("contribution of", held.contributions),
        **{f"reason {place}": [r.feature, r.value, r.usual, r.share] for place, r in reasons},
        "smallest change": None if change is None else [change.feature, change.would_be],
    }


def _kept(held: Assessment) -> dict[str, Any]:
    """What only the events can tell again: the values themselves, and what was usual."""
    return {
        "alerts from": held.threshold,
        **_numbers("value of", held.features),
        **_numbers("usual value of", held.usual),
    }


def _numbers(words: str, values: Mapping[str, float | None]) -> dict[str, Any]:
    return {f"{words} {name}": None if v is None or math.isnan(v) else v for name, v in values.items()}


def _held_against(frozen: dict[str, Any], again: dict[str, Any], why: str) -> Look:
    differences = tuple(
        Difference(what, frozen.get(what), again.get(what))
        for what in dict.fromkeys((*frozen, *again))
        if frozen.get(what) != again.get(what)
    )
    return Look(
        outcome="differs" if differences else "agrees",
        why=why,
        score=again["score"],
        compared=len({*frozen, *again}),
        differences=differences,
    )
