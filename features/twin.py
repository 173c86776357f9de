"""The offline twin: the features of the catalogue over history, for training and backtests.

The same declarations as the online kernel's, told of all rows of a history at once and in columns: what the kernel
remembers is here found again from the rows themselves. One row of features comes out for each role row, in order.
"""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from features import declare, program, state
from features.declare import Catalogue, Condition, Feature, Selection, Value, duration
from features.errors import FeatureError
from features.rows import Entity, Flag, Kind, Role, Rows
from features.twin_passes import answers, commonest, from_home, nights_out, past, trips
from features.twin_windows import Clocks, Floats, Ints, Window

ROWS_AT_A_TIME: Final = 1_000_000
"""Entities are taken in parts of about so many rows: a part with a hundred features needs about 3 GB."""

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_ENOUGH_PAST: Final = 5
_SD_FLOOR: Final = 0.05
_ID_BITS: Final = (1 << 52) - 1
_MOST_COUNTED: Final = 65_535.0
_ALIKE: Final = 1e-10
_TWO: Final = 2.0
_BAND_BITS: Final = 20

_COLUMNS: Final = (
    "ts",
    "recorded",
    "own_hi",
    "own_lo",
    "other_lo",
    "device_lo",
    "sim_lo",
    "place_lo",
    "third_lo",
    "lat",
    "lon",
    "value",
    "balance",
    "born",
    "flags",
    "kind",
    "role",
    "status",
    "force",
    "home",
    "age",
)

Bools = npt.NDArray[np.bool_]


def history(
    catalogue: Catalogue,
    entity: Entity,
    rows: pl.DataFrame | Rows,
    inputs: pl.DataFrame | None = None,
    *,
    second_pass: bool = False,
    rows_at_a_time: int = ROWS_AT_A_TIME,
    names: Collection[str] | None = None,
) -> pl.DataFrame:
    """An entity's features of one pass at every role row; `inputs` are the columns carried to the second pass.

    `names` are the features to tell; all when not said.

    Raises:
        FeatureError: a declaration needs something that is not there.
    """
    parts = list(
        history_in_parts(
            catalogue,
            entity,
            rows,
            inputs,
            second_pass=second_pass,
            rows_at_a_time=rows_at_a_time,
            names=names,
        )
    )
    whole = parts[0] if len(parts) == 1 else pl.concat(parts).sort("row")
    return whole.drop("row")


