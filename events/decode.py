"""Raw chunks taken apart: lines of JSON, or a Parquet file's rows, become columns of raw values, still unjudged.

The loop over a chunk's lines (`_scan`) takes only what it is sure of: one flat JSON object a line with the contract's
fields at their right JSON types. It refuses nothing: a line with anything else in it (an escape, a number too long to
be exact, a fault) is set aside as *odd* and read alone by `read_line`, exactly and slowly, which gives either the
record or the reason. Why the JSON is not left to Polars: `docs/decisions/0002-tokens-at-the-door.md`.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from events import contract
from events.kernels import njit
from events.tokens import LENGTH_BITS, LENGTH_MASK

MAX_LENGTH: Final = 1 << LENGTH_BITS
"""A line longer than this (16 MiB) cannot be addressed, whatever the setting says."""

TEXT, WHOLE, NUMBER, FLAG, MAP, CONTENT, OTHER = range(1, 8)
_JSON_TYPES: Final = {
    "text": TEXT, "int": WHOLE, "number": NUMBER, "flag": FLAG, "map": MAP, "list": OTHER, "any": OTHER,
}  # fmt: skip

_KEY_TABLE: Final = 1024
EXACT_DIGITS: Final = 18
EXACT_MANTISSA: Final = 2**53
EXACT_POWER: Final = 22
"""Below these a decimal is one correctly rounded division or multiplication (Clinger 1990)."""
_POWERS: Final = 10.0 ** np.arange(EXACT_POWER + 1)
_DEEPEST: Final = 60

BOM: Final = b"\xef\xbb\xbf"


class Refusal(msgspec.Struct, frozen=True):
    """Why a record was refused, and where in it."""

    reason: str
    detail: str = "$"


class Keys(msgspec.Struct, frozen=True):
    """A stream's field names as arrays the scanning loop can look up."""

    names: NDArray[np.uint8]
    ends: NDArray[np.int64]
    types: NDArray[np.uint8]
    table: NDArray[np.int8]
    seed: int


@njit(cache=True, nogil=True, inline="always")
def _slot(buf: Any, at: int, size: int, seed: int) -> Any:
    fifth = buf[at + min(4, size - 1)]
    mixed = size + 3 * buf[at] + 17 * fifth + 71 * buf[at + size - 1] + 257 * buf[at + (size >> 1)]
    mixed += 4099 * buf[at + size - min(size, 2)] + 16411 * buf[at + size - min(size, 3)]
    return ((mixed * seed) >> 11) & (_KEY_TABLE - 1)


@cache
def keys_of(stream: str) -> Keys:
    """The field names of a stream, with a seed under which no two of them share a slot."""
    fields = contract.fields(stream)
    names = [field.name.encode() for field in fields]
    types = [_JSON_TYPES[field.rule.json] for field in fields]
    if stream == "telecoms":
        names += [name.encode() for name in contract.CONTENT_FIELDS]
        types += [CONTENT] * len(contract.CONTENT_FIELDS)
    arrays = [np.frombuffer(name, np.uint8) for name in names]
    seed = next(
        seed
        for seed in range(1, 1_000_001, 2)
        if len({_slot(name, 0, name.size, seed) for name in arrays}) == len(arrays)
    )
    table = np.full(_KEY_TABLE, -1, np.int8)
    for place, name in enumerate(arrays):
        table[_slot(name, 0, name.size, seed)] = place
    ends = np.cumsum([0] + [len(name) for name in names])
    return Keys(np.concatenate(arrays), ends.astype(np.int64), np.array(types, np.uint8), table, seed)


@njit(cache=True, nogil=True, inline="always")
def _blank(byte: int) -> bool:
    return byte in (32, 9, 13, 10)


@njit(cache=True, nogil=True)
def _utf8(buf: Any, p: int, e: int) -> int:
    """Bytes in the UTF-8 character at `p` (which is not ASCII), 0 when it is none."""
    b = buf[p]
    if 0xC2 <= b <= 0xDF:
        need = 1
    elif 0xE0 <= b <= 0xEF:
        need = 2
    elif 0xF0 <= b <= 0xF4:
        need = 3
    else:
        return 0
    if p + need >= e:
        return 0
    for k in range(1, need + 1):
        if buf[p + k] & 0xC0 != 0x80:
            return 0
    second = buf[p + 1]
    if (b == 0xE0 and second < 0xA0) or (b == 0xED and second > 0x9F):
        return 0
    if (b == 0xF0 and second < 0x90) or (b == 0xF4 and second > 0x8F):
        return 0
    return need + 1


