"""A detector as it stands at a place in the one order: which model and threshold, and what it says in numbers.

Whoever scores (a shard of the second pass, of the subject hop, the national hop) has one of these for each detector,
and all of them obey the same control rows.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from alerts.record import Counterfactual, Explains, Fact, Fire, Reason, Subject
from detectors.base import Detector
from features.declare import duration
from features.rows import Entity, Rows
from flows.drawing import Draw, Drawn, strata_of
from flows.shadowing import CHALLENGER, ONE_IN, PREDECESSOR, Challenger, kept
from flows.shelf import MODEL
from flows.split import Rule
from models.examples import Example
from models.scorecard import Scorecard, Weights
from models.shadows import Shadow
from models.working import SCORECARD, Model, working

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_HOUR_US: Final = 3_600_000_000
_RAIL_MCC: Final = (4112, 4111)
"""Merchant category codes of railways and of local transport (ISO 18245): where the transport police look too."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where something happened that alerts, as its records say."""

    seq: int
    ts: int
    recorded: int
    home: int = 0  # the force where the subject lives, where the record says it
    force: int = 0  # the force where it happened
    nearest: int = (
        0  # the force to tell when neither the record nor the features say where the subject belongs
    )
    mcc: int = 0

    @classmethod
    def of(cls, row: "Fired") -> "Moment":
        """The moment of one row."""
        return cls(row.seq, row.ts, row.recorded, row.home, row.force, row.force, row.mcc)


class Fired(NamedTuple):
    """What is told of a row that alerts, as plain numbers."""

    seq: int
    ts: int
    recorded: int
    home: int
    force: int
    mcc: int
    flags: int
    own_hi: int
    own_lo: int
    other_hi: int
    other_lo: int
    place_hi: int
    place_lo: int
    device_hi: int
    device_lo: int

    @classmethod
    def among(cls, rows: Rows, places: Sequence[int] | Ints) -> "list[Fired]":
        """Some of many rows, all at once: a row's columns one by one cost more than all else."""
        return [cls._make(row) for row in rows[places][list(cls._fields)].tolist()]


class Speech:
    """What one detector can say of its values: which it needs, their words and meanings."""

    def __init__(self, detector: type[Detector]) -> None:
        self.detector = detector
        self.needs = detector.needs()
        self.signals = [s.feature for s in detector.signals]
        self.places = {name: at for at, name in enumerate(self.needs)}
        self.meanings = {name: detector.meaning(name) for name in self.needs}
        self.words = {name: meaning.words for name, meaning in self.meanings.items()}
        self.within = {
            name: duration(meaning.within) if meaning.within else None
            for name, meaning in self.meanings.items()
        }
        self.told = [name for name in self.needs if name not in detector.places()]
        self.home, self.active, self.seen = (
            self.places.get(column) for column in (detector.place, detector.active, detector.seen)
        )

    def __reduce__(self) -> tuple[type["Speech"], tuple[type[Detector]]]:
        """Between processes only whose it is goes along."""
        return Speech, (self.detector,)

    def fact(self, name: str, value: float, ts: int) -> Fact:
        """A value as a fact, with the time it is about."""
        return fact_of(name, self.meanings[name].unit, self.within[name], value, ts)


class Unexplained(msgspec.Struct, frozen=True):
    """What a firing was scored on and by which model: enough to say why it alerted when somebody asks."""

    speech: Speech
    card: Any  # the model as it stood
    values: Sequence[float]  # of all that the detector needs, in order
    usual: Sequence[float]  # of its signals, in order

    def whole(self, fire: Fire) -> Fire:
        """The firing with facts, reasons, contributions, values and the smallest change."""
        speech = self.speech
        values = dict(zip(speech.needs, self.values, strict=True))
        usual = dict(zip(speech.signals, self.usual, strict=True))
        facts = (speech.fact(name, values[name], fire.ts) for name in speech.told)
        return explained(fire, speech, self.card, values, usual, facts)


def explained(
    fire: Fire,
    speech: Speech,
    card: Model,
    values: Mapping[str, float],
    usual: Mapping[str, float],
    facts: Iterable[Fact],
) -> Fire:
    """A firing with all that explains it; a fact without sources of its own has those of its event."""
    signals = {name: values[name] for name in speech.signals}
    usually = {name: usual.get(name, math.nan) for name in speech.signals}
    contributions, intercept = card.explained(signals)
    sources = (fire.source,) if fire.source else ()
    return msgspec.structs.replace(
        fire,
        facts=tuple(
            fact if fact.sources else msgspec.structs.replace(fact, sources=sources) for fact in facts
        ),
        reasons=reasons_of(speech.words, signals, usually, contributions),
        contributions=contributions,
        intercept=intercept,
        features=signals,
        usual={name: value for name, value in usually.items() if not math.isnan(value)},
        counterfactual=counterfactual_of(card, fire.threshold, speech.words, signals),
        later=None,
    )


