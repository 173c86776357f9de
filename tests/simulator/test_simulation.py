"""A run: the same bytes for the same seed, in the order of recording, whatever else goes on."""

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from simulator.errors import SimulationError
from simulator.records import STREAMS
from simulator.simulation import SimulationSummary, read_scenario, simulate, stream

World = tuple[Path, SimulationSummary]
START = date(2025, 3, 3)
QUIET = {"run": {"without": ["crimes", "innocents"]}}


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()]


def test_the_same_seed_gives_the_same_bytes(written: Callable[..., World], tmp_path: Path) -> None:
    first, _ = written(400, 3, scenario="demo")
    simulate(400, 3, 7, START, tmp_path, scenario="demo")
    for name in [*(f"{name}.ndjson" for name in STREAMS), "truth/truth.ndjson"]:
        assert (first / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_another_seed_gives_another_world(written: Callable[..., World]) -> None:
    first, _ = written(400, 3, scenario="demo")
    other, _ = written(400, 3, seed=8, scenario="demo")
    assert (first / "telecoms.ndjson").read_bytes() != (other / "telecoms.ndjson").read_bytes()


def test_a_short_run_is_the_beginning_of_a_longer_one(quiet: World, tmp_path: Path) -> None:
    simulate(1000, 2, 7, START, tmp_path, scenario=QUIET)
    for stream_name in STREAMS:
        short = (tmp_path / f"{stream_name}.ndjson").read_bytes()
        assert (quiet[0] / f"{stream_name}.ndjson").read_bytes().startswith(short)


def test_every_stream_is_in_the_order_of_recording(busy: World) -> None:
    folder, summary = busy
    for name in STREAMS:
        recorded = [row["recorded_ts"] for row in rows(folder, name)]
        assert recorded == sorted(recorded)
        assert len(recorded) == summary.records[name] > 0


def test_nothing_is_recorded_before_it_happened(busy: World) -> None:
    for name in STREAMS:
        assert all(row["ts"] <= row["recorded_ts"] for row in rows(busy[0], name))


def test_a_complete_call_appears_when_it_is_over(quiet: World) -> None:
    calls = pl.DataFrame([row for row in rows(quiet[0], "telecoms") if row.get("phase") == "complete"])
    times = calls.select(pl.col("ts", "recorded_ts").str.to_datetime(time_zone="UTC"), "duration_s")
    waited = (times["recorded_ts"] - times["ts"]).dt.total_milliseconds() / 1000
    assert (waited >= times["duration_s"]).all()


def test_one_operator_tells_of_the_start_and_the_end_of_a_call(quiet: World) -> None:
    phases = [row for row in rows(quiet[0], "telecoms") if row.get("phase") in {"start", "end"}]
    assert len({row["source"] for row in phases}) == 1
    starts = {(row["call_id"], row["number"]) for row in phases if row["phase"] == "start"}
    ends = {(row["call_id"], row["number"]) for row in phases if row["phase"] == "end"}
    assert len(starts) > 100
    assert len(ends - starts) < 0.01 * len(ends)  # a start may come hours late
    assert len(starts - ends) < 0.1 * len(starts)  # calls going on at the end, and records that come late


def test_ordinary_life_goes_on_unchanged_when_crimes_are_switched_on(written: Callable[..., World]) -> None:
    """Same ids, times and amounts; only what crimes touch may differ: balances, a stolen number's SIM, what those
    who are taken elsewhere buy there."""
    without, _ = written(800, 3, scenario=QUIET)
    with_crimes, _ = written(
        800, 3, scenario={"crimes": {"county_lines": 3, "mule_networks": 3, "takeover": 3}}
    )
    kept = {"telecoms": ("number", "other_number", "ts", "kind", "duration_s"), "payments": ("payment_id", "amount_minor", "rail"),
            "accounts": ("account", "kind", "ts")}  # fmt: skip
    truth = [json.loads(line) for line in (with_crimes / "truth" / "truth.ndjson").read_text().splitlines()]
    runners = {account for row in truth if row["kind"] == "runner" for account in row["accounts"]}
    taken = {
        row["payer_party"]
        for row in rows(with_crimes, "payments")
        if row.get("payer_account") in runners and "payer_party" in row
    }
    elsewhere = {
        row["event_id"] for row in rows(with_crimes, "payments") if row.get("payer_party", "") in taken
    }
    assert 0 < len(elsewhere) < 300
    for name, fields in kept.items():
        before = {row["event_id"]: tuple(row.get(f) for f in fields) for row in rows(without, name)}
        after = {row["event_id"]: tuple(row.get(f) for f in fields) for row in rows(with_crimes, name)}
        assert len(after) > len(before)
        assert set(before) <= set(after)
        assert {id: after[id] for id in before if id not in elsewhere} == {
            id: said for id, said in before.items() if id not in elsewhere
        }


def test_parquet_holds_the_same_records(written: Callable[..., World]) -> None:
    lines, _ = written(400, 3, scenario="demo")
    tables, summary = written(400, 3, format="parquet", scenario="demo")
    for name in STREAMS:
        frame = pl.read_parquet(tables / f"{name}.parquet")
        text = rows(lines, name)
        assert frame.height == len(text) == summary.records[name]
        assert frame["event_id"].to_list() == [row["event_id"] for row in text]
        some = [
            field
            for field in ("amount_minor", "number", "kind", "cell", "lat", "answered", "rail")
            if field in frame.columns
        ]
        for field in some:
            assert frame[field].to_list() == [row.get(field) for row in text], field


def test_records_come_late_and_twice_and_spoilt_when_a_scenario_says_so(
    written: Callable[..., World],
) -> None:
    folder, _ = written(400, 3, scenario="dirty")
    good, bad = [], 0
    for line in (folder / "payments.ndjson").read_text(encoding="utf-8").splitlines():
        try:
            good.append(json.loads(line))
        except json.JSONDecodeError:
            bad += 1
    assert bad > 0
    assert sum("text" in row for row in good) > 0
    ids = [row["event_id"] for row in good]
    assert 0.01 < 1 - len(set(ids)) / len(ids) < 0.03


def test_truth_lies_apart_and_names_records_that_were_written_or_will_be(busy: World) -> None:
    folder, summary = busy
    truth = [
        json.loads(line)
        for line in (folder / "truth" / "truth.ndjson").read_text(encoding="utf-8").splitlines()
    ]
    assert len(truth) == summary.truths > 0
    assert len({row["id"] for row in truth}) == len(truth)
    written = {row["event_id"] for name in STREAMS for row in rows(folder, name)}
    named = [event for row in truth for event in row["event_ids"]]
    assert sum(event in written for event in named) > 0.7 * len(named)


def test_a_stream_says_the_same_as_files_line_for_line(written: Callable[..., World], tmp_path: Path) -> None:
    folder, _ = written(400, 3, scenario="demo")
    stream(400, 3, 7, START, tmp_path, speed=0, scenario="demo")
    for name in STREAMS:
        assert (tmp_path / f"{name}.ndjson").read_bytes() == (folder / f"{name}.ndjson").read_bytes()


def test_a_stream_waits_for_the_time_of_each_record(tmp_path: Path) -> None:
    clock = [0.0]
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    out = io.BytesIO()
    stream(60, 1, 7, START, None, speed=3600, scenario=QUIET, to=out, now=lambda: clock[0], pause=pause)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {line["stream"] for line in lines} >= {"payments", "telecoms", "links"}
    assert [line["recorded_ts"] for line in lines] == sorted(line["recorded_ts"] for line in lines)
    assert 22 < clock[0] < 25  # a day at 3,600 times life takes 24 seconds
    assert len(waits) > 20


def test_one_stream_alone_goes_to_one_output() -> None:
    out = io.BytesIO()
    stream(60, 1, 7, START, None, speed=0, scenario=QUIET, only="payments", to=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert all("rail" in line and "stream" not in line for line in lines)


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ({"world": {"texts_a_week": 3}}, "texts_a_week"),
        ({"world": {"texts_a_day": "many"}}, "number"),
        ({"run": {"without": ["burglary"]}}, "burglary"),
        ("no-such-scenario", "no-such-scenario"),
    ],
)
def test_a_scenario_that_cannot_be_followed_says_why(scenario: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=says):
        simulate(60, 1, 1, START, tmp_path, scenario=scenario)  # type: ignore[arg-type]


def test_too_few_people_make_no_world(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="too few"):
        simulate(3, 1, 1, START, tmp_path)


def test_a_scenario_file_of_the_users_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[world]\ntexts_a_day = 2.0\n", encoding="utf-8")
    assert read_scenario(path) == {"world": {"texts_a_day": 2.0}}
    path.write_text("[world", encoding="utf-8")
    with pytest.raises(SimulationError, match="not TOML"):
        read_scenario(path)


@pytest.mark.parametrize("seed", [100, 102, 106])
def test_the_smallest_worlds_live_too(seed: int, tmp_path: Path) -> None:
    """With these seeds a hundred people have nobody to rent from, or businesses that text under few names."""
    summary = simulate(100, 1, seed, date(2025, 3, 30), tmp_path, scenario="demo")
    assert min(summary.records[name] for name in ("payments", "telecoms", "accounts")) > 0
