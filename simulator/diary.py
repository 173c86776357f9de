"""The day's records: what each supplier here has to report of what people do.

A mechanism (ordinary life, a crime, an innocent look-alike) tells the diary what happened; the diary writes the
records as the suppliers would report them: own legs or both, with their delays, `start` and `end` of calls where the
supplier has them. Everything is held in columns of numbers until it is written.

Most methods take one value or an array of them for each argument and return the ids of the records made, so that
`truth` can name them. Phones, accounts, cells, people and businesses are rows of the world's tables; times are
microseconds since 1970 UTC; money is in minor units.

What is delayed, sent twice or late is decided by a shuffle of the record's own id, so that it does not depend on what
else goes on in the world.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np

from events import codes
from simulator import identifiers
from simulator.arrays import SECOND, Array, Flags, Floats, Ids, Ints, order_by
from simulator.errors import SimulationError
from simulator.records import BASIS, DTYPES, NOTHING, STREAMS, Rows, Waiting
from simulator.world import NONE, NUMBER_KINDS, World

Many = Array | Sequence[int] | int | float
"""One value for all, or one for each."""
ManyWords = Array | Sequence[str] | str
ManyFlags = Array | Sequence[bool] | bool

_WITHHELD: Final = NUMBER_KINDS.index("withheld")
_DAYS_IN_ID: Final = 1 << 12
_RECORDS_IN_ID: Final = 1 << 28
_BATCH_RAILS: Final = frozenset(
    codes.code_of(codes.RAILS, rail) for rail in ("bacs", "direct_debit", "standing_order")
)
_PAYEE_BANK_TELLS_TOO: Final = frozenset(
    codes.code_of(codes.RAILS, rail)
    for rail in ("fps", "chaps", "bacs", "internal", "standing_order", "wallet")
)
_ACCEPTED: Final = codes.code_of(codes.STATUSES, "accepted")


class Mechanism(Protocol):
    """Something that goes on in the world, day after day."""

    @property
    def name(self) -> str:
        """Its name, unlike any other's: its records' ids and its chance are made from it."""

    def begin(self, world: World, rng: np.random.Generator) -> None:
        """Once, before the first day: choose people, make phones and accounts."""

    def day(self, world: World, day: int, rng: np.random.Generator, diary: "Diary") -> None:
        """One day: tell the diary what happened between `world.calendar.midnight(day)` and the next."""


class Diary:
    """Collects a day's records; `open` says which mechanism tells of which day."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waiting = {stream: Waiting.none() for stream in STREAMS}
        self.notes: list[dict[str, Any]] = []
        """Rows of labels, links and watch, few enough to be kept as they will be written."""
        self.truths: dict[str, dict[str, Any]] = {}
        """What really went on, by id."""
        self.wordings: list[str] = []
        """What columns of text codes stand for."""
        self._text_codes: dict[str, int] = {}
        self._mechanism = 0
        self._day = 0
        self._count = 0
        self._not_before = 0
        self._moves: list[Rows] = []
        self._moved = 0
        self._fresh_payments: list[Rows] = []

    # ---- days ----------------------------------------------------------------------------------------------
    def open(self, mechanism: str, day: int) -> None:
        """What follows is told by this mechanism of this day (day -1: before the run)."""
        self._mechanism = self.key(mechanism)
        self._day = day
        self._count = 0
        self._not_before = self.world.calendar.midnight(max(day, 0))

    @staticmethod
    def key(mechanism: str) -> int:
        """The number that sets a mechanism's ids apart from all others'."""
        return zlib.crc32(mechanism.encode()) & 0xFFFFFF

    def close(self) -> None:
        """The day is over: what each account held after each payment can now be said."""
        if self._moves:
            after = self._balances()
            for columns in self._fresh_payments:
                for side in ("payer_balance", "payee_balance"):
                    if side in columns:
                        move = columns[side]
                        columns[side] = np.where(move >= 0, after[np.maximum(move, 0)], NOTHING)
        self._moves, self._fresh_payments, self._moved = [], [], 0

    def _balances(self) -> Ints:
        """The balance after each of the day's moves, taken account by account in order of time."""
        account = np.concatenate([move["account"] for move in self._moves])
        delta = np.concatenate([move["delta"] for move in self._moves])
        order = order_by(np.concatenate([move["ts"] for move in self._moves]), account)
        account, delta = account[order], delta[order]
        running = np.cumsum(delta)
        first = np.concatenate([[True], account[1:] != account[:-1]])
        starts = np.flatnonzero(first)
        before = np.repeat(running[starts] - delta[starts], np.diff(np.append(starts, len(account))))
        balances = self.world.accounts.balance
        after = np.empty(len(account), dtype=np.int64)
        after[order] = balances[account] + running - before
        np.add.at(balances, account, delta)
        return after

    # ---- telecoms ------------------------------------------------------------------------------------------
    def call(
        self,
        caller: Many,
        callee: Many,
        start: Many,
        seconds: Many,
        *,
        answered: ManyFlags = True,
        caller_cell: Many | None = None,
        callee_cell: Many | None = None,
        cell_end: Many | None = None,
        shown: Many | None = None,
        withheld: ManyFlags = False,
        ingress: ManyWords = "",
        visited: str = "",
    ) -> Ids:
        """Calls, answered or not: a record from each party's operator, where it is one of ours.

        `shown` is the number the callee sees (spoofing) when it is not the caller's; `ingress` ("" works it out) is
        `on_net`, `national` or `international`. Where one supplier reports the start and the end apart, a call
        gives two records. Cells default to the phones' own (`Phones.cell`); `cell_end` is the caller's.
        """
        n, (a, b, t, s) = _rows(caller, callee, start, seconds)
        taken = _flags(answered, n)
        s = np.where(taken, s, 0)
        phones = self.world.phones
        hidden = _flags(withheld, n)
        seen = a if shown is None else _ints(shown, n)
        spoofed = hidden | (seen != a)
        call = identifiers.mix(self._ids(n))
        way = self._ingress(ingress, a, b, n)
        ids = [
            self._call_legs(
                phones.operator[a] >= 0, a, b, t, s, taken, call, "mo", self._cell(caller_cell, a, n),
                other_kind=phones.kind[b], cell_end=None if cell_end is None else _ints(cell_end, n), visited=visited,
            ),
            self._call_legs(
                phones.operator[b] >= 0, b, np.where(hidden, NONE, seen), t, s, taken, call, "mt",
                self._cell(callee_cell, b, n), other_kind=np.where(hidden, _WITHHELD, phones.kind[seen]),
                ingress=way, network=np.where(spoofed, a, NONE),
            ),
        ]  # fmt: skip
        return np.concatenate(ids)

    def _call_legs(
        self,
        kept: Flags,
        number: Ints,
        other: Ints,
        start: Ints,
        seconds: Ints,
        answered: Flags,
        call: Ids,
        direction: str,
        cell: Ints,
        *,
        other_kind: Ints,
        cell_end: Ints | None = None,
        ingress: Ints | None = None,
        network: Ints | None = None,
        visited: str = "",
    ) -> Ids:
        row = np.flatnonzero(kept)
        source = self.world.phones.operator[number[row]]
        both = {
            "kind": _code(codes.TELECOM_KINDS, "call"), "direction": _code(codes.DIRECTIONS, direction),
            "number": number[row], "other": other[row], "other_kind": other_kind[row], "source": source,
            "call": call[row], **self._carried(number[row]), "cell": cell[row],
        }  # fmt: skip
        if ingress is not None:
            both["ingress"] = ingress[row]
        if network is not None and (network[row] >= 0).any():
            both["network"] = network[row]
        if visited:
            both["visited"] = self._text(visited)
        t, s, end = start[row], seconds[row], start[row] + seconds[row] * SECOND
        whole = source != self.world.parameters.phase_operator
        last = {"seconds": s, "answered": 1 + answered[row]}
        if cell_end is not None:
            last["cell_end"] = cell_end[row]
        ids = [
            self._add(
                "telecoms", t, end, both | last | {"phase": _code(codes.PHASES, "complete")}, whole, 2, 20
            )
        ]
        if not whole.all():
            starts = both | {"phase": _code(codes.PHASES, "start")}
            ids.append(self._add("telecoms", t, t, starts, ~whole, 0.2, 2))
            ids.append(
                self._add(
                    "telecoms", end, end, both | last | {"phase": _code(codes.PHASES, "end")}, ~whole, 0.2, 5
                )
            )
        return np.concatenate(ids)

    def texts(
        self,
        sender: Many,
        recipients: Many,
        times: Many,
        *,
        kind: str = "sms",
        sender_cell: Many | None = None,
        recipient_cell: Many | None = None,
        shown: Many | None = None,
        delivered: ManyFlags = True,
        visited: str = "",
    ) -> Ids:
        """Messages: one from the sender's operator, one from the recipient's where it was delivered.

        `shown` is the sender the recipient sees, when it is not the true one.
        """
        n, (a, b, t) = _rows(sender, recipients, times)
        phones = self.world.phones
        ids = []
        out = np.flatnonzero(phones.operator[a] >= 0)
        columns: dict[str, Any] = {"kind": _code(codes.TELECOM_KINDS, kind)}
        if len(out):
            sent = columns | {
                "direction": _code(codes.DIRECTIONS, "mo"), "number": a[out], "other": b[out],
                "other_kind": phones.kind[b[out]], "source": phones.operator[a[out]], **self._carried(a[out]),
                "cell": self._cell(sender_cell, a, n)[out],
            }  # fmt: skip
            if visited:
                sent["visited"] = self._text(visited)
            ids.append(self._add("telecoms", t[out], t[out], sent, None, 0.3, 4))
        seen = a if shown is None else _ints(shown, n)
        into = np.flatnonzero((phones.operator[b] >= 0) & _flags(delivered, n))
        if len(into):
            arrived = t[into] + self._jitter(t[into], phones.key[b[into]], 0.5, 4.0)
            got = columns | {
                "direction": _code(codes.DIRECTIONS, "mt"), "number": b[into], "other": seen[into],
                "other_kind": phones.kind[seen[into]], "source": phones.operator[b[into]], **self._carried(b[into]),
                "cell": self._cell(recipient_cell, b, n)[into],
            }  # fmt: skip
            if (seen[into] != a[into]).any():
                got["network"] = np.where(seen[into] != a[into], a[into], NONE)
            ids.append(self._add("telecoms", arrived, arrived, got, None, 0.3, 4))
        return np.concatenate(ids) if ids else np.empty(0, np.uint64)

    def data(
        self,
        phone: Many,
        ts: Many,
        up: Many,
        down: Many,
        *,
        seconds: Many = 0,
        cell: Many | None = None,
        visited: str = "",
    ) -> Ids:
        """Data sessions with the bytes they carried; reported when they are over."""
        _, (number, t, sent, got, s) = _rows(phone, ts, up, down, seconds)
        more = {"up": sent, "down": got, "seconds": s}
        return self._own("data", number, t, t + s * SECOND, cell, more, visited, (2, 60))

    def location(self, phone: Many, ts: Many, cell: Many, *, visited: str = "") -> Ids:
        """Location updates: where a phone was."""
        _, (number, t) = _rows(phone, ts)
        return self._own("location", number, t, t, cell, {}, visited, (0.2, 5))

    def sim_change(self, phone: int, ts: int, *, sim: int | None = None, channel: str = "store") -> Ids:
        """A number moves to another SIM (a new one when none is given). From now on its records carry that."""
        phones = self.world.phones
        before = phones.sim[phone]
        phones.sim[phone] = self.world.new_sim() if sim is None else sim
        phones.activated[phone] = self.world.calendar.first + self._day
        more = {"previous_sim": before, "channel": _code(codes.CHANNELS, channel)}
        return self.changed("sim_change", phone, ts, more)

    def device_change(self, phone: int, ts: int, handset: int, *, smart: bool | None = None) -> Ids:
        """A SIM is seen in another handset. From now on the number's records carry that."""
        phones = self.world.phones
        before = phones.handset[phone]
        phones.handset[phone] = handset
        if smart is not None:
            phones.smart[phone] = smart
        return self.changed("device_change", phone, ts, {"previous_handset": before})

    def changed(self, kind: str, phones: Many, ts: Many, more: dict[str, Any]) -> Ids:
        """Changes already made to the table of phones, many at once (see `sim_change`)."""
        _, (number, t) = _rows(phones, ts)
        return self._own(kind, number, t, t, None, more, "", (1, 60))

    def port(self, phone: Many, ts: Many, operator: Many) -> Ids:
        """Numbers move to other operators; the new one reports it. The SIM changes with it."""
        _, (number, t, to) = _rows(phone, ts, operator)
        self.world.phones.operator[number] = to
        return self._own("port", number, t, t, None, {}, "", (1, 60))

    def forwarding(self, phone: Many, ts: Many, to: Many) -> Ids:
        """Calls to a number will go to another."""
        _, (number, t, other) = _rows(phone, ts, to)
        more = {"other": other, "other_kind": self.world.phones.kind[other]}
        return self._own("forwarding", number, t, t, None, more, "", (1, 60))

    def topup(
        self,
        phone: Many,
        ts: Many,
        amount: Many,
        *,
        channel: ManyWords = "voucher",
        paid_by: Many = NONE,
        cell: Many | None = None,
    ) -> Ids:
        """Credit for prepaid phones; `paid_by` is the account of a card, where the operator knows it."""
        n, (number, t, pence, payer) = _rows(phone, ts, amount, paid_by)
        more: dict[str, Any] = {"amount": pence, "channel": _words(codes.CHANNELS, channel, n)}
        if (payer >= 0).any():
            more["paid_by"] = payer
        return self._own("topup", number, t, t, cell, more, "", (1, 30))

    def _own(
        self,
        kind: str,
        number: Ints,
        ts: Ints,
        over: Ints,
        cell: Many | None,
        more: dict[str, Any],
        visited: str,
        delay: tuple[float, float],
    ) -> Ids:
        """Records that inform one number only."""
        columns = more | {
            "kind": _code(codes.TELECOM_KINDS, kind), "number": number, "source": self.world.phones.operator[number],
            **self._carried(number), "cell": self._cell(cell, number, len(number)),
        }  # fmt: skip
        if visited:
            columns["visited"] = self._text(visited)
        return self._add("telecoms", ts, over, columns, self.world.phones.operator[number] >= 0, *delay)

    def _carried(self, numbers: Ints) -> dict[str, Array]:
        return {"sim": self.world.phones.sim[numbers], "handset": self.world.phones.handset[numbers]}

    def _cell(self, cell: Many | None, phones: Ints, n: int) -> Ints:
        return self.world.phones.cell[phones] if cell is None else _ints(cell, n)

    def _ingress(self, ingress: ManyWords, a: Ints, b: Ints, n: int) -> Ints:
        said = _words(codes.INGRESSES, ingress, n)
        operator = self.world.phones.operator
        on_net = operator[a] == operator[b]
        worked_out = np.where(on_net, _code(codes.INGRESSES, "on_net"), _code(codes.INGRESSES, "national"))
        return np.where(said > 0, said, worked_out)

    # ---- payments ------------------------------------------------------------------------------------------
    def pay(
        self,
        payer: Many,
        payee: Many,
        amount: Many,
        ts: Many,
        rail: ManyWords = "fps",
        *,
        channel: ManyWords = "mobile_app",
        status: ManyWords = "accepted",
        reason: ManyWords = "",
        device: Many | None = None,
        ip: Many | None = None,
        cop: ManyWords = "",
        cop_overridden: ManyFlags = False,
        new_payee: ManyFlags = False,
        auth: ManyWords = "",
        reference: ManyWords = "",
        currency: str = "GBP",
    ) -> Ids:
        """Payments from account to account: the payer's bank reports them, and for credits the payee's bank too.

        A bank knows the details of its own customers; the bank that reports both sides gives both. `reference` is
        the text itself; `status` other than accepted moves no money. `device` and `ip` default to the account's
        when the channel is the app or the web. Ids come payment by payment; `payment_of` gives the payments'.
        """
        n, (a, b, pence, t) = _rows(payer, payee, amount, ts)
        accounts, parameters = self.world.accounts, self.world.parameters
        rails = _words(codes.RAILS, rail, n)
        states = _words(codes.STATUSES, status, n)
        channels = _words(codes.CHANNELS, channel, n)
        bank_a, bank_b = accounts.bank[a], accounts.bank[b]
        payment = identifiers.mix(self._ids(n))
        columns: dict[str, Any] = {
            "payment": payment, "payer": a, "payee": b, "amount": pence, "rail": rails, "status": states,
        }  # fmt: skip
        columns |= self._texts(n, reason=reason, reference=reference)
        if currency != "GBP":
            columns["currency"] = self._text(currency)
        own_app = np.isin(channels, (_code(codes.CHANNELS, "mobile_app"), _code(codes.CHANNELS, "web")))
        sent = columns | {
            "channel": channels, "new_payee": 1 + _flags(new_payee, n), "cop": _words(codes.COP_RESULTS, cop, n),
            "device": np.where(own_app, accounts.device[a], NONE) if device is None else _ints(device, n),
            "ip": np.where(own_app, accounts.home_ip[a], NONE) if ip is None else _ints(ip, n),
            "auth": _words(codes.AUTHS, auth, n),
        }  # fmt: skip
        overridden = _flags(cop_overridden, n)
        if overridden.any():
            sent["cop_overridden"] = np.where(sent["cop"] > 0, 1 + overridden, 0)
        move_a, move_b = self._move(a, -pence, t, states), self._move(b, pence, t, states)
        both = (bank_a == bank_b) | (bank_a == parameters.both_bank) & (bank_b >= 0)
        sent |= {
            "source": bank_a, "payer_known": bank_a >= 0, "payee_known": both,
            "payer_balance": move_a, "payee_balance": np.where(both, move_b, NONE),
        }  # fmt: skip
        told = self._add_payments(t, sent, bank_a >= 0)
        telling = (bank_b >= 0) & (bank_b != bank_a) & np.isin(rails, list(_PAYEE_BANK_TELLS_TOO))
        both_b = (bank_b == parameters.both_bank) & (bank_a >= 0)
        got = columns | {
            "source": bank_b, "payer_known": both_b, "payee_known": bank_b >= 0,
            "payer_balance": np.where(both_b, move_a, NONE), "payee_balance": move_b,
        }  # fmt: skip
        arrived = t + self._jitter(t, accounts.key[b], 0.3, 12.0)
        told_too = self._add_payments(arrived, got, telling)
        first, second = np.flatnonzero(bank_a >= 0), np.flatnonzero(telling)
        ids = np.concatenate([told, told_too])
        return ids[np.argsort(np.concatenate([first, second]), kind="stable")]

    def card(
        self,
        account: Many,
        business: Many,
        amount: Many,
        ts: Many,
        *,
        entry: ManyWords = "contactless",
        channel: ManyWords = "",
        cell: Many | None = None,
        card: Many | None = None,
        terminal: Many | None = None,
        decline: ManyWords = "",
        auth: ManyWords = "",
        device: Many | None = None,
        ip: Many | None = None,
        beneficiary: Many | None = None,
        mcc: Many | None = None,
        rail: str = "card",
    ) -> Ids:
        """Card payments at a business, as the issuing bank sees them; `decline` is an ISO 8583 response code.

        In person unless the business is online or `entry` says so; `cell` (default: the business's own) says where.
        """
        n, (a, shop, pence, t) = _rows(account, business, amount, ts)
        accounts, businesses = self.world.accounts, self.world.businesses
        entries = _words(codes.ENTRY_MODES, entry, n)
        far = entries >= _code(codes.ENTRY_MODES, "ecommerce")
        usual = np.where(far, _code(codes.CHANNELS, "ecommerce"), _code(codes.CHANNELS, "pos"))
        channels = _words(codes.CHANNELS, channel, n)
        refused = self._text_codes_of(decline, n)
        states = np.where(refused >= 0, _code(codes.STATUSES, "rejected"), _ACCEPTED)
        till = shop * 64 + identifiers.mix(self._ids(n)).astype(np.int64) % np.maximum(
            businesses.terminals[shop], 1
        )
        columns: dict[str, Any] = {
            "source": accounts.bank[a], "payment": identifiers.mix(self._ids(n)), "payer": a, "payer_known": 1,
            "amount": pence, "rail": _code(codes.RAILS, rail), "status": states, "entry_mode": entries,
            "channel": np.where(channels > 0, channels, usual), "business": shop,
            "terminal": np.where(far, NONE, till) if terminal is None else _ints(terminal, n),
            "mcc": businesses.mcc[shop] if mcc is None else _ints(mcc, n),
            "card": accounts.card[a] if card is None else _ints(card, n),
            "cell": np.where(far, NONE, businesses.cell[shop]) if cell is None else _ints(cell, n),
            "payer_balance": self._move(a, -pence, t, states),
        }  # fmt: skip
        if (refused >= 0).any():
            columns["decline"] = refused
        if not (isinstance(auth, str) and not auth):
            columns["auth"] = _words(codes.AUTHS, auth, n)
        for name, values in (("device", device), ("ip", ip), ("beneficiary", beneficiary)):
            if values is not None:
                columns[name] = _ints(values, n)
        return self._add_payments(t, columns, accounts.bank[a] >= 0)

    def cash(
        self,
        account: Many,
        amount: Many,
        ts: Many,
        *,
        cell: Many,
        deposit: bool = False,
        channel: ManyWords = "atm",
        terminal: Many | None = None,
    ) -> Ids:
        """Cash taken out of, or paid into, accounts; `terminal` defaults to the machine at that cell."""
        n, (a, pence, t, where) = _rows(account, amount, ts, cell)
        bank = self.world.accounts.bank[a]
        side, sign = ("payee", 1) if deposit else ("payer", -1)
        states = np.full(n, _ACCEPTED)
        columns: dict[str, Any] = {
            "source": bank, "payment": identifiers.mix(self._ids(n)), side: a, f"{side}_known": 1, "amount": pence,
            "rail": _code(codes.RAILS, "cash_deposit" if deposit else "cash_withdrawal"), "status": states,
            "channel": _words(codes.CHANNELS, channel, n), "cell": where,
            "terminal": 900_000_000 + where if terminal is None else _ints(terminal, n),
            f"{side}_balance": self._move(a, sign * pence, t, states),
        }  # fmt: skip
        if not deposit:
            columns |= {"card": self.world.accounts.card[a], "mcc": 6011}
        return self._add_payments(t, columns, bank >= 0)

    def payment_of(self, ids: Ids) -> Ids:
        """The payments these records tell of (as `status` takes them); only for records told today."""
        wanted = np.asarray(ids, dtype=np.uint64)
        known = [columns for columns in self._fresh_payments if "payment" in columns]
        if not known:
            raise SimulationError("payment_of: no payment has been told today")
        event = np.concatenate([columns["event_id"] for columns in known])
        payment = np.concatenate([columns["payment"] for columns in known])
        order = np.argsort(event)
        place = np.minimum(np.searchsorted(event[order], wanted), len(event) - 1)
        if (event[order][place] != wanted).any():
            raise SimulationError(
                "payment_of: a record is not one of today's payments; ask on the day it is told"
            )
        return payment[order][place]

    def status(self, payment: Ids, bank: Many, status: str, ts: Many, reason: ManyWords = "FRAD") -> Ids:
        """A notice about payments: `rejected`, `returned` (pacs.004), `recalled` (camt.056), with an ISO reason.

        `payment` comes from `payment_of`; `bank` is the bank that tells (`Accounts.bank` of either side). No money is
        moved in the balances.
        """
        _, (t, told_by) = _rows(ts, bank)
        rows = np.atleast_1d(np.asarray(payment, dtype=np.uint64))
        n = len(rows)
        told_by, when = np.broadcast_to(told_by, (n,)), np.broadcast_to(t, (n,))
        columns: dict[str, Any] = {
            "source": told_by, "payment": rows, "status": _code(codes.STATUSES, status),
            **self._texts(n, reason=reason),
        }  # fmt: skip
        return self._add("payments", when, when, columns, told_by >= 0, 1, 30)

    def account_event(
        self,
        account: Many,
        kind: ManyWords,
        ts: Many,
        *,
        channel: ManyWords = "mobile_app",
        device: Many | None = None,
        ip: Many | None = None,
        phone: Many | None = None,
        detail: ManyWords = "",
    ) -> Ids:
        """What happens to accounts beside payments: logins, devices added, payees added, changes, openings."""
        n, (a, t) = _rows(account, ts)
        accounts = self.world.accounts
        columns: dict[str, Any] = {
            "source": accounts.bank[a], "account": a, "kind": _words(codes.ACCOUNT_KINDS, kind, n),
            "channel": _words(codes.CHANNELS, channel, n),
            "device": accounts.device[a] if device is None else _ints(device, n),
            "ip": accounts.home_ip[a] if ip is None else _ints(ip, n),
        }  # fmt: skip
        if phone is not None:
            columns["number"] = _ints(phone, n)
        if not (isinstance(detail, str) and not detail):
            columns["detail"] = _words(codes.ACCOUNT_DETAILS, detail, n)
        return self._add("accounts", t, t, columns, accounts.bank[a] >= 0, 0.2, 5)

    def _move(self, account: Ints, delta: Ints, ts: Ints, status: Ints) -> Ints:
        """Money that moves today: the place of each move, from which the balance after it is told; -1 = none."""
        moved = (account >= 0) & (status == _ACCEPTED)
        row = np.flatnonzero(moved)
        place = np.full(len(account), NONE, dtype=np.int64)
        place[row] = self._moved + np.arange(len(row))
        self._moved += len(row)
        self._moves.append({"account": account[row], "delta": delta[row], "ts": ts[row]})
        return place

    def _add_payments(self, ts: Ints, columns: dict[str, Any], kept: Flags) -> Ids:
        slow = bool(np.isin(np.atleast_1d(columns["rail"]), list(_BATCH_RAILS)).all())
        ids = self._add("payments", ts, ts, columns, kept, *((30, 900) if slow else (0.2, 3)))
        return ids

    # ---- what people say of it, and what belongs together --------------------------------------------------
    def label(
        self,
        about: str,
        label: str,
        ts: int,
        *,
        subjects: Sequence[str] = (),
        typology: str = "",
        role: str = "",
        subject_category: str = "",
        origin: str = "bank",
        reason_code: str = "",
        source: str = "outcomes",
    ) -> None:
        """What somebody found out, at `ts` (which may lie weeks ahead: labels come late).

        `about` is `event:ID`, `account:…` or `number:…`: see `event`, `account` and `number`.
        """
        row = {
            "about": about, "label": label, "subjects": list(subjects), "typology": typology, "role": role,
            "subject_category": subject_category, "origin": origin, "reason_code": reason_code,
        }  # fmt: skip
        self._note("labels", ts, source, row)

    def link(
        self, a: str, b: str, kind: str, ts: int, *, since: int | None = None, until: int | None = None
    ) -> None:
        """Two things belong together (`registered uses lives_at owns`), known at `ts`."""
        self._note("links", ts, "registry", {"a": a, "b": b, "kind": kind, **_span(since, until)})

    def links(self, accounts: Ints, phones: Ints, ts: int, since: Many, kind: str = "registered") -> Ids:
        """Many accounts with the numbers registered for them, as their banks know them."""
        n, (a, b, began) = _rows(accounts, phones, since)
        bank = self.world.accounts.bank[a]
        columns: dict[str, Any] = {
            "a": a, "b": b, "kind": _code(codes.LINK_KINDS, kind), "since": began, "source": bank,
        }  # fmt: skip
        at = np.full(n, ts, dtype=np.int64)
        return self._add("links", at, at, columns, bank >= 0, 0, 0)

    def watch(
        self, what: str, value: str, why: str, ts: int, *, since: int | None = None, until: int | None = None
    ) -> None:
        """A number, handset or account to look out for, known at `ts`."""
        self._note(
            "watch", ts, "watch-list", {"what": what, "value": value, "why": why, **_span(since, until)}
        )

    def truth(
        self,
        kind: str,
        id: str,
        typology: str,
        *,
        numbers: Sequence[int] | Ints = (),
        accounts: Sequence[int] | Ints = (),
        event_ids: Ids | Sequence[int] = (),
        start: int,
        end: int | None = None,
        home_force: int = 0,
        active_forces: Sequence[int] = (),
        note: str = "",
    ) -> None:
        """What really went on: rows of phones and accounts, ids of records, forces by their small codes.

        Told as often as there is something new; the latest row of an `id` stands, with the events of all of them.
        """
        force = self.world.force_code
        row = {
            "kind": kind, "id": id, "typology": typology,
            "numbers": [str(x) for x in self.world.number_strings(np.asarray(numbers, np.int64))] if len(numbers) else [],
            "accounts": [self.world.account_id(int(account)) for account in accounts],
            "event_ids": identifiers.hexadecimal(np.asarray(event_ids, np.uint64)).to_list() if len(event_ids) else [],
            "from": _moment(start), "to": None if end is None else _moment(end),
            "home_force": force(home_force), "active_forces": [force(f) for f in active_forces], "note": note,
        }  # fmt: skip
        said = {name: value for name, value in row.items() if value not in (None, "")}
        before = self.truths.get(id, {"event_ids": []})
        said["event_ids"] = list(dict.fromkeys([*before["event_ids"], *said["event_ids"]]))
        self.truths[id] = said

    @staticmethod
    def event(id: np.uint64 | int) -> str:
        """How a label speaks of a record."""
        return f"event:{int(id):016x}"

    def account(self, account: int) -> str:
        """How labels and links speak of an account."""
        return f"account:{self.world.account_id(account)}"

    def number(self, phone: int) -> str:
        """How labels and links speak of a number."""
        return f"number:{self.world.number(phone)}"

    def _note(self, stream: str, ts: int, source: str, row: dict[str, Any]) -> None:
        self._check(np.asarray([ts]))
        when = _moment(ts)
        ids = identifiers.mix(self._ids(1))
        head = {
            "event_id": f"{int(ids[0]):016x}",
            "ts": when,
            "recorded_ts": when,
            "source": source,
            "basis": BASIS,
        }
        said = {name: value for name, value in row.items() if value not in ("", None, [])}
        self.notes.append(head | said)
        place = np.asarray([len(self.notes) - 1], dtype=np.int64)
        self.waiting[stream].add(
            {"event_id": ids, "recorded": _milliseconds(np.asarray([int(ts)])), "note": place}
        )

    # ---- putting rows down ---------------------------------------------------------------------------------
    def _ids(self, n: int) -> Ids:
        """The next `n` numbers of this mechanism and day; `identifiers.mix` makes ids of them."""
        if self._count + n > _RECORDS_IN_ID:
            raise SimulationError("a mechanism tells of more than 268 million things a day; split it in two")
        base = (self._mechanism * _DAYS_IN_ID + (self._day + 1) % _DAYS_IN_ID) * _RECORDS_IN_ID + self._count
        self._count += n
        return np.uint64(base) + np.arange(n, dtype=np.uint64)

    def _add(
        self,
        stream: str,
        ts: Ints,
        over: Ints,
        columns: dict[str, Any],
        kept: Flags | None,
        soonest: float,
        latest: float,
    ) -> Ids:
        """Put records down: `over` is when there was something to report, known `soonest` to `latest` seconds later."""
        ids = identifiers.mix(self._ids(len(ts)))
        rows: Rows = {"event_id": ids, "ts": _milliseconds(ts), "recorded": _milliseconds(over)}
        for name, values in columns.items():
            column = np.asarray(values)
            rows[name] = np.broadcast_to(column.astype(DTYPES.get(name, np.int32), copy=False), (len(ts),))
        if kept is not None and not kept.all():
            rows = {name: column[kept] for name, column in rows.items()}
        self._delay(rows, soonest, latest)
        self._check(rows["recorded"])
        self._repeat(stream, rows)
        return rows["event_id"]

    def _delay(self, rows: Rows, soonest: float, latest: float) -> None:
        """When the supplier had each record: a little later, some of them hours later."""
        parameters = self.world.parameters
        wait = soonest + _share(rows["event_id"], 1) ** 2 * (latest - soonest)
        if latest > 0:
            late = _share(rows["event_id"], 2) < parameters.late_share
            hours = parameters.late_hours * np.exp(1.2 * _bell(rows["event_id"][late], 3))
            wait[late] += np.minimum(hours, 72) * 3600
        rows["recorded"] = _milliseconds(rows["recorded"] + (wait * SECOND).astype(np.int64))

    def _repeat(self, stream: str, rows: Rows) -> None:
        """Let the rows wait, and send a few of them twice."""
        again = _share(rows["event_id"], 4) < self.world.parameters.repeat_share
        if again.any():
            twice = {name: column[again] for name, column in rows.items()}
            later = (_share(twice["event_id"], 5) * 600 * SECOND).astype(np.int64) + SECOND
            twice["recorded"] = _milliseconds(twice["recorded"] + later)
            self._put(stream, twice)
        self._put(stream, rows)

    def _put(self, stream: str, rows: Rows) -> None:
        self.waiting[stream].add(rows)
        if stream == "payments" and ("payer_balance" in rows or "payee_balance" in rows):
            self._fresh_payments.append(rows)

    def _check(self, recorded: Ints) -> None:
        if len(recorded) and int(recorded.min()) < self._not_before:
            raise SimulationError(
                "a record of the past: a mechanism tells of what is recorded before the day it is asked for"
            )

    def _texts(self, n: int, **words: ManyWords) -> dict[str, Ints]:
        """Columns of free words as codes; those said nowhere are left out."""
        coded = {name: self._text_codes_of(said, n) for name, said in words.items()}
        return {name: column for name, column in coded.items() if (column >= 0).any()}

    def _text_codes_of(self, words: ManyWords, n: int) -> Ints:
        if isinstance(words, str):
            return np.full(n, self._text(words))
        known, which = np.unique(np.asarray(words, dtype=str), return_inverse=True)
        return np.broadcast_to(np.array([self._text(str(word)) for word in known])[which], (n,))

    def _text(self, word: str) -> int:
        if not word:
            return NONE
        if word not in self._text_codes:
            if '"' in word or "\\" in word:
                raise SimulationError(f"made-up text may not hold quotes or backslashes: {word!r}")
            self._text_codes[word] = len(self.wordings)
            self.wordings.append(word)
        return self._text_codes[word]

    @staticmethod
    def _jitter(ts: Ints, who: Ints, low: float, high: float) -> Ints:
        """A delay of `low` to `high` seconds that depends on the event only."""
        share = _share((ts + who * 7919).astype(np.uint64), 6)
        return ((low + share * share * (high - low)) * SECOND).astype(np.int64)


