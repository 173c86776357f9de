"""Features from their definitions: for each event, each feature again over everything the entity has seen so far.

Slow, obvious, and on its own: it reads declarations and shares no code with the kernel, the program or the twin.
An event is a dict of its role row's fields; `inputs` of a second pass are dicts from names to values.
"""

import math
from typing import Any

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NAN = math.nan
PEEK = 15

Event = dict[str, Any]


def duration(text: str) -> int:
    """Microseconds of `10m`, `24h`, `7d`."""
    return int(text[:-1]) * {"s": SECOND, "m": 60 * SECOND, "h": HOUR, "d": DAY}[text[-1]]


def features(
    declared: list[Any],
    rows: Any,
    inputs: list[dict[str, float]] | None = None,
    *,
    selections: dict[str, Any] | None = None,
    pair_lifetime: int = 90 * DAY,
    entity_lifetime: int = 400 * DAY,
) -> dict[str, list[float]]:
    """Each declared feature at each row; `selections` are those that `since` may name, beside the declared ones."""
    events = [{name: row[name].item() for name in rows.dtype.names} for row in rows]
    for event, carried in zip(events, inputs or [{}] * len(events), strict=True):
        event["inputs"] = carried
    named = dict(selections or {})
    for feature in declared:
        for selection in (feature.selection, feature.other):
            if selection is not None:
                named.setdefault(selection.name, selection)
    told: dict[str, list[float]] = {feature.name: [] for feature in declared}
    histories: dict[tuple[int, int], History] = {}
    now = 0
    for event in events:
        now = max(now, event["recorded"])
        own = (event["own_hi"], event["own_lo"])
        past = histories.get(own)
        if past is None or past.last_recorded() + entity_lifetime < now:
            past = History(declared, named, pair_lifetime)
        if event["role"] == PEEK:
            known = past.look(event)
        else:
            histories[own] = past
            known = past.take(event)
        for feature in declared:
            told[feature.name].append(known[feature.name])
    return told


