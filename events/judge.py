"""Raw columns judged by the contract's rules and made into a frame's columns, a whole column at a time.

These loops say the same as the rules of `events.contract` and refuse nothing either: a row they do not pass is set
aside (`odd`), and `events.decode.read_line` finds the reason, or passes what is only unusual.
"""

from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from events import classes, contract
from events.codes import REFERENCE_KINDS, Words, code_of
from events.decode import Spans
from events.kernels import njit
from events.tokens import LENGTH_BITS, LENGTH_MASK

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Times = NDArray[np.int64]

DAY_US: Final = 86_400_000_000

_CURRENCIES: Final[Mask] = np.zeros(26**3, np.bool_)
for _code in contract.CURRENCIES:
    _CURRENCIES[(ord(_code[0]) - 65) * 676 + (ord(_code[1]) - 65) * 26 + ord(_code[2]) - 65] = True

_BLANK, _EMOJI, _WORD, _TEXT = (code_of(REFERENCE_KINDS, word) for word in ("blank", "emoji", "word", "text"))


@njit(cache=True, nogil=True)
def _words(raw: Any, places: Any, here: Any, names: Any, ends: Any, out: Any, odd: Any) -> None:
    last = 0
    for i in range(places.size):
        if not here[i]:
            continue
        start = places[i] >> LENGTH_BITS
        size = places[i] & LENGTH_MASK
        found = 0
        for turn in range(ends.size - 1):
            word = last + turn  # rows of one word come together
            if word >= ends.size - 1:
                word -= ends.size - 1
            if ends[word + 1] - ends[word] != size:
                continue
            same = True
            for k in range(size):
                if raw[start + k] != names[ends[word] + k]:
                    same = False
                    break
            if same:
                found = word + 1
                last = word
                break
        if found:
            out[i] = found
        else:
            odd[i] = True


def words(spans: Spans, here: Mask, listed: Words, odd: Mask) -> Bytes:
    """The codes of a column of words."""
    names = np.frombuffer("".join(listed).encode(), np.uint8)
    ends = np.cumsum([0] + [len(word) for word in listed])
    out = np.zeros(here.size, np.uint8)
    _words(spans.buffer, spans.places, here, names, ends, out, odd)
    return out


@njit(cache=True, nogil=True)
def _digits(raw: Any, at: int, count: int) -> int:
    """The number `count` digits spell; -1 when one is no digit."""
    value = 0
    for k in range(count):
        digit = raw[at + k] - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@njit(cache=True, nogil=True)
def _day(raw: Any, at: int) -> int:
    """The day YYYY-MM-DD at `at` as days since 1970; a value below -800,000 when it is none."""
    year, month, day = _digits(raw, at, 4), _digits(raw, at + 5, 2), _digits(raw, at + 8, 2)
    if raw[at + 4] != 45 or raw[at + 7] != 45 or year < 1 or month < 1 or month > 12 or day < 1:
        return -1_000_000
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 31
    if month in (4, 6, 9, 11):
        longest = 30
    elif month == 2:
        longest = 29 if leap else 28
    if day > longest:
        return -1_000_000
    # days from a civil date, years counted from March (Hinnant, "chrono-Compatible Low-Level Date Algorithms")
    y = year - 1 if month <= 2 else year
    shifted = month - 3 if month > 2 else month + 9
    of_year = (153 * shifted + 2) // 5 + day - 1
    return y * 365 + y // 4 - y // 100 + y // 400 + of_year - 719_468


