"""Role rows: one event as each entity in it sees it.

A payment has a payer's row and a payee's row, and one each for its card, terminal, merchant and device; a telecoms
record has a row for the number, and for its SIM, handset and cell. Kernels walk role rows and nothing else, so every
stream looks the same to them.
"""

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from events.codes import STATUSES, code_of

Rows = npt.NDArray[np.void]

# Aligned, so that a row is a whole number of 64-bit words and can be moved as such.
ROW: Final = np.dtype(
    [
        ("seq", "i8"),
        ("ts", "i8"),  # microseconds since 1970 UTC
        ("recorded", "i8"),
        ("own_hi", "u8"),  # whose row it is
        ("own_lo", "u8"),
        ("other_hi", "u8"),  # the party on the other side; for a thing (card, handset...) its holder
        ("other_lo", "u8"),
        ("phone_hi", "u8"),  # the number registered to the account whose row it is
        ("phone_lo", "u8"),
        ("device_hi", "u8"),
        ("device_lo", "u8"),  # payment: the payer's device; telecoms: the handset
        ("sim_lo", "u8"),  # payment: the card; telecoms: the SIM
        ("place_hi", "u8"),
        ("place_lo", "u8"),  # payment: the terminal, else the merchant; telecoms: the cell
        ("third_lo", "u8"),  # whom else it concerns: see THIRDS
        ("value", "f8"),  # minor units; seconds of a call; bytes of data; of a link or watch row until when
        ("balance", "f8"),  # own balance after the payment, minor units
        ("born", "f8"),  # when the account was opened or the SIM activated; NaN = not said
        ("flags", "i8"),  # Flag
        ("lat", "f4"),
        ("lon", "f4"),
        ("mcc", "u2"),
        ("country", "u2"),  # calling code of the other number
        ("kind", "u1"),  # Kind
        ("role", "u1"),  # Role
        ("status", "u1"),  # code of events.codes.STATUSES
        ("force", "u1"),  # where it happened
        ("home", "u1"),  # where the owner lives, when the record says so
        ("age", "u1"),  # code of events.codes.AGE_BANDS, own
        ("other_class", "u1"),  # code of events.codes.NUMBER_CLASSES
        ("shadow", "u1"),  # 1: only keeps state under a new key while tokens are being rotated; never scored
        ("side", "u1"),  # 0 payer or the record's own number, 1 payee or the other number
        ("sends", "u1"),  # 1: the party at `other` has a row of its own in this event and is told this half
    ],
    align=True,
)


THIRDS: Final = {
    "payment": "the number that a top-up or ticket was bought for; of a thing's row the account paid",
    "account": "the block of addresses it was reached from",
    "telecoms": "the number the network knows, or who paid a top-up; of a thing's row the other number",
}
"""What `third_lo` stands for, by record."""


class Entity(IntEnum):
    """What has a memory of its own."""

    ACCOUNT = 0
    CARD = 1
    TERMINAL = 2
    MERCHANT = 3
    DEVICE = 4
    NUMBER = 5
    SIM = 6
    HANDSET = 7
    CELL = 8


SUBJECTS: Final = (Entity.ACCOUNT, Entity.NUMBER)
"""The entities that detectors score: they have a second pass."""


class Role(IntEnum):
    """The part an entity plays in an event."""

    PAYER = 0
    PAYEE = 1
    HOLDER = 2  # of an account that something happened to
    OUT = 3  # the number that called or texted
    IN = 4  # the number that was called or texted
    SELF = 5  # the number of any other telecoms record
    CARD = 6
    TERMINAL = 7
    MERCHANT = 8
    DEVICE = 9
    SIM = 10
    HANDSET = 11
    CELL = 12
    LINKED = 13  # a link was told of this account or number
    WATCHED = 14  # a watch list names this account or number
    PEEK = 15  # not told of the event (its own supplier will): looked at for the other party's sake, never changed
    HEARD = (
        16  # a number that called or texted and that no supplier here speaks for: known from who was called
    )
    REACHED = 17  # such a number (foreign or premium rate) that was called or texted: known from who called
    LABELLED = 18  # something was found out about an earlier event that this entity was in
    PAYER_MORE = 19  # the payer again: what another record of the payment adds. Its money is counted already
    PAYEE_MORE = 20  # the payee again


