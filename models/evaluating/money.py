"""What the alerts were worth in money: payments of a fraud still to come when it was found, and mules found in time.

Truth names the accounts; when money moved between them stands in the payments of the same world, read here as they
were written and held against truth after the run. A payment counts once, however many banks reported it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import polars as pl

from events.tokens import KeyRing
from models.evaluating.intervals import HOURS_US, Share, Times, share_of, times_of
from models.evaluating.raised import Raised
from models.evaluating.truth import NEVER, Name, Written, names_of, note_of

FRAUD: Final = "app_case"
MULES: Final = "mule_network"
COLUMNS: Final = (
    "ts",
    "recorded_ts",
    "status",
    "payment_id",
    "event_id",
    "payer_account",
    "payee_account",
    "amount_minor",
)
_DAY_US: Final = 24 * HOURS_US


class OfValue(msgspec.Struct, frozen=True, kw_only=True):
    """One type of payment fraud: found or not, when, and how much of the money had not yet gone."""

    typology: str
    cases: int
    found: Share
    """Cases about whose victim or payee an alert was raised, at any time."""
    before_last: Share
    """Those found before their last payment."""
    hours: Times
    """From the first payment to the first alert; below nought: the payee was known before."""
    paid_minor: int
    saved_minor: int
    """Payments recorded after the alert: what could still have been kept, had it been acted upon at once."""
    saved: float | None


class OfMules(msgspec.Struct, frozen=True, kw_only=True):
    """Mule accounts, each by itself: found, and found before it passed money on for the second time."""

    accounts: int
    found: Share
    passing: int
    """Those that passed the crime's money on at least twice in these days: see `_passed_on`."""
    before_second: Share


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What the alerts were worth in money."""

    values: tuple[OfValue, ...] = ()
    whole_calls: tuple[OfValue, ...] = ()
    """The same by the alerts of another run, which was told of calls only when they were over."""
    mules: OfMules | None = None


class _Moved(msgspec.Struct, frozen=True):
    ts: int
    recorded: int
    amount: int


class _Case(msgspec.Struct, frozen=True):
    typology: str
    names: frozenset[Name]
    start: int
    end: int
    payments: tuple[_Moved, ...]


def measure_money(
    rows: Iterable[Written],
    payments: pl.LazyFrame,
    alerts: Sequence[Raised],
    keys: KeyRing,
    grace: int,
    closes: int | None = None,
) -> Money:
    """Measure both; `payments` are contract records of the world, `grace` in microseconds, `closes` its end."""
    end = NEVER if closes is None else closes
    told = [row for row in rows if row.kind in (FRAUD, MULES) and row.start < end]
    frauds = [row for row in told if row.kind == FRAUD]
    mules = [row for row in told if row.kind == MULES]
    moved = _moved(payments, {account for row in told for account in row.accounts}, end)
    by_name: defaultdict[Name, list[Raised]] = defaultdict(list)
    for alert in alerts:
        by_name[alert.about].append(alert)
    cases = [case for row in frauds if (case := _case(row, moved, keys)).payments]
    return Money(
        values=_values(cases, by_name, grace),
        mules=_mules(mules, moved, by_name, keys, grace) if mules else None,
    )


def _moved(payments: pl.LazyFrame, accounts: set[str], end: int) -> pl.DataFrame:
    """Accepted payments out of the accounts in truth, each once (its first report), times in microseconds."""
    there = payments.collect_schema().names()
    frame = payments.select(
        pl.col(name) if name in there else pl.lit(None, dtype=pl.String).alias(name) for name in COLUMNS
    )
    frame = frame.filter(pl.col("payer_account").is_in(sorted(accounts)))
    status = pl.col("status").fill_null("accepted")
    frame = frame.filter(status.is_in(["accepted", "initiated"])).with_columns(
        _micros("ts", payments), _micros("recorded_ts", payments)
    )
    frame = frame.filter(pl.col("ts") < end)
    once = pl.coalesce("payment_id", "event_id")
    return frame.sort("recorded_ts", "event_id").unique(once, keep="first", maintain_order=True).collect()


def _micros(name: str, frame: pl.LazyFrame) -> pl.Expr:
    if frame.collect_schema()[name] == pl.String:
        return pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC").dt.epoch("us")
    return pl.col(name).dt.epoch("us")


def _case(row: Written, moved: pl.DataFrame, keys: KeyRing) -> _Case:
    note = note_of(row.note)
    victim, payees = str(note.get("victim_account", "")), [str(each) for each in note.get("payees", ())]
    start, end = row.start, row.finish
    paid = moved.filter(
        (pl.col("payer_account") == victim)
        & pl.col("payee_account").is_in(payees)
        & pl.col("ts").is_between(start - HOURS_US, end + HOURS_US)
    )
    return _Case(
        row.typology,
        names_of(keys, [("account", each) for each in (victim, *payees)]),
        start,
        end,
        tuple(_Moved(*each) for each in paid.select("ts", "recorded_ts", "amount_minor").iter_rows()),
    )


def _values(
    cases: Sequence[_Case], by_name: Mapping[Name, Sequence[Raised]], grace: int
) -> tuple[OfValue, ...]:
    by_type: defaultdict[str, list[_Case]] = defaultdict(list)
    for case in cases:
        by_type[case.typology].append(case)
    rows = [_value(name, by_type[name], by_name, grace) for name in sorted(by_type)]
    return (*rows, _value("all", cases, by_name, grace)) if len(rows) > 1 else tuple(rows)


def _value(
    name: str, cases: Sequence[_Case], by_name: Mapping[Name, Sequence[Raised]], grace: int
) -> OfValue:
    found, waits, before_last, saved = 0, [], 0, 0
    for case in cases:
        first = _first(case, by_name, grace)
        if first is None:
            continue
        found += 1
        waits.append(first - min(each.recorded for each in case.payments))
        before_last += first < max(each.recorded for each in case.payments)
        saved += sum(each.amount for each in case.payments if each.recorded > first)
    paid = sum(each.amount for case in cases for each in case.payments)
    return OfValue(
        typology=name,
        cases=len(cases),
        found=share_of(found, len(cases)),
        before_last=share_of(before_last, len(cases)),
        hours=times_of(sorted(waits)),
        paid_minor=paid,
        saved_minor=saved,
        saved=saved / paid if paid else None,
    )


def _first(case: _Case, by_name: Mapping[Name, Sequence[Raised]], grace: int) -> int | None:
    raised = [
        alert.raised
        for name in case.names
        for alert in by_name.get(name, ())
        if alert.last >= case.start - grace and alert.first <= case.end + grace
    ]
    return min(raised) if raised else None


def _passed_on(row: Written, account: str, moved: pl.DataFrame) -> list[int]:
    """When a mule sent the crime's money on: payments that truth names, for most mules also shop and pay bills.

    Where truth names no payments, everything the account paid in those days.
    """
    out = moved.filter(pl.col("payer_account") == account)
    if row.event_ids:
        out = out.filter(pl.col("event_id").is_in(row.event_ids))
    else:
        out = out.filter(pl.col("ts").is_between(row.start, row.finish + _DAY_US))
    return out["recorded_ts"].sort().to_list()


def _mules(
    rows: Sequence[Written],
    moved: pl.DataFrame,
    by_name: Mapping[Name, Sequence[Raised]],
    keys: KeyRing,
    grace: int,
) -> OfMules:
    accounts = found = passing = in_time = 0
    for row in rows:
        used: dict[str, Any] = note_of(row.note).get("first_used", {})
        start, end = row.start, row.finish
        for account in row.accounts:
            if used and account not in used:
                continue  # held in reserve, never used
            accounts += 1
            gone = _passed_on(row, account, moved)
            raised = [
                alert.raised
                for name in names_of(keys, [("account", account)])
                for alert in by_name.get(name, ())
                if alert.last >= start - grace and alert.first <= end + grace
            ]
            found += bool(raised)
            if len(gone) > 1:
                passing += 1
                in_time += bool(raised) and min(raised) <= gone[1]
    return OfMules(
        accounts=accounts,
        found=share_of(found, accounts),
        passing=passing,
        before_second=share_of(in_time, passing),
    )
