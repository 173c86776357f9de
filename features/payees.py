"""Whom an account pays: payees new to it, names that do not match, sums far above the usual, series to one payee."""

from typing import Final

from features.declare import AMOUNT, BALANCE, Of
from features.declared import CATALOGUE
from features.rows import BY_HAND, PAYEES, PAYERS, TAKEN, Entity, Flag, Kind, Role

account: Final = Of(CATALOGUE, Entity.ACCOUNT)

paid = account.events(
    "paid", words="payments made by hand", roles=[Role.PAYER], kinds=BY_HAND, statuses=TAKEN
)
paid_new = account.events(
    "paid_new",
    words="payments to payees new to the account, as its bank says",
    roles=PAYERS,
    kinds=BY_HAND,
    statuses=TAKEN,
    having=[Flag.NEW_PAYEE],
)
misnamed = account.events(
    "misnamed",
    words="payments whose payee's name did not match",
    roles=PAYERS,
    kinds=BY_HAND,
    statuses=TAKEN,
    having=[Flag.COP_BAD],
)
overrode = account.events(
    "overrode",
    words="payments made although the payee's name did not match",
    roles=PAYERS,
    kinds=BY_HAND,
    statuses=TAKEN,
    having=[Flag.COP_OVERRIDDEN],
)
told_of_paid = account.events(
    "told_of_paid",
    words="payments made by hand, as often as they are told of",
    roles=PAYERS,
    kinds=BY_HAND,
    statuses=TAKEN,
)
from_own = account.events(
    "from_own", words="money from own savings", roles=[Role.PAYEE], kinds=[Kind.INTERNAL], statuses=TAKEN
)
paid_in_new = account.events(
    "paid_in_new",
    words="money from payers to whom this payee was new",
    roles=PAYEES,
    kinds=BY_HAND,
    statuses=TAKEN,
    having=[Flag.NEW_PAYEE],
)
paid_in_misnamed = account.events(
    "paid_in_misnamed",
    words="money whose payer had another name for the payee",
    roles=PAYEES,
    kinds=BY_HAND,
    statuses=TAKEN,
    having=[Flag.COP_BAD],
)

payee_age = told_of_paid.pair_age("payee_age", "other", words="time since this payee was first paid")
payment_amount = told_of_paid.known("payment_amount", AMOUNT, words="the payment", unit="pence")
transfer_deviation = paid.deviation(
    "transfer_deviation", words="how far this payment is above the account's usual payments by hand"
)
balance_left = told_of_paid.known("balance_left", BALANCE, words="balance after the payment", unit="pence")
new_payees_24h = paid_new.count(
    "new_payees_24h", within="24h", every="4h", words="payments to new payees in a day"
)
to_new_payees_24h = paid_new.total(
    "to_new_payees_24h", within="24h", every="4h", words="sent to new payees in a day"
)
misnamed_24h = misnamed.count(
    "misnamed_24h", within="24h", every="4h", words="payments in a day whose payee's name did not match"
)
overrode_24h = overrode.count(
    "overrode_24h", within="24h", every="4h", words="payments in a day made although the name did not match"
)
from_own_24h = from_own.total(
    "from_own_24h", within="24h", every="4h", words="brought in from own savings in a day"
)
first_payments_7d = paid_in_new.count(
    "first_payments_7d", within="7d", every="1d", words="payments in a week from people to whom it was new"
)
misnamed_7d = paid_in_misnamed.count(
    "misnamed_7d", within="7d", every="1d", words="payments in a week whose payer had another name for it"
)
new_payees_30d = paid_new.count(
    "new_payees_30d", within="30d", every="5d", words="payments to new payees in a month"
)
to_new_payees_30d = paid_new.total(
    "to_new_payees_30d", within="30d", every="5d", words="sent to payees when they were new, in a month"
)
misnamed_30d = misnamed.count(
    "misnamed_30d", within="30d", every="5d", words="payments in a month whose payee's name did not match"
)
paid_before = paid.pair_count("paid_before", "other", words="earlier payments to this payee")
paid_before_total = paid.pair_total("paid_before_total", "other", words="sent to this payee before")
since_paid = paid.pair_since("since_paid", "other", words="time since this payee was last paid")
