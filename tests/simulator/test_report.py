"""The realism report: the background's volumes are as published."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from simulator.errors import SimulationError
from simulator.report import measure, report
from simulator.simulation import SimulationSummary

World = tuple[Path, SimulationSummary]


def test_volumes_are_as_published(quiet: World) -> None:
    measures = measure(quiet[0])
    assert len(measures) == 8
    assert [m.name for m in measures if not m.within] == []


def test_the_mix_of_rails_is_as_published(quiet: World) -> None:
    frame = pl.read_ndjson(quiet[0] / "payments.ndjson", infer_schema_length=None).unique("payment_id")
    share = dict(frame["rail"].value_counts(normalize=True).iter_rows())
    assert share["card"] > 0.5
    assert {"fps", "bacs", "direct_debit", "standing_order", "cash_withdrawal", "internal", "wallet"} <= set(
        share
    )
    assert share["card"] > share["fps"] > share["cash_deposit"]


def test_people_sleep(quiet: World) -> None:
    frame = pl.read_ndjson(quiet[0] / "telecoms.ndjson", infer_schema_length=None)
    calls = frame.filter(pl.col("kind") == "call", pl.col("direction") == "mo")
    hours = np.bincount(calls["ts"].str.slice(11, 2).cast(pl.Int64).to_numpy(), minlength=24)
    assert hours[1:5].sum() < 0.03 * hours.sum()
    assert hours[9:21].sum() > 0.7 * hours.sum()


def test_messages_come_in_bursts(quiet: World) -> None:
    frame = pl.read_ndjson(quiet[0] / "telecoms.ndjson", infer_schema_length=None)
    sent = frame.filter(pl.col("kind") == "sms", pl.col("direction") == "mo").with_columns(
        pl.col("ts").str.to_datetime(time_zone="UTC")
    )
    gaps = (
        sent.sort("number", "ts")
        .select(pl.col("ts").diff().over("number").dt.total_seconds())
        .drop_nulls()["ts"]
    )
    burstiness = (gaps.std() - gaps.mean()) / (gaps.std() + gaps.mean())  # type: ignore[operator]
    assert burstiness > 0.1  # 0 for messages at random; Goh and Barabasi (2008) find 0.2 and more for people


def test_the_report_is_written_with_its_plots(quiet: World, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    real = tmp_path / "messages.parquet"
    pl.DataFrame(
        {
            "src": [1, 1, 2, 3],
            "dst": [2, 3, 1, 1],
            "ts": [1_082_040_961, 1_082_041_000, 1_082_050_000, 1_082_090_000],
        }
    ).write_parquet(real)
    measures = report(quiet[0], tmp_path / "report", messages=real, kind="svg")
    figures = json.loads((tmp_path / "report" / "figures.json").read_text(encoding="utf-8"))
    assert [figure["name"] for figure in figures] == [m.name for m in measures]
    assert len(list((tmp_path / "report").glob("*.svg"))) == 6
    assert "published" in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")


def test_a_folder_without_a_world_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="no simulated world"):
        measure(tmp_path)
