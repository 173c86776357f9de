"""What is known of cards and of the merchants that take them: spends without the card, small tries, what was declined."""

from typing import Final

from events.codes import STATUSES, code_of
from features.declare import AMOUNT, HOME, Condition, Of
from features.declared import CATALOGUE
from features.rows import Entity, Flag, Kind, Role

_TRIED: Final = tuple(code_of(STATUSES, word) for word in ("accepted", "initiated", "rejected"))
_PENCE: Final = 500.0  # testers spend as little as passes unseen: under five pounds

card: Final = Of(CATALOGUE, Entity.CARD)
merchant: Final = Of(CATALOGUE, Entity.MERCHANT)

spent = card.events(
    "spent", words="spends on the card", roles=[Role.CARD], kinds=[Kind.CARD], statuses=_TRIED
)
remote = card.events(
    "remote",
    words="spends without the card being there",
    roles=[Role.CARD],
    kinds=[Kind.CARD],
    statuses=_TRIED,
    having=[Flag.CNP],
)
remote_declined = card.events(
    "remote_declined",
    words="spends without the card that were declined",
    roles=[Role.CARD],
    kinds=[Kind.CARD],
    statuses=_TRIED,
    having=[Flag.CNP, Flag.DECLINED],
)
remote_unproven = card.events(
    "remote_unproven",
    words="spends without the card in which the holder proved nothing, or gave a password alone",
    roles=[Role.CARD],
    kinds=[Kind.CARD],
    statuses=_TRIED,
    having=[Flag.CNP, Flag.WEAK_AUTH],
)

remote_1h = remote.count("remote_1h", within="1h", every="10m", words="spends without the card in an hour")
remote_24h = remote.count("remote_24h", within="24h", every="4h", words="spends without the card in a day")
remote_spent_24h = remote.total(
    "remote_spent_24h", within="24h", every="4h", words="spent without the card in a day"
)
remote_merchants_24h = remote.distinct(
    "remote_merchants_24h",
    "place",
    within="24h",
    every="4h",
    words="different merchants without the card in a day",
)
remote_declined_24h = remote_declined.count(
    "remote_declined_24h", within="24h", every="4h", words="spends without the card declined in a day"
)
remote_unproven_24h = remote_unproven.count(
    "remote_unproven_24h",
    within="24h",
    every="4h",
    words="spends without the card, the holder proving nothing, in a day",
)
remote_device_age = remote.pair_age(
    "remote_device_age", "device", words="time since this device was first used with the card"
)
since_remote = remote.since("since_remote", words="time since the last spend without the card")
card_known = spent.pair_age(
    "card_known", "other", words="time since the card was first seen with this account"
)
remote_deviation = remote.deviation(
    "remote_deviation", words="how far this spend is from the card's usual ones without the card"
)
card_home = spent.known("card_home", HOME, words="force area where the holder lives")

small_tries = merchant.events(
    "small_tries",
    words="spends under five pounds without the card",
    roles=[Role.MERCHANT],
    kinds=[Kind.CARD],
    statuses=_TRIED,
    having=[Flag.CNP],
    when=Condition(AMOUNT, at_most=_PENCE),
)
small_refused = merchant.events(
    "small_refused",
    words="spends under five pounds without the card that were declined",
    roles=[Role.MERCHANT],
    kinds=[Kind.CARD],
    statuses=_TRIED,
    having=[Flag.CNP, Flag.DECLINED],
    when=Condition(AMOUNT, at_most=_PENCE),
)
taken_remotely = merchant.events(
    "taken_remotely",
    words="spends without the card at the merchant",
    roles=[Role.MERCHANT],
    kinds=[Kind.CARD],
    statuses=_TRIED,
    having=[Flag.CNP],
)

small_tries_24h = small_tries.count(
    "small_tries_24h", within="24h", every="4h", words="spends under five pounds without the card in a day"
)
small_cards_24h = small_tries.distinct(
    "small_cards_24h",
    "sim",
    within="24h",
    every="4h",
    words="different cards tried for under five pounds in a day",
)
small_devices_24h = small_tries.distinct(
    "small_devices_24h",
    "device",
    within="24h",
    every="4h",
    words="different devices that tried cards for so little",
)
small_refused_24h = small_refused.count(
    "small_refused_24h", within="24h", every="4h", words="of those, declined in a day"
)
taken_remotely_24h = taken_remotely.count(
    "taken_remotely_24h", within="24h", every="4h", words="spends without the card in a day"
)
small_refused_share = merchant.ratio(
    "small_refused_share",
    small_refused_24h,
    small_tries_24h,
    words="share of the small spends that were declined",
)
cards_a_device = merchant.ratio(
    "cards_a_device", small_cards_24h, small_devices_24h, words="cards tried for under five pounds, a device"
)
small_share = merchant.ratio(
    "small_share", small_tries_24h, taken_remotely_24h, words="share of spends that are under five pounds"
)
