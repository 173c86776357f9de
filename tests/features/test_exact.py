"""Features are what their definitions say: kernel, twin and slow reference agree on nasty streams, however batched."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import features.catalogue
import features.declare
import features.program
import features.state
from features.declare import (
    AGE,
    AMOUNT,
    BALANCE,
    BORN,
    DEVICE_ID,
    FORCE,
    HOME,
    OTHER_ID,
    PREPAID,
    UNTIL,
    Catalogue,
    Condition,
    Of,
    duration,
    of_other,
    since_last,
)
from features.declared import CATALOGUE as SHIPPED
from features.errors import FeatureError
from features.plan import make_plan
from features.program import Program, compile_program
from features.rows import ENTITY_OF, SUBJECTS, Entity, Flag, Kind, Role, Rows, empty_rows
from features.state import EntityState, Floats
from features.twin import history, history_in_parts

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
START = 20_000 * DAY + 7 * HOUR + 13 * MINUTE

WINDOWS = (("10m", "1m"), ("1h", "1m"), ("24h", "2h"), ("7d", "1d"), ("1d", "1d"))

exhaustive = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def declare_all() -> Catalogue:
    """Every kind of feature, with rings shared in awkward ways, and a second pass."""
    catalogue = Catalogue()
    account = Of(catalogue, Entity.ACCOUNT)
    moves = (Kind.FPS, Kind.CASH_DEPOSIT, Kind.CARD)
    received = account.events("received", words="in", roles=[Role.PAYEE], kinds=moves)
    sent = account.events("sent", words="out", roles=[Role.PAYER], kinds=moves, statuses=(1, 2))
    anything = account.events(
        "anything", words="any", roles=list(Role)[:15], kinds=[kind for kind in Kind if kind != Kind.WATCH]
    )
    nightly = account.events(
        "nightly",
        words="night",
        roles=[Role.PAYER, Role.PAYEE],
        kinds=tuple(Kind),
        hours=(22, 23, 0, 1, 2, 3, 7),
        having=[Flag.ROUND],
        lacking=[Flag.DECLINED],
    )
    large = account.events(
        "large",
        words="large",
        roles=[Role.PAYER, Role.PAYEE],
        kinds=moves,
        when=Condition(AMOUNT, at_least=100.0),
    )
    passed_on = account.events(
        "passed_on",
        words="gone within the hour",
        roles=[Role.PAYER],
        kinds=moves,
        when=Condition(since_last(received), at_most=3600.0),
    )
    for group in (received, sent, nightly, large, passed_on):
        for within, every in WINDOWS:
            group.count(
                f"{group.selection.name}_count_{within}_{every}", within=within, every=every, words=""
            )
    for within, every in WINDOWS:
        name = f"{within}_{every}"
        received.total(f"in_sum_{name}", within=within, every=every, words="")
        sent.total(f"balance_sum_{name}", value=BALANCE, within=within, every=every, words="")
        received.distinct(f"senders_{name}", "other", within=within, every=every, words="")
        anything.distinct(f"places_{name}", "place", within=within, every=every, words="")
        anything.largest(f"largest_{name}", within=within, every=every, words="")
        anything.smallest(f"smallest_{name}", value=BALANCE, within=within, every=every, words="")
        for gap in ("1m", "2h"):
            received.returning(
                f"returning_{gap}_{name}", "other", gap=gap, within=within, every=every, words=""
            )
            received.replies(
                f"replies_{gap}_{name}", to=sent, field="other", gap=gap, within=within, every=every, words=""
            )
    received.mean("in_mean_10m", within="10m", every="1m", words="")
    received.mean("in_mean_1h", within="1h", every="1m", words="")
    received.total("in_sum_2h", within="2h", every="1m", words="")
    sent.mean("dwell_1h", value=since_last(received), within="1h", every="1m", words="")
    received.mean("gap_7d", value=since_last(received), within="7d", every="1d", words="")
    received.deviation("gap_deviation", value=since_last(received), words="")
    received.deviation("in_deviation", words="")
    sent.deviation("balance_deviation", value=BALANCE, log=False, alpha=0.3, words="")
    received.replies("device_replies", to=sent, field="device", gap="1h", within="24h", every="2h", words="")
    received.since("since_received", words="")
    passed_on.since("since_passed_on", words="")
    anything.known("home", HOME, words="")
    anything.known("band", AGE, words="")
    large.known("prepaid", PREPAID, words="")
    received.known("last_sender", OTHER_ID, words="")
    anything.known("last_device", DEVICE_ID, words="")
    anything.distinct("thirds_24h", "third", within="24h", every="2h", words="")
    received.pair_count("from_sender", "other", words="")
    received.pair_total("sum_from_sender", "other", words="")
    received.pair_total("balance_from_sender", "other", value=BALANCE, words="")
    sent.pair_total("gaps_on_device", "device", value=since_last(received), words="")
    sent.pair_count("on_device", "device", words="")
    received.pair_since("since_sender", "other", words="")
    anything.pair_since("since_place", "place", words="")
    received.spread("in_spread_24h", within="24h", every="2h", words="")
    anything.spread("spread_7d", within="7d", every="1d", words="")
    received.spread("gap_spread_7d", value=since_last(received), within="7d", every="1d", words="")
    watched = account.events("watched", words="watched", roles=[Role.WATCHED], kinds=[Kind.WATCH])
    watched.listed("listed", words="")
    watched.known("listed_until", UNTIL, words="")
    received.happening("is_receipt", words="")
    large.happening("is_large", words="")
    for group in (anything, received):
        name = group.selection.name
        group.away_km(f"{name}_away_km", words="")
        for km, (within, every) in ((30.0, ("7d", "1d")), (300.0, ("24h", "2h")), (30.0, ("10m", "1m"))):
            group.journeys(
                f"{name}_journeys_{km}_{within}", at_least_km=km, within=within, every=every, words=""
            )
            group.nights_away(
                f"{name}_nights_{km}_{within}", at_least_km=km, within=within, every=every, words=""
            )
    account.events("heard", words="heard of", roles=[Role.HEARD], kinds=moves).count(
        "heard_24h", within="24h", every="2h", words=""
    )
    anything.age("account_age", BORN, words="")
    received.novelty("new_sender", "other", words="")
    sent.novelty("new_device", "device", words="")
    received.pair_age("sender_age", "other", words="")
    sent.pair_age("card_age", "sim", words="")
    anything.usual_hour("usual_hour", words="")
    nightly.usual_hour("usual_night", words="")
    anything.usual_place("force", FORCE, words="")
    anything.usual_place_share("force_share", FORCE, words="")
    for name, size in (("senders_10m_1m", 2), ("senders_24h_2h", 3)):
        watched = catalogue.features[Entity.ACCOUNT, name]
        received.bursts(f"bursts_{name}", watched, at_least=size, gap="1h", within="7d", every="1d", words="")
        received.bursts(
            f"short_bursts_{name}", watched, at_least=size, gap="1m", within="24h", every="2h", words=""
        )
    out_share = account.ratio(
        "out_share",
        catalogue.features[Entity.ACCOUNT, "sent_count_24h_2h"],
        catalogue.features[Entity.ACCOUNT, "received_count_24h_2h"],
        words="",
    )
    account.ratio(
        "night_share",
        catalogue.features[Entity.ACCOUNT, "nightly_count_7d_1d"],
        catalogue.features[Entity.ACCOUNT, "in_mean_1h"],
        words="",
    )
    from_young = account.events(
        "from_young",
        words="from new accounts",
        roles=[Role.PAYEE],
        kinds=moves,
        when=Condition(of_other(catalogue.features[Entity.ACCOUNT, "account_age"]), at_most=30.0),
    )
    young = from_young.count("from_young_24h", within="24h", every="2h", words="")
    from_young.distinct("young_senders_24h", "other", within="24h", every="2h", words="")
    received.mean("others_share", value=of_other(out_share), within="1h", every="1m", words="", unit="")
    account.ratio("young_share", young, catalogue.features[Entity.ACCOUNT, "received_count_24h_2h"], words="")
    return catalogue


CATALOGUE = declare_all()
INPUTS = ("received_count_24h_2h", "other.account_age", "other.out_share")
SELECTIONS = {f.selection.name: f.selection for f in CATALOGUE.features.values() if f.selection is not None}

# What a step in time may be: equal times, just at and around bucket edges, far ahead, and back
STEPS = (0, 0, 1, SECOND, 59 * SECOND, MINUTE, 7 * MINUTE, HOUR, 2 * HOUR, 9 * HOUR, DAY, 8 * DAY, 95 * DAY)
BACK = (-1, -MINUTE, -10 * MINUTE, -HOUR, -25 * HOUR, -6 * DAY, -7 * DAY, -8 * DAY, -100 * DAY)
SNAPS = (1, 1, MINUTE, HOUR, DAY)
# Home, a street away in the next square, an hour and a day away, and nowhere said
SPOTS = ((51.55, -0.15), (51.55, -0.15), (51.6, -0.2), (51.95, -0.15), (55.9, -3.2), (math.nan, math.nan))
VALUES = (0.0, 1.0, 99.0, 100.0, 0.1, 2500.0, -5.0, 1e9 + 0.25, math.nan)
TOKEN_STEP = 3 << 51  # tokens are of 64 bits
PARTS = (
    (Kind.FPS, Role.PAYEE),
    (Kind.FPS, Role.PAYEE),
    (Kind.FPS, Role.PAYER),
    (Kind.CARD, Role.PAYER),
    (Kind.LOGIN, Role.HOLDER),
    (Kind.FPS, Role.PEEK),
    (Kind.FPS, Role.HEARD),
    (Kind.WATCH, Role.WATCHED),
)


@st.composite
def streams(draw: st.DrawFn, *, longest: int = 30, entities: int = 3, gaps: tuple[int, ...] = STEPS) -> Rows:
    """A few entities with late, repeated, equal-time and edge-of-bucket events."""
    n = draw(st.integers(1, longest))
    rows = empty_rows(n)
    filler = np.random.default_rng(draw(st.integers(0, 1000)))
    step = st.sampled_from(gaps)
    back = st.sampled_from(BACK)
    ts, recorded = START, 0
    for i in range(n):
        if i and draw(st.integers(0, 9)) == 0:
            rows[i] = rows[i - 1]  # a repeat
            continue
        at = ts + draw(back) if draw(st.integers(0, 4)) == 0 else (ts := ts + draw(step))
        at -= at % draw(st.sampled_from(SNAPS))
        recorded = max(recorded, at)
        kind, role = draw(st.sampled_from(PARTS))
        rows[i]["ts"], rows[i]["recorded"] = at, recorded
        rows[i]["own_lo"] = draw(st.integers(1, entities))
        rows[i]["other_lo"] = draw(st.integers(0, 4)) * TOKEN_STEP
        rows[i]["kind"], rows[i]["role"] = kind, role
        rows[i]["value"] = draw(st.sampled_from(VALUES))
        rows[i]["lat"], rows[i]["lon"] = draw(st.sampled_from(SPOTS))
        if kind == Kind.WATCH:
            rows[i]["value"] = at + draw(st.sampled_from([*STEPS, *BACK, math.inf]))
        fill(rows, i, filler)
    rows["seq"] = np.arange(n)
    return rows


def fill(rows: Rows, i: int, filler: np.random.Generator) -> None:
    """The fields that need no thought."""
    row = rows[i]
    row["own_hi"] = row["own_lo"] % 2
    row["balance"] = filler.choice([0.0, -250.0, 10_000.0, 33.3, math.nan])
    row["born"] = row["ts"] - int(filler.integers(0, 60)) * DAY if filler.random() < 0.5 else math.nan
    row["flags"] = filler.choice([0, int(Flag.ROUND), int(Flag.ROUND | Flag.DECLINED), int(Flag.PREPAID)])
    row["status"] = filler.integers(0, 4)
    for field, n in (
        ("device_lo", 3),
        ("sim_lo", 3),
        ("place_lo", 5),
        ("third_lo", 3),
        ("force", 7),
        ("home", 3),
        ("age", 4),
    ):
        row[field] = filler.integers(0, n)


def carried(n: int, seed: int = 7) -> tuple[Floats, list[dict[str, float]]]:
    """Columns carried to the second pass, as the kernel and as the reference want them."""
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 1.0, 3.5, 30.0, 31.0, math.nan], size=(n, len(INPUTS)))
    return x, [dict(zip(INPUTS, map(float, line), strict=True)) for line in x]


def program_of(catalogue: Catalogue = CATALOGUE, *, second_pass: bool = False) -> Program:
    inputs = {name: i for i, name in enumerate(INPUTS)}
    return compile_program(
        catalogue, Entity.ACCOUNT, second_pass=second_pass, inputs=inputs if second_pass else None
    )


def assert_close(told: Any, expected: Any, what: str) -> None:
    """Equal to 1e-9, relative to what was summed."""
    for i, (a, b) in enumerate(zip(told, expected, strict=True)):
        assert (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9), (
            f"{what} at row {i}: {a!r}, by definition {b!r}"
        )


@contextmanager
def lifetimes(pair: str = "90d", entity: str = "400d") -> Iterator[None]:
    """Shorter memories, so that forgetting is seen in a small stream."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features.declare, "PAIR_LIFETIME", pair)
        patch.setattr(features.program, "PAIR_LIFETIME", pair)
        patch.setattr(features.state, "ENTITY_LIFETIME", duration(entity))
        yield


