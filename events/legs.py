"""One payment told by two banks is one payment: each role is taken once, and status records find their payment.

A payment is known by the token of its own id (UETR, EndToEndId). The first record to name its payer takes the payer's
role, the first to name its payee the payee's; a later record of the same payment takes neither again. Notices that it
was rejected, returned or recalled take the roles once more each, as the separate happenings they are. A notice usually
brings nothing but the id: it gets accounts and amount from what is remembered, and is counted when nothing is.

What only one of two banks can say (the payer's: is the payee new to the payer, did the name match; the payee's: how old
is the account) is not lost with the roles. A payment is remembered with what was said of it: `adds` tells what a record
that finds a role taken is the first to say, and a record that takes a role knows all that was said before it.

Memory as in `events.repeats`, 69 bytes a slot: 92 to 138 bytes a remembered payment.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from events.codes import STATUSES, code_of
from events.frames import NO_TIME, PAYMENTS, column
from events.kernels import njit
from events.repeats import PARTS, Clock, Part, by_part, find

_ACCEPTED: Final = code_of(STATUSES, "accepted")
_ROLES: Final = ("payer_account", "payee_account")

SAID: Final = ("new_payee", "cop", "cop_overridden", "reference_kind", "channel", "auth")
"""Columns of which the first record to say something is believed: bit number n of `adds` is the n-th."""
ADDS_OF: Final = {"payer": 1 << len(SAID), "payee": 1 << (len(SAID) + 1)}
"""The bits of `adds` for what a record says of either holder."""
_HOLDER: Final = ("opened", "age_band", "force", "balance_minor", "phone_hi", "phone_lo")
_SAYINGS: Final = len(SAID) + len(ADDS_OF)

ENTRY: Final = np.dtype(
    [
        ("hi", "<u8"),
        ("lo", "<u8"),
        ("when", "<u4"),
        ("accounts", "<u8", 4),
        ("amount", "<f8"),
        ("taken", "u1"),
        ("said", "u1", _SAYINGS),
    ]
)
"""A remembered payment as `changes` gives it; hi = lo = 0 says what the newest `recorded_ts` was."""
_BESIDE: Final = (np.dtype(("<u8", 4)), np.dtype("<f8"), np.dtype("u1"), np.dtype(("u1", _SAYINGS)))


class Taken(msgspec.Struct, frozen=True):
    """A payments frame with `take_payer`, `take_payee` and `adds` set and what was said before filled in.

    Beside it how many notices were not filled in, and how many records of a payment already taken add something to it.
    """

    frame: pl.DataFrame
    unmatched_status: int
    added: int


@njit(cache=True, nogil=True)
def _take(
    his: Any, los: Any, whens: Any, beside: Any, rows: Any, hi: Any, lo: Any, status: Any, accounts: Any, amount: Any, says: Any, seconds: Any, floors: Any,
    take: Any, adds: Any, unmatched: Any, written: Any,
) -> int:  # fmt: skip
    """Takes the roles of one part's rows; gives how many slots that took. `written` marks rows to be remembered."""
    kept, kept_amount, kept_taken, kept_said = beside
    taken = 0
    for row in rows:
        named = False
        for k in range(4):
            named |= accounts[row, k] != 0
        notice = status[row] > _ACCEPTED
        slot = find(his, los, whens, hi[row], lo[row])
        known = whens[slot] > 0 and whens[slot] >= floors[row]
        if not known:
            if not named:
                unmatched[row] = notice
                continue
            taken += whens[slot] == 0
            his[slot] = hi[row]
            los[slot] = lo[row]
            whens[slot] = seconds[row]
            kept[slot, :] = 0
            kept_amount[slot] = np.nan
            kept_taken[slot] = 0
            kept_said[slot, :] = 0
        group = 2 * (status[row] - _ACCEPTED) if notice else 0
        for role in range(2):
            at = 2 * role
            if accounts[row, at] == 0 and accounts[row, at + 1] == 0:
                if not notice:
                    continue
                accounts[row, at] = kept[slot, at]
                accounts[row, at + 1] = kept[slot, at + 1]
            elif kept[slot, at] == 0 and kept[slot, at + 1] == 0:
                kept[slot, at] = accounts[row, at]
                kept[slot, at + 1] = accounts[row, at + 1]
            bit = np.uint8(1 << (group + role))
            if (accounts[row, at] or accounts[row, at + 1]) and not kept_taken[slot] & bit:
                kept_taken[slot] |= bit
                take[row, role] = 1
        if kept_amount[slot] != kept_amount[slot]:
            kept_amount[slot] = amount[row]
        if notice and amount[row] != amount[row]:
            amount[row] = kept_amount[slot]
        if not notice:
            told_again = False
            for role in range(2):
                there = accounts[row, 2 * role] != 0 or accounts[row, 2 * role + 1] != 0
                told_again |= there and take[row, role] == 0
            for k in range(says.shape[1]):
                if kept_said[slot, k]:
                    says[row, k] = kept_said[slot, k]
                elif says[row, k]:
                    kept_said[slot, k] = says[row, k]
                    if told_again:
                        adds[row] |= np.uint8(1 << k)
        written[row] = True
    return taken


