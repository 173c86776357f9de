"""The third pass: detectors on what crosses shards, scored on edges in the one order, in the national hop."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from alerts.record import Fire, Subject
from detectors.base import Detector
from detectors.network import NetworkDetector
from features.network import Named, NetworkState
from features.rows import Entity, Flag, Rows
from flows.drawing import Drawn
from flows.edges import Edges, edges_as_one, networking
from flows.first_pass import THING_SUBJECT
from flows.found_out import sides_of
from flows.gates import Gate
from flows.split import Rule
from flows.standing import Fired, Moment, Standing, Unexplained, kind_of
from flows.things_beside import USERS, thing_beside

Floats = npt.NDArray[np.float64]

_PLACE_OF: Final = {Entity.ACCOUNT: "terminal", Entity.NUMBER: "cell"}


class NetworkScorer(Standing):
    """One network detector at work: its families' memories, its gate and its scorecard."""

    def __init__(self, detector: type[NetworkDetector], data_class: str) -> None:
        super().__init__(detector, data_class)
        self.network = detector
        self.states: dict[str, NetworkState] = {family.name: family.begin() for family in detector.network}
        self.families = {family.name: family.told for family in detector.network}
        columns = [*detector.carries, *(name for told in self.families.values() for name in told)]
        self.places = {name: i for i, name in enumerate(columns)}
        self.columns = [self.places[s.feature] for s in detector.signals]
        self.needed = [self.places[name] for name in self.needs]
        self.gate = Gate(detector.gate)
        self.usual = [name for name in self.signals if name in detector.carries]
        self.users = self.places.get(USERS.get(detector.subject, ""))
        """Where a carried column says how many use the row's device or handset."""

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
        signals = np.ascontiguousarray(values[gated][:, self.columns])
        scores = self.card.score(signals)
        rows = edges.rows[gated]
        self.keep_some(
            rows["own_lo"],
            rows["ts"],
            signals,
            scores,
            lambda i: self._drawn(rows[i : i + 1], values[gated[i]]),
        )
        if self.challengers:

            def named(i: int) -> tuple[int, str, str] | None:
                about = self._drawn(rows[i : i + 1], values[gated[i]])
                return (int(rows["ts"][i]), about.subject, about.side) if about.subject else None

            self.shade(signals, scores, rows["seq"], named)
        alerting = scores >= self.threshold
        return self._fires(edges, values, related, gated[alerting], scores[alerting])

    def _fires(
        self,
        edges: Edges,
        values: Floats,
        related: Mapping[int, tuple[Named, ...]],
        places: npt.NDArray[np.int64],
        scores: Floats,
    ) -> list[Fire]:
        """What alerts; nothing of a row that does not say whose alert it is."""
        usual = np.full((len(places), len(self.signals)), np.nan)
        usual[:, [self.signals.index(name) for name in self.usual]] = edges.usual[places]
        fires = []
        for place, row, needed, usually, score in zip(
            places.tolist(),
            Fired.among(edges.rows, places),
            values[places][:, self.needed].tolist(),
            usual.tolist(),
            scores.tolist(),
            strict=True,
        ):
            subject = self._subject(row)
            if subject is not None:
                beside = self._related(row, values[place], related.get(place, ()))
                why = Unexplained(self.speech, self.card, needed, usually)
                fires.append(self.fire(Moment.of(row), subject, score, needed, beside, why))
        return fires

    def _drawn(self, rows: Rows, values: Floats) -> Drawn:
        (row,) = Fired.among(rows, [0])
        subject = self._subject(row)
        (side,) = sides_of(rows, self.detector.subject) if self.network.about == "own" else ("",)
        told = {name: float(values[self.places[name]]) for name in self.signals}
        name = "" if subject is None else subject.name
        return Drawn(row.seq, name, side, told, int(rows["age"][0]), row.home)

    # ------------------------------------------------------------------------------------------ whom it is about

    def _subject(self, row: Fired) -> Subject | None:
        """Whose alert it is; nobody's when the row does not say."""
        about, entity = self.network.about, self.detector.subject
        if about == "own":
            minor = "possible_victim" if row.flags & int(Flag.MINOR) else "unknown"
            return Subject.of(kind_of(entity), row.own_hi, row.own_lo, minor)
        if about == "other":
            kind, hi, lo = kind_of(THING_SUBJECT.get(entity, entity)), row.other_hi, row.other_lo
        else:
            kind, hi, lo = _PLACE_OF[entity], row.place_hi, row.place_lo
        return Subject.of(kind, hi, lo) if hi or lo else None

    def _related(self, row: Fired, values: Floats, found: tuple[Named, ...]) -> tuple[Subject, ...]:
        entity = self.detector.subject
        related = [Subject.of(*named) for named in found]
        if self.users is not None and self.network.about == "own":
            related.extend(thing_beside(entity, row, float(values[self.users])))
        if self.network.about != "own":
            related.append(Subject.of(kind_of(entity), row.own_hi, row.own_lo))
        if self.network.about != "other" and (row.other_hi or row.other_lo):
            kind = kind_of(THING_SUBJECT.get(entity, entity))
            related.append(Subject.of(kind, row.other_hi, row.other_lo))
        return tuple(dict.fromkeys(related))


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
            f"{name}:{scorer.words_of_state}:{family}:{state.digest()}"
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
