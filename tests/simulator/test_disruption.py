"""Telecoms frauds that are disrupted come back changed, and truth says when and how."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from simulator.crimes.disruption import MOST_PHASES, Disrupted, Phase, phases, shifted
from simulator.simulation import simulate

START = date(2026, 3, 2)
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
OFTEN = {
    "blocked_share": 1.0, "blocked_hours": 14, "back_hours": 3, "gives_up_share": 0.0, "wary_rate": [0.5, 0.8],
    "other_place_share": 0.5, "other_hours_share": 0.5,
}  # fmt: skip
KINDS = (
    "wangiri", "revenue_share", "pbx_hacking", "sim_box", "smishing_farm", "subscription_fraud", "cli_spoofing",
)  # fmt: skip
SCENARIO: dict[str, Any] = {
    "run": {"without": ["innocents"]},
    "crimes": {"scale": 0} | dict.fromkeys(KINDS, 2),
    "wangiri": OFTEN | {"rings_per_number_hour": 30, "numbers": 5, "days": 3},
    "revenue_share": OFTEN | {"hours": 60, "sims": 3, "calls_at_once": 1},
    "pbx_hacking": OFTEN | {"days": 4, "lines": 4},
    "sim_box": OFTEN | {"sims_at_once": 5, "days": 5, "calls_per_sim_day": 60, "sim_days": 3},
    "smishing_farm": OFTEN | {"sims_at_once": 4, "days": 5, "texts_per_sim_hour": 40},
    "subscription_fraud": OFTEN | {"days": 12},
    "cli_spoofing": OFTEN | {"calls_an_hour": 70, "days": 6},
}  # fmt: skip
BAD_DAY = Disrupted(
    blocked_share=1.0, blocked_hours=10, back_hours=2, gives_up_share=0.0, wary_rate=0.5, other_hours_share=1.0,
    other_place_share=1.0,
)  # fmt: skip


Story = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, list[Story]]:
    out: Path = tmp_path_factory.mktemp("disrupted")
    simulate(600, 8, 5, START, out, format="parquet", scenario=SCENARIO)
    truth = [json.loads(line) for line in (out / "truth" / "truth.ndjson").read_text().splitlines()]
    for row in truth:
        row["note"] = json.loads(row["note"])
    return pl.read_parquet(out / "telecoms.parquet").unique("event_id", maintain_order=True), truth


def disrupted(truth: list[Story], kind: str) -> list[Story]:
    rows = [row for row in truth if row["id"].startswith(kind.replace("_", "-")) and "phases" in row["note"]]
    assert rows, f"no {kind} was disrupted"
    return rows


def moment(day: float) -> datetime:
    return BEGIN + timedelta(days=day)


def begun(telecoms: pl.DataFrame, phase: Story) -> pl.DataFrame:
    """What the numbers of a phase began themselves; of numbers that no operator here reports, what they rang."""
    mine = phase["numbers"]
    own = pl.col("number").is_in(mine) & (pl.col("direction") == "mo")
    seen = pl.col("other_number").is_in(mine) | pl.col("network_number").is_in(mine)
    into = seen & (pl.col("direction") == "mt") & pl.col("ingress").is_in(["international"])
    return telecoms.filter(
        (own | into) & pl.col("kind").is_in(["call", "sms"]) & pl.col("phase").ne_missing("end")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_under_other_numbers_after_a_block(
    kind: str, world: tuple[pl.DataFrame, list[Story]]
) -> None:
    for row in disrupted(world[1], kind):
        told = row["note"]["phases"]
        for before, after in pairwise(told):
            assert before["ended"] == "blocked"
            assert before["to"] < after["from"]
            assert not set(before["numbers"]) & set(after["numbers"])
        assert {n for phase in told for n in phase["numbers"]} <= set(row["numbers"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pbx_hacking"])
def test_blocked_numbers_ring_and_text_nobody_any_more(
    kind: str, world: tuple[pl.DataFrame, list[Story]]
) -> None:
    telecoms, truth = world
    busy = 0
    for row in disrupted(truth, kind):
        for phase in row["note"]["phases"]:
            done = begun(telecoms, phase)
            busy += done.height
            assert done.filter(pl.col("ts") < moment(phase["from"]) - timedelta(minutes=2)).height == 0
            if phase["ended"] == "blocked":
                assert done.filter(pl.col("ts") > moment(phase["to"]) + timedelta(hours=1)).height == 0
    assert busy > 100


def test_new_sims_come_in_new_handsets(world: tuple[pl.DataFrame, list[Story]]) -> None:
    telecoms, truth = world
    compared = 0
    for kind in ("sim_box", "smishing_farm"):
        for row in disrupted(truth, kind):
            used = [
                set(telecoms.filter(pl.col("number").is_in(phase["numbers"]))["imei"].drop_nulls())
                for phase in row["note"]["phases"]
            ]
            for before, after in pairwise(used):
                compared += bool(before) and bool(after)
                assert not before & after
    assert compared >= 2


def test_a_gang_that_moved_is_seen_at_other_cells(world: tuple[pl.DataFrame, list[Story]]) -> None:
    telecoms, truth = world
    moves = 0
    for row in disrupted(truth, "sim_box"):
        told = row["note"]["phases"]
        cells = [
            set(telecoms.filter(pl.col("number").is_in(p["numbers"]))["cell"].drop_nulls()) for p in told
        ]
        for place in range(1, len(told)):
            if told[place]["moved"] and cells[place] and cells[place - 1]:
                moves += cells[place] != cells[place - 1]
    assert moves >= 1


def test_a_barred_exchange_goes_on_ringing_other_numbers(world: tuple[pl.DataFrame, list[Story]]) -> None:
    telecoms, truth = world
    for row in disrupted(truth, "pbx_hacking"):
        for phase in row["note"]["phases"]:
            earned = telecoms.filter(pl.col("other_number").is_in(phase["numbers"]))
            assert earned.filter(pl.col("ts") < moment(phase["from"]) - timedelta(minutes=2)).height == 0
            if phase["ended"] == "blocked":
                assert earned.filter(pl.col("ts") > moment(phase["to"]) + timedelta(hours=1)).height == 0


def test_a_gang_is_warier_after_each_block() -> None:
    for case in range(40):
        told = phases(3, BAD_DAY, "sim_box", f"case-{case}", 1.0, 9.0)
        assert 1 < len(told) <= MOST_PHASES
        rates = [phase.rate for phase in told]
        assert rates[0] == 1.0
        assert all(0 < after < before for before, after in pairwise(rates))
        assert all(phase.ended == "blocked" for phase in told[:-1])
        assert all(phase.since < phase.until <= 9.0 for phase in told)


def test_how_long_a_gang_takes_to_come_back_is_drawn() -> None:
    pauses = []
    for case in range(200):
        told = phases(3, BAD_DAY, "wangiri", f"case-{case}", 0.0, 4.0)
        pauses += [(b.since - a.until) * 24 for a, b in pairwise(told)]
    assert 1.5 < float(np.median(pauses)) < 2.6
    assert np.quantile(pauses, 0.9) > 2 * np.quantile(pauses, 0.1)


def test_a_case_that_nobody_blocks_has_one_phase_and_nothing_to_tell() -> None:
    calm = Disrupted(
        blocked_share=0.0, blocked_hours=10, back_hours=2, gives_up_share=0.0, wary_rate=0.5,
        other_hours_share=1.0, other_place_share=1.0,
    )  # fmt: skip
    assert phases(3, calm, "wangiri", "a", 1.0, 4.0) == [Phase(1.0, 4.0, "over")]


def test_a_gang_that_gives_up_does_not_come_back() -> None:
    beaten = Disrupted(
        blocked_share=1.0, blocked_hours=5, back_hours=2, gives_up_share=1.0, wary_rate=0.5,
        other_hours_share=1.0, other_place_share=1.0,
    )  # fmt: skip
    told = phases(3, beaten, "wangiri", "a", 1.0, 40.0)
    assert len(told) == 1
    assert told[0].ended == "blocked"
    assert told[0].until < 40.0


@pytest.mark.parametrize("hours", [-30.0, -3.0, 0.0, 3.0, 30.0])
def test_other_hours_stay_within_the_day(hours: float) -> None:
    low, high = shifted(9.0, 19.0, Phase(0.0, 1.0, "over", hours=hours))
    assert high - low == pytest.approx(10.0)
    assert 0.0 <= low < high <= 24.0