def history_in_parts(
    catalogue: Catalogue,
    entity: Entity,
    rows: pl.DataFrame | Rows,
    inputs: pl.DataFrame | None = None,
    *,
    second_pass: bool = False,
    rows_at_a_time: int = ROWS_AT_A_TIME,
    names: Collection[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """The same in parts, each of some entities' rows, with a column `row`: for histories larger than memory."""
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame({name: rows[name] for name in _COLUMNS})
    frame = frame.select(*_COLUMNS).with_columns(now=pl.col("recorded").cum_max()).with_row_index("row")
    if inputs is not None:
        frame = pl.concat([frame, inputs.select(pl.all().name.prefix("carried."))], how="horizontal")
    parts = -(-max(len(frame), 1) // rows_at_a_time)
    split = pl.struct("own_hi", "own_lo").hash(seed=0) % parts
    for part in range(parts):
        chosen = frame if parts == 1 else frame.filter(split == part)
        if parts > 1 and chosen.is_empty():
            continue
        yield _History(catalogue, entity, chosen, names, second_pass=second_pass).tell()


class _Pairs:
    """The events of pairs of one kind, sorted by pair and then by arrival, and what was known of each pair before."""

    def __init__(self, frame: pl.DataFrame, lifetime: int) -> None:
        pair = pl.struct("entity", "party").rle_id()
        seen = frame.sort("entity", "party", "at").with_columns(pair=pair)
        seen = seen.with_columns(last=pl.col("ts").cum_max().over("pair").shift(1))
        starts = pl.col("pair") != pl.col("pair").shift(1)
        # forgotten pairs are new again: the latest time of all its events would not be past its lifetime either
        new = starts.fill_null(value=True) | (pl.col("last") + lifetime < pl.col("clock"))
        seen = seen.with_columns(new=new, life=new.cum_sum())
        last = pl.col("ts").cum_max().over("life").shift(1)
        seen = seen.with_columns(
            first=pl.col("ts").first().over("life"),
            before=pl.when("new").then(None).otherwise(last),
        )
        seen = seen.with_columns(
            later=pl.col("new") | (pl.col("ts") > pl.col("before")), before=pl.col("before").fill_null(-1)
        )
        self.at: Ints = seen["at"].to_numpy()
        self.ts: Ints = seen["ts"].to_numpy()
        self.new: Bools = seen["new"].to_numpy()
        self.before: Ints = seen["before"].to_numpy()
        self.first: Ints = seen["first"].to_numpy()
        later: Bools = seen["later"].to_numpy()
        life: Ints = seen["life"].cast(pl.Int64).to_numpy()
        pairs: Ints = seen["pair"].cast(pl.Int64).to_numpy()
        # a pair stands where it was last seen, until it is seen later
        self.stands = np.flatnonzero(later)
        self.until = np.full(len(self.stands), np.iinfo(np.int64).max)
        same = pairs[self.stands[1:]] == pairs[self.stands[:-1]]
        self.until[:-1][same] = self.at[self.stands[1:]][same]
        self.life = life
        self.later = later

    def so_far(self, values: Floats) -> Floats:
        """The sum of some values of its events over each pair's life before each event."""
        frame = pl.DataFrame({"life": self.life, "value": np.nan_to_num(values[self.at])})
        before = pl.col("value").cum_sum().shift(1, fill_value=0.0).over("life")
        return np.asarray(frame.select(before)["value"].to_numpy())

    def standing(self, among: Bools | None = None) -> tuple[Ints, Ints]:
        """Where each pair was last seen, and until when that held, in order of rows."""
        stands, until = self.stands, self.until
        if among is not None:
            kept = among[stands]
            stands, until = stands[kept], until[kept]
        order = np.argsort(self.at[stands], kind="stable")
        return self.at[stands][order], until[order]

    def came_back(self, gap: int) -> Bools:
        """Whether each event's pair had come back after a gap, once in its life."""
        back = self.later & ~self.new & (self.ts - self.before >= gap)
        so_far = np.cumsum(back)
        starts = np.flatnonzero(self.new)
        ahead: Ints = so_far[starts] - back[starts]
        return np.asarray(so_far - np.repeat(ahead, np.diff(np.append(starts, len(back)))) > 0)


class _History:
    """The rows of some entities, sorted, and every column that features are made from."""

    def __init__(
        self,
        catalogue: Catalogue,
        entity: Entity,
        frame: pl.DataFrame,
        names: Collection[str] | None,
        *,
        second_pass: bool,
    ) -> None:
        self.features = [
            f for f in catalogue.of(entity, second_pass=second_pass) if names is None or f.name in names
        ]
        self.by_name = {f.name: f for f in catalogue.of(entity)}
        self.named: dict[str, Selection] = {}
        for feature in self.by_name.values():
            for chosen in (feature.selection, feature.other):
                if chosen is not None:
                    self.named.setdefault(chosen.name, chosen)
        frame = _by_entity(frame)
        self.frame = frame
        self.rows = len(frame)
        self.real: Bools = frame["real"].to_numpy()
        self.ts: Ints = frame["ts"].to_numpy()
        self.entity: Ints = frame["entity"].to_numpy()
        self.clock: Ints = frame["clock"].to_numpy()
        self.reading = np.where(self.real, self.clock, np.maximum(self.clock, self.ts))
        self.begins = np.searchsorted(self.entity, self.entity)
        self.clocks = Clocks(self.entity, self.ts, self.clock, self.reading)
        self.told: dict[str, Floats] = {}
        self.chosen = cache(self._chosen)
        self.value = cache(self._value)
        self.last = cache(self._last)
        self.window = cache(self._window)
        self.pairs = cache(self._pairs)
        self.distinct = cache(self._distinct)
        self.distances = cache(self._distances)

    def tell(self) -> pl.DataFrame:
        """Every feature at every row, with the row's number."""
        blank = self.frame["blank"].to_numpy()
        for feature in self.features if self.rows else ():
            told = getattr(self, f"_{feature.kind}")(feature)
            self.told[feature.name] = np.where(blank, np.nan, told) if blank.any() else told
        told_of = {f.name: self.told[f.name] if self.rows else np.zeros(0) for f in self.features}
        return pl.DataFrame({"row": self.frame["row"], **told_of}).sort("row")

    # which events, and what they contribute

    def _chosen(self, selection: Selection) -> Bools:
        flags = pl.col("flags")
        having, lacking = _union(selection.having), _union(selection.lacking)
        meant = pl.col("kind").is_in([int(k) for k in selection.kinds])
        meant &= pl.col("role").is_in([int(r) for r in selection.roles])
        meant &= pl.col("real")
        if selection.statuses:
            meant &= pl.col("status").is_in(list(selection.statuses))
        if having:
            meant &= (flags & having) == having
        if lacking:
            meant &= (flags & lacking) == 0
        if selection.hours:
            meant &= (pl.col("ts") // _HOUR_US % 24).is_in(list(selection.hours))
        mask: Bools = self.frame.select(meant.alias("meant"))["meant"].to_numpy()
        return mask if selection.when is None else mask & self._holds(selection.when)

    def _holds(self, condition: Condition) -> Bools:
        value = self.value(condition.value)
        if condition.at_least is not None:
            return np.asarray(value >= condition.at_least)
        if condition.at_most is not None:
            return np.asarray(value <= condition.at_most)
        raise FeatureError("a condition says at_least or at_most")

    def _value(self, value: Value) -> Floats:
        if value.source == "one":
            return np.ones(self.rows)
        if value.source == "prepaid":
            told: Bools = self.frame.select((pl.col("flags") & int(Flag.PREPAID)) != 0)["flags"].to_numpy()
            return told.astype(np.float64)
        if value.source == "since":
            if value.of not in self.named:
                raise FeatureError(f"since {value.of!r}: no feature is declared on events of that name")
            last = self.last(self.named[value.of])
            return np.where((last > 0) & (last <= self.ts), (self.ts - last) / 1e6, np.nan)
        if value.source == "other":
            return self._carried(f"other.{value.of}")
        if value.source == "until":
            listed = self.frame["kind"].is_in([int(Kind.LINK), int(Kind.WATCH)])
            return np.where(listed.to_numpy(), self.frame["value"].to_numpy(), np.nan)
        if value.source.endswith("_id"):
            token = self.frame[f"{value.source[:-3]}_lo"].to_numpy()
            return np.where(token != 0, (token & np.uint64(_ID_BITS)).astype(np.float64), np.nan)
        said = self.frame[value.source].cast(pl.Float64).to_numpy()
        return np.where(said > 0, said, np.nan) if value.source in ("home", "force", "age") else said

    def _carried(self, name: str) -> Floats:
        if f"carried.{name}" not in self.frame.columns:
            raise FeatureError(f"{name!r} is not among the columns carried to the second pass")
        return np.asarray(self.frame[f"carried.{name}"].cast(pl.Float64).to_numpy())

    def _events(self, feature: Feature) -> tuple[Ints, Floats]:
        """The rows of a feature's events that have its value, and the values."""
        value = self.value(feature.value)
        at = np.flatnonzero(self.chosen(_selection(feature)) & ~np.isnan(value))
        return at, value[at]

    def _before(self, mask: Bools, times: Ints) -> Ints:
        """The latest of some rows' times before each row; 0 when there was none."""
        frame = pl.DataFrame({"entity": self.entity, "time": np.where(mask, times, 0)})
        told = frame.select(pl.col("time").cum_max().shift(1, fill_value=0).over("entity"))
        return np.asarray(told["time"].to_numpy())

    def _last(self, selection: Selection) -> Ints:
        return self._before(self.chosen(selection), self.ts)

    def _latest(self, at: Ints, values: Floats) -> Floats:
        """The value of the latest of some rows up to each row; NaN when there is none."""
        place = np.full(self.rows, -1)
        place[at] = np.arange(len(at))
        place = np.maximum.accumulate(place)
        there = place >= 0
        there[there] = at[place[there]] >= self.begins[there]
        told = np.full(self.rows, np.nan)
        told[there] = values[place[there]]
        return told

    def _window(self, within: str, every: str) -> Window:
        return self.clocks.window(duration(every), duration(within) // duration(every))

    def _over(self, feature: Feature) -> Window:
        return self.window(feature.within, feature.every)

    def _party_events(self, mask: Bools, field: str) -> pl.DataFrame:
        party = self.frame[f"{field}_lo"]
        at = np.flatnonzero(mask & (party != 0).to_numpy())
        columns = {"at": at, "entity": self.entity[at], "ts": self.ts[at], "clock": self.clock[at]}
        return pl.DataFrame(columns).with_columns(party=party[at])

    def _pairs(self, selection: Selection, field: str) -> _Pairs:
        return _Pairs(self._party_events(self.chosen(selection), field), duration(declare.PAIR_LIFETIME))

    # one method a kind

    def _count(self, feature: Feature) -> Floats:
        return self._over(feature).total(np.flatnonzero(self.chosen(_selection(feature))))

    def _sum(self, feature: Feature) -> Floats:
        return self._over(feature).total(*self._events(feature))

    def _mean(self, feature: Feature) -> Floats:
        at, values = self._events(feature)
        return _divided(self._over(feature).total(at, values), self._over(feature).total(at))

    def _max(self, feature: Feature) -> Floats:
        return self._over(feature).largest(*self._events(feature))

    def _min(self, feature: Feature) -> Floats:
        at, values = self._events(feature)
        return -self._over(feature).largest(at, -values)

    @staticmethod
    def _squares(window: Window, at: Ints, values: Floats) -> Floats:
        """Sums of squares; values of like size apart, so that the smallest count beside the largest.

        Whole sums have room for 63 bits; squares of one band take 40, which leaves millions of events.
        """
        total = window.total(at[:0], values[:0])
        power = (np.frexp(values)[1] - 1) // _BAND_BITS * _BAND_BITS
        for each in np.unique(power[values != 0.0]):
            mine = (power == each) & (values != 0.0)
            total += np.ldexp(window.total(at[mine], np.ldexp(values[mine], -each) ** 2), 2 * each)
        return total

    def _spread(self, feature: Feature) -> Floats:
        at, values = self._events(feature)
        window = self._over(feature)
        number = window.total(at)
        mean = _divided(window.total(at, values), number)
        square = _divided(self._squares(window, at, values), number)
        spread = square - mean * mean
        told = np.where(
            spread > _ALIKE * mean * mean, _divided(np.sqrt(np.maximum(spread, 0.0)), np.abs(mean)), 0.0
        )
        return np.where((number >= _TWO) & (mean * mean > _ALIKE * square), told, np.nan)

    def _since(self, feature: Feature) -> Floats:
        last = self.last(_selection(feature))
        return np.where(last > 0, (self.reading - last) / 1e6, np.nan)

    def _known(self, feature: Feature) -> Floats:
        at, values = self._events(feature)
        said = np.zeros(self.rows, dtype=np.bool_)
        said[at] = True
        newest = self.ts[at] >= self._before(said, self.ts)[at]  # of equal times the last to come
        return self._latest(at[newest], values[newest])

    def _age(self, feature: Feature) -> Floats:
        return (self.reading - self._known(feature)) / _DAY_US

    def _listed(self, feature: Feature) -> Floats:
        return (self._known(feature) >= self.reading).astype(np.float64)

    def _happening(self, feature: Feature) -> Floats:
        return self.chosen(_selection(feature)).astype(np.float64)

    def _distinct(self, feature: Feature) -> Floats:
        at, until = self.pairs(_selection(feature), feature.field).standing()
        return self._over(feature).total(at, until=until)

    def _returning(self, feature: Feature) -> Floats:
        pairs = self.pairs(_selection(feature), feature.field)
        at, until = pairs.standing(pairs.came_back(duration(feature.gap)))
        return self._over(feature).total(at, until=until)

    def _novelty(self, feature: Feature) -> Floats:
        pairs = self.pairs(_selection(feature), feature.field)
        told = np.full(self.rows, np.nan)
        told[pairs.at] = pairs.new
        return told

    def _pair_age(self, feature: Feature) -> Floats:
        pairs = self.pairs(_selection(feature), feature.field)
        told = np.full(self.rows, np.nan)
        told[pairs.at] = np.maximum(0.0, (pairs.ts - pairs.first) / _DAY_US)
        return told

    def _of_pair(self, feature: Feature, values: Floats) -> Floats:
        pairs = self.pairs(_selection(feature), feature.field)
        told = np.full(self.rows, np.nan)
        told[pairs.at] = pairs.so_far(values)
        return told

    def _pair_count(self, feature: Feature) -> Floats:
        return np.minimum(self._of_pair(feature, np.ones(self.rows)), _MOST_COUNTED)

    def _pair_total(self, feature: Feature) -> Floats:
        return self._of_pair(feature, self.value(feature.value))

    def _pair_since(self, feature: Feature) -> Floats:
        pairs = self.pairs(_selection(feature), feature.field)
        told = np.full(self.rows, np.nan)
        told[pairs.at] = np.where(pairs.new, np.nan, np.maximum(0.0, (pairs.ts - pairs.before) / 1e6))
        return told

    def _distances(self, selection: Selection) -> tuple[Ints, Floats]:
        """The rows of a selection, and how far each is from the usual night place."""
        at = np.flatnonzero(self.chosen(selection))
        lat, lon = (self.frame[name].to_numpy()[at].astype(np.float64) for name in ("lat", "lon"))
        return at, from_home(
            self.entity[at], self.ts[at], lat, lon, program.PLACE_SLOTS, program.ENOUGH_NIGHTS
        )

    def _away_km(self, feature: Feature) -> Floats:
        at, km = self.distances(_selection(feature))
        told = np.full(self.rows, np.nan)
        told[at] = km
        return told

    def _journeys(self, feature: Feature) -> Floats:
        at, km = self.distances(_selection(feature))
        return self._over(feature).total(at[trips(self.entity[at], self.ts[at], km, feature.at_least)])

    def _nights_away(self, feature: Feature) -> Floats:
        at, km = self.distances(_selection(feature))
        return self._over(feature).total(at[nights_out(self.entity[at], self.ts[at], km, feature.at_least)])

    def _replies(self, feature: Feature) -> Floats:
        assert feature.other is not None
        asks, replies = self.chosen(feature.other), self.chosen(_selection(feature))
        frame = self._party_events(asks | replies, feature.field).sort("entity", "party", "at")
        at = frame["at"].to_numpy()
        pair = frame.select(pl.struct("entity", "party").rle_id().alias("pair"))["pair"].to_numpy()
        counted = answers(
            pair,
            self.ts[at],
            self.clock[at],
            asks[at],
            replies[at],
            duration(feature.gap),
            duration(declare.PAIR_LIFETIME),
        )
        return self._over(feature).total(np.sort(at[counted]))

    def _bursts(self, feature: Feature) -> Floats:
        size = self.distinct(self.by_name[feature.against])
        high = self.chosen(_selection(feature)) & (size >= feature.at_least)
        starts = high & (self.ts - self._before(high, self.ts) >= duration(feature.gap))
        return self._over(feature).total(np.flatnonzero(starts))

    def _deviation(self, feature: Feature) -> Floats:
        at, values = self._events(feature)
        values = np.log1p(np.maximum(values, 0.0)) if feature.log else values
        number, mean, square = past(self.entity[at], values, feature.alpha)
        floor = _SD_FLOOR * np.maximum(np.abs(mean), 1e-9)
        spread = np.maximum(square - mean * mean, floor * floor)
        told = np.full(self.rows, np.nan)
        told[at] = np.where(number >= _ENOUGH_PAST, (values - mean) / np.sqrt(spread), np.nan)
        return told

    def _usual_hour(self, feature: Feature) -> Floats:
        at = np.flatnonzero(self.chosen(_selection(feature)))
        frame = pl.DataFrame(
            {"entity": self.entity[at], "bin": self.ts[at] // _HOUR_US % 24 // (24 // program.HOUR_BINS)}
        )
        before = pl.int_range(pl.len())
        share = (before.over("entity", "bin") + 1) / (before.over("entity") + program.HOUR_BINS)
        told = np.full(self.rows, np.nan)
        told[at] = frame.select(share.alias("share"))["share"].to_numpy()
        return told

    def _usual_place(self, feature: Feature, *, share: bool = False) -> Floats:
        at, values = self._events(feature)
        return self._latest(at, commonest(self.entity[at], values, program.PLACE_SLOTS)[share])

    def _usual_place_share(self, feature: Feature) -> Floats:
        return self._usual_place(feature, share=True)

    def _ratio(self, feature: Feature) -> Floats:
        top, bottom = (
            self.told[name] if name in self.told else self._carried(name)
            for name in (feature.against, feature.over)
        )
        return _divided(top, bottom)


def _divided(top: Floats, bottom: Floats) -> Floats:
    """One column over another; NaN where the second is 0 or absent."""
    told = np.full(len(top), np.nan)
    np.divide(top, bottom, out=told, where=bottom != 0)
    return told


def _by_entity(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows sorted by entity and arrival, with each entity's clock.

    An entity unseen for its lifetime is another entity when it is seen again. Rows that only look (`Role.PEEK`)
    change nothing, and are blank when there is nobody to look at.
    """
    real = pl.col("role") != int(Role.PEEK)
    frame = frame.sort("own_hi", "own_lo", "row").with_columns(
        own=pl.struct("own_hi", "own_lo").rle_id(), real=real
    )
    seen = pl.when("real").then("recorded").otherwise(0).cum_max().shift(1, fill_value=0).over("own")
    frame = frame.with_columns(seen=seen)
    stale = (pl.col("seen") > 0) & (pl.col("seen") + state.ENTITY_LIFETIME < pl.col("now"))
    starts = (pl.col("own") != pl.col("own").shift(1)).fill_null(value=True)
    frame = frame.with_columns(
        entity=(starts | (stale & pl.col("real"))).cum_sum().cast(pl.Int64),
        blank=~pl.col("real") & (stale | (pl.col("seen") == 0)),
    )
    lowest = pl.col("ts").min()
    clock = pl.when("real").then("ts").otherwise(lowest).cum_max().over("entity")
    return frame.with_columns(clock=clock)


def _selection(feature: Feature) -> Selection:
    if feature.selection is None:
        raise FeatureError(f"{feature.name}: a {feature.kind} is declared on events")
    return feature.selection


def _union(flags: tuple[Flag, ...]) -> int:
    return sum(int(flag) for flag in set(flags))