ENTITY_OF: Final[dict[Role, tuple[Entity, ...]]] = {
    Role.PAYER: (Entity.ACCOUNT,),
    Role.PAYEE: (Entity.ACCOUNT,),
    Role.HOLDER: (Entity.ACCOUNT,),
    Role.OUT: (Entity.NUMBER,),
    Role.IN: (Entity.NUMBER,),
    Role.SELF: (Entity.NUMBER,),
    Role.CARD: (Entity.CARD,),
    Role.TERMINAL: (Entity.TERMINAL,),
    Role.MERCHANT: (Entity.MERCHANT,),
    Role.DEVICE: (Entity.DEVICE,),
    Role.SIM: (Entity.SIM,),
    Role.HANDSET: (Entity.HANDSET,),
    Role.CELL: (Entity.CELL,),
    Role.LINKED: SUBJECTS,
    Role.WATCHED: (Entity.ACCOUNT, Entity.NUMBER, Entity.HANDSET),
    Role.HEARD: (Entity.NUMBER,),
    Role.REACHED: (Entity.NUMBER,),
    Role.LABELLED: tuple(Entity),
    Role.PAYER_MORE: (Entity.ACCOUNT,),
    Role.PAYEE_MORE: (Entity.ACCOUNT,),
}


PAYERS: Final = (Role.PAYER, Role.PAYER_MORE)
"""For what a record says of a payment rather than for the payment: a flag comes with one of the two rows, never both."""
PAYEES: Final = (Role.PAYEE, Role.PAYEE_MORE)


class Kind(IntEnum):
    """What happened, over all streams; below 64, so that a set of kinds is one 64-bit mask."""

    FPS = 1
    CHAPS = 2
    BACS = 3
    CARD = 4
    CASH_DEPOSIT = 5
    CASH_WITHDRAWAL = 6
    INTERNAL = 7
    DIRECT_DEBIT = 8
    STANDING_ORDER = 9
    WALLET = 10
    LOGIN = 11
    LOGIN_FAILED = 12
    DEVICE_ADDED = 13
    DETAIL_CHANGED = 14
    PAYEE_ADDED = 15
    LIMIT_CHANGED = 16
    CREDENTIAL_RESET = 17
    CARD_ISSUED = 18
    OPENED = 19
    CLOSED = 20
    RESTRICTED = 21
    CALL = 22
    SMS = 23
    MMS = 24
    DATA = 25
    LOCATION = 26
    SIM_CHANGE = 27
    DEVICE_CHANGE = 28
    PORT = 29
    TOPUP = 30
    FORWARDING = 31
    LINK = 40
    WATCH = 41
    LABEL = 42  # its value is 1 when the earlier event was confirmed, 0 when it was innocent


RAIL_BASE: Final = 0
ACCOUNT_KIND_BASE: Final = 10
TELECOM_KIND_BASE: Final = 21
"""A `Kind` is the stream's own code (events.codes) plus the stream's base."""

PAYMENT_KINDS: Final = tuple(Kind(k) for k in range(1, 11))
TRANSFERS: Final = (Kind.FPS, Kind.CHAPS, Kind.BACS, Kind.INTERNAL, Kind.STANDING_ORDER, Kind.WALLET)
BY_HAND: Final = (Kind.FPS, Kind.CHAPS, Kind.WALLET)
"""What a person sends to another party, one by one."""
MESSAGES: Final = (Kind.SMS, Kind.MMS)
TAKEN: Final = (code_of(STATUSES, "accepted"), code_of(STATUSES, "initiated"))
"""The statuses of payments that went through, or are about to."""


