"""What each detector costs: the path behind the door over the same ticks, with and without it, in short runs in turns.

All that a detector has done is in it: the rows and features that only it reads, its gate, what is usual of its signals,
its scores, firings, notes, pairs and edges. The door and the alert store are not: the first is the same for all, the
second costs by the alert. A run is short and each without stands between two with all, a moment apart, so that what
the machine's neighbours do falls on both.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from bench import watched
from bench.watched import Options
from detectors.base import Detector
from detectors.discovery import all_detectors
from events.ledger import Tick
from flows import memory
from flows.dataflow import plan_of
from flows.first_pass import FirstPass
from flows.national_hop import NationalHop, TickDone
from flows.second_pass import Scored, SecondPass
from flows.settings import shards_for
from flows.split import SUBJECT_SHARDS, Split, Splitter
from flows.subject_hop import SubjectHop

EVENTS: Final = 65_536
"""Of all streams together: two ticks of the flow's own size."""
ROUNDS: Final = 15
_MISSED: Final = 0.05
"""How often an interval may miss the true median: it is between two of the differences, whatever their spread is like."""
_BETWEEN: Final = 2  # so many without one detector between two runs with all

Detectors = tuple[type[Detector], ...]


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """The cost of each detector in microseconds of the processor an event, with its interval."""
    detectors = watched.chosen(order.get("detectors"), all_detectors())
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as folder:
        ticks = _ticks(order["inputs"], folder, order.get("events", EVENTS))
    events = sum(tick.height for tick in ticks)
    memory.settle()
    for left in (None, *detectors):  # kernels are loaded, and every plan has been made once
        _spent(ticks[:1], _without(detectors, left))
    whole: list[float] = []
    costs: dict[str, list[float]] = {each.id: [] for each in detectors}
    for _ in range(order.get("rounds", ROUNDS)):
        before = _spent(ticks, detectors)
        for at in range(0, len(detectors), _BETWEEN):
            some = detectors[at : at + _BETWEEN]
            spent = [_spent(ticks, _without(detectors, each)) for each in some]
            after = _spent(ticks, detectors)
            for each, less in zip(some, spent, strict=True):
                costs[each.id].append(((before + after) / 2 - less) / events * 1e6)
            whole += [before / events * 1e6]
            before = after
    return {
        "events": events,
        "rounds": len(costs[detectors[0].id]),
        "microseconds_an_event": statistics.median(whole),
        "detectors": {name: interval(found) for name, found in costs.items()},
    }


def interval(found: Sequence[float]) -> dict[str, float]:
    """The median, and between which of the values the true one lies, in 19 of 20 cases (with fewer than six, all)."""
    ordered, missed, edge = sorted(found), 2.0 / 2 ** len(found), 0
    while True:
        missed += 2.0 * math.comb(len(found), edge + 1) / 2 ** len(found)
        if missed > _MISSED or 2 * (edge + 1) >= len(found) - 1:
            break
        edge += 1
    return {"median": statistics.median(ordered), "from": ordered[edge], "to": ordered[-1 - edge]}


def _without(detectors: Detectors, left: type[Detector] | None) -> Detectors:
    return tuple(each for each in detectors if each is not left)


def _ticks(inputs: dict[str, str], folder: str, events: int) -> list[Tick]:
    """The first ticks of the inputs, as the flow would get them."""
    options = Options(inputs=inputs, folder=folder)
    made = watched.sequencer_of(options, watched.settings_of(options))
    ticks: list[Tick] = []
    while not made.finished and sum(tick.height for tick in ticks) < events:
        tick = made.next_tick()
        ticks += [] if tick is None else [tick]
    made.close()
    return ticks


def _spent(ticks: Iterable[Tick], detectors: Detectors) -> float:
    """Seconds of the processor that the path behind the door takes for some ticks, with nothing known before."""
    path = _Path(detectors)
    began = time.process_time()
    for tick in ticks:
        path.take(tick)
    return time.process_time() - began


class _Path:
    """The passes and hops of one flow, one after the other: what Bytewax does between them is left out."""

    def __init__(self, detectors: Detectors) -> None:
        plan, shards = plan_of(detectors), shards_for(1)
        self.splitter = Splitter(shards, plan.reach)
        self.first = [FirstPass(plan, shard, shards) for shard in range(shards)]
        self.second = [SecondPass(plan, detectors, shard) for shard in range(shards)]
        self.subject = [SubjectHop(detectors) for _ in range(SUBJECT_SHARDS)]
        self.national = NationalHop(detectors=detectors)

    def take(self, tick: Tick) -> list[TickDone]:
        """Take a tick through to its alerts."""
        split = self.splitter.split(tick, 0.0)
        scored = [one for shard in split.second for one in self.second[shard].expect(split.second[shard])]
        for shard, share in split.shares.items():
            for to, halves in self.first[shard].take(share).items():
                scored += self.second[to].take(halves)
        return self._merged(split, scored)

    def _merged(self, split: Split, scored: Iterable[dict[int, Scored]]) -> list[TickDone]:
        for shard, expected in split.subject.items():
            self.subject[shard].expect(expected)
        done = self.national.expect(split.ids)
        for by_shard in scored:
            for shard, packet in by_shard.items():
                for told in self.subject[shard].take(packet):
                    done += self.national.take(told)
        return done
