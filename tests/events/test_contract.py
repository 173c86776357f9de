"""The contract: what its fields may hold, and that nothing in it is forgotten by the frames."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import contract
from events.codes import TOKEN_KINDS
from events.frames import FRAMES

exact = settings(deadline=None, derandomize=True, max_examples=200)

RENAMED = {"from": "from_ts", "to": "to_ts", "reference": "reference_kind", "about": "about_hi", "a": "a_hi"}
RENAMED |= {"b": "b_hi", "value": "value_hi"}


@pytest.mark.parametrize("stream", FRAMES)
def test_every_field_of_the_contract_has_its_column(stream: str) -> None:
    dropped = {"ext", "subjects", "subject_category", "note"}
    for field in contract.fields(stream):
        if isinstance(field.rule, contract.Identifier):
            assert field.rule.kind in TOKEN_KINDS
            assert {f"{field.rule.column}_hi", f"{field.rule.column}_lo"} <= FRAMES[stream].keys()
        elif field.name not in dropped:
            assert RENAMED.get(field.name, field.name) in FRAMES[stream], field.name


@pytest.mark.parametrize("stream", FRAMES)
def test_what_is_required_is_a_field(stream: str) -> None:
    names = {field.name for field in contract.fields(stream)}
    assert set(contract.REQUIRED[stream]) <= names
    assert len(names) <= 58  # a bit each, with the content fields, in the reader's 64


@exact
@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(-1439, 1439))
def test_a_time_is_read_as_the_standard_library_reads_it(local: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    instant = local.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    expected = (instant - contract.EPOCH) // timedelta(microseconds=1)
    assert contract.read_time(local.isoformat() + offset) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-01-02T03:04:05", "no_offset"),
        ("2026-02-30T03:04:05Z", "bad_time"),
        ("2026-01-02T24:00:00Z", "bad_time"),
        ("2026-01-02T23:60:00Z", "bad_time"),
        ("2026-01-02T23:00:00+24:00", "bad_time"),
        ("0000-01-02T23:00:00Z", "bad_time"),
        ("2026-01-02", "bad_time"),
        ("yesterday", "bad_time"),
        ("٢٠٢٦-01-02T03:04:05Z", "bad_time"),
    ],
)
def test_what_is_no_instant_is_refused(text: str, reason: str) -> None:
    assert contract.Time().refuse(text) == reason


@pytest.mark.parametrize(
    "text", ["2026-01-02t03:04:05z", "2026-01-02 03:04:05Z", "2026-01-02T04:04:05.000000999+01:00"]
)
def test_unusual_ways_of_writing_an_instant_are_read(text: str) -> None:
    assert contract.read_time(text) == contract.read_time("2026-01-02T03:04:05Z")


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("4000000000000002", True),
        ("4000 0000 0000 0002", True),
        ("4000-0000-0000-0002", True),
        ("4000000000000003", False),
        ("400000000002", False),
        ("card-4000000000000002", False),
        ("", False),
    ],
)
def test_a_card_number_is_known_when_seen(value: str, is_one: bool) -> None:
    assert contract.looks_like_pan(value) is is_one


def test_the_currencies_are_three_capitals_each() -> None:
    assert all(re.fullmatch(r"[A-Z]{3}", code) for code in contract.CURRENCIES)
    assert {"GBP", "EUR", "USD", "XTS"} <= contract.CURRENCIES


@pytest.mark.parametrize(
    ("record", "absent"),
    [
        ({"rail": 1, "amount_minor": 1, "payee_account": 1}, None),
        ({"rail": 1, "amount_minor": 1}, "payer_account"),
        ({"rail": 1, "payer_account": 1}, "amount_minor"),
        ({"amount_minor": 1, "payer_account": 1}, "rail"),
        ({"status": "recalled", "payment_id": 1}, None),
        ({"status": "recalled"}, "payment_id"),
        ({"status": "initiated", "payment_id": 1}, "rail"),
    ],
)
def test_what_a_payment_needs_depends_on_its_status(record: dict[str, object], absent: str | None) -> None:
    assert contract.missing("payments", {"event_id": 1, "ts": 1} | record) == absent
