import json
import math
import random
import statistics
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.errors import AlertError
from events.tokens import Key, KeyRing, token_of
from models.errors import ModelError
from models.evaluating.intervals import TAIL, Z, poisson, quantile, rate_of, share_of, times_of, wilson
from models.evaluating.published import precision
from models.evaluation import (
    SCHEMA,
    Declared,
    Raised,
    Result,
    Row,
    World,
    evaluate,
    read_alert,
    read_quiet,
    read_truth,
    read_world,
    to_json,
    to_plain,
)

KEYS = KeyRing(Key("k1", b"sixteen bytes or more"))
START = date(2026, 3, 2)
OPENS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
HOUR = 3_600_000_000
DAY = 24 * HOUR
WORLD = World(people=100_000, days=10, start=START, subscriptions=120_000, adults=80_000)
few = settings(deadline=None, derandomize=True, max_examples=60)


def number(n: int) -> str:
    return f"+4477009000{n:02d}"


def account(n: int) -> str:
    return f"000000{n:08d}"


def token(kind: str, value: str) -> str:
    hi, lo = token_of(KEYS.current, kind, value)
    return f"{hi:016x}{lo:016x}"


def said(day: float) -> str:
    return (datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day)).isoformat()


def truth_line(
    kind: str, id: str, typology: str, since: float, until: float | None = None, **more: Any
) -> bytes:
    note = more.pop("note", None)
    row = {"kind": kind, "id": id, "typology": typology, "from": said(since), "event_ids": ["e"] * 12} | more
    if until is not None:
        row["to"] = said(until)
    if note is not None:
        row["note"] = json.dumps(note)
    return json.dumps(row).encode()


def raised(id: str, detector: str, about: str, day: float, **more: Any) -> Raised:
    """An alert of deal_line about a number or of mule_account about an account, raised on a day of the world."""
    deal = detector == "deal_line"
    kind = "number" if deal else "account"
    at = OPENS + round(day * DAY)
    plain: dict[str, Any] = {
        "alert_id": id,
        "case_key": id,
        "detector": detector,
        "threat": "county_lines" if deal else "fraud",
        "typology": "deal_line" if deal else "mule",
        "about": (kind, token(kind, about)),
        "first": at - HOUR,
        "last": at,
        "raised": at,
        "campus": "north-west",
        "order": 1.0,
    }
    return Raised(**(plain | more))


def flares(day: float, **more: Any) -> dict[str, Any]:
    return {"flares": True, "first_flare_day": day} | more


TRUTH = (
    truth_line("line", "line-1.1", "external_line", 1, 4, numbers=[number(1)], note=flares(1.25)),
    truth_line(
        "line",
        "line-1.2",
        "external_line",
        4,
        numbers=[number(2)],
        note=flares(4.5, predecessor="line-1.1", after="number_change"),
    ),
    truth_line("line", "line-2.1", "internal_line", 1, numbers=[number(3)], note={"unseen": "telecoms"}),
    truth_line("line", "line-3.1", "internal_line", -30, numbers=[number(4)], note={"flares": False}),
    truth_line(
        "app_case",
        "app-1",
        "app_purchase",
        2,
        2,
        accounts=[account(1), account(9)],
        note={"victim_account": account(9)},
    ),
    truth_line("mule_network", "app-1.mules", "mule_network", 2, 3, accounts=[account(1), account(2)]),
    truth_line("runner", "line-3.runner-1", "courier", -5, -2, numbers=[number(5)]),
    truth_line("card_ring", "card-1", "card_testing", 3, 4),
    truth_line("innocent", "hairdresser-1", "hairdresser", -1, numbers=[number(20)]),
    truth_line("innocent", "hairdresser-2", "hairdresser", -1, numbers=[number(21)]),
    truth_line("innocent", "gig-worker-1", "gig_worker", -1, accounts=[account(30)]),
)
ALERTS = (
    raised("a1", "deal_line", number(1), 1.5, order=8.0),
    raised("a2", "deal_line", number(2), 5.0),
    raised("a3", "deal_line", number(20), 3.0, order=9.0),
    raised("a4", "deal_line", number(1), 8.0),
    raised("a5", "mule_account", account(1), 2.125),
    raised(
        "a6", "mule_account", account(50), 3.0, related=frozenset({("account", token("account", account(1)))})
    ),
    raised("a7", "mule_account", account(51), 3.5, case_key="a6"),
    raised("a8", "mule_account", account(9), 2.25),
)
DECLARED = (
    Declared("deal_line", "county_lines", "deal_line", "number", 0.2),
    Declared("mule_account", "fraud", "mule", "account", 1.0),
    Declared("sim_farm", "telecoms_fraud", "sim_box", "number", 0.1),
)


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    return read_truth(TRUTH, KEYS, WORLD)


