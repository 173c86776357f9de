"""The dataflow: ticks from the sequencer, two passes over shards, the subject hop, the national hop, the sinks."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink

from alerts.priority import STANDING, Rules
from detectors.base import Detector
from detectors.discovery import all_detectors
from features.declared import CATALOGUE
from features.plan import Plan, make_plan
from features.rows import Entity
from features.state import EntityState
from flows.bases import Beside
from flows.children import AGES
from flows.drawing import Draw
from flows.edges import networking
from flows.first_pass import FirstPass, Half, Halves, halves_as_one, shares_as_one
from flows.keeping import Keeper, name_in, on_disk, patiently
from flows.national_hop import NationalHop, TickDone
from flows.pairing import NOTE_BYTES
from flows.second_pass import Scored, SecondPass
from flows.shard_names import plain_name, seats, shard_names, shard_of
from flows.source import Cut
from flows.split import SUBJECT_SHARDS, Expect, Ids, Rule, Share, Split
from flows.standing import Standing
from flows.subject_hop import SubjectHop
from flows.things_beside import USERS
from flows.ties import TIE_BYTES
from models.shadows import Shadow
from monitoring import metrics

NATIONAL: Final = "national"


def plan_of(detectors: Iterable[type[Detector]]) -> Plan:
    """The two passes for the declared features and what these detectors need."""
    chosen = tuple(detectors)
    subjects = {detector.subject for detector in chosen}
    beside = [asked for told in (USERS, AGES) for asked in told.items() if asked[0] in subjects]
    return make_plan(CATALOGUE, [*(column for d in chosen for column in d.joined()), *beside])


class Hop(StatefulBatchLogic[Any, Any, bytes]):
    """What the hops share: keeping, measuring, saying at the end what is known.

    The engine does not tell a step which key it works for, so every packet comes with its shard's name.
    """

    step = ""

    def __init__(self, made: "Made", manifest: bytes | None) -> None:
        self.made = made
        self.name = ""
        self.measured: dict[str, Sizes] = {}
        self.since = 0  # rows taken since what came was last written
        if manifest:
            self._open(name_in(manifest), manifest)

    def _open(self, name: str, manifest: bytes) -> None:
        self.name = name
        self.keeper = self.made.keeper(name)
        self.made.kept.setdefault(self.step, []).append(self)
        self.begin(name)
        base, entries = self.keeper.resume(manifest)
        self.go_on(base, entries)
        self.measured = {e: Sizes(late=s.late) for e, s in self.sizes().items()}  # counted before the restart
        self.measure()  # known at once, also when nothing comes

    def begin(self, name: str) -> None:
        """Start with nothing."""
        raise NotImplementedError

    def go_on(self, base: Any | None, entries: list[Any]) -> None:
        """Take up what was kept."""
        raise NotImplementedError

    def take(self, value: Any) -> list[Any]:
        """Work through one packet."""
        raise NotImplementedError

    def note(self) -> None:
        """Have the keeper note what came since this was last done."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Nobody keeps what came: hold nothing of it."""

    def dump(self) -> Any:
        """The whole state as plain data."""
        raise NotImplementedError

    def end(self) -> dict[str, Any]:
        """What to say of the state at the end of the input."""
        raise NotImplementedError

    def on_batch(self, values: list[tuple[str, Any]]) -> tuple[list[Any], bool]:
        """Work through packets, and measure it."""
        if not self.name:
            self._open(values[0][0], b"")
        started = time.perf_counter()
        out = [made for _, value in values for made in self.take(value)]
        metrics.STEP_SECONDS.labels(step=self.step).observe(time.perf_counter() - started)
        metrics.FRAMES.labels(step=self.step).inc(len(values))
        if self.keeper.folder is not None:
            self.since += max(1, self.rows(value for _, value in values))
            self._keep_up()
        return out, False

    def rows(self, values: Iterable[Any]) -> int:
        """How many rows of these are kept; nothing where it is changes that are."""
        return 0

    def _keep_up(self) -> None:
        """Do what would make the epoch's close long before it closes: write what came, begin a base that is due."""
        if self.since >= _AT_ONCE:
            self.write()
        if self.keeper.is_due:
            self.made.begin_base()

    def write(self) -> None:
        """Write what came since this was last done; it counts from the next manifest on."""
        if self.since:
            self.since = 0
            self.note()
            self.keeper.write()

    def begin_base(self) -> None:
        """Begin a base of what is known now."""
        self.write()
        self.keeper.begin(self.dump)

    def snapshot(self) -> bytes:
        """Have what changed on the disk; give where it is."""
        self.measure()
        if self.keeper.folder is None:
            self.let_go()
            return b""
        started = time.perf_counter()
        self.made.on_disk(self.step)
        manifest = self.keeper.save()
        metrics.SNAPSHOT_SECONDS.observe(time.perf_counter() - started)
        return manifest

    def on_eof(self) -> tuple[list[Any], bool]:
        """Leave a word on what is known, for whoever asks."""
        if self.made.ends is not None and self.name:
            patiently("output", lambda: self._leave(self.made.ends, json.dumps(self.end(), sort_keys=True)))
        return [], False

    def _leave(self, folder: Path | None, word: str) -> int:
        assert folder is not None
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / f"{plain_name(self.name)}.json").write_text(word)

    def sizes(self) -> dict[str, "Sizes"]:
        """How much is remembered, by kind of entity."""
        return {}

    def measure(self) -> None:
        """Publish how much is remembered: what changed since this was last done, for the numbers are sums."""
        for entity, now in self.sizes().items():
            before = self.measured.get(entity, _NOTHING)
            metrics.STATE_ENTITIES.labels(entity=entity).inc(now.entities - before.entities)
            metrics.STATE_BYTES.labels(entity=entity).inc(now.size_bytes - before.size_bytes)
            metrics.LATE.labels(step=self.step, entity=entity).inc(max(0, now.late - before.late))
            self.measured[entity] = now
        for each in self.standing():
            self._say_version(each.detector.id, each.card.name)
            metrics.SCORED.labels(detector=each.detector.id).inc(each.scored)
            each.scored = 0
            for version, (rows, seconds) in each.shaded.items():
                metrics.SHADOW_ROWS.labels(detector=each.detector.id, version=version).inc(rows)
                metrics.SHADOW_SECONDS.labels(detector=each.detector.id, version=version).inc(seconds)
            each.shaded = {}

    def standing(self) -> Iterable[Standing]:
        """The detectors that score here."""
        return ()

    def draw(self) -> None:
        """Have those that score here keep a random share of what does not alert, where a learner follows."""
        for each in self.standing():
            each.draw = self.made.draw

    def _say_version(self, detector: str, version: str) -> None:
        before = self.made.versions.get(detector)
        if before != version:
            if before is not None:
                metrics.MODEL.labels(detector=detector, version=before).set(0)
            metrics.MODEL.labels(detector=detector, version=version).set(1)
            self.made.versions[detector] = version


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much one shard remembers of one kind of entity, and how many rows came too late for it."""

    entities: int = 0
    size_bytes: int = 0
    late: int = 0


_NOTHING: Final = Sizes()


def _sizes_of(states: dict[Entity, EntityState], *, counts: bool) -> dict[str, Sizes]:
    """Both passes know a subject: it is counted in the first, its memory and what is late for it in both."""
    return {
        e.name.lower(): Sizes(state.count if counts else 0, state.size_bytes, state.late)
        for e, state in states.items()
    }


def _sizes(states: dict[Entity, EntityState]) -> dict[str, Any]:
    return {
        "late": sum(state.late for state in states.values()),
        "entities": {e.name.lower(): state.count for e, state in states.items()},
        "bytes": {e.name.lower(): state.size_bytes for e, state in states.items()},
    }


class _First(Hop):
    step = "first_pass"

    def begin(self, name: str) -> None:
        self.work = FirstPass(self.made.plan, shard_of(name), self.made.shards)
        self.shares: list[Share] = []

    def note(self) -> None:
        one = shares_as_one(self.shares)
        self.keeper.add({"tick": one.tick, "rows": {e.name: rows for e, rows in one.rows.items()}})
        self.shares = []

    def rows(self, values: Iterable[Share]) -> int:
        return sum(len(rows) for share in values for rows in share.rows.values())

    def go_on(self, base: Any | None, entries: list[Any]) -> None:
        if base is not None:
            self.work.load(base)
        for together in _by_size(entries, lambda entry: sum(len(rows) for rows in entry["rows"].values())):
            self.work.take(shares_as_one([_share_in(entry) for entry in together]))

    def take(self, value: Share) -> list[tuple[int, Halves]]:
        if self.keeper.folder is not None:
            self.shares.append(value)
        metrics.ROWS.labels(step=self.step).inc(sum(len(rows) for rows in value.rows.values()))
        return list(self.work.take(value).items())

    def sizes(self) -> dict[str, Sizes]:
        return _sizes_of(self.work.states, counts=True)

    def dump(self) -> Any:
        return self.work.dump()

    def end(self) -> dict[str, Any]:
        digest = {"digest": self.work.digest()} if self.made.digests else {}
        return digest | _sizes(self.work.states)


def _share_in(entry: dict[str, Any]) -> Share:
    return Share(entry["tick"], {Entity[name]: rows for name, rows in entry["rows"].items()})


class _Second(Hop):
    step = "second_pass"

    def begin(self, name: str) -> None:
        self.work = SecondPass(self.made.plan, self.made.detectors, shard_of(name), self.made.data_class)
        self.draw()

    def go_on(self, base: Any | None, entries: list[Any]) -> None:
        if base is not None:
            self.work.load(base)
        for together in _by_size(entries, lambda entry: int(entry["count"])):
            rules = [Rule(*rule) for entry in together for rule in entry["rules"]]
            self.work.absorb(halves_as_one([_halves_in(entry) for entry in together]), rules)
        if self.keeper.folder is not None:
            self.work.log = []

    def note(self) -> None:
        ticks = self.work.log
        if ticks:
            parts = [_of_tick(expected, found) for expected, found in ticks]
            rules = [[r.seq, r.recorded_ts, r.kind, r.detector, r.body] for e, _ in ticks for r in e.rules]
            self.keeper.add(_halves_out(halves_as_one(parts)) | {"rules": rules})
            self.work.log = []

    def rows(self, values: Iterable[Expect | Halves]) -> int:
        return sum(value.count for value in values if isinstance(value, Halves))

    def take(self, value: Expect | Halves) -> list[tuple[int, Scored]]:
        if isinstance(value, Expect):
            done = self.work.expect(value)
        else:
            metrics.ROWS.labels(step=self.step).inc(value.count)
            done = self.work.take(value)
        return [item for by_shard in done for item in by_shard.items()]

    def sizes(self) -> dict[str, Sizes]:
        return _sizes_of(self.work.states, counts=False)

    def standing(self) -> Iterable[Standing]:
        return [scorer for scorers in self.work.scorers.values() for scorer in scorers]

    def dump(self) -> Any:
        return self.work.dump()

    def end(self) -> dict[str, Any]:
        digest = {"digest": self.work.digest()} if self.made.digests else {}
        return digest | _sizes(self.work.states)


_AT_ONCE: Final = 2_048
"""Rows written to a log at a time: enough to compress well, and few enough that nobody waits for it."""
_TOGETHER: Final = 50_000
"""Rows taken at a time after a restart: enough that the cost of a call is nothing beside that of the rows."""


def _by_size(entries: list[Any], size: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Entries in their order, in runs of so many rows."""
    run: list[Any] = []
    held = 0
    for entry in entries:
        run.append(entry)
        held += size(entry)
        if held >= _TOGETHER:
            yield run
            run, held = [], 0
    if run:
        yield run


