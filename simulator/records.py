"""Records waiting to be written: columns of numbers, turned into the contract's fields only when their time comes.

A batch of rows holds the columns it needs and no others; rows with the same columns are kept together. Numbers stand
for what the world knows (a phone, an account, a cell); `fields` looks up and writes what the supplier would report.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from events import codes
from events.bases import SYNTHETIC
from simulator import columns, identifiers
from simulator.arrays import Array, Flags, Ints, order_by
from simulator.world import NUMBER_KINDS, World

NOTHING: Final = -(2**62)
"""Stands for "not said" in columns where -1 means something."""
BASIS: Final = SYNTHETIC
"""The lawful basis made-up records are held under."""

STREAMS: Final = ("payments", "accounts", "telecoms", "labels", "links", "watch")

Rows = dict[str, Array]
"""Rows of numbers, one row each."""

DTYPES: Final[dict[str, type[np.generic]]] = {
    "event_id": np.uint64, "call": np.uint64, "payment": np.uint64, "ts": np.int64, "recorded": np.int64,
    "source": np.int16, "up": np.int64, "down": np.int64, "sim": np.int64, "handset": np.int64,
    "previous_sim": np.int64, "previous_handset": np.int64, "amount": np.int64, "payer_balance": np.int64,
    "payee_balance": np.int64, "device": np.int64, "ip": np.int64, "card": np.int64, "seconds": np.int64,
    "a": np.int64, "b": np.int64, "since": np.int64, "until": np.int64,
}  # fmt: skip
"""The wide columns; every other one holds rows and codes, in 32 bits."""

SCHEMAS: Final[dict[str, dict[str, type[pl.DataType]]]] = {}
"""The contract's fields and types of each stream, in the order they are written (filled below)."""


def _schema(stream: str, text: str = "", whole: str = "", real: str = "", yes_no: str = "") -> None:
    common = "event_id ts recorded_ts source basis"
    order: dict[str, type[pl.DataType]] = dict.fromkeys(f"{common} {text}".split(), pl.String)
    order |= dict.fromkeys(whole.split(), pl.Int64) | dict.fromkeys(real.split(), pl.Float64)
    SCHEMAS[stream] = order | dict.fromkeys(yes_no.split(), pl.Boolean)


_schema(
    "telecoms",
    "kind number direction phase call_id other_number other_kind network_number ingress imsi iccid imei previous_imsi "
    "previous_iccid previous_imei cell cell_end force sim_activated age_band channel paid_by visited_plmn",
    "duration_s bytes_up bytes_down amount_minor",
    "lat lon",
    "answered prepaid",
)
_schema(
    "payments",
    "rail payment_id status status_reason currency payer_account payee_account payer_agent payee_agent payer_party "
    "payee_party payer_phone payee_phone payer_age_band payee_age_band payer_opened payee_opened payer_force "
    "payee_force channel device_id ip terminal_id merchant_id mcc card entry_mode decline_reason beneficiary_number "
    "cop auth force reference",
    "amount_minor payer_balance_minor payee_balance_minor",
    "lat lon",
    "cop_overridden new_payee",
)
_schema("accounts", "account kind channel device_id ip number detail")
_schema("links", "a b kind from to")
_schema("watch", "what value why from to")
_schema("labels", "about label typology role subject_category origin reason_code by note")
SCHEMAS["labels"]["subjects"] = pl.List  # of strings