@pytest.fixture(scope="module")
def result(rows: tuple[Row, ...]) -> Result:
    return evaluate(rows, ALERTS, WORLD, declared=DECLARED)


# ------------------------------------------------------------------------------------------------------------ intervals
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@few
def test_wilsons_ends_are_where_the_count_is_just_not_surprising(case: tuple[int, int]) -> None:
    count, of = case

    def surprise(share: float) -> float:
        return abs(count / of - share) - Z * math.sqrt(share * (1 - share) / of)

    def edge(outside: float, inside: float) -> float:
        for _ in range(200):
            middle = (outside + inside) / 2
            outside, inside = (middle, inside) if surprise(middle) > 0 else (outside, middle)
        return inside

    low, high = wilson(count, of)
    assert low == pytest.approx(edge(0.0, count / of) if count else 0.0, abs=1e-9)
    assert high == pytest.approx(edge(1.0, count / of) if count < of else 1.0, abs=1e-9)


def test_a_share_of_nothing_is_none_and_anything_is_possible() -> None:
    assert share_of(0, 0) == msgspec.convert(
        {"count": 0, "of": 0, "share": None, "low": 0.0, "high": 1.0}, type(share_of(0, 0))
    )


@given(st.integers(0, 120))
@few
def test_poissons_ends_leave_a_fortieth_on_either_side(count: int) -> None:
    def at_most(most: int, mean: float) -> float:
        term = total = math.exp(-mean)
        for k in range(1, most + 1):
            term *= mean / k
            total += term
        return total

    low, high = poisson(count)
    assert at_most(count, high) == pytest.approx(TAIL, rel=1e-6)
    assert low == 0.0 if count == 0 else 1 - at_most(count - 1, low) == pytest.approx(TAIL, rel=1e-6)


def test_many_are_as_exact_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = poisson(500)
    monkeypatch.setattr("models.evaluating.intervals.MANY", 10_000)
    assert quick == pytest.approx(poisson(500), rel=1e-4)


def test_a_rate_without_exposure_is_none() -> None:
    assert rate_of(3, 0).rate is None
    assert rate_of(0, 10).high == pytest.approx(
        0.3689, abs=1e-4
    )  # the rule of three, made exact for both sides


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=30))
@few
def test_quartiles_are_those_of_the_standard_library(micros: list[int]) -> None:
    found = times_of(micros)
    lower, middle, upper = statistics.quantiles([us / HOUR for us in micros], n=4, method="inclusive")
    assert (found.lower_quartile, found.median, found.upper_quartile) == pytest.approx((lower, middle, upper))


def test_a_quantile_of_one_value_is_that_value() -> None:
    assert quantile([7.0], 0.25) == 7.0


# ------------------------------------------------------------------------------------- a world where all is known
def test_the_whole_in_a_few_numbers(result: Result) -> None:
    totals = result.totals
    assert (totals.crimes, totals.found) == (5, 4)
    assert (totals.alerts, totals.true, totals.false) == (8, 4, 4)
    assert totals.precision == share_of(4, 8)
    assert (totals.cases, totals.true_cases) == (7, 4)
    assert totals.rate.rate == 0.8
    assert (totals.outside_days, totals.nameless) == (1, 1)


def test_recall_by_typology_by_kind_and_in_all(result: Result) -> None:
    found = {(row.level, row.name): (row.crimes, row.found, row.alerts) for row in result.typologies}
    assert found == {
        ("typology", "app_purchase"): (1, 1, 2),
        ("typology", "external_line"): (2, 2, 2),
        ("typology", "internal_line"): (1, 0, 0),
        ("kind", "line"): (3, 2, 2),
        ("typology", "mule_network"): (1, 1, 1),
        ("all", "all crimes"): (5, 4, 4),
    }
    assert all(row.recall == share_of(row.found, row.crimes) for row in result.typologies)