def check_kernel(
    reference: ModuleType, rows: Rows, *, second_pass: bool = False, pair: str = "90d", entity: str = "400d"
) -> None:
    x, as_dicts = carried(len(rows))
    with lifetimes(pair, entity):
        program = program_of(second_pass=second_pass)
        out, _ = EntityState(program).take(rows, x)
    declared = CATALOGUE.of(Entity.ACCOUNT, second_pass=second_pass)
    expected = reference.features(
        declared,
        rows,
        as_dicts,
        selections=SELECTIONS,
        pair_lifetime=duration(pair),
        entity_lifetime=duration(entity),
    )
    for column, name in enumerate(program.names):
        assert_close(out[:, column], expected[name], name)


@exhaustive
@given(rows=streams())
def test_the_kernel_tells_what_the_definitions_say(reference: ModuleType, rows: Rows) -> None:
    check_kernel(reference, rows)


@exhaustive
@given(rows=streams())
def test_the_second_pass_tells_what_the_definitions_say(reference: ModuleType, rows: Rows) -> None:
    check_kernel(reference, rows, second_pass=True)


@exhaustive
@given(rows=streams())
def test_what_is_forgotten_is_new_again(reference: ModuleType, rows: Rows) -> None:
    check_kernel(reference, rows, pair="8d", entity="20d")


