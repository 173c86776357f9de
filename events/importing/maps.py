"""Import maps: TOML files that say how a supplier's columns become contract records.

A map is read whole and checked whole: every unknown key, word or unit is reported at once, each with the nearest
thing that would have been understood.
"""

import datetime as dt
import difflib
import re
import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from events import contract
from events.importing.errors import MapError
from events.importing.fields import (
    CONTENT,
    CURRENCY,
    FIELDS,
    NOTICE_REQUIRED,
    NOTICES,
    REQUIRED,
    TEXT,
    ContractField,
    Kind,
)

SHIPPED: Final = Path(__file__).parent / "maps"

ISO_FORMATS: Final = ("pacs.008", "pacs.002", "pacs.004", "camt.056")
FORMATS: Final = ("csv", "parquet", "ndjson", *ISO_FORMATS)

ROW: Final = "#row"
"""The name under which a template may ask for the row's number in its file."""

_TOP_KEYS: Final = ("title", "summary", "source", "basis", "format", "reader", "where", "record")
_READER_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "csv": (
        "delimiter",
        "quote",
        "escape",
        "encoding",
        "header",
        "columns",
        "skip_lines",
        "multiline",
        "null",
    ),
    "parquet": ("null",),
    "ndjson": ("each", "null"),
    **dict.fromkeys(ISO_FORMATS, ("null",)),
}
_RECORD_KEYS: Final = ("stream", "sort", "where", "fields")
_SOURCES: Final = ("column", "columns", "constant", "template", "first_of", "digest", "list")
_ALWAYS: Final = ("words", "default", "missing", "null", "case", "extract")
_NUMERIC: Final = ("unit", "decimal", "thousands", "strip")
_MODIFIERS: Final[dict[Kind, tuple[str, ...]]] = {
    "text": _ALWAYS,
    "id": (*_ALWAYS, "prefix"),
    "word": (*_ALWAYS, "unit"),
    "minor": (*_ALWAYS, *_NUMERIC, "round", "sign", "currency"),
    "signed_minor": (*_ALWAYS, *_NUMERIC, "round", "sign", "currency"),
    "whole": (*_ALWAYS, *_NUMERIC),
    "real": (*_ALWAYS, *_NUMERIC),
    "yes_no": (*_ALWAYS, "yes", "no"),
    "time": ("null", "extract", "time", "zone", "ambiguous", "plus"),
    "day": ("null", "extract", "time", "zone"),
    "number": (*_ALWAYS, "country"),
    "any_number": (*_ALWAYS, "country"),
    "list": (),
}
_TESTS: Final = ("is", "is_not", "above", "below", "at_least", "at_most", "present", "matches")

MONEY_UNITS: Final = ("pounds", "pence", "major", "minor")
REAL_UNITS: Final[dict[str, dict[str, float]]] = {
    "duration_s": {"milliseconds": 0.001, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0},
    "bytes_up": {
        "bytes": 1.0,
        "kilobytes": 1e3,
        "megabytes": 1e6,
        "kibibytes": 2.0**10,
        "mebibytes": 2.0**20,
    },
}
REAL_UNITS["bytes_down"] = REAL_UNITS["bytes_up"]
CLOCK: Final = "clock"
"""The unit of a duration written as hours, minutes and seconds with colons."""

ROUNDINGS: Final = ("half_up", "half_even", "down")
SIGNS: Final = ("as_is", "absolute", "negate")
EPOCHS: Final[dict[str, int]] = {"epoch s": 6, "epoch ms": 3, "epoch us": 0, "epoch ns": -3}
"""Time words for numbers since 1970, with the power of ten that takes them to microseconds."""

