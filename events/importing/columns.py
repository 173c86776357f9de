"""A map's rules as Polars expressions: what each field's value is, and how to tell a value that cannot be read."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import polars as pl

from events import contract
from events.importing import amounts
from events.importing.currencies import EXPONENTS, TWO_DECIMALS
from events.importing.errors import SourceError
from events.importing.maps import CLOCK, REAL_UNITS, Condition, FieldRule, Piece
from events.importing.times import UTC_TIME, read_time

Columns = Mapping[str, pl.DataType]

_YES: Final = ("true", "t", "yes", "y", "1")
_NO: Final = ("false", "f", "no", "n", "0")

# the contract's age bands by the lowest age in each
_BANDS: Final = (
    (80, "80+"), (65, "65-79"), (50, "50-64"), (35, "35-49"), (25, "25-34"), (21, "21-24"), (18, "18-20"),
    (16, "16-17"), (0, "u16"),
)  # fmt: skip
_OLDEST: Final = 130

_FORMS: Final[tuple[tuple[type[contract.Rule], str, str], ...]] = (
    (contract.Force, r"^[A-Z][0-9]{8}$", "is not the ONS code of a police force area, such as E23000001"),
    (contract.Mcc, r"^[0-9]{4}$", "is not a merchant category of four digits"),
    (contract.Plmn, r"^[0-9]{3}-?[0-9]{2,3}$", "is not a network such as 001-01"),
    (contract.Mention, r"^[a-z]+:.*[^\s]", "does not begin with what it is, as in account:… or number:…"),
)

_E164: Final = r"^\+[1-9][0-9]{4,14}$"
_PHONE_LIKE: Final = r"^\+?[0-9 ().\-/]{7,}$"


@dataclass(frozen=True, slots=True)
class Check:
    """A way in which a value can be wrong: the test, the reason it is counted under, and the sentence said."""

    wrong: pl.Expr
    reason: str
    says: str


@dataclass(frozen=True, slots=True)
class Column:
    """One field's expressions: its value, how it looks in the source (for messages), and its checks, in order."""

    name: str
    value: pl.Expr
    shown: pl.Expr
    checks: tuple[Check, ...] = ()
    counted: tuple[tuple[str, pl.Expr], ...] = ()
    prepare: tuple[pl.Expr, ...] = ()
    """Steps worked out first, one after the other, because the value and the checks use them many times."""