@njit(cache=True, nogil=True)
def _text_end(buf: Any, p: int, e: int) -> int:
    """Where the text that begins at `p` has its closing quote; -1 for an escape, a control character or no end."""
    while p < e:
        b = buf[p]
        if b == 34:
            return p
        if b < 32 or b == 92:
            return -1
        if b < 128:
            p += 1
        else:
            size = _utf8(buf, p, e)
            if size == 0:
                return -1
            p += size
    return -1


@njit(cache=True, nogil=True)
def _number(buf: Any, p: int, e: int) -> tuple[int, int, int, float]:
    """Reads a number: where it ends, what it is (0 none, 1 whole, 2 decimal, 3 too long to be sure), its value."""
    negative = buf[p] == 45
    if negative:
        p += 1
    if p >= e or not 48 <= buf[p] <= 57:
        return p, 0, 0, 0.0
    mantissa = 0
    digits = 0
    power = 0
    zero = buf[p] == 48
    first = p
    while p < e and 48 <= buf[p] <= 57:
        if digits < EXACT_DIGITS:
            mantissa = mantissa * 10 + (buf[p] - 48)
        if mantissa > 0:
            digits += 1
        p += 1
    if zero and p - first > 1:
        return p, 0, 0, 0.0
    whole = True
    if p < e and buf[p] == 46:
        whole = False
        p += 1
        first = p
        while p < e and 48 <= buf[p] <= 57:
            if digits < EXACT_DIGITS:
                mantissa = mantissa * 10 + (buf[p] - 48)
                power -= 1
            if mantissa > 0:
                digits += 1
            p += 1
        if p == first:
            return p, 0, 0, 0.0
    if p < e and (buf[p] == 101 or buf[p] == 69):
        whole = False
        p += 1
        down = p < e and buf[p] == 45
        if p < e and (buf[p] == 45 or buf[p] == 43):
            p += 1
        first = p
        exponent = 0
        while p < e and 48 <= buf[p] <= 57:
            exponent = min(exponent * 10 + (buf[p] - 48), 100_000)
            p += 1
        if p == first:
            return p, 0, 0, 0.0
        power += -exponent if down else exponent
    if digits > EXACT_DIGITS:
        return p, 3, 0, 0.0
    value = -mantissa if negative else mantissa
    if whole:
        sure = mantissa <= EXACT_MANTISSA and not (negative and mantissa == 0)
        return p, 1, value, float(value) if sure else np.nan
    if mantissa > EXACT_MANTISSA or power < -EXACT_POWER or power > EXACT_POWER:
        return p, 3, 0, 0.0
    decimal = mantissa / _POWERS[-power] if power < 0 else mantissa * _POWERS[power]
    return p, 2, 0, -decimal if negative else decimal


@njit(cache=True, nogil=True)
def _literal(buf: Any, p: int, e: int) -> tuple[int, int]:
    """Reads true, false or null: where it ends, and 2, 1, 0; -1 for anything else."""
    if p + 4 <= e and buf[p] == 116 and buf[p + 1] == 114 and buf[p + 2] == 117 and buf[p + 3] == 101:
        return p + 4, 2
    if p + 4 <= e and buf[p] == 110 and buf[p + 1] == 117 and buf[p + 2] == 108 and buf[p + 3] == 108:
        return p + 4, 0
    if (
        p + 5 <= e and buf[p] == 102 and buf[p + 1] == 97 and buf[p + 2] == 108 and buf[p + 3] == 115
        and buf[p + 4] == 101
    ):  # fmt: skip
        return p + 5, 1
    return p, -1


@njit(cache=True, nogil=True)
def _field(buf: Any, at: int, size: int, names: Any, ends: Any, table: Any, seed: int) -> Any:
    """The field a key names, -1 for none."""
    if size == 0:
        return -1
    found = table[_slot(buf, at, size, seed)]
    if found < 0 or ends[found + 1] - ends[found] != size:
        return -1
    name = ends[found]
    for k in range(size):
        if buf[at + k] != names[name + k]:
            return -1
    return found