class Standing:
    """One detector at work in one place: its model and threshold, and what scores in shadow, as they stand there and then."""

    def __init__(self, detector: type[Detector], data_class: str = "synthetic") -> None:
        self.detector = detector
        self.data_class = data_class
        self.card: Model = detector.scorecard()
        self.begun: Model = self.card
        """What lessons began with: the author's weights, or what people put in force."""
        self.threshold = detector.threshold
        self.challengers: dict[str, Challenger] = {}
        self.changed = False  # since its state was last written
        self.scored = 0  # since somebody last asked
        self.draw: Draw | None = None  # which rows are kept that do not alert
        self.drawn: list[Example] = []
        self.shaded: dict[str, tuple[int, float]] = {}  # rows and seconds of each challenger, since then
        self.shadows: list[Shadow] = []
        self.speech = Speech(detector)
        self.needs, self.signals = self.speech.needs, self.speech.signals

    def obey(self, rule: Rule) -> None:
        """Take a control row: another model, another threshold, a challenger more or fewer."""
        body = json.loads(rule.body or "{}")
        if body.get("taught") and self.card.kind != SCORECARD:
            return  # a lesson is for scorecards: it does not take the place of what two people promoted
        self.changed = True
        if rule.kind == "activate":
            model = self._model_in(body)
            if not body.get("taught"):
                self.begun = model
            self._activate(model, body.get("promotion", {}).get("stage"))
        elif rule.kind == "threshold":
            self.threshold = float(body["threshold"])
        elif rule.kind == "challenge":
            model = self._model_in(body)
            if model.name != self.card.name:
                self.challengers[model.name] = Challenger(model, float(body["threshold"]), CHALLENGER)
        elif rule.kind == "retire":
            self.challengers.pop(body["version"], None)

    def _activate(self, model: Model, stage: str | None) -> None:
        """Let a model score. The champion that two people replace stays in shadow, for the new one to be held against.

        A rollback puts back what stood then, with what it had learnt.
        """
        if stage is not None:
            before = {n: c for n, c in self.challengers.items() if c.role == PREDECESSOR}
            for name, each in before.items():
                del self.challengers[name]
                if stage == "rollback" and name.partition("+")[0] == model.name:
                    model = each.model
        if stage == "promote" and model.name != self.card.name:
            self.challengers[self.card.name] = Challenger(self.card, self.threshold, PREDECESSOR)
        self.challengers.pop(model.name, None)
        self.card = model

    def _model_in(self, body: Mapping[str, Any]) -> Model:
        """The model a control row brings: a scorecard's weights, or a kind, a version and its weights."""
        named = body.get(MODEL)
        if named is None:
            weights = msgspec.convert(body["weights"], Weights)
            return Scorecard(self.detector.signals, weights)
        return working(named["kind"], named["version"], named["weights"], self.detector.signals)

    def keep_some(
        self,
        tokens: npt.NDArray[np.uint64],
        ts: npt.NDArray[np.int64],
        values: Floats,
        scores: npt.NDArray[np.float64],
        tell: Callable[[int], Drawn],
    ) -> None:
        """Keep a random share of scored rows that do not alert, as they were scored."""
        if self.draw is None:
            return
        begun = self.begun.score(values) if self.card.name != self.begun.name else None
        for place, chance, kept_as in self.draw.of(
            self.detector.id, tokens, ts, scores, self.threshold, begun
        ):
            row = tell(place)
            self.drawn.append(
                Example(
                    event_id="",
                    detector=self.detector.id,
                    detector_version=self.detector.version,
                    model_version=self.card.name,
                    subject=row.subject,
                    ts=int(ts[place]),
                    seq=row.seq,
                    score=float(scores[place]),
                    threshold=self.threshold,
                    kept_as=kept_as,
                    chance=chance,
                    side=row.side,
                    strata=strata_of(row.age, row.home),
                    values={name: known(float(row.values[name])) for name in self.signals},
                )
            )

    def given(self) -> list[Example]:
        """What was kept since this was last asked."""
        drawn, self.drawn = self.drawn, []
        return drawn

    def state(self) -> dict[str, Any]:
        """What stands, as plain data."""
        told = _plain(self.card) | {"threshold": self.threshold}
        if self.begun.name != self.detector.scorecard().name:
            told["begun"] = _plain(self.begun)
        if self.challengers:
            told["challengers"] = [
                _plain(each.model) | {"threshold": each.threshold, "role": each.role}
                for each in self.challengers.values()
            ]
        return told

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what stood."""
        model = self._model_in(state)
        if not model.name.startswith(f"{self.detector.id}-{self.detector.version}."):
            return  # kept before the detector changed: a new version begins a lineage of its own
        self.card = model
        self.begun = self._model_in(state["begun"]) if "begun" in state else self.detector.scorecard()
        self.threshold = float(state["threshold"])
        self.challengers = {}
        for each in state.get("challengers", ()):
            model = self._model_in(each)
            self.challengers[model.name] = Challenger(model, float(each["threshold"]), each["role"])

    @property
    def words_of_state(self) -> str:
        """What stands, in a word for a digest."""
        shadow = ",".join(f"{name}@{each.threshold}" for name, each in self.challengers.items())
        return f"{self.card.name}@{self.threshold}/{shadow}"

    # ------------------------------------------------------------------------------------------------------- in shadow

    def shade(
        self, values: Floats, scores: Floats, seqs: Ints, named: Callable[[int], tuple[int, str, str] | None]
    ) -> None:
        """Let the challengers score what the champion has scored; `named` gives a row's time, subject and side, if any."""
        for version, each in self.challengers.items():
            began = time.thread_time()
            told = each.model.score(values)
            seconds = time.thread_time() - began
            rows, before = self.shaded.get(version, (0, 0.0))
            self.shaded[version] = (rows + len(values), before + seconds)
            for i in kept(self.detector.id, seqs, told, each.threshold, scores, self.threshold):
                about = named(int(i))
                if about is not None:
                    above = told[i] >= each.threshold or scores[i] >= self.threshold
                    self.shadows.append(
                        Shadow(
                            int(seqs[i]),
                            about[0],
                            self.detector.id,
                            about[1],
                            version,
                            float(told[i]),
                            each.threshold,
                            self.card.name,
                            float(scores[i]),
                            self.threshold,
                            1.0 if above else 1.0 / ONE_IN,
                            about[2],
                        )
                    )

    def shadows_since(self) -> list[Shadow]:
        """What was said in shadow since somebody last asked."""
        told, self.shadows = self.shadows, []
        return told

    # --------------------------------------------------------------------------------------------------- what alerts

    def fire(
        self,
        moment: Moment,
        subject: Subject,
        score: float,
        values: Sequence[float],
        related: tuple[Subject, ...],
        later: Explains,
    ) -> Fire:
        """What alerts, but for the name of its event and what explains it; `values` are of all that is needed, in order."""
        detector = self.detector
        home, active = self._whereabouts(moment, values)
        return Fire(
            seq=moment.seq,
            ts=moment.ts,
            recorded_ts=moment.recorded,
            event_id="",
            source="",
            basis="",
            detector=detector.id,
            detector_version=str(detector.version),
            model_version=self.card.name,
            threat=detector.threat,
            typology=detector.typology,
            claim=detector.claim,
            four_p=detector.four_p,
            stream=detector.stream,
            subject=subject,
            score=score,
            threshold=self.threshold,
            bands=detector.bands,
            related=related,
            home_force=home,
            active_forces=((active, 1.0),) if active else (),
            current_force=moment.force,
            minor=subject.category == "possible_victim",
            rail=moment.mcc in _RAIL_MCC,
            harm=detector.harm,
            quiet_after_us=detector.quiet_hours * _HOUR_US,
            data_class=self.data_class,
            later=later,
        )

    def _whereabouts(self, moment: Moment, values: Sequence[float]) -> tuple[int, int]:
        """The forces where the subject lives and where it is active; 0 is not known."""
        home, active, seen = (
            0 if place is None else code_in(values[place])
            for place in (self.speech.home, self.speech.active, self.speech.seen)
        )
        home = home or moment.home
        if not home and not active:  # better a campus that may pass it on than nobody
            active = seen or moment.nearest
        return home, active


