"""What suppliers report: it passes the door, and holds identifiers of nobody."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from events.bases import Bases
from events.contract import looks_like_pan
from events.door import Door, Source
from events.rejected import Where
from events.tokens import Key, KeyRing
from places.forces import forces
from simulator.identifiers import RESERVED
from simulator.records import STREAMS
from simulator.simulation import SimulationSummary

World = tuple[Path, SimulationSummary]

KINDS_OF_FIELDS = {
    "number": ("number", "other_number", "network_number", "payer_phone", "payee_phone", "beneficiary_number"),
    "imsi": ("imsi", "previous_imsi"), "iccid": ("iccid", "previous_iccid"), "imei": ("imei", "previous_imei"),
    "account": ("payer_account", "payee_account", "account", "paid_by"), "agent": ("payer_agent", "payee_agent"),
    "cell": ("cell", "cell_end"), "card": ("card",), "ip": ("ip",), "plmn": ("visited_plmn",),
}  # fmt: skip


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def a_door(summary: SimulationSummary) -> Door:
    sources = [Source(name, "both" if legs == "both" else "own") for name, legs in summary.sources.items()]
    return Door(
        KeyRing(Key("test", b"0" * 32)),
        Bases.demo(),
        sources,
        forces={f.ons_code: f.code for f in forces() if f.ons_code},
    )


@pytest.mark.parametrize("format", ["ndjson", "parquet"])
def test_every_record_passes_the_door(written: Callable[..., World], format: str) -> None:
    folder, summary = written(400, 3, format=format, scenario="demo")
    door = a_door(summary)
    for name in STREAMS:
        path = folder / f"{name}.{format}"
        chunk = path.read_bytes() if format == "ndjson" else pl.read_parquet(path)
        decoded = door.decode(name, chunk, source="unnamed", where=Where(name))
        assert decoded.counts == {"accepted": summary.records[name]}
        assert set(decoded.frame["source"]) <= set(summary.sources)


def test_identifiers_are_of_reserved_ranges_only(busy: World) -> None:
    folder, _ = busy
    for name in STREAMS:
        frame = pl.read_ndjson(folder / f"{name}.ndjson", infer_schema_length=None)
        for kind, fields in KINDS_OF_FIELDS.items():
            for field in fields:
                if field in frame.columns:
                    outside = [
                        v for v in frame[field].drop_nulls().unique() if not RESERVED[kind].fullmatch(v)
                    ]
                    assert outside == [], (name, field)


def test_identifiers_named_in_links_labels_watch_and_truth_are_too(busy: World) -> None:
    folder, _ = busy
    patterns = {"account": "account", "number": "number", "imei": "imei"}
    for name in ("links", "labels", "watch"):
        for line in (folder / f"{name}.ndjson").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "what" in row:
                assert RESERVED[patterns[row["what"]]].fullmatch(row["value"]), row
            for text in [row.get("a"), row.get("b"), row.get("about"), *row.get("subjects", [])]:
                kind, _, value = (text or "none:").partition(":")
                assert kind not in patterns or RESERVED[patterns[kind]].fullmatch(value), row
    for line in (folder / "truth" / "truth.ndjson").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert all(RESERVED["number"].fullmatch(number) for number in row["numbers"]), row
        assert all(RESERVED["account"].fullmatch(account) for account in row["accounts"]), row


def test_every_imei_and_iccid_passes_luhn(busy: World) -> None:
    frame = pl.read_ndjson(busy[0] / "telecoms.ndjson", infer_schema_length=None)
    for field in ("imei", "iccid", "previous_imei", "previous_iccid"):
        assert all(luhn(value) for value in frame[field].drop_nulls().unique())


def test_no_card_looks_like_a_card_number(busy: World) -> None:
    frame = pl.read_ndjson(busy[0] / "payments.ndjson", infer_schema_length=None)
    cards = frame["card"].drop_nulls().unique().to_list()
    assert len(cards) > 100
    assert not [card for card in cards if looks_like_pan(card)]


def test_a_payment_between_two_banks_is_told_by_both(quiet: World) -> None:
    frame = pl.read_ndjson(quiet[0] / "payments.ndjson", infer_schema_length=None).unique("event_id")
    both = quiet[1].parameters.both_bank + 1
    faster = frame.filter(pl.col("rail") == "fps").group_by("payment_id").agg(pl.col("source"))
    tellers = faster["source"].list.n_unique()
    assert set(tellers) == {1, 2}
    own = frame.filter(pl.col("rail") == "fps", pl.col("source") != f"bank-{both}")
    told = own.filter(pl.col("payer_party").is_not_null() & pl.col("payee_party").is_not_null())
    assert told.height == 0  # a bank of own legs knows its own customer only


def test_balances_follow_the_payments(quiet: World) -> None:
    """Each card payment leaves what was there before it, less its amount."""
    frame = pl.read_ndjson(quiet[0] / "payments.ndjson", infer_schema_length=None).unique("event_id")
    payer = frame.filter(pl.col("payer_balance_minor").is_not_null()).select(
        "ts",
        "payment_id",
        account="payer_account",
        after="payer_balance_minor",
        moved=-pl.col("amount_minor"),
    )
    payee = frame.filter(pl.col("payee_balance_minor").is_not_null()).select(
        "ts", "payment_id", account="payee_account", after="payee_balance_minor", moved="amount_minor"
    )
    moves = pl.concat([payer, payee]).unique(["payment_id", "account"]).sort("account", "ts")
    step = moves.with_columns(
        before=pl.col("after").shift(1).over("account"), last=pl.col("ts").shift(1).over("account")
    )
    step = step.filter(pl.col("before").is_not_null(), pl.col("ts") != pl.col("last"))
    right = (step["before"] + step["moved"] == step["after"]).mean()
    assert step.height > 3000
    assert right is not None
    assert (
        right > 0.97
    )  # the rest: a neighbour that comes late, or is told by a bank that does not report here