@njit(cache=True, nogil=True)
def _skip_nested(
    buf: Any, p: int, e: int, names: Any, ends: Any, types: Any, table: Any, seed: int
) -> int:  # fmt: skip
    """Where the object or list that begins at `p` ends; -1 when it is not plain JSON or carries content."""
    kinds = np.uint64(0)  # one bit a level: 1 object, 0 list
    depth = 0
    after = False  # whether a value has just been read
    while p < e:
        while p < e and _blank(buf[p]):
            p += 1
        if p >= e:
            return -1
        b = buf[p]
        inside = depth > 0 and kinds & np.uint64(1)
        if after:
            if (b == 125 and inside) or (b == 93 and depth > 0 and not inside):
                kinds >>= np.uint64(1)
                depth -= 1
                p += 1
                if depth == 0:
                    return p
                continue
            if b != 44:
                return -1
            p += 1
            while p < e and _blank(buf[p]):
                p += 1
            if p >= e:
                return -1
            b = buf[p]
            after = False
        if inside:
            if b != 34:
                return -1
            end = _text_end(buf, p + 1, e)
            if end < 0:
                return -1
            f = _field(buf, p + 1, end - p - 1, names, ends, table, seed)
            if f >= 0 and types[f] == CONTENT:
                return -1
            p = end + 1
            while p < e and _blank(buf[p]):
                p += 1
            if p >= e or buf[p] != 58:
                return -1
            p += 1
            while p < e and _blank(buf[p]):
                p += 1
            if p >= e:
                return -1
            b = buf[p]
        if b in (123, 91):
            if depth >= _DEEPEST:
                return -1
            kinds = (kinds << np.uint64(1)) | np.uint64(b == 123)
            depth += 1
            p += 1
            while p < e and _blank(buf[p]):
                p += 1
            if p < e and buf[p] == (125 if b == 123 else 93):
                kinds >>= np.uint64(1)
                depth -= 1
                p += 1
                if depth == 0:
                    return p
                after = True
        elif b == 34:
            end = _text_end(buf, p + 1, e)
            if end < 0:
                return -1
            p = end + 1
            after = True
        elif b == 45 or 48 <= b <= 57:
            p, kind, _, _ = _number(buf, p, e)
            if kind == 0:
                return -1
            after = True
        else:
            p, word = _literal(buf, p, e)
            if word < 0:
                return -1
            after = True
    return -1


@njit(cache=True, nogil=True)
def _scan_line(
    buf: Any, p: int, e: int, i: int, names: Any, ends: Any, types: Any, table: Any, seed: int,
    values: Any, decimals: Any, present: Any, filled: Any,
) -> bool:  # fmt: skip
    """Reads one line's object into row `i`; false when there is anything in it this loop is not sure of."""
    while p < e and _blank(buf[p]):
        p += 1
    while e > p and _blank(buf[e - 1]):
        e -= 1
    if e - p < 2 or buf[p] != 123 or buf[e - 1] != 125:
        return False
    p += 1
    e -= 1
    seen = np.uint64(0)
    held = np.uint64(0)
    while p < e and _blank(buf[p]):
        p += 1
    if p == e:
        present[i] = held
        return True
    while True:
        if p >= e or buf[p] != 34:
            return False
        end = _text_end(buf, p + 1, e)
        if end < 0:
            return False
        f = _field(buf, p + 1, end - p - 1, names, ends, table, seed)
        p = end + 1
        while p < e and _blank(buf[p]):
            p += 1
        if p >= e or buf[p] != 58:
            return False
        p += 1
        while p < e and _blank(buf[p]):
            p += 1
        if p >= e:
            return False
        kind = 0
        bit = np.uint64(0)
        if f >= 0:
            bit = np.uint64(1) << np.uint64(f)
            kind = types[f]
            if seen & bit or kind >= CONTENT:
                return False
            seen |= bit
        b = buf[p]
        if b == 34:
            end = _text_end(buf, p + 1, e)
            if end < 0 or kind > TEXT:
                return False
            if kind == TEXT:
                if end > p + 1 and (buf[p + 1] == 32 or buf[end - 1] == 32):
                    return False
                values[f, i] = ((p + 1) << LENGTH_BITS) | (end - p - 1)
                held |= bit
            p = end + 1
        elif b == 45 or 48 <= b <= 57:
            p, number, whole, decimal = _number(buf, p, e)
            if number == 0:
                return False
            if kind == WHOLE:
                if number != 1:
                    return False
                values[f, i] = whole
                held |= bit
            elif kind == NUMBER:
                if number == 3 or np.isnan(decimal):
                    return False
                decimals[f, i] = decimal
                held |= bit
            elif kind != 0:
                return False
        elif b in (123, 91):
            if kind != 0 and not (kind == MAP and b == 123):
                return False
            p = _skip_nested(buf, p, e, names, ends, types, table, seed)
            if p < 0:
                return False
        else:
            p, word = _literal(buf, p, e)
            if word < 0 or (word > 0 and kind not in (0, FLAG)):
                return False
            if word > 0 and kind == FLAG:
                values[f, i] = word
                held |= bit
        while p < e and _blank(buf[p]):
            p += 1
        if p == e:
            break
        if buf[p] != 44:
            return False
        p += 1
        while p < e and _blank(buf[p]):
            p += 1
    present[i] = held
    filled[0] |= held
    return True