_SINCE: Final = re.compile(
    r"^(days|hours|minutes|seconds) since (\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?)$"
)
_PLUS: Final = re.compile(r"^(\d+) (second|minute|hour|day|week)s?$")
_STEP_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a template: words as they stand, then a column (padded with zeros to a width) or nothing."""

    literal: str
    column: str | None = None
    width: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """One test on a source column; a row that fails it is skipped, which is not an error."""

    column: str
    test: str
    value: Any


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How a supplier writes a time: a pattern, an epoch, steps since an origin, or the file's own time type."""

    pattern: str = ""
    epoch: int | None = None
    step_seconds: int = 0
    origin: dt.datetime | None = None
    native: bool = False
    zone: str = ""
    ambiguous: str = "earliest"
    plus_us: int = 0


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Where one contract field comes from and how its value is to be read."""

    name: str
    kind: Kind
    columns: tuple[str, ...] = ()
    constant: Any = None
    templates: tuple[tuple[Piece, ...], ...] = ()
    digest: tuple[str, ...] = ()
    parts: tuple[tuple[Piece, ...], ...] = ()
    prefix: str = ""
    holds: contract.Rule = field(default_factory=contract.Text)
    words: Mapping[str, str] | None = None
    default: str | None = None
    missing: str | None = None
    nulls: tuple[str, ...] = ()
    case: str = ""
    extract: str = ""
    unit: str = ""
    decimal: str = "."
    thousands: str = ""
    strip: str = ""
    round: str = ""
    sign: str = "as_is"
    currency: "FieldRule | None" = None
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    country: str = ""
    time: TimeForm | None = None

    def needs(self) -> frozenset[str]:
        """The source columns that must be there for this field."""
        pieces = [piece.column for template in (*self.templates, *self.parts) for piece in template]
        others = self.currency.needs() if self.currency else frozenset()
        return frozenset(name for name in (*self.columns, *self.digest, *pieces) if name) - {ROW} | others


@dataclass(frozen=True, slots=True)
class RecordRule:
    """One kind of record that a row gives rise to."""

    stream: str
    fields: tuple[FieldRule, ...]
    ext: tuple[FieldRule, ...] = ()
    where: tuple[Condition, ...] = ()
    sort: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """How the file itself is written, apart from what its columns mean."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"
    header: bool = True
    columns: tuple[str, ...] = ()
    skip_lines: int = 0
    multiline: bool = False
    each: str = ""
    nulls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportMap:
    """A checked map: which file it reads, and the records it makes of each row."""

    name: str
    title: str
    summary: str
    source: str
    format: str
    records: tuple[RecordRule, ...]
    basis: str = ""
    reader: Reader = field(default_factory=Reader)
    where: tuple[Condition, ...] = ()

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams this map writes, in the order in which it names them."""
        return tuple(dict.fromkeys(record.stream for record in self.records))

    def needs(self) -> frozenset[str]:
        """Every source column the map speaks of."""
        conditions = [*self.where, *(test for record in self.records for test in record.where)]
        rules = [rule for record in self.records for rule in (*record.fields, *record.ext)]
        return frozenset().union(
            {test.column for test in conditions} - {ROW}, *(rule.needs() for rule in rules)
        )


@dataclass(frozen=True, slots=True)
class ShippedMap:
    """A map that comes with Linewatch."""

    name: str
    title: str
    summary: str
    path: Path


def shipped_maps() -> tuple[ShippedMap, ...]:
    """The maps that come with Linewatch, by name."""
    found = []
    for path in sorted(SHIPPED.glob("*.toml")):
        checked = load_map(path)
        found.append(ShippedMap(checked.name, checked.title, checked.summary, path))
    return tuple(found)


def load_map(path: Path | str) -> ImportMap:
    """Reads and checks a map: a file, or the name of one that comes with Linewatch.

    Raises:
        MapError: the file cannot be read, or something in it is wrong; the message lists every fault.
    """
    checked, faults = _read(Path(path))
    if checked is None or faults:
        raise MapError(f"the map {path} cannot be used:\n" + "\n".join(f"  - {fault}" for fault in faults))
    return checked


def check_map(path: Path | str) -> tuple[str, ...]:
    """Every fault of a map, in words; empty when the map can be used."""
    return _read(Path(path))[1]


def _read(path: Path) -> tuple[ImportMap | None, tuple[str, ...]]:
    """A map and its faults; no map when it is not even TOML."""
    place = path
    if not place.exists() and path.parent == Path() and (SHIPPED / f"{path.name}.toml").exists():
        place = SHIPPED / f"{path.name}.toml"
    try:
        said = tomllib.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.toml")))
        return None, (f"there is no such file, nor a shipped map of that name (shipped: {known})",)
    except (OSError, UnicodeDecodeError) as fault:
        return None, (f"the file cannot be read: {fault}",)
    except tomllib.TOMLDecodeError as fault:
        return None, (f"it is not valid TOML: {fault}",)
    checker = _Checker()
    checked = checker.read_map(place.stem, said)
    return checked, tuple(checker.faults)


def nearest(word: str, known: Sequence[str]) -> str:
    """The hint that ends a message about an unknown word: the nearest known one, else all there are."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "there are: " + ", ".join(map(str, known))