@njit(cache=True, nogil=True)
def _times(raw: Any, places: Any, here: Any, out: Any, odd: Any) -> None:
    last_at = -1
    last_day = 0
    for i in range(places.size):
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        size = places[i] & LENGTH_MASK
        odd[i] |= size < 20
        if size < 20:
            continue
        same = last_at >= 0  # rows of one day come together
        for k in range(10):
            if not same or raw[at + k] != raw[last_at + k]:
                same = False
                break
        day = last_day if same else _day(raw, at)
        hour, minute, second = _digits(raw, at + 11, 2), _digits(raw, at + 14, 2), _digits(raw, at + 17, 2)
        plain = raw[at + 10] == 84 and raw[at + 13] == 58 and raw[at + 16] == 58
        if day < -800_000 or not plain or not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
            odd[i] = True
            continue
        last_at = at
        last_day = day
        p = at + 19
        stop = at + size
        micros = 0
        if raw[p] == 46:
            p += 1
            count = 0
            while p < stop and 48 <= raw[p] <= 57:
                if count < 6:
                    micros = micros * 10 + raw[p] - 48
                count += 1
                p += 1
            if count == 0 or count > 12:
                odd[i] = True
                continue
            for _ in range(count, 6):
                micros *= 10
        east = 0
        if p + 6 == stop and (raw[p] == 43 or raw[p] == 45) and raw[p + 3] == 58:
            hours, minutes = _digits(raw, p + 1, 2), _digits(raw, p + 4, 2)
            if not (0 <= hours <= 23 and 0 <= minutes <= 59):
                odd[i] = True
                continue
            east = (hours * 60 + minutes) * (-60 if raw[p] == 45 else 60)
        elif not (p + 1 == stop and raw[p] == 90):
            odd[i] = True
            continue
        out[i] = (day * 86_400 + hour * 3600 + minute * 60 + second - east) * 1_000_000 + micros


def times(spans: Spans, here: Mask, odd: Mask) -> Times:
    """A column of RFC 3339 instants in microseconds since 1970."""
    out = np.zeros(here.size, np.int64)
    _times(spans.buffer, spans.places, here, out, odd)
    return out


@njit(cache=True, nogil=True)
def _dates(raw: Any, places: Any, here: Any, out: Any, odd: Any) -> None:
    for i in range(places.size):
        if here[i]:
            day = _day(raw, places[i] >> LENGTH_BITS) if places[i] & LENGTH_MASK == 10 else -1_000_000
            if day < -800_000:
                odd[i] = True
            else:
                out[i] = day * DAY_US


def dates(spans: Spans, here: Mask, odd: Mask) -> Times:
    """A column of days as their midnights."""
    out = np.zeros(here.size, np.int64)
    _dates(spans.buffer, spans.places, here, out, odd)
    return out


@njit(cache=True, nogil=True)
def _forces(raw: Any, places: Any, here: Any, known: Any, rows: Any, out: Any, odd: Any) -> None:
    for i in range(places.size):
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        number = _digits(raw, at + 1, 8) if places[i] & LENGTH_MASK == 9 else -1
        if number < 0 or not 65 <= raw[at] <= 90:
            odd[i] = True
            continue
        code = (raw[at] - 65) * 100_000_000 + number
        found = np.searchsorted(known, code)
        if found < known.size and known[found] == code:
            out[i] = rows[found]


class Forces:
    """The rows of the forces' table, looked up by their ONS codes."""

    def __init__(self, rows: dict[str, int]) -> None:
        codes = {(ord(code[0]) - 65) * 100_000_000 + int(code[1:]): row for code, row in rows.items()}
        self._known = np.array(sorted(codes), np.int64)
        self._rows = np.array([codes[code] for code in sorted(codes)], np.uint8)

    def rows(self, spans: Spans, here: Mask, odd: Mask) -> Bytes:
        """A column of force codes as rows of the table; 0 for a force it does not have."""
        out = np.zeros(here.size, np.uint8)
        _forces(spans.buffer, spans.places, here, self._known, self._rows, out, odd)
        return out


