"""Declared features in plain Python, one event at a time: what the naive twin keeps for each account.

Written as one would write it without kernels: small dictionaries for each entity, made when first needed; windows as
counts by bucket, shared by features that need the same; selections tested once an event. The definitions are those of
`features.declare`; input is taken to be in order of event time (the bench's is), so nothing is late.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from features.declare import Catalogue, Feature, Selection, Value, duration
from features.rows import Entity

_DAY: Final = 86_400_000_000
_HOUR: Final = 3_600_000_000
_ENOUGH_PAST: Final = 5.0
_SD_FLOOR: Final = 0.05
_PLACES: Final = 4
_HOUR_BINS: Final = 8
NAN: Final = math.nan

Memory = dict[Any, Any]
"""What is kept of one entity, by what it is kept for."""


class Row(msgspec.Struct):
    """One event as one party sees it."""

    ts: int
    kind: int
    role: int
    status: int
    flags: int
    value: float
    own: str
    other: str
    device: str
    place: str
    home: float
    born: float
    age: float
    inputs: dict[str, float] = {}

    @property
    def hour(self) -> int:
        """Hour of the day."""
        return self.ts // _HOUR % 24


def needed(catalogue: Catalogue, entity: Entity, wanted: Iterable[str]) -> frozenset[str]:
    """These features and all that they are made of."""
    found: set[str] = set()
    ahead = list(wanted)
    while ahead:
        name = ahead.pop()
        if name in found:
            continue
        found.add(name)
        feature = catalogue.features[entity, name]
        values = [feature.value]
        values += [s.when.value for s in (feature.selection, feature.other) if s is not None and s.when]
        ahead += [value.of for value in values if value.source == "other"]
        ahead += [each.removeprefix("other.") for each in (feature.against, feature.over) if each]
    return frozenset(found)


Test = Callable[[Row, Memory], bool]
Take = Callable[[Row, Memory], float]
Step = Callable[[Row, Memory, set[Any], int], None]
Tell = Callable[[Row, Memory, set[Any], int, dict[str, float]], float]


@dataclass(slots=True)
class PlainFeatures:
    """The features of one entity in one pass: those that are named, of a kind there is a method for here."""

    catalogue: Catalogue
    entity: Entity
    second_pass: bool
    names: frozenset[str]
    tests: dict[str, Test] = field(default_factory=dict)
    keep: dict[Any, Step] = field(default_factory=dict)
    lasts: dict[Any, Step] = field(default_factory=dict)
    pairs: dict[Any, Step] = field(default_factory=dict)
    rings: dict[Any, int] = field(default_factory=dict)
    before: list[tuple[str, Tell]] = field(default_factory=list)
    after: list[tuple[str, Tell]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    named: dict[str, Selection] = field(init=False)

    def __post_init__(self) -> None:
        everything = self.catalogue.of(self.entity)
        self.named = {s.name: s for f in everything for s in (f.selection, f.other) if s is not None}
        for feature in self.catalogue.of(self.entity, second_pass=self.second_pass):
            if feature.name not in self.names:
                continue
            self.order.append(feature.name)
            tell = getattr(self, f"_{feature.kind}")(feature)
            told = self.before if feature.kind in _BEFORE else self.after
            told.append((feature.name, tell))

    def take(self, row: Row, memory: Memory) -> dict[str, float]:
        """Take one event in; gives every feature as it then is."""
        clock = max(memory.get("clock", 0), row.ts)
        chosen = {name for name, test in self.tests.items() if test(row, memory)}
        told = {name: tell(row, memory, chosen, clock, _NOTHING) for name, tell in self.before}
        for steps in (self.keep, self.lasts, self.pairs):
            for step in steps.values():
                step(row, memory, chosen, clock)
        memory["clock"] = clock
        for name, tell in self.after:
            told[name] = tell(row, memory, chosen, clock, told)
        return told

    # which events, and what they contribute

    def _selection(self, chosen: Selection) -> str:
        if chosen.name not in self.tests:
            kinds, roles = frozenset(map(int, chosen.kinds)), frozenset(map(int, chosen.roles))
            statuses, hours = frozenset(chosen.statuses), frozenset(chosen.hours)
            having, lacking = sum(chosen.having), sum(chosen.lacking)
            when = chosen.when
            value = None if when is None else self._value(when.value)
            low = None if when is None else when.at_least
            high = None if when is None else when.at_most

            def test(row: Row, memory: Memory) -> bool:
                if (
                    row.kind not in kinds
                    or row.role not in roles
                    or (statuses and row.status not in statuses)
                ):
                    return False
                if row.flags & having != having or row.flags & lacking or (hours and row.hour not in hours):
                    return False
                if value is None:
                    return True
                found = value(row, memory)
                if math.isnan(found):
                    return False
                return found >= low if low is not None else high is not None and found <= high

            self.tests[chosen.name] = test
        return chosen.name

    def _value(self, value: Value) -> Take:
        if value.source == "one":
            return lambda row, memory: 1.0
        if value.source == "other":
            name = f"other.{value.of}"
            return lambda row, memory: row.inputs.get(name, NAN)
        if value.source == "since":
            key = self._last(self.named[value.of])

            def since(row: Row, memory: Memory) -> float:
                last = memory.get(key)
                return NAN if last is None or row.ts < last else (row.ts - last) / 1e6

            return since
        attribute = value.source
        return lambda row, memory: float(getattr(row, attribute))

    def _last(self, selection: Selection) -> tuple[str, str]:
        name = self._selection(selection)
        key = ("last", name)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            if name in chosen:
                memory[key] = max(memory.get(key, 0), row.ts)

        self.lasts[key] = step
        return key

    def _pairs(self, selection: Selection, of: str) -> tuple[str, str, str]:
        """When each other was first and last seen."""
        name = self._selection(selection)
        key = ("pairs", name, of)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            other = getattr(row, of)
            if name in chosen and other:
                pairs = memory.setdefault(key, {})
                first, last = pairs.get(other, (row.ts, row.ts))
                pairs[other] = (first, max(last, row.ts))

        self.pairs[key] = step
        return key

    # windows

    def _ring(self, key: Any, feature: Feature, step: Step) -> Any:
        self.rings[key] = max(self.rings.get(key, 0), feature.buckets)
        self.keep.setdefault(key, step)
        return key

    def _summed(self, feature: Feature, *, counts: bool = False) -> Any:
        assert feature.selection is not None
        name, every, value = (
            self._selection(feature.selection),
            duration(feature.every),
            self._value(feature.value),
        )
        key = ("sum", name, feature.value, every, counts)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            if name not in chosen:
                return
            found = value(row, memory)
            if not math.isnan(found):
                self._add(
                    memory.setdefault(key, {}), row.ts // every, 1.0 if counts else found, self.rings[key]
                )

        return self._ring(key, feature, step)

    def _extreme(self, feature: Feature, best: Callable[[float, float], float]) -> Any:
        assert feature.selection is not None
        name, every, value = (
            self._selection(feature.selection),
            duration(feature.every),
            self._value(feature.value),
        )
        key = (best.__name__, name, feature.value, every)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            if name not in chosen:
                return
            found, ring, bucket = value(row, memory), memory.setdefault(key, {}), row.ts // every
            self._add(ring, bucket, 0.0, self.rings[key], found)
            ring[bucket] = best(ring[bucket], found)

        return self._ring(key, feature, step)

    @staticmethod
    def _add(ring: dict[int, float], bucket: int, value: float, buckets: int, start: float = 0.0) -> None:
        if bucket not in ring:
            for old in [b for b in ring if b <= bucket - buckets]:
                del ring[old]
            ring[bucket] = start
        ring[bucket] += value

    def _read(self, key: Any, feature: Feature) -> Tell:
        every, buckets = duration(feature.every), feature.buckets

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            ring = memory.get(key)
            if not ring:
                return 0.0
            oldest = clock // every - buckets
            return float(sum(value for bucket, value in ring.items() if bucket > oldest))

        return tell

    def _count(self, feature: Feature) -> Tell:
        return self._read(self._summed(feature), feature)

    def _sum(self, feature: Feature) -> Tell:
        return self._read(self._summed(feature), feature)

    def _mean(self, feature: Feature) -> Tell:
        total = self._read(self._summed(feature), feature)
        count = self._read(self._summed(feature, counts=True), feature)

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            n = count(row, memory, chosen, clock, told)
            return total(row, memory, chosen, clock, told) / n if n else NAN

        return tell

    def _best(self, feature: Feature, best: Callable[..., float]) -> Tell:
        key, every, buckets = self._extreme(feature, best), duration(feature.every), feature.buckets

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            oldest = clock // every - buckets
            held = [value for bucket, value in memory.get(key, _NOTHING).items() if bucket > oldest]
            return best(held) if held else NAN

        return tell

    def _max(self, feature: Feature) -> Tell:
        return self._best(feature, max)

    def _min(self, feature: Feature) -> Tell:
        return self._best(feature, min)

    def _distinct(self, feature: Feature) -> Tell:
        assert feature.selection is not None
        name, every, of = self._selection(feature.selection), duration(feature.every), feature.field
        pairs = self._pairs(feature.selection, of)
        key = ("distinct", name, of, every)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            other = getattr(row, of)
            if name not in chosen or not other:
                return
            ring, bucket = memory.setdefault(key, {}), row.ts // every
            seen = memory.get(pairs, _NOTHING).get(other)
            self._add(ring, bucket, 1.0, self.rings[key])
            if seen is not None and seen[1] // every in ring:
                ring[seen[1] // every] -= 1.0

        return self._read(self._ring(key, feature, step), feature)

    # what was known before

    def _since(self, feature: Feature) -> Tell:
        assert feature.selection is not None
        key = self._last(feature.selection)

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            last = memory.get(key)
            return NAN if last is None else (clock - last) / 1e6

        return tell

    def _novelty(self, feature: Feature) -> Tell:
        assert feature.selection is not None
        name, of = self._selection(feature.selection), feature.field
        key = self._pairs(feature.selection, of)

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            other = getattr(row, of)
            if name not in chosen or not other:
                return NAN
            return 0.0 if other in memory.get(key, _NOTHING) else 1.0

        return tell

    def _pair_age(self, feature: Feature) -> Tell:
        assert feature.selection is not None
        name, of = self._selection(feature.selection), feature.field
        key = self._pairs(feature.selection, of)

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            other = getattr(row, of)
            if name not in chosen or not other:
                return NAN
            first: int = memory.get(key, _NOTHING).get(other, (row.ts, 0))[0]
            return (row.ts - first) / _DAY

        return tell

    def _deviation(self, feature: Feature) -> Tell:
        assert feature.selection is not None
        name, value, log, alpha = (
            self._selection(feature.selection), self._value(feature.value), feature.log, feature.alpha,
        )  # fmt: skip
        key = ("past", name, feature.value, log, alpha)

        def found_in(row: Row, memory: Memory) -> float:
            found = value(row, memory)
            return math.log1p(max(found, 0.0)) if log else found

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            if name not in chosen:
                return
            found = found_in(row, memory)
            if not math.isnan(found):
                n, mean, square = memory.get(key, (0.0, 0.0, 0.0))
                a = max(1.0 / (n + 1.0), alpha)
                memory[key] = (n + 1.0, mean + a * (found - mean), square + a * (found * found - square))

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            n, mean, square = memory.get(key, (0.0, 0.0, 0.0))
            if name not in chosen or n < _ENOUGH_PAST:
                return NAN
            floor = _SD_FLOOR * max(abs(mean), 1e-9)
            return float(found_in(row, memory) - mean) / math.sqrt(max(square - mean * mean, floor * floor))

        self.keep.setdefault(key, step)
        return tell

    def _usual_hour(self, feature: Feature) -> Tell:
        assert feature.selection is not None
        name = self._selection(feature.selection)
        key = ("hours", name)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            if name in chosen:
                memory.setdefault(key, [0] * _HOUR_BINS)[row.hour // 3] += 1

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            if name not in chosen:
                return NAN
            hours = memory.get(key, _NO_HOURS)
            return float((hours[row.hour // 3] + 1) / (sum(hours) + _HOUR_BINS))

        self.keep.setdefault(key, step)
        return tell

    # what records say

    def _said(self, feature: Feature) -> Any:
        assert feature.selection is not None
        name, value = self._selection(feature.selection), self._value(feature.value)
        key = ("known", name, feature.value)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            if name in chosen:
                found = value(row, memory)
                if not math.isnan(found) and row.ts >= memory.get(key, (0, 0.0))[0]:
                    memory[key] = (row.ts, found)

        self.keep.setdefault(key, step)
        return key

    def _known(self, feature: Feature) -> Tell:
        key = self._said(feature)
        return lambda row, memory, chosen, clock, told: float(memory.get(key, _UNSAID)[1])

    def _age(self, feature: Feature) -> Tell:
        key = self._said(feature)
        return lambda row, memory, chosen, clock, told: float(clock - memory.get(key, _UNSAID)[1]) / _DAY

    def _places(self, feature: Feature) -> Any:
        assert feature.selection is not None
        name, value = self._selection(feature.selection), self._value(feature.value)
        key = ("places", name, feature.value)

        def step(row: Row, memory: Memory, chosen: set[Any], clock: int) -> None:
            if name not in chosen:
                return
            place = value(row, memory)
            if math.isnan(place):
                return
            held = memory.setdefault(key, {})
            if place not in held and len(held) == _PLACES:
                rarest = min(held, key=held.__getitem__)
                held[place] = held.pop(rarest)
            held[place] = held.get(place, 0.0) + 1.0

        self.keep.setdefault(key, step)
        return key

    def _usual_place(self, feature: Feature) -> Tell:
        key = self._places(feature)

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            held = memory.get(key)
            return float(max(held, key=held.__getitem__)) if held else NAN

        return tell

    def _usual_place_share(self, feature: Feature) -> Tell:
        key = self._places(feature)

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            held = memory.get(key)
            return max(held.values()) / sum(held.values()) if held else NAN

        return tell

    def _ratio(self, feature: Feature) -> Tell:
        top, bottom = feature.against, feature.over

        def tell(row: Row, memory: Memory, chosen: set[Any], clock: int, told: dict[str, float]) -> float:
            over = told[bottom] if bottom in told else row.inputs.get(bottom, NAN)
            if math.isnan(over) or over == 0.0:
                return NAN
            return (told[top] if top in told else row.inputs.get(top, NAN)) / over

        return tell


_NOTHING: Final[dict[Any, Any]] = {}
_UNSAID: Final = (0, NAN)
_NO_HOURS: Final = [0] * _HOUR_BINS
_BEFORE: Final = frozenset(("since", "novelty", "pair_age", "deviation", "usual_hour"))