def _plain(model: Model) -> dict[str, Any]:
    """A model as a control row would bring it."""
    if model.kind == SCORECARD:
        return {"weights": model.plain()}
    return {MODEL: {"kind": model.kind, "version": model.name, "weights": model.plain()}}


def kind_of(entity: Entity) -> str:
    """What an alert calls such a subject: the kind of its token."""
    return entity.name.lower()


def code_in(value: float) -> int:
    """A code that travelled as a number; 0 when it is not known."""
    return 0 if math.isnan(value) else int(value)


def fact_of(name: str, unit: str, within: int | None, value: float, ts: int) -> Fact:
    """A value as a fact, with the time it is about."""
    since = None if within is None else ts - within
    shown = None if math.isnan(value) else (int(value) if value.is_integer() else round(value, 6))
    return Fact(name, shown, unit, since, ts)


def reasons_of(
    words: dict[str, str], values: dict[str, float], usual: dict[str, float], contributions: dict[str, float]
) -> tuple[Reason, ...]:
    """The signals that speak for it, strongest first, each with its share of all that does."""
    speaking = {name: part for name, part in contributions.items() if part > 0.0}
    total = sum(speaking.values())
    ordered = sorted(speaking.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Reason(name, words[name], known(values[name]), known(usual[name]), part / total, part)
        for name, part in ordered
    )


def known(value: float) -> float | None:
    """The number, or nothing where there is none."""
    return None if math.isnan(value) else value


def counterfactual_of(
    card: Model, threshold: float, words: dict[str, str], values: dict[str, float]
) -> Counterfactual | None:
    """The smallest change of one value that would not have alerted, in words."""
    found = card.smallest_change(values, threshold)
    if found is None:
        return None
    name, would_be = found
    return Counterfactual(
        name,
        known(values[name]),
        would_be,
        f"it would not have alerted with {words[name]} at {would_be:.4g}",
    )