def in_batches(state: EntityState, rows: Rows, x: Floats, cuts: list[int]) -> Floats:
    """The same rows, cut into batches (empty ones too)."""
    edges = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    return np.concatenate([state.take(rows[a:b], x[a:b])[0] for a, b in pairwise(edges)])


@exhaustive
@given(
    rows=streams(longest=60, entities=20),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    lives=st.sampled_from([("90d", "400d"), ("8d", "20d")]),
    second_pass=st.booleans(),
)
def test_batches_growth_and_restarts_change_nothing(
    rows: Rows, cuts: list[int], lives: tuple[str, str], second_pass: bool
) -> None:
    x, _ = carried(len(rows))
    with lifetimes(*lives), pytest.MonkeyPatch.context() as patch:
        program = program_of(second_pass=second_pass)
        whole = EntityState(program)
        expected, _ = whole.take(rows, x)
        patch.setattr(features.state, "_FIRST_ENTITIES", 1)
        patch.setattr(features.state, "_FIRST_PAIRS", 2)
        cut = EntityState(program)
        assert in_batches(cut, rows, x, cuts).tobytes() == expected.tobytes()
        assert (cut.digest(), cut.late, cut.now) == (whole.digest(), whole.late, whole.now)
        one_by_one = EntityState(program)
        assert in_batches(one_by_one, rows, x, list(range(len(rows)))).tobytes() == expected.tobytes()
        assert one_by_one.digest() == whole.digest()

        half = len(rows) // 2
        first = EntityState(program)
        first.take(rows[:half], x[:half])
        dumped = {name: array.copy() for name, array in first.dump().items()}
        again = EntityState(program)
        again.load(dumped)
        assert again.digest() == first.digest()
        assert again.take(rows[half:], x[half:])[0].tobytes() == expected[half:].tobytes()
        assert again.digest() == whole.digest()