def _of_tick(expected: Expect, parts: list[Halves]) -> Halves:
    """What a shard got of one tick, as one; a tick without rows still has its number."""
    return halves_as_one([*parts, Halves(expected.tick, 0, {}, [])])


def _halves_out(h: Halves) -> dict[str, Any]:
    return {
        "tick": h.tick,
        "count": h.count,
        "own": {e.name: [rows, values] for e, (rows, values) in h.own.items()},
        "halves": [
            [x.subject.name, x.block.name if x.block is not None else None, x.keys, x.values]
            for x in h.halves
        ],
    }


def _halves_in(plain: dict[str, Any]) -> Halves:
    return Halves(
        plain["tick"],
        plain["count"],
        {Entity[name]: (rows, values) for name, (rows, values) in plain["own"].items()},
        [
            Half(Entity[subject], None if block is None else Entity[block], keys, values)
            for subject, block, keys, values in plain["halves"]
        ],
    )


class _Subject(Hop):
    step = "subject_hop"

    def begin(self, name: str) -> None:
        self.work = SubjectHop(self.made.detectors, self.made.data_class)
        self.draw()

    def go_on(self, base: Any | None, entries: list[Any]) -> None:
        for state in ([] if base is None else [base]) + entries:
            self.work.load(state)

    def take(self, value: Expect | Scored) -> list[Scored]:
        return self.work.expect(value) if isinstance(value, Expect) else self.work.take(value)

    def sizes(self) -> dict[str, Sizes]:
        pairing = self.work.pairing
        return {"half": Sizes(len(pairing), len(pairing) * NOTE_BYTES, pairing.crowded_out)}

    def standing(self) -> Iterable[Standing]:
        return self.work.pairing.judges.values()

    def note(self) -> None:
        self.keeper.add(self.work.changes())

    def let_go(self) -> None:
        self.work.let_go()

    def dump(self) -> Any:
        return self.work.dump()

    def end(self) -> dict[str, Any]:
        return {"digest": self.work.digest()} if self.made.digests else {}


