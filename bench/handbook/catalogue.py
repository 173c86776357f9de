"""What is known of a card's holder and of a terminal at the moment of a payment, declared as everywhere in Linewatch.

A catalogue of its own, so that it stays what was measured. It says what any issuer would ask about any payment: is it
usual for this holder, in sum, pace, hour and place; is the terminal's traffic usual; and what has been found out, by
now, about earlier payments of both.
"""

from typing import Final

from features.declare import AMOUNT, Catalogue, Condition, Of
from features.rows import Entity, Kind, Role

CATALOGUE: Final = Catalogue()
ENTITIES: Final = (Entity.ACCOUNT, Entity.TERMINAL)

_WINDOWS: Final = (("1d", "1h", "a day"), ("7d", "6h", "a week"), ("30d", "1d", "30 days"))
_SLOW: Final = 0.01
_YES: Final = Condition(AMOUNT, at_least=1.0)
_NO: Final = Condition(AMOUNT, at_most=0.0)

holder: Final = Of(CATALOGUE, Entity.ACCOUNT)
terminal: Final = Of(CATALOGUE, Entity.TERMINAL)

paid = holder.events("paid", words="payments by card", roles=[Role.PAYER], kinds=[Kind.CARD])
holder_confirmed = holder.events(
    "holder_confirmed", words="confirmed frauds", roles=[Role.LABELLED], kinds=[Kind.LABEL], when=_YES
)
_means, _largest = {}, {}
for _within, _every, _words in _WINDOWS:
    paid.count(f"paid_{_within}", within=_within, every=_every, words=f"payments in {_words}")
    _means[_within] = paid.mean(
        f"mean_{_within}", within=_within, every=_every, words=f"mean payment in {_words}"
    )
    _largest[_within] = paid.largest(
        f"largest_{_within}", within=_within, every=_every, words=f"largest payment in {_words}"
    )
paid.deviation("deviation", words="how far this sum is from the holder's usual")
paid.deviation("deviation_slow", alpha=_SLOW, words="how far this sum is from the holder's usual over long")
paid.deviation("deviation_plain", alpha=_SLOW, log=False, words="the same, not of the logarithm")
paid.usual_hour("usual_hour", words="how usual this time of day is for the holder")
paid.novelty("terminal_new", "place", words="was never paid at before")
paid.pair_age("terminal_known", "place", words="time since the first payment here")
paid.since("since_paid", words="time since the last payment")
paid.distinct("terminals_7d", "place", within="7d", every="1d", words="different terminals in a week")
for _name in ("1d", "7d"):
    holder.ratio(
        f"mean_{_name}_of_usual", _means[_name], _means["30d"], words=f"mean of {_name} over that of 30 days"
    )
holder.ratio("largest_7d_of_usual", _largest["7d"], _means["30d"], words="largest of 7d over the usual sum")
for _within in ("7d", "28d"):
    holder_confirmed.count(
        f"holder_confirmed_{_within}",
        within=_within,
        every="1d",
        words=f"frauds confirmed to the holder in {_within}",
    )
holder_confirmed.since("since_holder_confirmed", words="time since a fraud was confirmed to the holder")

taken = terminal.events("taken", words="payments taken", roles=[Role.TERMINAL], kinds=[Kind.CARD])
told = terminal.events("told", words="outcomes known", roles=[Role.LABELLED], kinds=[Kind.LABEL])
terminal_confirmed = terminal.events(
    "terminal_confirmed", words="confirmed frauds", roles=[Role.LABELLED], kinds=[Kind.LABEL], when=_YES
)
terminal_innocent = terminal.events(
    "terminal_innocent",
    words="payments that proved fine",
    roles=[Role.LABELLED],
    kinds=[Kind.LABEL],
    when=_NO,
)
for _within, _every, _words in _WINDOWS:
    taken.count(f"taken_{_within}", within=_within, every=_every, words=f"payments taken in {_words}")
    told.mean(
        f"confirmed_share_{_within}",
        within=_within,
        every=_every,
        unit="share",
        words=f"share confirmed of the outcomes that became known in {_words}",
    )
    terminal_confirmed.count(
        f"confirmed_{_within}", within=_within, every=_every, words=f"frauds that became known in {_words}"
    )
taken.deviation("taken_deviation", alpha=_SLOW, words="how far this sum is from what is usual here")
terminal_confirmed.since("since_confirmed", words="time since a fraud here became known")
terminal_innocent.since("since_innocent", words="time since a payment here proved fine")
told.known("last_outcome", AMOUNT, words="the latest outcome here that is known")

AMOUNT_NAME: Final = "amount"
OF_MEAN: Final = "amount_of_usual"
"""Two more values are of the payment itself: its sum, and its sum over the holder's mean of 30 days."""

CROSSES: Final = (
    ("amount", "deviation"),
    ("amount", "amount_of_usual"),
    ("amount", "confirmed_share_7d"),
    ("amount", "mean_30d"),
    ("deviation_slow", "largest_7d_of_usual"),
    ("deviation_slow", "mean_7d_of_usual"),
    ("deviation_slow", "since_holder_confirmed"),
    ("deviation", "holder_confirmed_7d"),
    ("amount_of_usual", "holder_confirmed_28d"),
    ("confirmed_share_7d", "taken_7d"),
    ("confirmed_share_7d", "since_innocent"),
    ("last_outcome", "since_confirmed"),
    ("last_outcome", "confirmed_share_30d"),
)
"""Values that mean something else together: a large sum from someone who always pays large sums is nothing."""