@exhaustive
@given(rows=streams(longest=60, entities=5), second_pass=st.booleans())
def test_entities_know_nothing_of_each_other(rows: Rows, second_pass: bool) -> None:
    x, _ = carried(len(rows))
    program = program_of(second_pass=second_pass)
    together, _ = EntityState(program).take(rows, x)
    for own in np.unique(rows["own_lo"]):
        its = rows["own_lo"] == own
        alone, _ = EntityState(program).take(rows[its], x[its])
        assert alone.tobytes() == together[its].tobytes()


def test_distinct_is_exact_at_any_size() -> None:
    n = 60_000
    rows = empty_rows(n)
    rng = np.random.default_rng(3)
    rows["own_lo"] = 1
    rows["ts"] = rows["recorded"] = START + np.arange(n) * SECOND
    rows["other_lo"] = rng.integers(1, 50_000, n)
    rows["kind"], rows["role"] = Kind.FPS, Role.PAYEE
    program = program_of()
    state = EntityState(program)
    x = np.zeros((n, 0))
    out = np.concatenate([state.take(rows[i : i + 7_001], x[i : i + 7_001])[0] for i in range(0, n, 7_001)])
    column = program.names.index("senders_7d_1d")
    seen: set[int] = set()
    expected = []
    for other in rows["other_lo"].tolist():
        seen.add(other)
        expected.append(len(seen))
    assert out[:, column].tolist() == expected