def test_lead_time_from_the_start_and_from_the_first_flare(result: Result) -> None:
    lead = {row.name: row.lead for row in result.typologies}["line"]
    assert lead.curve == (12.0, 24.0)
    assert (lead.began, lead.found, lead.hours.median) == (2, 2, 18.0)
    assert (lead.hours.lower_quartile, lead.hours.upper_quartile) == (15.0, 21.0)
    assert lead.from_flare.median == 9.0  # 6 and 12 hours
    assert lead.within_24h == share_of(2, 2)
    assert lead.flare_within_24h == lead.flare_within_48h == share_of(2, 2)
    assert (lead.standing, lead.standing_found) == (1, 0)


def test_found_soon_after_the_first_advert_is_of_lines_that_first_advertised_in_these_days() -> None:
    lines = [
        truth_line("line", "late.1", "external_line", -9, numbers=[number(1)], note=flares(4.0)),
        truth_line("line", "long.1", "external_line", -9, numbers=[number(2)], note=flares(-3.0)),
        truth_line("line", "last.1", "external_line", 1, numbers=[number(3)], note=flares(9.5)),
        truth_line("line", "slow.1", "external_line", 1, numbers=[number(4)], note=flares(3.0)),
        truth_line("line", "mute.1", "external_line", 1, numbers=[number(5)], note={"flares": False}),
    ]
    alerts = [raised("a1", "deal_line", number(1), 5.5), raised("a2", "deal_line", number(4), 4.75)]
    found = evaluate(read_truth(lines, KEYS, WORLD), alerts, WORLD)
    lead = found.typologies[0].lead
    assert lead.flare_within_24h == share_of(0, 2)
    assert lead.flare_within_48h == share_of(2, 2)


def test_each_detector_has_its_precision_recall_and_budget(result: Result) -> None:
    deal, mule, silent = result.detectors
    assert (deal.id, deal.alerts, deal.true, deal.false) == ("deal_line", 4, 2, 2)
    assert (deal.crimes, deal.found, deal.scope) == (3, 2, "line")
    assert deal.spent.rate == pytest.approx(4 / 12)
    assert deal.within_budget is False
    assert (mule.alerts, mule.true, mule.about_victim, mule.same_threat) == (4, 2, 1, 2)
    assert mule.within_budget is True
    assert mule.hours.median == 3.0
    assert (silent.id, silent.alerts, silent.precision.share) == ("sim_farm", 0, None)
    assert [(row.name, row.alerts, row.true) for row in result.alert_typologies] == [
        ("deal_line", 4, 2),
        ("mule", 4, 2),
    ]


def test_false_alarms_by_kind_of_innocent(result: Result) -> None:
    found = {row.kind: (row.alerts, row.alerted) for row in result.false_alarms}
    assert found == {
        "hairdresser": (1, share_of(1, 2)),
        "gig_worker": (0, share_of(0, 1)),
        "line outside its dates": (1, None),
        "contact of a crime": (1, None),
        "ordinary": (1, None),
    }
    assert sum(row.alerts for row in result.false_alarms) == result.totals.false


def test_precision_at_the_published_prevalence(result: Result) -> None:
    lines = {row.name: row for row in result.prevalence}["county lines"]
    assert lines.recall == share_of(2, 3)
    assert lines.false.rate == pytest.approx(0.2)  # two of them, where 100,000 people lived ten days
    found = 800 / 693 * 2 / 3
    assert lines.precision == pytest.approx(found / (found + 2))
    worst = 600 / 693 * lines.recall.low
    assert lines.low == pytest.approx(worst / (worst + poisson(2)[1]))
    assert lines.low is not None
    assert lines.high is not None
    assert lines.low < found / (found + 2) < lines.high
    assert lines.false_from == "this world"


@pytest.mark.parametrize(("wrong", "right"), [(1e-3, 0.007), (1e-4, 0.066), (1e-5, 0.41), (1e-6, 0.88)])
def test_precision_is_that_of_the_base_rate_table(wrong: float, right: float) -> None:
    assert precision(800 * 0.8, 91_100_000 * wrong) == pytest.approx(right, rel=0.01)


