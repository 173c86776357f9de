"""The subject hop: one number's token brings together what its calls say and what its owner's accounts say.

Gated rows only. What each detector last said of a subject is kept for a week; when the other stream's half comes,
whichever is second carries the first with it: as corroboration, and as related subjects. Cross-stream detectors have
their halves paired and scored here (`flows.pairing`).
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from alerts.record import Subject, apart
from detectors.base import Detector
from flows.edges import edges_as_one
from flows.evidence import Evidence, with_corroboration
from flows.pairing import Pairing
from flows.second_pass import Scored
from flows.split import Expect, Names, Rule
from flows.waiting import Waiting

_WEEK_US: Final = 7 * 24 * 3_600_000_000

Said = dict[
    str, tuple[int, float, float, str, str]
]  # detector -> time, score, threshold, subject's kind and token


class SubjectHop:
    """One shard of the subject hop."""

    def __init__(self, detectors: Iterable[type[Detector]] = (), data_class: str = "synthetic") -> None:
        detectors = tuple(detectors)
        self.says = {each.id: (each.stream, each.claim) for each in detectors}
        self.pairing = Pairing(detectors, data_class)
        self.known: dict[tuple[int, int], Said] = {}
        self.touched: set[tuple[int, int]] = set()
        self.now = 0
        self.waiting: Waiting[Scored] = Waiting("subject hop")
        self._expected: dict[int, Expect] = {}

    def expect(self, expected: Expect) -> list[Scored]:
        """Be told what to wait for; gives what can now be worked on."""
        self._expected[expected.tick] = expected
        return self._work(self.waiting.expect(expected))

    def take(self, scored: Scored) -> list[Scored]:
        """Take what one second-pass shard sends; gives what can now be worked on."""
        return self._work(self.waiting.take(scored.tick, scored))

    def _work(self, whole: list[tuple[int, list[Scored]]]) -> list[Scored]:
        done = []
        for tick, parts in whole:
            expected = self._expected.pop(tick)
            done.append(self.work(tick, parts, expected.names, expected.rules))
        return done

    def work(
        self, tick: int, parts: list[Scored], names: Names | None = None, rules: Sequence[Rule] = ()
    ) -> Scored:
        """Work through one tick in the one order."""
        crossed, ties = self.pairing.work([note for part in parts for note in part.notes], names, rules)
        evidence = [*crossed, *(one for part in parts for one in part.evidence)]
        evidence.sort(key=lambda e: (e.seq, e.detector, e.subject.token, e.number))
        fired = []
        for one in evidence:
            told = self._told(one)
            if told is not None:
                fired.append(told)
        edges = edges_as_one(part.edges for part in parts)
        drawn = [one for part in parts for one in part.drawn]
        drawn += [one for judge in self.pairing.judges.values() for one in judge.given()]
        shadows = [one for judge in self.pairing.judges.values() for one in judge.shadows_since()]
        shadows += [one for part in parts for one in part.shadows]
        return Scored(
            tick,
            tuple(fired),
            ties=tuple(ties),
            drawn=tuple(drawn),
            edges=edges,
            shadows=tuple(shadows),
        )

    def _told(self, one: Evidence) -> Evidence | None:
        """Keep what is said; an alert goes on with what the other stream says of the subject."""
        self.now = max(self.now, one.ts)
        others = self._others(one)
        if one.detector not in self.pairing.judges:  # what rests on both streams corroborates neither
            self._keep(one)
        if one.fire is None:
            return None
        if not others:
            return one
        related = tuple(Subject(kind, token) for _, _, _, kind, token in others.values())
        agree = [name for name in sorted(others) if not apart(self._claim(name), one.fire.claim)]
        fire = with_corroboration(one.fire, tuple(self._spoken(name) for name in agree), related)
        return msgspec.structs.replace(one, fire=fire)

    def _others(self, one: Evidence) -> Said:
        """What the other stream's detectors said of the number's owner within the week."""
        return {
            detector: at
            for detector, at in self.known.get(one.number, {}).items()
            if detector != one.detector
            and at[3] != one.subject.kind
            and one.ts - at[0] <= _WEEK_US
            and at[1] >= at[2]
        }

    def _claim(self, detector: str) -> str:
        return self.says.get(detector, ("", ""))[1]

    def _spoken(self, detector: str) -> str:
        """A detector with its stream, as alerts name what corroborates them."""
        stream = self.says.get(detector, ("", ""))[0]
        return f"{stream}:{detector}" if stream else detector

    def _keep(self, one: Evidence) -> None:
        said = self.known.setdefault(one.number, {})
        before = said.get(one.detector)
        if before is None or one.ts - before[0] > _WEEK_US or one.score >= before[1]:
            said[one.detector] = (one.ts, one.score, one.threshold, one.subject.kind, one.subject.token)
        self.touched.add(one.number)

    # --------------------------------------------------------------------------------------------------- state as data

    def dump(self) -> dict[str, Any]:
        """All that is kept, as plain data; what is older than a week is left behind."""
        self.known = {
            number: said
            for number, said in self.known.items()
            if any(self.now - s[0] <= _WEEK_US for s in said.values())
        }
        self.touched.clear()
        return {
            "now": self.now,
            "had": self.waiting.had,
            "known": [[*n, s] for n, s in sorted(self.known.items())],
            "pairing": self.pairing.dump(),
        }

    def changes(self) -> dict[str, Any]:
        """What changed since the last `dump` or `changes`."""
        touched = [[*n, self.known[n]] for n in sorted(self.touched) if n in self.known]
        self.touched.clear()
        pairing = self.pairing.changes()
        return {"now": self.now, "had": self.waiting.had, "known": touched, "pairing": pairing}

    def let_go(self) -> None:
        """Nobody asks what changed: begin anew, as after `changes`."""
        self.touched.clear()
        self.pairing.let_go()

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state, or changes after it."""
        self.now, self.waiting.had = plain["now"], plain["had"]
        for hi, lo, said in plain["known"]:
            self.known[hi, lo] = {detector: tuple(at) for detector, at in said.items()}
        self.pairing.load(plain["pairing"])

    def digest(self) -> str:
        """A digest of what is known in this shard."""

        living = {
            n: s for n, s in self.known.items() if any(self.now - at[0] <= _WEEK_US for at in s.values())
        }
        text = repr([[(n, sorted(s.items())) for n, s in sorted(living.items())], self.pairing.told()])
        return blake2b(text.encode(), digest_size=16).hexdigest()