class History:
    """All events of one entity so far; the last one is the event being read."""

    def __init__(self, declared: list[Any], named: dict[str, Any], pair_lifetime: int) -> None:
        self.declared = {feature.name: feature for feature in declared}
        self.named = named
        self.pair_lifetime = pair_lifetime
        self.events: list[Event] = []
        self.memory: dict[tuple[int, int], bool] = {}
        self.clocks: list[int] = []

    def last_recorded(self) -> int:
        return max(event["recorded"] for event in self.events)

    def take(self, event: Event) -> dict[str, float]:
        """Every feature with this event as the latest."""
        self.events.append(event)
        known: dict[str, float] = {}
        for feature in self.declared.values():
            known[feature.name] = self.tell(feature, known)
        return known

    def look(self, event: Event) -> dict[str, float]:
        """Every feature at the time of an event that is not to be remembered; absent of those never seen."""
        if not self.events:
            return dict.fromkeys(self.declared, NAN)
        known = self.take(event)
        self.events.pop()
        self.clocks.pop()
        self.memory = {key: meant for key, meant in self.memory.items() if key[1] < len(self.events)}
        return known

    def clock(self, i: int) -> int:
        """The latest event time seen when event `i` was read."""
        for event in self.events[len(self.clocks) :]:
            self.clocks.append(max([event["ts"], *self.clocks[-1:]]))
        return self.clocks[i]

    # which events, and what they contribute

    def meant(self, selection: Any, i: int) -> bool:
        """Whether event `i` belongs to the selection (decided once, when it was read)."""
        key = (id(selection), i)
        if key not in self.memory:
            self.memory[key] = self._meant(selection, i)
        return self.memory[key]

    def _meant(self, selection: Any, i: int) -> bool:
        event = self.events[i]
        if event["kind"] not in [int(k) for k in selection.kinds]:
            return False
        if event["role"] not in [int(r) for r in selection.roles]:
            return False
        if selection.statuses and event["status"] not in selection.statuses:
            return False
        if any(not event["flags"] & flag for flag in selection.having):
            return False
        if any(event["flags"] & flag for flag in selection.lacking):
            return False
        if selection.hours and hour_of_day(event) not in selection.hours:
            return False
        if selection.when is None:
            return True
        value = self.value(selection.when.value, i)
        if math.isnan(value):
            return False
        if selection.when.at_least is not None:
            return value >= selection.when.at_least
        return bool(value <= selection.when.at_most)

    def value(self, value: Any, i: int) -> float:
        """What event `i` contributes."""
        event = self.events[i]
        if value.source == "one":
            return 1.0
        if value.source in ("value", "balance", "born"):
            return float(event[value.source])
        if value.source in ("home", "force", "age"):
            return float(event[value.source]) if event[value.source] else NAN
        if value.source == "prepaid":
            return 1.0 if event["flags"] & (1 << 7) else 0.0
        if value.source == "since":
            times = [e["ts"] for j, e in enumerate(self.events[:i]) if self.meant(self.named[value.of], j)]
            return (event["ts"] - max(times)) / SECOND if times and max(times) <= event["ts"] else NAN
        if value.source == "until":
            return float(event["value"]) if event["kind"] in (40, 41) else NAN
        if value.source.endswith("_id"):
            token = party(event, value.source.removesuffix("_id"))
            return float(token % 2**52) if token else NAN
        assert value.source == "other"
        return event["inputs"][f"other.{value.of}"]

    def chosen(self, selection: Any, *, before: bool = False) -> list[int]:
        """The events of a selection so far, this one included unless `before`."""
        upto = len(self.events) - 1 if before else len(self.events)
        return [i for i in range(upto) if self.meant(selection, i)]

    def in_window(self, indices: list[int], within: str, every: str, at: int) -> list[int]:
        """Those of `indices` that lie in the window's buckets when event `at` was read."""
        size = duration(every)
        newest = self.clock(at) // size
        oldest = newest - duration(within) // size + 1
        return [i for i in indices if i <= at and oldest <= self.events[i]["ts"] // size <= newest]

    def window(self, feature: Any, indices: list[int]) -> list[int]:
        return self.in_window(indices, feature.within, feature.every, len(self.events) - 1)

    def window_values(self, feature: Any) -> list[float]:
        values = [self.value(feature.value, i) for i in self.window(feature, self.chosen(feature.selection))]
        return [v for v in values if not math.isnan(v)]

    # one method a kind

    def tell(self, feature: Any, known: dict[str, float]) -> float:
        if feature.kind == "ratio":
            carried = self.events[-1]["inputs"]
            top, bottom = (known[n] if n in known else carried[n] for n in (feature.against, feature.over))
            return top / bottom if bottom != 0 and not math.isnan(bottom) else NAN
        return float(getattr(self, feature.kind)(feature))

    def count(self, feature: Any) -> float:
        return len(self.window(feature, self.chosen(feature.selection)))

    def sum(self, feature: Any) -> float:
        return math.fsum(self.window_values(feature))

    def mean(self, feature: Any) -> float:
        values = self.window_values(feature)
        return math.fsum(values) / len(values) if values else NAN

    def max(self, feature: Any) -> float:
        return max(self.window_values(feature), default=NAN)

    def min(self, feature: Any) -> float:
        return min(self.window_values(feature), default=NAN)

    def since(self, feature: Any) -> float:
        times = [self.events[i]["ts"] for i in self.chosen(feature.selection, before=True)]
        return (self.clock(len(self.events) - 1) - max(times)) / SECOND if times else NAN

    def known(self, feature: Any) -> float:
        said = [
            (self.events[i]["ts"], i, self.value(feature.value, i))
            for i in self.chosen(feature.selection)
            if not math.isnan(self.value(feature.value, i))
        ]
        return max(said)[2] if said else NAN  # the latest in event time; of equal times the last to come

    def age(self, feature: Any) -> float:
        return (self.clock(len(self.events) - 1) - self.known(feature)) / DAY

    def distinct(self, feature: Any) -> float:
        return self.distinct_at(feature, len(self.events) - 1)

    def distinct_at(self, feature: Any, at: int) -> int:
        held = self.in_window(self.chosen(feature.selection), feature.within, feature.every, at)
        return len({party(self.events[i], feature.field) for i in held} - {0})

    def returning(self, feature: Any) -> float:
        others = {
            party(self.events[i], feature.field) for i in self.window(feature, self.chosen(feature.selection))
        }
        return sum(self.came_back(feature, other) for other in others - {0})

    def came_back(self, feature: Any, other: int) -> bool:
        back = False
        last = None
        for i in self.chosen(feature.selection):
            if party(self.events[i], feature.field) != other:
                continue
            if last is None or last + self.pair_lifetime < self.clock(i):  # new, or forgotten and new again
                back, last = False, self.events[i]["ts"]
            elif self.events[i]["ts"] > last:
                back = back or self.events[i]["ts"] - last >= duration(feature.gap)
                last = self.events[i]["ts"]
        return back

    def before(self, feature: Any) -> tuple[int, int | None] | None:
        """When the pair of this event was first and last seen before it; None when this event makes no pair."""
        at = len(self.events) - 1
        if not self.meant(feature.selection, at) or party(self.events[at], feature.field) == 0:
            return None
        first = self.events[at]["ts"]
        last: int | None = None
        for i in self.chosen(feature.selection):
            if party(self.events[i], feature.field) != party(self.events[at], feature.field):
                continue
            if last is None or last + self.pair_lifetime < self.clock(i):
                first, last = self.events[i]["ts"], None
            if i < at:
                last = self.events[i]["ts"] if last is None else max(last, self.events[i]["ts"])
        return first, last

    def novelty(self, feature: Any) -> float:
        pair = self.before(feature)
        return NAN if pair is None else float(pair[1] is None)

    def pair_age(self, feature: Any) -> float:
        pair = self.before(feature)
        return NAN if pair is None else max(0.0, (self.events[-1]["ts"] - pair[0]) / DAY)

    def pair_before(self, feature: Any) -> list[int] | None:
        """The events of this event's pair before it, since it was last forgotten; None when it makes no pair."""
        at = len(self.events) - 1
        if not self.meant(feature.selection, at) or party(self.events[at], feature.field) == 0:
            return None
        own: list[int] = []
        for i in self.chosen(feature.selection):
            if party(self.events[i], feature.field) != party(self.events[at], feature.field):
                continue
            if own and max(self.events[j]["ts"] for j in own) + self.pair_lifetime < self.clock(i):
                own = []
            own.append(i)
        return own[:-1]

    def pair_count(self, feature: Any) -> float:
        own = self.pair_before(feature)
        return NAN if own is None else len(own)

    def pair_total(self, feature: Any) -> float:
        own = self.pair_before(feature)
        if own is None:
            return NAN
        values = [self.value(feature.value, i) for i in own]
        return math.fsum(v for v in values if not math.isnan(v))

    def pair_since(self, feature: Any) -> float:
        own = self.pair_before(feature)
        if not own:
            return NAN
        return max(0.0, (self.events[-1]["ts"] - max(self.events[i]["ts"] for i in own)) / SECOND)

    def spread(self, feature: Any) -> float:
        values = self.window_values(feature)
        if len(values) < 2:
            return NAN
        mean = math.fsum(values) / len(values)
        square = math.fsum(v * v for v in values) / len(values)
        if mean * mean <= 1e-10 * square:
            return NAN
        told = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values)) / abs(mean)
        return told if told > 1e-5 else 0.0

    def listed(self, feature: Any) -> float:
        return float(self.known(feature) >= self.clock(len(self.events) - 1))

    def happening(self, feature: Any) -> float:
        return float(self.meant(feature.selection, len(self.events) - 1))

    def away_km(self, feature: Any) -> float:
        at = len(self.events) - 1
        return self.distance(feature, at) if self.meant(feature.selection, at) else NAN

    def distance(self, feature: Any, at: int) -> float:
        """Of an event of the selection, how far it was from where the nights up to it were spent."""
        here = coordinates(self.events[at])
        squares: list[dict[str, Any]] = []
        for i in self.chosen(feature.selection):
            where, night = coordinates(self.events[i]), night_of(self.events[i])
            if i > at or where is None or night is None:
                continue
            square = tuple(math.floor(tenths) for tenths in ((where[0] + 90) * 10, (where[1] + 180) * 10))
            found = [held for held in squares if held["square"] == square]
            if found:
                found[0]["nights"] += found[0]["latest"] != night
                found[0]["latest"] = night
            elif len(squares) < 4:
                squares.append({"square": square, "nights": 1, "latest": night})
            else:
                rarest = min(squares, key=lambda held: held["nights"])
                rarest["square"], rarest["latest"] = square, night
                rarest["nights"] += 1
        home = max(squares, key=lambda held: held["nights"], default=None)
        if here is None or home is None or home["nights"] < 3:
            return NAN
        lat, lon = (
            (place + 0.5) / 10 - least for place, least in zip(home["square"], (90, 180), strict=True)
        )
        return great_circle_km(here, (lat, lon))

    def distances(self, feature: Any) -> list[tuple[int, float]]:
        told = [(i, self.distance(feature, i)) for i in self.chosen(feature.selection)]
        return [(i, km) for i, km in told if not math.isnan(km)]

    def journeys(self, feature: Any) -> float:
        away, latest, back = False, 0, []
        for i, km in self.distances(feature):
            if self.events[i]["ts"] < latest:
                continue
            latest = self.events[i]["ts"]
            if km >= feature.at_least:
                away = True
            elif away and km <= feature.at_least / 2:
                away = False
                back.append(i)
        return len(self.window(feature, back))

    def nights_away(self, feature: Any) -> float:
        latest, first = 0, []
        for i, km in self.distances(feature):
            night = night_of(self.events[i])
            if night is not None and night > latest and km >= feature.at_least:
                latest = night
                first.append(i)
        return len(self.window(feature, first))

    def deviation(self, feature: Any) -> float:
        at = len(self.events) - 1
        value = scaled(feature, self.value(feature.value, at))
        if not self.meant(feature.selection, at) or math.isnan(value):
            return NAN
        past = [
            scaled(feature, self.value(feature.value, i)) for i in self.chosen(feature.selection, before=True)
        ]
        past = [v for v in past if not math.isnan(v)]
        if len(past) < 5:
            return NAN
        weights = [max(1 / (k + 1), feature.alpha) for k in range(len(past))]
        for k in range(len(past)):
            weights[k] *= math.prod(
                1 - max(1 / (later + 1), feature.alpha) for later in range(k + 1, len(past))
            )
        mean = math.fsum(w * v for w, v in zip(weights, past, strict=True))
        variance = math.fsum(w * (v - mean) ** 2 for w, v in zip(weights, past, strict=True))
        floor = 0.05 * max(abs(mean), 1e-9)
        return (value - mean) / max(math.sqrt(variance), floor)

    def usual_hour(self, feature: Any) -> float:
        if not self.meant(feature.selection, len(self.events) - 1):
            return NAN
        past = [hour_of_day(self.events[i]) // 3 for i in self.chosen(feature.selection, before=True)]
        return (past.count(hour_of_day(self.events[-1]) // 3) + 1) / (len(past) + 8)

    def places(self, feature: Any) -> list[list[float]]:
        """At most four places with their counts; a fifth takes over the first of the rarest, count and all."""
        held: list[list[float]] = []
        for i in self.chosen(feature.selection):
            place = self.value(feature.value, i)
            if math.isnan(place):
                continue
            found = [entry for entry in held if entry[0] == place]
            if found:
                found[0][1] += 1
            elif len(held) < 4:
                held.append([place, 1.0])
            else:
                rarest = min(held, key=lambda entry: entry[1])
                rarest[0] = place
                rarest[1] += 1
        return held

    def usual_place(self, feature: Any) -> float:
        held = self.places(feature)
        return max(held, key=lambda entry: entry[1])[0] if held else NAN

    def usual_place_share(self, feature: Any) -> float:
        counts = [count for _, count in self.places(feature)]
        return max(counts) / sum(counts) if counts else NAN

    def replies(self, feature: Any) -> float:
        asked: dict[int, int] = {}
        answered: dict[int, int] = {}
        counted = []
        for i, event in enumerate(self.events):
            other = party(event, feature.field)
            if other == 0:
                continue
            if other in asked and asked[other] + self.pair_lifetime < self.clock(i):  # forgotten
                del asked[other]
                answered.pop(other, None)
            if self.meant(feature.selection, i) and other in asked:
                in_time = 0 <= event["ts"] - asked[other] <= duration(feature.gap)
                if in_time and not (other in answered and answered[other] >= asked[other]):
                    answered[other] = event["ts"]
                    counted.append(i)
            if self.meant(feature.other, i):
                asked[other] = max(asked.get(other, event["ts"]), event["ts"])
        return len(self.window(feature, counted))

    def bursts(self, feature: Any) -> float:
        watched = self.declared[feature.against]
        bursts = []
        last = None
        for i in self.chosen(feature.selection):
            if self.distinct_at(watched, i) >= feature.at_least:
                ts = self.events[i]["ts"]
                if last is None or ts - last >= duration(feature.gap):
                    bursts.append(i)
                last = ts if last is None else max(last, ts)
        return len(self.window(feature, bursts))


def scaled(feature: Any, value: float) -> float:
    """The value, or its logarithm when the feature looks at orders of magnitude."""
    return math.log1p(max(value, 0.0)) if feature.log and not math.isnan(value) else value


def hour_of_day(event: Event) -> int:
    return int(event["ts"] // HOUR % 24)


def coordinates(event: Event) -> tuple[float, float] | None:
    return None if math.isnan(event["lat"]) or math.isnan(event["lon"]) else (event["lat"], event["lon"])


def night_of(event: Event) -> int | None:
    """The day in which the night's morning lies; None by day (22:00 to 06:00 UTC is night)."""
    if 6 <= hour_of_day(event) < 22:
        return None
    return int(event["ts"] // DAY) + (hour_of_day(event) >= 22)


def great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The length of the straight line through the earth, bent back onto its surface."""
    points = []
    for lat, lon in (a, b):
        up, round_ = math.radians(lat), math.radians(lon)
        points.append((math.cos(up) * math.cos(round_), math.cos(up) * math.sin(round_), math.sin(up)))
    return 2 * 6371.0 * math.asin(min(1.0, math.dist(*points) / 2))


def party(event: Event, field: str) -> int:
    """Who or what a pair is made with; 0 when the record does not say."""
    return int(event[f"{field}_lo"])
