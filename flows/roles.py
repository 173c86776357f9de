"""From a tick's frames to role rows: each event as every entity in it sees it.

One vectorised step a stream and role; what a supplier does not report is simply absent. A party that an event does
not inform (its own supplier will report its leg) gets a row to be looked at only, for the other party's sake.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from events.codes import (
    ACCOUNT_DETAILS,
    AUTHS,
    CHANNELS,
    COP_RESULTS,
    DIRECTIONS,
    ENTRY_MODES,
    INGRESSES,
    NUMBER_CLASSES,
    PHASES,
    REFERENCE_KINDS,
    STATUSES,
    TOKEN_KINDS,
    WATCH_WHATS,
    WATCH_WHYS,
    Words,
    code_of,
)
from events.frames import ABSENT_OF, FRAMES, NO_TIME
from events.ledger import Tick
from events.legs import ADDS_OF, SAID
from features.rows import (
    ACCOUNT_KIND_BASE,
    CASH_LIKE_MCC,
    ROUND_SUMS_MINOR,
    ROW,
    SHORT_CALL_S,
    TELECOM_KIND_BASE,
    TRAVEL_MCC,
    UNREACHED_S,
    Entity,
    Flag,
    Kind,
    Role,
    Rows,
    joined,
)
from flows.children import MINORS

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Flags = npt.NDArray[np.int64]
RowsByEntity = dict[Entity, list[Rows]]


def _codes(words: Words, *chosen: str) -> tuple[int, ...]:
    return tuple(code_of(words, word) for word in chosen)


def _flags_of(size: int, *meant: tuple[Iterable[int], int]) -> Flags:
    """A table from codes to flags: looking a column up costs less than comparing it code by code."""
    table = np.zeros(size, dtype=np.int64)
    for codes, flag in meant:
        table[list(codes)] |= flag
    return table


_NO: Final = 1
_YES: Final = 2
_ACCEPTED: Final = code_of(STATUSES, "accepted")
_COP_BAD: Final = _codes(COP_RESULTS, "close_match", "no_match")
_QUIET: Final = _codes(REFERENCE_KINDS, "blank", "emoji", "word")
_HERE: Final = (0, 44, 999)
"""Calling codes of numbers that are not foreign: not known, the UK's, and the one for tests."""
_HOME_MCC: Final = (234, 235)
"""The UK's mobile country codes: one country."""
_WITHHELD: Final = code_of(NUMBER_CLASSES, "withheld")
_ABROAD: Final = code_of(INGRESSES, "international")
_AGE_FLAGS: Final = _flags_of(
    256,
    (MINORS, Flag.MINOR),  # places in AGE_BANDS, plus one
    ((2, 3, 4), Flag.YOUNG),
    ((8, 9), Flag.OLDER),
)
_CLASS_FLAGS: Final = _flags_of(
    256,
    (_codes(NUMBER_CLASSES, "mobile", "test"), Flag.OTHER_MOBILE),
    (_codes(NUMBER_CLASSES, "short_code", "alphanumeric", "freephone", "premium"), Flag.OTHER_SERVICE),
    (_codes(NUMBER_CLASSES, "short_code", "alphanumeric"), Flag.FROM_SENDER),
    (_codes(NUMBER_CLASSES, "premium"), Flag.OTHER_PREMIUM | Flag.OTHER_COSTLY),
    (_codes(NUMBER_CLASSES, "international"), Flag.OTHER_FOREIGN | Flag.OTHER_COSTLY),
    (_codes(NUMBER_CLASSES, "geographic", "non_geographic"), Flag.OTHER_FIXED),
    ((_WITHHELD,), Flag.OTHER_WITHHELD),
)
_CHANNEL_FLAGS: Final = _flags_of(
    256,
    (_codes(CHANNELS, "mobile_app", "web", "telephone", "open_banking"), Flag.REMOTE),
    (_codes(CHANNELS, "telephone"), Flag.BY_TELEPHONE),
)
_ENTRY_FLAGS: Final = _flags_of(
    256,
    (_codes(ENTRY_MODES, "ecommerce", "moto"), Flag.CNP),
    (_codes(ENTRY_MODES, "contactless"), Flag.CONTACTLESS),
)
_AUTH_FLAGS: Final = _flags_of(256, (_codes(AUTHS, "none", "password"), Flag.WEAK_AUTH))
_MCC_FLAGS: Final = _flags_of(1 << 16, (CASH_LIKE_MCC, Flag.CASH_LIKE), (TRAVEL_MCC, Flag.TRAVEL))
_DETAIL_FLAGS: Final = _flags_of(
    256,
    (_codes(ACCOUNT_DETAILS, "phone"), Flag.CHANGED_PHONE),
    (_codes(ACCOUNT_DETAILS, "email"), Flag.CHANGED_EMAIL),
    (_codes(ACCOUNT_DETAILS, "address"), Flag.CHANGED_ADDRESS),
)
_WHY_FLAGS: Final = _flags_of(
    256,
    (_codes(WATCH_WHYS, "missing_child"), Flag.WATCHED_CHILD),
    (_codes(WATCH_WHYS, "deal_line", "restricted"), Flag.WATCHED_LINE),
    (_codes(WATCH_WHYS, "stolen_handset"), Flag.WATCHED_HANDSET),
    (_codes(WATCH_WHYS, "mule_marker"), Flag.WATCHED_MULE),
)
_WORD_FLAGS: Final[dict[str, int]] = {
    "new_payee": Flag.NEW_PAYEE,
    "cop": Flag.COP_BAD,
    "cop_overridden": Flag.COP_OVERRIDDEN,
    "reference_kind": Flag.QUIET_REFERENCE,
    "channel": Flag.REMOTE | Flag.BY_TELEPHONE,
    "auth": Flag.WEAK_AUTH,
}
"""The flags that say what a column of `events.legs.SAID` said."""
_FOR_CASH: Final = _codes(CHANNELS, "voucher", "cash")
_MO: Final = code_of(DIRECTIONS, "mo")
_START: Final = code_of(PHASES, "start")
_SUBJECT_OF_KIND: Final = {
    code_of(TOKEN_KINDS, "account"): Entity.ACCOUNT,
    code_of(TOKEN_KINDS, "number"): Entity.NUMBER,
}
_WATCHED_OF_WHAT: Final = {
    code_of(WATCH_WHATS, "account"): Entity.ACCOUNT,
    code_of(WATCH_WHATS, "number"): Entity.NUMBER,
    code_of(WATCH_WHATS, "imei"): Entity.HANDSET,
}
_ROUND: Final = np.zeros(max(ROUND_SUMS_MINOR) + 1, dtype=bool)
_ROUND[list(ROUND_SUMS_MINOR)] = True


