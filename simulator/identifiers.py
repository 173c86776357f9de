"""Made-up identifiers, all from ranges that belong to nobody, written from keys (mostly row numbers).

An identifier is a fixed shuffle of its key, so none has to be remembered and two keys never share one.
Ranges: numbers +999 (a country code not assigned) and Ofcom's drama numbers, IMSI 00101, TAC 00, ICCID of country
999, sort codes 00-00-xx, addresses of documentation nets, `tok_` for cards.
"""

import re
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from simulator.arrays import Array, Ids, Ints

ISSUED: Final = 4_000_000_000
"""SIMs, devices, cards and addresses made while the world runs are counted from here."""
SERIALS: Final = 8_000_000
"""How many handsets of each model there can be: the inhabitants' are counted from 0, mechanisms' from the end."""
HANDSET_SPAN: Final = 4_000
"""Handsets each mechanism may issue."""

SMART_MODELS: Final = 160
"""Handset models with data; models from here on to `MODELS` are plain phones (talk and text)."""
MODELS: Final = 200
_MODEL_SHARE: Final = 0.93
"""Each next model is this much less common than the one before (a few models carry most of the market)."""

_MILLIARD: Final = 1_000_000_000
_SPREAD_9: Final = 618_033_989  # odd and not a multiple of 5, so it shuffles the residues of 10^9
_SPREAD_SERIALS: Final = 618_033_989  # the same for `SERIALS`
_SPREAD_8: Final = 61_803_399  # the same for 10^8
_SPREAD_10: Final = 618_033_989  # the same for 10^10


_FOUR_DIGITS: Final = np.frombuffer("".join(f"{i:04d}" for i in range(10_000)).encode(), dtype=np.uint32)
"""Four digits as the bytes of one number."""
_DOUBLED: Final = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9], dtype=np.uint8)
"""Twice a digit, its own digits added (Luhn)."""
_ONCE: Final = np.arange(10, dtype=np.uint8)
_CHECK: Final = ((10 - np.arange(256) % 10) % 10 + 48).astype(np.uint8)
"""The check digit for each sum."""


def mix(values: Ints | Ids) -> Ids:
    """A fixed shuffle of the 64-bit numbers (the finaliser of SplitMix64, Steele et al. 2014)."""
    z: Ids = np.asarray(values).astype(np.uint64)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def from_bytes(table: Array) -> pl.Series:
    """A series of strings from a table of ASCII bytes, one row each, all of one width."""
    n, width = table.shape
    if n == 0:
        return pl.Series([], dtype=pl.String)
    offsets = np.arange(0, (n + 1) * width, width, dtype=np.int64)
    text = pa.LargeStringArray.from_buffers(
        n, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(table))
    )
    series = pl.from_arrow(text)
    assert isinstance(series, pl.Series)
    return series


