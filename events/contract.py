"""The contract's records as suppliers send them, field by field, and the one table both ways of reading use.

Each record is a class whose fields carry what the contract says of them: a closed list of words, bounds, the kind of
token they become. Reading line by line decodes into these classes and asks each field's rule; reading by frame uses
the same rules as arrays. There is no second description to disagree with.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
import polars as pl

from events import codes

Json = Literal["text", "int", "number", "flag", "map", "list", "any"]
"""The JSON type of a field: what it must be before its own rule is asked."""

MICROSECOND: Final = timedelta(microseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_MONEY: Final = 10**15
"""Ten million million pounds: above any payment, and still exact as a float of minor units (2^53)."""
MAX_BYTES: Final = 2**53
MAX_DURATION_S: Final = 31 * 86_400.0
"""A month: longer than any call record a network writes before it cuts an interim one."""
MAX_TEXT: Final = 256
MAX_EVENT_ID: Final = 64
MAX_MENTIONS: Final = 64
"""Whom one label may name: a network's accounts, not a list of customers."""
CONTENT_FIELDS: Final = ("text", "body", "content", "message", "audio", "url")
"""Fields that carry what was said; a telecoms record with one of them is refused whole."""

CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD
    LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP
    PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF
    XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a list of 180 quoted codes is no easier to check
)
"""Active ISO 4217 codes (list one, 2025), the testing code XTS among them."""

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_CONTROL: Final = re.compile(r"[\x00-\x1f]")


class Rule(msgspec.Struct, frozen=True):
    """What a field may hold, beside its JSON type: the reason a value is refused for, or nothing."""

    def refuse(self, value: Any) -> str | None:
        """The reason this value may not pass, or nothing when it may."""
        return None

    @property
    def dtype(self) -> Any:
        """The Polars type of the field as it comes in."""
        return pl.String

    @property
    def json(self) -> Json:
        """The JSON type of the field."""
        return "text"


class Text(Rule, frozen=True):
    """A text kept as it is: an id or a code of the supplier's that names nobody."""

    longest: int = MAX_TEXT

    def refuse(self, value: str) -> str | None:
        if len(value) > self.longest:
            return "out_of_bounds"
        return "bad_format" if _CONTROL.search(value) else None


class Identifier(Text, frozen=True):
    """A text that becomes a token of `kind` in the columns `column_hi`, `column_lo`."""

    kind: str = ""
    column: str = ""


class Card(Identifier, frozen=True):
    """The supplier's reference of a card, never its number."""

    def refuse(self, value: str) -> str | None:
        return "pan" if looks_like_pan(value) else Text.refuse(self, value)


class Mention(Text, frozen=True):
    """An identifier with its kind in front, as in `number:+447700900001`."""

    kinds: tuple[str, ...] = ()

    def refuse(self, value: str) -> str | None:
        kind, colon, rest = value.partition(":")
        if not colon or kind not in self.kinds or not rest.strip():
            return "bad_format"
        return Text.refuse(self, value)


class Mentions(Rule, frozen=True):
    """A list of identifiers, each with its kind in front."""

    kinds: tuple[str, ...] = ()
    most: int = MAX_MENTIONS

    def refuse(self, value: list[Any]) -> str | None:
        if len(value) > self.most:
            return "out_of_bounds"
        if not all(isinstance(each, str) for each in value):
            return "wrong_type"
        one = Mention(kinds=self.kinds)
        return next((reason for each in value if (reason := one.refuse(each)) is not None), None)

    @property
    def json(self) -> Json:
        return "list"


class Word(Rule, frozen=True):
    """A word of a closed list."""

    words: codes.Words = ()

    def refuse(self, value: str) -> str | None:
        return None if value in self.words else "unknown_word"


class Whole(Rule, frozen=True):
    """A whole number within bounds."""

    low: int = 0
    high: int = MAX_MONEY

    def refuse(self, value: int) -> str | None:
        return None if self.low <= value <= self.high else "out_of_bounds"

    @property
    def dtype(self) -> Any:
        return pl.Int64

    @property
    def json(self) -> Json:
        return "int"


class Number(Rule, frozen=True):
    """A number within bounds."""

    low: float = 0.0
    high: float = math.inf

    def refuse(self, value: float) -> str | None:
        return None if self.low <= value <= self.high else "out_of_bounds"

    @property
    def dtype(self) -> Any:
        return pl.Float64

    @property
    def json(self) -> Json:
        return "number"


class Flag(Rule, frozen=True):
    """A yes or no."""

    @property
    def dtype(self) -> Any:
        return pl.Boolean

    @property
    def json(self) -> Json:
        return "flag"


