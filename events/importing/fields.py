"""The contract's fields as an import map sees them: for each stream, what kind of value each field takes."""

from dataclasses import dataclass
from typing import Final, Literal

from events import codes
from events.codes import Words

Kind = Literal[
    "text",
    "id",
    "word",
    "minor",
    "signed_minor",
    "real",
    "yes_no",
    "time",
    "day",
    "number",
    "any_number",
    "list",
]


@dataclass(frozen=True, slots=True)
class ContractField:
    """One field of a stream: the kind of its value, and its closed list of words where it has one."""

    kind: Kind
    words: Words = ()


def _all(kind: Kind, names: str) -> dict[str, ContractField]:
    return {name: ContractField(kind) for name in names.split()}


def _word(words: Words, *names: str) -> dict[str, ContractField]:
    return {name: ContractField("word", words) for name in names}


_COMMON: Final = _all("id", "event_id") | _all("time", "ts recorded_ts") | _all("text", "source basis")

_PAYMENT_CHANNELS: Final = codes.CHANNELS[:9]
_TOPUP_CHANNELS: Final = codes.CHANNELS[9:13]
_SUBJECT_CATEGORIES: Final = ("suspect", "convicted", "victim", "possible_victim", "witness", "unknown")

FIELDS: Final[dict[str, dict[str, ContractField]]] = {
    "payments": _COMMON
    | _word(codes.RAILS, "rail")
    | _word(codes.STATUSES, "status")
    | _word(_PAYMENT_CHANNELS, "channel")
    | _word(codes.AGE_BANDS, "payer_age_band", "payee_age_band")
    | _word(codes.ENTRY_MODES, "entry_mode")
    | _word(codes.COP_RESULTS, "cop")
    | _word(codes.AUTHS, "auth")
    | _all("minor", "amount_minor")
    | _all("signed_minor", "payer_balance_minor payee_balance_minor")
    | _all("real", "lat lon")
    | _all("yes_no", "cop_overridden new_payee")
    | _all("day", "payer_opened payee_opened")
    | _all("number", "payer_phone payee_phone")
    | _all("any_number", "beneficiary_number")
    | _all(
        "text",
        "payment_id status_reason currency payer_account payee_account payer_agent payee_agent payer_party "
        "payee_party payer_force payee_force device_id ip terminal_id merchant_id mcc card decline_reason "
        "force reference",
    ),
    "accounts": _COMMON
    | _word(codes.ACCOUNT_KINDS, "kind")
    | _word(_PAYMENT_CHANNELS + codes.CHANNELS[12:], "channel")
    | _word(codes.ACCOUNT_DETAILS, "detail")
    | _all("number", "number")
    | _all("text", "account device_id ip"),
    "telecoms": _COMMON
    | _word(codes.TELECOM_KINDS, "kind")
    | _word(codes.DIRECTIONS, "direction")
    | _word(codes.PHASES, "phase")
    | _word(codes.OTHER_KINDS, "other_kind")
    | _word(codes.INGRESSES, "ingress")
    | _word(_TOPUP_CHANNELS + codes.CHANNELS[13:], "channel")
    | _word(codes.AGE_BANDS, "age_band")
    | _all("number", "number")
    | _all("any_number", "other_number network_number")
    | _all("minor", "amount_minor")
    | _all("real", "duration_s bytes_up bytes_down lat lon")
    | _all("yes_no", "answered prepaid")
    | _all("day", "sim_activated")
    | _all(
        "text",
        "call_id imsi iccid imei previous_imsi previous_imei previous_iccid cell "
        "cell_end force paid_by visited_plmn",
    ),
    "labels": _COMMON
    | _word(codes.LABELS, "label")
    | _word(codes.LABEL_ROLES, "role")
    | _word(codes.LABEL_ORIGINS, "origin")
    | _word(_SUBJECT_CATEGORIES, "subject_category")
    | _all("text", "about typology reason_code by note")
    | _all("list", "subjects"),
    "links": _COMMON
    | _word(codes.LINK_KINDS, "kind")
    | _all("text", "a b")
    | _all("time", "from to"),
    "watch": _COMMON
    | _word(codes.WATCH_WHATS, "what")
    | _word(codes.WATCH_WHYS, "why")
    | _all("text", "value")
    | _all("time", "from to"),
}  # fmt: skip
"""What a map may fill, stream by stream."""

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "payments": ("event_id", "ts", "rail", "amount_minor"),
    "accounts": ("event_id", "ts", "account", "kind"),
    "telecoms": ("event_id", "ts", "kind", "number"),
    "labels": ("event_id", "ts", "about", "label"),
    "links": ("event_id", "ts", "a", "b", "kind"),
    "watch": ("event_id", "ts", "what", "value", "why"),
}
"""What a record must carry. A payment's status record needs less: `STATUS_REQUIRED`."""

STATUS_REQUIRED: Final = ("event_id", "ts", "payment_id")
"""What a record needs that only reports a payment's later status (any but `accepted`)."""

ONE_OF: Final[dict[str, tuple[str, ...]]] = {"payments": ("payer_account", "payee_account")}
"""Fields of which a record must carry at least one."""

CONTENT: Final = ("text", "body", "content", "message", "audio", "url")
"""Fields that would carry what people said: never imported, not even into `ext`."""

LONGEST_ID: Final = 64
"""The contract's limit for an `event_id`."""
