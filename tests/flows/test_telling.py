"""What is found out is told to whoever it is about, at its place in the one order and never before."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from console.retraining import ticks_of
from detectors.base import Detector
from detectors.mule_account import MuleAccount
from events.ledger import Tick
from features.rows import Entity, Kind, Role
from flows.past import Past
from flows.telling import Telling, asking
from flows.walked import Walked
from models.maturing import Maturing, Report
from models.scorecard import Signal

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 86_400_000_000
HORIZON = 35 * DAY
ASKED = frozenset({Entity.MERCHANT})


def ticks(n: int, days: int, rows_a_tick: int, seed: int = 4) -> list[Tick]:
    """Card payments at a few merchants and labels about some of them, in ticks of so many rows."""
    chance = np.random.default_rng(seed)
    at = np.sort(chance.integers(0, days * DAY, n))
    payments = pl.DataFrame(
        {
            "recorded_ts": at,
            "event_id": [f"e{i}" for i in range(n)],
            "merchant_hi": chance.integers(1, 4, n).astype(np.uint64),
            "merchant_lo": np.full(n, 7, dtype=np.uint64),
        }
    )
    about = chance.choice(n, n // 5, replace=False)
    labels = pl.DataFrame(
        {
            "recorded_ts": at[about] + chance.integers(DAY, 50 * DAY, len(about)),
            "event_id": [f"l{i}" for i in about],
            "about_kind": "event",
            "about_id": [f"e{i}" for i in about],
            "label": np.where(chance.random(len(about)) < 0.7, 1, 2).astype(np.uint8),
        }
    ).sort("recorded_ts")
    both = pl.concat(
        [payments.with_columns(stream=pl.lit("payments")), labels.with_columns(stream=pl.lit("labels"))],
        how="diagonal",
    )
    both = both.sort("recorded_ts", "stream").with_row_index("seq").cast({"seq": pl.Int64})
    both = both.with_columns(ts=pl.col("recorded_ts"), source=pl.lit("s"), basis=pl.lit("b"))
    found = []
    for number, start in enumerate(range(0, both.height, rows_a_tick)):
        part = both.slice(start, rows_a_tick)
        frames = {
            stream: part.filter(pl.col("stream") == stream).select(
                "seq", "ts", "recorded_ts", "event_id", "source", "basis", *columns
            )
            for stream, columns in (
                ("payments", ("merchant_hi", "merchant_lo")),
                ("labels", ("about_kind", "about_id", "label")),
            )
        }
        found.append(Tick(number, start, {k: f for k, f in frames.items() if f.height}))
    return found


def told(some: list[Tick], telling: Telling | None = None) -> list[tuple[int, ...]]:
    telling = telling or Telling(ASKED)
    rows = [telling.take(tick).get(Entity.MERCHANT) for tick in some]
    return [
        (int(r["seq"]), int(r["ts"]), int(r["own_hi"]), int(r["value"]))
        for part in rows
        if part is not None
        for r in part
    ]


def test_what_is_told_does_not_depend_on_how_the_order_was_cut() -> None:
    assert told(ticks(3_000, 120, 97)) == told(ticks(3_000, 120, 1_000))


def test_reports_and_silence_are_told_as_slow_waiting_tells_them() -> None:
    some = ticks(1_500, 100, 10_000)
    payments, labels = some[0].rows["payments"], some[0].rows["labels"]
    seq, clock = payments["seq"].to_numpy(), payments["recorded_ts"].to_numpy()
    reports = [
        Report(about, at, place, label == 1)
        for about, at, place, label in labels.select("about_id", "recorded_ts", "seq", "label").iter_rows()
        if at <= clock[int(about[1:])] + 2 * HORIZON
    ]
    slow = Maturing(HORIZON).take(payments["event_id"].to_list(), clock, seq, reports)
    merchant = payments["merchant_hi"].to_numpy()
    expected = sorted(
        (int(at), int(merchant[event]), int(yes))
        for at, event, yes in zip(slow.at, slow.event, slow.confirmed, strict=True)
    )
    assert sorted(row[1:] for row in told(some)) == expected
    assert {row[-1] for row in expected} == {0, 1}


def test_nothing_is_told_before_its_time() -> None:
    some = ticks(2_000, 120, 300)
    recorded = {
        seq: at
        for tick in some
        for frame in tick.rows.values()
        for seq, at in frame.select("seq", "recorded_ts").iter_rows()
    }
    assert all(at <= recorded[seq] for seq, at, _, _ in told(some))


def test_it_goes_on_where_it_was_after_a_restart() -> None:
    some = ticks(2_000, 120, 150)
    whole = told(some)
    before = Telling(ASKED)
    first = told(some[:9], before)
    after = Telling(ASKED)
    after.restore(before.state())
    assert first + told(some[9:], after) == whole


def test_of_too_many_the_oldest_are_forgotten_and_counted() -> None:
    telling = Telling(ASKED, most=200)
    assert told(ticks(2_000, 120, 150), telling) != told(ticks(2_000, 120, 150))
    assert telling.forgotten > 0
    assert asking({Entity.ACCOUNT, Entity.DEVICE}) == {Entity.ACCOUNT}


class Fed(Detector, is_kind=True):
    """Scores payments on what was found out about the payee, the merchant, and the account itself."""

    id, title, version, typology, threshold = "fed", "Fed by labels", 1, "mule", 0.5
    subject, stream = Entity.ACCOUNT, "payments"
    threat, four_p, bands, harm = MuleAccount.threat, MuleAccount.four_p, MuleAccount.bands, MuleAccount.harm
    gate = pl.col("named_28d") >= 0
    signals = (
        Signal("named_28d", 0, 2, 1.0),
        Signal("other.named_28d", 0, 2, 1.0),
        Signal("merchant.reported_share_28d", 0, 1, 1.0),
        Signal("merchant.reported_28d", 0, 3, 1.0),
    )
    intercept = -1.0


@pytest.fixture
def streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Seventy days of payments to people and shops, and what came out about some of them."""
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
    chance = np.random.default_rng(3)
    records: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for n in range(700):
        at = START + timedelta(days=n / 10)
        payer = f"00-00-20 {chance.integers(0, 8):08d}"
        record = {
            "event_id": f"p{n}", "ts": at.isoformat(), "source": "bank", "payer_account": payer,
            "amount_minor": int(chance.integers(100, 9_000)), "payment_id": f"pay{n}",
        }  # fmt: skip
        payee = f"00-00-30 {chance.integers(0, 5):08d}"
        shop = bool(n % 2)
        records.append(
            record
            | ({"rail": "card", "merchant_id": f"m{chance.integers(0, 4)}"} if shop else {"rail": "fps", "payee_account": payee})
        )  # fmt: skip
        if chance.random() < 0.2:
            labels.append(
                {
                    "event_id": f"l{n}", "ts": (at + timedelta(days=float(chance.uniform(1, 20)))).isoformat(),
                    "source": "bank", "about": f"event:p{n}", "label": "confirmed", "origin": "customer",
                    "subjects": [f"account:{payer if shop else payee}"], "role": "victim" if shop else "complicit",
                }
            )  # fmt: skip
    labels.sort(key=lambda record: str(record["ts"]))
    inputs = {}
    for stream, some in (("payments", records), ("labels", labels)):
        path = tmp_path / f"{stream}.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in some))
        inputs[stream] = [str(path)]
    return inputs


