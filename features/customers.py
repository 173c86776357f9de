"""What is known of an account that a line's customers may pay into, and of those who pay: small round sums, again and again."""

from typing import Final

from events.codes import STATUSES, code_of
from features.accounts import account, street_sums, street_sums_7d
from features.declare import Condition, of_other
from features.rows import TRANSFERS, Flag, Kind, Role

_TAKEN: Final = (code_of(STATUSES, "accepted"), code_of(STATUSES, "initiated"))
_LATE: Final = (20, 21, 22, 23, 0, 1, 2, 3)
_MANY: Final = 5
"""From so many payers of small round sums on, an account is taken for a possible till (signal P1 starts at 8 a week)."""
_OFTEN: Final = 3
"""Who pays so many small round sums in a week does so out of habit."""

street_payers_7d = street_sums.distinct(
    "street_payers_7d",
    "other",
    within="7d",
    every="1d",
    words="different people who paid small round sums in a week",
)
street_largest_7d = street_sums.largest(
    "street_largest_7d", within="7d", every="1d", words="largest small round sum received in a week"
)
street_smallest_7d = street_sums.smallest(
    "street_smallest_7d", within="7d", every="1d", words="smallest small round sum received in a week"
)
street_range_7d = account.ratio(
    "street_range_7d",
    street_largest_7d,
    street_smallest_7d,
    words="largest small round sum over the smallest (one price for all is 1)",
)
late_street = account.events(
    "late_street",
    words="small round sums received late in the evening or at night",
    roles=[Role.PAYEE],
    kinds=TRANSFERS,
    statuses=_TAKEN,
    having=[Flag.ROUND],
    hours=_LATE,
)
late_street_7d = late_street.count(
    "late_street_7d",
    within="7d",
    every="1d",
    words="small round sums received late in the evening or at night, in a week",
)
late_street_share_7d = account.ratio(
    "late_street_share_7d",
    late_street_7d,
    street_sums_7d,
    words="share of the small round sums that came late in the evening or at night",
)
cash_out = account.events(
    "cash_out", words="cash drawn", roles=[Role.PAYER], kinds=[Kind.CASH_WITHDRAWAL], statuses=_TAKEN
)
cash_out_7d = cash_out.total("cash_out_7d", within="7d", every="1d", words="cash drawn in a week")
shopping = account.events(
    "shopping", words="purchases by card", roles=[Role.PAYER], kinds=[Kind.CARD], statuses=_TAKEN
)
shopping_7d = shopping.count("shopping_7d", within="7d", every="1d", words="purchases by card in a week")
transfers_out = account.events(
    "transfers_out", words="transfers made", roles=[Role.PAYER], kinds=TRANSFERS, statuses=_TAKEN
)
payees_7d = transfers_out.distinct(
    "payees_7d", "other", within="7d", every="1d", words="different accounts paid by transfer in a week"
)
street_paid = account.events(
    "street_paid",
    words="small round sums paid to others",
    roles=[Role.PAYER],
    kinds=TRANSFERS,
    statuses=_TAKEN,
    having=[Flag.ROUND],
)
street_paid_7d = street_paid.count(
    "street_paid_7d", within="7d", every="1d", words="small round sums paid to others in a week"
)

# The second pass: knowing the payer.
from_till = account.events(
    "from_till",
    words="money from accounts that many pay small round sums into",
    roles=[Role.PAYEE],
    kinds=TRANSFERS,
    statuses=_TAKEN,
    when=Condition(of_other(street_payers_7d), at_least=_MANY),
)
tills_7d = from_till.distinct(
    "tills_7d",
    "other",
    within="7d",
    every="1d",
    words="different accounts, each paid small round sums by many, that paid in within a week",
)
from_till_7d = from_till.count(
    "from_till_7d",
    within="7d",
    every="1d",
    words="payments in a week from accounts that many pay small round sums into",
)
from_habitual = account.events(
    "from_habitual",
    words="small round sums from people who pay such sums several times a week",
    roles=[Role.PAYEE],
    kinds=TRANSFERS,
    statuses=_TAKEN,
    having=[Flag.ROUND],
    when=Condition(of_other(street_paid_7d), at_least=_OFTEN),
)
from_habitual_7d = from_habitual.count(
    "from_habitual_7d",
    within="7d",
    every="1d",
    words="small round sums in a week from people who pay such sums several times a week",
)
habitual_share_7d = account.ratio(
    "habitual_share_7d",
    from_habitual_7d,
    street_sums_7d,
    words="share of the small round sums that come from people who pay such sums several times a week",
)