class _National(Hop):
    step = "national_hop"

    def begin(self, name: str) -> None:
        self.work = NationalHop(self.made.priorities, self.made.detectors, self.made.data_class)
        self.work.draw = self.made.draw
        self.draw()

    def go_on(self, base: Any | None, entries: list[Any]) -> None:
        states = ([] if base is None else [base]) + entries
        if states:
            self.work.load(states)
        if self.keeper.folder is not None:
            self.work.networks.log = []

    def sizes(self) -> dict[str, Sizes]:
        found: dict[str, Sizes] = {}
        for scorer in self.work.networks.scorers.values():
            for family, state in scorer.states.items():
                known, size, cut = state.sizes()
                before = found.get(family, _NOTHING)
                found[family] = Sizes(before.entities + known, before.size_bytes + size, before.late + cut)
        ties = self.work.ties
        return found | {"tie": Sizes(len(ties), len(ties) * TIE_BYTES)}

    def standing(self) -> Iterable[Standing]:
        return [*self.work.networks.scorers.values(), *self.work.ties.judges.values()]

    def take(self, value: Ids | Scored) -> list[TickDone]:
        return self.work.expect(value) if isinstance(value, Ids) else self.work.take(value)

    def note(self) -> None:
        self.keeper.add(self.work.changes())

    def let_go(self) -> None:
        self.work.let_go()

    def dump(self) -> Any:
        return self.work.dump()

    def end(self) -> dict[str, Any]:
        return {"digest": self.work.digest()} if self.made.digests else {}


