"""Judging pairs of halves: a cross-stream detector's gate, scorecard and firings, wherever its pairs come together."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from alerts.record import Fact, Fire, Happening, Subject
from detectors.cross import BETWEEN, PAYMENT, SIDES, TELECOMS, CrossDetector, Pair
from features.rows import Flag, Role
from flows.drawing import Drawn
from flows.evidence import Evidence
from flows.gates import Gate
from flows.noting import Crossed, Note
from flows.split import Rule
from flows.standing import Floats, Moment, Speech, Standing, explained
from models.labels import PAYEE, PAYER

Values = dict[str, float]


class Judge(Standing):
    """One cross-stream detector at work: what it makes of pairs."""

    detector: type[CrossDetector]

    def __init__(self, detector: type[CrossDetector], data_class: str) -> None:
        super().__init__(detector, data_class)
        self.carried = {side: detector.carried(side) for side in SIDES}
        self.between = [each for each in detector.between if f"{BETWEEN}.{each.name}" in self.needs]
        self.gate = Gate(detector.gate)

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
        passed = self.gate.passed(lambda name: np.array([each[name] for each in values]))
        self.scored += len(passed)
        if not len(passed):
            return []
        rows = np.array([[values[place][name] for name in self.signals] for place in passed])
        scores = self.card.score(rows)
        seconds = [found[place][0].halves[0].happened for place in passed]
        self.keep_some(
            np.array([second.own_lo for second in seconds], dtype=np.uint64),
            np.array([second.ts for second in seconds], dtype=np.int64),
            rows,
            scores,
            lambda i: self._drawn(found[passed[i]][0], values[passed[i]]),
        )
        if self.challengers:
            self._shade([found[place][0] for place in passed], rows, scores)
        return [
            (found[place][0], self._evidence(found[place][0], values[place], float(score)))
            for place, score in zip(passed, scores, strict=True)
            if score >= self.threshold
        ]

    def _drawn(self, crossed: Crossed, values: Values) -> Drawn:
        second, payment = crossed.halves[0].happened, crossed.payment.happened
        side = PAYEE if self.detector.about == "other" or payment.role == Role.PAYEE else PAYER
        subject = self._subject(crossed, minor=False).name
        return Drawn(second.seq, subject, side, values, payment.age, payment.home)

    def _shade(self, pairs: Sequence[Crossed], rows: Floats, scores: Floats) -> None:
        """Let challengers score pairs too."""

        def named(i: int) -> tuple[int, str, str]:
            payment, telecoms = pairs[i].payment.happened, pairs[i].telecoms.happened
            about = self._drawn(pairs[i], {})
            return max(payment.ts, telecoms.ts), about.subject, about.side

        self.shade(rows, scores, np.array([pair.seq for pair in pairs], dtype=np.int64), named)

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
        own = detector.about == "own"
        moment = Moment(
            seq=second.happened.seq,
            ts=max(payment.ts, telecoms.ts),
            recorded=second.happened.recorded,
            home=payment.home if own else 0,
            force=telecoms.force or payment.force,
            nearest=payment.force or telecoms.force,
            mcc=payment.mcc,
        )
        subject = self._subject(crossed, minor=own and payment.has(Flag.MINOR))
        needed = [values[name] for name in self.needs]
        why = UnexplainedPair(self.speech, self.carried, self.card, needed, crossed)
        fire = self.fire(moment, subject, score, needed, self._related(crossed), why)
        event_id, source, basis = second.named
        return msgspec.structs.replace(
            fire,
            event_id=event_id,
            source=source,
            basis=basis,
            earlier=(Happening(*first.named, first.happened.ts),),
            home_force=0 if detector.victim else fire.home_force,
            victim_force=fire.home_force if detector.victim else 0,
            minor=own and payment.has(Flag.MINOR),
            indicators=("multi_modal",),
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


class UnexplainedPair(msgspec.Struct, frozen=True):
    """The pair that a firing was scored on and by which model: enough to say why when somebody asks."""

    speech: Speech
    carried: dict[str, tuple[str, ...]]
    card: Any  # the model as it stood
    values: Sequence[float]  # of all that the detector needs, in order
    crossed: Crossed

    def whole(self, fire: Fire) -> Fire:
        """The firing with facts, reasons, contributions, values and the smallest change."""
        speech = self.speech
        values = dict(zip(speech.needs, self.values, strict=True))
        usual = _of_halves(self.carried, self.crossed, usual=True)
        facts = (_of_half(speech, name, self.crossed, values[name], fire.ts) for name in speech.told)
        return explained(fire, speech, self.card, values, usual, facts)


def _of_half(speech: Speech, name: str, crossed: Crossed, value: float, ts: int) -> Fact:
    """A value as a fact: what one half alone tells has that half's time and source."""
    side = name.partition(".")[0]
    halves: tuple[Note, ...] = {PAYMENT: (crossed.payment,), TELECOMS: (crossed.telecoms,)}.get(
        side, crossed.halves
    )
    fact = speech.fact(name, value, halves[0].happened.ts if len(halves) == 1 else ts)
    one, *others = (half.named[1] for half in halves)
    sources = tuple(sorted({one, *others} - {""})) if others else (one,) if one else ()
    return msgspec.structs.replace(fact, sources=sources)


def _of_halves(carried: dict[str, tuple[str, ...]], crossed: Crossed, *, usual: bool) -> Values:
    found = {}
    for side, note in ((PAYMENT, crossed.payment), (TELECOMS, crossed.telecoms)):
        told = note.usual if usual else note.values
        found.update({f"{side}.{name}": value for name, value in zip(carried[side], told, strict=True)})
    return found