class _Frame:
    """A stream's frame as NumPy columns, absent ones filled in."""

    def __init__(self, stream: str, frame: pl.DataFrame) -> None:
        self.schema = FRAMES[stream]
        self.frame = frame
        self.height = frame.height
        self.have = set(frame.columns)
        self._columns: dict[str, Array] = {}  # each is asked for by several roles

    def __contains__(self, name: str) -> bool:
        return name in self.have

    def __getitem__(self, name: str) -> Array:
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._column(name)
        return found

    def _column(self, name: str) -> Array:
        if name in self.have:
            return self.frame.get_column(name).to_numpy()
        absent = ABSENT_OF[self.schema[name]]
        dtype = np.float64 if self.schema[name] == pl.Float64 else np.int64
        made: Array = np.full(self.height, absent, dtype=dtype)
        made.flags.writeable = False
        return made

    def token(self, name: str) -> bool:
        """Whether any row has this token."""
        return f"{name}_lo" in self.have

    def present(self, name: str) -> Mask:
        """Which rows have this token."""
        if not self.token(name):
            return np.zeros(self.height, dtype=bool)
        return (self[f"{name}_lo"] != 0) | (self[f"{name}_hi"] != 0)  # type: ignore[no-any-return]


class _Maker:
    """Makes the rows of one stream of a tick, for the entities that have features."""

    def __init__(
        self, stream: str, frame: pl.DataFrame, wanted: frozenset[Entity], out: RowsByEntity
    ) -> None:
        self.f = _Frame(stream, frame)
        self.wanted = wanted
        self.out = out

    def rows(
        self, where: Mask, entity: Entity, role: Role, own: str, suffix: str = ""
    ) -> tuple[Rows, Mask] | None:
        """Rows of a role where its token is there; nothing when none is, or nobody asks about the entity."""
        name = own + suffix
        if entity not in self.wanted or not self.f.token(name):
            return None
        where = where & self.f.present(name)
        count = int(where.sum())
        if not count:
            return None
        rows = np.zeros(count, dtype=ROW)
        for column in ("seq", "ts"):
            rows[column] = self.f[column][where]
        rows["recorded"] = self.f["recorded_ts"][where]
        rows["role"] = role
        rows["shadow"] = bool(suffix)
        self.token(rows, where, "own", name)
        self.out.setdefault(entity, []).append(rows)
        return rows, where

    def token(self, rows: Rows, where: Mask, place: str, name: str) -> None:
        """Copy a token's two halves."""
        if self.f.token(name):
            rows[f"{place}_hi"] = self.f[f"{name}_hi"][where]
            rows[f"{place}_lo"] = self.f[f"{name}_lo"][where]

    def half(self, rows: Rows, where: Mask, place: str, name: str) -> None:
        """Copy the half of a token that makes pairs."""
        if self.f.token(name):
            rows[place] = self.f[f"{name}_lo"][where]

    def copy(self, rows: Rows, where: Mask, **columns: str) -> None:
        """Copy columns as they are, where the frame has them."""
        for place, name in columns.items():
            if name in self.f:
                rows[place] = self.f[name][where]
            elif ROW[place].kind == "f":
                rows[place] = np.nan

    def date(self, rows: Rows, where: Mask, name: str) -> None:
        """Copy a date into `born`, absent as NaN."""
        rows["born"] = np.nan
        if name in self.f:
            dates = self.f[name][where]
            rows["born"] = np.where(dates == NO_TIME, np.nan, dates.astype(np.float64))

    def both(self, make: Callable[[str], None], own: str) -> None:
        """Make rows under the current key and, while keys are rotated, under the previous one too."""
        make("")
        if self.f.token(f"{own}_prev"):
            make("_prev")


