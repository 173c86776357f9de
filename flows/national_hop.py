"""The national hop: one place for what crosses shards. Gated rows only: firings become episodes and alerts here."""

import json
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from alerts.episodes import Episodes
from alerts.priority import STANDING, Rules
from alerts.record import Alert, Fire, Subject
from detectors.base import Detector
from flows.drawing import Draw
from flows.edges import Edges, edges_as_one
from flows.evidence import merged
from flows.networks import Networks, split_at
from flows.outcomes import answered, decided, example_of
from flows.second_pass import Scored
from flows.shadowing import as_one
from flows.split import Expect, Ids, Rule
from flows.ties import TieHop
from flows.waiting import Waiting
from models.examples import Example
from models.labels import ROLES, Label
from models.nearest import Confirmed
from models.shadows import Shadow


@dataclass(frozen=True, slots=True)
class TickDone:
    """A tick that is through: its alerts, new and amended, in order."""

    tick: int
    events: int
    last_ts: int
    alerts: tuple[Alert, ...]
    read_at: float
    lesson: "Lesson | None" = None
    shadows: tuple[Shadow, ...] = ()
    """What challengers said, in the one order."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a tick brings the learner: rows as scored, what was found out, what people put in force."""

    kept: tuple[Example, ...]
    labels: tuple[Label, ...]
    rules: tuple[Rule, ...]
    learn: bool
    """Whether a lesson is held after it."""


