"""The door: frames of tokens and codes, the same however they were read or cut, and every refusal said."""

import hashlib
import json
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import contract, tokens
from events.bases import Bases, LawfulBasis, Scope
from events.codes import NUMBER_CLASSES, RAILS, STATUSES, TOKEN_KINDS, code_of
from events.door import INTERNAL, Decoded, Door, Source
from events.errors import EventError
from events.frames import COMMON, FRAMES, NO_TIME
from events.rejected import REASONS, Where
from events.tokens import Key, KeyRing

exact = settings(deadline=None, derandomize=True, max_examples=80)

KEY = Key("k1", bytes(range(32)))
OLD = Key("k0", bytes(range(60, 92)))
DEMO = Source("bank", "own", "synthetic-demo")
HERE = Where("a file", 1000)
FORCES = {"E23000001": 1, "E23000004": 2}

PAYMENT = {
    "event_id": "p1", "ts": "2026-01-02T03:04:05.678Z", "rail": "fps", "amount_minor": 1250,
    "payer_account": "00-00-01 12345678", "payee_account": "00-00-02 87654321", "payer_phone": "07700 900001",
    "device_id": "device-one", "channel": "web", "new_payee": True, "force": "E23000004", "lat": 51.5, "lon": -0.125,
    "card": "465858-9f31ab", "ip": "192.0.2.77", "mcc": "5411", "payer_opened": "2020-02-29", "reference": "rent 🙂",
}  # fmt: skip
CALL = {
    "event_id": "c1", "ts": "2026-01-02T04:04:05+01:00", "kind": "call", "number": "07700900002", "direction": "mt",
    "other_number": "+447700900003", "duration_s": 90.5, "imsi": "001010123456789", "imei": "001234561234567",
    "cell": "234-15-1-2", "visited_plmn": "234-15", "answered": False,
}  # fmt: skip


def door(**changes: Any) -> Door:
    given: dict[str, Any] = {"keys": KeyRing(KEY), "bases": Bases.demo(), "sources": [DEMO], "forces": FORCES}
    return Door(**(given | changes))


def lines(*records: Any) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in records)


def decoded(stream: str, *records: Any, **changes: Any) -> Decoded:
    return door(**changes).decode(stream, lines(*records), source="bank", where=HERE)


def token(kind: str, value: str, key: Key = KEY) -> tuple[int, int]:
    return tokens.token_of(key, kind, value)


def same(one: Decoded, other: Decoded) -> None:
    assert one.rejected == other.rejected
    assert one.counts == other.counts
    assert sorted(one.frame.columns) == sorted(other.frame.columns)
    left, right = one.frame.select(sorted(one.frame.columns)), other.frame.select(sorted(other.frame.columns))
    assert left.equals(right, null_equal=False) or left.fill_nan(-7.5).equals(right.fill_nan(-7.5))
    assert not any(column.null_count() for column in one.frame)


# --- what comes out ---


def test_a_payment_comes_out_as_tokens_and_codes() -> None:
    frame = decoded("payments", PAYMENT).frame
    row = frame.row(0, named=True)
    assert row["seq"] == -1
    assert row["ts"] == row["recorded_ts"] == 1_767_323_045_678_000
    assert (row["event_id"], row["source"], row["basis"]) == ("p1", "bank", "synthetic-demo")
    assert (row["rail"], row["status"]) == (code_of(RAILS, "fps"), code_of(STATUSES, "accepted"))
    assert (row["amount_minor"], row["currency"], row["mcc"], row["new_payee"]) == (1250.0, "GBP", 5411, 2)
    assert (row["lat"], row["lon"], row["force"]) == (51.5, -0.125, 2)
    assert row["payer_opened"] == contract.read_date("2020-02-29")
    assert row["reference_kind"] == 4
    for column, kind, value in (
        ("payer_account", "account", "00000112345678"), ("payee_account", "account", "00000287654321"),
        ("payer_phone", "number", "+447700900001"), ("device", "device", "device-one"), ("ip", "ip", "192.0.2.77"),
        ("ip_prefix", "ip", "192.0.2.0/24"), ("card", "card", "465858-9f31ab"), ("card_issuer", "card", "465858"),
    ):  # fmt: skip
        assert (row[f"{column}_hi"], row[f"{column}_lo"]) == token(kind, value), column


