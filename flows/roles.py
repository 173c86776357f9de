"""From a tick's frames to role rows: each event as every entity in it sees it.

One vectorised step a stream and role; what a supplier does not report is simply absent. A party that an event does
not inform (its own supplier will report its leg) gets a row to be looked at only, for the other party's sake.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from events.codes import (
    COP_RESULTS,
    DIRECTIONS,
    NUMBER_CLASSES,
    PHASES,
    REFERENCE_KINDS,
    STATUSES,
    TOKEN_KINDS,
    WATCH_WHATS,
    code_of,
)
from events.frames import ABSENT_OF, FRAMES, NO_TIME
from events.ledger import Tick
from features.rows import (
    ACCOUNT_KIND_BASE,
    ROUND_SUMS_MINOR,
    ROW,
    SHORT_CALL_S,
    TELECOM_KIND_BASE,
    Entity,
    Flag,
    Kind,
    Role,
    Rows,
    joined,
)

_YES: Final = 2
_MINORS: Final = 2  # the first two age bands are under 18
_ACCEPTED: Final = code_of(STATUSES, "accepted")
_COP_BAD: Final = tuple(code_of(COP_RESULTS, word) for word in ("close_match", "no_match"))
_QUIET: Final = tuple(code_of(REFERENCE_KINDS, word) for word in ("blank", "emoji", "word"))
_MOBILE: Final = tuple(code_of(NUMBER_CLASSES, word) for word in ("mobile", "test"))
_SERVICE: Final = tuple(
    code_of(NUMBER_CLASSES, word) for word in ("short_code", "alphanumeric", "freephone", "premium")
)
_FIXED: Final = tuple(code_of(NUMBER_CLASSES, word) for word in ("geographic", "non_geographic"))
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

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
RowsByEntity = dict[Entity, list[Rows]]


class _Frame:
    """A stream's frame as NumPy columns, absent ones filled in."""

    def __init__(self, stream: str, frame: pl.DataFrame) -> None:
        self.schema = FRAMES[stream]
        self.frame = frame
        self.height = frame.height
        self.have = set(frame.columns)

    def __contains__(self, name: str) -> bool:
        return name in self.have

    def __getitem__(self, name: str) -> Array:
        if name in self.have:
            return self.frame[name].to_numpy()
        absent = ABSENT_OF[self.schema[name]]
        dtype = np.float64 if self.schema[name] == pl.Float64 else np.int64
        return np.full(self.height, absent, dtype=dtype)

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
    flags = np.zeros(f.height, dtype=np.uint32)
    amount = f["amount_minor"]
    if "amount_minor" in f:
        in_pounds = (amount >= 0) & (amount < len(_ROUND))
        flags[in_pounds] |= np.where(_ROUND[amount[in_pounds].astype(np.int64)], Flag.ROUND, 0).astype(
            np.uint32
        )
    _flag(flags, f, "new_payee", (_YES,), Flag.NEW_PAYEE)
    _flag(flags, f, "cop", _COP_BAD, Flag.COP_BAD)
    _flag(flags, f, "cop_overridden", (_YES,), Flag.COP_OVERRIDDEN)
    _flag(flags, f, "reference_kind", _QUIET, Flag.QUIET_REFERENCE)
    if "decline_reason" in f:
        flags[(f.frame["decline_reason"] != "").to_numpy()] |= np.uint32(Flag.DECLINED)
    flags |= np.uint32(Flag.FINAL)
    everything = np.ones(f.height, dtype=bool)
    takes = {who: f[f"take_{who}"] == 1 for who in ("payer", "payee")}
    for side, (who, whom, role) in enumerate(
        (("payer", "payee", Role.PAYER), ("payee", "payer", Role.PAYEE))
    ):
        _party(m, flags, takes, side, who, whom, role)
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
            rows["sends"] = takes["payer"][where] & f.present("payer_account")[where]