def test_an_event_too_late_for_any_window_is_counted() -> None:
    rows = empty_rows(3)
    rows["own_lo"], rows["other_lo"] = 1, 2
    rows["kind"], rows["role"] = Kind.FPS, Role.PAYEE
    rows["ts"] = [START, START - 30 * DAY, START + SECOND]
    rows["recorded"] = START + 30 * DAY
    state = EntityState(program_of())
    state.take(rows, np.zeros((3, 0)))
    assert state.late == 1


def test_a_stranger_is_looked_at_and_not_remembered() -> None:
    rows = empty_rows(2)
    rows["own_lo"], rows["other_lo"] = [1, 2], 3
    rows["kind"], rows["role"] = Kind.FPS, [Role.PEEK, Role.PAYEE]
    rows["ts"] = rows["recorded"] = START
    state = EntityState(program_of())
    out, slots = state.take(rows, np.zeros((2, 0)))
    assert np.isnan(out[0]).all()
    assert slots.tolist() == [-1, 0]
    assert state.count == 1


def test_a_window_longer_than_pairs_are_remembered_is_refused() -> None:
    catalogue = Catalogue()
    received = Of(catalogue, Entity.ACCOUNT).events("in", words="", roles=[Role.PAYEE], kinds=[Kind.FPS])
    received.distinct("senders", "other", within="120d", every="1d", words="")
    with pytest.raises(FeatureError, match="shorter window"):
        program_of(catalogue)


