"""Writing: sorted runs merge to the one right order, and files are whole or not there."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.importing import SourceError, writing


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 50), max_size=40), min_size=1, max_size=12),
    st.integers(1, 60),
    st.integers(1, 8),
)
def test_runs_merge_to_a_stable_sort_of_all_rows(
    tmp_path_factory: pytest.TempPathFactory, frames: list[list[int]], run_rows: int, sample: int
) -> None:
    folder = tmp_path_factory.mktemp("sorting")
    before = (writing.RUN_ROWS, writing._SAMPLE)
    writing.RUN_ROWS, writing._SAMPLE = run_rows, sample  # type: ignore[misc]
    try:
        writer = writing.open_writer(folder / "out.parquet", sort=True)
        rows = []
        for keys in frames:
            numbered = [(key, len(rows) + place) for place, key in enumerate(keys)]
            rows += numbered
            writer.write(pl.DataFrame(numbered, schema={writing.KEY: pl.Int64, "n": pl.Int64}, orient="row"))
        writer.close()
    finally:
        writing.RUN_ROWS, writing._SAMPLE = before  # type: ignore[misc]

    expected = [number for _, number in sorted(rows)]
    assert pl.read_parquet(folder / "out.parquet")["n"].to_list() == expected
    assert [path.name for path in folder.iterdir()] == ["out.parquet"]


def test_an_abandoned_file_leaves_nothing(tmp_path: Path) -> None:
    for name, sort in (("a.ndjson", False), ("b.ndjson.gz", True), ("c.parquet", False)):
        writer = writing.open_writer(tmp_path / name, sort=sort)
        writer.write(pl.DataFrame({"x": [1]}))
        writer.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no folder"):
        writing.open_writer(tmp_path / "no" / "out.ndjson", sort=False)


def test_fields_nobody_fills_are_left_out_of_lines() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": [None, None], "c": ["x", None]})
    assert writing.as_lines(frame) == b'{"a":1,"c":"x"}\n{"a":2,"c":null}\n'
