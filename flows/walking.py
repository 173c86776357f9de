"""History walked through in one process: the passes and hops of the flow, without the engine and without a store.

The same code in the same order as `replay`, so what a detector says of history here is what it would have said then.
With a threshold low enough every row that passes a gate comes out as a firing, with its values as the flow scored
them: rows of accounts and numbers, things, networks and pairs across streams alike. Backtests choose among firings by
score afterwards; retraining learns from them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from alerts.episodes import Episodes
from alerts.record import Alert, Fire, Subject
from detectors.base import Detector
from events.ledger import Tick
from flows.dataflow import plan_of
from flows.first_pass import FirstPass
from flows.national_hop import NationalHop
from flows.second_pass import Scored, SecondPass
from flows.shelf import Shelf
from flows.split import SUBJECT_SHARDS, Share, Split, Splitter
from flows.standing import Standing
from flows.subject_hop import SubjectHop
from models.scorecard import Scorecard

EVERYTHING: Final = 1e-300
"""A threshold that whatever passes the gate reaches."""

Hear = Callable[[Fire], None]


class Walk:
    """Some detectors walking through history, tick by tick; whoever listens hears every firing in the one order."""

    def __init__(
        self,
        detectors: Iterable[type[Detector]],
        hear: Hear,
        *,
        raising: bool = False,
        shelf: Shelf | None = None,
    ) -> None:
        """`raising` lets firings become alerts too, so that decisions about them count as they did.

        Models that control rows only name are on the shelf.
        """
        chosen = tuple(detectors)
        plan = plan_of(chosen)
        self.events = 0
        self.last_ts = 0
        self._splitter = Splitter(1, plan.reach, shelf=shelf or Shelf())
        self._first = FirstPass(plan, 0, 1)
        self._second = SecondPass(plan, chosen, 0)
        self._subject = [SubjectHop(chosen) for _ in range(SUBJECT_SHARDS)]
        self._national = NationalHop(detectors=chosen)
        self._national.episodes = _Heard(hear) if raising else _Ears(hear)  # type: ignore[assignment]

    def set(self, detector: str, card: Scorecard | None, threshold: float) -> None:
        """Let a detector score with another scorecard, or from another threshold."""
        for each in self._standing():
            if each.detector.id == detector:
                each.card = each.card if card is None else card
                each.threshold = threshold

    def take(self, tick: Tick) -> dict[int, Share]:
        """Walk through one tick; gives the rows of its entities as the first pass had them."""
        split = self._splitter.split(tick, 0.0)
        for scored in self._scored(split):
            for shard, packet in scored.items():
                for told in self._subject[shard].take(packet):
                    self._national.take(told)
        self._national.expect(split.ids)
        self.events += tick.height
        if len(split.ids.clock):
            self.last_ts = int(split.ids.clock[-1])
        return split.shares

    def _scored(self, split: Split) -> Iterator[dict[int, Scored]]:
        for shard, expected in split.subject.items():
            self._subject[shard].expect(expected)
        for expected in split.second.values():
            yield from self._second.expect(expected)
        for share in split.shares.values():
            for halves in self._first.take(share).values():
                yield from self._second.take(halves)

    def _standing(self) -> Iterator[Standing]:
        for scorers in self._second.scorers.values():
            yield from scorers
        for hop in self._subject:
            yield from hop.pairing.judges.values()
        yield from self._national.networks.scorers.values()
        yield from self._national.ties.judges.values()


class _Heard(Episodes):
    """Episodes as the flow keeps them, and every firing is heard."""

    def __init__(self, hear: Hear) -> None:
        super().__init__()
        self._hear = hear

    def fire(self, fire: Fire) -> Alert | None:
        """Pass a firing on, and take it."""
        fire = fire.whole()
        self._hear(fire)
        return super().fire(fire)


class _Ears:
    """Stands where episodes stand in the national hop: every firing is heard, nothing becomes an alert."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    def fire(self, fire: Fire) -> Alert | None:
        """Pass a firing on."""
        self._hear(fire.whole())
        return None

    def advance(self, clock_ts: int) -> tuple[Alert, ...]:
        """Nothing ends here."""
        del clock_ts
        return ()

    def decide(self, decided: str, outcome: str, ts: int) -> Alert | None:
        """What was decided then closes nothing now."""
        del decided, outcome, ts
        return None

    def snooze(self, detector: str, subject: Subject, until: int) -> None:
        """Nor does it hold anything back."""
