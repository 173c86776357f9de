"""Frames past the door: which columns each stream's rows have once identifiers are tokens and words are codes.

Every frame starts with the same columns (`COMMON`); then come the stream's own. Conventions:

* times are microseconds since 1970 UTC (Int64); absent = `NO_TIME`;
* a token is 128 bits in two UInt64 columns, `NAME_hi` and `NAME_lo`; both 0 = absent;
* a word from a closed list is its code (UInt8, see `events.codes`); 0 = absent;
* a yes or no that may be absent is 0 absent, 1 no, 2 yes (UInt8);
* a number that may be absent is Float64 with NaN; money is in minor units;
* a force is its row in the table of forces (`places.forces`), 0 = unknown.

No column is ever null. Outside `COMMON`, a column in which every value is absent is left out of the frame (most
suppliers fill a fraction of them, and an empty column costs as much to carry as a full one): read one with
`column`, which gives the absent value in its place.
"""

import math
from typing import Final

import polars as pl

NO_TIME: Final = -(2**62)
"""The time that stands for "not said"."""

Schema = dict[str, pl.DataType | type[pl.DataType]]


def _tokens(*names: str) -> Schema:
    return {f"{name}_{half}": pl.UInt64 for name in names for half in ("hi", "lo")}


def _of(dtype: type[pl.DataType], *names: str) -> Schema:
    return dict.fromkeys(names, dtype)


COMMON: Final[Schema] = {
    "seq": pl.Int64,  # the row's place in the one order; -1 until the sequencer gives it
    "ts": pl.Int64,
    "recorded_ts": pl.Int64,
    "event_id": pl.String,
    "source": pl.String,
    "basis": pl.String,
}

PAYMENTS: Final[Schema] = COMMON | {
    **_of(pl.UInt8, "rail", "status", "channel", "entry_mode", "cop", "auth", "reference_kind"),
    **_of(pl.UInt8, "payer_age_band", "payee_age_band", "payer_force", "payee_force", "force"),
    **_of(pl.UInt8, "cop_overridden", "new_payee"),
    # legs: which roles this record informs (1) or had already been taken from another record of the payment (0)
    **_of(pl.UInt8, "take_payer", "take_payee"),
    "adds": pl.UInt8,  # what it is the first to say of a payment of which a role had been taken: see `events.legs`
    "status_reason": pl.String,  # ISO reason code, "" = absent
    "decline_reason": pl.String,
    "currency": pl.String,
    "mcc": pl.UInt16,  # 0 = absent
    "amount_minor": pl.Float64,  # NaN on a status record whose payment is no longer remembered
    **_of(pl.Float64, "payer_balance_minor", "payee_balance_minor", "lat", "lon"),
    **_of(pl.Int64, "payer_opened", "payee_opened"),  # midnight UTC of the day, NO_TIME = absent
    **_tokens(
        "payment", "payer_account", "payee_account", "payer_agent", "payee_agent", "payer_party", "payee_party",
        "payer_phone", "payee_phone", "device", "ip", "ip_prefix", "terminal", "merchant", "card", "card_issuer",
        "beneficiary",
    ),
}  # fmt: skip

ACCOUNTS: Final[Schema] = COMMON | {
    **_of(pl.UInt8, "kind", "channel", "detail"),
    **_tokens("account", "device", "ip", "ip_prefix", "number"),
}

TELECOMS: Final[Schema] = COMMON | {
    **_of(pl.UInt8, "kind", "direction", "phase", "other_kind", "ingress", "channel", "age_band", "force"),
    **_of(pl.UInt8, "answered", "prepaid"),
    **_of(pl.UInt8, "number_class", "other_class", "network_class"),  # codes of NUMBER_CLASSES
    **_of(pl.UInt16, "number_country", "other_country", "network_country"),  # E.164 calling code, 0 = unknown
    "informs_other": pl.UInt8,  # 1 when the source reports both legs, so the record informs the other party too
    **_of(pl.UInt32, "imsi_plmn", "tac", "visited_plmn"),  # PLMN as MCC*1000+MNC; TAC as its 8 digits
    **_of(pl.Float64, "duration_s", "bytes_up", "bytes_down", "lat", "lon", "amount_minor"),
    "sim_activated": pl.Int64,
    **_tokens(
        "number", "other", "other_prefix", "network", "call", "imsi", "iccid", "imei",
        "previous_imsi", "previous_imei", "previous_iccid", "cell", "cell_end", "paid_by",
    ),
}  # fmt: skip

LABELS: Final[Schema] = (
    COMMON
    | {
        **_of(pl.UInt8, "label", "role", "origin", "subject_category"),
        "subjects": pl.String,  # whom it speaks of: kind:token, a blank between; under both keys while one is rotated
        "about_kind": pl.String,  # alert, event, account or number
        "about_id": pl.String,  # the alert's or the event's id; "" when `about` is a token
        "typology": pl.String,
        "reason_code": pl.String,
        "by": pl.String,
        **_tokens("about"),
    }
)

LINKS: Final[Schema] = COMMON | {
    **_of(pl.UInt8, "kind", "a_kind", "b_kind"),  # kinds are codes of TOKEN_KINDS
    **_of(pl.Int64, "from_ts", "to_ts"),
    **_tokens("a", "b"),
}

WATCH: Final[Schema] = COMMON | {
    **_of(pl.UInt8, "what", "why"),
    **_of(pl.Int64, "from_ts", "to_ts"),
    **_tokens("value"),
}

CONTROL: Final[Schema] = COMMON | {
    "kind": pl.String,  # activate, threshold, decision, snooze, basis
    "detector": pl.String,
    "body": pl.String,  # the rest, as JSON
}

FRAMES: Final[dict[str, Schema]] = {
    "payments": PAYMENTS,
    "accounts": ACCOUNTS,
    "telecoms": TELECOMS,
    "labels": LABELS,
    "links": LINKS,
    "watch": WATCH,
    "control": CONTROL,
}


ABSENT_OF: Final[dict[pl.DataType | type[pl.DataType], float | int | str]] = {
    pl.UInt8: 0,
    pl.UInt16: 0,
    pl.UInt32: 0,
    pl.UInt64: 0,
    pl.Int64: NO_TIME,
    pl.Float64: math.nan,
    pl.String: "",
}
"""What stands for "absent" in a column of each type."""


def column(frame: pl.DataFrame, stream: str, name: str) -> pl.Series:
    """A column of a stream's frame, or its absent value on every row when the frame leaves it out."""
    if name in frame.columns:
        return frame[name]
    dtype = FRAMES[stream][name]
    values: pl.Series = pl.repeat(ABSENT_OF[dtype], frame.height, dtype=dtype, eager=True)
    return values.alias(name)


def empty(stream: str) -> pl.DataFrame:
    """A frame of a stream with its columns and no rows."""
    return pl.DataFrame(schema=FRAMES[stream])
