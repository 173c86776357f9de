"""The contract's closed word lists as small numbers: past the door a frame holds codes, never words.

A code is a word's place in its list, plus one; 0 means absent. Lists may grow at the end only: codes are kept
in ledgers and snapshots.
"""

from typing import Final

Words = tuple[str, ...]

RAILS: Final[Words] = (
    "fps", "chaps", "bacs", "card", "cash_deposit", "cash_withdrawal",
    "internal", "direct_debit", "standing_order", "wallet",
)  # fmt: skip
STATUSES: Final[Words] = ("initiated", "accepted", "rejected", "returned", "recalled")
CHANNELS: Final[Words] = (
    "mobile_app", "web", "branch", "telephone", "atm", "pos", "ecommerce", "open_banking", "batch",
    "voucher", "cash", "card", "app", "store", "call",
)  # fmt: skip
AGE_BANDS: Final[Words] = ("u16", "16-17", "18-20", "21-24", "25-34", "35-49", "50-64", "65-79", "80+")
ENTRY_MODES: Final[Words] = ("chip", "contactless", "swipe", "ecommerce", "moto", "token")
COP_RESULTS: Final[Words] = ("match", "close_match", "no_match", "unavailable")
AUTHS: Final[Words] = ("none", "password", "otp", "biometric", "exempt")
REFERENCE_KINDS: Final[Words] = ("blank", "emoji", "word", "text")

ACCOUNT_KINDS: Final[Words] = (
    "login", "login_failed", "device_added", "detail_changed", "payee_added", "limit_changed",
    "credential_reset", "card_issued", "opened", "closed", "restricted",
)  # fmt: skip
ACCOUNT_DETAILS: Final[Words] = ("phone", "email", "address")

TELECOM_KINDS: Final[Words] = (
    "call", "sms", "mms", "data", "location", "sim_change", "device_change", "port", "topup", "forwarding",
)  # fmt: skip
DIRECTIONS: Final[Words] = ("mo", "mt")
PHASES: Final[Words] = ("start", "end", "complete")
OTHER_KINDS: Final[Words] = ("msisdn", "short_code", "alphanumeric", "withheld")
INGRESSES: Final[Words] = ("on_net", "national", "international")

NUMBER_CLASSES: Final[Words] = (
    "mobile", "geographic", "non_geographic", "freephone", "premium", "short_code", "alphanumeric",
    "withheld", "international", "test", "invalid",
)  # fmt: skip
"""What a number is, derived at the door before it becomes a token."""

LABELS: Final[Words] = ("confirmed", "innocent", "unclear")
LABEL_ROLES: Final[Words] = ("complicit", "deceived", "coerced", "victim")
SUBJECT_CATEGORIES: Final[Words] = ("suspect", "convicted", "victim", "possible_victim", "witness", "unknown")
LABEL_ORIGINS: Final[Words] = ("analyst", "customer", "bank", "recall", "court", "random_review")
LINK_KINDS: Final[Words] = ("registered", "uses", "lives_at", "owns")
WATCH_WHATS: Final[Words] = ("number", "imei", "account")
WATCH_WHYS: Final[Words] = ("deal_line", "restricted", "missing_child", "stolen_handset", "mule_marker")

STREAMS: Final[Words] = ("control", "watch", "links", "accounts", "telecoms", "payments", "labels")
"""The inputs, in the order in which rows of one recorded instant are taken."""

TOKEN_KINDS: Final[Words] = (
    "account", "party", "number", "sim", "card_sim", "handset", "cell", "device", "ip", "terminal",
    "merchant", "card", "agent", "payment", "call", "address",
)  # fmt: skip
"""What a token stands for; the kind is part of what is hashed, so one value under two kinds gives two tokens."""


def code_of(words: Words, word: str) -> int:
    """The code of a word: its place plus one.

    Raises:
        ValueError: the word is not in the list.
    """
    return words.index(word) + 1


def word_of(words: Words, code: int) -> str | None:
    """The word of a code, or nothing for 0 (absent)."""
    return words[code - 1] if code else None
