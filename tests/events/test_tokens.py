"""Tokens: byte for byte keyed BLAKE2b, of identifiers written the one way."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import tokens
from events.codes import TOKEN_KINDS
from events.decode import spans_of
from events.errors import EventError
from events.tokens import Hasher, Key, KeyRing

KEY = Key("k1", bytes(range(32)))
OLD = Key("k0", bytes(range(100, 148)))

exact = settings(deadline=None, derandomize=True, max_examples=150)

shapes = st.one_of(
    st.text(max_size=40),
    st.text("0123456789 -", max_size=24),
    st.text("+0123456789()./ -", max_size=20),
    st.from_regex(r"(GB|DE|fr)[0-9]{2} ?[A-Za-z0-9]{4} ?[0-9]{14}", fullmatch=True),
    st.from_regex(r"[A-Za-z]{4}GB[0-9A-Z]{2}(XXX|xxx|123)?", fullmatch=True),
    st.from_regex(r"89[0-9]{17}[Ff]{0,2}", fullmatch=True),
    st.from_regex(r"[0-9]{13,17}", fullmatch=True),
).map(lambda text: text.strip(" \t\r\n"))


def hashed(kind: str, values: list[str], key: bytes = KEY.secret) -> list[tuple[int, int]]:
    spans = spans_of(values)
    found = Hasher(key).column(spans.buffer, spans.places, np.ones(len(values), np.bool_), kind)
    return list(zip(found.hi.tolist(), found.lo.tolist(), strict=True))


@exact
@given(st.lists(st.text(max_size=400), min_size=1, max_size=8), st.binary(max_size=64))
def test_a_token_is_keyed_blake2b_byte_for_byte(values: list[str], key: bytes) -> None:
    for value, (hi, lo) in zip(values, hashed("device", values, key), strict=True):
        slow = hashlib.blake2b(b"device:" + value.encode(), key=key, digest_size=16).digest()
        assert (f"{hi:016x}{lo:016x}" if value else "") == (slow.hex() if value else "")


@pytest.mark.parametrize("length", [0, 1, 120, 121, 127, 128, 129, 248, 249, 250, 256, 257, 1000])
def test_a_token_is_right_at_every_edge_of_a_block(length: int) -> None:
    value = "x" * length
    slow = hashlib.blake2b(b"device:" + value.encode(), key=KEY.secret, digest_size=16).hexdigest()
    [(hi, lo)] = hashed("device", [value])
    assert f"{hi:016x}{lo:016x}" == (slow if value else "0" * 32)


def test_texts_hashed_side_by_side_leave_nothing_of_themselves_to_the_next() -> None:
    values = ["x" * (length * 37 % 140) for length in range(1, 60)]
    slow = [hashlib.blake2b(b"device:" + v.encode(), key=KEY.secret, digest_size=16).digest() for v in values]
    found = [hi.to_bytes(8, "big") + lo.to_bytes(8, "big") for hi, lo in hashed("device", values)]
    assert found == slow


@exact
@given(st.sampled_from(TOKEN_KINDS), st.lists(shapes, min_size=1, max_size=6))
def test_columns_and_single_identifiers_give_the_same_token(kind: str, values: list[str]) -> None:
    assert hashed(kind, values) == [tokens.token_of(KEY, kind, value) for value in values]


def test_a_value_under_two_kinds_gives_two_tokens() -> None:
    assert tokens.token_of(KEY, "party", "77") != tokens.token_of(KEY, "device", "77")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("account", "00-00-01 12345678", "00000112345678"),
        ("account", "GB00 TEST 0000 0112 3456 78", "00000112345678"),
        ("account", "gb00test00000112345678", "00-00-01 12345678"),
        ("account", "DE00 1234 5678 9012 3456 00", "DE00123456789012345600"),
        ("agent", "00-00-01", "000001"),
        ("agent", "testgb2lxxx", "TESTGB2L"),
        ("number", "07700 900123", "+447700900123"),
        ("number", "00447700900123", "+44 (0)7700 900123"),
        ("number", "447700900123", "7700900123"),
        ("handset", "00-123456-789012-3", "00123456789012"),
        ("handset", "0012345678901234", "00123456789012"),
        ("sim", "00101 0123456789", "001010123456789"),
        ("card_sim", "8944000000000000001F", "8944000000000000001"),
    ],
)
def test_two_ways_of_writing_one_identifier_give_one_token(kind: str, one: str, other: str) -> None:
    assert hashed(kind, [one]) == hashed(kind, [other])


@pytest.mark.parametrize("withheld", ["withheld", "Anonymous", "UNKNOWN"])
def test_a_withheld_number_has_no_token(withheld: str) -> None:
    assert hashed("number", [withheld]) == [(0, 0)]


def test_a_printed_token_reads_back() -> None:
    [printed] = tokens.token_for(KeyRing(KEY), "number", "07700 900001")
    parsed = tokens.parse_token(printed)
    assert parsed is not None
    assert (parsed.kind, parsed.key_id) == ("number", "k1")
    assert (parsed.hi, parsed.lo) == tokens.token_of(KEY, "number", "+447700900001")
    assert tokens.format_token(parsed.kind, parsed.hi, parsed.lo, parsed.key_id) == printed


@pytest.mark.parametrize(
    "text", ["number:+447700900001", "account:k1-abc", "k1-" + "0" * 32, "account:K-" + "0" * 32]
)
def test_what_is_no_token_does_not_parse(text: str) -> None:
    assert tokens.parse_token(text) is None


def test_a_rotation_gives_the_tokens_of_both_keys() -> None:
    both = tokens.token_for(KeyRing(KEY, OLD), "account", "00000112345678")
    assert [token.split(":")[1].split("-")[0] for token in both] == ["k1", "k0"]
    assert both[0].split("-")[1] != both[1].split("-")[1]


def test_an_unknown_kind_is_refused_with_what_to_do() -> None:
    with pytest.raises(EventError, match="use one of"):
        tokens.token_for(KeyRing(KEY), "shoe", "9")


def test_a_withheld_number_cannot_be_looked_up() -> None:
    with pytest.raises(EventError, match="names nobody"):
        tokens.token_for(KeyRing(KEY), "number", "withheld")


@pytest.mark.parametrize("secret", [b"", b"short", bytes(65)])
def test_a_key_of_the_wrong_length_is_refused(secret: bytes) -> None:
    with pytest.raises(EventError, match="16 to 64"):
        Key("k1", secret)


def test_a_key_does_not_print_its_secret() -> None:
    assert repr(KEY) == "Key(id='k1')"