# ---- one value or many ---------------------------------------------------------------------------------------


def _rows(*values: Many) -> tuple[int, list[Ints]]:
    """The arguments as columns of one length."""
    arrays = np.broadcast_arrays(*[np.atleast_1d(np.asarray(value)) for value in values])
    return len(arrays[0]), [array.astype(np.int64) for array in arrays]


def _ints(values: Many, n: int) -> Ints:
    return np.broadcast_to(np.asarray(values).astype(np.int64), (n,))


def _flags(values: ManyFlags, n: int) -> Flags:
    return np.broadcast_to(np.asarray(values, dtype=np.bool_), (n,))


def _code(words: codes.Words, word: str) -> int:
    return codes.code_of(words, word) if word else 0


def _words(words: codes.Words, said: ManyWords, n: int) -> Ints:
    """The codes of one word or many."""
    if isinstance(said, str):
        return np.full(n, _code(words, said), dtype=np.int64)
    array = np.asarray(said)
    if array.dtype.kind in "iu":
        return np.broadcast_to(array.astype(np.int64), (n,))
    known, which = np.unique(array.astype(str), return_inverse=True)
    return np.broadcast_to(np.array([_code(words, str(word)) for word in known], dtype=np.int64)[which], (n,))


def _milliseconds(times: Ints) -> Ints:
    return times // 1000 * 1000


def _moment(ts: int) -> str:
    return str(np.datetime64(int(ts) // 1000, "ms")) + "Z"


def _span(since: int | None, until: int | None) -> dict[str, str | None]:
    return {
        "from": None if since is None else _moment(since),
        "to": None if until is None else _moment(until),
    }


def _share(ids: Ids, purpose: int) -> Floats:
    """A number between 0 and 1 made of an id, another for each purpose."""
    return identifiers.mix(ids ^ np.uint64(purpose * 0x9E3779B97F4A7C15 % 2**64)).astype(np.float64) / 2.0**64


def _bell(ids: Ids, purpose: int) -> Floats:
    """A normal deviate made of an id (Box and Muller)."""
    radius = np.sqrt(-2 * np.log(np.maximum(_share(ids, purpose), 1e-12)))
    return np.asarray(radius * np.cos(2 * np.pi * _share(ids, purpose + 64)))
