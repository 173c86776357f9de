"""Keyed tokens: what stands for an identifier past the door, and how its writing is made one before that.

A token is the first 128 bits of keyed BLAKE2b (RFC 7693) over `kind:value`, so a value under two kinds gives two
tokens and nobody without the key can try values. The loops below hash a whole column straight from its bytes; they
give what `hashlib.blake2b(b"kind:value", key=key, digest_size=16)` gives. Printed, a token is
`kind:keyid-32hex`; the key's short id says which key made it.

Before hashing, an identifier is written the one way of its kind (`normal_form`):

* number: E.164, see `events.classes`; withheld numbers have no token;
* account: digits of a sort code and account number (14 in all) without punctuation; an IBAN without spaces in capitals,
  and a British IBAN as the sort code and account number inside it;
* agent: capitals, no spaces; a sort code without dashes; a BIC without its `XXX` branch;
* handset: the first 14 digits of an IMEI; sim: an IMSI's digits; card_sim: an ICCID's digits, without filler F;
* everything else as it is.
"""

import hashlib
import re
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from events import classes
from events.codes import TOKEN_KINDS
from events.errors import EventError
from events.kernels import njit
from events.lanes import LANES, WORDS, compress_eight

Words64 = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

BLOCK: Final = 128
TOKEN_BYTES: Final = 16
LENGTH_BITS: Final = 24
"""A text's place in a buffer is one Int64: where it starts, above its length in the low 24 bits."""
LENGTH_MASK: Final = (1 << LENGTH_BITS) - 1

_IV: Final = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
"""RFC 7693 section 2.6."""


@njit(cache=True, nogil=True, inline="always")
def _turn(x: Any, by: int) -> Any:
    return (x >> np.uint64(by)) | (x << np.uint64(64 - by))


@njit(cache=True, nogil=True, inline="always")
def _mix(a: int, b: int, c: int, d: int, x: int, y: int) -> tuple[int, int, int, int]:
    a = a + b + x
    d = _turn(d ^ a, 32)
    c = c + d
    b = _turn(b ^ c, 24)
    a = a + b + y
    d = _turn(d ^ a, 16)
    c = c + d
    b = _turn(b ^ c, 63)
    return a, b, c, d


@njit(cache=True, nogil=True)
def _round(
    v: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any,
    i: Any, j: Any, k: Any, l: Any, m: Any, n: Any, o: Any, p: Any,  # noqa: E741 - a block's 16 words in turn
) -> Any:  # fmt: skip
    """One of BLAKE2b's rounds: the columns of the state, then its diagonals."""
    v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, va, vb, vc, vd, ve, vf = v
    v0, v4, v8, vc = _mix(v0, v4, v8, vc, a, b)
    v1, v5, v9, vd = _mix(v1, v5, v9, vd, c, d)
    v2, v6, va, ve = _mix(v2, v6, va, ve, e, f)
    v3, v7, vb, vf = _mix(v3, v7, vb, vf, g, h)
    v0, v5, va, vf = _mix(v0, v5, va, vf, i, j)
    v1, v6, vb, vc = _mix(v1, v6, vb, vc, k, l)
    v2, v7, v8, vd = _mix(v2, v7, v8, vd, m, n)
    v3, v4, v9, ve = _mix(v3, v4, v9, ve, o, p)
    return v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, va, vb, vc, vd, ve, vf


