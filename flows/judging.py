"""Judging pairs of halves: a cross-stream detector's gate, scorecard and firings, wherever its pairs come together."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from alerts.record import Fact, Fire, Happening, Subject
from detectors.cross import BETWEEN, PAYMENT, SIDES, TELECOMS, CrossDetector, Pair
from features.declare import duration
from features.rows import Flag
from flows.noting import Crossed, Note
from flows.second_pass import Evidence
from flows.split import Rule
from flows.standing import Standing, code_in, counterfactual_of, fact_of, reasons_of

_HOUR_US: Final = 3_600_000_000
_RAIL_MCC: Final = (4112, 4111)

Values = dict[str, float]


class Judge(Standing):
    """One cross-stream detector at work: what it makes of pairs."""

    detector: type[CrossDetector]

    def __init__(self, detector: type[CrossDetector], data_class: str) -> None:
        super().__init__(detector)
        self.data_class = data_class
        self.needs = detector.needs()
        self.carried = {side: detector.carried(side) for side in SIDES}
        self.between = [each for each in detector.between if f"{BETWEEN}.{each.name}" in self.needs]
        self.meanings = {name: detector.meaning(name) for name in self.needs}
        self.words = {name: meaning.words for name, meaning in self.meanings.items()}
        self.gate_columns = list(dict.fromkeys(detector.gate.meta.root_names()))
        self.signals = [s.feature for s in detector.signals]
        self.told = [name for name in self.needs if name not in detector.places()]

    def judged(
        self, found: Sequence[tuple[Crossed, int]], rules: Sequence[Rule]
    ) -> list[tuple[Crossed, Evidence]]:
        """What alerts among pairs in the one order, each with how many people tie it; control rows at their place."""
        fired = []
        start = 0
        mine = [rule for rule in rules if rule.detector == self.detector.id]
        for rule in [*mine, None]:
            end = start
            while end < len(found) and (rule is None or found[end][0].seq < rule.seq):
                end += 1
            fired += self._judged(found[start:end])
            start = end
            if rule is not None:
                self.obey(rule)
        return fired

    def _judged(self, found: Sequence[tuple[Crossed, int]]) -> list[tuple[Crossed, Evidence]]:
        if not found:
            return []
        values = [self._values(crossed, people) for crossed, people in found]
        passed = [place for place, through in enumerate(self._gated(values)) if through]
        self.scored += len(passed)
        if not passed:
            return []
        scores = self.card.score(
            np.array([[values[place][name] for name in self.signals] for place in passed])
        )
        return [
            (found[place][0], self._evidence(found[place][0], values[place], float(score)))
            for place, score in zip(passed, scores, strict=True)
            if score >= self.threshold
        ]

    def _gated(self, values: list[Values]) -> list[bool]:
        if not self.gate_columns:
            return [True] * len(values)
        frame = pl.DataFrame(
            [
                pl.Series(n, [v[n] for v in values], dtype=pl.Float64, nan_to_null=True)
                for n in self.gate_columns
            ]
        )
        passed: list[bool] = frame.select(self.detector.gate.fill_null(value=False).alias("gate"))[
            "gate"
        ].to_list()
        return passed

    def _values(self, crossed: Crossed, people: int) -> Values:
        values = _of_halves(self.carried, crossed, usual=False)
        pair = Pair(
            crossed.payment.happened,
            crossed.telecoms.happened,
            crossed.payments,
            crossed.contacts,
            values,
            people,
        )
        return values | {f"{BETWEEN}.{each.name}": float(each.worked(pair)) for each in self.between}

    # ------------------------------------------------------------------------------------------ what alerts, in full

    def _evidence(self, crossed: Crossed, values: Values, score: float) -> Evidence:
        fire = self._fire(crossed, values, score)
        return Evidence(
            fire.seq, fire.ts, fire.detector, score, self.threshold, fire.subject, crossed.number, fire
        )

    def _fire(self, crossed: Crossed, values: Values, score: float) -> Fire:
        detector = self.detector
        payment, telecoms = crossed.payment.happened, crossed.telecoms.happened
        second, first = crossed.halves
        ts = max(payment.ts, telecoms.ts)
        signals = {name: values[name] for name in self.signals}
        usual = _of_halves(self.carried, crossed, usual=True)
        usually = {name: usual.get(name, math.nan) for name in self.signals}
        contributions = self.card.contributions(signals)
        place, active, seen = (
            code_in(values[column]) if column else 0
            for column in (detector.place, detector.active, detector.seen)
        )
        own = detector.about == "own"
        home = place or (payment.home if own else 0)
        if not home and not active:
            active = seen or payment.force or telecoms.force
        minor = own and payment.has(Flag.MINOR)
        event_id, source, basis = second.named
        return Fire(
            seq=second.happened.seq,
            ts=ts,
            recorded_ts=second.happened.recorded,
            event_id=event_id,
            source=source,
            basis=basis,
            detector=detector.id,
            detector_version=str(detector.version),
            model_version=self.card.version.version,
            threat=detector.threat,
            typology=detector.typology,
            claim=detector.claim,
            four_p=detector.four_p,
            stream=detector.stream,
            subject=self._subject(crossed, minor=minor),
            score=score,
            threshold=self.threshold,
            bands=detector.bands,
            earlier=(Happening(*first.named, first.happened.ts),),
            related=self._related(crossed),
            facts=tuple(self._fact(name, crossed, values[name], ts) for name in self.told),
            reasons=reasons_of(self.words, signals, usually, contributions),
            contributions=contributions,
            intercept=self.card.version.intercept,
            features=signals,
            usual={name: value for name, value in usually.items() if not math.isnan(value)},
            counterfactual=counterfactual_of(self, self.words, signals),
            home_force=0 if detector.victim else home,
            victim_force=home if detector.victim else 0,
            active_forces=((active, 1.0),) if active else (),
            current_force=telecoms.force or payment.force,
            minor=minor,
            indicators=("multi_modal",),
            rail=payment.mcc in _RAIL_MCC,
            harm=detector.harm,
            quiet_after_us=detector.quiet_hours * _HOUR_US,
            data_class=self.data_class,
        )

    def _subject(self, crossed: Crossed, *, minor: bool) -> Subject:
        happened = crossed.payment.happened
        if self.detector.about == "other":
            return Subject.of("account", *happened.other)
        category = "possible_victim" if minor or self.detector.victim else "unknown"
        return Subject.of("account", happened.own_hi, happened.own_lo, category)

    def _related(self, crossed: Crossed) -> tuple[Subject, ...]:
        """Whom the money went to, the subject's number, and whom that was in contact with.

        Of one whom many people join with somebody else, only that other: those people are nobody's suspects.
        """
        contact = ("number", crossed.telecoms.happened.other)
        if self.detector.about == "other":
            found = [contact]
        else:
            found = [("account", crossed.payment.happened.other), ("number", crossed.number), contact]
        return tuple(dict.fromkeys(Subject.of(kind, *token) for kind, token in found if any(token)))

    def _fact(self, name: str, crossed: Crossed, value: float, ts: int) -> Fact:
        meaning = self.meanings[name]
        within = duration(meaning.within) if meaning.within else None
        side = name.partition(".")[0]
        halves: tuple[Note, ...] = {PAYMENT: (crossed.payment,), TELECOMS: (crossed.telecoms,)}.get(
            side, crossed.halves
        )
        at = halves[0].happened.ts if len(halves) == 1 else ts
        fact = fact_of(name, meaning.unit, within, value, at)
        one, *others = (half.named[1] for half in halves)
        sources = tuple(sorted({one, *others} - {""})) if others else (one,) if one else ()
        return Fact(fact.name, fact.value, fact.unit, fact.from_ts, fact.to_ts, sources)


def _of_halves(carried: dict[str, tuple[str, ...]], crossed: Crossed, *, usual: bool) -> Values:
    found = {}
    for side, note in ((PAYMENT, crossed.payment), (TELECOMS, crossed.telecoms)):
        told = note.usual if usual else note.values
        found.update({f"{side}.{name}": value for name, value in zip(carried[side], told, strict=True)})
    return found