@njit(cache=True, nogil=True)
def _scan(
    buf: Any, starts: Any, stops: Any, longest: int, names: Any, ends: Any, types: Any, table: Any, seed: int,
    values: Any, decimals: Any, present: Any, filled: Any, odd: Any,
) -> None:  # fmt: skip
    for i in range(starts.size):
        if stops[i] - starts[i] > longest or not _scan_line(
            buf, starts[i], stops[i], i, names, ends, types, table, seed, values, decimals, present, filled
        ):
            odd[i] = True


@njit(cache=True, nogil=True)
def _drop_blank(buf: Any, starts: Any, stops: Any) -> int:
    """Moves the lines that are not blank to the front; gives how many."""
    count = 0
    for line in range(starts.size):
        p = starts[line]
        while p < stops[line] and _blank(buf[p]):
            p += 1
        if p < stops[line]:
            starts[count] = starts[line]
            stops[count] = stops[line]
            count += 1
    return count


def _lines(buffer: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the lines that are not blank begin and end."""
    breaks = np.flatnonzero(buffer == ord("\n"))
    starts = np.concatenate([[0], breaks + 1]).astype(np.int64)
    stops = np.concatenate([breaks, [buffer.size]]).astype(np.int64)
    height = _drop_blank(buffer, starts, stops)
    return starts[:height], stops[:height]


class Spans(msgspec.Struct, frozen=True):
    """A column of texts: places in a buffer (see `events.tokens.LENGTH_BITS`)."""

    buffer: NDArray[np.uint8]
    places: NDArray[np.int64]


class RawColumns:
    """A chunk's raw values, column by column, for the rows that could be read."""

    def __init__(self, stream: str, height: int) -> None:
        self.stream = stream
        self.height = height
        self.texts: dict[str, Spans] = {}
        self.numbers: dict[str, NDArray[Any]] = {}
        self.odd: NDArray[np.bool_] = np.zeros(height, np.bool_)
        self._here: dict[str, NDArray[np.bool_]] = {}

    def set_text(self, name: str, spans: Spans, here: NDArray[np.bool_], *, blanks: bool = False) -> None:
        """Sets a column of texts and which rows have one; an empty text is one only where `blanks` are told apart."""
        self.texts[name] = spans
        self._here[name] = here if blanks else here & (spans.places & LENGTH_MASK != 0)

    def set_number(self, name: str, values: NDArray[Any], here: NDArray[np.bool_]) -> None:
        """Sets a column of numbers, flags (1 no, 2 yes) or instants and which rows have one."""
        self.numbers[name] = values
        self._here[name] = here

    def has(self, name: str) -> bool:
        """Whether any row has this field."""
        return name in self._here

    def here(self, name: str) -> NDArray[np.bool_]:
        """Which rows have this field."""
        found = self._here.get(name)
        return np.zeros(self.height, np.bool_) if found is None else found


class Lines(msgspec.Struct, frozen=True):
    """A chunk's lines: their raw columns, and where each begins and ends."""

    columns: RawColumns
    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    def line(self, row: int) -> bytes:
        """The bytes of one line."""
        return self.buffer[self.starts[row] : self.stops[row]].tobytes()


def scan_lines(stream: str, chunk: bytes, longest: int) -> Lines:
    """Reads a chunk of whole lines; the rows set aside are `columns.odd`."""
    buffer = np.frombuffer(chunk, np.uint8)
    starts, stops = _lines(buffer)
    height = starts.size
    keys = keys_of(stream)
    values = np.zeros((keys.types.size, height), np.int64)
    present, filled = np.zeros(height, np.uint64), np.zeros(1, np.uint64)
    columns = RawColumns(stream, height)
    _scan(
        buffer, starts, stops, longest, keys.names, keys.ends, keys.types, keys.table, keys.seed,
        values, values.view(np.float64), present, filled, columns.odd,
    )  # fmt: skip
    for place, field in enumerate(contract.fields(stream)):
        if not (int(filled[0]) >> place) & 1:
            continue
        here = (present >> np.uint64(place)) & np.uint64(1) != 0
        if field.rule.json == "text":
            columns.set_text(field.name, Spans(buffer, values[place]), here, blanks=_has_blanks(field))
        else:
            typed = values[place].view(np.float64) if field.rule.json == "number" else values[place]
            columns.set_number(field.name, typed, here)
    return Lines(columns, buffer, starts, stops)


def lines_of(stream: str, chunk: bytes) -> Lines:
    """A chunk's lines with every one of them set aside, to be read alone."""
    buffer = np.frombuffer(chunk, np.uint8)
    starts, stops = _lines(buffer)
    columns = RawColumns(stream, starts.size)
    columns.odd[:] = True
    return Lines(columns, buffer, starts, stops)


def _decoder(stream: str) -> msgspec.json.Decoder[contract.Record]:
    return msgspec.json.Decoder(contract.RECORDS[stream])


_NAMES: Final = {stream: frozenset(f.name for f in contract.fields(stream)) for stream in contract.RECORDS}
_DECODERS: Final = {stream: _decoder(stream) for stream in contract.RECORDS}


def read_line(stream: str, line: bytes, longest: int) -> dict[str, Any] | Refusal:
    """One line, read exactly: the record's fields as they are, or why it is refused."""
    if len(line) > min(longest, MAX_LENGTH - 1):
        return Refusal("too_long")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return Refusal("invalid_utf8")
    bare = text.removeprefix("\ufeff").strip(" \t\r\n")
    try:
        objects = _objects(bare)
    except (ValueError, RecursionError):
        return Refusal("not_json")
    if objects is None:
        return Refusal("not_an_object")
    if stream == "telecoms":
        for pairs in objects:
            for key, _ in pairs:
                if key in contract.CONTENT_FIELDS:
                    return Refusal("content", f"$.{key}" if pairs is objects[-1] else "$.ext")
    names = [key for key, _ in objects[-1] if key in _NAMES[stream]]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        return Refusal("duplicate_field", f"$.{twice}")
    try:
        record = _DECODERS[stream].decode(bare)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return _refusal_of(error)
    return fields_of(stream, record)


def _objects(text: str) -> list[list[tuple[str, Any]]] | None:
    """Every object of a JSON text, innermost first, or nothing when the text is another value."""
    objects: list[list[tuple[str, Any]]] = []

    def gather(pairs: list[tuple[str, Any]]) -> None:
        objects.append(pairs)

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    json.loads(text, object_pairs_hook=gather, parse_constant=refuse, parse_int=str, parse_float=str)
    return objects if text.startswith("{") else None


def read_row(stream: str, row: dict[str, Any]) -> dict[str, Any] | Refusal:
    """One row of a Parquet file, read exactly, like a line."""
    if stream == "telecoms":
        for name in contract.CONTENT_FIELDS:
            if row.get(name) is not None:
                return Refusal("content", f"$.{name}")
        if _holds_content(row.get("ext")):
            return Refusal("content", "$.ext")
    if isinstance(row.get("ext"), str):
        row = {
            name: value for name, value in row.items() if name != "ext"
        }  # JSON in a text, as some writers do
    try:
        record = msgspec.convert(row, contract.RECORDS[stream])
    except (msgspec.ValidationError, UnicodeError, RecursionError) as error:
        return _refusal_of(error)
    return fields_of(stream, record, columnar=True)


def plain_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """A Parquet file's rows as the contract's JSON would have them, with zoned instants and days as microseconds.

    Polars is not asked for Python's own dates: a file may hold years that those do not have.
    """
    names = frame.columns
    columns = [_plain_column(series) for series in frame]
    rows = zip(*columns, strict=True) if columns else [()] * frame.height
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows
    ]