@njit(cache=True, nogil=True)
def compress(h: Words64, words: Words64, at: int, counted: int, last: bool) -> None:
    """BLAKE2b's compression of the 16 words from `at` into the state `h`; their order by round is RFC 7693's."""
    m0, m1, m2, m3, m4, m5, m6, m7 = (
        words[at], words[at + 1], words[at + 2], words[at + 3],
        words[at + 4], words[at + 5], words[at + 6], words[at + 7],
    )  # fmt: skip
    m8, m9, m10, m11, m12, m13, m14, m15 = (
        words[at + 8], words[at + 9], words[at + 10], words[at + 11],
        words[at + 12], words[at + 13], words[at + 14], words[at + 15],
    )  # fmt: skip
    final = _IV[6] ^ np.uint64(0xFFFFFFFFFFFFFFFF) if last else _IV[6]
    v = (
        h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7],
        _IV[0], _IV[1], _IV[2], _IV[3], _IV[4] ^ np.uint64(counted), _IV[5], final, _IV[7],
    )  # fmt: skip
    v = _round(v, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)
    v = _round(v, m14, m10, m4, m8, m9, m15, m13, m6, m1, m12, m0, m2, m11, m7, m5, m3)
    v = _round(v, m11, m8, m12, m0, m5, m2, m15, m13, m10, m14, m3, m6, m7, m1, m9, m4)
    v = _round(v, m7, m9, m3, m1, m13, m12, m11, m14, m2, m6, m5, m10, m4, m0, m15, m8)
    v = _round(v, m9, m0, m5, m7, m2, m4, m10, m15, m14, m1, m11, m12, m6, m8, m3, m13)
    v = _round(v, m2, m12, m6, m10, m0, m11, m8, m3, m4, m13, m7, m5, m15, m14, m1, m9)
    v = _round(v, m12, m5, m1, m15, m14, m13, m4, m10, m0, m7, m6, m3, m9, m2, m8, m11)
    v = _round(v, m13, m11, m7, m14, m12, m1, m3, m9, m5, m0, m15, m4, m8, m6, m2, m10)
    v = _round(v, m6, m15, m14, m9, m11, m3, m0, m8, m12, m2, m13, m7, m1, m4, m10, m5)
    v = _round(v, m10, m2, m8, m4, m7, m6, m1, m5, m15, m11, m9, m14, m3, m12, m13, m0)
    v = _round(v, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)
    v = _round(v, m14, m10, m4, m8, m9, m15, m13, m6, m1, m12, m0, m2, m11, m7, m5, m3)
    for k in range(8):
        h[k] ^= v[k] ^ v[k + 8]


