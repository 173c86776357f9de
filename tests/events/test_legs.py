"""Legs: one payment told by two banks is one payment, and notices find the payment they speak of."""

import math

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.recfunctions import repack_fields

from events.codes import STATUSES, code_of
from events.frames import column
from events.legs import ADDS_OF, Legs

SECOND = 1_000_000
START = 1_750_000_000
HORIZON = 10
INITIATED, ACCEPTED, REJECTED, RETURNED, RECALLED = (code_of(STATUSES, word) for word in STATUSES)

exact = settings(deadline=None, derandomize=True, max_examples=80)

Row = tuple[int, int, int, int, float, int, int, int]
"""payment (0 none), status, payer, payee (0 absent), amount (NaN absent), seconds on, new payee (0 not said), payee's age"""

row_strategy = st.tuples(
    st.integers(0, 4),
    st.integers(1, 5),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from([math.nan, 5.0, 9.0]),
    st.integers(-2, 6),
    st.integers(0, 2),
    st.integers(0, 2),
)


def frame_of(rows: list[Row], whens: list[int]) -> pl.DataFrame:
    def words(place: int) -> list[int]:
        return [int(row[place]) << 58 for row in rows]

    return pl.DataFrame(
        {
            "recorded_ts": [when * SECOND for when in whens],
            "status": pl.Series([row[1] for row in rows], dtype=pl.UInt8),
            "amount_minor": [row[4] for row in rows],
            "new_payee": pl.Series([row[6] for row in rows], dtype=pl.UInt8),
            "payee_age_band": pl.Series([row[7] for row in rows], dtype=pl.UInt8),
            **{
                f"{name}_{half}": pl.Series(words(place) if half == "hi" else [row[place] for row in rows], dtype=pl.UInt64)
                for name, place in (("payment", 0), ("payer_account", 2), ("payee_account", 3))
                for half in ("hi", "lo")
            },
        },
        schema_overrides={"recorded_ts": pl.Int64, "amount_minor": pl.Float64},
    )  # fmt: skip


def timed(rows: list[Row]) -> list[int]:
    return (START + np.cumsum([row[5] for row in rows])).astype(int).tolist()


def slow(rows: list[Row]) -> list[tuple[int, int, int, int, str, int, int, bool]]:
    """take_payer, take_payee, payer, payee, amount, new payee, what is added and whether unmatched, the plain way."""
    kept: dict[int, dict[str, object]] = {}
    newest, out = 0, []
    for (payment, status, payer, payee, amount, _, new, age), when in zip(rows, timed(rows), strict=True):
        newest = max(newest, when)
        if not payment:
            out.append((int(payer > 0), int(payee > 0), payer, payee, str(amount), new, 0, False))
            continue
        notice = status > ACCEPTED
        memory = kept.get(payment)
        if memory is not None and memory["when"] < newest - HORIZON:  # type: ignore[operator]
            memory = None
        if memory is None:
            if not payer and not payee:
                out.append((0, 0, 0, 0, str(amount), new, 0, notice))
                continue
            memory = kept[payment] = {
                "when": when,
                "payer": 0,
                "payee": 0,
                "amount": math.nan,
                "taken": set(),
                "new": 0,
                "age": 0,
            }
        memory["payer"] = memory["payer"] or payer
        memory["payee"] = memory["payee"] or payee
        if math.isnan(memory["amount"]):  # type: ignore[arg-type]
            memory["amount"] = amount
        if notice:
            payer, payee = payer or memory["payer"], payee or memory["payee"]  # type: ignore[assignment]
            amount = memory["amount"] if math.isnan(amount) else amount  # type: ignore[assignment]
        takes = []
        for role, account in (("payer", payer), ("payee", payee)):
            key = (role, status if notice else 0)
            takes.append(int(bool(account) and key not in memory["taken"]))  # type: ignore[operator]
            if account:
                memory["taken"].add(key)  # type: ignore[attr-defined]
        adds = 0
        if not notice:
            if not memory["new"]:
                adds |= new > 0
            if not memory["age"]:
                adds |= ADDS_OF["payee"] * (age > 0)
            new = memory["new"] = memory["new"] or new  # type: ignore[assignment]
            memory["age"] = memory["age"] or age
            if not any(account and not took for account, took in zip((payer, payee), takes, strict=True)):
                adds = 0
        out.append((*takes, payer, payee, str(amount), new, adds, False))
    return out  # type: ignore[return-value]


def fed(
    legs: Legs, rows: list[Row], whens: list[int]
) -> tuple[list[tuple[int, int, int, int, str, int, int]], int]:
    taken = legs.take(frame_of(rows, whens))
    columns = [
        "take_payer",
        "take_payee",
        "payer_account_lo",
        "payee_account_lo",
        "amount_minor",
        "new_payee",
    ]
    assert (taken.frame["payer_account_hi"] == taken.frame["payer_account_lo"] * 2**58).all()
    assert (taken.frame["payee_account_hi"] == taken.frame["payee_account_lo"] * 2**58).all()
    adds = column(taken.frame, "payments", "adds")
    assert taken.added == (adds != 0).sum()
    read = taken.frame.select(*columns, adds.alias("adds")).rows()
    return [(*row[:4], str(row[4]), *row[5:]) for row in read], taken.unmatched_status