class Time(Rule, frozen=True):
    """An instant: RFC 3339 with an offset, or microseconds since 1970 where the input's own type is an instant."""

    def refuse(self, value: str | int) -> str | None:
        found = read_time(value)
        return found if isinstance(found, str) else None

    @property
    def dtype(self) -> Any:
        return pl.Datetime("us", "UTC")


class Date(Rule, frozen=True):
    """A day, as YYYY-MM-DD."""

    def refuse(self, value: str | int) -> str | None:
        found = read_date(value)
        return found if isinstance(found, str) else None

    @property
    def dtype(self) -> Any:
        return pl.Date


class Force(Rule, frozen=True):
    """A police force's ONS code; a well-formed code we do not know counts as unknown."""

    def refuse(self, value: str) -> str | None:
        return None if re.fullmatch(r"[A-Z][0-9]{8}", value, re.ASCII) else "bad_format"


class Currency(Rule, frozen=True):
    """An ISO 4217 code."""

    def refuse(self, value: str) -> str | None:
        return None if value in CURRENCIES else "unknown_currency"


class Mcc(Rule, frozen=True):
    """An ISO 18245 merchant category: four digits."""

    def refuse(self, value: str) -> str | None:
        return None if re.fullmatch(r"[0-9]{4}", value, re.ASCII) else "bad_format"


class Plmn(Rule, frozen=True):
    """A network: three digits of country and two or three of network, with or without a dash between."""

    def refuse(self, value: str) -> str | None:
        return None if re.fullmatch(r"[0-9]{3}-?[0-9]{2,3}", value, re.ASCII) else "bad_format"


class Reference(Rule, frozen=True):
    """What the payer wrote: reduced to its kind at the door and dropped."""


class Ignored(Rule, frozen=True):
    """Taken in by the contract and not carried further."""

    type: Json = "map"

    @property
    def json(self) -> Json:
        return self.type


def looks_like_pan(value: str) -> bool:
    """Whether a text, without spaces and dashes, is 13 to 19 digits that pass the Luhn check."""
    digits = value.replace(" ", "").replace("-", "")
    if not (13 <= len(digits) <= 19 and digits.isascii() and digits.isdigit()):
        return False
    doubled = [2 * int(digit) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def read_time(value: str | int) -> int | str:
    """Microseconds since 1970 UTC, or the reason the time is refused."""
    if isinstance(value, int):
        return value
    parts = _TIME.fullmatch(value)
    if parts is None:
        return "bad_time"
    day, hour, minute, second, fraction, offset = parts.groups()
    micros = int(((fraction or "") + "000000")[:6])
    try:
        start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    except ValueError:
        return "bad_time"
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
        return "bad_time"
    if offset is None:
        return "no_offset"
    east = 0
    if offset not in ("Z", "z"):
        if int(offset[1:3]) > 23 or int(offset[4:]) > 59:
            return "bad_time"
        east = (int(offset[1:3]) * 60 + int(offset[4:])) * (-60 if offset[0] == "-" else 60)
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second) - east
    return (start - EPOCH) // MICROSECOND + seconds * 1_000_000 + micros


def read_date(value: str | int) -> int | str:
    """Midnight UTC of a day in microseconds since 1970, or the reason the date is refused."""
    if isinstance(value, int):
        return value
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return "bad_time"
    try:
        return (date.fromisoformat(value) - date(1970, 1, 1)).days * 86_400_000_000
    except ValueError:
        return "bad_time"


def _identifier(kind: str, column: str) -> Identifier:
    return Identifier(kind=kind, column=column)