def test_more_selections_than_the_kernel_can_tell_apart_are_refused() -> None:
    catalogue = Catalogue()
    account = Of(catalogue, Entity.ACCOUNT)
    for n in range(65):
        events = account.events(
            f"in_{n}", words="", roles=[Role.PAYEE], kinds=[Kind.FPS], statuses=[n % 32], hours=[n // 32]
        )
        events.count(f"count_{n}", within="1h", every="1h", words="")
    with pytest.raises(FeatureError, match="more than 64"):
        program_of(catalogue)


def assert_same(twin: pl.DataFrame, names: tuple[str, ...], out: Floats) -> None:
    """Twin and kernel agree to 1e-9 in every column and row."""
    assert tuple(twin.columns) == names
    for column, name in enumerate(names):
        told, expected = twin[name].to_numpy(), out[:, column]
        with np.errstate(invalid="ignore"):  # what is listed for ever is infinite in both
            near = np.abs(told - expected) <= 1e-9 * np.maximum(1.0, np.abs(expected))
        near |= told == expected
        wrong = np.flatnonzero(~(near | (np.isnan(told) & np.isnan(expected))))
        assert not len(wrong), f"{name} at row {wrong[0]}: twin {told[wrong[0]]}, kernel {expected[wrong[0]]}"


@exhaustive
@given(
    rows=streams(longest=60, entities=8),
    lives=st.sampled_from([("90d", "400d"), ("8d", "20d")]),
    second_pass=st.booleans(),
    part=st.sampled_from([17, 1_000]),
)
def test_the_twin_tells_history_as_the_kernel_told_it(
    rows: Rows, lives: tuple[str, str], second_pass: bool, part: int
) -> None:
    x, _ = carried(len(rows))
    inputs = pl.DataFrame(x, schema=list(INPUTS)) if second_pass else None
    with lifetimes(*lives):
        program = program_of(second_pass=second_pass)
        out, _ = EntityState(program).take(rows, x)
        twin = history(CATALOGUE, Entity.ACCOUNT, rows, inputs, second_pass=second_pass, rows_at_a_time=part)
    assert_same(twin, program.names, out)


def busy_stream(n: int, entity: Entity, seed: int = 1) -> Rows:
    """Busy and idle entities over a month, some rows late by up to nine days, some only looking."""
    rng = np.random.default_rng(seed)
    rows = empty_rows(n)
    rows["recorded"] = START + np.sort(rng.integers(0, 30 * DAY, n))
    rows["ts"] = rows["recorded"] - (rng.random(n) < 0.03) * rng.integers(0, 9 * DAY, n)
    rows["own_lo"] = 1 + (n / 20 * rng.random(n) ** 2).astype(np.int64)
    rows["other_lo"] = rng.integers(0, 60, n)
    rows["kind"] = rng.choice(list(Kind), n)
    rows["role"] = rng.choice([*(r for r, of in ENTITY_OF.items() if entity in of), Role.PEEK], n)
    rows["value"] = np.where(rng.random(n) < 0.02, math.nan, np.round(np.exp(rng.normal(8, 2, n)), 2))
    rows["lat"], rows["lon"] = np.array([*SPOTS, *SPOTS[:1] * 8])[rng.integers(0, len(SPOTS) + 8, n)].T
    rows["balance"] = rng.normal(1e5, 1e5, n)
    rows["born"] = np.where(rng.random(n) < 0.3, rows["ts"] - 100.0 * DAY, math.nan)
    rows["flags"] = rng.integers(0, 1 << 45, n)
    fields = {
        "device_lo": 40,
        "sim_lo": 30,
        "place_lo": 50,
        "third_lo": 20,
        "force": 45,
        "home": 45,
        "age": 6,
        "status": 4,
    }
    for field, most in fields.items():
        rows[field] = rng.integers(0, most, n)
    return rows


def test_the_twin_is_the_kernel_on_a_long_stream() -> None:
    rows = busy_stream(100_000, Entity.ACCOUNT)
    program = program_of()
    state, x = EntityState(program), np.zeros((len(rows), 0))
    out = np.concatenate(
        [state.take(rows[i : i + 8_192], x[i : i + 8_192])[0] for i in range(0, len(rows), 8_192)]
    )
    twin = history(
        CATALOGUE, Entity.ACCOUNT, pl.DataFrame({n: rows[n] for n in rows.dtype.names}), rows_at_a_time=40_000
    )
    assert_same(twin, program.names, out)


@pytest.mark.parametrize(
    "entity", sorted({f.entity for f in features.catalogue.all_features()}), ids=lambda e: e.name
)
def test_every_shipped_feature_is_the_same_online_and_offline(reference: ModuleType, entity: Entity) -> None:
    plan = make_plan(SHIPPED, [(f.entity, f.name) for f in SHIPPED.features.values()])
    rows = busy_stream(4_000, entity)
    first, _ = EntityState(plan.first[entity]).take(rows, np.zeros((len(rows), 0)))
    assert_same(history(SHIPPED, entity, rows), plan.first[entity].names, first)
    few = rows[np.isin(rows["own_lo"], [1, 2, 150])]
    expected = reference.features(SHIPPED.of(entity, second_pass=False), few)
    told, _ = EntityState(plan.first[entity]).take(few, np.zeros((len(few), 0)))
    for column, name in enumerate(plan.first[entity].names):
        assert_close(told[:, column], expected[name], name)

    if entity not in SUBJECTS:
        return
    subject = plan.subjects[entity]
    names = subject.columns[: subject.inputs]
    x = np.random.default_rng(2).choice([0.0, 1.0, 12.5, 40.0, math.nan], size=(len(rows), subject.inputs))
    second, _ = EntityState(subject.second).take(rows, x)
    twin = history(SHIPPED, entity, rows, pl.DataFrame(x, schema=list(names)), second_pass=True)
    assert_same(twin, subject.second.names, second)


def test_a_history_of_nothing_has_every_column() -> None:
    twin = history(CATALOGUE, Entity.ACCOUNT, empty_rows(0))
    assert tuple(twin.columns) == program_of().names
    assert twin.is_empty()


def test_parts_of_a_history_say_which_rows_they_are() -> None:
    rows = busy_stream(500, Entity.ACCOUNT)
    parts = list(history_in_parts(CATALOGUE, Entity.ACCOUNT, rows, rows_at_a_time=100))
    assert len(parts) == 5
    assert sorted(row for part in parts for row in part["row"]) == list(range(500))


def test_a_column_that_was_not_carried_is_asked_for_by_name() -> None:
    with pytest.raises(FeatureError, match="account_age"):
        history(CATALOGUE, Entity.ACCOUNT, busy_stream(5, Entity.ACCOUNT), second_pass=True)


def test_a_spread_of_microseconds_is_told_in_a_history_of_weeks() -> None:
    catalogue = Catalogue()
    received = Of(catalogue, Entity.ACCOUNT).events("in", words="", roles=[Role.PAYEE], kinds=[Kind.FPS])
    received.spread("gaps", value=since_last(received), within="7d", every="1d", words="")
    rows = empty_rows(23)
    rows["own_lo"], rows["kind"], rows["role"] = 1, Kind.FPS, Role.PAYEE
    rows["ts"] = rows["recorded"] = START + np.array([*[0] * 20, 1, 20 * DAY, 40 * DAY])
    told = history(catalogue, Entity.ACCOUNT, rows)["gaps"].to_list()
    assert told[20] == pytest.approx(math.sqrt(19), rel=1e-12)


def test_sums_do_not_remember_what_has_left_the_window() -> None:
    catalogue = Catalogue()
    received = Of(catalogue, Entity.ACCOUNT).events("in", words="", roles=[Role.PAYEE], kinds=[Kind.FPS])
    received.total("in_1h", within="1h", every="1m", words="")
    rows = empty_rows(3)
    rows["own_lo"], rows["kind"], rows["role"] = 1, Kind.FPS, Role.PAYEE
    rows["value"] = [1e18 + 1024, 0.1, 0.2]
    rows["ts"] = rows["recorded"] = START + np.array([0, 2, 2]) * HOUR
    assert history(catalogue, Entity.ACCOUNT, rows)["in_1h"].to_list() == pytest.approx(
        [1e18 + 1024, 0.1, 0.3], rel=1e-12
    )
    rows["value"] = 1e300
    with pytest.raises(FeatureError, match="summed exactly"):
        history(catalogue, Entity.ACCOUNT, rows)


def test_a_late_payment_was_not_passed_on_before_the_money_came() -> None:
    rows = empty_rows(3)
    rows["own_lo"], rows["kind"], rows["role"] = 1, Kind.FPS, [Role.PAYEE, Role.PAYER, Role.PAYER]
    rows["ts"] = START + np.array([0, -2, 10]) * MINUTE
    rows["recorded"] = START + HOUR
    program = program_of()
    out, _ = EntityState(program).take(rows, np.zeros((3, 0)))
    assert out[:, program.names.index("passed_on_count_24h_2h")].tolist() == [0, 0, 1]


def test_an_answer_to_a_forgotten_pair_leaves_no_trace_however_batched() -> None:
    rows = empty_rows(8)
    rows["own_lo"], rows["kind"], rows["status"] = 1, Kind.FPS, 1
    rows["role"] = [*[Role.PAYER] * 7, Role.PAYEE]
    rows["other_lo"] = [7, 1, 2, 3, 4, 5, 6, 7]
    rows["ts"] = START + np.array([0, 95, 95, 95, 95, 95, 95, 0]) * DAY
    rows["ts"][-1] += 30 * MINUTE  # in time, but told only when the asking is long forgotten
    rows["recorded"] = START + 95 * DAY
    x = np.zeros((len(rows), 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features.state, "_FIRST_PAIRS", 2)
        program = program_of()
        whole, cut = EntityState(program), EntityState(program)
        whole.take(rows, x)
        in_batches(cut, rows, x, list(range(len(rows))))
    assert cut.digest() == whole.digest()


@pytest.mark.parametrize(("beyond", "new"), [(0, 0.0), (1, 1.0)])
def test_a_pair_is_new_again_just_after_its_lifetime(reference: ModuleType, beyond: int, new: float) -> None:
    rows = empty_rows(2)
    rows["own_lo"], rows["other_lo"], rows["kind"], rows["role"] = 1, 2, Kind.FPS, Role.PAYEE
    rows["ts"] = rows["recorded"] = [START, START + 90 * DAY + beyond]
    check_kernel(reference, rows)
    assert history(CATALOGUE, Entity.ACCOUNT, rows)["new_sender"].to_list() == [1.0, new]


@pytest.mark.parametrize(("beyond", "known"), [(0, 12.0), (1, math.nan)])
def test_an_entity_is_new_again_just_after_its_lifetime(
    reference: ModuleType, beyond: int, known: float
) -> None:
    rows = empty_rows(2)
    rows["own_lo"], rows["kind"], rows["role"], rows["home"] = 1, Kind.FPS, Role.PAYEE, [12, 0]
    rows["ts"] = rows["recorded"] = [START, START + 400 * DAY + beyond]
    check_kernel(reference, rows)
    assert history(CATALOGUE, Entity.ACCOUNT, rows)["home"].to_list() == pytest.approx(
        [12.0, known], nan_ok=True
    )


def test_one_asking_has_one_answer_even_at_the_same_moment(reference: ModuleType) -> None:
    rows = empty_rows(5)
    rows["own_lo"], rows["other_lo"], rows["kind"], rows["status"] = 1, 2, Kind.FPS, 1
    rows["role"] = [Role.PAYER, Role.PAYEE, Role.PAYEE, Role.PAYER, Role.PAYEE]
    rows["ts"] = rows["recorded"] = START + np.array([0, 0, 0, 1, 1]) * MINUTE
    check_kernel(reference, rows)
    assert history(CATALOGUE, Entity.ACCOUNT, rows)["replies_2h_24h_2h"].to_list() == [0, 1, 1, 1, 2]