def _party(
    m: _Maker,
    flags: npt.NDArray[np.uint32],
    takes: dict[str, Mask],
    side: int,
    who: str,
    whom: str,
    role: Role,
) -> None:
    f = m.f

    def make(suffix: str) -> None:
        made = m.rows(takes[who], Entity.ACCOUNT, role, f"{who}_account", suffix)
        if made is None:
            return
        rows, where = made
        rows["side"] = side
        other = f"{whom}_account{suffix}"
        m.token(rows, where, "other", other if f.token(other) else f"{whom}_account")
        m.token(rows, where, "phone", f"{who}_phone")
        _payment_columns(m, rows, where, flags)
        m.copy(rows, where, balance=f"{who}_balance_minor", home=f"{who}_force", age=f"{who}_age_band")
        m.date(rows, where, f"{who}_opened")
        _minor(rows)
        if side == 0:
            m.half(rows, where, "device_lo", "device")
            m.half(rows, where, "sim_lo", "card")
        m.half(rows, where, "place_lo", "terminal" if f.token("terminal") else "merchant")
        rows["sends"] = takes[whom][where] & f.present(f"{whom}_account{suffix}")[where]

    def look(suffix: str) -> None:
        # not told of this payment a second time, but the other party still needs to know who it is
        looked_at = ~takes[who] & takes[whom] & f.present(f"{whom}_account{suffix}")
        made = m.rows(looked_at, Entity.ACCOUNT, Role.PEEK, f"{who}_account", suffix)
        if made is not None:
            rows, where = made
            _payment_columns(m, rows, where, flags)
            m.token(rows, where, "other", f"{whom}_account{suffix}")
            rows["side"], rows["sends"] = side, 1

    m.both(make, f"{who}_account")
    m.both(look, f"{who}_account")


def _payment_columns(m: _Maker, rows: Rows, where: Mask, flags: npt.NDArray[np.uint32]) -> None:
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


def _minor(rows: Rows) -> None:
    rows["flags"] |= np.where((rows["age"] > 0) & (rows["age"] <= _MINORS), Flag.MINOR, 0).astype(np.uint32)


def _flag(flags: npt.NDArray[np.uint32], f: _Frame, name: str, codes: tuple[int, ...], flag: Flag) -> None:
    if name in f:
        flags[_in(f[name], codes)] |= np.uint32(flag)


def _accounts(m: _Maker) -> None:
    everything = np.ones(m.f.height, dtype=bool)

    def make(suffix: str) -> None:
        made = m.rows(everything, Entity.ACCOUNT, Role.HOLDER, "account", suffix)
        if made is not None:
            rows, where = made
            _nothing_measured(rows)
            rows["kind"] = m.f["kind"][where] + ACCOUNT_KIND_BASE
            rows["status"], rows["flags"] = _ACCEPTED, Flag.FINAL
            m.half(rows, where, "device_lo", "device")
            m.token(rows, where, "phone", "number")

    m.both(make, "account")


def _nothing_measured(rows: Rows) -> None:
    for name in ("value", "balance", "born", "lat", "lon"):
        rows[name] = np.nan


def _telecoms(m: _Maker) -> None:
    f = m.f
    kind = f["kind"].astype(np.int64)
    kinds = kind + TELECOM_KIND_BASE
    direction = f["direction"]
    outgoing = direction == _MO
    spoken = direction != 0
    flags = np.zeros(f.height, dtype=np.uint32)
    _flag(flags, f, "answered", (_YES,), Flag.ANSWERED)
    starting = (f["phase"] == _START) & (kinds == Kind.CALL)
    flags[starting] |= np.uint32(Flag.STARTING)
    flags[~starting] |= np.uint32(Flag.FINAL)
    flags[(kinds == Kind.CALL) & (f["duration_s"] < SHORT_CALL_S)] |= np.uint32(Flag.SHORT)
    value = f["duration_s"].astype(np.float64)
    if "bytes_up" in f or "bytes_down" in f:
        used = np.nan_to_num(f["bytes_up"]) + np.nan_to_num(f["bytes_down"])
        value = np.where(kinds == Kind.DATA, used, value)
    value = np.where(kinds == Kind.TOPUP, f["amount_minor"], value)
    shared = _Shared(kinds, flags, value)
    roles = np.where(~spoken, Role.SELF, np.where(outgoing, Role.OUT, Role.IN)).astype(np.uint8)
    flipped = np.where(outgoing, Role.IN, Role.OUT).astype(np.uint8)
    informs = (f["informs_other"] == 1) & spoken & f.present("other")
    _number(m, shared, roles, informs)
    _other_number(m, shared, flipped, informs, spoken)
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
            for place, thing in (("device_lo", "imei"), ("sim_lo", "imsi"), ("place_lo", "cell")):
                m.half(rows, where, place, thing)
            rows["sends"] = 1


