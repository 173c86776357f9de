"""Readers: whole lines in pieces, in order, from anywhere; what cannot be read is said in its place."""

import gzip
import hashlib
import os
import tracemalloc
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.readers import GONE, STDIN, UNREADABLE_PATIENCE, Input, Piece, Reader, ReaderError, open_reader

LIMIT = 20

modest = settings(deadline=None, derandomize=True, max_examples=60)
texts = st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b".")), max_size=12)


def all_of(reader: Reader) -> list[Piece]:
    found = []
    while (piece := reader.read()) is not None:
        found.append(piece)
    return found


def text_of(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces if isinstance(piece.data, bytes))


def reasons(pieces: list[Piece]) -> list[str]:
    return [piece.refusal.reason for piece in pieces if piece.refusal is not None]


def payments(where: Path, *, follow: bool = False) -> Input:
    return Input("payments", str(where), "bank", follow)


@modest
@given(lines=texts, newline=st.booleans(), chunk=st.integers(1, 90), packed=st.booleans(), data=st.data())
def test_pieces_are_whole_lines_and_reading_resumes_after_any_of_them(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    newline: bool,
    chunk: int,
    packed: bool,
    data: st.DataObject,
) -> None:
    whole = b"\n".join(lines) + (b"\n" if newline and lines else b"")
    path = tmp_path_factory.mktemp("text") / ("a.ndjson.gz" if packed else "a.ndjson")
    path.write_bytes(gzip.compress(whole[:10]) + gzip.compress(whole[10:]) if packed else whole)
    pieces = all_of(open_reader(payments(path), chunk_bytes=chunk, line_limit=LIMIT))
    stop = data.draw(st.integers(0, len(pieces)))
    places = {path.name: pieces[stop - 1].end} if stop else {}
    again = open_reader(
        payments(path),
        places=places,
        current=path.name,
        chunk_bytes=data.draw(st.integers(1, 90)),
        line_limit=LIMIT,
    )

    rest = all_of(again)

    short = [line for line in whole.splitlines(keepends=True) if len(line.rstrip(b"\n")) <= LIMIT]
    long = [line.rstrip(b"\n") for line in whole.split(b"\n") if len(line) > LIMIT]
    assert text_of(pieces) == b"".join(line for line in _kept(whole))
    assert [piece.refusal.digest for piece in pieces if piece.refusal] == [
        hashlib.sha256(one).hexdigest() for one in long
    ]
    assert len(b"".join(short)) <= len(whole)
    assert text_of(pieces[:stop] + rest) == text_of(pieces)
    assert reasons(pieces[:stop] + rest) == ["too_long"] * len(long)
    assert all(piece.data is None or piece.data.endswith(b"\n") for piece in pieces[:-1])  # type: ignore[union-attr]


def _kept(whole: bytes) -> list[bytes]:
    lines = whole.split(b"\n")
    ended = [line + b"\n" for line in lines[:-1]] + [lines[-1]]
    return [line for line in ended if len(line.rstrip(b"\n")) <= LIMIT]


def test_a_line_of_100_mb_is_refused_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    with path.open("wb") as file:
        file.write(b'{"a":1}\n')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'\n{"a":2}\n')
    tracemalloc.start()

    pieces = all_of(open_reader(payments(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert text_of(pieces) == b'{"a":1}\n{"a":2}\n'
    assert reasons(pieces) == ["too_long"]
    assert peak < 20_000_000


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "b.ndjson").write_bytes(b"2\n")
    (tmp_path / "a.jsonl").write_bytes(b"1")
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b"3\n"))
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / "d.ndjson.part").write_bytes(b"x")

    pieces = all_of(open_reader(payments(tmp_path)))

    assert [(piece.name, piece.data) for piece in pieces] == [
        ("a.jsonl", b"1"),
        ("b.ndjson", b"2\n"),
        ("c.json.gz", b"3\n"),
    ]


def test_a_file_of_an_unknown_kind_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    (tmp_path / "b.ndjson").write_bytes(b"2\n")

    pieces = all_of(open_reader(payments(tmp_path)))

    assert reasons(pieces) == ["unknown_format"]
    assert text_of(pieces) == b"2\n"


def test_an_empty_file_and_an_empty_folder_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    reader = open_reader(payments(tmp_path / "a.ndjson"))

    assert all_of(reader) == []
    assert reader.finished
    assert all_of(open_reader(payments(tmp_path / "empty"))) == []


def test_a_file_that_disappears_while_the_folder_is_read_is_refused_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.ndjson").write_bytes(name.encode() + b"\n")
    reader = open_reader(payments(tmp_path))
    first = reader.read()
    (tmp_path / "b.ndjson").unlink()

    rest = all_of(reader)

    assert first is not None
    assert first.data == b"a\n"
    assert reasons(rest) == ["file_lost"]
    assert text_of(rest) == b"c\n"
    assert reader.finished


def test_a_file_cut_short_while_it_is_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(1_000)))
    reader = open_reader(payments(path), chunk_bytes=100)
    first = reader.read()
    os.truncate(path, 10)

    assert first is not None
    assert reasons(all_of(reader)) == ["file_shrank"]