def digits(values: Ints, width: int, prefix: str = "") -> Array:
    """Numbers as a table of ASCII digits, `width` wide with leading zeros, behind a prefix."""
    n, head = len(values), len(prefix)
    groups = -(-width // 4)
    wide = np.empty((n, groups), dtype=np.uint32)
    rest: Ints = values.astype(np.int64)
    for group in range(groups - 1, 0, -1):
        above = rest // 10_000  # and not `divmod`, which is several times slower
        wide[:, group] = _FOUR_DIGITS[rest - above * 10_000]
        rest = above
    wide[:, 0] = _FOUR_DIGITS[_remainder(rest, 10_000)]
    out = np.empty((n, head + width), dtype=np.uint8)
    out[:, :head] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    out[:, head:] = wide.view(np.uint8)[:, 4 * groups - width :]
    return out


def _remainder(values: Ints, by: int) -> Ints:
    """What `%` gives, several times faster for a single divisor."""
    return values - values // by * by


def _with_luhn(table: Array) -> Array:
    """The same rows with their Luhn check digit behind."""
    n, width = table.shape
    total = np.zeros(n, dtype=np.uint8)
    for place in range(width):
        total += (_DOUBLED if (width - place) % 2 else _ONCE)[table[:, place] - 48]
    out = np.empty((n, width + 1), dtype=np.uint8)
    out[:, :width] = table
    out[:, width] = _CHECK[total]
    return out


def hexadecimal(values: Ids, prefix: str = "") -> pl.Series:
    """64-bit numbers as 16 hexadecimal digits behind a prefix."""
    return from_bytes(hex_table(values, prefix))


def hex_table(values: Ids, prefix: str = "") -> Array:
    """The same as a table of bytes."""
    text = np.frombuffer(values.astype(">u8").tobytes().hex().encode(), dtype=np.uint8).reshape(-1, 16)
    if prefix:
        head = np.frombuffer(prefix.encode(), dtype=np.uint8)
        text = np.hstack([np.broadcast_to(head, (len(text), len(head))), text])
    return text


def mobile_numbers(phones: Ints, seed: int) -> pl.Series:
    """The +999 number of each key of a phone."""
    return from_bytes(number_table(phones, seed))


def number_table(phones: Ints, seed: int) -> Array:
    """The same as a table of bytes."""
    return digits(_remainder(phones * _SPREAD_9 + seed * 7919 + 123_456_789, _MILLIARD), 9, "+9997")


def imsi_table(sims: Ints) -> Array:
    """The IMSI of each SIM, in the test network 001-01."""
    return digits(_remainder(_remainder(sims, 10**10) * _SPREAD_10, 10**10), 10, "00101")


def iccid_table(sims: Ints) -> Array:
    """The card number of each SIM: telecoms (89), country 999, Luhn."""
    return _with_luhn(
        digits(_remainder(_remainder(sims, 10**10) * _SPREAD_10 + 271_828, 10**10), 10, "89999010")
    )


def handset(serial: int, rng: np.random.Generator, *, smart: bool) -> int:
    """A handset of a model drawn by its share of the market."""
    return int(handsets(np.asarray([serial]), rng, np.asarray([smart]))[0])


def handsets(serials: Ints, rng: np.random.Generator, smart: Array) -> Ints:
    """Handsets of models drawn by their share of the market: plain phones where not `smart`."""
    rank = np.floor(np.log1p(-rng.random(len(serials))) / np.log(_MODEL_SHARE)).astype(np.int64)
    plain = SMART_MODELS + rank % (MODELS - SMART_MODELS)
    models: Ints = np.where(smart, rank % SMART_MODELS, plain)
    return serials * MODELS + models


def imei_table(handsets: Ints) -> Array:
    """The IMEI of each handset: a TAC of the test body (00), a serial number, Luhn."""
    serial = handsets // MODELS
    model = handsets - serial * MODELS
    # a model has several approval codes, and everybody's handsets are spread over all of them alike
    spread = _remainder(serial * _SPREAD_SERIALS, SERIALS)
    block = spread // 1_000_000
    within = spread - block * 1_000_000
    head = digits(100_000 + model * 100 + block, 6, "00")
    return _with_luhn(np.hstack([head, digits(within, 6)]))


def last_serial(span: int) -> int:
    """The serial number before which the handsets of a mechanism are counted, backwards."""
    return SERIALS - span * HANDSET_SPAN


def account_table(accounts: Ints) -> Array:
    """The account of each key: sort code 00-00-xx and 8 digits, as one string."""
    branch = digits(_remainder(accounts, 97), 2, "0000")
    return np.hstack([branch, digits(_remainder(accounts * _SPREAD_8, 10**8), 8)])


def sort_code_table(accounts: Ints) -> Array:
    """The sort code of each key of an account."""
    return digits(_remainder(accounts, 97), 2, "0000")


def address_table(values: Ints) -> Array:
    """Addresses in the documentation net 2001:db8::/32, one for each value."""
    text = mix(values)
    hexes = np.frombuffer(
        (text & np.uint64(0xFFFFFFFF)).astype(">u4").tobytes().hex().encode(), dtype=np.uint8
    )
    hexes = hexes.reshape(-1, 8)
    n = len(values)

    def fixed(part: str) -> Array:
        return np.broadcast_to(np.frombuffer(part.encode(), dtype=np.uint8), (n, len(part)))

    return np.hstack([fixed("2001:db8:"), hexes[:, :4], fixed(":"), hexes[:, 4:], fixed("::1")])


def account_numbers(accounts: Ints) -> pl.Series:
    """The account of each key as text."""
    return from_bytes(account_table(accounts))


def imeis(handsets: Ints) -> pl.Series:
    """The IMEI of each handset as text."""
    return from_bytes(imei_table(handsets))


RESERVED: Final[dict[str, re.Pattern[str]]] = {
    "number": re.compile(
        r"\+999\d{7,12}|\+447700900\d{3}|\+441632960\d{3}|\+44(113|114|115|116|117|118|121|131|141|151|161)496\d{4}"
        r"|\+44207946\d{4}|\+441914980\d{3}|\+442896496\d{3}|\+442920180\d{3}|\+448081570\d{3}|\+449098790\d{3}"
        r"|\+443069990\d{3}|\d{3,6}|[A-Z][A-Za-z0-9 ]{0,10}|"
    ),
    "imsi": re.compile(r"00101\d{10}"),
    "iccid": re.compile(r"89999\d{14,15}"),
    "imei": re.compile(r"00\d{13}"),
    "account": re.compile(r"0000\d{10}|SYNB\w*|EXT\w*"),
    "agent": re.compile(r"0000\d{2}|SYNB\w*"),
    "cell": re.compile(r"00101-\d+-\d+"),
    "card": re.compile(r"tok_\w+"),
    "ip": re.compile(r"192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+|2001:db8:[0-9a-f:]+"),
    "plmn": re.compile(r"001-?01|999-?\d\d|99\d{3}"),
}
"""What each kind of identifier may look like in anything the made-up world writes."""