@dataclass(frozen=True, eq=False)
class Made:
    """What every hop of one flow is made with."""

    plan: Plan
    detectors: tuple[type[Detector], ...]
    shards: int
    state: Path | None
    ends: Path | None
    digests: bool
    fsync: bool
    data_class: str
    priorities: Rules
    draw: Draw | None = None
    versions: dict[str, str] = field(default_factory=dict)
    """Which version of each detector's model was last said to score."""
    kept: dict[str, list[Hop]] = field(default_factory=dict)
    """What this process keeps, by step."""
    beside: Beside = field(default_factory=Beside)

    def keeper(self, name: str) -> Keeper:
        """Keeps one shard; the shards' first bases are staggered over two epochs' worth of log."""
        stagger = 2.0 * shard_of(name) / self.shards if "-" in name else 0.0
        return Keeper(self.state, name, self.beside, stagger=stagger, fsync=self.fsync, layout=self.layout)

    def begin_base(self) -> None:
        """Begin the base that is needed most, once none is being written."""
        if self.beside.is_free:
            due = [hop for hops in self.kept.values() for hop in hops if hop.keeper.is_due]
            max(due, key=lambda hop: hop.keeper.need).begin_base()

    def on_disk(self, step: str) -> None:
        """Have all that a step's shards took on the disk at once; what comes later each of them sees to by itself."""
        for hop in self.kept[step]:
            hop.write()
        on_disk([log for hop in self.kept[step] for log in hop.keeper.unsafe], self.beside)

    @cached_property
    def layout(self) -> str:
        """A digest of what the hops keep: features, and the signals whose usual values are kept beside them."""
        told = repr([(d.id, d.joined(), [s.feature for s in d.signals]) for d in self.detectors])
        told += repr([(d.id, d.network, [f.told for f in d.network]) for d in networking(self.detectors)])
        return blake2b((self.plan.layout() + told).encode(), digest_size=16).hexdigest()