def test_a_torn_gzip_file_gives_what_is_there_and_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    whole = b"".join(hashlib.sha256(bytes([number])).hexdigest().encode() + b"\n" for number in range(100))
    path.write_bytes(gzip.compress(whole)[:-1_000])

    pieces = all_of(open_reader(payments(path)))

    assert len(text_of(pieces)) > 1_000
    assert whole.startswith(text_of(pieces))
    assert reasons(pieces) == ["truncated_file"]


@pytest.mark.parametrize("name", ["a.parquet", "a.ndjson.gz"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"neither one nor the other")
    (tmp_path / "b.ndjson").write_bytes(b"2\n")

    pieces = all_of(open_reader(payments(tmp_path)))

    assert reasons(pieces) == ["unreadable_file"]
    assert text_of(pieces) == b"2\n"


def test_an_input_that_does_not_exist_or_a_stream_nobody_knows_is_an_error_that_says_so(
    tmp_path: Path,
) -> None:
    with pytest.raises(ReaderError, match="does not exist"):
        open_reader(payments(tmp_path / "nothing.ndjson"))
    with pytest.raises(ReaderError, match="payments"):
        open_reader(Input("paiments", str(tmp_path), "bank"))


@modest
@given(rows=st.integers(0, 50), group=st.integers(1, 20), chunk=st.integers(1, 2_000), data=st.data())
def test_parquet_rows_resume_at_any_row(
    tmp_path_factory: pytest.TempPathFactory, rows: int, group: int, chunk: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.parquet"
    pl.DataFrame({"n": range(rows)}, schema={"n": pl.Int64}).write_parquet(path, row_group_size=group)
    start, boundary = data.draw(st.integers(0, rows)), data.draw(st.integers(0, rows))

    reader = open_reader(
        payments(path), places={path.name: start}, current=path.name, boundary=boundary, chunk_bytes=chunk
    )
    pieces = all_of(reader)

    numbers = [
        n for piece in pieces if isinstance(piece.data, pl.DataFrame) for n in piece.data["n"].to_list()
    ]
    assert numbers == list(range(start, rows))
    assert not any(piece.start < boundary < piece.end for piece in pieces)


def test_a_followed_folder_gives_what_is_new_and_holds_back_an_unfinished_line(tmp_path: Path) -> None:
    reader = open_reader(payments(tmp_path, follow=True))
    seen = [all_of(reader)]
    for name, text in [("b", b"1\n2"), ("b", b"2\n"), ("a", b"0\n"), ("b", b""), ("b", b"3\n")]:
        with (tmp_path / f"{name}.ndjson").open("ab") as file:
            file.write(text)
        seen.append(all_of(reader))

    assert [text_of(pieces) for pieces in seen] == [b"", b"1\n", b"22\n", b"0\n", b"", b"3\n"]
    assert not reader.finished


def test_a_followed_file_that_starts_anew_is_said_and_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"1\n2\n3\n")
    reader = open_reader(payments(path, follow=True))
    before = all_of(reader)
    path.write_bytes(b"4\n")

    after = all_of(reader)

    assert text_of(before) == b"1\n2\n3\n"
    assert reasons(after) == ["file_shrank"]
    assert text_of(after) == b"4\n"


def test_a_followed_file_that_goes_with_an_unfinished_line_is_said_once_and_may_come_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"1\n2")
    reader = open_reader(payments(tmp_path, follow=True))
    first = all_of(reader)
    path.unlink()
    lost = all_of(reader) + all_of(reader)
    path.write_bytes(b"5\n")

    assert text_of(first) == b"1\n"
    assert reasons(lost) == ["file_lost"]
    assert text_of(all_of(reader)) == b"5\n"
    assert reader.forgotten() == ["a.ndjson"]


def test_a_followed_parquet_file_is_awaited_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2]}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    reader = open_reader(payments(tmp_path, follow=True))
    early = all_of(reader)
    path.write_bytes(whole)
    late = all_of(reader)

    assert early == []
    assert [piece.data.rows() for piece in late if isinstance(piece.data, pl.DataFrame)] == [[(1,), (2,)]]


def test_a_followed_parquet_file_that_never_becomes_whole_is_refused_once(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    reader = open_reader(payments(tmp_path, follow=True))

    found = [piece for _ in range(UNREADABLE_PATIENCE * 2) for piece in all_of(reader)]

    assert reasons(found) == ["unreadable_file"]


def test_standard_input_is_read_to_its_end_or_as_far_as_it_has_come() -> None:
    reading, writing = os.pipe()
    reader = open_reader(Input("payments", STDIN, "bank", follow=True), stdin=reading)
    nothing = reader.read()
    os.write(writing, b"1\n2")
    some = all_of(reader)
    os.write(writing, b"2\n3")
    os.close(writing)
    rest = all_of(reader)
    os.close(reading)

    assert nothing is None
    assert text_of(some) == b"1\n"
    assert text_of(rest) == b"22\n3"
    assert reader.finished


def test_a_lost_file_of_a_finished_folder_is_not_opened_again(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"1\n")
    reader = open_reader(payments(tmp_path), places={"a.ndjson": GONE}, current="a.ndjson")

    assert all_of(reader) == []
    assert reader.finished