def test_a_call_comes_out_with_what_its_numbers_say() -> None:
    row = decoded("telecoms", CALL).frame.row(0, named=True)
    assert row["ts"] == contract.read_time("2026-01-02T03:04:05Z")
    assert row["recorded_ts"] == row["ts"] + 90_500_000
    mobile = code_of(NUMBER_CLASSES, "mobile")
    assert (row["number_class"], row["other_class"], row["number_country"]) == (mobile, mobile, 44)
    assert (row["imsi_plmn"], row["tac"], row["visited_plmn"], row["answered"]) == (1001, 123456, 234015, 1)
    assert (row["other_prefix_hi"], row["other_prefix_lo"]) == tokens.hash_text(KEY, "number", "+44770090*")
    assert (row["imei_hi"], row["imei_lo"]) == token("handset", "00123456123456")
    assert "informs_other" not in row


@pytest.mark.parametrize(("phase", "later"), [("start", 0), ("end", 0), ("complete", 90_500_000)])
def test_a_call_is_recorded_at_its_end_only_when_complete(phase: str, later: int) -> None:
    row = decoded("telecoms", CALL | {"phase": phase}).frame.row(0, named=True)
    assert row["recorded_ts"] - row["ts"] == later


def test_a_source_of_both_legs_informs_the_other_party() -> None:
    both = decoded("telecoms", CALL, CALL | {"source": "own"}, sources=[Source("bank", "both", "synthetic-demo"),
                   Source("own", "own", "synthetic-demo")]).frame  # fmt: skip
    assert both["informs_other"].to_list() == [1, 0]
    assert both["source"].to_list() == ["bank", "own"]


def test_a_withheld_number_has_a_class_and_no_token() -> None:
    row = decoded("telecoms", CALL | {"other_number": "withheld"}).frame.row(0, named=True)
    assert row["other_class"] == code_of(NUMBER_CLASSES, "withheld")
    assert "other_hi" not in row


def test_a_uk_number_of_unusual_length_is_looked_up() -> None:
    row = decoded("telecoms", CALL | {"other_number": "+448001111"}).frame.row(0, named=True)
    assert row["other_class"] == code_of(NUMBER_CLASSES, "freephone")


def test_an_address_of_version_six_has_its_network() -> None:
    row = decoded("payments", PAYMENT | {"ip": "2001:db8:9:1::5"}).frame.row(0, named=True)
    assert (row["ip_prefix_hi"], row["ip_prefix_lo"]) == tokens.hash_text(KEY, "ip", "2001:db8:9::/48")


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("", 1),
        ("  ", 1),
        ("🙂", 2),
        ("❤️ ☕", 2),
        ("rent", 3),
        ("café", 3),
        ("rent 🙂", 4),
        ("two words", 4),
        (None, None),
    ],
)
def test_a_reference_is_reduced_to_its_kind(reference: str | None, kind: int | None) -> None:
    for escaped in (True, False):
        line = json.dumps(PAYMENT | {"reference": reference}, ensure_ascii=escaped).encode()
        assert decoded("payments", line).frame.row(0, named=True).get("reference_kind") == kind


def test_labels_links_watch_and_control_come_out_with_what_they_name() -> None:
    base = {"event_id": "x", "ts": PAYMENT["ts"]}
    printed = tokens.format_token("account", 5, 6, "k1")
    labels = decoded(
        "labels",
        base | {"about": "alert:a-1", "label": "confirmed", "subjects": ["number:1"], "by": "me"},
        base | {"about": "number:07700 900001", "label": "innocent"},
        base | {"about": printed, "label": "unclear"},
    ).frame
    assert labels["about_kind"].to_list() == ["alert", "number", "account"]
    hi, lo = token("number", "1")
    assert labels["subjects"].to_list() == [f"number:{hi:016x}{lo:016x}", "", ""]
    bad = decoded("labels", base | {"about": "alert:a", "label": "unclear", "subjects": ["+44"]})
    assert [(one.reason, one.detail) for one in bad.rejected] == [("bad_format", "$.subjects")]
    assert labels["about_id"].to_list() == ["a-1", "", ""]
    assert list(zip(labels["about_hi"], labels["about_lo"], strict=True)) == [
        (0, 0), token("number", "+447700900001"), (5, 6),
    ]  # fmt: skip
    link = base | {
        "a": "imei:001234561234567",
        "b": "party:77",
        "kind": "uses",
        "from": "2026-01-01T00:00:00Z",
    }
    row = decoded("links", link).frame.row(0, named=True)
    assert (row["a_kind"], row["b_kind"]) == (code_of(TOKEN_KINDS, "handset"), code_of(TOKEN_KINDS, "party"))
    assert (row["a_hi"], row["a_lo"]) == token("handset", "00123456123456")
    assert row["from_ts"] == contract.read_time("2026-01-01T00:00:00Z")
    watched = base | {"what": "imei", "value": "001234561234567", "why": "stolen_handset"}
    row = decoded("watch", watched).frame.row(0, named=True)
    assert (row["value_hi"], row["value_lo"]) == token("handset", "00123456123456")
    control = base | {"kind": "threshold", "detector": "mule_account", "body": {"threshold": 0.5}}
    assert decoded("control", control).frame["body"].to_list() == ['{"threshold":0.5}']


