"""What is known of an account: money in, money out, how fast it passes, and from whom."""

from typing import Final

from features.declare import AGE, BORN, HOME, Condition, Of, of_other, since_last
from features.declared import CATALOGUE
from features.rows import BY_HAND, PAYEES, PAYERS, TAKEN, TRANSFERS, Entity, Flag, Kind, Role

_MONEY_IN: Final = (*TRANSFERS, Kind.CASH_DEPOSIT)
_MONEY_OUT: Final = (*TRANSFERS, Kind.CASH_WITHDRAWAL, Kind.CARD)
_PASS_ON_S: Final = 3_600.0  # money gone within the hour is the mark of a mule (median dwell is 12 minutes)

account: Final = Of(CATALOGUE, Entity.ACCOUNT)

received = account.events(
    "received", words="money received", roles=[Role.PAYEE], kinds=_MONEY_IN, statuses=TAKEN
)
received_by_hand = account.events(
    "received_by_hand",
    words="money that somebody sent by hand",
    roles=[Role.PAYEE],
    kinds=BY_HAND,
    statuses=TAKEN,
)
sent = account.events("sent", words="money sent", roles=[Role.PAYER], kinds=_MONEY_OUT, statuses=TAKEN)
moved = account.events(
    "moved",
    words="money moved either way",
    roles=[Role.PAYER, Role.PAYEE],
    kinds=(*_MONEY_IN, *_MONEY_OUT),
    statuses=TAKEN,
)
said = account.events(
    "said",
    words="what records say of the account",
    roles=[*PAYERS, *PAYEES, Role.HOLDER],
    kinds=tuple(Kind),
)

received_count_24h = received.count(
    "received_count_24h", within="24h", every="4h", words="payments received in a day"
)
received_24h = received.total("received_24h", within="24h", every="4h", words="received in a day")
received_7d = received.total("received_7d", within="7d", every="1d", words="received in a week")
received_count_7d = received.count(
    "received_count_7d", within="7d", every="1d", words="payments received in a week"
)
sent_24h = sent.total("sent_24h", within="24h", every="4h", words="sent in a day")
sent_7d = sent.total("sent_7d", within="7d", every="1d", words="sent in a week")
sent_count_24h = sent.count("sent_count_24h", within="24h", every="4h", words="payments sent in a day")
largest_received_7d = received.largest(
    "largest_received_7d", within="7d", every="1d", words="largest sum received in a week"
)

senders_24h = received.distinct(
    "senders_24h", "other", within="24h", every="4h", words="different people who paid in, in a day"
)
senders_7d = received.distinct(
    "senders_7d", "other", within="7d", every="1d", words="different people who paid in, in a week"
)
recipients_24h = sent.distinct(
    "recipients_24h", "other", within="24h", every="4h", words="different accounts paid in a day"
)
payee_new = sent.novelty("payee_new", "other", words="has never paid this account before")
payer_new = received.novelty("payer_new", "other", words="was never paid by this account before")

# Wages, pensions and benefits (Bacs), standing orders and own savings are nobody's stolen money, and on the day they
# come in every household pays on: only what one person sent another by hand can be passed on, by hand or as cash.
passed_on = account.events(
    "passed_on",
    words="money sent by hand or drawn within an hour of receiving some by hand",
    roles=[Role.PAYER],
    kinds=(*BY_HAND, Kind.CASH_WITHDRAWAL),
    statuses=TAKEN,
    when=Condition(since_last(received_by_hand), at_most=_PASS_ON_S),
)
passed_on_24h = passed_on.total(
    "passed_on_24h", within="24h", every="4h", words="sent on within an hour of coming in, in a day"
)
passed_on_7d = passed_on.total(
    "passed_on_7d", within="7d", every="1d", words="sent on within an hour of coming in, in a week"
)
passed_on_count_7d = passed_on.count(
    "passed_on_count_7d",
    within="7d",
    every="1d",
    words="times money went out within an hour of coming in, in a week",
)
dwell_7d = passed_on.mean(
    "dwell_7d",
    within="7d",
    every="1d",
    value=since_last(received_by_hand),
    words="mean time between money in and money out, when within an hour",
    unit="seconds",
)
by_hand_24h = received_by_hand.total(
    "by_hand_24h", within="24h", every="4h", words="received in a day that somebody sent by hand"
)
by_hand_7d = received_by_hand.total(
    "by_hand_7d", within="7d", every="1d", words="received in a week that somebody sent by hand"
)
passed_on_share_24h = account.ratio(
    "passed_on_share_24h",
    passed_on_24h,
    by_hand_24h,
    words="share of the day's receipts by hand sent on within an hour",
)
passed_on_share_7d = account.ratio(
    "passed_on_share_7d",
    passed_on_7d,
    by_hand_7d,
    words="share of the week's receipts by hand sent on within an hour",
)
out_over_in_7d = account.ratio(
    "out_over_in_7d", sent_7d, received_7d, words="sent for each pound received, in a week"
)

