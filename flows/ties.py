"""Ties: two parties that many people join, each by being in contact with the one and paying the other.

The subject hop finds one person's pair at a time; only here, in one place, it is known how many people did the same.
Kept for each two parties: who joined them, when, and by which events; forgotten after the detector's time. A till's
hundred customers meet its line several times a day, and say no more each time: two parties are judged when somebody
new joins them, and else once in the detector's `every`, by its clock.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from alerts.record import Happening
from detectors.base import Detector
from features.declare import duration
from flows.evidence import Evidence, merged, naming
from flows.judging import Judge
from flows.noting import Crossed, crossing
from flows.split import Rule

TIE_BYTES: Final = 900
"""What one person's tie takes, about: two named events and its place in the tables."""
_MOST_EVENTS: Final = 40
_SWEEP_US: Final = 3_600_000_000

Token = tuple[int, int]
Key = tuple[str, Token, Token]


class Tie(NamedTuple):
    """One person's: when last, and by which events."""

    ts: int
    events: tuple[Happening, ...]


@dataclass(slots=True)
class _Joined:
    """Two parties: who joins them, a time that no tie is older than, and when somebody joined them last."""

    people: dict[Token, Tie]
    oldest: int
    latest: int

    @classmethod
    def by(cls, people: dict[Token, Tie]) -> "_Joined":
        """Two parties joined by these."""
        times = [tie.ts for tie in people.values()]
        return cls(people, min(times, default=0), max(times, default=0))

    def let_go(self, since: int) -> None:
        """Forget whose time is over."""
        if self.people and self.oldest < since:
            living = {person: tie for person, tie in self.people.items() if tie.ts >= since}
            self.people, self.oldest = living, min((tie.ts for tie in living.values()), default=0)
            self.latest = self.latest if living else 0

    def join(self, person: Token, tie: Tie) -> None:
        """Note a tie; one that comes late takes nobody's later one away."""
        before = self.people.get(person)
        self.oldest = min(tie.ts, self.oldest) if self.people else tie.ts
        self.latest = max(tie.ts, self.latest)
        if before is None or before.ts <= tie.ts:
            self.people[person] = tie


