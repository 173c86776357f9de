"""The third pass: detectors on what crosses shards, scored on edges in the one order, in the national hop."""

import math
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from alerts.record import Fire, Subject
from detectors.base import Detector
from detectors.network import NetworkDetector
from features.declare import duration
from features.declared import CATALOGUE
from features.network import Named, NetworkState
from features.plan import feature_of
from features.rows import Entity, Flag
from flows.edges import Edges, edges_as_one, networking
from flows.first_pass import THING_SUBJECT
from flows.gates import Gate
from flows.split import Rule
from flows.standing import Standing, code_in, counterfactual_of, fact_of, kind_of, reasons_of

Floats = npt.NDArray[np.float64]

_HOUR_US: Final = 3_600_000_000
_RAIL_MCC: Final = (4112, 4111)
_PLACE_OF: Final = {Entity.ACCOUNT: "terminal", Entity.NUMBER: "cell"}


class NetworkScorer(Standing):
    """One network detector at work: its families' memories, its gate and its scorecard."""

    def __init__(self, detector: type[NetworkDetector], data_class: str) -> None:
        super().__init__(detector)
        self.network = detector
        self.data_class = data_class
        self.states: dict[str, NetworkState] = {family.name: family.begin() for family in detector.network}
        self.families = {family.name: family.told for family in detector.network}
        columns = [*detector.carries, *(name for told in self.families.values() for name in told)]
        self.places = {name: i for i, name in enumerate(columns)}
        self.columns = [self.places[s.feature] for s in detector.signals]
        self.gate = Gate(detector.gate)
        features = {name: feature_of(CATALOGUE, detector.subject, name) for name in detector.needs()}
        self.words = {name: feature.words for name, feature in features.items()}
        self.facts = [
            (name, feature.unit, duration(feature.within) if feature.within else None)
            for name, feature in features.items()
            if name not in detector.places()
        ]
        signals = [s.feature for s in detector.signals]
        self.usual = [name for name in signals if name in detector.carries]

    def take(self, edges: Edges) -> tuple[Floats, dict[int, tuple[Named, ...]]]:
        """Let the families take edges; gives every column, and whom they have found."""
        carried = {name: edges.carried[:, i] for i, name in enumerate(self.network.carries)}
        parts, related = [edges.carried], dict[int, tuple[Named, ...]]()
        for state in self.states.values():
            told = state.take(edges.rows, carried)
            parts.append(told.values)
            for row, found in told.related.items():
                related[row] = (*related.get(row, ()), *found)
        return np.concatenate(parts, axis=1), related

    def work(self, edges: Edges) -> list[Fire]:
        """Take edges and score those that pass the gate."""
        values, related = self.take(edges)
        gated = self.gate.passed(lambda name: values[:, self.places[name]])
        self.scored += len(gated)
        if not len(gated):
            return []
        scores = self.card.score(np.ascontiguousarray(values[gated][:, self.columns]))
        fires = []
        for at in np.flatnonzero(scores >= self.threshold):
            row = int(gated[at])
            subject = self._subject(edges.rows[row])
            if subject is not None:
                usual = dict(zip(self.usual, edges.usual[row], strict=True))
                fires.append(
                    self._fire(
                        edges.rows[row], values[row], usual, float(scores[at]), subject, related.get(row, ())
                    )
                )
        return fires

    # ------------------------------------------------------------------------------------------ what alerts, in full

    def _subject(self, row: np.void) -> Subject | None:
        """Whose alert it is; nobody's when the row does not say."""
        about, entity = self.network.about, self.detector.subject
        if about == "own":
            minor = "possible_victim" if row["flags"] & int(Flag.MINOR) else "unknown"
            return Subject.of(kind_of(entity), int(row["own_hi"]), int(row["own_lo"]), minor)
        kind = kind_of(THING_SUBJECT.get(entity, entity)) if about == "other" else _PLACE_OF[entity]
        hi, lo = int(row[f"{about}_hi"]), int(row[f"{about}_lo"])
        return Subject.of(kind, hi, lo) if hi or lo else None

    def _related(self, row: np.void, found: tuple[Named, ...]) -> tuple[Subject, ...]:
        entity = self.detector.subject
        related = [Subject.of(*named) for named in found]
        if self.network.about != "own":
            related.append(Subject.of(kind_of(entity), int(row["own_hi"]), int(row["own_lo"])))
        if self.network.about != "other" and (row["other_hi"] or row["other_lo"]):
            kind = kind_of(THING_SUBJECT.get(entity, entity))
            related.append(Subject.of(kind, int(row["other_hi"]), int(row["other_lo"])))
        return tuple(dict.fromkeys(related))

    def _fire(
        self,
        row: np.void,
        told: Floats,
        usually: dict[str, float],
        score: float,
        subject: Subject,
        found: tuple[Named, ...],
    ) -> Fire:
        detector, ts = self.detector, int(row["ts"])
        values = {s.feature: float(told[self.places[s.feature]]) for s in detector.signals}
        usual = {name: float(usually.get(name, math.nan)) for name in values}
        contributions = self.card.contributions(values)
        home, active, seen = (
            code_in(told[self.places[column]]) if column else 0
            for column in (detector.place, detector.active, detector.seen)
        )
        home = home or int(row["home"])
        if not home and not active:  # better a campus that may pass it on than nobody
            active = seen or int(row["force"])
        return Fire(
            seq=int(row["seq"]),
            ts=ts,
            recorded_ts=int(row["recorded"]),
            event_id="",
            source="",
            basis="",
            detector=detector.id,
            detector_version=str(detector.version),
            model_version=self.card.version.version,
            threat=detector.threat,
            typology=detector.typology,
            claim=detector.claim,
            four_p=detector.four_p,
            stream=detector.stream,
            subject=subject,
            score=score,
            threshold=self.threshold,
            bands=detector.bands,
            related=self._related(row, found),
            facts=tuple(
                fact_of(name, unit, within, float(told[self.places[name]]), ts)
                for name, unit, within in self.facts
            ),
            reasons=reasons_of(self.words, values, usual, contributions),
            contributions=contributions,
            intercept=self.card.version.intercept,
            features=values,
            usual={name: value for name, value in usual.items() if not math.isnan(value)},
            counterfactual=counterfactual_of(self, self.words, values),
            home_force=home,
            active_forces=((active, 1.0),) if active else (),
            current_force=int(row["force"]),
            minor=subject.category == "possible_victim",
            rail=int(row["mcc"]) in _RAIL_MCC,
            harm=detector.harm,
            quiet_after_us=detector.quiet_hours * _HOUR_US,
            data_class=self.data_class,
        )