@exact
@given(st.lists(row_strategy, min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_legs_are_those_of_a_plain_dictionary_however_the_rows_are_batched(
    rows: list[Row], ends: list[int]
) -> None:
    legs, whens = Legs(HORIZON * SECOND), timed(rows)
    got, unmatched, begin = [], 0, 0
    for end in [*sorted(min(end, len(rows)) for end in ends), len(rows)]:
        found, missed = fed(legs, rows[begin:end], whens[begin:end])
        got, unmatched, begin = got + found, unmatched + missed, end
    expected = slow(rows)
    assert got == [row[:7] for row in expected]
    assert unmatched == sum(row[7] for row in expected)


@exact
@given(st.lists(row_strategy, min_size=1, max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_a_restored_memory_takes_legs_like_the_one_it_was_taken_from(
    rows: list[Row], first: int, second: int
) -> None:
    first, second = sorted((min(first, len(rows)), min(second, len(rows))))
    legs, other, whens = Legs(HORIZON * SECOND), Legs(HORIZON * SECOND), timed(rows)
    fed(legs, rows[:first], whens[:first])
    changes = [legs.changes()]
    fed(legs, rows[first:second], whens[first:second])
    other.restore([*changes, legs.changes()])
    assert fed(other, rows[second:], whens[second:]) == fed(legs, rows[second:], whens[second:])
    assert other.changes().tobytes() == legs.changes().tobytes()


def test_the_same_payment_from_two_banks_takes_each_role_once() -> None:
    rows: list[Row] = [(1, ACCEPTED, 1, 2, 5.0, 0, 0, 0), (1, ACCEPTED, 1, 2, 5.0, 1, 0, 0)]
    got, _ = fed(Legs(HORIZON * SECOND), rows, timed(rows))
    assert [row[:2] for row in got] == [(1, 1), (0, 0)]


def test_a_second_bank_takes_the_role_the_first_could_not_name() -> None:
    rows: list[Row] = [(1, ACCEPTED, 1, 0, 5.0, 0, 0, 0), (1, ACCEPTED, 1, 2, 5.0, 1, 0, 0)]
    got, _ = fed(Legs(HORIZON * SECOND), rows, timed(rows))
    assert [row[:2] for row in got] == [(1, 0), (0, 1)]


def test_a_second_record_tells_what_it_is_the_first_to_say_and_no_more() -> None:
    rows: list[Row] = [
        (1, ACCEPTED, 1, 2, 5.0, 0, 0, 1),  # the payee's bank: how old its customer is
        (1, ACCEPTED, 1, 2, 5.0, 1, 2, 0),  # the payer's: new to the payer
        (1, ACCEPTED, 1, 2, 5.0, 1, 2, 1),
    ]
    got, _ = fed(Legs(HORIZON * SECOND), rows, timed(rows))
    assert [row[6] for row in got] == [0, 1, 0]


def test_a_role_taken_later_knows_what_was_said_before() -> None:
    rows: list[Row] = [(1, ACCEPTED, 1, 0, 5.0, 0, 2, 0), (1, ACCEPTED, 0, 2, 5.0, 1, 0, 0)]
    got, _ = fed(Legs(HORIZON * SECOND), rows, timed(rows))
    assert [(row[1], row[5], row[6]) for row in got] == [(0, 2, 0), (1, 2, 0)]


def test_a_memory_written_before_sayings_were_kept_is_taken_up() -> None:
    rows: list[Row] = [(1, ACCEPTED, 1, 2, 5.0, 0, 0, 1)]
    old, new = Legs(HORIZON * SECOND), Legs(HORIZON * SECOND)
    fed(old, rows, timed(rows))
    kept = old.changes()
    fields = [name for name in kept.dtype.names or () if name != "said"]
    new.restore([repack_fields(kept[fields])])
    got, _ = fed(new, rows, timed(rows))
    assert got[0][:2] == (0, 0)


def test_a_recall_that_brings_only_the_id_finds_accounts_and_amount() -> None:
    rows: list[Row] = [(1, ACCEPTED, 1, 2, 5.0, 0, 0, 0), (1, RECALLED, 0, 0, math.nan, 3, 0, 0)]
    got, unmatched = fed(Legs(HORIZON * SECOND), rows, timed(rows))
    assert got[1] == (1, 1, 1, 2, "5.0", 0, 0)
    assert unmatched == 0


def test_a_notice_of_a_payment_nobody_remembers_is_counted() -> None:
    rows: list[Row] = [(1, REJECTED, 0, 0, math.nan, 0, 0, 0), (2, RETURNED, 0, 0, math.nan, 0, 0, 0)]
    got, unmatched = fed(Legs(HORIZON * SECOND), rows, timed(rows))
    assert unmatched == 2
    assert got[0] == (0, 0, 0, 0, "nan", 0, 0)


def test_a_frame_without_payment_ids_takes_the_roles_it_names() -> None:
    frame = frame_of([(0, ACCEPTED, 1, 0, 5.0, 0, 0, 0)], [START]).drop("payment_hi", "payment_lo")
    taken = Legs().take(frame).frame
    assert taken.select("take_payer", "take_payee").rows() == [(1, 0)]