def build(
    source: FixedPartitionedSource[Cut, bytes],
    alerts: FixedPartitionedSink[TickDone, bytes],
    letters: FixedPartitionedSink[Cut, bytes],
    *,
    shards: int,
    state: Path | None = None,
    ends: Path | None = None,
    digests: bool = False,
    fsync: bool = True,
    data_class: str = "synthetic",
    priorities: Rules = STANDING,
    detectors: tuple[type[Detector], ...] | None = None,
    draw: Draw | None = None,
    learner: FixedPartitionedSink[TickDone, bytes] | None = None,
    shadows: FixedPartitionedSink[tuple[Shadow, ...], bytes] | None = None,
    workers: int = 1,
) -> Dataflow:
    """The whole flow. `state` is where shards keep their state; `ends` where they leave a word when the input is done.

    `workers` is for how many the shards get their names: each finds its state again under the same.
    """
    detectors = all_detectors() if detectors is None else detectors
    made = Made(
        plan_of(detectors), detectors, shards, state, ends, digests, fsync, data_class, priorities, draw
    )
    at = seats(shards, workers) if workers > 1 else ()
    first, second = (shard_names(what, shards, at, workers) for what in ("one", "two"))
    subject = shard_names("subject", SUBJECT_SHARDS)

    flow = Dataflow("linewatch")
    cuts = op.input("sequencer", flow, source)
    shares = op.flat_map("share", cuts, lambda cut: _addressed(first, _split(cut).shares))
    halves = op.stateful_batch("first_pass", shares, lambda manifest: _First(made, manifest))
    to_second = op.merge(
        "to_second",
        op.flat_map("expect_second", cuts, lambda cut: _addressed(second, _split(cut).second)),
        op.map("to_shard", halves, lambda item: _to(second, item[1])),
    )
    scored = op.stateful_batch("second_pass", to_second, lambda manifest: _Second(made, manifest))
    to_subject = op.merge(
        "to_subject",
        op.flat_map("expect_subject", cuts, lambda cut: _addressed(subject, _split(cut).subject)),
        op.map("to_subject_shard", scored, lambda item: _to(subject, item[1])),
    )
    told = op.stateful_batch("subject_hop", to_subject, lambda manifest: _Subject(made, manifest))
    to_national = op.merge(
        "to_national",
        op.map("names", cuts, lambda cut: (NATIONAL, (NATIONAL, _split(cut).ids))),
        op.map("to_national_key", told, lambda item: (NATIONAL, (NATIONAL, item[1]))),
    )
    done = op.stateful_batch("national_hop", to_national, lambda manifest: _National(made, manifest))
    op.output("alerts", done, alerts)
    if learner is not None:
        op.output("learner", done, learner)
    if shadows is not None:
        op.output("shadow", op.flat_map("shadows", done, _said_in_shadow), shadows)
    op.output("letters", op.map("letter_key", cuts, lambda cut: (NATIONAL, _without_split(cut))), letters)
    return flow


def _addressed(names: tuple[str, ...], packets: dict[int, Any]) -> list[tuple[str, tuple[str, Any]]]:
    return [(names[shard], (names[shard], packet)) for shard, packet in packets.items()]


def _to(names: tuple[str, ...], item: tuple[int, Any]) -> tuple[str, tuple[str, Any]]:
    return names[item[0]], (names[item[0]], item[1])


def _said_in_shadow(item: tuple[str, TickDone]) -> list[tuple[str, tuple[Shadow, ...]]]:
    return [(item[0], item[1].shadows)] if item[1].shadows else []


def _without_split(cut: Cut) -> Cut:
    return Cut(cut.tick, None, cut.rejected, cut.counts, cut.events)


def _split(cut: Cut) -> Split:
    assert cut.split is not None, "only the letters go without"
    return cut.split