street_sums = account.events(
    "street_sums",
    words="small round sums received",
    roles=[Role.PAYEE],
    kinds=TRANSFERS,
    statuses=TAKEN,
    having=[Flag.ROUND],
)
street_sums_7d = street_sums.count(
    "street_sums_7d", within="7d", every="1d", words="small round sums received in a week"
)
street_share_7d = account.ratio(
    "street_share_7d", street_sums_7d, received_count_7d, words="share of receipts that are small round sums"
)

since_active = moved.since("since_active", words="time since the account last moved money")
usual_hour = moved.usual_hour("usual_hour", words="how usual this time of day is for the account")
receipt_deviation = received.deviation(
    "receipt_deviation", words="how far this receipt is from the account's usual"
)
payment_deviation = sent.deviation(
    "payment_deviation", words="how far this payment is from the account's usual"
)
account_age = said.age("account_age", BORN, words="age of the account")
holder_age = said.known("holder_age", AGE, words="age band of the holder", unit="band")
home_force = said.known("home_force", HOME, words="force area where the holder lives")

# The second pass: each party knowing the other's half.
from_strangers = account.events(
    "from_strangers",
    words="money sent by hand by people who had never paid this account",
    roles=[Role.PAYEE],
    kinds=BY_HAND,
    statuses=TAKEN,
    when=Condition(of_other(payee_new), at_least=1.0),
)
strangers_24h = from_strangers.count(
    "strangers_24h", within="24h", every="4h", words="first-time payers in a day"
)
from_strangers_24h = from_strangers.total(
    "from_strangers_24h", within="24h", every="4h", words="received from first-time payers in a day"
)
unusual_for_payer = account.events(
    "unusual_for_payer",
    words="receipts by hand that were far above what their payer usually sends",
    roles=[Role.PAYEE],
    kinds=BY_HAND,
    statuses=TAKEN,
    when=Condition(of_other(payment_deviation), at_least=2.0),
)
unusual_for_payers_7d = unusual_for_payer.count(
    "unusual_for_payers_7d",
    within="7d",
    every="1d",
    words="receipts far above their payer's usual, in a week",
)
from_passers = account.events(
    "from_passers",
    words="money from accounts that themselves pass money on",
    roles=[Role.PAYEE],
    kinds=BY_HAND,
    statuses=TAKEN,
    when=Condition(of_other(passed_on_count_7d), at_least=1.0),
)
from_passers_7d = from_passers.count(
    "from_passers_7d",
    within="7d",
    every="1d",
    words="payments in a week from accounts that pass money on within the hour",
)
from_passers_share_7d = account.ratio(
    "from_passers_share_7d",
    from_passers_7d,
    received_count_7d,
    words="share of the week's receipts that are from accounts that pass money on within the hour",
)
received_knowing = account.events(
    "received_knowing",
    words="money received, knowing the payer",
    roles=[Role.PAYEE],
    kinds=_MONEY_IN,
    statuses=TAKEN,
    second_pass=True,
)
payers_force = received_knowing.usual_place(
    "payers_force", of_other(home_force), words="force area where most payers live"
)
payers_force_share = received_knowing.usual_place_share(
    "payers_force_share", of_other(home_force), words="share of payers in that force area"
)
forwarded_to_mule_like = account.events(
    "forwarded_to_mule_like",
    words="money sent to an account that itself passes money on",
    roles=[Role.PAYER],
    kinds=BY_HAND,
    statuses=TAKEN,
    when=Condition(of_other(passed_on_count_7d), at_least=2.0),
)
to_mule_like_7d = forwarded_to_mule_like.total(
    "to_mule_like_7d", within="7d", every="1d", words="sent in a week to accounts that pass money on"
)