@njit(cache=True, nogil=True)
def _currencies(raw: Any, places: Any, here: Any, odd: Any) -> bool:
    """Judges currencies; says whether there is any but pounds."""
    others = False
    for i in range(places.size):
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        if places[i] & LENGTH_MASK != 3:
            odd[i] = True
            continue
        code = 0
        for k in range(3):
            letter = raw[at + k] - 65
            code = code * 26 + letter if 0 <= letter < 26 else -100_000
        if code < 0 or not _CURRENCIES[code]:
            odd[i] = True
        others |= raw[at] != 71 or raw[at + 1] != 66 or raw[at + 2] != 80
    return others


def currencies(spans: Spans, here: Mask, odd: Mask) -> pl.Series | None:
    """A column of currencies, or nothing when all are pounds."""
    if not _currencies(spans.buffer, spans.places, here, odd):
        return None
    return texts(spans, here).replace("", "GBP")


@njit(cache=True, nogil=True)
def _mccs(raw: Any, places: Any, here: Any, out: Any, odd: Any) -> None:
    for i in range(places.size):
        if here[i]:
            mcc = _digits(raw, places[i] >> LENGTH_BITS, 4) if places[i] & LENGTH_MASK == 4 else -1
            if mcc < 0:
                odd[i] = True
            else:
                out[i] = mcc


def mccs(spans: Spans, here: Mask, odd: Mask) -> NDArray[np.uint16]:
    """A column of merchant categories."""
    out = np.zeros(here.size, np.uint16)
    _mccs(spans.buffer, spans.places, here, out, odd)
    return out


@njit(cache=True, nogil=True)
def _plmns(raw: Any, places: Any, here: Any, out: Any, odd: Any) -> None:
    for i in range(places.size):
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        size = places[i] & LENGTH_MASK
        dash = 1 if size > 3 and raw[at + 3] == 45 else 0
        rest = size - 3 - dash
        mcc = _digits(raw, at, 3) if rest in (2, 3) else -1
        mnc = _digits(raw, at + 3 + dash, rest) if mcc >= 0 else -1
        if mnc < 0:
            odd[i] = True
        else:
            out[i] = mcc * 1000 + mnc


def plmns(spans: Spans, here: Mask, odd: Mask) -> NDArray[np.uint32]:
    """A column of networks as MCC*1000+MNC."""
    out = np.zeros(here.size, np.uint32)
    _plmns(spans.buffer, spans.places, here, out, odd)
    return out


@njit(cache=True, nogil=True)
def _sims(raw: Any, places: Any, here: Any, three: Any, out: Any) -> None:
    for i in range(places.size):
        size = places[i] & LENGTH_MASK
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        digits = np.zeros(6, np.int64)
        count = 0
        plain = True
        for k in range(size):
            byte = raw[at + k]
            if 48 <= byte <= 57:
                if count < 6:
                    digits[count] = byte - 48
                count += 1
            elif byte not in (32, 45):
                plain = False
        if plain and 7 <= count <= 15:
            mcc = digits[0] * 100 + digits[1] * 10 + digits[2]
            mnc = digits[3] * 10 + digits[4]
            out[i] = mcc * 1000 + (mnc * 10 + digits[5] if three[mcc] else mnc)


def sim_networks(spans: Spans, here: Mask) -> NDArray[np.uint32]:
    """The home networks of a column of IMSIs; 0 for what is none."""
    out = np.zeros(here.size, np.uint32)
    _sims(spans.buffer, spans.places, here, classes.THREE_DIGIT_MNC, out)
    return out


@njit(cache=True, nogil=True)
def _tacs(raw: Any, places: Any, here: Any, out: Any) -> None:
    for i in range(places.size):
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        tac = 0
        count = 0
        plain = True
        for k in range(places[i] & LENGTH_MASK):
            byte = raw[at + k]
            if 48 <= byte <= 57:
                if count < 8:
                    tac = tac * 10 + byte - 48
                count += 1
            elif byte not in (32, 45):
                plain = False
        if plain and 14 <= count <= 16:
            out[i] = tac