def test_the_twin_tells_of_outcomes_what_the_flow_saw(streams: dict[str, list[str]], tmp_path: Path) -> None:
    past, walked = Past(Fed), Walked(Fed)
    for tick in ticks_of(tmp_path, streams):
        past.take(tick)
        walked.take(tick)
    one, other = (each.sort("seq", "subject") for each in (past.gated(), walked.gated()))
    assert one["event_id"].to_list() == other["event_id"].to_list()
    for signal in Fed.signals:
        column = f"v.{signal.feature}"
        assert one[column].to_list() == pytest.approx(other[column].to_list(), rel=1e-12, nan_ok=True)
    assert one["v.other.named_28d"].fill_nan(0).max() > 1  # type: ignore[operator]
    share = one["v.merchant.reported_share_28d"].drop_nans()
    assert 0 < share.min() < share.max()  # type: ignore[operator]
    payers = one.filter(pl.col("side") == "payer")
    assert payers["v.named_28d"].fill_nan(0).max() == 0  # who was harmed is not named


def test_rows_that_tell_are_never_scored() -> None:
    rows = Telling(ASKED).take(ticks(300, 80, 10_000)[0])[Entity.MERCHANT]
    assert set(rows["kind"]) == {Kind.LABEL}
    assert set(rows["role"]) == {Role.LABELLED}


@pytest.mark.parametrize("most", [1_000_000, 400])
def test_what_changed_since_the_last_snapshot_is_enough_to_go_on(most: int) -> None:
    some = ticks(1_500, 120, 40)
    whole, telling, kept = told(some, Telling(ASKED, most)), Telling(ASKED, most), []
    for number, tick in enumerate(some[:-10]):
        telling.take(tick)
        if number % 3 == 0:
            kept.append(telling.changes())
    kept.append(telling.changes())
    assert telling.changes() == {}
    again = Telling(ASKED, most)
    for each in kept:
        again.again(each)
    assert again.state() == telling.state()
    rest = told(some[-10:], again)
    assert rest
    assert whole[-len(rest) :] == rest
