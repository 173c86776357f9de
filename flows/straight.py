"""The same hops without the engine: ticks one after another through one process, to look again at what was scored."""

from collections.abc import Iterable

from alerts.episodes import Episodes
from alerts.record import Alert, Fire
from detectors.base import Detector
from events.ledger import Tick
from flows.dataflow import plan_of
from flows.first_pass import FirstPass
from flows.national_hop import NationalHop, TickDone
from flows.second_pass import Scored, SecondPass
from flows.split import SUBJECT_SHARDS, Splitter
from flows.subject_hop import SubjectHop


class _Seen(Episodes):
    """Episodes that also keep each firing as it comes, until somebody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.fires: list[Fire] = []

    def fire(self, fire: Fire) -> Alert | None:
        """Take one firing, and keep it."""
        self.fires.append(fire)
        return super().fire(fire)


class Straight:
    """Every hop of one flow, one shard of each pass."""

    def __init__(self, detectors: Iterable[type[Detector]]) -> None:
        detectors = tuple(detectors)
        plan = plan_of(detectors)
        self.splitter = Splitter(1, plan.reach)
        self.first = FirstPass(plan, 0, 1)
        self.second = SecondPass(plan, detectors, 0)
        self.subject = [SubjectHop(detectors) for _ in range(SUBJECT_SHARDS)]
        self.national = NationalHop(detectors=detectors)
        self._seen = self.national.episodes = _Seen()

    def take(self, tick: Tick) -> list[TickDone]:
        """Work through one tick, to its alerts."""
        split = self.splitter.split(tick, 0.0)
        told: list[Scored] = []
        for shard, expected in split.subject.items():
            told += self.subject[shard].expect(expected)
        scored = [one for expected in split.second.values() for one in self.second.expect(expected)]
        for share in split.shares.values():
            for halves in self.first.take(share).values():
                scored += self.second.take(halves)
        for by_shard in scored:
            for shard, part in by_shard.items():
                told += self.subject[shard].take(part)
        done = self.national.expect(split.ids)
        for part in told:
            done += self.national.take(part)
        return done

    def fires(self) -> list[Fire]:
        """What has fired since this was last asked, in the one order."""
        fires, self._seen.fires = self._seen.fires, []
        return fires