def text_of(name: str, dtype: pl.DataType, nulls: tuple[str, ...] = ()) -> pl.Expr:
    """A source column as text without blanks around it; an empty text or a null word is absent."""
    column = pl.col(name)
    if dtype == pl.String:
        text = column.str.strip_chars()
    elif dtype.is_float():
        # tools that had to keep a gap in whole numbers write 596 as 596.0
        whole = (column == column.floor()) & (column.abs() < 2.0**53)
        text = (
            pl.when(whole)
            .then(column.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(column.cast(pl.String))
        )
        text = pl.when(column.is_nan().not_()).then(text)
    elif dtype == pl.Binary:
        raise SourceError(f"the column {name!r} holds raw bytes; write it as text before importing it")
    elif isinstance(dtype, pl.Struct | pl.List | pl.Array):
        raise SourceError(f"the column {name!r} is nested ({dtype}); flatten it before importing it")
    else:
        text = column.cast(pl.String)
    absent = text.is_in(["", *nulls]) if nulls else text == ""
    return pl.when(absent.not_()).then(text)


def written(template: tuple[Piece, ...], columns: Columns, nulls: tuple[str, ...]) -> pl.Expr:
    """A template filled in; absent when any column it names is absent."""
    parts: list[pl.Expr] = []
    for piece in template:
        if piece.literal:
            parts.append(pl.lit(piece.literal))
        if piece.column:
            text = text_of(piece.column, columns[piece.column], nulls)
            parts.append(text.str.zfill(piece.width) if piece.width else text)
    return pl.concat_str(parts) if parts else pl.lit("")


def condition(test: Condition, columns: Columns) -> pl.Expr:
    """Whether a row passes a test; an absent value passes only `is_not` and `present = false`."""
    text = text_of(test.column, columns[test.column])
    if test.test == "present":
        return text.is_not_null() if test.value else text.is_null()
    if test.test == "matches":
        return text.str.contains(test.value).fill_null(False)
    number = text.cast(pl.Float64, strict=False)
    if test.test in ("is", "is_not"):
        numbers = [
            float(each) for each in test.value if not isinstance(each, bool) and isinstance(each, int | float)
        ]
        words = [str(each).lower() if isinstance(each, bool) else each for each in test.value]
        words = [each for each in words if isinstance(each, str)]
        found = text.is_in(words).fill_null(False)
        if numbers:
            found = found | number.is_in(numbers).fill_null(False)
        return found if test.test == "is" else found.not_()
    compared = {
        "above": number > test.value,
        "below": number < test.value,
        "at_least": number >= test.value,
        "at_most": number <= test.value,
    }
    passes: pl.Expr = compared[test.test].fill_null(False)
    return passes


def column(rule: FieldRule, columns: Columns) -> Column:
    """A field's rule as expressions over a source with these columns."""
    if rule.constant is not None:
        value = _literal(rule)
        return Column(rule.name, value.alias(rule.name), value)
    if rule.parts:
        parts = [written(part, columns, rule.nulls) for part in rule.parts]
        listed = pl.concat_list(parts).list.drop_nulls()
        return Column(rule.name, listed.alias(rule.name), listed.list.join(" "))
    made = _MAKERS[rule.kind](rule, columns)
    checks = (*made.checks, *_contract_checks(rule.holds, made.value))
    return Column(rule.name, made.value.alias(rule.name), made.shown, checks, made.counted, made.prepare)


def _contract_checks(holds: contract.Rule, value: pl.Expr) -> tuple[Check, ...]:
    """What the contract asks of a value once it has the right type, so that the door takes what is written."""
    if isinstance(holds, contract.Whole | contract.Number):
        says = f"is not between {holds.low:g} and {holds.high:g}"
        return (Check((value < holds.low) | (value > holds.high), "out_of_bounds", says),)
    if isinstance(holds, contract.Currency):
        wrong = value.is_in(sorted(contract.CURRENCIES)).not_()
        return (Check(wrong, "unknown_currency", "is not an ISO 4217 code such as GBP"),)
    if isinstance(holds, contract.Card):
        pan = value.map_batches(_pans, return_dtype=pl.Boolean, is_elementwise=True)
        return (Check(pan, "pan", "is a card number; give the supplier's reference of the card instead"),)
    for kind, pattern, says in _FORMS:
        if isinstance(holds, kind):
            return (Check(value.str.contains(pattern).not_(), "bad_format", says),)
    if isinstance(holds, contract.Text):
        long = Check(
            value.str.len_chars() > holds.longest, "too_long", f"is longer than {holds.longest} characters"
        )
        return (long, Check(value.str.contains(r"[\x00-\x1f]"), "bad_format", "has control characters in it"))
    return ()


def _pans(values: pl.Series) -> pl.Series:
    found = [value is not None and contract.looks_like_pan(value) for value in values]
    return pl.Series(values.name, found, dtype=pl.Boolean)


def _literal(rule: FieldRule) -> pl.Expr:
    if rule.kind == "time":
        return pl.lit(rule.constant, dtype=UTC_TIME)
    if rule.kind == "real":
        return pl.lit(float(rule.constant))
    if rule.kind == "list":
        return pl.lit(pl.Series([rule.constant], dtype=pl.List(pl.String))).first()
    if rule.kind in ("minor", "signed_minor"):
        return pl.lit(rule.constant, dtype=pl.Int64)
    return pl.lit(rule.constant)


def _source_text(rule: FieldRule, columns: Columns) -> pl.Expr:
    """The field's source as text, before its kind is considered."""
    if rule.digest:
        return _digest(rule, columns)
    if rule.columns:
        text = text_of(rule.columns[0], columns[rule.columns[0]], rule.nulls)
    else:
        text = pl.coalesce(written(each, columns, rule.nulls) for each in rule.templates)
    if rule.extract:
        text = text.str.extract(rule.extract, 1)
    if rule.case:
        text = text.str.to_uppercase() if rule.case == "upper" else text.str.to_lowercase()
    return text


def _digest(rule: FieldRule, columns: Columns) -> pl.Expr:
    """A short name made of several columns: the same values give the same name in every import."""
    texts = [text_of(name, columns[name], rule.nulls).fill_null("\x00") for name in rule.digest]

    def hashed(joined: pl.Series) -> pl.Series:
        names = [hashlib.blake2b(each.encode(), digest_size=16).hexdigest() for each in joined]
        return pl.Series(joined.name, names, dtype=pl.String)

    joined = pl.concat_str(texts, separator="\x1f")
    digest = joined.map_batches(hashed, return_dtype=pl.String, is_elementwise=True)
    return pl.concat_str(pl.lit(rule.prefix), digest)


def _worded(rule: FieldRule, text: pl.Expr) -> tuple[pl.Expr, tuple[Check, ...]]:
    """A text through the rule's words: listed values become words, others the default or are refused."""
    value: pl.Expr = text
    checks: tuple[Check, ...] = ()
    if rule.words is not None:
        value = text.replace_strict(
            list(rule.words), list(rule.words.values()), default=rule.default, return_dtype=pl.String
        )
        if rule.default is None:
            wrong = text.is_not_null() & value.is_null()  # a word mapped to "" is not null here
            checks = (Check(wrong, "unknown_word", "is not among the map's words for this field"),)
        else:
            value = pl.when(text.is_not_null()).then(value)
        value = pl.when(value != "").then(value)  # a word mapped to "" says: leave the field out
    if rule.missing is not None:
        value = pl.when(text.is_null()).then(pl.lit(rule.missing)).otherwise(value)
    return value, checks


def _text(rule: FieldRule, columns: Columns) -> Column:
    text = _source_text(rule, columns)
    value, checks = _worded(rule, text)
    return Column(rule.name, value, text, checks)


def _id(rule: FieldRule, columns: Columns) -> Column:
    value, checks = _worded(rule, _source_text(rule, columns))
    if rule.prefix and not rule.digest:
        value = pl.concat_str(pl.lit(rule.prefix), value)
    return Column(rule.name, value, value, checks)


def _word(rule: FieldRule, columns: Columns) -> Column:
    text = _source_text(rule, columns)
    if rule.unit == "years":
        years = text.cast(pl.Float64, strict=False)
        value = reduce(
            lambda rest, band: pl.when(years >= band[0]).then(pl.lit(band[1])).otherwise(rest),
            sorted(_BANDS),
            pl.lit(None, dtype=pl.String),
        )
        value = pl.when(years <= _OLDEST).then(value)
        return Column(
            rule.name, value, text, (Check(_lost(text, value), "bad_age", "is not an age in years"),)
        )
    value, checks = _worded(rule, text)
    if rule.words is None:
        assert isinstance(rule.holds, contract.Word)
        known = value.is_in(list(rule.holds.words))
        says = "is not one of the contract's words: " + " ".join(rule.holds.words)
        checks = (Check(known.not_(), "unknown_word", says),)
    return Column(rule.name, value, text, checks)


def _lost(text: pl.Expr, value: pl.Expr) -> pl.Expr:
    """There was something, and it could not be read."""
    return text.is_not_null() & value.is_null()


def _minor(rule: FieldRule, columns: Columns) -> Column:
    written_as = _source_text(rule, columns)
    if rule.words is not None or rule.missing is not None:
        written_as = _worded(rule, written_as)[0]
    text, plain, value = (pl.col(f"#{rule.name}.{step}") for step in ("text", "plain", "value"))
    source = _numeric_source(rule, columns)
    prepare = (
        written_as.alias(f"#{rule.name}.text"),
        (
            amounts.normalised(text, rule.decimal, rule.thousands, rule.strip) if source is None else text
        ).alias(f"#{rule.name}.plain"),
        _scaled(rule, columns, plain, source).alias(f"#{rule.name}.value"),
    )
    signed = {"as_is": value, "absolute": value.abs(), "negate": -value}[rule.sign]
    unit = {"major": "the units of its currency"}.get(rule.unit, rule.unit)
    if source is None:
        odd = text.is_not_null() & plain.str.contains(amounts.IS_AMOUNT).not_().fill_null(True)
    else:
        # a float's text may be 3.5e-7, which is a number all the same
        odd = text.is_not_null() & pl.col(source).cast(pl.Float64).is_finite().not_()
    finer = "is too large, or has more decimals than an amount in " + unit
    checks = [
        Check(odd, "bad_amount", f"is not an amount in {unit}"),
        Check(
            _lost(text, value),
            "bad_amount",
            finer + '; add round = "half_up" to the map if it should be rounded',
        ),
    ]
    if rule.kind == "minor":
        checks.append(
            Check(signed < 0, "bad_amount", 'is negative; the map may say sign = "absolute" or "negate"')
        )
    return Column(rule.name, signed, text, tuple(checks), prepare=prepare)


def _numeric_source(rule: FieldRule, columns: Columns) -> str | None:
    """The column, when its values are numbers already and are to be taken as they are."""
    if len(rule.columns) != 1 or rule.words is not None or rule.missing is not None or rule.extract:
        return None
    return (
        rule.columns[0]
        if columns[rule.columns[0]].is_float() or columns[rule.columns[0]].is_integer()
        else None
    )


def _scaled(rule: FieldRule, columns: Columns, plain: pl.Expr, source: str | None) -> pl.Expr:
    """Minor units, by the decimals of the unit or of each row's currency."""

    def at(exponent: int) -> pl.Expr:
        if source is None:
            return amounts.minor_of_text(plain, exponent, rule.round)
        if columns[source].is_float():
            return amounts.minor_of_float(pl.col(source).fill_nan(None), exponent, rule.round)
        return amounts.minor_of_whole(pl.col(source), exponent)

    if rule.currency is None:
        return at(TWO_DECIMALS if rule.unit == "pounds" else 0)
    currency = column(rule.currency, columns).value
    value = at(TWO_DECIMALS)
    for exponent in sorted(set(EXPONENTS.values())):
        of = [code for code, decimals in EXPONENTS.items() if decimals == exponent]
        value = pl.when(currency.is_in(of)).then(at(exponent)).otherwise(value)
    return value


def _real(rule: FieldRule, columns: Columns) -> Column:
    text = _source_text(rule, columns)
    if rule.words is not None or rule.missing is not None:
        text = _worded(rule, text)[0]
    if rule.unit == CLOCK:
        value = _clock(text)
    else:
        plain = amounts.normalised(text, rule.decimal, rule.thousands, rule.strip)
        value = plain.cast(pl.Float64, strict=False) * REAL_UNITS.get(rule.name, {}).get(rule.unit, 1.0)
    value = pl.when(value.is_finite()).then(value)
    if rule.kind == "whole":
        value = pl.when(value.abs() < 2.0**53).then(value.round()).cast(pl.Int64)
    return Column(rule.name, value, text, (Check(_lost(text, value), "bad_number", "is not a number"),))


def _clock(text: pl.Expr) -> pl.Expr:
    """Seconds of a duration written 1:02:03 or 02:03."""
    good = text.str.contains(r"^(?:[0-9]{1,6}:)?[0-9]{1,2}:[0-9]{2}(?:\.[0-9]+)?$")
    parts = pl.when(good).then(text).str.split(":").list.reverse()

    def part(place: int) -> pl.Expr:
        return parts.list.get(place, null_on_oob=True).cast(pl.Float64, strict=False)

    return part(0) + 60 * part(1) + 3600 * part(2).fill_null(0)


def _yes_no(rule: FieldRule, columns: Columns) -> Column:
    text = _source_text(rule, columns)
    if rule.words is not None or rule.missing is not None:
        text = _worded(rule, text)[0]
    said = text.str.to_lowercase()
    yes = said.is_in([each.lower() for each in rule.yes or _YES])
    no = said.is_in([each.lower() for each in rule.no or _NO])
    value = pl.when(yes).then(pl.lit(True)).when(no).then(pl.lit(False))
    return Column(rule.name, value, text, (Check(_lost(text, value), "bad_yes_no", "is neither yes nor no"),))


def _time(rule: FieldRule, columns: Columns) -> Column:
    assert rule.time is not None
    if len(rule.columns) > 1:
        text = pl.concat_str(
            [text_of(name, columns[name], rule.nulls) for name in rule.columns], separator=" "
        )
    else:
        text = _source_text(rule, columns)
    name = rule.columns[0] if rule.columns else ""
    dtype = columns[name] if name else pl.String()
    if rule.time.native and not isinstance(dtype, pl.Datetime | pl.Date):
        raise SourceError(
            f"{rule.name}: the column {name!r} is {dtype}, not a time type; give its pattern or epoch in the map"
        )
    if rule.time.native and not rule.time.zone and not (isinstance(dtype, pl.Datetime) and dtype.time_zone):
        raise SourceError(f'{rule.name}: the times in {name!r} have no offset; say zone = "…" in the map')
    read = read_time(rule.time, text, pl.col(name), dtype)
    value = read.value.dt.date() if rule.kind == "day" else read.value
    checks = []
    counted: tuple[tuple[str, pl.Expr], ...] = ()
    if read.skipped is not None and read.twice is not None:
        skips = f"does not exist in {rule.time.zone}: the clocks go forward over it"
        checks.append(Check(read.skipped, "bad_time", skips))
        if rule.time.ambiguous == "refuse":
            checks.append(
                Check(read.twice, "bad_time", f"comes twice in {rule.time.zone}: the clocks go back")
            )
        else:
            taken = {"earliest": "earlier", "latest": "later"}[rule.time.ambiguous]
            counted = (
                (f"{rule.name}: came twice as the clocks went back; the {taken} was taken", read.twice),
            )
    checks.append(Check(_lost(text, value), "bad_time", _time_says(rule)))
    return Column(rule.name, value, text, tuple(checks), counted)


def _time_says(rule: FieldRule) -> str:
    form = rule.time
    assert form is not None
    if form.epoch is not None:
        return "is not a number since 1970 in the unit the map says"
    if form.step_seconds:
        return "is not a whole number of steps"
    if form.pattern == "%+":
        return "is not a time such as 2024-01-31T12:00:00Z"
    return f"is not a time of the form {form.pattern}" if form.pattern else "is not a time"


def _number(rule: FieldRule, columns: Columns) -> Column:
    """A phone number in E.164; with a country, national and 00 forms are brought to it."""
    text = _source_text(rule, columns)
    value = _e164(_worded(rule, text)[0], rule.country)
    wrong = value.str.contains(_E164).not_()
    says = "is not a number in E.164, such as +447700900123"
    return Column(rule.name, value, text, (Check(wrong, "bad_number", says),))


def _any_number(rule: FieldRule, columns: Columns) -> Column:
    """The other party: a phone number where it looks like one, else (a short code, a name) as it stands."""
    text = _source_text(rule, columns)
    value, checks = _worded(rule, text)
    brought = _e164(value, rule.country)
    value = (
        pl.when(brought.str.contains(_E164) & value.str.contains(_PHONE_LIKE)).then(brought).otherwise(value)
    )
    return Column(rule.name, value, text, checks)


def _e164(value: pl.Expr, country: str) -> pl.Expr:
    if not country:
        return value
    bare = value.str.replace_all(r"[ ().\-/]", "")
    return (
        pl.when(bare.str.starts_with("+")).then(bare)
        .when(bare.str.starts_with("00")).then(pl.concat_str(pl.lit("+"), bare.str.slice(2)))
        .when(bare.str.starts_with("0")).then(pl.concat_str(pl.lit("+" + country), bare.str.slice(1)))
        .when(bare.str.starts_with(country)).then(pl.concat_str(pl.lit("+"), bare))
        .otherwise(bare)
    )  # fmt: skip


_MAKERS: Final[dict[str, Any]] = {
    "text": _text, "id": _id, "word": _word, "minor": _minor, "signed_minor": _minor, "whole": _real, "real": _real,
    "yes_no": _yes_no, "time": _time, "day": _time, "number": _number, "any_number": _any_number,
}  # fmt: skip


def shown(value: object) -> str:
    """A source value as a message quotes it: short, on one line."""
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return repr(text if len(text) <= 40 else text[:37] + "...")