@pytest.mark.parametrize("stream", FRAMES)
def test_a_frame_has_the_schema_of_its_stream(stream: str) -> None:
    base: dict[str, Any] = {"event_id": "x", "ts": PAYMENT["ts"]}
    full = {
        "payments": PAYMENT, "telecoms": CALL, "accounts": base | {"account": "1", "kind": "login", "ip": "192.0.2.1"},
        "labels": base | {"about": "event:1", "label": "confirmed"}, "watch": base | {"what": "number", "value": "1", "why": "restricted"},
        "links": base | {"a": "party:1", "b": "number:2", "kind": "uses"}, "control": base | {"kind": "snooze"},
    }[stream]  # fmt: skip
    for frame in (decoded(stream, full).frame, decoded(stream).frame, decoded(stream, full, b"{").frame):
        columns = [name for name in frame.columns if name not in INTERNAL]
        assert columns == [name for name in FRAMES[stream] if name in columns]
        assert columns[: len(COMMON)] == list(COMMON)
        assert [frame[name].dtype for name in columns] == [FRAMES[stream][name] for name in columns]
        assert frame.schema["place"] == pl.Int64 and frame.schema["repeat_hi"] == pl.UInt64


def test_no_raw_identifier_survives_the_door() -> None:
    secrets = [
        "12345678",
        "87654321",
        "7700900001",
        "device-one",
        "192.0.2",
        "9f31ab",
        "rent",
        "0123456789",
        "123456123",
    ]
    found = decoded("payments", PAYMENT), decoded("telecoms", CALL)
    printed = "".join(one.frame.write_json() for one in found)
    numbers = {
        value for one in found for row in one.frame.rows() for value in row if isinstance(value, int | float)
    }
    assert not [secret for secret in secrets if secret in printed.replace("2026", "")]
    assert 7700900001 not in numbers


def test_while_a_key_is_rotated_entities_come_under_both_keys() -> None:
    row = decoded("payments", PAYMENT, keys=KeyRing(KEY, OLD)).frame.row(0, named=True)
    assert (row["payer_account_hi"], row["payer_account_lo"]) == token("account", "00000112345678")
    assert (row["payer_account_prev_hi"], row["payer_account_prev_lo"]) == token(
        "account", "00000112345678", OLD
    )
    assert "ip_prev_hi" not in row
    link = {"event_id": "x", "ts": PAYMENT["ts"], "a": "party:1", "b": "number:+447700900001", "kind": "uses"}
    row = decoded("links", link, keys=KeyRing(KEY, OLD)).frame.row(0, named=True)
    assert (row["b_prev_hi"], row["b_prev_lo"]) == token("number", "+447700900001", OLD)


