"""Rows put together as a table are the rows that were told, in their order."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.arrays import order_by
from simulator.records import STREAMS
from simulator.simulation import SimulationSummary

World = tuple[Path, SimulationSummary]
KEYS = st.lists(st.tuples(st.integers(-(2**61), 2**61), st.integers(-3, 3)), max_size=60)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(KEYS)
def test_rows_are_ordered_as_a_slow_sort_would(rows: list[tuple[int, int]]) -> None:
    first, second = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    slow = sorted(range(len(rows)), key=lambda place: (rows[place][1], rows[place][0], place))
    assert order_by(first, second).tolist() == slow


@pytest.mark.parametrize("stream", STREAMS)
def test_a_table_holds_what_the_lines_of_json_say(stream: str, written: Callable[..., World]) -> None:
    scenario = {"crimes": {"scale": 0, "lines": 1, "takeover": 1}, "innocents": {"scale": 0, "garage": 1}}
    lines = (written(400, 3, scenario=scenario)[0] / f"{stream}.ndjson").read_text().splitlines()
    table = pl.read_parquet(written(400, 3, format="parquet", scenario=scenario)[0] / f"{stream}.parquet")
    moments = [name for name, dtype in table.schema.items() if dtype == pl.Datetime("us", "UTC")]
    dates = [name for name, dtype in table.schema.items() if dtype == pl.Date]
    as_text = table.with_columns(
        *(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ") for name in moments),
        *(pl.col(name).dt.strftime("%Y-%m-%d") for name in dates),
    )
    assert as_text.height == len(lines)
    for row, line in zip(as_text.iter_rows(named=True), lines, strict=True):
        assert {name: value for name, value in row.items() if value is not None} == json.loads(line)