def _in(values: Array, codes: Iterable[int]) -> Mask:
    found = np.zeros(len(values), dtype=bool)
    for code in codes:
        found |= values == code
    return found


def _payments(m: _Maker) -> None:
    f = m.f
    flags = _payment_flags(f)
    everything = np.ones(f.height, dtype=bool)
    takes = {who: f[f"take_{who}"] == 1 for who in ("payer", "payee")}
    told = _Told(takes, _adding(f, takes, flags))
    for side, (who, whom, role) in enumerate(
        (("payer", "payee", Role.PAYER), ("payee", "payer", Role.PAYEE))
    ):
        _party(m, flags, told, side, who, whom, role)
    for entity, role, name in (
        (Entity.CARD, Role.CARD, "card"),
        (Entity.TERMINAL, Role.TERMINAL, "terminal"),
        (Entity.MERCHANT, Role.MERCHANT, "merchant"),
        (Entity.DEVICE, Role.DEVICE, "device"),
    ):
        made = m.rows(everything, entity, role, name)
        if made is not None:
            rows, where = made
            m.token(rows, where, "other", "payer_account")
            _payment_columns(m, rows, where, flags)
            _payment_things(m, rows, where)
            m.half(rows, where, "third_lo", "payee_account")
            m.copy(rows, where, home="payer_force", age="payer_age_band")
            _known_of_owner(rows)
            rows["sends"] = told.of("payer")[where] & f.present("payer_account")[where]


@dataclass(frozen=True, slots=True)
class _Told:
    """Which records are told to which party: as a payment, or as what another record of it adds."""

    takes: dict[str, Mask]
    adds: dict[str, Mask]

    def of(self, who: str) -> Mask:
        """Records of which this party has a row of its own, one way or the other."""
        return self.takes[who] | self.adds[who]


