"""What alerts are worth: money still to come when they were raised, mules found in time, links to the right line."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from events.tokens import Key, KeyRing, token_of
from models.evaluation import Raised, World, evaluate, measure_money, read_truth, read_written

KEYS = KeyRing(Key("k1", b"sixteen bytes or more"))
START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = 3_600_000_000
WORLD = World(people=1_000, days=20, start=date(2026, 3, 2))
VICTIM, PAYEE, MULE, IDLE = (f"000000{n:08d}" for n in range(1, 5))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def us(hours: float) -> int:
    return int(at(hours).timestamp() * 1_000_000)


def raised(id: str, kind: str, about: str, hours: float, **more: Any) -> Raised:
    hi, lo = token_of(KEYS.current, kind, about)
    plain: dict[str, Any] = {
        "alert_id": id, "case_key": id, "detector": "app_scam", "threat": "fraud", "typology": "app_fraud",
        "about": (kind, f"{hi:016x}{lo:016x}"), "first": us(hours), "last": us(hours), "raised": us(hours),
    }  # fmt: skip
    return Raised(**(plain | more))


def paid(n: int, hours: float, payer: str, payee: str, amount: int, **more: Any) -> dict[str, Any]:
    plain = {
        "event_id": f"e{n}", "payment_id": f"p{n}", "ts": at(hours), "recorded_ts": at(hours), "status": "accepted",
        "payer_account": payer, "payee_account": payee, "amount_minor": amount,
    }  # fmt: skip
    return plain | more


def truth(*rows: dict[str, Any]) -> list[bytes]:
    return [json.dumps(row | {"note": json.dumps(row.get("note", {}))}).encode() for row in rows]


TRUTH = truth(
    {
        "kind": "app_case", "id": "a", "typology": "app_romance", "accounts": [VICTIM, PAYEE],
        "from": at(10).isoformat(), "to": at(60).isoformat(),
        "note": {"victim_account": VICTIM, "payees": [PAYEE]},
    },
    {
        "kind": "mule_network", "id": "m", "typology": "mule_network", "accounts": [MULE, IDLE],
        "from": at(9).isoformat(), "to": at(70).isoformat(), "note": {"first_used": {MULE: 0.4}},
    },
)  # fmt: skip
PAYMENTS = pl.LazyFrame(
    [
        paid(1, 10, VICTIM, PAYEE, 10_000),
        paid(1, 10.1, VICTIM, PAYEE, 10_000, event_id="e1b"),  # the other bank's report of the same payment
        paid(2, 30, VICTIM, PAYEE, 20_000),
        paid(3, 60, VICTIM, PAYEE, 70_000),
        paid(4, 61, VICTIM, IDLE, 5_000),  # not to a payee of the fraud
        paid(5, 59, VICTIM, PAYEE, 999_999, status="rejected"),
        paid(6, 12, MULE, IDLE, 1_000),
        paid(7, 14, MULE, IDLE, 1_000),
    ]
)


def test_what_is_paid_after_the_first_alert_could_have_been_saved() -> None:
    alerts = [raised("x", "account", VICTIM, 30.5), raised("y", "account", PAYEE, 40)]
    (value,) = measure_money(read_written(TRUTH), PAYMENTS, alerts, KEYS, 24 * HOUR).values
    assert (value.cases, value.found.count, value.before_last.count) == (1, 1, 1)
    assert (value.paid_minor, value.saved_minor, value.saved) == (100_000, 70_000, 0.7)
    assert value.hours.median == 20.5


def test_nothing_is_saved_by_an_alert_that_comes_too_late_or_about_somebody_else() -> None:
    late = [raised("x", "account", VICTIM, 60.5), raised("y", "account", MULE, 9.5)]
    (value,) = measure_money(read_written(TRUTH), PAYMENTS, late, KEYS, 24 * HOUR).values
    assert (value.found.count, value.before_last.count, value.saved_minor) == (1, 0, 0)
    (value,) = measure_money(read_written(TRUTH), PAYMENTS, late[1:], KEYS, 24 * HOUR).values
    assert (value.found.count, value.saved_minor) == (0, 0)


def test_a_mule_counts_in_time_until_it_passes_money_on_again() -> None:
    for hours, in_time in ((11, 1), (14, 1), (14.5, 0)):
        mules = measure_money(
            read_written(TRUTH), PAYMENTS, [raised("x", "account", MULE, hours)], KEYS, 24 * HOUR
        ).mules
        assert mules is not None
        assert (mules.accounts, mules.found.count, mules.passing) == (1, 1, 1)  # one was never used
        assert mules.before_second.count == in_time


def test_what_a_mule_spends_on_its_own_life_is_not_passed_on() -> None:
    told = [{**json.loads(row), "event_ids": ["e6", "e9"]} for row in TRUTH[1:]]
    more = pl.LazyFrame([paid(8, 13, MULE, VICTIM, 500), paid(9, 15, MULE, IDLE, 1_000)])
    both = pl.concat([PAYMENTS, more])
    for hours, in_time in ((14.5, 1), (15.5, 0)):
        rows = read_written([json.dumps(row).encode() for row in told])
        mules = measure_money(rows, both, [raised("x", "account", MULE, hours)], KEYS, 24 * HOUR).mules
        assert mules is not None
        assert (mules.passing, mules.before_second.count) == (1, in_time)


def test_a_new_number_must_be_tied_to_its_own_line() -> None:
    numbers = [f"+4477009000{n:02d}" for n in range(4)]
    rows = read_truth(
        truth(
            *(
                {
                    "kind": "line", "id": f"{brand}.{n}", "typology": "external_line", "numbers": [number],
                    "from": at(24 * day).isoformat(), "to": at(24 * day + 96).isoformat(),
                    "note": {"line": brand, "flares": True, "first_flare_day": day + 0.25}
                    | ({"predecessor": f"{brand}.1", "after": "number_change"} if n == 2 else {}),
                }
                for brand, n, number, day in (
                    ("a", 1, numbers[0], 1), ("a", 2, numbers[1], 5), ("b", 1, numbers[2], 1), ("b", 2, numbers[3], 5),
                )
            )
        ),
        KEYS,
        WORLD,
    )  # fmt: skip

    def tied(id: str, new: str, old: str, day: float) -> Raised:
        hi, lo = token_of(KEYS.current, "number", old)
        return raised(
            id, "number", new, 24 * day, detector="line_reemergence", typology="line_reemergence",
            threat="county_lines", related=frozenset({("number", f"{hi:016x}{lo:016x}")}),
        )  # fmt: skip

    alerts = [tied("x", numbers[1], numbers[0], 5.5), tied("y", numbers[3], numbers[0], 5.5)]
    found = [
        raised(
            "z", "number", numbers[2], 26, threat="county_lines", detector="deal_line", typology="deal_line"
        )
    ]
    links = evaluate(rows, [*alerts, *found], WORLD).links
    assert links is not None
    assert (links.alerts, links.right.count) == (2, 1)
    assert (links.soon.count, links.soon.of) == (1, 2)
    assert (links.known_soon.count, links.known_soon.of) == (0, 1)
    late = evaluate(rows, [tied("x", numbers[1], numbers[0], 6.5)], WORLD).links
    assert late is not None
    assert (late.right.count, late.soon.count) == (1, 0)
    assert evaluate(rows, found, WORLD).links is None


def test_an_alert_about_a_handset_is_about_those_who_hold_it() -> None:
    rows = read_truth(
        truth(
            {
                "kind": "sim_box", "id": "s", "typology": "sim_box", "numbers": ["+447700900001"],
                "from": at(1).isoformat(), "to": at(90).isoformat(),
            }
        ),
        KEYS,
        WORLD,
    )  # fmt: skip
    hi, lo = token_of(KEYS.current, "number", "+447700900001")
    held = frozenset({("number", f"{hi:016x}{lo:016x}")})
    box = raised(
        "x", "handset", "00100000000000", 5, related=held, detector="sim_box", threat="telecoms_fraud"
    )
    assert evaluate(rows, [box], WORLD).totals.true == 1
    stranger = raised("x", "handset", "00100000000000", 5, detector="sim_box", threat="telecoms_fraud")
    assert evaluate(rows, [stranger], WORLD).totals.true == 0