class TieHop:
    """What of the cross-stream detectors is worked out in one place."""

    def __init__(self, detectors: Iterable[type[Detector]] = (), data_class: str = "synthetic") -> None:
        self.within = {d.id: duration(d.ties.within) for d in crossing(detectors) if d.ties}
        self.people = {d.id: d.ties.people for d in crossing(detectors) if d.ties}
        self.every = {d.id: duration(d.ties.every) for d in crossing(detectors) if d.ties}
        self.judges = {d.id: Judge(d, data_class) for d in crossing(detectors) if d.ties}
        self.known: dict[Key, _Joined] = {}
        self.touched: set[Key] = set()
        self.now = 0
        self._swept = 0

    def work(self, pairs: Sequence[Crossed], rules: Sequence[Rule]) -> list[Evidence]:
        """Work through a tick's pairs in the one order; gives what alerts."""
        found: dict[str, list[tuple[Crossed, int]]] = {name: [] for name in self.judges}
        tying: dict[int, tuple[Tie, ...]] = {}  # by pair, all that ties its two then
        for crossed in sorted(pairs, key=lambda c: (c.seq, c.number, c.detector, c.halves[1].happened.seq)):
            if crossed.detector not in self.judges:
                continue
            tied, tells = self._tied(crossed)
            if tells and len(tied) >= self.people[crossed.detector]:
                found[crossed.detector].append((crossed, len(tied)))
                tying[id(crossed)] = tuple(tied.values())
        self._sweep()
        fired = []
        for name, judge in self.judges.items():
            for crossed, evidence in judge.judged(found[name], rules):
                if evidence.fire is not None:
                    named = naming(evidence.fire, latest_events(tying[id(crossed)]))
                    fired.append(msgspec.structs.replace(evidence, fire=named))
        return merged(fired)

    def _tied(self, crossed: Crossed) -> tuple[dict[Token, Tie], bool]:
        """Note who joins the two; gives all who did within the time, as seen now, and whether that tells anything new."""
        payment, contact = crossed.payment.happened, crossed.telecoms.happened
        ts = max(payment.ts, contact.ts)
        self.now = max(self.now, ts)
        key = (crossed.detector, payment.other, contact.other)
        joined = self._living(key)
        person, every = (payment.own_hi, payment.own_lo), self.every[crossed.detector]
        tells = person not in joined.people or joined.latest // every < ts // every
        joined.join(
            person, Tie(ts, tuple(Happening(*half.named, half.happened.ts) for half in crossed.halves))
        )
        self.touched.add(key)
        return joined.people, tells

    def _living(self, key: Key) -> _Joined:
        joined = self.known.setdefault(key, _Joined.by({}))
        joined.let_go(self.now - self.within[key[0]])
        return joined

    def _sweep(self) -> None:
        """Let go of what nobody asked for in its time; when this is done changes no answer."""
        if self.now < self._swept + _SWEEP_US:
            return
        self._swept = self.now
        for key in [key for key in self.known if not self._living(key).people]:
            del self.known[key]

    def __len__(self) -> int:
        """How many people's ties are remembered."""
        return sum(len(joined.people) for joined in self.known.values())

    # --------------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, Any]:
        """All that is remembered, as plain data."""
        self._swept = 0
        self._sweep()
        self.touched.clear()
        for judge in self.judges.values():
            judge.changed = False
        return self._plain(self.known, self.judges)

    def changes(self) -> dict[str, Any]:
        """What changed since the last `dump` or `changes`."""
        touched = [key for key in self.touched if key in self.known]
        self.touched.clear()
        changed = [name for name, judge in self.judges.items() if judge.changed]
        for name in changed:
            self.judges[name].changed = False
        return self._plain(touched, changed)

    def let_go(self) -> None:
        """Nobody asks what changed: begin anew, as after `changes`."""
        self.touched.clear()

    def _plain(self, keys: Iterable[Key], judges: Iterable[str]) -> dict[str, Any]:
        return {
            "now": self.now,
            "judges": {name: self.judges[name].state() for name in judges},
            "known": [
                [key, [[who, *tie] for who, tie in self.known[key].people.items()]] for key in sorted(keys)
            ],
        }

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state, or changes after it."""
        self.now = plain["now"]
        for name, state in plain["judges"].items():
            if name in self.judges:
                self.judges[name].restore(state)
        for (name, one, other), tied in plain["known"]:
            if name in self.judges:
                self.known[name, tuple(one), tuple(other)] = _Joined.by(
                    {
                        tuple(who): Tie(ts, tuple(Happening(*event) for event in events))
                        for who, ts, events in tied
                    }
                )

    def told(self) -> list[Any]:
        """All that is known, in one order: for the digest."""
        living = [(key, self._living(key).people) for key in sorted(self.known)]
        versions = [(n, j.words_of_state) for n, j in self.judges.items()]
        return [
            versions,
            [(key, sorted((who, tie.ts) for who, tie in tied.items())) for key, tied in living if tied],
        ]


def latest_events(ties: Sequence[Tie]) -> tuple[Happening, ...]:
    """By which events they are tied, the latest of them when there are many."""
    # no event of a tie is later than the tie
    since = heapq.nlargest(_MOST_EVENTS, [tie.ts for tie in ties])[-1]
    events = {event for tie in ties if tie.ts >= since for event in tie.events if event.ts >= since}
    if len(events) < _MOST_EVENTS:  # few ties, or several by one event
        events = {event for tie in ties for event in tie.events}
    return tuple(sorted(events, key=lambda e: (e.ts, e.event_id))[-_MOST_EVENTS:])