class Flag(IntEnum):
    """Yes-or-no facts of a role row, as bits of `flags`."""

    NEW_PAYEE = 1 << 0  # the bank says this payee is new to the payer
    COP_BAD = 1 << 1  # Confirmation of Payee: no match or a close match
    COP_OVERRIDDEN = 1 << 2
    ROUND = 1 << 3  # a street sum: see ROUND_SUMS_MINOR
    QUIET_REFERENCE = 1 << 4  # blank, emoji or one word
    DECLINED = 1 << 5
    ANSWERED = 1 << 6
    PREPAID = 1 << 7
    STARTING = 1 << 8  # a call that has begun and is not yet over
    OTHER_MOBILE = 1 << 9  # the other number is an ordinary mobile, or a token that came without a class
    OTHER_SERVICE = 1 << 10  # short code, alphanumeric sender, freephone, premium
    OTHER_FIXED = 1 << 11  # a landline or a non-geographic number
    MINOR = 1 << 12  # the owner is under 18
    SHORT = 1 << 13  # a call under a minute
    FINAL = 1 << 14  # the record of a call that is over (or was complete), or of anything but a call
    AWAY = 1 << 15  # a payment outside the force in which its account's holder lives
    ROAMING = 1 << 16  # in the network of another country than the SIM's
    ABROAD_IN = 1 << 17  # came in from abroad, whatever number it shows
    OTHER_FOREIGN = 1 << 18  # the other number is of another country (neither UK nor of the range for tests)
    OTHER_PREMIUM = 1 << 19  # the other number is premium rate
    OTHER_WITHHELD = 1 << 20
    FROM_SENDER = 1 << 21  # the other is a sender's name or a short code
    SPOOFED = 1 << 22  # the number the network knows for the caller is not the one shown
    UNREACHED = 1 << 23  # a call that was not answered, or was over within UNREACHED_S
    OUTGOING = 1 << 24  # the row's number called or texted; of a thing's row, whoever used it
    CNP = 1 << 25  # card not present: e-commerce, mail or telephone order
    CONTACTLESS = 1 << 26
    CASH_LIKE = 1 << 27  # as good as cash: see CASH_LIKE_MCC
    TRAVEL = 1 << 28  # see TRAVEL_MCC
    TOPUP_FOR_OTHER = 1 << 29  # bought for a phone: the record names whose (`third`)
    REMOTE = 1 << 30  # by app, web, telephone or through another provider: nobody was seen
    BY_TELEPHONE = 1 << 31
    WEAK_AUTH = 1 << 32  # no authentication, or a password alone
    PAID_CASH = 1 << 33  # a top-up by voucher or cash
    YOUNG = 1 << 34  # the owner is 16 to 24
    OLDER = 1 << 35  # the owner is 65 or over
    FOREIGN = 1 << 36  # the row's own number is of another country; told of HEARD and REACHED only
    PREMIUM = 1 << 37  # the row's own number is premium rate; told of HEARD and REACHED only
    WATCHED_CHILD = 1 << 38  # watch row: a missing child
    WATCHED_LINE = 1 << 39  # watch row: a deal line, or a number under a restriction order
    WATCHED_HANDSET = 1 << 40  # watch row: a stolen handset
    WATCHED_MULE = 1 << 41  # watch row: a mule marker
    CHANGED_PHONE = 1 << 42  # which detail an account's record is of
    CHANGED_EMAIL = 1 << 43
    CHANGED_ADDRESS = 1 << 44
    OTHER_COSTLY = 1 << 45  # the other number is foreign or premium rate: it may earn by what is spent on it


ROUND_SUMS_MINOR: Final = tuple(p * 100 for p in (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100))
"""Street prices in pence: the sums of the national picture of county lines payments (signal P1)."""

SHORT_CALL_S: Final = 60.0
"""A short call: orders to a deal line take well under a minute (signal T4)."""


UNREACHED_S: Final = 3.0
"""A call this short reached nobody: what is left to call back is the missed call (one ring)."""

CASH_LIKE_MCC: Final = (4829, 6010, 6011, 6051, 7995)
"""Money transfer, cash over the counter and from machines, quasi-cash and crypto, gambling (ISO 18245)."""

TRAVEL_MCC: Final = (4111, 4112, 4121, 4131, 4722, 6513, 7011, 7512, *range(3501, 4000))
"""Local transport, rail, taxi, coach, travel agents, lets, hotels (also by chain), car hire (ISO 18245)."""


def chosen(rows: Rows, order: npt.NDArray[np.int64]) -> Rows:
    """Rows by their places: moved as whole words, ten times faster than field by field."""
    words = np.ascontiguousarray(rows).view(np.uint64).reshape(len(rows), -1)
    return words[order].reshape(-1).view(ROW)


def joined(parts: list[Rows]) -> Rows:
    """Several runs of rows as one (NumPy's own `concatenate` would take the alignment out)."""
    words = [np.ascontiguousarray(part).view(np.uint64) for part in parts]
    return np.concatenate(words).view(ROW)


def empty_rows(n: int) -> Rows:
    """`n` role rows with everything absent."""
    rows = np.zeros(n, dtype=ROW)
    for name in ("value", "balance", "born", "lat", "lon"):
        rows[name] = np.nan
    return rows
