"""Classes: what a number, a SIM, a handset and a card say of themselves before they become tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import classes, judge, tokens
from events.codes import NUMBER_CLASSES, word_of
from events.decode import spans_of

exact = settings(deadline=None, derandomize=True, max_examples=200)

numbers = st.one_of(
    st.text("+0123456789 -.()/", max_size=20),
    st.from_regex(r"(\+44|0044|0|44|\+44 \(0\))[0-9]{7,10}", fullmatch=True),
    st.from_regex(r"\+?[0-9]{3,17}", fullmatch=True),
    st.text(max_size=14),
    st.text("abcXYZ09 +*#-é", max_size=13),
    st.sampled_from(["withheld", "Anonymous", "+", "", "00", "0", "+0", "440", "+4407700900123", "1+2"]),
).map(lambda text: text.strip(" \t\r\n"))


def compiled(raw: str) -> tuple[str, int, int]:
    out = np.zeros(4 * len(raw) + 8, np.uint8)
    data = np.frombuffer(raw.encode() or b"\0", np.uint8)
    size, kind, country = classes.write_number(data, 0, len(raw.encode()), out, 0)
    form = out[:size].tobytes().decode()
    return form, classes.odd_uk_class(form) if kind == classes.ODD else kind, country


@exact
@given(numbers)
def test_the_loop_and_the_plain_rules_agree_on_every_number(raw: str) -> None:
    assert compiled(raw) == classes.number_form(raw)


@pytest.mark.parametrize(
    ("raw", "form", "word", "country"),
    [
        ("07700 900123", "+447700900123", "mobile", 44),
        ("+447700900123", "+447700900123", "mobile", 44),
        ("00447700900123", "+447700900123", "mobile", 44),
        ("+44 (0)7700 900123", "+447700900123", "mobile", 44),
        ("7700900123", "+447700900123", "mobile", 44),
        ("020 7946 0123", "+442079460123", "geographic", 44),
        ("01632 960123", "+441632960123", "geographic", 44),
        ("0808 157 0123", "+448081570123", "freephone", 44),
        ("0909 879 0123", "+449098790123", "premium", 44),
        ("0306 999 0123", "+443069990123", "non_geographic", 44),
        ("07012345678", "+447012345678", "non_geographic", 44),
        ("07624 123456", "+447624123456", "mobile", 44),
        ("60006", "60006", "short_code", 0),
        ("7726", "7726", "short_code", 0),
        ("MyBank", "MYBANK", "alphanumeric", 0),
        ("withheld", "", "withheld", 0),
        ("+9997123456789", "+9997123456789", "test", 999),
        ("+999012345678", "+999012345678", "test", 999),
        ("+99912345678", "+99912345678", "international", 999),
        ("+33612345678", "+33612345678", "international", 33),
        ("33612345678", "+33612345678", "international", 33),
        ("0800 1111", "08001111", "short_code", 0),
        ("+448001111", "+448001111", "freephone", 44),
        ("+210123456789", "+210123456789", "invalid", 0),
        ("12345678901234567890", "12345678901234567890", "invalid", 0),
        ("a name that is too long", "A NAME THAT IS TOO LONG", "invalid", 0),
    ],
)
def test_a_number_is_written_the_one_way_and_classed(raw: str, form: str, word: str, country: int) -> None:
    written, kind, code = compiled(raw)
    assert (written, word_of(NUMBER_CLASSES, kind), code) == (form, word, country)


@pytest.mark.parametrize(
    ("imsi", "network"),
    [
        ("001010123456789", 1001),
        ("234150123456789", 234015),
        ("310410123456789", 310410),
        ("00101 0123456789", 1001),
        ("12", 0),
        ("abcdef", 0),
    ],
)
def test_a_sim_names_its_home_network(imsi: str, network: int) -> None:
    spans = spans_of([imsi])
    assert judge.sim_networks(spans, np.ones(1, np.bool_)).tolist() == [network]
    assert classes.plmn_of(imsi.replace(" ", "")) == network


@pytest.mark.parametrize(
    ("imei", "tac"),
    [("001234567890123", 123456), ("99-123456-789012", 99123456), ("1234", 0), ("no imei", 0)],
)
def test_a_handset_names_its_type(imei: str, tac: int) -> None:
    assert judge.handset_types(spans_of([imei]), np.ones(1, np.bool_)).tolist() == [tac]


def prefix_token(kind: str, shape: int, value: str) -> tuple[int, int]:
    spans = spans_of([value])
    key = bytes(range(32))
    found = tokens.Hasher(key).column(spans.buffer, spans.places, np.ones(1, np.bool_), kind, shape=shape)
    return int(found.hi[0]), int(found.lo[0])


KEY = tokens.Key("k", bytes(range(32)))

addresses = st.one_of(
    st.ip_addresses(v=4).map(str), st.text("0123456789.", max_size=16), st.from_regex(r"([0-9]{1,3}\.){3}[0-9]{1,3}", fullmatch=True)
)  # fmt: skip


@exact
@given(addresses)
def test_an_address_gives_the_token_of_its_network(address: str) -> None:
    network = classes.ip_network(address)
    expected = (0, 0) if network is None else tokens.hash_text(KEY, "ip", network)
    assert prefix_token("ip", tokens.IPV4_NETWORK, address) == expected


@exact
@given(numbers)
def test_a_number_gives_the_token_of_its_block(raw: str) -> None:
    block = classes.number_block(raw)
    expected = (0, 0) if block is None else tokens.hash_text(KEY, "number", block)
    assert prefix_token("number", tokens.NUMBER_BLOCK, raw) == expected


def test_numbers_of_one_block_share_their_prefix() -> None:
    one, other, far = (
        prefix_token("number", tokens.NUMBER_BLOCK, f"+4477009{end}") for end in ("00123", "00999", "10123")
    )
    assert one == other != far


@pytest.mark.parametrize(
    "reference", ["465858-9f31ab", "465858", "abc123-9f31", "4658589f31", "465858 9f31", ""]
)
def test_a_card_reference_gives_the_token_of_its_issuer(reference: str) -> None:
    issuer = classes.card_issuer(reference)
    expected = (0, 0) if issuer is None else tokens.hash_text(KEY, "card", issuer)
    assert prefix_token("card", tokens.ISSUER, reference) == expected


def test_an_address_of_version_six_lies_in_its_48() -> None:
    assert classes.ip_network("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert classes.ip_network("not an address") is None
