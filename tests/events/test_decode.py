"""Reading chunks: the fast loop takes only what it is sure of, and then says what slow reading says."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import contract, decode
from events.decode import RawColumns, Refusal

exact = settings(deadline=None, derandomize=True, max_examples=150)
LONGEST = 4096

GOOD = {"event_id": "e1", "ts": "2026-01-02T03:04:05Z", "kind": "call", "number": "+447700900001"}


def held(columns: RawColumns, row: int) -> dict[str, Any]:
    """What the fast loop read of a row, as plain values."""
    out: dict[str, Any] = {}
    for field in contract.fields(columns.stream):
        if not columns.here(field.name)[row]:
            continue
        if field.name in columns.texts:
            spans = columns.texts[field.name]
            start, size = divmod(int(spans.places[row]), decode.MAX_LENGTH)
            out[field.name] = spans.buffer[start : start + size].tobytes().decode()
        else:
            value = columns.numbers[field.name][row].item()
            out[field.name] = value == 2 if field.rule.json == "flag" else value
    return out


def assert_says_the_same(stream: str, line: bytes) -> bool:
    """Whether the fast loop took the line; if so, it must have read what msgspec reads."""
    read = decode.scan_lines(stream, line, LONGEST)
    if read.columns.height == 0 or read.columns.odd[0]:
        return False
    record = decode._DECODERS[stream].decode(line)  # raises for what is no JSON
    expected = {}
    for field in contract.fields(stream):
        value = getattr(record, field.attribute)
        blank = isinstance(field.rule, contract.Reference)
        if value is not None and (value != "" or blank) and field.rule.json not in ("map", "list", "any"):
            expected[field.name] = value
    assert held(read.columns, 0) == expected
    assert not isinstance(decode.read_line(stream, line, LONGEST), Refusal) or not _is_json_fault(
        stream, line
    )
    return True


def _is_json_fault(stream: str, line: bytes) -> bool:
    found = decode.read_line(stream, line, LONGEST)
    return isinstance(found, Refusal) and found.reason in (
        "not_json", "not_an_object", "duplicate_field", "wrong_type", "too_long", "invalid_utf8", "content",
    )  # fmt: skip


names = [field.name for field in contract.fields("telecoms")]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
typed = {
    "text": st.text(max_size=12), "number": st.floats(-1e6, 1e6) | st.integers(-9, 10**17), "flag": st.booleans(),
    "int": st.integers(-(10**19), 10**19), "map": st.dictionaries(st.text(max_size=5), json_values, max_size=3),
}  # fmt: skip
objects = st.fixed_dictionaries(
    {}, optional={field.name: typed[field.rule.json] | st.none() for field in contract.fields("telecoms")}
).flatmap(
    lambda known: st.dictionaries(st.text(max_size=7), json_values, max_size=2).map(
        lambda more: {**more, **known}
    )
)


@exact
@given(objects, st.booleans(), st.sampled_from([None, (",", ":"), (" ,  ", " : ")]))
def test_whatever_object_the_loop_takes_it_reads_like_msgspec(
    value: dict[str, Any], escaped: bool, separators: tuple[str, str] | None
) -> None:
    line = json.dumps(value, ensure_ascii=escaped, separators=separators)
    assert_says_the_same("telecoms", line.encode(errors="replace"))


@exact
@given(
    st.lists(
        st.sampled_from(
            [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"-", b"0", b"1", b".", b"e", b"+", b"null",
             b"true", b"false", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\t", b"\x00",
             b'"ts"', b'"lat"', b'"amount_minor"', b'"ext"', b'"other"', b'"text"', b'"answered"', b"NaN", b"12", b"\r"]
        ),
        max_size=14,
    )
)  # fmt: skip
def test_no_scrap_of_json_is_taken_that_is_none(scraps: list[bytes]) -> None:
    assert_says_the_same("telecoms", b"".join(scraps))
    assert_says_the_same("telecoms", b'{"lat":' + b"".join(scraps) + b"}")
    assert_says_the_same("telecoms", b'{"ext":{"a":' + b"".join(scraps) + b"}}")
    assert_says_the_same("telecoms", b'{"cell":"' + b"".join(scraps) + b'"}')


@exact
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["r", ".3f", ".12e", "G", ".17g"]))
def test_a_decimal_is_read_to_the_last_bit(value: float, style: str) -> None:
    text = repr(value) if style == "r" else format(value, style)
    line = f'{{"lat":{text}}}'.encode()
    read = decode.scan_lines("payments", line, LONGEST)
    if not read.columns.odd[0]:
        assert np.float64(held(read.columns, 0)["lat"]).tobytes() == np.float64(float(text)).tobytes()


@pytest.mark.parametrize("text", ["51.5074", "-0.1278", "0", "12", "1e2", "-1.5E-3", "0.000001"])
def test_usual_decimals_are_taken_whole(text: str) -> None:
    assert assert_says_the_same("payments", f'{{"lat":{text}}}'.encode())


@pytest.mark.parametrize(
    "line",
    [
        b'{"event_id":"a","event_id":"b"}',
        b'{"event_id":5}',
        b'{"amount_minor":1.0}',
        b'{"amount_minor":"1"}',
        b'{"amount_minor":true}',
        b'{"amount_minor":99999999999999999999}',
        b'{"amount_minor":NaN}',
        b'{"lat":Infinity}',
        b'{"new_payee":1}',
        b'{"event_id":"a\\u0062"}',
        b'{"event_id":" a"}',
        b'{"event_id":"\xff"}',
        b'{"event_id":["a"]}',
        b'{"event_id":"a"',
        b'{"event_id":"a"}}',
        b'{"event_id":"a"} {}',
        b"[]",
        b"null",
        b'\xef\xbb\xbf{"event_id":"a"}',
    ],
)
def test_what_the_loop_is_not_sure_of_is_set_aside(line: bytes) -> None:
    assert decode.scan_lines("payments", line, LONGEST).columns.odd.tolist() == [True]


def test_blank_lines_are_no_lines_and_every_line_knows_its_place() -> None:
    chunk = b'\n  \r\n{"event_id":"a"}\r\n\n{"event_id":"b"}'
    read = decode.scan_lines("payments", chunk, LONGEST)
    assert [read.line(row).strip() for row in range(2)] == [b'{"event_id":"a"}', b'{"event_id":"b"}']
    assert read.starts.tolist() == [5, 24]
    assert not read.columns.odd.any()


@pytest.mark.parametrize("chunk", [b"", b"\n", b" \r\n\t\n"])
def test_a_chunk_of_nothing_has_no_rows(chunk: bytes) -> None:
    assert decode.scan_lines("payments", chunk, LONGEST).columns.height == 0


def test_the_innards_of_ext_are_skipped_however_nested() -> None:
    line = json.dumps(
        {"event_id": "a", "ext": {"a": [1, {"b": None, "c": [[], {}]}], "d": "x"}, "force": "E23000001"}
    )
    assert assert_says_the_same("payments", line.encode())


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"{", "not_json", "$"),
        (b'{"event_id":"a"', "not_json", "$"),
        (b'{"bytes_up":NaN}', "not_json", "$"),
        (b'{"lat":1e999}', "out_of_bounds", "$.lat"),
        (b"{" * 100_000, "too_long", "$"),
        (b'{"ext":' + b"[" * 2000 + b"]" * 2000 + b"}", "not_json", "$"),
        (b"\xff\xfe", "invalid_utf8", "$"),
        (b"[1]", "not_an_object", "$"),
        (b'"text"', "not_an_object", "$"),
        (b'{"kind":"call","kind":"sms"}', "duplicate_field", "$.kind"),
        (b'{"kind":7}', "wrong_type", "$.kind"),
        (b'{"text":"hello"}', "content", "$.text"),
        (b'{"ext":{"deep":[{"audio":"x"}]}}', "content", "$.ext"),
        (b'{"event_id":"a"}', "missing_field", "$.ts"),
        (b'{"event_id":"  "}', "missing_field", "$.event_id"),
        (b'{"event_id":"' + b"x" * 65 + b'"}', "out_of_bounds", "$.event_id"),
        (b'{"event_id":"a\\u0000"}', "bad_format", "$.event_id"),
        (b'{"event_id":"\\ud800"}', "not_json", "$"),
        (b'{"kind":"telepathy"}', "unknown_word", "$.kind"),
        (b'{"visited_plmn":"2341"}', "bad_format", "$.visited_plmn"),
        (b'{"duration_s":-1}', "out_of_bounds", "$.duration_s"),
        (b'{"bytes_up":99999999999999999999999}', "out_of_bounds", "$.bytes_up"),
        (b'{"sim_activated":"2026-13-01"}', "bad_time", "$.sim_activated"),
    ],
)
def test_a_line_read_alone_says_why_it_is_refused_and_where(line: bytes, reason: str, detail: str) -> None:
    assert decode.read_line("telecoms", line, 50_000) == Refusal(reason, detail)


def test_a_line_read_alone_gives_the_fields_it_holds() -> None:
    line = ('\ufeff {"other_number": "", "answered": null, ' + json.dumps(GOOD)[1:] + "\r").encode()
    assert decode.read_line("telecoms", line, LONGEST) == GOOD | {"ts": contract.read_time(GOOD["ts"])}


def test_parquet_columns_that_only_look_different_are_taken() -> None:
    frame = pl.DataFrame(
        {
            "amount_minor": [1.0, None],
            "lat": [51, None],
            "lon": [float("nan"), 0.5],
            "rail": pl.Series(["fps", None], dtype=pl.Categorical),
        }
    )
    columns = decode.scan_rows("payments", decode.conform("payments", frame))
    assert not columns.odd.any()
    assert [held(columns, row) for row in range(2)] == [
        {"amount_minor": 1, "lat": 51.0, "rail": "fps"},
        {"lon": 0.5},
    ]


def test_parquet_values_of_another_type_are_set_aside() -> None:
    frame = pl.DataFrame({"amount_minor": ["1", None], "event_id": [5, None], "new_payee": [1, None]})
    assert decode.scan_rows("payments", decode.conform("payments", frame)).odd.tolist() == [True, False]