def _adding(f: _Frame, takes: dict[str, Mask], flags: Flags) -> dict[str, Mask]:
    """Records that tell either party more of a payment it has been told of: a flag, or something about itself."""
    if "adds" not in f:
        return {who: np.zeros(f.height, dtype=bool) for who in takes}
    more = _added_flags(f, flags) != 0
    notice = f["status"] > _ACCEPTED
    return {
        who: ~took & ~notice & (more | ((f["adds"] & ADDS_OF[who]) != 0)) & f.present(f"{who}_account")
        for who, took in takes.items()
    }


def _added_flags(f: _Frame, flags: Flags) -> Flags:
    """What is true of a payment and no earlier record of it said."""
    added = np.zeros(f.height, dtype=np.int64)
    for place, name in enumerate(SAID):
        said = (f["adds"] & (1 << place)) != 0
        added |= np.where(said, flags & _WORD_FLAGS[name], 0)
    return added


def _payment_flags(f: _Frame) -> Flags:
    """What is true of a payment whoever looks at it."""
    flags = np.full(f.height, int(Flag.FINAL), dtype=np.int64)
    amount = f["amount_minor"]
    if "amount_minor" in f:
        in_pounds = (amount >= 0) & (amount < len(_ROUND))
        flags[in_pounds] |= np.where(_ROUND[amount[in_pounds].astype(np.int64)], Flag.ROUND, 0)
    _flag(flags, f, "new_payee", (_YES,), Flag.NEW_PAYEE)
    _flag(flags, f, "cop", _COP_BAD, Flag.COP_BAD)
    _flag(flags, f, "cop_overridden", (_YES,), Flag.COP_OVERRIDDEN)
    _flag(flags, f, "reference_kind", _QUIET, Flag.QUIET_REFERENCE)
    for name, table in (
        ("mcc", _MCC_FLAGS),
        ("channel", _CHANNEL_FLAGS),
        ("entry_mode", _ENTRY_FLAGS),
        ("auth", _AUTH_FLAGS),
    ):
        if name in f:
            flags |= table[f[name]]
    if "decline_reason" in f:
        flags[(f.frame["decline_reason"] != "").to_numpy()] |= int(Flag.DECLINED)
    if f.token("beneficiary"):
        flags[f.present("beneficiary")] |= int(Flag.TOPUP_FOR_OTHER)
    return flags


def _payment_things(m: _Maker, rows: Rows, where: Mask) -> None:
    """With what and where a payment was made."""
    m.token(rows, where, "device", "device")
    m.half(rows, where, "sim_lo", "card")
    _shop(m, rows, where)


def _shop(m: _Maker, rows: Rows, where: Mask) -> None:
    """The terminal, else the merchant: decided row by row, whatever the rows beside it say."""
    m.token(rows, where, "place", "merchant")
    if m.f.token("terminal"):
        named = m.f.present("terminal")[where]
        for half in ("hi", "lo"):
            rows[f"place_{half}"] = np.where(named, m.f[f"terminal_{half}"][where], rows[f"place_{half}"])


