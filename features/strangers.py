"""What strangers' money does in an account: how much of it there is, whether it goes on, and who the strangers are.

A stranger is a payer to whom the account is a new payee, as the payer's bank says.
"""

from typing import Final

from features.access import since_limit_changed
from features.accounts import received_count_7d
from features.declare import Condition, Events, Of, of_other, since_last
from features.declared import CATALOGUE
from features.payees import first_payments_7d, overrode_24h, paid_in_new
from features.rows import BY_HAND, PAYEES, PAYERS, TAKEN, Entity, Flag, Kind, Role

_SOON: Final = Condition(since_last(paid_in_new), at_most=48 * 3_600.0)
"""Mules who let money lie send it on a day or two later: what follows a stranger's payment so soon may be that money."""

account: Final = Of(CATALOGUE, Entity.ACCOUNT)

onward = account.events(
    "onward",
    words="money sent to new payees within two days of a stranger's payment",
    roles=PAYERS,
    kinds=BY_HAND,
    statuses=TAKEN,
    having=[Flag.NEW_PAYEE],
    when=_SOON,
)
drawn = account.events(
    "drawn",
    words="cash drawn within two days of a stranger's payment",
    roles=[Role.PAYER],
    kinds=[Kind.CASH_WITHDRAWAL],
    statuses=TAKEN,
    when=_SOON,
)
into_quasi_cash = account.events(
    "into_quasi_cash",
    words="spends on crypto, money transfers and gambling within two days of a stranger's payment",
    roles=[Role.PAYER],
    kinds=[Kind.CARD],
    statuses=TAKEN,
    having=[Flag.CASH_LIKE],
    when=_SOON,
)

from_new_7d = paid_in_new.total(
    "from_new_7d", within="7d", every="1d", words="received in a week from people to whom it was new"
)
new_count_share = account.ratio(
    "new_count_share",
    first_payments_7d,
    received_count_7d,
    words="share of the week's receipts that are from people to whom it was new",
)
onward_count_7d = onward.count(
    "onward_count_7d",
    within="7d",
    every="1d",
    words="payments in a week to new payees, each within two days of a stranger's payment",
)
onward_7d = onward.total(
    "onward_7d",
    within="7d",
    every="1d",
    words="sent in a week to new payees within two days of a stranger's payment",
)
onward_share_7d = account.ratio(
    "onward_share_7d", onward_7d, from_new_7d, words="share of strangers' money that went on to new payees"
)
drawn_7d = drawn.total(
    "drawn_7d",
    within="7d",
    every="1d",
    words="cash drawn in a week within two days of a stranger's payment",
)
drawn_share_7d = account.ratio(
    "drawn_share_7d", drawn_7d, from_new_7d, words="cash drawn for each pound of strangers' money"
)
into_quasi_cash_7d = into_quasi_cash.total(
    "into_quasi_cash_7d",
    within="7d",
    every="1d",
    words="spent in a week on crypto, money transfers and gambling within two days of a stranger's payment",
)


# The second pass: strangers who behave as victims or as mules do.
def _strangers(name: str, words: str, when: Condition) -> Events:
    """Payments by strangers of whom something is known."""
    return account.events(
        name, words=words, roles=PAYEES, kinds=BY_HAND, statuses=TAKEN, having=[Flag.NEW_PAYEE], when=when
    )


from_warned = _strangers(
    "from_warned",
    "payments by strangers who had overridden a warning about a name that day",
    Condition(of_other(overrode_24h), at_least=1.0),
)
from_raised = _strangers(
    "from_raised",
    "payments by strangers who had changed their limit within a day",
    Condition(of_other(since_limit_changed), at_most=86_400.0),
)
from_onward = _strangers(
    "from_onward",
    "payments by strangers who send strangers' money on themselves",
    Condition(of_other(onward_count_7d), at_least=1.0),
)
from_warned_7d = from_warned.count(
    "from_warned_7d",
    within="7d",
    every="1d",
    words="payments in a week by strangers who overrode a warning about a name",
)
from_raised_7d = from_raised.count(
    "from_raised_7d",
    within="7d",
    every="1d",
    words="payments in a week by strangers who had just changed their limit",
)
from_onward_7d = from_onward.count(
    "from_onward_7d",
    within="7d",
    every="1d",
    words="payments in a week by strangers who send strangers' money on themselves",
)