def _plain_column(series: pl.Series) -> list[Any]:
    if isinstance(series.dtype, pl.Datetime):
        micros = series.dt.epoch("us").to_list()
        if series.dtype.time_zone:
            return micros
        return [None if each is None else _naive_text(each) for each in micros]
    if series.dtype == pl.Date:
        days = series.cast(pl.Int32).to_list()
        return [None if each is None else each * 86_400_000_000 for each in days]
    return series.to_list()


def _naive_text(micros: int) -> str:
    try:
        return (contract.EPOCH.replace(tzinfo=None) + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return str(micros)


def _holds_content(value: Any) -> bool:
    if isinstance(value, dict):
        named = any(key in contract.CONTENT_FIELDS and kept is not None for key, kept in value.items())
        return named or any(map(_holds_content, value.values()))
    return isinstance(value, list) and any(map(_holds_content, value))


def _refusal_of(error: Exception) -> Refusal:
    """What a failed decoding says, as a reason and a path."""
    message = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Refusal("not_json")
    path = message.rpartition("`")[0].rpartition("`")[2] if " - at `" in message else "$"
    return Refusal("out_of_bounds" if message.startswith("Number out of range") else "wrong_type", path)


def fields_of(stream: str, record: contract.Record, *, columnar: bool = False) -> dict[str, Any] | Refusal:
    """A decoded record's fields that hold something, each asked its rule; or the first refusal."""
    held: dict[str, Any] = {}
    for field in contract.fields(stream):
        value = getattr(record, field.attribute)
        if value is None:
            continue
        if isinstance(value, str) and not _has_blanks(field):
            value = value.strip(" \t\r\n") if field.rule.json == "text" else value
            if value == "":
                continue
        if isinstance(value, str) and not _encodes(value):
            return Refusal("invalid_utf8", f"$.{field.name}")
        if isinstance(value, int) and field.rule.json == "text" and not columnar:
            return Refusal("wrong_type", f"$.{field.name}")  # a bare number is an instant in a column only
        reason = field.rule.refuse(value)
        if reason is not None:
            return Refusal(reason, f"$.{field.name}")
        if isinstance(field.rule, contract.Time):
            value = contract.read_time(value)
        elif isinstance(field.rule, contract.Date):
            value = contract.read_date(value)
        held[field.name] = value
    absent = contract.missing(stream, held)
    return held if absent is None else Refusal("missing_field", f"$.{absent}")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def columns_of(stream: str, records: Sequence[dict[str, Any]]) -> RawColumns:
    """Records read alone, as raw columns like those of a whole chunk."""
    columns = RawColumns(stream, len(records))
    for field in contract.fields(stream):
        held = [record.get(field.name) for record in records]
        here = np.array([value is not None for value in held], np.bool_)
        if not here.any():
            continue
        kind = field.rule.json
        if kind == "text" and not isinstance(field.rule, contract.Time | contract.Date):
            spans = spans_of([value or "" for value in held])
            columns.set_text(field.name, spans, here, blanks=_has_blanks(field))
        elif kind == "any" or isinstance(field.rule, contract.Mentions):
            columns.set_text(field.name, spans_of([_as_json(value) for value in held]), here)
        elif kind == "flag":
            flags = [0 if value is None else 1 + bool(value) for value in held]
            columns.set_number(field.name, np.array(flags, np.int64), here)
        elif kind in ("int", "number", "text"):
            dtype = np.float64 if kind == "number" else np.int64
            columns.set_number(field.name, np.array([value or 0 for value in held], dtype), here)
    return columns


def _has_blanks(field: contract.Field) -> bool:
    return isinstance(field.rule, contract.Reference)


def _as_json(value: Any) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()


def spans_of(texts: Sequence[str]) -> Spans:
    """Texts laid end to end."""
    raw = [text.encode() for text in texts]
    lengths = np.array([len(text) for text in raw], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    buffer = np.frombuffer(b"".join(raw) or b"\0", np.uint8)
    return Spans(buffer, (starts << LENGTH_BITS) | lengths)


def scan_rows(stream: str, frame: pl.DataFrame) -> RawColumns:
    """Reads a Parquet file's rows; those with a value of another type than the contract's are set aside."""
    columns = RawColumns(stream, frame.height)
    for field in contract.fields(stream):
        if field.name in frame.columns and frame[field.name].null_count() < frame.height:
            _take_series(columns, field, frame[field.name])
    if stream == "telecoms":
        for name in contract.CONTENT_FIELDS:
            if name in frame.columns:
                columns.odd |= frame[name].is_not_null().to_numpy()
        if "ext" in frame.columns:
            columns.odd |= frame["ext"].is_not_null().to_numpy()
    return columns


def conform(stream: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A Parquet frame's columns as the contract's types, where nothing is lost by it.

    Whole numbers that a writer with nulls made floats become whole again, NaN becomes absent, categories become
    texts. What does not fit is left as it is, for `read_row` to refuse.
    """
    changes = []
    for field in contract.fields(stream):
        if field.name not in frame.columns:
            continue
        series = frame[field.name]
        dtype, kind = series.dtype, field.rule.json
        if isinstance(dtype, pl.Categorical | pl.Enum):
            changes.append(series.cast(pl.String))
        elif dtype.is_float():
            exact = series.fill_nan(None).cast(pl.Float64)
            whole = exact.cast(pl.Int64, strict=False)
            fits = kind == "int" and (whole.cast(pl.Float64) == exact).all()
            changes.append(whole if fits else exact)
        elif isinstance(field.rule, contract.Date) and isinstance(dtype, pl.Datetime):
            changes.append(series.dt.date())
        elif kind == "number" and (dtype.is_integer() or dtype.is_decimal()):
            changes.append(series.cast(pl.Float64))
    return frame.with_columns(changes) if changes else frame


def _take_series(columns: RawColumns, field: contract.Field, series: pl.Series) -> None:
    whole = series.null_count() == 0
    here = np.ones(len(series), np.bool_) if whole else series.is_not_null().to_numpy()
    kind, dtype = field.rule.json, series.dtype
    if kind == "text" and dtype == pl.String:
        spans, odd = _series_spans(series)
        columns.odd |= odd & here
        columns.set_text(field.name, spans, here, blanks=_has_blanks(field))
    elif isinstance(field.rule, contract.Time) and isinstance(dtype, pl.Datetime) and dtype.time_zone:
        instants = series.dt.epoch("us")
        columns.set_number(field.name, _filled(instants, whole), here)
    elif isinstance(field.rule, contract.Date) and dtype == pl.Date:
        days = series.cast(pl.Int32).cast(pl.Int64)
        columns.set_number(field.name, _filled(days, whole) * 86_400_000_000, here)
    elif kind == "flag" and dtype == pl.Boolean:
        columns.set_number(field.name, _filled(series.cast(pl.Int64) + 1, whole), here)
    elif kind == "int" and dtype.is_integer():
        values = series.cast(pl.Int64, strict=False)
        if values.null_count() != series.null_count():
            columns.odd |= here & values.is_null().to_numpy()
            whole = False
        columns.set_number(field.name, _filled(values, whole), here)
    elif kind == "number" and dtype == pl.Float64:
        columns.set_number(field.name, _filled(series, whole), here)
    elif kind not in ("map", "list", "any"):
        columns.odd |= here


def _filled(series: pl.Series, whole: bool) -> NDArray[Any]:
    """A column of numbers, 0 where there is none."""
    return series.to_numpy() if whole else series.fill_null(0).to_numpy()


@njit(cache=True, nogil=True)
def _any_control(buffer: Any, start: int, stop: int) -> bool:
    """Whether there is any byte below a space; all are looked at, which is quicker than to stop at one."""
    found = False
    for k in range(start, stop):
        found |= buffer[k] < 32
    return found


@njit(cache=True, nogil=True)
def _judge_texts(buffer: Any, offsets: Any, places: Any, odd: Any) -> None:
    controls = places.size > 0 and _any_control(buffer, offsets[0], offsets[places.size])
    for i in range(places.size):
        start, stop = offsets[i], offsets[i + 1]
        places[i] = (start << LENGTH_BITS) | min(stop - start, MAX_LENGTH - 1)
        if stop - start >= MAX_LENGTH or (stop > start and (buffer[start] <= 32 or buffer[stop - 1] <= 32)):
            odd[i] = True
            continue
        for k in range(start, stop if controls else start):
            if buffer[k] < 32:
                odd[i] = True


def _series_spans(series: pl.Series) -> tuple[Spans, NDArray[np.bool_]]:
    """A column's texts in their own buffer, without an object for each, and which are odd."""
    array: Any = series.rechunk().to_arrow()
    array = array.cast(pa.large_string())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    buffer = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    places = np.empty(len(array), np.int64)
    odd = np.zeros(len(array), np.bool_)
    _judge_texts(buffer, ends, places, odd)
    return Spans(buffer, places), odd