def _party(
    m: _Maker,
    flags: Flags,
    told: _Told,
    side: int,
    who: str,
    whom: str,
    role: Role,
) -> None:
    f = m.f

    def make(suffix: str, which: Mask, part: Role, of_it: Flags) -> None:
        made = m.rows(which, Entity.ACCOUNT, part, f"{who}_account", suffix)
        if made is None:
            return
        rows, where = made
        rows["side"] = side
        other = f"{whom}_account{suffix}"
        m.token(rows, where, "other", other if f.token(other) else f"{whom}_account")
        m.token(rows, where, "phone", f"{who}_phone")
        _payment_columns(m, rows, where, of_it)
        m.copy(rows, where, balance=f"{who}_balance_minor", home=f"{who}_force", age=f"{who}_age_band")
        m.date(rows, where, f"{who}_opened")
        _known_of_owner(rows)
        if side == 0:
            _payment_things(m, rows, where)
            m.half(rows, where, "third_lo", "beneficiary")
        else:
            _shop(m, rows, where)
        rows["sends"] = told.of(whom)[where] & f.present(f"{whom}_account{suffix}")[where]

    def look(suffix: str) -> None:
        # not told of this payment a second time, but the other party still needs to know who it is
        looked_at = ~told.of(who) & told.of(whom) & f.present(f"{whom}_account{suffix}")
        made = m.rows(looked_at, Entity.ACCOUNT, Role.PEEK, f"{who}_account", suffix)
        if made is not None:
            rows, where = made
            _payment_columns(m, rows, where, flags)
            m.token(rows, where, "other", f"{whom}_account{suffix}")
            rows["side"], rows["sends"] = side, 1

    own = f"{who}_account"
    m.both(lambda suffix: make(suffix, told.takes[who], role, flags), own)
    if told.adds[who].any():
        more = _added_flags(f, flags) | int(Flag.FINAL)
        m.both(lambda suffix: make(suffix, told.adds[who], _MORE[role], more), own)
    m.both(look, own)


_MORE: Final = {Role.PAYER: Role.PAYER_MORE, Role.PAYEE: Role.PAYEE_MORE}


def _payment_columns(m: _Maker, rows: Rows, where: Mask, flags: Flags) -> None:
    m.copy(
        rows,
        where,
        value="amount_minor",
        kind="rail",
        status="status",
        force="force",
        mcc="mcc",
        lat="lat",
        lon="lon",
    )
    rows["flags"] = flags[where]
    rows["balance"] = rows["born"] = np.nan


def _known_of_owner(rows: Rows) -> None:
    """What the owner's age band and home say."""
    rows["flags"] |= _AGE_FLAGS[rows["age"]]
    away = (rows["home"] > 0) & (rows["force"] > 0) & (rows["home"] != rows["force"])
    rows["flags"] |= np.where(away, Flag.AWAY, 0)


def _flag(flags: Flags, f: _Frame, name: str, codes: tuple[int, ...], flag: Flag) -> None:
    if name in f:
        flags[_in(f[name], codes)] |= int(flag)


def _accounts(m: _Maker) -> None:
    f = m.f
    everything = np.ones(f.height, dtype=bool)
    flags = np.full(f.height, int(Flag.FINAL), dtype=np.int64)
    for name, table in (("channel", _CHANNEL_FLAGS), ("detail", _DETAIL_FLAGS)):
        if name in f:
            flags |= table[f[name]]

    def put(rows: Rows, where: Mask) -> None:
        _nothing_measured(rows)
        rows["kind"] = f["kind"][where] + ACCOUNT_KIND_BASE
        rows["status"], rows["flags"] = _ACCEPTED, flags[where]
        m.token(rows, where, "device", "device")
        m.half(rows, where, "third_lo", "ip_prefix")

    def make(suffix: str) -> None:
        made = m.rows(everything, Entity.ACCOUNT, Role.HOLDER, "account", suffix)
        if made is not None:
            rows, where = made
            put(rows, where)
            m.token(rows, where, "phone", "number")

    m.both(make, "account")
    made = m.rows(everything, Entity.DEVICE, Role.DEVICE, "device")
    if made is not None:
        rows, where = made
        put(rows, where)
        m.token(rows, where, "other", "account")
        rows["sends"] = f.present("account")[where]


def _nothing_measured(rows: Rows) -> None:
    for name in ("value", "balance", "born", "lat", "lon"):
        rows[name] = np.nan