class NationalHop:
    """Merges what the subject shards send, names the events, keeps the episodes."""

    def __init__(
        self,
        priorities: Rules = STANDING,
        detectors: Iterable[type[Detector]] = (),
        data_class: str = "synthetic",
    ) -> None:
        self.priorities = priorities
        detectors = tuple(detectors)
        self.confirmed = {each.id: _confirmed_of(each) for each in detectors}
        self.claims = {each.id: each.says_when_right() for each in detectors}
        self.ties = TieHop(detectors, data_class)
        self.episodes = Episodes(rules=priorities)
        self.networks = Networks(detectors, data_class)
        self.last_ts = 0
        self.waiting: Waiting[Scored] = Waiting("national hop")
        self.draw: Draw | None = None  # where a learner follows
        self._alerted: list[Example] = []
        self._ids: dict[int, Ids] = {}
        self._cases_changed: set[str] = set()

    def expect(self, ids: Ids) -> list[TickDone]:
        """Be told of a tick and the names of its events; gives the ticks that are through."""
        self._ids[ids.tick] = ids
        return self._work(self.waiting.expect(Expect(ids.tick, self._before(ids), ids.senders)))

    def take(self, scored: Scored) -> list[TickDone]:
        """Take what one subject shard sends; gives the ticks that are through."""
        return self._work(self.waiting.take(scored.tick, scored))

    def _before(self, ids: Ids) -> int:
        """Every tick comes here, so the one before is the one numbered before; -1 at the very first."""
        return self.waiting.had if not self._ids.keys() - {ids.tick} else ids.tick - 1

    def _work(self, whole: list[tuple[int, list[Scored]]]) -> list[TickDone]:
        return [self.work(self._ids.pop(tick), parts) for tick, parts in whole]

    def work(self, ids: Ids, parts: list[Scored]) -> TickDone:
        """Work through one tick: edges, firings and control rows in the one order."""
        tied = self.ties.work([pair for part in parts for pair in part.ties], ids.rules)
        # an account with two numbers comes from two shards
        firing = merged([*tied, *(one for part in parts for one in part.evidence)])
        fires = [self._named(ids, one.fire) for one in firing if one.fire is not None]
        edges = edges_as_one(part.edges for part in parts)
        alerts: list[Alert] = []
        for rule in ids.rules:
            before, edges = split_at(edges, rule.seq)
            now, fires = [f for f in fires if f.seq < rule.seq], [f for f in fires if f.seq >= rule.seq]
            alerts += self._told(ids, now, before)
            alerts += self._obey(ids, rule)
        alerts += self._told(ids, fires, edges)
        if len(ids.clock):
            self.last_ts = int(ids.clock[-1])
            alerts += self.episodes.advance(self.last_ts)
        lesson = None if self.draw is None else self._lesson(ids, parts)
        return TickDone(
            ids.tick,
            len(ids.clock),
            self.last_ts,
            tuple(alerts),
            ids.read_at,
            lesson,
            self._shadows(ids, parts),
        )

    def _lesson(self, ids: Ids, parts: list[Scored]) -> Lesson:
        drawn = [one for part in parts for one in part.drawn]
        for standing in (*self.networks.scorers.values(), *self.ties.judges.values()):
            drawn += standing.given()
        kept = self._alerted + [
            msgspec.structs.replace(one, event_id=ids.event_id[one.seq - ids.first_seq])
            for one in drawn
            if one.subject
        ]
        self._alerted = []
        kept.sort(key=lambda one: (one.seq, one.detector, one.subject, one.kept_as))
        said = tuple(decided(rule) for rule in ids.rules if rule.kind == "decision")
        said += tuple(
            answered(rule, self.claims[rule.detector].typology)
            for rule in ids.rules
            if rule.kind == "review" and rule.detector in self.claims
        )
        labels = tuple(sorted((*ids.labels, *said), key=lambda one: (one.seq, one.event_id)))
        rules = tuple(rule for rule in ids.rules if rule.kind in ("activate", "threshold"))
        return Lesson(tuple(kept), labels, rules, ids.learn)

    def _shadows(self, ids: Ids, parts: list[Scored]) -> tuple[Shadow, ...]:
        """What challengers said, wherever they scored, with the names of the events."""
        found = [one for part in parts for one in part.shadows]
        for each in (*self.ties.judges.values(), *self.networks.scorers.values()):
            found += each.shadows_since()
        return tuple(one._replace(event_id=ids.event_id[one.seq - ids.first_seq]) for one in as_one(found))

    def _told(self, ids: Ids, fires: list[Fire], edges: dict[str, Edges]) -> list[Alert]:
        """Work through a stretch without control rows: the episodes' alerts, in order."""
        alerts: list[Alert] = []
        fires = fires + [self._named(ids, fire) for fire in self.networks.work(edges)]
        for fire in sorted(fires, key=lambda f: (f.seq, f.detector, f.subject.name)):
            alerts += self.episodes.advance(fire.clock_ts)
            alert = self.episodes.fire(self._with_nearest(fire))
            alerts += [] if alert is None else [alert]
            if self.draw is not None and alert is not None and alert.revision == 1:
                self._alerted.append(example_of(fire, alert.alert_id))
        return alerts

    def _named(self, ids: Ids, fire: Fire) -> Fire:
        place = fire.seq - ids.first_seq
        return msgspec.structs.replace(
            fire,
            event_id=ids.event_id[place],
            source=ids.source[place],
            basis=ids.basis[place],
            clock_ts=int(ids.clock[place]),
        )

    def _with_nearest(self, fire: Fire) -> Fire:
        """A firing with the confirmed alert that it is most like, as known at its place in the order."""
        known = self.confirmed.get(fire.detector)
        if not known:
            return fire
        return msgspec.structs.replace(fire, later=_Nearest(fire.later, copy(known)))

    def _learn_case(self, detector: str, body: Mapping[str, Any]) -> None:
        """Remember a confirmed alert by its values, or forget one that is confirmed no more."""
        known = self.confirmed.get(detector)
        if known is None:
            return
        role = body.get("role") or ""
        right = body["outcome"] == "confirmed" and self.claims[detector].is_right_of(
            role, ROLES.get(role, "")
        )
        if right and "features" in body:
            known.confirm(body["alert_id"], body["features"])
            self._cases_changed.add(detector)
        elif body["outcome"] is not None:
            known.take_back(body["alert_id"])
            self._cases_changed.add(detector)

    def _obey(self, ids: Ids, rule: Rule) -> list[Alert]:
        body = json.loads(rule.body or "{}")
        self.networks.obey(rule)
        # what had ended by then goes out first, wherever the tick was cut
        alerts = list(self.episodes.advance(int(ids.clock[rule.seq - ids.first_seq])))
        if rule.kind == "decision":
            self._learn_case(rule.detector, body)
            ended = self.episodes.decide(body["alert_id"], body["outcome"], rule.recorded_ts)
            alerts += [] if ended is None else [ended]
            if ended is not None and body["outcome"] == "confirmed":
                self.networks.close(ended.subject, rule.recorded_ts)
        if rule.kind == "snooze":
            kind, _, token = str(body["subject"]).partition(":")
            self.episodes.snooze(rule.detector, Subject(kind, token), int(body["until"]))
        return alerts

    # --------------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, Any]:
        """All that is kept, as plain data."""
        return {
            "had": self.waiting.had,
            "last_ts": self.last_ts,
            "whole": True,
            "episodes": self.episodes.snapshot(),
            "ties": self.ties.dump(),
            "networks": self.networks.dump(),
            "confirmed": {name: known.state() for name, known in self.confirmed.items() if known},
        }

    def changes(self) -> dict[str, Any]:
        """What changed since the last `dump` or `changes`."""
        changed = {name: self.confirmed[name].state() for name in sorted(self._cases_changed)}
        self._cases_changed.clear()
        return {
            "had": self.waiting.had,
            "last_ts": self.last_ts,
            "whole": False,
            "episodes": self.episodes.changes(),
            "ties": self.ties.changes(),
            "steps": self.networks.changes(),
            "confirmed": changed,
        }

    def let_go(self) -> None:
        """Nobody asks what changed: begin anew, as after `changes`."""
        self._cases_changed.clear()
        self.episodes.let_go()
        self.ties.let_go()

    def load(self, states: list[dict[str, Any]]) -> None:
        """Take up dumped state and the changes after it, oldest first."""
        whole, changes = states[0]["episodes"], [s["episodes"] for s in states[1:]]
        if not states[0]["whole"]:
            whole, changes = Episodes().snapshot(), [s["episodes"] for s in states]
        self.episodes = Episodes.restore(whole, changes, rules=self.priorities)
        for state in states:
            if state["whole"]:
                self.networks.load(state["networks"])
            else:
                self.networks.again(state["steps"])
        self.waiting.had, self.last_ts = states[-1]["had"], states[-1]["last_ts"]
        for state in states:
            self.ties.load(state["ties"])
            for name, known in state.get("confirmed", {}).items():
                if name in self.confirmed:
                    self.confirmed[name].restore(known)

    def digest(self) -> str:
        """A digest of what is known here."""
        hasher = blake2b(self.episodes.snapshot(), digest_size=16)
        hasher.update(repr(self.ties.told()).encode())
        hasher.update(self.networks.digest().encode())
        hasher.update(
            repr([(name, known.state()) for name, known in self.confirmed.items() if known]).encode()
        )
        return hasher.hexdigest()


class _Nearest(msgspec.Struct, frozen=True):
    """Explains a firing, and tells the confirmed alert that it is most like."""

    later: Any
    known: Any  # the confirmed alerts as they were known then

    def whole(self, fire: Fire) -> Fire:
        """The firing with all that explains it."""
        whole = msgspec.structs.replace(fire, later=self.later).whole()
        return msgspec.structs.replace(whole, nearest=self.known.nearest(whole.features), later=None)


def _confirmed_of(detector: type[Detector]) -> Confirmed:
    return Confirmed(
        detector.signals, {s.feature: detector.meaning(s.feature).words for s in detector.signals}
    )
