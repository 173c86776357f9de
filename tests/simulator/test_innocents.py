"""Every look-alike is there, does what makes it look guilty, and truth says that it is innocent."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from simulator.crimes.prevalence import NAMES
from simulator.simulation import simulate

START = date(2026, 3, 2)
DAYS = 8
Run = tuple[dict[str, pl.DataFrame], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out: Path = tmp_path_factory.mktemp("innocents")
    scenario = {"run": {"without": ["crimes"]}, "innocents": dict.fromkeys(NAMES["innocents"], 2)}
    simulate(1_500, DAYS, 5, START, out, format="parquet", scenario=scenario)
    tables = {
        name: pl.read_parquet(out / f"{name}.parquet").unique("event_id")
        for name in ("telecoms", "payments", "labels")
    }
    truth = [json.loads(line) for line in (out / "truth" / "truth.ndjson").read_text().splitlines()]
    return tables, truth


def of(run: Run, typology: str) -> list[dict[str, Any]]:
    return [row for row in run[1] if row["typology"] == typology]


def telecoms(run: Run, row: dict[str, Any]) -> pl.DataFrame:
    return run[0]["telecoms"].filter(pl.col("number").is_in(row["numbers"]))


def payments(run: Run, row: dict[str, Any]) -> pl.DataFrame:
    here = pl.col("payer_account").is_in(row["accounts"]) | pl.col("payee_account").is_in(row["accounts"])
    return run[0]["payments"].filter(here).unique("payment_id")


@pytest.mark.parametrize("name", NAMES["innocents"])
def test_a_look_alike_is_there_and_labelled_innocent(run: Run, name: str) -> None:
    rows = of(run, name)
    assert len(rows) == 2
    assert all(row["kind"] == "innocent" for row in rows)
    assert all(row["numbers"] or row["accounts"] for row in rows)
    assert any(telecoms(run, row).height or payments(run, row).height for row in rows)


def test_a_world_without_crimes_has_none_in_truth(run: Run) -> None:
    assert {row["kind"] for row in run[1]} == {"innocent"}


@pytest.mark.parametrize(
    "name", ["coach", "worship", "promoter", "festival_blast", "parent_group", "school_closure"]
)
def test_senders_text_many_people_at_once(run: Run, name: str) -> None:
    most = 0
    for row in of(run, name):
        texts = telecoms(run, row).filter((pl.col("kind") == "sms") & (pl.col("direction") == "mo"))
        for hour in texts.group_by(pl.col("ts").dt.truncate("1h")).agg(pl.col("other_number").n_unique())[
            "other_number"
        ]:
            most = max(most, hour)
    assert most >= 8


@pytest.mark.parametrize("name", ["takeaway", "taxi_dispatch"])
def test_many_people_ring_a_dispatcher_briefly(run: Run, name: str) -> None:
    for row in of(run, name):
        calls = telecoms(run, row).filter(
            (pl.col("kind") == "call") & (pl.col("direction") == "mt") & (pl.col("duration_s") > 0)
        )
        assert calls["other_number"].n_unique() >= 40
        assert float(calls["duration_s"].median()) < 150  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["student_shuttle", "shift_worker", "delivery_driver"])
def test_travellers_are_seen_in_several_cells(run: Run, name: str) -> None:
    assert max(telecoms(run, row)["cell"].n_unique() for row in of(run, name)) >= 4


def test_students_pay_each_other_small_round_sums(run: Run) -> None:
    paid = pl.concat(
        [payments(run, row).filter(pl.col("rail") == "fps") for row in of(run, "student_shuttle")]
    )
    small = paid.filter(pl.col("amount_minor").is_between(500, 5_000))
    assert small.height >= 3


def test_a_treasurer_is_paid_one_price_by_many_on_a_day(run: Run) -> None:
    most = 0
    for row in of(run, "club_treasurer"):
        into = payments(run, row).filter(
            pl.col("payee_account").is_in(row["accounts"]) & (pl.col("rail") == "fps")
        )
        same = into.group_by(pl.col("ts").dt.date(), "amount_minor").agg(pl.col("payer_account").n_unique())
        most = max(most, int(same["payer_account"].max() or 0))  # type: ignore[arg-type]
    assert most >= 5


def test_a_gig_worker_cashes_out_within_the_hour(run: Run) -> None:
    quick = 0
    for row in of(run, "gig_worker"):
        own = payments(run, row).sort("ts")
        paid_in = own.filter(pl.col("payee_account").is_in(row["accounts"]))["ts"]
        paid_out = own.filter(pl.col("payer_account").is_in(row["accounts"]))["ts"]
        quick += sum(any(0 < (b - a).total_seconds() < 3_600 for b in paid_out) for a in paid_in)
    assert quick >= 3


def test_a_house_move_has_new_payees_and_one_large_payment(run: Run) -> None:
    own = pl.concat([payments(run, row) for row in of(run, "house_move")])
    assert own.filter(pl.col("new_payee").fill_null(value=False)).height >= 3
    assert float(own["amount_minor"].max()) > 100_000  # type: ignore[arg-type]


def test_a_first_party_claim_is_labelled_as_fraud_by_the_customer_and_innocent_in_truth(run: Run) -> None:
    events = {event for row in of(run, "first_party_claim") for event in row["event_ids"]}
    claimed = {
        about.removeprefix("event:")
        for about in run[0]["labels"].filter(pl.col("origin") == "customer")["about"]
    }
    assert events
    assert claimed <= events


def test_reviews_say_that_some_of_them_are_innocent(run: Run) -> None:
    reviewed = run[0]["labels"].filter(pl.col("origin") == "random_review")
    assert set(reviewed["label"]) <= {"innocent"}
    named = {f"number:{n}" for row in run[1] for n in row["numbers"]} | {
        f"account:{a}" for row in run[1] for a in row["accounts"]
    }
    assert set(reviewed["about"]) <= named