def test_a_quiet_world_gives_its_false_alarms(rows: tuple[Row, ...], result: Result) -> None:
    quiet = read_quiet(to_json(result), "quiet.json", SCHEMA)
    assert quiet.false_by_threat == {"county_lines": 2, "fraud": 2, "telecoms_fraud": 0}
    silent = msgspec.structs.replace(quiet, exposure=1_000.0, false_by_threat={})
    lines = evaluate(rows, ALERTS, WORLD, quiet=silent).prevalence[0]
    assert lines.precision == 1.0
    assert lines.low is not None
    assert lines.low < 1.0  # none seen is not none at all
    assert lines.false_from == "quiet.json"


def test_at_capacity_the_first_of_each_week_count(result: Result) -> None:
    by_week = {row.a_week: row for row in result.capacity}
    assert (by_week[1].taken, by_week[1].precision.count) == (2, 0)  # the hairdresser; the late one
    assert (by_week[2].taken, by_week[2].precision.count, by_week[2].found.count) == (3, 1, 1)
    assert (by_week[20].taken, by_week[20].precision.count, by_week[20].found.count) == (8, 4, 4)
    assert [(row.campus, row.alerts, row.taken) for row in result.campuses] == [("north-west", 8, 8)]


def test_a_line_is_found_again_after_it_changed_its_number(result: Result) -> None:
    every, changed = result.refound
    assert (every.after, changed.after) == ("any change", "number_change")
    assert (every.changes, every.known, every.refound.count, every.known_refound.count) == (1, 1, 1, 1)
    assert every.hours.median == 24.0
    assert every.from_flare.median == 12.0


def test_what_no_stream_sees_is_apart(result: Result) -> None:
    (unseen,) = result.unseen
    assert (unseen.typology, unseen.stream, unseen.crimes) == ("internal_line", "telecoms", 1)
    assert unseen.found == share_of(0, 1)


def test_what_was_missed_says_why(result: Result) -> None:
    (missed,) = result.missed
    assert missed.id == "line-3.1"
    assert missed.why == ("never advertises",)


def test_the_result_is_told_as_json_that_comes_back(result: Result) -> None:
    assert msgspec.json.decode(to_json(result), type=Result) == result
    assert to_plain(result)["schema"] == SCHEMA


# ------------------------------------------------------------------------------------------------------ whatever comes
def test_the_order_of_alerts_and_repeats_change_nothing(rows: tuple[Row, ...], result: Result) -> None:
    older = [msgspec.structs.replace(alert, revision=-1, order=99.0) for alert in ALERTS]
    many = [*ALERTS, *older, *ALERTS]
    for seed in range(10):
        random.Random(seed).shuffle(many)
        assert to_json(evaluate(rows, many, WORLD, declared=DECLARED)) == to_json(result)


def test_a_crime_found_by_many_alerts_is_found_once(rows: tuple[Row, ...]) -> None:
    alerts = [raised(f"b{k}", "deal_line", number(1), 1.5 + k / 100) for k in range(30)]
    found = evaluate(rows, alerts, WORLD)
    assert (found.totals.found, found.totals.true) == (1, 30)
    assert all(row.found <= row.crimes for row in found.typologies)
    assert found.capacity[-1].found.count == 1


@pytest.mark.parametrize(
    ("first", "last", "true"),
    [(-9, -3, False), (-9, -2, True), (0, 0, True), (-50, 90, True), (12, 20, True), (13, 20, False)],
)
def test_evidence_counts_within_the_grace_on_either_side(first: int, last: int, true: bool) -> None:
    crime = Row(
        id="c", kind="line", typology="internal_line", subjects=frozenset({("number", token("number", number(1)))}),
        start=OPENS + 3 * DAY, end=OPENS + 3 * DAY + 10 * HOUR, events=20,
    )  # fmt: skip
    alert = raised(
        "a", "deal_line", number(1), 5, first=crime.start + first * HOUR, last=crime.start + last * HOUR
    )
    assert evaluate([crime], [alert], WORLD, grace_hours=2).totals.found == true