@njit(cache=True, nogil=True)
def _read(
    his: Any, los: Any, whens: Any, beside: Any, rows: Any, hi: Any, lo: Any,
    out_when: Any, out_accounts: Any, out_amount: Any, out_taken: Any, out_said: Any,
) -> None:  # fmt: skip
    kept, kept_amount, kept_taken, kept_said = beside
    for row in rows:
        slot = find(his, los, whens, hi[row], lo[row])
        out_when[row] = whens[slot]
        out_accounts[row, :] = kept[slot, :]
        out_amount[row] = kept_amount[slot]
        out_taken[row] = kept_taken[slot]
        out_said[row, :] = kept_said[slot, :]


@njit(cache=True, nogil=True)
def _write(
    his: Any, los: Any, whens: Any, beside: Any, rows: Any, hi: Any, lo: Any,
    when: Any, accounts: Any, amount: Any, taken: Any, said: Any,
) -> int:  # fmt: skip
    kept, kept_amount, kept_taken, kept_said = beside
    fresh = 0
    for row in rows:
        slot = find(his, los, whens, hi[row], lo[row])
        fresh += whens[slot] == 0
        his[slot] = hi[row]
        los[slot] = lo[row]
        whens[slot] = when[row]
        kept[slot, :] = accounts[row, :]
        kept_amount[slot] = amount[row]
        kept_taken[slot] = taken[row]
        kept_said[slot, :] = said[row, :]
    return fresh


