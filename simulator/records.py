"""Records waiting to be written: columns of numbers, turned into the contract's fields only when their time comes.

A batch of rows holds the columns it needs and no others; rows with the same columns are kept together. Numbers stand
for what the world knows (a phone, an account, a cell); `fields` looks up and writes what the supplier would report.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from events import codes
from simulator import identifiers
from simulator.arrays import Array, Flags, Ints
from simulator.world import NUMBER_KINDS, World

NOTHING: Final = -(2**62)
"""Stands for "not said" in columns where -1 means something."""
BASIS: Final = "synthetic-demo"
"""The lawful basis made-up records are held under."""

STREAMS: Final = ("payments", "accounts", "telecoms", "labels", "links", "watch")

Columns = dict[str, Array]

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

    batches: dict[tuple[str, ...], list[Columns]]

    @classmethod
    def none(cls) -> "Waiting":
        """Nothing waits."""
        return cls({})

    def add(self, columns: Columns) -> None:
        """Let a batch of rows wait."""
        if len(columns["event_id"]):
            self.batches.setdefault(tuple(sorted(columns)), []).append(columns)

    def take(self, before: int) -> tuple[list[Columns], list[Ints]]:
        """The rows recorded before a time, by kind of batch, and where each comes in the order of recording."""
        due: list[Columns] = []
        kept: dict[tuple[str, ...], list[Columns]] = {}
        for names in sorted(self.batches):
            parts = self.batches.pop(names)
            whole = {name: np.concatenate([part[name] for part in parts]) for name in names}
            now = whole["recorded"] < before
            if not now.all():
                kept[names] = [{name: column[~now] for name, column in whole.items()}]
                whole = {name: column[now] for name, column in whole.items()}
            if len(whole["event_id"]):
                due.append(whole)
        self.batches = kept
        sizes = [len(columns["recorded"]) for columns in due]
        order = (
            np.argsort(np.concatenate([c["recorded"] for c in due]), kind="stable")
            if due
            else np.empty(0, np.int64)
        )
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return due, list(np.split(place, np.cumsum(sizes)[:-1])) if due else []

    def __len__(self) -> int:
        return sum(len(part["event_id"]) for parts in self.batches.values() for part in parts)


# ---- from numbers to the contract's fields -------------------------------------------------------------------


class Writer:
    """Turns waiting rows into frames of the contract's fields."""

    def __init__(self, world: World, texts: list[str], notes: list[dict[str, Any]], *, typed: bool) -> None:
        self.world = world
        self.texts = texts  # what columns of text codes stand for (references, reasons, networks)
        self.notes = notes
        self.typed = typed  # times as instants and dates as dates, not as text
        self._clock = _clock()
        self._thousandths = _table([f".{i:03d}Z" for i in range(1000)])
        self._cells = self._cell_names()
        self._forces = pl.Series(self.world.geography.force_codes, dtype=pl.String)
        self.operators = [f"operator-{i + 1}" for i in range(world.parameters.operators)]
        self.banks = [f"bank-{i + 1}" for i in range(world.parameters.banks)]

    def frame(self, stream: str, columns: Columns) -> pl.DataFrame:
        """The contract's fields of some rows of one stream."""
        if "note" in columns:
            return self._noted(stream, columns["note"])
        write = {"telecoms": self._telecoms, "payments": self._payments, "accounts": self._accounts}
        fields: dict[str, pl.Series] = {
            "event_id": identifiers.hexadecimal(columns["event_id"]),
            "ts": self.times(columns["ts"]),
            "recorded_ts": self.times(columns["recorded"]),
        }
        fields |= write.get(stream, self._links)(columns)
        fields["basis"] = pl.repeat(BASIS, len(columns["event_id"]), eager=True)
        return pl.DataFrame([fields[name].alias(name) for name in SCHEMAS[stream] if name in fields])

    def _noted(self, stream: str, places: Ints) -> pl.DataFrame:
        """Rows kept as they will be written."""
        schema = {
            name: pl.List(pl.String) if name == "subjects" else dtype
            for name, dtype in SCHEMAS[stream].items()
        }
        frame = pl.DataFrame([self.notes[int(place)] for place in places], schema=schema, strict=False)
        moments = [name for name in ("ts", "recorded_ts", "from", "to") if name in schema]
        if self.typed:
            frame = frame.with_columns(
                pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC") for name in moments
            )
        return frame.select(name for name in frame.columns if frame[name].null_count() < frame.height)

    # -- small things --
    def times(self, values: Ints) -> pl.Series:
        """RFC 3339 in UTC, to the millisecond; null where not said."""
        said = values != NOTHING
        if self.typed:
            return _where(pl.Series(values).cast(pl.Datetime("us", "UTC")), said)
        days, rest = np.divmod(values, 86_400_000_000)
        days = np.where(said, days, 0)
        known, which = np.unique(days, return_inverse=True)
        dates = _table([f"{np.datetime64(int(day), 'D')}T" for day in known])
        seconds, thousandths = np.divmod(rest // 1000, 1000)
        text = np.hstack([dates[which], self._clock[seconds], self._thousandths[thousandths]])
        return _where(identifiers.from_bytes(text), said)

    def _dates(self, days: Ints) -> pl.Series:
        dates = pl.Series(days.astype(np.int32)).cast(pl.Date)
        return dates if self.typed else dates.cast(pl.String)

    def _words(self, words: codes.Words, values: Array) -> pl.Series:
        """The words of codes, null for 0."""
        return pl.Series(["", *words], dtype=pl.String).gather(values.astype(np.uint32)).replace("", None)

    def _text(self, values: Array) -> pl.Series:
        found = pl.Series(self.texts, dtype=pl.String).gather(np.maximum(values, 0).astype(np.uint32))
        return _where(found, values >= 0)

    def _numbers(self, phones: Ints) -> pl.Series:
        there = np.maximum(phones, 0).astype(np.int64)
        text = identifiers.mobile_numbers(there, self.world.seed)
        fixed = self.world.phones.text[there]
        if (fixed >= 0).any():
            named = pl.Series(self.world.number_texts, dtype=pl.String).gather(
                np.maximum(fixed, 0).astype(np.uint32)
            )
            text = named.zip_with(pl.Series(fixed >= 0), text)
        return _where(text, phones >= 0)

    def _cell_names(self) -> pl.Series:
        cells = np.arange(len(self.world.geography.cell_lat))
        return pl.Series([f"00101-{10_000 + c // 6}-{c % 6 + 1}" for c in cells.tolist()], dtype=pl.String)

    def _place(self, cells: Array, *, force: Flags | None = None) -> dict[str, pl.Series]:
        """Where a cell is: latitude, longitude and, where the supplier works it out, the force."""
        there = np.maximum(cells, 0)
        known = cells >= 0
        geography = self.world.geography
        forces = self._forces.gather(geography.cell_force[there].astype(np.uint32)).replace("", None)
        return {
            "lat": _where(pl.Series(geography.cell_lat[there]), known),
            "lon": _where(pl.Series(geography.cell_lon[there]), known),
            "force": _where(forces, known if force is None else known & force),
        }

    # -- telecoms --
    def _telecoms(self, c: Columns) -> dict[str, pl.Series]:
        phones, world = c["number"], self.world
        out = {
            "source": pl.Series(self.operators, dtype=pl.String).gather(c["source"].astype(np.uint32)),
            "kind": self._words(codes.TELECOM_KINDS, c["kind"]),
            "number": self._numbers(phones),
            "imsi": identifiers.imsis(c["sim"]),
            "imei": _where(identifiers.imeis(np.maximum(c["handset"], 0)), c["handset"] >= 0),
        }
        words = {
            "direction": codes.DIRECTIONS,
            "phase": codes.PHASES,
            "ingress": codes.INGRESSES,
            "channel": codes.CHANNELS,
        }
        out |= {name: self._words(of, c[name]) for name, of in words.items() if name in c}
        if "other" in c:
            out["other_number"] = self._numbers(c["other"])
            kinds = pl.Series(NUMBER_KINDS, dtype=pl.String)
            out["other_kind"] = kinds.gather(c["other_kind"].astype(np.uint32))
        if "network" in c:
            out["network_number"] = self._numbers(c["network"])
        if "call" in c:
            out["call_id"] = identifiers.hexadecimal(c["call"], "c")
        if "direction" in c or "amount" in c or "previous_sim" in c:
            owner = world.phones.owner[phones]
            band = np.where(owner >= 0, world.people.age_band[np.maximum(owner, 0)], 0)
            out["age_band"] = self._words(codes.AGE_BANDS, np.where(world.phones.known[phones], band, 0))
            out["prepaid"] = pl.Series(world.phones.prepaid[phones])
            out["sim_activated"] = self._dates(world.phones.activated[phones])
        if "previous_sim" in c:
            out["iccid"] = identifiers.iccids(c["sim"])
            out["previous_imsi"] = identifiers.imsis(c["previous_sim"])
            out["previous_iccid"] = identifiers.iccids(c["previous_sim"])
        if "previous_handset" in c:
            out["previous_imei"] = identifiers.imeis(c["previous_handset"])
        for name, field in (
            ("seconds", "duration_s"),
            ("up", "bytes_up"),
            ("down", "bytes_down"),
            ("amount", "amount_minor"),
        ):
            if name in c:
                out[field] = _where(pl.Series(c[name]), c[name] >= 0)
        if "answered" in c:
            out["answered"] = _yes_no(c["answered"])
        if "cell" in c:
            out["cell"] = _where(
                self._cells.gather(np.maximum(c["cell"], 0).astype(np.uint32)), c["cell"] >= 0
            )
            out |= self._place(c["cell"], force=c["source"] % 2 == 1)
        if "cell_end" in c:
            out["cell_end"] = _where(
                self._cells.gather(np.maximum(c["cell_end"], 0).astype(np.uint32)), c["cell_end"] >= 0
            )
        if "paid_by" in c:
            out["paid_by"] = self._account(c["paid_by"])
        if "visited" in c:
            out["visited_plmn"] = self._text(c["visited"])
        return out

    # -- payments --
    def _account(self, accounts: Array) -> pl.Series:
        return _where(identifiers.account_numbers(np.maximum(accounts, 0).astype(np.int64)), accounts >= 0)

    def _side(self, side: str, accounts: Array, known: Flags) -> dict[str, pl.Series]:
        """What a bank says of one party: the account to all, the customer's details only of its own."""
        there = np.maximum(accounts, 0).astype(np.int64)
        table, out = self.world.accounts, {}
        out[f"{side}_account"] = self._account(accounts)
        out[f"{side}_agent"] = _where(identifiers.sort_codes(there), accounts >= 0)
        if known.any():
            holder = np.where(
                table.holder[there] >= 0, table.holder[there], 2**31 + np.maximum(table.business[there], 0)
            )
            party = identifiers.from_bytes(identifiers.digits(holder, 10, "cust-"))
            out[f"{side}_party"] = _where(party, known)
            out[f"{side}_phone"] = self._numbers(np.where(known, table.phone[there], -1))
            out[f"{side}_age_band"] = self._words(codes.AGE_BANDS, np.where(known, table.age_band[there], 0))
            out[f"{side}_opened"] = _where(self._dates(table.opened[there]), known)
            out[f"{side}_force"] = self._forces.gather(
                np.where(known, table.force[there], 0).astype(np.uint32)
            ).replace("", None)
        return out

    def _payments(self, c: Columns) -> dict[str, pl.Series]:
        n = len(c["event_id"])
        nobody = np.zeros(n, dtype=np.bool_)
        out = {
            "source": pl.Series(self.banks, dtype=pl.String).gather(c["source"].astype(np.uint32)),
            "payment_id": identifiers.hexadecimal(c["payment"], "p"),
            "status": self._words(codes.STATUSES, c["status"]),
        }
        if "reason" in c:
            out["status_reason"] = self._text(c["reason"])
        if "rail" not in c:
            return out
        out["rail"] = self._words(codes.RAILS, c["rail"])
        out["amount_minor"] = pl.Series(c["amount"])
        out["currency"] = (
            pl.repeat("GBP", n, eager=True) if "currency" not in c else self._text(c["currency"])
        )
        for side in ("payer", "payee"):
            if side in c:
                out |= self._side(side, c[side], c.get(f"{side}_known", nobody) > 0)
            if f"{side}_balance" in c:
                out[f"{side}_balance_minor"] = _where(
                    pl.Series(c[f"{side}_balance"]), c[f"{side}_balance"] != NOTHING
                )
        words = {
            "channel": codes.CHANNELS, "entry_mode": codes.ENTRY_MODES, "cop": codes.COP_RESULTS, "auth": codes.AUTHS,
        }  # fmt: skip
        out |= {name: self._words(of, c[name]) for name, of in words.items() if name in c}
        out |= {name: _yes_no(c[name]) for name in ("cop_overridden", "new_payee") if name in c}
        if "business" in c:
            merchant = np.maximum(c["business"], 0).astype(np.int64)
            out["merchant_id"] = _where(
                identifiers.from_bytes(identifiers.digits(merchant, 8, "m")), c["business"] >= 0
            )
        if "mcc" in c:
            out["mcc"] = _where(
                identifiers.from_bytes(identifiers.digits(np.maximum(c["mcc"], 0), 4)), c["mcc"] > 0
            )
        if "terminal" in c:
            terminal = np.maximum(c["terminal"], 0).astype(np.int64)
            out["terminal_id"] = _where(
                identifiers.from_bytes(identifiers.digits(terminal, 9, "t")), c["terminal"] >= 0
            )
        if "card" in c:
            out["card"] = _where(identifiers.hexadecimal(identifiers.mix(c["card"]), "tok_"), c["card"] >= 0)
        out |= self._session(c)
        if "decline" in c:
            out["decline_reason"] = self._text(c["decline"])
        if "beneficiary" in c:
            out["beneficiary_number"] = self._numbers(c["beneficiary"])
        if "reference" in c:
            out["reference"] = self._text(c["reference"])
        if "cell" in c:
            out |= self._place(c["cell"])
        return out

    def _session(self, c: Columns) -> dict[str, pl.Series]:
        out = {}
        if "device" in c:
            out["device_id"] = _where(
                identifiers.hexadecimal(identifiers.mix(c["device"]), "d"), c["device"] >= 0
            )
        if "ip" in c:
            out["ip"] = _where(identifiers.addresses(np.maximum(c["ip"], 0)), c["ip"] >= 0)
        return out

    # -- accounts, links --
    def _accounts(self, c: Columns) -> dict[str, pl.Series]:
        out = {
            "source": pl.Series(self.banks, dtype=pl.String).gather(c["source"].astype(np.uint32)),
            "account": self._account(c["account"]),
            "kind": self._words(codes.ACCOUNT_KINDS, c["kind"]),
            "channel": self._words(codes.CHANNELS, c["channel"]),
        }
        if "detail" in c:
            out["detail"] = self._words(codes.ACCOUNT_DETAILS, c["detail"])
        if "number" in c:
            out["number"] = self._numbers(c["number"])
        return out | self._session(c)

    def _links(self, c: Columns) -> dict[str, pl.Series]:
        """Accounts or handsets (`a`) that belong to numbers (`b`)."""
        numbers = "number:" + self._numbers(c["b"])
        accounts = "account:" + self._account(c["a"])
        return {
            "source": pl.Series(self.banks, dtype=pl.String).gather(c["source"].astype(np.uint32)),
            "a": accounts,
            "b": numbers,
            "kind": self._words(codes.LINK_KINDS, c["kind"]),
            "from": self.times(c["since"]),
        }


def _where(series: pl.Series, there: Flags) -> pl.Series:
    """The series with null where nothing is there."""
    if there.all():
        return series
    return pl.select(pl.when(pl.Series(there)).then(series).otherwise(None)).to_series()


def _yes_no(values: Array) -> pl.Series:
    """0 absent, 1 no, 2 yes."""
    return _where(pl.Series(values == 2), values > 0)


def _table(texts: list[str]) -> Array:
    """Texts of one length as a table of bytes."""
    return np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(len(texts), -1)


def _clock() -> Array:
    """Every second of a day as hh:mm:ss."""
    return _table([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)])