NAMES = st.integers(0, 3).map(lambda n: ("number", f"{n:032x}"))
CRIMES = st.builds(
    lambda subjects, start, length, typology: (frozenset(subjects), start, start + length, typology),
    st.sets(NAMES, max_size=3), st.integers(0, 200), st.integers(0, 60), st.sampled_from(["a", "b", "innocent"]),
)  # fmt: skip
RAISED = st.tuples(
    NAMES, st.integers(0, 230), st.integers(0, 30), st.integers(0, 3), st.sampled_from("xy"), st.integers(0, 20)
)  # fmt: skip


def made(crimes: Sequence[Any], alerts: Sequence[Any]) -> tuple[list[Row], list[Raised]]:
    rows = [
        Row(
            id=f"c{n}", kind="innocent" if typology == "innocent" else "line", typology=typology, subjects=subjects,
            start=OPENS + start * HOUR, end=OPENS + end * HOUR, events=20,
        )
        for n, (subjects, start, end, typology) in enumerate(crimes)
    ]  # fmt: skip
    told = [
        Raised(
            alert_id=f"a{n}", detector=detector, threat="county_lines", typology="deal_line", about=about,
            first=OPENS + first * HOUR, last=OPENS + (first + lasts) * HOUR, raised=OPENS + (first + wait) * HOUR,
            campus=detector, order=float(order),
        )
        for n, (about, first, lasts, wait, detector, order) in enumerate(alerts)
    ]  # fmt: skip
    return rows, told