@dataclass(slots=True)
class Waiting:
    """The records of one stream whose time to be written has not come."""

    batches: dict[tuple[str, ...], list[Rows]]

    @classmethod
    def none(cls) -> "Waiting":
        """Nothing waits."""
        return cls({})

    def add(self, rows: Rows) -> None:
        """Let a batch of rows wait."""
        if len(rows["event_id"]):
            self.batches.setdefault(tuple(sorted(rows)), []).append(rows)

    def take(self, before: int) -> tuple[list[Rows], Ints]:
        """The rows recorded before a time, by kind of batch, and their places laid end to end in order of recording."""
        due: list[Rows] = []
        kept: dict[tuple[str, ...], list[Rows]] = {}
        for names in sorted(self.batches):
            parts = self.batches.pop(names)
            now = np.concatenate([part["recorded"] for part in parts]) < before
            whole, none = bool(now.all()), not now.any()
            rows, later = {}, {}
            for name in names:  # column by column, so that a day is never held twice
                column = np.concatenate([part.pop(name) for part in parts])
                rows[name] = column if whole else column[:0] if none else column[now]
                later[name] = column[:0] if whole else column if none else column[~now]
            if not whole:
                kept[names] = [later]
            if not none:
                due.append(rows)
        self.batches = kept
        if not due:
            return due, np.empty(0, dtype=np.int64)
        return due, order_by(np.concatenate([rows["recorded"] for rows in due]) // 1000)  # whole milliseconds

    def __len__(self) -> int:
        return sum(len(part["event_id"]) for parts in self.batches.values() for part in parts)


# ---- from numbers to the contract's fields -------------------------------------------------------------------


class Writer:
    """Turns waiting rows into the contract's fields: frames, or lines of JSON."""

    def __init__(self, world: World, texts: list[str], notes: list[dict[str, Any]], *, typed: bool) -> None:
        self.world = world
        self.texts = texts  # what columns of text codes stand for (references, reasons, networks)
        self.notes = notes
        self.typed = typed  # times as instants and dates as dates, not as text
        self._clock = _table([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)])
        self._thousandths = _table([f".{i:03d}Z" for i in range(1000)])
        self._forces = pl.Series([code or None for code in world.geography.force_codes], dtype=pl.String)
        self._cells = self._cell_fields()
        self._cell_pieces = columns.pieces(self._cells)
        self._ground = {name: self._cells[name] for name in ("lat", "lon")}
        self._ground_pieces = columns.pieces(self._ground)
        self._cell_forces = np.append(0, world.geography.cell_force)
        self._texts_of_numbers = np.empty((0, 0), dtype=np.uint8), np.empty(0, dtype=np.int64)
        self._operators = pl.Series([f"operator-{i + 1}" for i in range(world.parameters.operators)])
        self._banks = pl.Series([f"bank-{i + 1}" for i in range(world.parameters.banks)])

    def fields(self, stream: str, rows: Rows) -> columns.Columns:
        """The contract's fields of some rows of one stream."""
        return self._noted(stream, rows["note"]) if "note" in rows else self._fields(stream, rows)

    def lines(self, stream: str, rows: Rows) -> pl.Series:
        """Some rows of one stream as lines of JSON."""
        if "note" in rows:
            told = [json.dumps(self.notes[int(place)], ensure_ascii=False) + "\n" for place in rows["note"]]
            return pl.Series(told, dtype=pl.String)
        return columns.lines(self._fields(stream, rows))

    def _fields(self, stream: str, rows: Rows) -> columns.Columns:
        write = {"telecoms": self._telecoms, "payments": self._payments, "accounts": self._accounts}
        head: columns.Columns = {
            "event_id": columns.Fixed(identifiers.hex_table(rows["event_id"])),
            "ts": self._times(rows["ts"]),
            "recorded_ts": self._times(rows["recorded"]),
        }
        basis = columns.Coded({"basis": pl.Series([BASIS])}, np.zeros(len(rows["event_id"]), dtype=np.int64))
        return head | write.get(stream, self._links)(rows) | {"basis": basis}

    def _noted(self, stream: str, places: Ints) -> columns.Columns:
        """Rows kept as they will be written."""
        schema = {
            name: pl.List(pl.String) if name == "subjects" else dtype
            for name, dtype in SCHEMAS[stream].items()
        }
        frame = pl.DataFrame([self.notes[int(place)] for place in places], schema=schema, strict=False)
        moments = [name for name in ("ts", "recorded_ts", "from", "to") if name in schema]
        frame = frame.with_columns(
            pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC") for name in moments
        )
        return {name: frame[name] for name in frame.columns if frame[name].null_count() < frame.height}

    # -- small things --
    def _times(self, values: Ints) -> columns.Column:
        """RFC 3339 in UTC, to the millisecond; nothing where not said."""
        said = values != NOTHING
        if self.typed:
            return columns.where(columns.Numbers(values, moments=True), said)
        days, rest = np.divmod(np.where(said, values, 0), 86_400_000_000)
        first = int(days.min())
        dates = _table([f"{np.datetime64(day, 'D')}T" for day in range(first, int(days.max()) + 1)])
        seconds, thousandths = np.divmod(rest // 1000, 1000)
        text = np.empty((len(values), 24), dtype=np.uint8)
        text[:, :11], text[:, 11:19] = dates[days - first], self._clock[seconds]
        text[:, 19:] = self._thousandths[thousandths]
        return columns.where(columns.Fixed(text), said)

    def _dates(self, name: str, days: Ints, known: Flags | None = None) -> columns.Column:
        """Days since 1970."""
        known = np.ones(len(days), dtype=np.bool_) if known is None else known
        first = int(days.min())
        table = pl.Series(np.arange(first, int(days.max()) + 1, dtype=np.int32)).cast(pl.Date)
        values = pl.concat([pl.Series([None], dtype=pl.Date), table])
        if not self.typed:
            values = values.cast(pl.String)
        return columns.Coded({name: values}, np.where(known, days - first + 1, 0))

    def _text(self, name: str, values: Array) -> columns.Coded:
        return columns.Coded(
            {name: pl.Series([None, *self.texts], dtype=pl.String)}, values.astype(np.int64) + 1
        )

    def _numbers(self, phones: Array) -> columns.Column:
        there = np.maximum(phones, 0).astype(np.int64)
        table = identifiers.number_table(self.world.phones.key[there], self.world.seed)
        named = self.world.phones.text[there]
        with_text = named >= 0
        if not with_text.any():
            return columns.where(columns.Fixed(table), phones >= 0)
        texts, lengths = self._number_texts()
        wide = np.zeros((len(table), max(table.shape[1], texts.shape[1])), dtype=np.uint8)
        wide[:, : table.shape[1]] = table
        wide[with_text, : texts.shape[1]] = texts[named[with_text]]
        width = np.full(len(table), table.shape[1])
        width[with_text] = lengths[named[with_text]]
        return columns.where(columns.Fixed(wide, lengths=width), phones >= 0)

    def _number_texts(self) -> tuple[Array, Ints]:
        """Numbers that are written as they are, as a table of bytes and how many of each row count."""
        known = len(self._texts_of_numbers[1])
        if known < len(self.world.number_texts):
            texts = self.world.number_texts
            lengths = np.array([len(text) for text in texts], dtype=np.int64)
            wide = "".join(text.ljust(int(lengths.max())) for text in texts).encode("ascii")
            self._texts_of_numbers = np.frombuffer(wide, dtype=np.uint8).reshape(len(texts), -1), lengths
        return self._texts_of_numbers

    def _cell_fields(self) -> dict[str, pl.Series]:
        """Cells by row number plus one."""
        geography = self.world.geography
        names = [f"00101-{10_000 + c // 6}-{c % 6 + 1}" for c in range(len(geography.cell_lat))]
        return {
            "cell": pl.Series([None, *names], dtype=pl.String),
            "lat": pl.Series([None, *geography.cell_lat.tolist()], dtype=pl.Float64),
            "lon": pl.Series([None, *geography.cell_lon.tolist()], dtype=pl.Float64),
        }

    # -- telecoms --
    def _telecoms(self, c: Rows) -> columns.Columns:
        out: columns.Columns = {
            "source": columns.Coded({"source": self._operators}, c["source"]),
            "number": self._numbers(c["number"]),
            "imsi": columns.where(
                columns.Fixed(identifiers.imsi_table(np.maximum(c["sim"], 0))), c["sim"] >= 0
            ),
            "imei": columns.where(
                columns.Fixed(identifiers.imei_table(np.maximum(c["handset"], 0))), c["handset"] >= 0
            ),
        }
        out |= _words(c, _TELECOM_WORDS) | _yes_no(c, ("answered",))
        if "other" in c:
            out["other_number"] = self._numbers(c["other"])
            out["other_kind"] = columns.Coded({"other_kind": pl.Series(NUMBER_KINDS)}, c["other_kind"])
        if "network" in c:
            out["network_number"] = self._numbers(c["network"])
        if "call" in c:
            out["call_id"] = columns.Fixed(identifiers.hex_table(c["call"], "c"))
        if "direction" in c or "amount" in c or "previous_sim" in c:
            out |= self._subscriber(c["number"])
        if "previous_sim" in c:
            out["iccid"] = columns.Fixed(identifiers.iccid_table(c["sim"]))
            out["previous_imsi"] = columns.Fixed(identifiers.imsi_table(c["previous_sim"]))
            out["previous_iccid"] = columns.Fixed(identifiers.iccid_table(c["previous_sim"]))
        if "previous_handset" in c:
            out["previous_imei"] = columns.Fixed(identifiers.imei_table(c["previous_handset"]))
        for name, field in _TELECOM_COUNTS.items():
            if name in c:
                out[field] = columns.where(columns.Numbers(c[name]), c[name] >= 0)
        if "cell" in c:
            out["cell"] = columns.Coded(self._cells, c["cell"] + 1, self._cell_pieces)
            told = np.where(c["source"] % 2 == 1, self._cell_forces[c["cell"] + 1], 0)
            out["force"] = columns.Coded({"force": self._forces}, told)
        if "cell_end" in c:
            out["cell_end"] = columns.Coded({"cell_end": self._cells["cell"]}, c["cell_end"] + 1)
        if "paid_by" in c:
            out["paid_by"] = self._account(c["paid_by"])
        if "visited" in c:
            out["visited_plmn"] = self._text("visited_plmn", c["visited"])
        return out

    def _subscriber(self, phones: Array) -> columns.Columns:
        """What the operator knows of its customer."""
        table, owner = self.world.phones, self.world.phones.owner[phones]
        band = np.where(
            (owner >= 0) & table.known[phones], self.world.people.age_band[np.maximum(owner, 0)], 0
        )
        return {
            "age_band": columns.Coded({"age_band": _with_none(codes.AGE_BANDS)}, band),
            "prepaid": columns.Coded(
                {"prepaid": pl.Series([False, True])}, table.prepaid[phones].astype(np.int64)
            ),
            "sim_activated": self._dates("sim_activated", table.activated[phones]),
        }

    # -- payments --
    def _account(self, accounts: Array) -> columns.Column:
        there = np.maximum(accounts, 0).astype(np.int64)
        table = identifiers.account_table(self.world.accounts.key[there])
        return columns.where(columns.Fixed(table), accounts >= 0)

    def _side(self, side: str, accounts: Array, known: Flags) -> columns.Columns:
        """What a bank says of one party: the account to all, the customer's details only of its own."""
        there, table = np.maximum(accounts, 0).astype(np.int64), self.world.accounts
        out: columns.Columns = {
            f"{side}_account": self._account(accounts),
            f"{side}_agent": columns.where(
                columns.Fixed(identifiers.sort_code_table(table.key[there])), accounts >= 0
            ),
        }
        if known.any():
            business = 2**31 + np.maximum(table.business[there], 0)
            holder = np.where(table.holder[there] >= 0, table.holder[there], business)
            out[f"{side}_party"] = columns.where(
                columns.Fixed(identifiers.digits(holder, 10, "cust-")), known
            )
            out[f"{side}_phone"] = self._numbers(np.where(known, table.phone[there], -1))
            bands = columns.Coded(
                {f"{side}_age_band": _with_none(codes.AGE_BANDS)}, np.where(known, table.age_band[there], 0)
            )
            out[f"{side}_age_band"] = bands
            out[f"{side}_opened"] = self._dates(f"{side}_opened", table.opened[there], known)
            forces = columns.Coded({f"{side}_force": self._forces}, np.where(known, table.force[there], 0))
            out[f"{side}_force"] = forces
        return out

    def _payments(self, c: Rows) -> columns.Columns:
        n = len(c["event_id"])
        out: columns.Columns = {
            "source": columns.Coded({"source": self._banks}, c["source"]),
            "payment_id": columns.Fixed(identifiers.hex_table(c["payment"], "p")),
            "status": columns.Coded({"status": _with_none(codes.STATUSES)}, c["status"]),
        }
        out |= {field: self._text(field, c[name]) for name, field in _PAYMENT_TEXTS.items() if name in c}
        if "rail" not in c:
            return out
        out["amount_minor"] = columns.Numbers(c["amount"])
        if "currency" not in c:
            out["currency"] = columns.Coded({"currency": pl.Series(["GBP"])}, np.zeros(n, dtype=np.int64))
        for side in ("payer", "payee"):
            if side in c:
                out |= self._side(side, c[side], c.get(f"{side}_known", np.zeros(n)) > 0)
            if f"{side}_balance" in c:
                balance = c[f"{side}_balance"]
                out[f"{side}_balance_minor"] = columns.where(columns.Numbers(balance), balance != NOTHING)
        out |= _words(c, _PAYMENT_WORDS) | _yes_no(c, ("cop_overridden", "new_payee"))
        for name, field, prefix, width in (
            ("business", "merchant_id", "m", 8),
            ("terminal", "terminal_id", "t", 9),
        ):
            if name in c:
                table = identifiers.digits(np.maximum(c[name], 0), width, prefix)
                out[field] = columns.where(columns.Fixed(table), c[name] >= 0)
        if "mcc" in c:
            out["mcc"] = columns.where(
                columns.Fixed(identifiers.digits(np.maximum(c["mcc"], 0), 4)), c["mcc"] > 0
            )
        if "card" in c:
            table = identifiers.hex_table(identifiers.mix(c["card"]), "tok_")
            out["card"] = columns.where(columns.Fixed(table), c["card"] >= 0)
        if "beneficiary" in c:
            out["beneficiary_number"] = self._numbers(c["beneficiary"])
        if "cell" in c:
            out["ground"] = columns.Coded(self._ground, c["cell"] + 1, self._ground_pieces)
            out["force"] = columns.Coded({"force": self._forces}, self._cell_forces[c["cell"] + 1])
        return out | _session(c)

    # -- accounts, links --
    def _accounts(self, c: Rows) -> columns.Columns:
        out: columns.Columns = {
            "source": columns.Coded({"source": self._banks}, c["source"]), "account": self._account(c["account"]),
        }  # fmt: skip
        if "number" in c:
            out["number"] = self._numbers(c["number"])
        return out | _words(c, _ACCOUNT_WORDS) | _session(c)

    def _links(self, c: Rows) -> columns.Columns:
        """Accounts that belong to numbers."""
        said = columns.series_of({"b": self._numbers(c["b"]), "a": self._account(c["a"])})
        out: columns.Columns = {
            "source": columns.Coded({"source": self._banks}, c["source"]),
            "a": "account:" + said["a"],
            "b": "number:" + said["b"],
            "from": self._times(c["since"]),
        }
        return out | _words(c, {"kind": codes.LINK_KINDS})


_TELECOM_WORDS: Final = {
    "kind": codes.TELECOM_KINDS, "direction": codes.DIRECTIONS, "phase": codes.PHASES, "ingress": codes.INGRESSES,
    "channel": codes.CHANNELS,
}  # fmt: skip
_TELECOM_COUNTS: Final = {
    "seconds": "duration_s",
    "up": "bytes_up",
    "down": "bytes_down",
    "amount": "amount_minor",
}
_PAYMENT_WORDS: Final = {
    "rail": codes.RAILS, "channel": codes.CHANNELS, "entry_mode": codes.ENTRY_MODES, "cop": codes.COP_RESULTS,
    "auth": codes.AUTHS,
}  # fmt: skip
_PAYMENT_TEXTS: Final = {
    "reason": "status_reason", "decline": "decline_reason", "reference": "reference", "currency": "currency",
}  # fmt: skip
_ACCOUNT_WORDS: Final = {
    "kind": codes.ACCOUNT_KINDS,
    "channel": codes.CHANNELS,
    "detail": codes.ACCOUNT_DETAILS,
}


def _with_none(words: codes.Words) -> pl.Series:
    """Words by their codes, nothing for 0."""
    return pl.Series([None, *words], dtype=pl.String)


def _words(rows: Rows, lists: Mapping[str, codes.Words]) -> columns.Columns:
    return {
        name: columns.Coded({name: _with_none(of)}, rows[name]) for name, of in lists.items() if name in rows
    }


def _yes_no(rows: Rows, names: tuple[str, ...]) -> columns.Columns:
    """0 absent, 1 no, 2 yes."""
    table = pl.Series([None, False, True])
    return {name: columns.Coded({name: table}, rows[name]) for name in names if name in rows}


def _session(rows: Rows) -> columns.Columns:
    """The device and the address a customer came from."""
    out: columns.Columns = {}
    if "device" in rows:
        table = identifiers.hex_table(identifiers.mix(rows["device"]), "d")
        out["device_id"] = columns.where(columns.Fixed(table), rows["device"] >= 0)
    if "ip" in rows:
        table = identifiers.address_table(np.maximum(rows["ip"], 0))
        out["ip"] = columns.where(columns.Fixed(table), rows["ip"] >= 0)
    return out


def _table(texts: list[str]) -> Array:
    """Texts of one length as a table of bytes."""
    return np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(len(texts), -1)