@njit(cache=True, nogil=True, inline="always")
def _big_endian(x: Any) -> Any:
    x = ((x & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8)) | (
        (x >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    )
    x = ((x & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16)) | (
        (x >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    )
    return (x << np.uint64(32)) | (x >> np.uint64(32))


@njit(cache=True, nogil=True)
def digest(scratch: Bytes, words: Words64, length: int, start: Words64, counted: int, h: Words64) -> None:
    """Hashes the first `length` bytes of `scratch` (`words` is the same memory) into h[0], h[1], big end first.

    `start` is the state after the key's block (or the bare start without a key), `counted` the bytes so far.
    """
    for k in range(8):
        h[k] = start[k]
    ends = max(BLOCK, (length + BLOCK - 1) // BLOCK * BLOCK)
    for k in range(length, ends):
        scratch[k] = 0
    for block in range(0, ends, BLOCK):
        last = block + BLOCK == ends
        compress(h, words, block // 8, counted + (length if last else block + BLOCK), last)
    h[0] = _big_endian(h[0])
    h[1] = _big_endian(h[1])


def start_state(key: bytes) -> tuple[Words64, int]:
    """The hash's state once the key is in, and how many bytes that took."""
    h = _IV.copy()
    h[0] ^= np.uint64(0x01010000 ^ (len(key) << 8) ^ TOKEN_BYTES)
    if not key:
        return h, 0
    compress(h, np.frombuffer(key.ljust(BLOCK, b"\0"), np.uint64), 0, BLOCK, False)
    return h, BLOCK


class Key(msgspec.Struct, frozen=True):
    """A token key (16 to 64 bytes) and its short public id."""

    id: str
    secret: bytes

    def __post_init__(self) -> None:
        if not 16 <= len(self.secret) <= 64:
            raise EventError(
                f"Token key {self.id!r} has {len(self.secret)} bytes: give it 16 to 64 random bytes."
            )
        if not re.fullmatch(r"[a-z0-9]{1,16}", self.id):
            raise EventError(f"The token key's id {self.id!r} is not usable: choose 1 to 16 of a-z and 0-9.")

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"


class KeyRing(msgspec.Struct, frozen=True):
    """The key in use and, while a rotation lasts, the one before it."""

    current: Key
    previous: Key | None = None


PLAIN, UPPER, NUMBER, IMEI, ACCOUNT, DIGITS, ICCID, NUMBER_BLOCK, IPV4_NETWORK, ISSUER = range(10)
SHAPES: Final[dict[str, int]] = {
    "account": ACCOUNT,
    "agent": UPPER,
    "number": NUMBER,
    "handset": IMEI,
    "sim": DIGITS,
    "card_sim": ICCID,
}
"""How each kind is written the one way; kinds not here are taken as they are."""

_IMEI_DIGITS: Final = 14
_UK_ACCOUNT_DIGITS: Final = 14


@njit(cache=True, nogil=True)
def _copy(raw: Any, start: int, length: int, out: Any, at: int) -> int:
    source, target = np.uint64(start), np.uint64(at)  # numba looks twice at places that may be negative
    for k in range(np.uint64(length)):
        out[target + k] = raw[source + k]
    return length


@njit(cache=True, nogil=True)
def _compact(raw: Any, start: int, length: int, out: Any, at: int) -> tuple[int, bool]:
    """Copies without spaces and dashes, in capitals; says whether all that is left is digits."""
    size = 0
    digits = True
    source, target = np.uint64(start), np.uint64(at)
    for k in range(np.uint64(length)):
        byte = raw[source + k]
        if byte in (32, 45):
            continue
        if 97 <= byte <= 122:
            byte -= 32
        if byte < 48 or byte > 57:
            digits = False
        out[target + np.uint64(size)] = byte
        size += 1
    return size, digits


@njit(cache=True, nogil=True, inline="always")
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@njit(cache=True, nogil=True, inline="always")
def _is_capital(byte: int) -> bool:
    return 65 <= byte <= 90


@njit(cache=True, nogil=True)
def _is_iban(out: Any, at: int, size: int) -> bool:
    if not 15 <= size <= 34 or not (_is_capital(out[at]) and _is_capital(out[at + 1])):
        return False
    if not (_is_digit(out[at + 2]) and _is_digit(out[at + 3])):
        return False
    for k in range(4, size):  # noqa: SIM110 - a compiled loop
        if not (_is_digit(out[at + k]) or _is_capital(out[at + k])):
            return False
    return True


@njit(cache=True, nogil=True)
def _write_account(raw: Any, start: int, length: int, out: Any, at: int) -> int:
    size, digits = _compact(raw, start, length, out, at)
    if digits and size == _UK_ACCOUNT_DIGITS:
        return size
    if not digits and _is_iban(out, at, size):
        british = size == 22 and out[at] == 71 and out[at + 1] == 66  # GBkk BANK 6 + 8 digits
        for k in range(8, size):
            british = british and _is_digit(out[at + k])
        if british:
            for k in range(_UK_ACCOUNT_DIGITS):
                out[at + k] = out[at + 8 + k]
            return _UK_ACCOUNT_DIGITS
        return size
    return _copy(raw, start, length, out, at)


@njit(cache=True, nogil=True)
def _write_agent(raw: Any, start: int, length: int, out: Any, at: int) -> int:
    size, digits = _compact(raw, start, length, out, at)
    if digits and size == 6:
        return size
    size = 0
    for k in range(length):
        byte = raw[start + k]
        if byte != 32:
            out[at + size] = byte - 32 if 97 <= byte <= 122 else byte
            size += 1
    if size == 11 and out[at + 8] == 88 and out[at + 9] == 88 and out[at + 10] == 88:
        size = 8
    return size


@njit(cache=True, nogil=True)
def _write_ipv4_network(raw: Any, start: int, length: int, out: Any, at: int) -> int:
    """Writes the /24 of a dotted address; 0 bytes for anything else (no leading zeros, as `ipaddress` has it)."""
    part = 0
    digits = 0
    value = 0
    size = 0
    for k in range(length):
        byte = raw[start + k]
        if byte == 46:
            if digits == 0 or part == 3:
                return 0
            part += 1
            digits = 0
            value = 0
        elif _is_digit(byte):
            if digits == 1 and value == 0:
                return 0
            value = value * 10 + byte - 48
            digits += 1
            if value > 255:
                return 0
        else:
            return 0
        if part < 3:
            out[at + size] = byte
            size += 1
    if part != 3 or digits == 0:
        return 0
    for byte in (46, 48, 47, 50, 52):  # .0/24
        out[at + size] = byte
        size += 1
    return size


@njit(cache=True, nogil=True)
def _write_issuer(raw: Any, start: int, length: int, out: Any, at: int) -> int:
    if length < 10:
        return 0
    for k in range(length):
        if (k < 6 and not _is_digit(raw[start + k])) or raw[start + k] == 32:
            return 0
    return _copy(raw, start, 6, out, at)


@njit(cache=True, nogil=True)
def write_form(shape: int, raw: Any, start: int, length: int, out: Any, at: int) -> tuple[int, int, int]:
    """Writes an identifier the one way of its kind; gives its length, and for a number its class and country."""
    if shape == NUMBER:
        return classes.write_number(raw, start, length, out, at)
    if shape == NUMBER_BLOCK:
        size, _, country = classes.write_number(raw, start, length, out, at)
        if country == 0:
            return 0, 0, 0
        out[at + size - classes.BLOCK_DIGITS] = 42  # *
        return size - classes.BLOCK_DIGITS + 1, 0, 0
    if shape == IPV4_NETWORK:
        return _write_ipv4_network(raw, start, length, out, at), 0, 0
    if shape == ISSUER:
        return _write_issuer(raw, start, length, out, at), 0, 0
    if shape == ACCOUNT:
        return _write_account(raw, start, length, out, at), 0, 0
    if shape == UPPER:
        return _write_agent(raw, start, length, out, at), 0, 0
    if shape == PLAIN:
        return _copy(raw, start, length, out, at), 0, 0
    size, digits = _compact(raw, start, length, out, at)
    if shape == ICCID:
        while size > 1 and out[at + size - 1] == 70:
            size -= 1
        digits = size > 0
        for k in range(size):
            digits = digits and _is_digit(out[at + k])
        if digits:
            return size, 0, 0
    elif digits and shape == DIGITS:
        return size, 0, 0
    elif digits and _IMEI_DIGITS <= size <= 16:
        return _IMEI_DIGITS, 0, 0
    return _copy(raw, start, length, out, at), 0, 0


@njit(cache=True, nogil=True)
def hash_column(
    raw: Bytes, spans: NDArray[np.int64], here: NDArray[np.bool_], shape: int, prefix: Bytes, start: Words64,
    counted: int, hi: Words64, lo: Words64, kinds: Bytes, countries: NDArray[np.uint16],
) -> int:  # fmt: skip
    """The tokens of a column of identifiers, 0 where there is none; for numbers their classes and countries too.

    Gives how many there were. `kinds` and `countries` may be empty when they are not wanted.
    """
    longest = 0
    for i in range(spans.size):
        if here[i]:
            longest = max(longest, spans[i] & LENGTH_MASK)
    blocks = (longest + prefix.size + 16) // BLOCK + 2
    words = np.zeros(blocks * WORDS, np.uint64)
    scratch = words.view(np.uint8)
    h = np.empty(8, np.uint64)
    at = prefix.size
    for k in range(at):
        scratch[k] = prefix[k]
    # texts of one block wait until there are eight: nearly all are
    waiting = np.zeros(WORDS * LANES, np.uint64)
    counts = np.zeros(LANES, np.uint64)
    rows = np.empty(LANES, np.int64)
    used = np.zeros(LANES, np.int64)
    told = np.empty(2 * LANES, np.uint64)
    lane = 0
    count = 0
    for i in range(spans.size):
        if not here[i]:
            continue
        size, kind, country = write_form(
            shape, raw, spans[i] >> LENGTH_BITS, spans[i] & LENGTH_MASK, scratch, at
        )
        if kinds.size:
            kinds[i] = kind
            countries[i] = country
        if not size:
            continue
        count += 1
        if at + size > BLOCK:
            digest(scratch, words, at + size, start, counted, h)
            hi[i] = h[0]
            lo[i] = h[1]
            continue
        ends = (at + size + 7) // 8
        for k in range(at + size, 8 * ends):
            scratch[k] = 0
        for k in range(ends):
            waiting[k * LANES + lane] = words[k]
        for k in range(ends, used[lane]):
            waiting[k * LANES + lane] = 0
        used[lane] = ends
        counts[lane] = counted + at + size
        rows[lane] = i
        lane += 1
        if lane == LANES:
            _tell(waiting, start, counts, told, rows, lane, hi, lo)
            lane = 0
    if lane:
        _tell(waiting, start, counts, told, rows, lane, hi, lo)
    return count


@njit(cache=True, nogil=True)
def _tell(
    waiting: Words64, start: Words64, counts: Words64, told: Words64, rows: NDArray[np.int64], lanes: int,
    hi: Words64, lo: Words64,
) -> None:  # fmt: skip
    """Hashes the texts that wait, each in its lane, and puts the tokens where they belong."""
    compress_eight(waiting, start, _IV, counts, told)
    for lane in range(lanes):
        hi[rows[lane]] = told[lane]
        lo[rows[lane]] = told[LANES + lane]


class Hasher:
    """One key, ready to hash columns."""

    def __init__(self, secret: bytes) -> None:
        self._start, self._counted = start_state(secret)

    def column(
        self, raw: Bytes, spans: NDArray[np.int64], here: NDArray[np.bool_], kind: str,
        *, shape: int | None = None, described: bool = False,
    ) -> "Tokens":  # fmt: skip
        """The tokens of a column; with `described`, the classes and countries of its numbers.

        `shape` is how the values are written before hashing, where that is not the kind's own way.
        """
        height = spans.size
        hi, lo = np.zeros(height, np.uint64), np.zeros(height, np.uint64)
        size = height if described else 0
        kinds, countries = np.zeros(size, np.uint8), np.zeros(size, np.uint16)
        prefix = np.frombuffer(kind.encode() + b":", np.uint8)
        written = SHAPES.get(kind, PLAIN) if shape is None else shape
        count = hash_column(
            raw, spans, here, written, prefix, self._start, self._counted, hi, lo, kinds, countries
        )
        return Tokens(hi, lo, count, kinds, countries)


class Tokens(msgspec.Struct, frozen=True):
    """The tokens of a column, and what its numbers say of themselves."""

    hi: Words64
    lo: Words64
    count: int
    kinds: Bytes
    countries: NDArray[np.uint16]


def normal_form(kind: str, value: str) -> str:
    """An identifier written the one way of its kind; empty for a withheld number."""
    shape = SHAPES.get(kind, PLAIN)
    if shape == NUMBER:
        return classes.number_form(value)[0]
    if shape == PLAIN:
        return value
    capitals = re.sub(r"[a-z]", lambda letter: letter[0].upper(), value)
    compact = capitals.replace(" ", "").replace("-", "")
    if shape == UPPER:
        if re.fullmatch(r"[0-9]{6}", compact, re.ASCII):
            return compact
        return re.sub(r"^(.{8})XXX$", r"\1", capitals.replace(" ", ""))
    if shape == ACCOUNT:
        return _account_form(compact, value)
    if shape == ICCID:
        compact = compact[:1] + compact[1:].rstrip("F")
    if not re.fullmatch(r"[0-9]+", compact, re.ASCII):
        return value
    if shape == IMEI:
        return compact[:_IMEI_DIGITS] if _IMEI_DIGITS <= len(compact) <= 16 else value
    return compact


def _account_form(compact: str, value: str) -> str:
    if re.fullmatch(r"[0-9]{14}", compact, re.ASCII):
        return compact
    if re.fullmatch(r"GB[0-9]{2}[0-9A-Z]{4}[0-9]{14}", compact, re.ASCII):
        return compact[8:]
    return compact if re.fullmatch(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}", compact, re.ASCII) else value


def hash_text(key: Key, kind: str, form: str) -> tuple[int, int]:
    """The token of a text that is already written the one way; (0, 0) for an empty one."""
    if not form:
        return 0, 0
    found = hashlib.blake2b(f"{kind}:{form}".encode(), key=key.secret, digest_size=TOKEN_BYTES).digest()
    return int.from_bytes(found[:8], "big"), int.from_bytes(found[8:], "big")


def token_of(key: Key, kind: str, value: str) -> tuple[int, int]:
    """The token of an identifier as people write it; (0, 0) for one that says nothing, like a withheld number.

    Raises:
        EventError: there is no such kind of token.
    """
    if kind not in TOKEN_KINDS:
        raise EventError(f"There is no kind of token called {kind!r}: use one of {', '.join(TOKEN_KINDS)}.")
    return hash_text(key, kind, normal_form(kind, value.strip(" \t\r\n")))


def format_token(kind: str, hi: int, lo: int, key_id: str) -> str:
    """A token as people see it: `account:k1-` and 32 hex digits."""
    return f"{kind}:{key_id}-{hi:016x}{lo:016x}"


class ParsedToken(msgspec.Struct, frozen=True):
    """A printed token taken apart."""

    kind: str
    key_id: str
    hi: int
    lo: int


_PRINTED: Final = re.compile(r"([a-z_]+):([a-z0-9]{1,16})-([0-9a-f]{16})([0-9a-f]{16})", re.ASCII)


def parse_token(text: str) -> ParsedToken | None:
    """A printed token taken apart, or nothing when the text is not one."""
    found = _PRINTED.fullmatch(text)
    if found is None:
        return None
    kind, key_id, hi, lo = found.groups()
    return ParsedToken(kind, key_id, int(hi, 16), int(lo, 16))


def token_for(keys: KeyRing, kind: str, value: str) -> list[str]:
    """The printed tokens of an identifier: under the key in use and, while rotating, the one before it.

    Raises:
        EventError: there is no such kind, or the identifier says nothing (a withheld number, an empty text).
    """
    rings = [keys.current] if keys.previous is None else [keys.current, keys.previous]
    tokens = [(*token_of(key, kind, value), key.id) for key in rings]
    if tokens[0][:2] == (0, 0):
        raise EventError(f"{kind} {value!r} names nobody, so it has no token: check how it is written.")
    return [format_token(kind, hi, lo, key_id) for hi, lo, key_id in tokens]