_Text = str | None
_EventId = Annotated[_Text, Text(MAX_EVENT_ID)]
_Short = Annotated[_Text, Text(64)]
_Instant = Annotated[str | int | None, Time()]
_Day = Annotated[str | int | None, Date()]
_Money = Annotated[int | None, Whole()]
_Balance = Annotated[int | None, Whole(-MAX_MONEY, MAX_MONEY)]
_Volume = Annotated[int | None, Whole(0, MAX_BYTES)]
_Force = Annotated[_Text, Force()]
_AgeBand = Annotated[_Text, Word(codes.AGE_BANDS)]
_Channel = Annotated[_Text, Word(codes.CHANNELS)]
_Lat = Annotated[float | None, Number(-90.0, 90.0)]
_Lon = Annotated[float | None, Number(-180.0, 180.0)]
_YesNo = Annotated[bool | None, Flag()]
_Map = Annotated[dict[str, Any] | None, Ignored("map")]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every record has."""

    event_id: _EventId = None
    ts: _Instant = None
    recorded_ts: _Instant = None
    source: _Short = None
    basis: Annotated[_Text, Text(128)] = None
    ext: _Map = None


class Payment(Record, frozen=True, kw_only=True):
    """A payment, or the notice that one was rejected, returned or recalled."""

    rail: Annotated[_Text, Word(codes.RAILS)] = None
    payment_id: Annotated[_Text, _identifier("payment", "payment")] = None
    status: Annotated[_Text, Word(codes.STATUSES)] = None
    status_reason: Annotated[_Text, Text(35)] = None
    amount_minor: _Money = None
    currency: Annotated[_Text, Currency()] = None
    payer_balance_minor: _Balance = None
    payee_balance_minor: _Balance = None
    payer_account: Annotated[_Text, _identifier("account", "payer_account")] = None
    payee_account: Annotated[_Text, _identifier("account", "payee_account")] = None
    payer_agent: Annotated[_Text, _identifier("agent", "payer_agent")] = None
    payee_agent: Annotated[_Text, _identifier("agent", "payee_agent")] = None
    payer_party: Annotated[_Text, _identifier("party", "payer_party")] = None
    payee_party: Annotated[_Text, _identifier("party", "payee_party")] = None
    payer_phone: Annotated[_Text, _identifier("number", "payer_phone")] = None
    payee_phone: Annotated[_Text, _identifier("number", "payee_phone")] = None
    payer_age_band: _AgeBand = None
    payee_age_band: _AgeBand = None
    payer_opened: _Day = None
    payee_opened: _Day = None
    payer_force: _Force = None
    payee_force: _Force = None
    channel: _Channel = None
    device_id: Annotated[_Text, _identifier("device", "device")] = None
    ip: Annotated[_Text, _identifier("ip", "ip")] = None
    terminal_id: Annotated[_Text, _identifier("terminal", "terminal")] = None
    merchant_id: Annotated[_Text, _identifier("merchant", "merchant")] = None
    mcc: Annotated[_Text, Mcc()] = None
    card: Annotated[_Text, Card(kind="card", column="card")] = None
    entry_mode: Annotated[_Text, Word(codes.ENTRY_MODES)] = None
    decline_reason: Annotated[_Text, Text(35)] = None
    beneficiary_number: Annotated[_Text, _identifier("number", "beneficiary")] = None
    cop: Annotated[_Text, Word(codes.COP_RESULTS)] = None
    cop_overridden: _YesNo = None
    new_payee: _YesNo = None
    auth: Annotated[_Text, Word(codes.AUTHS)] = None
    lat: _Lat = None
    lon: _Lon = None
    force: _Force = None
    reference: Annotated[_Text, Reference()] = None


class AccountEvent(Record, frozen=True, kw_only=True):
    """What happened to an account beside payments."""

    account: Annotated[_Text, _identifier("account", "account")] = None
    kind: Annotated[_Text, Word(codes.ACCOUNT_KINDS)] = None
    channel: _Channel = None
    device_id: Annotated[_Text, _identifier("device", "device")] = None
    ip: Annotated[_Text, _identifier("ip", "ip")] = None
    number: Annotated[_Text, _identifier("number", "number")] = None
    detail: Annotated[_Text, Word(codes.ACCOUNT_DETAILS)] = None


class Telecoms(Record, frozen=True, kw_only=True):
    """A communication or a change of a number, its SIM or handset: who, when, where and how, never what was said."""

    kind: Annotated[_Text, Word(codes.TELECOM_KINDS)] = None
    number: Annotated[_Text, _identifier("number", "number")] = None
    direction: Annotated[_Text, Word(codes.DIRECTIONS)] = None
    phase: Annotated[_Text, Word(codes.PHASES)] = None
    call_id: Annotated[_Text, _identifier("call", "call")] = None
    other_number: Annotated[_Text, _identifier("number", "other")] = None
    other_kind: Annotated[_Text, Word(codes.OTHER_KINDS)] = None
    network_number: Annotated[_Text, _identifier("number", "network")] = None
    ingress: Annotated[_Text, Word(codes.INGRESSES)] = None
    duration_s: Annotated[float | None, Number(0.0, MAX_DURATION_S)] = None
    answered: _YesNo = None
    bytes_up: _Volume = None
    bytes_down: _Volume = None
    imsi: Annotated[_Text, _identifier("sim", "imsi")] = None
    iccid: Annotated[_Text, _identifier("card_sim", "iccid")] = None
    imei: Annotated[_Text, _identifier("handset", "imei")] = None
    previous_imsi: Annotated[_Text, _identifier("sim", "previous_imsi")] = None
    previous_imei: Annotated[_Text, _identifier("handset", "previous_imei")] = None
    previous_iccid: Annotated[_Text, _identifier("card_sim", "previous_iccid")] = None
    cell: Annotated[_Text, _identifier("cell", "cell")] = None
    lat: _Lat = None
    lon: _Lon = None
    force: _Force = None
    cell_end: Annotated[_Text, _identifier("cell", "cell_end")] = None
    prepaid: _YesNo = None
    sim_activated: _Day = None
    age_band: _AgeBand = None
    amount_minor: _Money = None
    channel: _Channel = None
    paid_by: Annotated[_Text, _identifier("account", "paid_by")] = None
    visited_plmn: Annotated[_Text, Plmn()] = None


class Label(Record, frozen=True, kw_only=True):
    """What somebody found out about an alert, an event, an account or a number."""

    about: Annotated[_Text, Mention(kinds=("alert", "event", "account", "number"))] = None
    label: Annotated[_Text, Word(codes.LABELS)] = None
    subjects: Annotated[
        list[Any] | None,
        Mentions(
            kinds=("account", "number", "imei", "party", "card", "device", "merchant", "terminal", "address")
        ),
    ] = None
    typology: _Short = None
    role: Annotated[_Text, Word(codes.LABEL_ROLES)] = None
    subject_category: Annotated[_Text, Word(codes.SUBJECT_CATEGORIES)] = None
    origin: Annotated[_Text, Word(codes.LABEL_ORIGINS)] = None
    reason_code: Annotated[_Text, Text(35)] = None
    by: _Short = None
    note: Annotated[_Text, Reference()] = None


class Link(Record, frozen=True, kw_only=True):
    """What belongs together: an account with a number, a number with a handset, a person with an address."""

    a: Annotated[_Text, Mention(kinds=("account", "number", "imei", "party", "address"))] = None
    b: Annotated[_Text, Mention(kinds=("account", "number", "imei", "party", "address"))] = None
    kind: Annotated[_Text, Word(codes.LINK_KINDS)] = None
    from_: Annotated[str | int | None, Time()] = msgspec.field(default=None, name="from")
    to: _Instant = None


class Watch(Record, frozen=True, kw_only=True):
    """A known number, handset or account to look out for, and why."""

    what: Annotated[_Text, Word(codes.WATCH_WHATS)] = None
    value: Annotated[_Text, Text()] = None
    why: Annotated[_Text, Word(codes.WATCH_WHYS)] = None
    from_: Annotated[str | int | None, Time()] = msgspec.field(default=None, name="from")
    to: _Instant = None


class Control(Record, frozen=True, kw_only=True):
    """A change people made to the running system: it takes effect at its place in the one order."""

    kind: Annotated[
        _Text, Word(("activate", "threshold", "challenge", "retire", "decision", "review", "snooze", "basis"))
    ] = None
    detector: _Short = None
    body: Annotated[Any, Ignored("any")] = None


RECORDS: Final[dict[str, type[Record]]] = {
    "payments": Payment,
    "accounts": AccountEvent,
    "telecoms": Telecoms,
    "labels": Label,
    "links": Link,
    "watch": Watch,
    "control": Control,
}

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "payments": ("event_id", "ts"),  # and what `missing` says: it depends on the status
    "accounts": ("event_id", "ts", "account", "kind"),
    "telecoms": ("event_id", "ts", "kind", "number"),
    "labels": ("event_id", "ts", "about", "label"),
    "links": ("event_id", "ts", "a", "b", "kind"),
    "watch": ("event_id", "ts", "what", "value", "why"),
    "control": ("event_id", "ts", "kind"),
}

_PAYMENT_NEEDS: Final = ("rail", "amount_minor")
_NOTICES: Final = ("rejected", "returned", "recalled")


class Field(msgspec.Struct, frozen=True):
    """One field of a stream's records: its name in the input, its name in the record, its rule."""

    name: str
    attribute: str
    rule: Rule
    required: bool


@cache
def fields(stream: str) -> tuple[Field, ...]:
    """The fields of a stream, in the contract's order."""
    record = RECORDS[stream]
    hints = get_type_hints(record, include_extras=True)
    return tuple(
        Field(
            info.encode_name,
            info.name,
            hints[info.name].__metadata__[0],
            info.encode_name in REQUIRED[stream],
        )
        for info in msgspec.structs.fields(record)
    )


def missing(stream: str, record: dict[str, Any]) -> str | None:
    """The first field a record lacks, where what it must have depends on what else it says."""
    for name in REQUIRED[stream]:
        if name not in record:
            return name
    if stream != "payments":
        return None
    if record.get("status") in _NOTICES:
        return None if "payment_id" in record else "payment_id"
    for name in _PAYMENT_NEEDS:
        if name not in record:
            return name
    return None if "payer_account" in record or "payee_account" in record else "payer_account"