class _Shared:
    """What every row of a telecoms record has."""

    def __init__(self, kinds: Array, flags: npt.NDArray[np.uint32], value: Array) -> None:
        self.kinds, self.flags, self.value = kinds, flags, value

    def put(self, m: _Maker, rows: Rows, where: Mask) -> None:
        rows["kind"] = self.kinds[where]
        rows["flags"] = self.flags[where]
        rows["value"] = self.value[where]
        rows["status"] = _ACCEPTED
        rows["balance"] = rows["born"] = np.nan
        m.copy(rows, where, force="force", lat="lat", lon="lon")


def _class_flags(rows: Rows) -> None:
    """What the other number is. A number that came as a token without a class is taken for a mobile."""
    known = rows["other_class"]
    present = (rows["other_lo"] != 0) | (rows["other_hi"] != 0)
    for codes, flag in ((_SERVICE, Flag.OTHER_SERVICE), (_FIXED, Flag.OTHER_FIXED)):
        rows["flags"] |= np.where(_in(known, codes), flag, 0).astype(np.uint32)
    mobile = _in(known, _MOBILE) | ((known == 0) & present)
    rows["flags"] |= np.where(mobile, Flag.OTHER_MOBILE, 0).astype(np.uint32)


def _number(m: _Maker, shared: _Shared, roles: npt.NDArray[np.uint8], informs: Mask) -> None:
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
        _class_flags(rows)
        m.date(rows, where, "sim_activated")
        _minor(rows)
        if "prepaid" in f:
            rows["flags"] |= np.where(f["prepaid"][where] == _YES, Flag.PREPAID, 0).astype(np.uint32)
        for place, thing in (("device_lo", "imei"), ("sim_lo", "imsi"), ("place_lo", "cell")):
            m.half(rows, where, place, thing)
        rows["sends"] = (informs & f.present(other))[where]

    m.both(make, "number")


def _other_number(
    m: _Maker, shared: _Shared, flipped: npt.NDArray[np.uint8], informs: Mask, spoken: Mask
) -> None:
    f = m.f
    if not f.token("other"):
        return

    def make(suffix: str) -> None:
        made = m.rows(informs, Entity.NUMBER, Role.SELF, "other", suffix)
        if made is not None:
            rows, where = made
            shared.put(m, rows, where)
            rows["role"] = flipped[where]
            rows["side"] = 1
            own = f"number{suffix}"
            m.token(rows, where, "other", own if f.token(own) else "number")
            m.copy(rows, where, other_class="number_class", country="number_country")
            _class_flags(rows)
            rows["force"] = 0  # the record says where its own number was, not the other
            rows["sends"] = f.present(own)[where]

    def look(suffix: str) -> None:
        looked_at = spoken & ~informs & f.present(f"number{suffix}")
        made = m.rows(looked_at, Entity.NUMBER, Role.PEEK, "other", suffix)
        if made is not None:
            rows, where = made
            shared.put(m, rows, where)
            m.token(rows, where, "other", f"number{suffix}")
            rows["side"], rows["sends"] = 1, 1

    m.both(make, "other")
    m.both(look, "other")


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
            until = f["to_ts"][where]
            rows["value"] = np.where(until == NO_TIME, np.inf, until.astype(np.float64))


def _watch(m: _Maker) -> None:
    for code, entity in _WATCHED_OF_WHAT.items():
        made = m.rows(m.f["what"] == code, entity, Role.WATCHED, "value")
        if made is not None:
            rows, where = made
            _nothing_measured(rows)
            rows["kind"], rows["status"], rows["flags"] = Kind.WATCH, _ACCEPTED, Flag.FINAL
            rows["value"] = m.f["why"][where]


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