def test_repeats_are_known_by_stream_source_and_id_alone() -> None:
    def digest(stream: str, record: dict[str, Any], source: str = "bank", **changes: Any) -> tuple[int, int]:
        frame = door(**changes).decode(stream, lines(record), source=source, where=HERE).frame
        return frame["repeat_hi"][0], frame["repeat_lo"][0]

    first = digest("payments", PAYMENT)
    assert first == digest("payments", PAYMENT | {"amount_minor": 7}, keys=KeyRing(OLD))
    other = Source("other", "own", "synthetic-demo")
    different = [
        digest("payments", PAYMENT | {"event_id": "p2"}),
        digest("payments", PAYMENT, source="other", sources=[other]),
        digest("payments", PAYMENT | {"source": "other"}, sources=[DEMO, other]),
        digest("telecoms", CALL | {"event_id": "p1"}),
    ]
    assert different[1] == different[2]
    assert len({first, *different}) == 4
    expected = hashlib.blake2b(b"payments:4:bank:p1", digest_size=16).hexdigest()
    assert f"{first[0]:016x}{first[1]:016x}" == expected


# --- one way of reading or another, cut here or there ---

texts = st.sampled_from(
    ["", " ", "00000112345678", "07700 900123", "é", "a" * 70, "x" * 300, "🙂", "withheld", "1-2"]
)
instants = st.sampled_from(
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.1234567+01:00", "2026-01-02t03:04:05z", "2026-01-02T03:04:05", "1980-01-01T00:00:00Z",
     "2190-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2024-02-29T23:59:60Z", "2026-01-05T00:00:00-00:00", "", "now", 5]
)  # fmt: skip


def loose(field: contract.Field) -> st.SearchStrategy[Any]:
    """Values of a field that are often right, sometimes unusual and sometimes wrong."""
    rule = field.rule
    if isinstance(rule, contract.Word):
        return st.sampled_from([*rule.words, "", "nonsense", None])
    if isinstance(rule, contract.Time):
        return instants
    if isinstance(rule, contract.Date):
        return st.sampled_from(["2020-02-29", "2021-02-29", "2020-1-1", "", None])
    if isinstance(rule, contract.Whole):
        return st.sampled_from([0, 1, 5, -1, 10**15, 10**15 + 1, 10**30, 1.0, "1", None])
    if isinstance(rule, contract.Number):
        return st.sampled_from([0, 0.5, -0.0, 90, 91.5, 1e-7, 0.1234567890123456789, "1", None])
    if isinstance(rule, contract.Flag):
        return st.sampled_from([True, False, None, 1])
    if isinstance(rule, contract.Force):
        return st.sampled_from(["E23000001", "E23000099", "e23000001", "", None])
    if isinstance(rule, contract.Currency):
        return st.sampled_from(["GBP", "EUR", "ZZZ", "gbp", "", None])
    if isinstance(rule, contract.Mcc | contract.Plmn):
        return st.sampled_from(["5411", "541", "23415", "234-15", "310410", "", None])
    if isinstance(rule, contract.Mention):
        return st.sampled_from(
            ["number:07700900001", "account:1", "number:", "shoe:9", "party:é", "alert:x", None]
        )
    if isinstance(rule, contract.Ignored):
        return st.sampled_from([None, {}, {"a": [1]}, [], 5, {"text": "x"}])
    if isinstance(rule, contract.Card):
        return st.sampled_from(["4000000000000002", "465858-abcd", "é", None])
    return texts | st.none() | st.just(7)


def records_of(stream: str) -> st.SearchStrategy[dict[str, Any]]:
    good = {"payments": PAYMENT, "telecoms": CALL}.get(stream, {})
    few = st.lists(st.sampled_from(contract.fields(stream)), max_size=4, unique_by=lambda field: field.name)
    changes = few.flatmap(
        lambda fields: st.fixed_dictionaries({field.name: loose(field) for field in fields})
    )
    return changes.map(lambda changed: good | changed)


def chunk_of(draw: st.DrawFn, stream: str) -> list[bytes]:
    out = []
    for record in draw(st.lists(records_of(stream), min_size=1, max_size=8)):
        line = json.dumps(record, ensure_ascii=draw(st.booleans())).encode()
        match draw(st.integers(0, 12)):
            case 0:
                line = line[: draw(st.integers(0, len(line)))]
            case 1:
                line = line.replace(b'"', draw(st.sampled_from([b"'", b"\xff", b'\\"'])), 1)
            case 2:
                line = b'{"event_id":"twice",' + line[1:]
        out.append(line + draw(st.sampled_from([b"", b"\r", b" "])))
    return out


chunks = st.composite(chunk_of)
stream_names = st.sampled_from(["payments", "telecoms", "accounts"])
lenient = {"earliest": 0}