@given(st.lists(CRIMES, max_size=8), st.lists(RAISED, max_size=12), st.integers(0, 30))
@few
def test_counts_are_those_of_a_slow_and_obvious_reckoning(
    crimes: list[Any], alerts: list[Any], grace: int
) -> None:
    rows, told = made(crimes, alerts)
    result = evaluate(rows, told, WORLD, grace_hours=grace)
    guilty = [row for row in rows if row.kind == "line" and row.subjects and row.start < OPENS + 10 * DAY]

    def hits(alert: Raised, row: Row) -> bool:
        assert row.end is not None
        hours = range((alert.first - OPENS) // HOUR, (alert.last - OPENS) // HOUR + 1)
        dates = range((row.start - OPENS) // HOUR - grace, (row.end - OPENS) // HOUR + grace + 1)
        return alert.about in row.subjects and any(hour in dates for hour in hours)

    true = {a.alert_id for a in told for row in rows if row.kind == "line" and hits(a, row)}
    found = {row.id for row in guilty for a in told if hits(a, row)}
    assert result.totals.crimes == len(guilty)
    assert result.totals.found == len(found)
    assert (result.totals.true, result.totals.false) == (len(true), len(told) - len(true))
    assert {each.id for each in result.missed} == {row.id for row in guilty} - found
    assert sum(row.found for row in result.typologies if row.level == "typology") == len(found)
    assert sum(row.alerts for row in result.false_alarms) == len(told) - len(true)
    waits = sorted(
        max(0, min(a.raised for a in told if hits(a, row)) - row.start) / HOUR
        for row in guilty
        if row.id in found
    )
    assert sorted(h for row in result.typologies if row.level == "typology" for h in row.lead.curve) == waits


@given(st.lists(CRIMES, max_size=6), st.lists(RAISED, max_size=14), st.integers(1, 4))
@few
def test_capacity_takes_the_best_that_are_left_again_and_again(
    crimes: list[Any], alerts: list[Any], n: int
) -> None:
    rows, told = made(crimes, alerts)
    taken: list[Raised] = []
    for campus in "xy":
        for week in range(3):
            left = [a for a in told if a.campus == campus and (a.raised - OPENS) // (7 * DAY) == week]
            for _ in range(min(n, len(left))):
                best = max(a.order for a in left)
                oldest = min(a.raised for a in left if a.order == best)
                first = min(
                    (a for a in left if (a.order, a.raised) == (best, oldest)), key=lambda a: a.alert_id
                )
                left.remove(first)
                taken.append(first)
    only = evaluate(rows, taken, WORLD, capacity=n)
    row = next(row for row in evaluate(rows, told, WORLD, capacity=n).capacity if row.a_week == n)
    assert row.taken == len(taken)
    assert row.precision == only.totals.precision
    assert row.found == only.totals.recall


@given(st.lists(CRIMES, max_size=6), st.lists(RAISED, max_size=10), st.randoms(use_true_random=False))
@few
def test_no_order_of_alerts_changes_anything(
    crimes: list[Any], alerts: list[Any], chance: random.Random
) -> None:
    rows, told = made(crimes, alerts)
    before = to_json(evaluate(rows, told, WORLD))
    chance.shuffle(told)
    assert to_json(evaluate(rows, told, WORLD)) == before


def test_a_world_without_crimes_or_alerts_has_no_shares() -> None:
    empty = evaluate((), (), WORLD)
    assert empty.totals.recall.share is None
    assert empty.totals.precision.share is None
    assert empty.typologies == empty.prevalence == empty.missed == ()


# ---------------------------------------------------------------------------------------------------- what is read
def test_subjects_named_in_a_note_and_an_earlier_key_count_too() -> None:
    ring = KeyRing(KEYS.current, Key("k0", b"another sixteen bytes"))
    line = truth_line("card_ring", "c", "card_testing", 1, 2, note={"merchants": ["m1"], "cards": ["tok_1"]})
    (row,) = read_truth([line], ring, WORLD)
    assert {kind for kind, _ in row.subjects} == {"merchant", "card"}
    assert len(row.subjects) == 4


def test_the_day_of_the_first_flare_is_by_british_clocks() -> None:
    summer = World(people=1, days=30, start=date(2026, 3, 20))
    line = truth_line("line", "l.1", "internal_line", 0, numbers=[number(1)], note=flares(12.5))
    (row,) = read_truth([line], KEYS, summer)
    noon = datetime(2026, 4, 1, 11, tzinfo=UTC)  # noon in summer time
    assert row.first_flare == int(noon.timestamp()) * 1_000_000


@pytest.mark.parametrize("line", [b"{", b'{"kind": "line"}', b"[1]", truth_line("witchcraft", "w", "w", 1)])
def test_truth_that_cannot_be_read_is_refused_with_its_line(line: bytes) -> None:
    with pytest.raises(ModelError, match="Line 2"):
        read_truth([TRUTH[0], line], KEYS, WORLD)


def test_one_id_twice_is_refused() -> None:
    with pytest.raises(ModelError, match="second time"):
        read_truth([TRUTH[0], TRUTH[0]], KEYS, WORLD)


@pytest.mark.parametrize("line", [b"not json", b"{}", b"[]", b'{"type": "linewatch.alert.v1"}'])
def test_a_line_that_is_no_alert_is_refused(line: bytes) -> None:
    with pytest.raises(AlertError):
        read_alert(line)


def test_the_worlds_size_can_be_said_outright() -> None:
    raw = json.dumps({"people": 5, "days": 3, "start": "2026-03-02", "seed": 1, "sources": {}}).encode()
    assert read_world(raw) == World(people=5, days=3, start=START)
    assert read_world(raw, people=7, days=2) == World(people=7, days=2, start=START)
    with pytest.raises(ModelError, match="--people"):
        read_world(b"{}")


@pytest.mark.parametrize(
    "raw", [b"{", b"{}", b'{"schema":"other","world":{"people":1,"days":1},"detectors":[]}']
)
def test_a_quiet_world_that_is_no_result_is_refused(raw: bytes) -> None:
    with pytest.raises(ModelError, match=r"q\.json"):
        read_quiet(raw, "q.json", SCHEMA)


def test_alerts_nobody_in_truth_is_in_bring_a_warning(rows: tuple[Row, ...]) -> None:
    strangers = [raised("z", "deal_line", number(77), 2.0)]
    assert any("token key" in words for words in evaluate(rows, strangers, WORLD).warnings)
    assert not any("token key" in words for words in evaluate(rows, ALERTS, WORLD).warnings)


def test_those_whose_numbers_were_shown_are_victims_of_the_crime() -> None:
    shown = truth_line(
        "cli_spoofing",
        "cli-1",
        "cli_spoofing",
        1,
        2,
        numbers=[number(60)],
        note={"victims": [number(61), number(62)]},
    )
    (row,) = read_truth([shown], KEYS)
    assert {name for _, name in row.victims} == {token("number", number(61)), token("number", number(62))}
    assert len(row.subjects) == 3