def _telecoms(m: _Maker) -> None:
    f = m.f
    direction = f["direction"]
    outgoing = direction == _MO
    spoken = direction != 0
    shared = _Shared(f, outgoing)
    roles = np.where(~spoken, Role.SELF, np.where(outgoing, Role.OUT, Role.IN)).astype(np.uint8)
    alone = _alone(f, shared, outgoing)
    informs = (f["informs_other"] == 1) & spoken & f.present("other") & ~alone
    _number(m, shared, roles, informs | alone)
    _other_number(m, shared, outgoing, informs, alone)
    everything = np.ones(f.height, dtype=bool)
    for entity, role, name in (
        (Entity.SIM, Role.SIM, "imsi"),
        (Entity.HANDSET, Role.HANDSET, "imei"),
        (Entity.CELL, Role.CELL, "cell"),
    ):
        made = m.rows(everything, entity, role, name)
        if made is not None:
            rows, where = made
            shared.put(m, rows, where)
            m.token(rows, where, "other", "number")
            m.token(rows, where, "device", "imei")
            m.half(rows, where, "sim_lo", "imsi")
            m.token(rows, where, "place", "cell")
            m.half(rows, where, "third_lo", "other")
            m.date(rows, where, "sim_activated")
            rows["sends"] = 1


def _alone(f: _Frame, shared: "_Shared", outgoing: Mask) -> Mask:
    """Which records are all that will be known here of the other number: nobody else speaks for it.

    A number that called or texted is such when it is foreign or came in from abroad, whatever it shows; one that was
    called or texted, when it is foreign or premium rate.
    """
    apart = (shared.flags & (Flag.OTHER_FOREIGN | Flag.ABROAD_IN)) != 0
    reached = (shared.flags & (Flag.OTHER_FOREIGN | Flag.OTHER_PREMIUM)) != 0
    spoken = (f["direction"] != 0) & f.present("other") & f.present("number")
    return spoken & np.where(outgoing, reached, apart)  # type: ignore[no-any-return]


class _Shared:
    """What every row of a telecoms record has."""

    def __init__(self, f: _Frame, outgoing: Mask) -> None:
        self.kinds = f["kind"].astype(np.int64) + TELECOM_KIND_BASE
        self.value = self._value(f)
        self.bare = self._flags(f, outgoing)
        """What is true whoever looks at it."""
        self.flags = self.bare | _class_flags(f, "other") | np.where(outgoing, Flag.OUTGOING, 0)
        """And as the record's own number, and its things, see it."""
        self.turned: Flags = np.zeros(0, dtype=np.int64)

    def _value(self, f: _Frame) -> npt.NDArray[np.float64]:
        value = f["duration_s"].astype(np.float64)
        if "bytes_up" in f or "bytes_down" in f:
            used = np.nan_to_num(f["bytes_up"]) + np.nan_to_num(f["bytes_down"])
            value = np.where(self.kinds == Kind.DATA, used, value)
        if "amount_minor" in f:
            value = np.where(self.kinds == Kind.TOPUP, f["amount_minor"], value)
        return value

    def _flags(self, f: _Frame, outgoing: Mask) -> Flags:
        calls = self.kinds == Kind.CALL
        starting = (f["phase"] == _START) & calls
        flags = np.where(starting, Flag.STARTING, Flag.FINAL)
        _flag(flags, f, "answered", (_YES,), Flag.ANSWERED)
        over = calls & ~starting
        flags |= np.where(calls & (f["duration_s"] < SHORT_CALL_S), Flag.SHORT, 0)
        unreached = (f["answered"] == _NO) | (f["duration_s"] <= UNREACHED_S)
        flags |= np.where(over & unreached, Flag.UNREACHED, 0)
        _flag(flags, f, "ingress", (_ABROAD,), Flag.ABROAD_IN)
        if "visited_plmn" in f:
            flags |= np.where(_roaming(f), Flag.ROAMING, 0)
        if f.token("network"):
            flags |= np.where(_spoofed(f, outgoing), Flag.SPOOFED, 0)
        if "channel" in f:
            cash = (self.kinds == Kind.TOPUP) & _in(f["channel"], _FOR_CASH)
            flags |= np.where(cash, Flag.PAID_CASH, 0)
        return flags

    def as_other(self, f: _Frame, outgoing: Mask) -> Flags:
        """The flags as the other number sees them: made when the first row of another number is."""
        if not len(self.turned):
            calls_out = np.where((f["direction"] != 0) & ~outgoing, Flag.OUTGOING, 0)
            self.turned = self.bare | _class_flags(f, "number") | calls_out
        return self.turned

    def put(self, m: _Maker, rows: Rows, where: Mask, flags: Flags | None = None) -> None:
        rows["kind"] = self.kinds[where]
        rows["flags"] = (self.flags if flags is None else flags)[where]
        rows["value"] = self.value[where]
        rows["status"] = _ACCEPTED
        rows["balance"] = rows["born"] = np.nan
        m.copy(rows, where, force="force", lat="lat", lon="lon")