@settings(exact, max_examples=120)
@given(stream_names.flatmap(lambda stream: st.tuples(st.just(stream), chunks(stream))))
def test_reading_by_frame_and_line_by_line_give_the_same(case: tuple[str, list[bytes]]) -> None:
    stream, chunk = case
    whole = b"\n".join(chunk)
    fast = door().decode(stream, whole, source="bank", where=HERE)
    same(fast, door().decode_by_line(stream, whole, source="bank", where=HERE))
    assert {refused.reason for refused in fast.rejected} <= REASONS.keys()
    lines_read = sum(1 for line in whole.split(b"\n") if line.strip())
    assert sum(fast.counts.values()) == lines_read


@exact
@given(stream_names.flatmap(lambda stream: st.tuples(st.just(stream), chunks(stream))))
def test_where_a_chunk_is_cut_changes_nothing(case: tuple[str, list[bytes]]) -> None:
    stream, chunk = case
    whole = door().decode(stream, b"\n".join(chunk), source="bank", where=HERE)
    begin, rows, rejected = 0, [], []
    for line in chunk:
        part = door().decode(stream, line, source="bank", where=HERE.at(begin))
        rows += part.frame.with_columns(pl.col("place") + begin).rows(named=True)
        rejected += part.rejected
        begin += len(line) + 1
    assert rejected == whole.rejected
    assert len(rows) == whole.frame.height
    for one, other in zip(rows, whole.frame.rows(named=True), strict=True):
        for name in one.keys() | other.keys():
            left, right = one.get(name), other.get(name)
            absent = (None, 0, "", NO_TIME)
            assert left == right or (_absent(left, absent) and _absent(right, absent)), name


def _absent(value: Any, absent: tuple[Any, ...]) -> bool:
    return value in absent or (isinstance(value, float) and math.isnan(value))


@pytest.mark.parametrize(("stream", "record"), [("payments", PAYMENT), ("telecoms", CALL)])
def test_parquet_rows_and_json_lines_give_the_same_frame(stream: str, record: dict[str, Any]) -> None:
    other = record | {
        "event_id": "second",
        "ts": "2026-03-01T00:00:00Z",
        "recorded_ts": "2026-03-01T00:00:09Z",
    }
    frame = pl.DataFrame([record, other], infer_schema_length=None).with_columns(
        pl.col("ts", "recorded_ts").str.to_datetime(time_zone="UTC", time_unit="us", format="%+")
    )
    if "payer_opened" in record:  # days, or midnights as some writers have them
        frame = frame.with_columns(pl.col("payer_opened").str.to_date())
    columns = door().decode(stream, frame, source="bank", where=HERE)
    text = door().decode(stream, lines(record, other), source="bank", where=HERE)
    assert not columns.rejected
    assert columns.frame["place"].to_list() == [0, 1]
    same(
        Decoded(columns.frame.drop("place"), [], columns.counts), Decoded(text.frame.drop("place"), [], text.counts)
    )  # fmt: skip


def test_parquet_rows_that_cannot_be_taken_say_why() -> None:
    frame = pl.DataFrame(
        {"event_id": ["a", "b", "c"], "ts": pl.Series(["2026-01-01T00:00:00"] * 3).str.to_datetime(), "rail": ["fps"] * 3}
    )  # fmt: skip
    assert [r.reason for r in door().decode("payments", frame, source="bank", where=HERE).rejected] == [
        "no_offset"
    ] * 3
    zoned = frame.with_columns(pl.col("ts").dt.replace_time_zone("Europe/London"), amount_minor=pl.lit("5"))
    found = door().decode("payments", zoned, source="bank", where=HERE).rejected
    assert [(r.reason, r.detail, r.where) for r in found][1] == ("wrong_type", "$.amount_minor", HERE.at(1))
    for far in (2**62, -(2**62)):
        odd = frame.with_columns(ts=pl.Series([far] * 3).cast(pl.Datetime("us", "UTC")))
        reasons = {r.reason for r in door().decode("payments", odd, source="bank", where=HERE).rejected}
        assert reasons == {"missing_field"}
        odd = odd.with_columns(amount_minor=pl.lit(1), payer_account=pl.lit("1"))
        reasons = {r.reason for r in door().decode("payments", odd, source="bank", where=HERE).rejected}
        assert reasons == {"too_late" if far > 0 else "too_early"}
    content = pl.DataFrame([CALL | {"ext": {"a": {"body": "hello"}}}, CALL | {"ext": {"a": {"body": None}}}])
    found = door().decode("telecoms", content, source="bank", where=HERE).rejected
    assert [(r.reason, r.detail) for r in found] == [("content", "$.ext")]


