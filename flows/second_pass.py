"""The second pass: each party again, now knowing the other half; here detectors gate and score."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from alerts.record import Fire, Subject
from detectors.base import Detector
from events.kernels import bare, njit
from features.kernel import block_of, usual_values
from features.plan import Plan, SubjectPlan
from features.program import GRAIN
from features.rows import Entity, Flag, Kind, Rows
from features.state import EntityState
from flows.children import AGES, told_of_children
from flows.drawing import Drawn
from flows.edges import Edges, Sender, networking
from flows.errors import FlowError
from flows.evidence import Evidence
from flows.first_pass import THING_SUBJECT, Halves, dump_states, key_of, load_states
from flows.found_out import sides_of
from flows.gates import Asked, Gate, Gates
from flows.noting import Crossed, Note, Noter, Usual, crossing
from flows.split import SUBJECT_SHARDS, Expect, Rule
from flows.standing import Fired, Moment, Standing, Unexplained, kind_of
from flows.things_beside import USERS, thing_beside
from models.examples import Example
from models.shadows import Shadow

Floats = npt.NDArray[np.float64]

LINKS: Final = 4
"""An account's rows go to at most so many linked numbers; more is counted."""
_LINK_COLUMNS: Final = 5  # the number's token in four 32-bit parts, and until when
_LINK_GRAINS: Final = -(-LINKS * _LINK_COLUMNS // GRAIN)
_USUAL_MEMORY_US: Final = 14 * 24 * 3.6e9
"""What is usual is the mean of a fortnight or so: long beside a crime's first days, short beside a change of life."""
_EVIDENCE: Final = 0.5
"""A score of at least this share of its threshold is evidence for the other stream, if not an alert."""
_LINK: Final = int(Kind.LINK)
_MINOR: Final = int(Flag.MINOR)


@dataclass(frozen=True, slots=True)
class Scored:
    """What one second-pass shard tells one subject shard of one tick; sent even when empty, so that it can be counted."""

    tick: int
    evidence: tuple[Evidence, ...]
    notes: tuple[Note, ...] = ()  # halves of something across streams
    ties: tuple[Crossed, ...] = ()  # what the subject hop found to go on to the national hop
    drawn: tuple[Example, ...] = ()  # rows kept though they do not alert
    edges: dict[str, Edges] = field(default_factory=dict)
    """By network detector: what the subject hop only passes on."""
    shadows: tuple[Shadow, ...] = ()
    """What challengers said: passed on too."""


_Kept = TypeVar("_Kept", Evidence, Note)


@njit(cache=True)
def _take_links(rows, slots, places, column, sums, used, links, width, asked, told):  # type: ignore[no-untyped-def]
    """Keep up to `links` numbers of each account: the registered number of a record, and links while they last.

    For each row in `asked` (ascending), what is kept just after it goes into `told`: what later rows bring is not yet
    known then, however many rows are taken at a time.
    """
    more = 0
    next_asked = 0
    for i in range(len(rows)):
        if rows[i].phone_hi != 0 or rows[i].phone_lo != 0:
            size = (links * width + GRAIN - 1) // GRAIN
            base = block_of(places, slots[i], column, size, used) * GRAIN
            more += _take_link(rows[i], sums, base, links, width)
        if next_asked < len(asked) and asked[next_asked] == i:
            base = np.int64(places[slots[i], column]) * GRAIN
            for k in range(links * width):
                told[next_asked, k] = sums[base + k]
            next_asked += 1
    return more


@njit(cache=True)
def _take_link(row, sums, base, links, width):  # type: ignore[no-untyped-def]
    """Take one row's number; gives 1 when there is no place left for it."""
    hi, lo = row.phone_hi, row.phone_lo
    until = row.value if row.kind == _LINK else np.inf
    a, b = np.float64(hi >> np.uint64(32)), np.float64(hi & np.uint64(0xFFFFFFFF))
    c, d = np.float64(lo >> np.uint64(32)), np.float64(lo & np.uint64(0xFFFFFFFF))
    free = -1
    for k in range(links):
        at = base + k * width
        if sums[at] == a and sums[at + 1] == b and sums[at + 2] == c and sums[at + 3] == d:
            sums[at + 4] = until
            return 0
        if free < 0 and (sums[at + 4] == 0.0 or sums[at + 4] < row.ts):
            free = at
    if free < 0:
        return 1
    sums[free], sums[free + 1], sums[free + 2], sums[free + 3] = a, b, c, d
    sums[free + 4] = until
    return 0


@bare
def _lay_out(own, joined):  # type: ignore[no-untyped-def]
    """What is known of each row's own subject, and nothing yet of the others."""
    width = own.shape[1]
    for i in range(len(joined)):
        for j in range(width):
            joined[i, j] = own[i, j]
        for j in range(width, joined.shape[1]):
            joined[i, j] = np.nan


@bare
def _join(keys, told_of, told, column, joined):  # type: ignore[no-untyped-def]
    """Put a half's values beside the rows they are of, from a column on; the rows are in the order of theirs.

    Says whether there were such rows.
    """
    at, end = np.int64(0), np.int64(len(keys))
    for i in range(len(told_of)):
        if i > 0 and told_of[i] < told_of[i - 1]:  # halves of several senders, taken as one
            at, above = np.int64(0), end
            while at < above:
                middle = (at + above) // 2
                if keys[middle] < told_of[i]:
                    at = middle + 1
                else:
                    above = middle
        while at < end and keys[at] < told_of[i]:
            at += 1
        if at == end:
            return False
        for j in range(told.shape[1]):
            joined[at, column + j] = told[i, j]
    return True


@bare
def _put(told, column, joined):  # type: ignore[no-untyped-def]
    """Put columns beside others."""
    for i in range(len(told)):
        for j in range(told.shape[1]):
            joined[i, column + j] = told[i, j]


@dataclass(frozen=True, slots=True, eq=False)
class _Usually:
    """Of which joined columns it is kept what is usual: those that are never absent, and the others."""

    always: npt.NDArray[np.int64]
    sometimes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, plan: SubjectPlan, columns: Iterable[int]) -> "_Usually":
        """Neighbours among the columns are neighbours in memory: much of what is 0 together is left out together."""
        known = sorted(set(columns))
        own = {*plan.always_own, *(plan.inputs + c for c in plan.second.always)}
        return cls(
            np.array([c for c in known if c in own], dtype=np.int64),
            np.array([c for c in known if c not in own], dtype=np.int64),
        )

    @property
    def columns(self) -> list[int]:
        """All of them, in the order in which they are told."""
        return [*self.always.tolist(), *self.sometimes.tolist()]

    @property
    def blocks(self) -> int:
        """How many blocks they take of an entity at most, each of one grain."""
        return -(-len(self.always) // GRAIN) - (-2 * len(self.sometimes) // GRAIN)


class Scorer(Standing):
    """One detector at work in one shard of the second pass."""

    def __init__(self, detector: type[Detector], plan: SubjectPlan, data_class: str) -> None:
        super().__init__(detector, data_class)
        self.columns = [plan.columns.index(name) for name in self.signals]
        gate = Gate(detector.gate)
        self.asked = Asked(gate, {name: plan.columns.index(name) for name in gate.columns})
        self.needed = [plan.columns.index(name) for name in self.needs]

    def fire_at(
        self,
        row: Fired,
        values: Sequence[float],
        usual: Sequence[float],
        score: float,
        subject: Subject,
        related: tuple[Subject, ...],
    ) -> Fire:
        """What alerts at a row, from the values that are needed and what is usual of the signals."""
        why = Unexplained(self.speech, self.card, values, usual)
        return self.fire(Moment.of(row), subject, score, values, related, why)


@dataclass(frozen=True, slots=True)
class _Joined:
    """A tick's rows of one entity, joined with what the others know, and what the gates let through."""

    entity: Entity
    rows: Rows
    values: Floats
    usual: Usual
    gated: list[npt.NDArray[np.int64]]  # by scorer
    noted: list[npt.NDArray[np.int64]]  # by half of a cross-stream detector
    sent: list[npt.NDArray[np.int64]]  # by network detector
    links: dict[int, list[tuple[int, int]]]  # of rows of accounts


def _columns_of(plan: Plan, asked: Mapping[Entity, str]) -> dict[Entity, int]:
    """Where the joined rows of each entity have what is asked of it, where they have it."""
    return {
        entity: plan.subjects[entity].columns.index(column)
        for entity, column in asked.items()
        if entity in plan.subjects and column in plan.subjects[entity].columns
    }


class SecondPass:
    """One shard of the second pass."""

    def __init__(
        self, plan: Plan, detectors: tuple[type[Detector], ...], shard: int, data_class: str = "synthetic"
    ) -> None:
        self.plan = plan
        self.shard = shard
        self.data_class = data_class
        self.noter = Noter(plan, detectors)
        networks = networking(detectors)
        elsewhere = {*crossing(detectors), *networks}
        here = [d for d in detectors if d not in elsewhere]
        self.detectors = {e: [d for d in here if d.subject == e] for e in plan.subjects}
        self.senders = {
            e: [Sender(d, p) for d in networks if d.subject == e] for e, p in plan.subjects.items()
        }
        self.scorers = {
            e: [Scorer(d, subject_plan, data_class) for d in self.detectors[e]]
            for e, subject_plan in plan.subjects.items()
        }
        self.signals = {
            e: _Usually.of(
                plan.subjects[e],
                [
                    *(c for scorer in scorers for c in scorer.columns),
                    *self.noter.columns(e),
                    *(c for sender in self.senders[e] for c in sender.usual),
                ],
            )
            for e, scorers in self.scorers.items()
        }
        self.states = {
            e: EntityState(
                p.second,
                extra=1,
                blocks=[1] * self.signals[e].blocks + ([_LINK_GRAINS] if e == Entity.ACCOUNT else []),
            )
            for e, p in plan.subjects.items()
        }
        self.gates = {
            e: Gates(
                [
                    *(scorer.asked for scorer in self.scorers[e]),
                    *self.noter.asked(e),
                    *(sender.asked for sender in self.senders[e]),
                ]
            )
            for e in plan.subjects
        }
        self.users = _columns_of(plan, USERS)
        """Where a joined row says how many use its device or handset."""
        self.ages = _columns_of(plan, AGES)
        """Where a joined row says how old its holder was last said to be."""
        self.had = -1
        self.links_not_kept = 0
        self._open: dict[int, list[Halves]] = {}
        self._have: dict[int, int] = {}
        self._expected: list[Expect] = []
        self.log: list[tuple[Expect, list[Halves]]] | None = None
        """Where ticks that are done are noted, by whoever keeps them."""

    # ---------------------------------------------------------------------------------- waiting for a tick's rows

    def expect(self, expected: Expect) -> list[dict[int, Scored]]:
        """Be told what to wait for; gives what can now be worked on."""
        self._expected.append(expected)
        return self._work()

    def take(self, halves: Halves) -> list[dict[int, Scored]]:
        """Take what one first-pass shard sends; gives what can now be worked on."""
        self._open.setdefault(halves.tick, []).append(halves)
        self._have[halves.tick] = self._have.get(halves.tick, 0) + halves.count
        return self._work()

    def _work(self) -> list[dict[int, Scored]]:
        done = []
        while self._expected:
            expected = self._expected[0]
            have = self._have.get(expected.tick, 0)
            if have > expected.count:
                raise FlowError(
                    f"shard {self.shard} got {have} rows of tick {expected.tick} and expected {expected.count}"
                )
            if have < expected.count:
                break
            if expected.before != self.had:
                raise FlowError(f"shard {self.shard} had tick {self.had} last and was told {expected.before}")
            self._expected.pop(0)
            parts = self._open.pop(expected.tick, [])
            self._have.pop(expected.tick, None)
            self.had = expected.tick
            if self.log is not None:
                self.log.append((expected, parts))
            done.append(self.work(expected, parts))
        return done

    def absorb(self, halves: Halves, rules: Iterable[Rule]) -> None:
        """Take in ticks that were done before a restart, all as one: state as then, nothing scored again."""
        for entity, own in halves.own.items():
            self._joined(entity, own, [halves], scoring=False)
        for entity in self.plan.subjects:
            self._obey(entity, tuple(rules))
        self.had = halves.tick

    # ---------------------------------------------------------------------------------------------- one whole tick

    def work(self, expected: Expect, parts: list[Halves]) -> dict[int, Scored]:
        """Work through one tick: join, keep, score."""
        evidence: list[Evidence] = []
        notes: list[Note] = []
        edges: dict[str, Edges] = {}
        own = {entity: part for halves in parts for entity, part in halves.own.items()}
        for entity in self.plan.subjects:
            if entity in own:
                joined = self._joined(entity, own[entity], parts)
                edges |= self._edges(joined)
                evidence += self._score(joined, expected.rules)
                notes += self._notes(joined)
            else:
                self._obey(entity, expected.rules)
        evidence.sort(key=lambda e: (e.seq, e.detector, e.subject.token))
        said, noted = _by_number(evidence), _by_number(notes)
        mine = (
            self.shard % SUBJECT_SHARDS
        )  # edges and the like go the same way: nothing more has to be counted
        drawn = tuple(
            one for scorers in self.scorers.values() for scorer in scorers for one in scorer.given()
        )
        shadows = [one for some in self.scorers.values() for each in some for one in each.shadows_since()]
        return {
            s: Scored(
                expected.tick,
                tuple(said[s]),
                tuple(noted[s]),
                drawn=drawn if s == mine else (),
                edges=edges if s == mine else {},
                shadows=tuple(shadows) if s == mine else (),
            )
            for s in range(SUBJECT_SHARDS)
        }

    def _edges(self, joined: "_Joined") -> dict[str, Edges]:
        """What the network detectors' edges let through."""
        return {
            sender.detector.id: sender.edges(joined.rows, joined.values, joined.usual, sent)
            for sender, sent in zip(self.senders[joined.entity], joined.sent, strict=True)
            if len(sent)
        }

    def _notes(self, joined: "_Joined") -> list[Note]:
        """What may be half of something across streams."""
        return self.noter.notes(
            joined.entity,
            joined.rows,
            joined.values,
            joined.usual,
            joined.noted,
            lambda place: self._numbers(joined, place),
        )

    def _joined(
        self, entity: Entity, own: tuple[Rows, Floats], parts: list[Halves], *, scoring: bool = True
    ) -> "_Joined":
        rows, first = own
        plan = self.plan.subjects[entity]
        joined = np.empty((len(rows), len(plan.columns)))
        keys = key_of(rows)
        _lay_out(first, joined)
        for halves in parts:
            for half in halves.halves:
                if half.subject != entity or not half.values.shape[1]:
                    continue
                column = plan.other_from if half.block is None else plan.things_from[half.block]
                if not _join(keys, half.keys, half.values, column, joined):
                    raise FlowError(f"shard {self.shard} was told of a row that it did not get")
        state = self.states[entity]
        second, slots = state.take(rows, joined)
        _put(second, plan.inputs, joined)
        if entity in self.ages:
            rows = told_of_children(rows, joined[:, self.ages[entity]])
        passed = self.gates[entity].passed(rows, joined) if scoring else []
        to_score, to_note = len(self.scorers[entity]), len(self.noter.halves[entity])
        gated, noted = passed[:to_score], passed[to_score : to_score + to_note]
        sent = passed[to_score + to_note :]
        usual = self._usual(entity, rows, joined, slots, passed)
        links = self._links(entity, rows, slots, [*gated, *noted])
        return _Joined(entity, rows, joined, usual, gated, noted, sent, links)

    def _usual(
        self,
        entity: Entity,
        rows: Rows,
        joined: Floats,
        slots: npt.NDArray[np.int64],
        gated: list[npt.NDArray[np.int64]],
    ) -> Usual:
        """What was usual of each signal before each gated row; every row becomes part of it."""
        asked = _all_of(gated, len(rows))
        signals, state = self.signals[entity], self.states[entity]
        before = np.empty((len(asked), len(signals.columns)))
        usual_values(
            joined,
            signals.always,
            signals.sometimes,
            slots,
            np.ascontiguousarray(rows["ts"]),
            state.heads,
            state.places,
            state.sums,
            state.used,
            state.program.head,
            state.first_place + len(state.program.blocks),
            _USUAL_MEMORY_US,
            asked,
            before,
        )
        return Usual(signals.columns, asked, before)

    def _links(
        self, entity: Entity, rows: Rows, slots: npt.NDArray[np.int64], gated: list[npt.NDArray[np.int64]]
    ) -> dict[int, list[tuple[int, int]]]:
        """For every gated row of an account that had some, the linked numbers as they were then."""
        if entity != Entity.ACCOUNT:
            return {}
        asked = _all_of(gated, len(rows))
        told = np.empty((len(asked), LINKS * _LINK_COLUMNS))
        state = self.states[entity]
        last = state.first_place + len(state.blocks) - 1
        self.links_not_kept += int(
            _take_links(
                rows, slots, state.places, last, state.sums, state.used, LINKS, _LINK_COLUMNS, asked, told
            )
        )
        return _living_links(asked, told.reshape(len(asked), LINKS, _LINK_COLUMNS), rows["ts"][asked])

    def _obey(self, entity: Entity, rules: tuple[Rule, ...]) -> None:
        for rule in rules:
            for scorer in self.scorers[entity]:
                if scorer.detector.id == rule.detector:
                    scorer.obey(rule)

    def _score(self, joined: "_Joined", rules: tuple[Rule, ...]) -> list[Evidence]:
        evidence: list[Evidence] = []
        for scorer, gated in zip(self.scorers[joined.entity], joined.gated, strict=True):
            mine = [rule for rule in rules if rule.detector == scorer.detector.id]
            start = 0
            for rule in [*mine, None]:
                # a control row takes effect at its place: rows before it are scored by what stood until then
                end = (
                    len(gated) if rule is None else int(np.searchsorted(joined.rows["seq"][gated], rule.seq))
                )
                evidence += self._scored(scorer, joined, gated[start:end])
                start = end
                if rule is not None:
                    scorer.obey(rule)
        return evidence

    def _scored(self, scorer: Scorer, joined: "_Joined", gated: npt.NDArray[np.int64]) -> list[Evidence]:
        if not len(gated):
            return []
        entity = joined.entity
        scorer.scored += len(gated)
        values = np.ascontiguousarray(joined.values[gated][:, scorer.columns])
        scores = scorer.card.score(values)
        own = joined.rows[gated]
        scorer.keep_some(
            own["own_lo"], own["ts"], values, scores, lambda i: self._drawn(joined, scorer, int(gated[i]))
        )
        if scorer.challengers:
            child = scorer.detector.child
            sides = sides_of(own, entity)

            def told(i: int) -> Fired:
                return Fired.among(own, [i])[0]

            scorer.shade(
                values,
                scores,
                own["seq"],
                lambda i: (int(own["ts"][i]), self._subject(entity, told(i), child=child).name, sides[i]),
            )
        said = np.flatnonzero(scores >= _EVIDENCE * scorer.threshold)
        return self._evidence(scorer, joined, gated[said], scores[said]) if len(said) else []

    def _evidence(
        self, scorer: Scorer, joined: "_Joined", places: npt.NDArray[np.int64], scores: Floats
    ) -> list[Evidence]:
        """What is said of rows, under each number it is kept by; those at the threshold alert."""
        entity, detector, threshold = joined.entity, scorer.detector, scorer.threshold
        fires = self._fires(scorer, joined, places, scores)
        found = []
        for place, row, score in zip(
            places.tolist(), Fired.among(joined.rows, places), scores.tolist(), strict=True
        ):
            fire = fires.get(place)
            subject = self._subject(entity, row, child=detector.child) if fire is None else fire.subject
            for number in self._numbers(joined, place) or [(row.own_hi, row.own_lo)]:
                found.append(Evidence(row.seq, row.ts, detector.id, score, threshold, subject, number, fire))
        return found

    def _fires(
        self, scorer: Scorer, joined: "_Joined", places: npt.NDArray[np.int64], scores: Floats
    ) -> dict[int, Fire]:
        """By row, what alerts."""
        entity = joined.entity
        alerting = scores >= scorer.threshold
        places = places[alerting]
        if not len(places):
            return {}
        values = joined.values[places]
        users = values[:, self.users[entity]].tolist() if entity in self.users else [math.nan] * len(places)
        fires = {}
        for place, row, needed, usual, many, score in zip(
            places.tolist(),
            Fired.among(joined.rows, places),
            values[:, scorer.needed].tolist(),
            joined.usual.some(places, scorer.columns).tolist(),
            users,
            scores[alerting].tolist(),
            strict=True,
        ):
            numbers = self._numbers(joined, place) if entity == Entity.ACCOUNT else ()
            linked = (Subject.of("number", hi, lo) for hi, lo in numbers)
            related = (*linked, *self._other(entity, row), *thing_beside(entity, row, many))
            subject = self._subject(entity, row, child=scorer.detector.child)
            fires[place] = scorer.fire_at(row, needed, usual, score, subject, related)
        return fires

    def _drawn(self, joined: "_Joined", scorer: Scorer, place: int) -> Drawn:
        (row,) = Fired.among(joined.rows, [place])
        values = dict(zip(scorer.signals, joined.values[place][scorer.columns].tolist(), strict=True))
        subject = self._subject(joined.entity, row, child=False).name
        (side,) = sides_of(joined.rows[place : place + 1], joined.entity)
        return Drawn(row.seq, subject, side, values, int(joined.rows["age"][place]), row.home)

    def _subject(self, entity: Entity, row: Fired, *, child: bool) -> Subject:
        category = "possible_victim" if child or row.flags & _MINOR else "unknown"
        return Subject.of(kind_of(entity), row.own_hi, row.own_lo, category)

    def _numbers(self, joined: "_Joined", place: int) -> list[tuple[int, int]]:
        """The numbers under which an event of this subject is kept: its own, or those linked to the account then.

        A thing's are kept under its own token: nobody else's say corroborates it, nor it theirs.
        """
        if joined.entity == Entity.ACCOUNT:
            return joined.links.get(place, [])
        row = joined.rows[place]
        return [(int(row["own_hi"]), int(row["own_lo"]))]

    def _other(self, entity: Entity, row: Fired) -> tuple[Subject, ...]:
        if not row.other_lo and not row.other_hi:
            return ()
        party = THING_SUBJECT.get(entity, entity)  # beside a thing: its holder
        return (Subject.of(kind_of(party), row.other_hi, row.other_lo),)

    # --------------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, npt.NDArray[Any]]:
        """The shard's state as plain arrays."""
        rest = {
            "had": self.had,
            "links_not_kept": self.links_not_kept,
            "scorers": {s.detector.id: s.state() for scorers in self.scorers.values() for s in scorers},
        }
        return dump_states(self.states) | {
            "rest": np.frombuffer(json.dumps(rest, sort_keys=True).encode(), dtype=np.uint8)
        }

    def load(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Take up a dumped state."""
        load_states(self.states, arrays)
        rest = json.loads(arrays["rest"].tobytes())
        self.had, self.links_not_kept = rest["had"], rest["links_not_kept"]
        for scorers in self.scorers.values():
            for scorer in scorers:
                if scorer.detector.id in rest["scorers"]:
                    scorer.restore(rest["scorers"][scorer.detector.id])

    def digest(self) -> str:
        """A digest of what is known in this shard."""
        parts = [f"{entity.name}:{state.digest()}" for entity, state in self.states.items()]
        parts += [s.words_of_state for scorers in self.scorers.values() for s in scorers]
        return " ".join(parts)


def _all_of(places: list[npt.NDArray[np.int64]], height: int) -> npt.NDArray[np.int64]:
    """Places that are in any of some lists, each once, in order."""
    named = np.zeros(height, dtype=bool)
    for each in places:
        named[each] = True
    return np.flatnonzero(named)


def _living_links(
    rows: npt.NDArray[np.int64], links: Floats, ts: npt.NDArray[np.int64]
) -> dict[int, list[tuple[int, int]]]:
    """By row, the linked numbers that still held then, in order; rows without any are left out."""
    until = links[:, :, -1]
    places, which = np.nonzero((until != 0.0) & (until >= ts[:, None]))
    parts = links[places, which, :-1].astype(np.uint64)
    shift = np.uint64(32)
    hi, lo = (parts[:, 0] << shift) | parts[:, 1], (parts[:, 2] << shift) | parts[:, 3]
    found: dict[int, list[tuple[int, int]]] = {}
    for row, *number in zip(rows[places].tolist(), hi.tolist(), lo.tolist(), strict=True):
        found.setdefault(row, []).append((number[0], number[1]))
    for numbers in found.values():
        numbers.sort()
    return found


def _by_number(found: Sequence[_Kept]) -> dict[int, list[_Kept]]:
    """By subject shard, which is by the number's token."""
    by_shard: dict[int, list[_Kept]] = {s: [] for s in range(SUBJECT_SHARDS)}
    for one in found:
        by_shard[one.number[1] % SUBJECT_SHARDS].append(one)
    return by_shard