def _class_flags(f: _Frame, whose: str) -> Flags:
    """What a number is. One that came as a token without a class is taken for a mobile."""
    known = f[f"{whose}_class"]
    flags = _CLASS_FLAGS[known]
    if f.token(whose):
        flags |= np.where((known == 0) & f.present(whose), Flag.OTHER_MOBILE, 0)
    if f"{whose}_country" in f:
        flags |= np.where(_in(f[f"{whose}_country"], _HERE), 0, Flag.OTHER_FOREIGN | Flag.OTHER_COSTLY)
    return flags


def _roaming(f: _Frame) -> Mask:
    """In another country's network than the SIM's; a SIM that does not say is taken for one of here."""
    visited = f["visited_plmn"].astype(np.int64) // 1000
    own = f["imsi_plmn"].astype(np.int64) // 1000
    visited, own = (np.where(_in(mcc, _HOME_MCC), _HOME_MCC[0], mcc) for mcc in (visited, own))
    return (f["visited_plmn"] != 0) & (visited != np.where(own == 0, _HOME_MCC[0], own))  # type: ignore[no-any-return]


def _spoofed(f: _Frame, outgoing: Mask) -> Mask:
    """The network knows another number for the caller than the one shown."""
    different = np.zeros(f.height, dtype=bool)
    for caller, calls in (("number", outgoing), ("other", ~outgoing)):
        if f.token(caller):
            differs = (f["network_lo"] != f[f"{caller}_lo"]) | (f["network_hi"] != f[f"{caller}_hi"])
            different |= calls & differs & f.present(caller)
    return different & (f["direction"] != 0) & f.present("network")  # type: ignore[no-any-return]


def _number(m: _Maker, shared: _Shared, roles: npt.NDArray[np.uint8], known: Mask) -> None:
    f = m.f

    def make(suffix: str) -> None:
        made = m.rows(np.ones(f.height, dtype=bool), Entity.NUMBER, Role.SELF, "number", suffix)
        if made is None:
            return
        rows, where = made
        shared.put(m, rows, where)
        rows["role"] = roles[where]
        other = f"other{suffix}"
        m.token(rows, where, "other", other if f.token(other) else "other")
        m.copy(rows, where, other_class="other_class", country="other_country", age="age_band")
        m.date(rows, where, "sim_activated")
        rows["flags"] |= _AGE_FLAGS[rows["age"]]
        if "prepaid" in f:
            rows["flags"] |= np.where(f["prepaid"][where] == _YES, Flag.PREPAID, 0)
        m.token(rows, where, "device", "imei")
        m.half(rows, where, "sim_lo", "imsi")
        m.token(rows, where, "place", "cell")
        m.half(rows, where, "third_lo", "network")
        if f.token("paid_by"):
            paid = f.present("paid_by")[where]
            rows["third_lo"][paid] = f["paid_by_lo"][where][paid]
        rows["sends"] = (known & f.present(other))[where]

    m.both(make, "number")