# --- bad input ---


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"amount_minor": -1}, "out_of_bounds", "$.amount_minor"),
        ({"amount_minor": 10**16}, "out_of_bounds", "$.amount_minor"),
        ({"amount_minor": 10**30}, "out_of_bounds", "$.amount_minor"),
        ({"amount_minor": "12"}, "wrong_type", "$.amount_minor"),
        ({"amount_minor": 1.5}, "wrong_type", "$.amount_minor"),
        ({"amount_minor": math.nan}, "not_json", "$"),
        ({"lat": math.inf}, "not_json", "$"),
        ({"lat": 90.1}, "out_of_bounds", "$.lat"),
        ({"currency": "ZZZ"}, "unknown_currency", "$.currency"),
        ({"rail": "pigeon"}, "unknown_word", "$.rail"),
        ({"rail": None}, "missing_field", "$.rail"),
        ({"event_id": ""}, "missing_field", "$.event_id"),
        ({"event_id": "x" * 65}, "out_of_bounds", "$.event_id"),
        ({"ts": "2026-01-02T03:04:05"}, "no_offset", "$.ts"),
        ({"ts": 1_767_323_045_678_000}, "wrong_type", "$.ts"),
        ({"ts": "1989-12-31T23:59:59Z"}, "too_early", "$.ts"),
        ({"ts": "2126-01-02T03:04:05Z"}, "too_late", "$.ts"),
        ({"recorded_ts": "2126-01-02T03:04:05Z"}, "too_late", "$.recorded_ts"),
        ({"recorded_ts": "2026-01-01T03:04:05Z"}, "after_recorded", "$.ts"),
        ({"card": "4000 0000 0000 0002"}, "pan", "$.card"),
        ({"force": "Kent"}, "bad_format", "$.force"),
        ({"mcc": "54"}, "bad_format", "$.mcc"),
        ({"payer_account": None, "payee_account": ""}, "missing_field", "$.payer_account"),
    ],
)
def test_a_bad_payment_is_refused_with_its_reason_and_field(
    change: dict[str, Any], reason: str, detail: str
) -> None:
    bad = lines(PAYMENT | change)
    found = decoded("payments", PAYMENT, bad, PAYMENT | {"event_id": "p3"})
    assert found.frame["event_id"].to_list() == ["p1", "p3"]
    [refused] = found.rejected
    assert (refused.reason, refused.detail) == (reason, detail)
    assert (refused.source, refused.stream) == ("bank", "payments")
    assert refused.digest == hashlib.sha256(bad).hexdigest()
    assert refused.where == HERE.at(len(lines(PAYMENT)) + 1)
    assert found.counts == {"accepted": 2, reason: 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (lines(PAYMENT)[:-20], "not_json"),
        (b"hello", "not_json"),
        (b'{"event_id": "\xff\xfe"}', "invalid_utf8"),
        (b"[" * 100_000, "not_json"),
        (b'{"a":' * 100_000, "not_json"),
        (b"9" * 10_000, "not_an_object"),
        (b"\x00\x01\x02", "not_json"),
        (b"{}", "missing_field"),
    ],
)
@pytest.mark.parametrize("stream", FRAMES)
def test_what_is_no_record_costs_one_dead_letter(stream: str, line: bytes, reason: str) -> None:
    found = decoded(stream, line)
    assert [refused.reason for refused in found.rejected] == [reason]
    assert found.frame.height == 0


def test_a_line_of_a_hundred_megabytes_is_refused_unread() -> None:
    huge = b'{"event_id":"' + b"x" * 100_000_000 + b'"}'
    found = door(bases=Bases.of([LawfulBasis("synthetic-demo", "i", "p")])).decode(
        "payments", lines(PAYMENT, huge, PAYMENT), source="bank", where=HERE
    )
    assert found.counts == {"accepted": 2, "too_long": 1}
    assert found.rejected[0].digest == hashlib.sha256(huge).hexdigest()