def handset_types(spans: Spans, here: Mask) -> NDArray[np.uint32]:
    """The type allocation codes of a column of IMEIs; 0 for what is none."""
    out = np.zeros(here.size, np.uint32)
    _tacs(spans.buffer, spans.places, here, out)
    return out


@njit(cache=True, nogil=True)
def _pans(raw: Any, places: Any, here: Any, odd: Any) -> None:
    digits = np.zeros(20, np.int64)
    for i in range(places.size):
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        count = 0
        plain = True
        for k in range(places[i] & LENGTH_MASK):
            byte = raw[at + k]
            if 48 <= byte <= 57 and count < 20:
                digits[count] = byte - 48
                count += 1
            elif byte not in (32, 45):
                plain = False
                break
        if not plain or count < 13 or count > 19:
            continue
        total = 0
        for k in range(count):
            digit = digits[count - 1 - k] * (1 + k % 2)
            total += digit - 9 if digit > 9 else digit
        odd[i] |= total % 10 == 0


def card_numbers(spans: Spans, here: Mask, odd: Mask) -> None:
    """Sets aside card references that look like card numbers."""
    _pans(spans.buffer, spans.places, here, odd)


@njit(cache=True, nogil=True)
def _references(raw: Any, places: Any, here: Any, out: Any) -> None:
    for i in range(places.size):
        if not here[i]:
            continue
        at = places[i] >> LENGTH_BITS
        stop = at + (places[i] & LENGTH_MASK)
        while at < stop and raw[at] <= 32:
            at += 1
        while stop > at and raw[stop - 1] <= 32:
            stop -= 1
        letters = False
        emoji = False
        spaces = False
        p = at
        while p < stop:
            b = raw[p]
            if b < 128:
                spaces |= b <= 32
                letters |= 48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122
                p += 1
            elif b >= 0xF0:
                if b == 0xF0 and raw[p + 1] == 0x9F:
                    emoji = True
                else:
                    letters = True
                p += 4
            elif b >= 0xE0:
                if b == 0xE2 and 0x86 <= raw[p + 1] <= 0xAF:
                    emoji = True
                elif not ((b == 0xE2 and raw[p + 1] == 0x80) or (b == 0xEF and raw[p + 1] == 0xB8)):
                    letters = True
                p += 3
            else:
                letters = True
                p += 2
        if at == stop:
            out[i] = _BLANK
        elif emoji and not letters:
            out[i] = _EMOJI
        else:
            out[i] = _TEXT if spaces else _WORD


def references(spans: Spans, here: Mask) -> Bytes:
    """What kind of thing payers wrote: nothing, emoji, one word, a text. The texts go no further."""
    out = np.zeros(here.size, np.uint8)
    _references(spans.buffer, spans.places, here, out)
    return out


def too_long(spans: Spans, here: Mask, longest: int, odd: Mask) -> None:
    """Sets aside texts that may be longer than they may be (in bytes; characters are counted later)."""
    np.logical_or(odd, here & (spans.places & LENGTH_MASK > longest), out=odd)


@njit(cache=True, nogil=True)
def _gather(raw: Any, places: Any, here: Any, offsets: Any, data: Any) -> None:
    at = 0
    for i in range(places.size):
        if here[i]:
            start = places[i] >> LENGTH_BITS
            for k in range(places[i] & LENGTH_MASK):
                data[at] = raw[start + k]
                at += 1
        offsets[i + 1] = at


def texts(spans: Spans, here: Mask) -> pl.Series:
    """A column of texts as a series, "" where there is none."""
    lengths = np.where(here, spans.places & LENGTH_MASK, 0)
    offsets = np.zeros(here.size + 1, np.int64)
    data = np.empty(int(lengths.sum()), np.uint8)
    _gather(spans.buffer, spans.places, here, offsets, data)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    array = pa.LargeStringArray.from_buffers(here.size, *buffers[1:])
    return pl.Series(pl.from_arrow(array))
