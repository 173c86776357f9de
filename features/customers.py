"""What is known of a line's customers: the accounts they pay into, the numbers they ring, and who is on a watch list."""

from typing import Final

from features.accounts import account, street_sums, street_sums_7d
from features.declare import OTHER_ID, Condition, of_other
from features.numbers import (
    contacters_7d,
    contacts_each_7d,
    number,
    rung_for_caller_7d,
    short_calls_7d,
)
from features.rows import MESSAGES, TAKEN, TRANSFERS, Flag, Kind, Role
from features.things import handset

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
    statuses=TAKEN,
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
    "cash_out", words="cash drawn", roles=[Role.PAYER], kinds=[Kind.CASH_WITHDRAWAL], statuses=TAKEN
)
cash_out_7d = cash_out.total("cash_out_7d", within="7d", every="1d", words="cash drawn in a week")
shopping = account.events(
    "shopping", words="purchases by card", roles=[Role.PAYER], kinds=[Kind.CARD], statuses=TAKEN
)
shopping_7d = shopping.count("shopping_7d", within="7d", every="1d", words="purchases by card in a week")
transfers_out = account.events(
    "transfers_out", words="transfers made", roles=[Role.PAYER], kinds=TRANSFERS, statuses=TAKEN
)
payees_7d = transfers_out.distinct(
    "payees_7d", "other", within="7d", every="1d", words="different accounts paid by transfer in a week"
)
street_paid = account.events(
    "street_paid",
    words="small round sums paid to others",
    roles=[Role.PAYER],
    kinds=TRANSFERS,
    statuses=TAKEN,
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
    statuses=TAKEN,
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
    statuses=TAKEN,
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

# Telephone numbers: who is in contact with a number that strangers ring often and briefly.
short_each_7d = number.ratio(
    "short_each_7d",
    short_calls_7d,
    contacters_7d,
    words="answered calls of under a minute in a week for each mobile in contact",
)
_RUNG_BRIEFLY: Final = 1.5
"""Customers ring several times a week and briefly (T4); friends talk, and a shop's customers ring once."""

line_contact = number.events(
    "line_contact",
    words="calls and texts with a number that is rung often and briefly",
    roles=[Role.IN, Role.OUT],
    kinds=(*MESSAGES, Kind.CALL),
    having=[Flag.OTHER_MOBILE, Flag.FINAL],
    when=Condition(of_other(short_each_7d), at_least=_RUNG_BRIEFLY),
)
line_contact_7d = line_contact.count(
    "line_contact_7d",
    within="7d",
    every="1d",
    words="calls and texts in a week with numbers that are rung often and briefly",
)
customer_of = line_contact.known(
    "customer_of", OTHER_ID, words="the number rung often and briefly with which it was last in contact"
)
its_contacters = line_contact.known(
    "its_contacters",
    of_other(contacters_7d),
    words="how many mobiles were in contact with that number in a week",
)
its_contacts_each = line_contact.known(
    "its_contacts_each", of_other(contacts_each_7d), words="times a week that each of them called or texted"
)
its_rung = line_contact.known(
    "its_rung", of_other(rung_for_caller_7d), words="mobiles that number called for each that called it"
)
line_runs = number.events(
    "line_runs",
    words="short calls from a number that is itself rung often and briefly",
    roles=[Role.IN],
    kinds=[Kind.CALL],
    having=[Flag.OTHER_MOBILE, Flag.FINAL, Flag.ANSWERED, Flag.SHORT],
    when=Condition(of_other(short_each_7d), at_least=_RUNG_BRIEFLY),
)
line_runs_7d = line_runs.count(
    "line_runs_7d",
    within="7d",
    every="1d",
    words="short calls in a week from numbers that are themselves rung often and briefly",
)
whereabouts = number.events(
    "whereabouts", words="seen in a cell without calling", roles=[Role.SELF], kinds=[Kind.LOCATION]
)
times_here = whereabouts.pair_count(
    "times_here", "place", words="times it was seen in this cell before without calling"
)

# Watch lists: children reported missing, and numbers known as lines.
child_watch = number.events(
    "child_watch",
    words="reports that the child who has this number is missing",
    roles=[Role.WATCHED],
    kinds=[Kind.WATCH],
    having=[Flag.WATCHED_CHILD],
)
child_missing = child_watch.listed(
    "child_missing", words="the child who has this number is missing (1 yes, 0 no)"
)
handset_child_watch = handset.events(
    "child_watch",
    words="reports that the child who has this handset is missing",
    roles=[Role.WATCHED],
    kinds=[Kind.WATCH],
    having=[Flag.WATCHED_CHILD],
)
handset_child_missing = handset_child_watch.listed(
    "child_missing", words="the child who has this handset is missing (1 yes, 0 no)"
)
line_watch = number.events(
    "line_watch",
    words="this number is known as a deal line or is under an order",
    roles=[Role.WATCHED],
    kinds=[Kind.WATCH],
    having=[Flag.WATCHED_LINE],
)
line_listed = line_watch.listed("line_listed", words="known as a deal line, or under an order (1 yes, 0 no)")