def test_marks_and_line_ends_of_other_systems_are_taken() -> None:
    chunk = b"\xef\xbb\xbf" + lines(PAYMENT) + b"\r\n\r\n" + lines(PAYMENT | {"event_id": "p2"}) + b"\r\n"
    found = door().decode("payments", chunk, source="bank", where=HERE)
    assert found.frame["event_id"].to_list() == ["p1", "p2"]
    assert found.frame["place"].to_list() == [0, len(lines(PAYMENT)) + 7]


@pytest.mark.parametrize("field", contract.CONTENT_FIELDS)
def test_a_telecoms_record_that_carries_content_is_refused_and_never_kept(field: str) -> None:
    found = decoded("telecoms", CALL | {field: "meet me"}, CALL | {"ext": {"a": [{field: None}]}}, CALL)
    assert found.counts == {"accepted": 1, "content": 2}
    assert [refused.raw for refused in found.rejected] == [None, None]


def test_raw_bytes_are_kept_only_where_the_basis_allows_it() -> None:
    bad = PAYMENT | {"rail": "pigeon"}
    assert decoded("payments", bad).rejected[0].raw == lines(bad)
    strict = Bases.of([LawfulBasis("synthetic-demo", "i", "p")])
    assert decoded("payments", bad, bases=strict).rejected[0].raw is None
    assert decoded("payments", bad, sources=[]).rejected[0].raw is None
    assert decoded("payments", PAYMENT | {"card": "4000000000000002"}).rejected[0].raw is None
    assert decoded("telecoms", b'{"text": "half a li').rejected[0].raw is None


def test_a_notice_needs_only_the_payments_id() -> None:
    notice = {"event_id": "n1", "ts": PAYMENT["ts"], "payment_id": "uetr-1", "status": "recalled"}
    row = decoded("payments", notice).frame.row(0, named=True)
    assert row["status"] == code_of(STATUSES, "recalled")
    assert decoded("payments", notice | {"payment_id": ""}).rejected[0].detail == "$.payment_id"


def test_unknown_fields_cost_nothing_and_go_nowhere() -> None:
    more = PAYMENT | {"colour": "red", "nested": {"a": [1, 2]}, "ext": {"b": 1}}
    same(decoded("payments", more), decoded("payments", PAYMENT))


# --- lawful bases ---


def test_records_without_a_lawful_basis_are_dropped_and_counted() -> None:
    bases = Bases.of(
        [LawfulBasis("a", "i", "p", Scope(streams=("payments",)), contract.read_time("2026-01-03T00:00:00Z"))]  # type: ignore[arg-type]
    )
    sources = [Source("bank", "own", "a"), Source("other")]
    found = decoded(
        "payments",
        PAYMENT,
        PAYMENT | {"event_id": "unknown", "basis": "b"},
        PAYMENT | {"event_id": "undeclared", "source": "other"},
        PAYMENT | {"event_id": "late", "ts": "2026-01-03T00:00:00Z"},
        PAYMENT | {"event_id": "named", "source": "other", "basis": "a"},
        bases=bases,
        sources=sources,
    )
    assert found.frame["event_id"].to_list() == ["p1", "named"]
    assert found.frame["basis"].to_list() == ["a", "a"]
    assert found.counts == {"accepted": 2, "no_lawful_basis": 2, "expired": 1}
    assert not found.rejected
    assert decoded("telecoms", CALL, bases=bases, sources=sources).counts == {"no_lawful_basis": 1}


def test_a_basis_for_some_forces_holds_their_records_only() -> None:
    bases = Bases.of([LawfulBasis("synthetic-demo", "i", "p", Scope(forces=("E23000001",)))])
    found = decoded(
        "payments", PAYMENT, PAYMENT | {"event_id": "p2", "payee_force": "E23000001"}, bases=bases
    )
    assert found.frame["event_id"].to_list() == ["p2"]


# --- the caller's mistakes ---


def test_a_stream_there_is_not_is_an_error() -> None:
    with pytest.raises(EventError, match="use one of"):
        decoded("letters", PAYMENT)


def test_a_setting_for_lines_that_cannot_be_held_is_an_error() -> None:
    with pytest.raises(EventError, match="longest line"):
        door(max_line=1 << 30)