class Networks:
    """All network detectors at work, and what is noted so that a restart can do the same again."""

    def __init__(self, detectors: Iterable[type[Detector]] = (), data_class: str = "synthetic") -> None:
        self.scorers = {d.id: NetworkScorer(d, data_class) for d in networking(detectors)}
        self.log: list[list[Any]] | None = None
        """Where steps are noted since the last snapshot, by whoever keeps them."""

    def work(self, edges: Mapping[str, Edges]) -> list[Fire]:
        """Take edges of several detectors, each in the one order; gives the firings, still without names."""
        fires = []
        for detector, mine in edges.items():
            if len(mine.rows):
                self._note("edges", detector, mine.rows, mine.carried)
                fires += self.scorers[detector].work(mine)
        return fires

    def obey(self, rule: Rule) -> None:
        """Take a control row for a network detector."""
        if rule.detector in self.scorers:
            self._note("rule", rule.seq, rule.recorded_ts, rule.kind, rule.detector, rule.body)
            self.scorers[rule.detector].obey(rule)

    def close(self, subject: Subject, ts: int) -> None:
        """A person has confirmed what an alert said of somebody."""
        self._note("close", subject.kind, subject.token, ts)
        who = (subject.kind, int(subject.token[:16], 16), int(subject.token[16:], 16))
        for scorer in self.scorers.values():
            for state in scorer.states.values():
                state.close(who, ts)

    def _note(self, *step: Any) -> None:
        if self.log is not None and self.scorers:
            self.log.append(list(step))

    # --------------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, Any]:
        """All that is kept, as plain data."""
        if self.log is not None:
            self.log = []
        return {
            name: {
                "standing": scorer.state(),
                "families": {family: state.dump() for family, state in scorer.states.items()},
            }
            for name, scorer in self.scorers.items()
        }

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state."""
        for name, kept in plain.items():
            self.scorers[name].restore(kept["standing"])
            for family, state in kept["families"].items():
                self.scorers[name].states[family].load(state)

    def changes(self) -> list[list[Any]]:
        """What was done since the last `dump` or `changes`."""
        steps = self.log or []
        if self.log is not None:
            self.log = []
        return _fewer(steps)

    def again(self, steps: list[list[Any]]) -> None:
        """Do again what was done before a restart: state as then, nothing scored again."""
        for what, *told in steps:
            if what == "edges":
                detector, rows, carried = told
                self.scorers[detector].take(Edges(rows, carried, np.zeros((len(rows), 0))))
            elif what == "rule":
                self.scorers[told[3]].obey(Rule(*told))
            else:
                self.close(Subject(told[0], told[1]), told[2])

    def digest(self) -> str:
        """A digest of what is known here."""
        parts = [
            f"{name}:{scorer.card.version.version}:{scorer.threshold}:{family}:{state.digest()}"
            for name, scorer in self.scorers.items()
            for family, state in scorer.states.items()
        ]
        return blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()


def _fewer(steps: list[list[Any]]) -> list[list[Any]]:
    """The same in fewer steps: a detector's edges together, as long as nothing else happens between them."""
    out: list[list[Any]] = []
    held: list[dict[str, Edges]] = []

    def flush() -> None:
        together = edges_as_one(held)
        out.extend(["edges", name, edges.rows, edges.carried] for name, edges in together.items())
        held.clear()

    for step in steps:
        if step[0] == "edges":
            _, detector, rows, carried = step
            held.append({detector: Edges(rows, carried, np.zeros((len(rows), 0)))})
        else:
            flush()
            out.append(step)
    flush()
    return out


def split_at(edges: Mapping[str, Edges], seq: int) -> tuple[dict[str, Edges], dict[str, Edges]]:
    """Edges before a place in the one order, and from it on."""
    before, after = {}, {}
    for name, mine in edges.items():
        place = int(np.searchsorted(mine.rows["seq"], seq))
        before[name], after[name] = mine.some(0, place), mine.some(place, len(mine.rows))
    return before, after