class Legs:
    """Remembers payments for a horizon of `recorded_ts`; call it in the one order."""

    def __init__(self, horizon_us: int = 86_400_000_000) -> None:
        self._clock = Clock(horizon_us)
        self._told = 1
        self._parts = [Part(_BESIDE) for _ in range(PARTS)]
        self._log: list[NDArray[Any]] = []

    def take(self, frame: pl.DataFrame) -> Taken:
        """The frame (payments, rows in the one order) with its legs taken."""
        read = {
            name: column(frame, "payments", name).to_numpy()
            for name in ("recorded_ts", "status", "amount_minor")
        }
        halves = [column(frame, "payments", f"{role}_{half}") for role in _ROLES for half in ("hi", "lo")]
        accounts = np.stack([half.to_numpy() for half in halves], axis=1)
        before = self._clock.floor
        seconds, floors = self._clock.advance(read["recorded_ts"])
        take = np.zeros((frame.height, 2), np.uint8)
        for role in range(2):
            take[:, role] = (accounts[:, 2 * role] != 0) | (accounts[:, 2 * role + 1] != 0)
        adds, unmatched = np.zeros(frame.height, np.uint8), 0
        amount = read["amount_minor"].copy()
        said: dict[str, NDArray[np.uint8]] = {}
        if "payment_hi" in frame.columns:
            hi, lo = frame["payment_hi"].to_numpy(), frame["payment_lo"].to_numpy()
            known = np.flatnonzero((hi != 0) | (lo != 0))
            says = _sayings(frame)[known]
            before_it = says.copy()
            found = self._take_known(
                hi[known], lo[known], read["status"][known], accounts[known], amount[known], says, seconds[known],
                floors[known], before,
            )  # fmt: skip
            accounts[known], amount[known], take[known], adds[known], unmatched = found
            said = _said(frame, known, before_it, says)
        added = int(np.count_nonzero(adds))
        return Taken(_filled(frame, accounts, amount, take, adds, said), unmatched, added)

    def _take_known(
        self, hi: NDArray[np.uint64], lo: NDArray[np.uint64], status: NDArray[np.uint8], accounts: NDArray[np.uint64],
        amount: NDArray[np.float64], says: NDArray[np.uint8], seconds: NDArray[np.int64], floors: NDArray[np.int64],
        before: int,
    ) -> tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint8], int]:  # fmt: skip
        take, adds = np.zeros((hi.size, 2), np.uint8), np.zeros(hi.size, np.uint8)
        unmatched, written = np.zeros(hi.size, np.bool_), np.zeros(hi.size, np.bool_)
        for number, rows in by_part(hi):
            part = self._parts[number]
            part.make_room(rows.size, before)
            part.used += _take(
                part.his, part.los, part.whens, part.beside, rows, hi, lo, status, accounts, amount, says,
                seconds, floors, take, adds, unmatched, written,
            )  # fmt: skip
        self._note(hi[written], lo[written])
        return accounts, amount, take, adds, int(np.count_nonzero(unmatched))

    def _note(self, hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> None:
        """Writes down how the payments of these rows now stand."""
        entries = np.zeros(hi.size, ENTRY)
        entries["hi"], entries["lo"] = hi, lo
        for number, rows in by_part(hi):
            part = self._parts[number]
            _read(
                part.his, part.los, part.whens, part.beside, rows, hi, lo,
                entries["when"], entries["accounts"], entries["amount"], entries["taken"], entries["said"],
            )  # fmt: skip
        self._log.append(entries)

    def changes(self) -> NDArray[Any]:
        """What changed since the last call: a structured array to append to the snapshot."""
        if self._clock.newest != self._told:
            self._told = self._clock.newest
            newest = np.zeros(1, ENTRY)
            newest["when"] = self._told
            self._log.append(newest)
        changed = np.concatenate(self._log) if self._log else np.empty(0, ENTRY)
        self._log.clear()
        return changed

    def restore(self, changes: Iterable[NDArray[Any]]) -> None:
        """Takes up again what `changes` gave, in the order it was given."""
        for changed in changes:
            if not changed.size:
                continue
            self._clock.newest = max(self._clock.newest, int(changed["when"].max()))
            self._told = self._clock.newest
            entries = changed[(changed["hi"] != 0) | (changed["lo"] != 0)]
            columns = {
                name: np.ascontiguousarray(entries[name])
                if name in (entries.dtype.names or ())
                else np.zeros(entries.size, ENTRY[name])
                for name in ENTRY.names or ()
            }
            for number, rows in by_part(columns["hi"]):
                part = self._parts[number]
                part.make_room(rows.size, self._clock.floor)
                part.used += _write(
                    part.his, part.los, part.whens, part.beside, rows, columns["hi"], columns["lo"],
                    columns["when"], columns["accounts"], columns["amount"], columns["taken"], columns["said"],
                )  # fmt: skip

    @property
    def nbytes(self) -> int:
        """Bytes the memory takes."""
        return sum(part.nbytes for part in self._parts)


def _sayings(frame: pl.DataFrame) -> NDArray[np.uint8]:
    """What each record says: the codes of `SAID`, and whether it tells anything of either holder."""
    says = np.zeros((frame.height, _SAYINGS), np.uint8)
    for place, name in enumerate(SAID):
        if name in frame.columns:
            says[:, place] = frame[name].to_numpy()
    for place, who in enumerate(ADDS_OF, len(SAID)):
        names = [f"{who}_{detail}" for detail in _HOLDER]
        names += ["device_hi", "device_lo"] if who == "payer" else []
        for name in names:
            if name in frame.columns:
                says[:, place] |= _present(frame[name].to_numpy())
    return says


def _present(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return ~np.isnan(values)  # type: ignore[no-any-return]
    return values != (NO_TIME if values.dtype.kind == "i" else 0)  # type: ignore[no-any-return]


def _said(
    frame: pl.DataFrame, known: NDArray[np.int64], before: NDArray[np.uint8], after: NDArray[np.uint8]
) -> dict[str, NDArray[np.uint8]]:
    """The columns of `SAID` in which something said before was filled in."""
    changed: dict[str, NDArray[np.uint8]] = {}
    for place, name in enumerate(SAID):
        if (before[:, place] != after[:, place]).any():
            values = column(frame, "payments", name).to_numpy().copy()
            values[known] = after[:, place]
            changed[name] = values
    return changed


def _filled(
    frame: pl.DataFrame,
    accounts: NDArray[np.uint64],
    amount: NDArray[np.float64],
    take: NDArray[np.uint8],
    adds: NDArray[np.uint8],
    said: dict[str, NDArray[np.uint8]],
) -> pl.DataFrame:
    """The frame with what was taken and filled in, its columns in the schema's order."""
    halves = [f"{role}_{half}" for role in _ROLES for half in ("hi", "lo")]
    values: dict[str, NDArray[Any]] = {"take_payer": take[:, 0], "take_payee": take[:, 1], **said}
    if adds.any():
        values["adds"] = adds
    for place, name in enumerate(halves):
        pair = accounts[:, place - place % 2 : place - place % 2 + 2]
        if name in frame.columns or pair.any():
            values[name] = accounts[:, place]
    if "amount_minor" in frame.columns or not np.isnan(amount).all():
        values["amount_minor"] = amount
    full = frame.with_columns(pl.Series(name, np.ascontiguousarray(array)) for name, array in values.items())
    order = [name for name in PAYMENTS if name in full.columns]
    return full.select([*order, *(name for name in full.columns if name not in PAYMENTS)])