def _other_number(m: _Maker, shared: _Shared, outgoing: Mask, informs: Mask, alone: Mask) -> None:
    f = m.f
    if not f.token("other"):
        return

    def make(suffix: str) -> None:
        made = m.rows(informs | alone, Entity.NUMBER, Role.SELF, "other", suffix)
        if made is None:
            return
        rows, where = made
        shared.put(m, rows, where, shared.as_other(f, outgoing))
        heard = alone[where]
        called = np.where(heard, Role.REACHED, Role.IN)
        rows["role"] = np.where(outgoing[where], called, np.where(heard, Role.HEARD, Role.OUT))
        rows["side"] = 1
        own = f"number{suffix}"
        m.token(rows, where, "other", own if f.token(own) else "number")
        m.copy(rows, where, other_class="number_class", country="number_country")
        _heard(m, shared, rows, where, heard)
        # the record says where its own number was, not the other
        for name, absent in (("force", 0), ("lat", np.nan), ("lon", np.nan)):
            rows[name] = np.where(heard, rows[name], absent)
        rows["sends"] = f.present(own)[where]

    def look(suffix: str) -> None:
        looked_at = (f["direction"] != 0) & ~informs & ~alone & f.present(f"number{suffix}")
        made = m.rows(looked_at, Entity.NUMBER, Role.PEEK, "other", suffix)
        if made is not None:
            rows, where = made
            shared.put(m, rows, where)
            m.token(rows, where, "other", f"number{suffix}")
            rows["side"], rows["sends"] = 1, 1

    m.both(make, "other")
    m.both(look, "other")


def _heard(m: _Maker, shared: _Shared, rows: Rows, where: Mask, heard: Mask) -> None:
    """What is told of a number that nobody here speaks for: what it is, and where it was heard or called from."""
    seen = shared.flags[where]
    for of_other, own in ((Flag.OTHER_FOREIGN, Flag.FOREIGN), (Flag.OTHER_PREMIUM, Flag.PREMIUM)):
        rows["flags"] |= np.where(heard & ((seen & of_other) != 0), own, 0)
    for place, name in (("place_hi", "cell_hi"), ("place_lo", "cell_lo"), ("third_lo", "network_lo")):
        if name in m.f:
            rows[place] = np.where(heard, m.f[name][where], 0)


def _links(m: _Maker) -> None:
    f = m.f
    for side, (a, b) in enumerate((("a", "b"), ("b", "a"))):
        for code, entity in _SUBJECT_OF_KIND.items():
            made = m.rows(f[f"{a}_kind"] == code, entity, Role.LINKED, a)
            if made is None:
                continue
            rows, where = made
            _nothing_measured(rows)
            rows["side"] = side
            rows["kind"], rows["status"], rows["flags"] = Kind.LINK, _ACCEPTED, Flag.FINAL
            m.token(rows, where, "other", b)
            number = (f[f"{b}_kind"][where] == code_of(TOKEN_KINDS, "number")) & (entity == Entity.ACCOUNT)
            for half in ("hi", "lo"):
                rows[f"phone_{half}"] = np.where(number, rows[f"other_{half}"], 0)
            rows["value"] = _until(f, where)


def _until(f: _Frame, where: Mask) -> npt.NDArray[np.float64]:
    """Until when a row of a list holds; for good when it does not say."""
    until = f["to_ts"][where]
    return np.where(until == NO_TIME, np.inf, until.astype(np.float64))


def _watch(m: _Maker) -> None:
    for code, entity in _WATCHED_OF_WHAT.items():
        made = m.rows(m.f["what"] == code, entity, Role.WATCHED, "value")
        if made is not None:
            rows, where = made
            _nothing_measured(rows)
            rows["kind"], rows["status"], rows["flags"] = Kind.WATCH, _ACCEPTED, Flag.FINAL
            rows["flags"] |= _WHY_FLAGS[m.f["why"][where]]
            rows["value"] = _until(m.f, where)


_MAKERS: Final[dict[str, Callable[[_Maker], None]]] = {
    "watch": _watch,
    "links": _links,
    "accounts": _accounts,
    "telecoms": _telecoms,
    "payments": _payments,
}


def role_rows(tick: Tick, wanted: frozenset[Entity]) -> dict[Entity, Rows]:
    """The role rows of a tick by entity, for the entities that have features; not yet in any order."""
    made: RowsByEntity = {}
    for stream, make in _MAKERS.items():
        frame = tick.rows.get(stream)
        if frame is not None and frame.height:
            make(_Maker(stream, frame, wanted, made))
    return {entity: parts[0] if len(parts) == 1 else joined(parts) for entity, parts in made.items()}