class _Checker:
    """Turns what a map says into checked rules, noting each fault with the place it was found."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, place: str, what: str) -> None:
        self.faults.append(f"{place}: {what}" if place else what)

    def keys(self, place: str, said: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in said:
            if key not in known:
                self.fault(place, f"unknown key {key!r}; {nearest(key, known)}")

    def text(self, place: str, said: Mapping[str, Any], key: str, default: str | None = None) -> str:
        value = said.get(key, default)
        if value is None:
            self.fault(place, f"the key {key!r} is missing")
            return ""
        if not isinstance(value, str):
            self.fault(place, f"{key} must be text, not {value!r}")
            return ""
        return value

    def texts(self, place: str, said: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = said.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.fault(place, f"{key} must be a list of texts")
            return ()
        return tuple(value)

    def one_of(self, place: str, key: str, value: str, known: Sequence[str]) -> str:
        if value not in known:
            self.fault(place, f"{key} cannot be {value!r}; {nearest(value, known)}")
        return value

    def tables(self, place: str, said: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        value = said.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.fault(place, f"{key} must be a list of tables")
            return []
        return value

    def read_map(self, name: str, said: Mapping[str, Any]) -> ImportMap:
        self.keys("", said, _TOP_KEYS)
        form = self.one_of("", "format", self.text("", said, "format"), FORMATS)
        reader = self.reader(said.get("reader", {}), form)
        records = tuple(
            self.record(f"record {number}", each, reader)
            for number, each in enumerate(self.tables("", said, "record"), start=1)
        )
        if not records:
            self.fault("", "there is no [[record]]: say at least one stream and its fields")
        self.same_ids(records)
        return ImportMap(
            name=name,
            title=self.text("", said, "title", name),
            summary=self.text("", said, "summary", ""),
            source=self.text("", said, "source"),
            basis=self.text("", said, "basis", ""),
            format=form,
            reader=reader,
            where=self.conditions("", said),
            records=records,
        )

    def same_ids(self, records: tuple[RecordRule, ...]) -> None:
        """Two records of one row in one stream need ids of their own, else the second would count as a repeat."""
        seen: list[tuple[int, str, FieldRule]] = []
        for number, record in enumerate(records, start=1):
            for rule in record.fields:
                if rule.name != "event_id" or record.where:
                    continue
                twins = [first for first, stream, other in seen if (stream, other) == (record.stream, rule)]
                if twins:
                    self.fault(
                        f"record {number}, event_id",
                        f"the same as record {twins[0]}'s, so the second would be dropped as a repeat; add a suffix",
                    )
                seen.append((number, record.stream, rule))

    def reader(self, said: Any, form: str) -> Reader:
        if not isinstance(said, dict):
            self.fault("reader", "must be a table")
            return Reader()
        self.keys("reader", said, _READER_KEYS.get(form, ()))
        encoding = self.text("reader", said, "encoding", "utf-8")
        try:
            "".encode(encoding)
        except LookupError:
            self.fault("reader", f"there is no encoding {encoding!r}")
        delimiter = self.text("reader", said, "delimiter", ",")
        if len(delimiter) != 1 or not delimiter.isascii():
            self.fault("reader", "delimiter must be one ASCII character")
        skip = said.get("skip_lines", 0)
        if not isinstance(skip, int) or isinstance(skip, bool) or skip < 0:
            self.fault("reader", "skip_lines must be a whole number")
            skip = 0
        header = said.get("header", True)
        columns = self.texts("reader", said, "columns")
        if header is not True and header is not False:
            self.fault("reader", "header must be true or false")
        if header is False and not columns:
            self.fault("reader", "a file without a header needs its columns named: columns = [...]")
        multiline = said.get("multiline", False)
        if not isinstance(multiline, bool):
            self.fault("reader", "multiline must be true or false")
        quote, escape = self.text("reader", said, "quote", '"'), self.text("reader", said, "escape", "")
        for key, sign in (("quote", quote), ("escape", escape)):
            if len(sign) > 1 or not sign.isascii():
                self.fault("reader", f"{key} must be one ASCII character, or empty for none")
        return Reader(
            delimiter=delimiter,
            quote=quote,
            escape=escape,
            multiline=multiline is True,
            encoding=encoding,
            header=bool(header),
            columns=columns,
            skip_lines=skip,
            each=self.text("reader", said, "each", ""),
            nulls=self.texts("reader", said, "null"),
        )

    def conditions(self, place: str, said: Mapping[str, Any]) -> tuple[Condition, ...]:
        found = []
        for number, each in enumerate(self.tables(place, said, "where"), start=1):
            here = f"{place}, where {number}" if place else f"where {number}"
            self.keys(here, each, ("column", *_TESTS))
            column = self.text(here, each, "column")
            tests = [key for key in each if key in _TESTS]
            if not tests:
                self.fault(here, "needs a test, one of " + ", ".join(_TESTS))
            for test in tests:
                found.append(self.condition(here, column, test, each[test]))
        return tuple(found)

    def condition(self, place: str, column: str, test: str, value: Any) -> Condition:
        if test in ("is", "is_not"):
            value = tuple(value) if isinstance(value, list) else (value,)
            if not value or not all(isinstance(each, str | int | float) for each in value):
                self.fault(place, f"{test} must be a text, a number, true or false, or a list of them")
        elif test == "present":
            if not isinstance(value, bool):
                self.fault(place, "present must be true or false")
        elif test == "matches":
            self.pattern(place, "matches", value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(place, f"{test} must be a number")
        return Condition(column, test, value)

    def pattern(self, place: str, key: str, value: Any) -> None:
        try:
            re.compile(value)
        except (re.error, TypeError) as fault:
            self.fault(place, f"{key} is not a regular expression: {fault}")

    def record(self, place: str, said: Mapping[str, Any], reader: Reader) -> RecordRule:
        self.keys(place, said, _RECORD_KEYS)
        stream = self.one_of(place, "stream", self.text(place, said, "stream"), tuple(FIELDS))
        sort = said.get("sort", False)
        if not isinstance(sort, bool):
            self.fault(place, "sort must be true or false")
        fields = said.get("fields", {})
        if not isinstance(fields, dict):
            self.fault(place, "fields must be a table: [record.fields]")
            fields = {}
        contract = FIELDS.get(stream, {})
        rules, ext = [], []
        for name, rule in fields.items():
            if name == "ext":
                ext = self.ext(f"{place}, ext", rule, reader)
            elif name in contract:
                rules.append(self.rule(f"{place}, {name}", name, contract[name], rule, reader))
            elif stream in FIELDS:
                self.fault(place, f"{stream} has no field {name!r}; {nearest(name, tuple(contract))}")
        self.required(place, stream, {rule.name: rule for rule in rules})
        return RecordRule(stream, tuple(rules), tuple(ext), self.conditions(place, said), sort is True)

    def required(self, place: str, stream: str, rules: Mapping[str, FieldRule]) -> None:
        # a notice needs less; where the status is a column, each row is looked at
        if stream == "payments" and "status" in rules and rules["status"].constant in (None, *NOTICES):
            needed: tuple[str, ...] = NOTICE_REQUIRED
        else:
            needed = REQUIRED.get(stream, ())
        for name in needed:
            if name not in rules:
                self.fault(place, f"{stream} needs the field {name!r}")

    def ext(self, place: str, said: Any, reader: Reader) -> list[FieldRule]:
        if not isinstance(said, dict):
            self.fault(place, "must be a table of fields")
            return []
        for name in said:
            if name in CONTENT:
                self.fault(place, f"{name!r} would carry content, which is never imported")
        return [self.rule(f"{place}.{name}", name, TEXT, rule, reader) for name, rule in said.items()]

    def rule(self, place: str, name: str, wanted: ContractField, said: Any, reader: Reader) -> FieldRule:
        kind = wanted.kind
        if not isinstance(said, dict):
            self.fault(place, f'must be a table, such as {{ column = "…" }} or {{ constant = {said!r} }}')
            return FieldRule(name, kind)
        known = (*_SOURCES, *_MODIFIERS[kind])
        self.keys(place, said, known)
        sources = [key for key in _SOURCES if key in said]
        if len(sources) != 1:
            self.fault(place, f"needs exactly one of {', '.join(_SOURCES)}")
            return FieldRule(name, kind)
        if "constant" in said:
            return FieldRule(name, kind, constant=self.constant(place, wanted, said["constant"]))
        time = self.time(place, kind, said) if kind in ("time", "day") else None
        words = self.words(place, said, wanted)
        return FieldRule(
            name,
            kind,
            columns=self.columns(place, kind, said),
            templates=self.templates(place, said),
            digest=self.texts(place, said, "digest"),
            parts=tuple(self.template(place, each) for each in self.texts(place, said, "list")),
            prefix=self.text(place, said, "prefix", ""),
            holds=wanted.rule,
            words=words,
            default=self.word(place, said, "default", wanted),
            missing=self.word(place, said, "missing", wanted),
            nulls=(*reader.nulls, *self.texts(place, said, "null")),
            case=self.choice(place, said, "case", "", ("upper", "lower")),
            extract=self.extract(place, said),
            unit=self.unit(place, name, kind, said),
            decimal=self.text(place, said, "decimal", "."),
            thousands=self.text(place, said, "thousands", ""),
            strip=self.text(place, said, "strip", ""),
            round=self.choice(place, said, "round", "", ROUNDINGS),
            sign=self.choice(place, said, "sign", "as_is", SIGNS),
            currency=self.currency(place, kind, said, reader),
            yes=self.plain(place, said, "yes"),
            no=self.plain(place, said, "no"),
            country=self.country(place, said),
            time=time,
        )

    def choice(
        self, place: str, said: Mapping[str, Any], key: str, default: str, known: Sequence[str]
    ) -> str:
        if key not in said:
            return default
        return self.one_of(place, key, self.text(place, said, key), known)

    def plain(self, place: str, said: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """Values as texts, numbers and booleans included, as they will be compared."""
        value = said.get(key, [])
        values = value if isinstance(value, list) else [value]
        return tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in values)

    def columns(self, place: str, kind: Kind, said: Mapping[str, Any]) -> tuple[str, ...]:
        if "columns" in said and kind != "time":
            self.fault(place, "columns is for a time in several columns; use template to join texts")
        if "column" in said:
            return (self.text(place, said, "column"),)
        return self.texts(place, said, "columns")

    def templates(self, place: str, said: Mapping[str, Any]) -> tuple[tuple[Piece, ...], ...]:
        if "template" in said:
            return (self.template(place, self.text(place, said, "template")),)
        return tuple(self.template(place, each) for each in self.texts(place, said, "first_of"))

    def template(self, place: str, written: str) -> tuple[Piece, ...]:
        try:
            parts = list(string.Formatter().parse(written))
        except ValueError as fault:
            self.fault(place, f"the template {written!r} is not well formed: {fault}")
            return ()
        pieces = []
        for literal, column, width, _ in parts:
            if column == "":
                self.fault(place, f"the template {written!r} has empty braces; name a column in them")
            if width and not width.isdigit():
                self.fault(place, f"in the template {written!r}, {width!r} must be a width such as 06")
                width = ""
            pieces.append(Piece(literal, column or None, int(width or 0)))
        return tuple(pieces)

    def constant(self, place: str, wanted: ContractField, value: Any) -> Any:
        checks: dict[Kind, type | tuple[type, ...]] = {
            "minor": int, "signed_minor": int, "whole": int, "real": (int, float), "yes_no": bool, "list": list,
            "time": (str, dt.datetime), "day": (str, dt.date),
        }  # fmt: skip
        right = checks.get(wanted.kind, str)
        if not isinstance(value, right) or (isinstance(value, bool) and wanted.kind != "yes_no"):
            self.fault(place, f"the constant {value!r} is of the wrong type")
        elif wanted.words:
            self.known_word(place, str(value), wanted)
        elif isinstance(value, str) and wanted.kind in ("text", "id", "number", "any_number"):
            if wanted.rule.refuse(value):
                self.fault(place, f"the constant {value!r} would be refused at the door")
        elif wanted.kind == "time" and isinstance(value, str | dt.datetime):
            return self.moment(place, value)
        elif wanted.kind == "day" and isinstance(value, str):
            try:
                return dt.date.fromisoformat(value)
            except ValueError:
                self.fault(place, f"{value!r} is not a day such as 2024-01-31")
        return value

    def moment(self, place: str, value: str | dt.datetime) -> dt.datetime | None:
        try:
            moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fault(place, f"{value!r} is not a time with an offset, such as 2024-01-31T12:00:00Z")
            return None
        return moment.astimezone(dt.UTC)

    def words(self, place: str, said: Mapping[str, Any], wanted: ContractField) -> Mapping[str, str] | None:
        value = said.get("words")
        if value is None:
            return None
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            self.fault(place, "words must be a table of value = word")
            return None
        for word in value.values():
            self.known_word(place, word, wanted)
        return value

    def word(self, place: str, said: Mapping[str, Any], key: str, wanted: ContractField) -> str | None:
        if key not in said:
            return None
        word = self.text(place, said, key)
        if key == "default" and "words" not in said:
            self.fault(place, "default is for values that words does not list; use missing for absent ones")
        self.known_word(place, word, wanted)
        return word

    def known_word(self, place: str, word: str, wanted: ContractField) -> None:
        if wanted.words and word and word not in wanted.words:
            self.fault(place, f"cannot be {word!r}; {nearest(word, wanted.words)}")

    def extract(self, place: str, said: Mapping[str, Any]) -> str:
        if "extract" not in said:
            return ""
        written = self.text(place, said, "extract")
        self.pattern(place, "extract", written)
        if "(" not in written:
            self.fault(place, "extract needs a group in round brackets: what it is to keep")
        return written

    def unit(self, place: str, name: str, kind: Kind, said: Mapping[str, Any]) -> str:
        if kind in ("minor", "signed_minor"):
            return self.one_of(place, "unit", self.text(place, said, "unit"), MONEY_UNITS)
        if "unit" not in said:
            return ""
        unit = self.text(place, said, "unit")
        if kind == "word" and name.endswith("age_band"):
            return self.one_of(place, "unit", unit, ("years",))
        if name == "duration_s":
            return self.one_of(place, "unit", unit, (*REAL_UNITS[name], CLOCK))
        if name in REAL_UNITS:
            return self.one_of(place, "unit", unit, tuple(REAL_UNITS[name]))
        self.fault(place, "this field has no units")
        return ""

    def currency(self, place: str, kind: Kind, said: Mapping[str, Any], reader: Reader) -> FieldRule | None:
        if said.get("unit") != "major":
            if "currency" in said:
                self.fault(place, 'currency goes with unit = "major"')
            return None
        if not isinstance(said.get("currency"), dict):
            self.fault(place, 'unit = "major" needs currency = { column = "…" } or { constant = "…" }')
            return None
        return self.rule(f"{place}, currency", "currency", CURRENCY, said["currency"], reader)

    def country(self, place: str, said: Mapping[str, Any]) -> str:
        code = self.text(place, said, "country", "")
        if code and not re.fullmatch(r"[1-9]\d{0,2}", code):
            self.fault(place, f"country must be a calling code such as 44, not {code!r}")
        return code

    def time(self, place: str, kind: Kind, said: Mapping[str, Any]) -> TimeForm:
        written = self.text(place, said, "time")
        zone = self.zone(place, said)
        ambiguous = self.choice(place, said, "ambiguous", "earliest", ("earliest", "latest", "refuse"))
        plus = self.plus(place, said)
        if written in EPOCHS:
            return TimeForm(epoch=EPOCHS[written], plus_us=plus)
        if written == "native":
            return TimeForm(native=True, zone=zone, ambiguous=ambiguous, plus_us=plus)
        if written == "rfc3339":
            return TimeForm(pattern="%+", plus_us=plus)
        if written == "iso":
            if not zone:
                self.fault(place, 'time = "iso" needs zone = "…", for the times that have no offset')
            return TimeForm(pattern="iso", zone=zone, ambiguous=ambiguous, plus_us=plus)
        since = _SINCE.match(written)
        if since:
            origin = dt.datetime.fromisoformat(since[2])
            seconds = _STEP_SECONDS[since[1].removesuffix("s")]
            return TimeForm(
                step_seconds=seconds, origin=origin, zone=zone or "UTC", ambiguous=ambiguous, plus_us=plus
            )
        if "%" not in written:
            known = ("rfc3339", "iso", "native", *EPOCHS, "days since 2024-01-01")
            self.fault(place, f"time cannot be {written!r}; give a pattern such as %Y-%m-%d, or one of "
                       + ", ".join(known))  # fmt: skip
        if (
            kind == "time"
            and not zone
            and "%z" not in written
            and "%:z" not in written
            and "%#z" not in written
        ):
            self.fault(
                place, f'the pattern {written!r} has no offset: say zone = "UTC" or zone = "Europe/London"'
            )
        return TimeForm(pattern=written, zone=zone, ambiguous=ambiguous, plus_us=plus)

    def zone(self, place: str, said: Mapping[str, Any]) -> str:
        zone = self.text(place, said, "zone", "")
        if zone:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError):
                self.fault(place, f"there is no time zone {zone!r}; use a name such as Europe/London or UTC")
                return "UTC"
        return zone

    def plus(self, place: str, said: Mapping[str, Any]) -> int:
        written = self.text(place, said, "plus", "0 seconds")
        match = _PLUS.match(written)
        if not match:
            self.fault(place, f"plus cannot be {written!r}; write it as 7 days or 30 minutes")
            return 0
        return int(match[1]) * _STEP_SECONDS[match[2]] * 1_000_000
