"""What was found out about earlier events of an account, merchant, terminal or cell, as known at the moment of this one.

Fed by labels, recalls and silence (`flows.telling`): a row of each reaches the entity when it becomes known, and not
before. An account is told when it is named as involved, never when it was harmed.
"""

from typing import Final

from features.declare import AMOUNT, Condition, Of
from features.declared import CATALOGUE
from features.rows import Entity, Kind, Role

_YES: Final = Condition(AMOUNT, at_least=1.0)

account: Final = Of(CATALOGUE, Entity.ACCOUNT)
named = account.events(
    "named",
    words="reports that named the account as involved in a crime, and were confirmed",
    roles=[Role.LABELLED],
    kinds=[Kind.LABEL],
    when=_YES,
)
named_28d = named.count(
    "named_28d", within="28d", every="7d", words="times it was named in what was confirmed, in four weeks"
)

for _entity, _words in (
    (Entity.MERCHANT, "at the merchant"),
    (Entity.TERMINAL, "at the terminal"),
    (Entity.CELL, "at the cell"),
):
    _thing = Of(CATALOGUE, _entity)
    _known = _thing.events(
        "outcomes",
        words=f"events {_words} of which it is known what they were",
        roles=[Role.LABELLED],
        kinds=[Kind.LABEL],
    )
    _reported = _thing.events(
        "reported",
        words=f"events {_words} that were confirmed as crime",
        roles=[Role.LABELLED],
        kinds=[Kind.LABEL],
        when=_YES,
    )
    _reported.count(
        "reported_28d", within="28d", every="7d", words=f"events {_words} confirmed as crime in four weeks"
    )
    _known.mean(
        "reported_share_28d",
        within="28d",
        every="7d",
        unit="share",
        words=f"share confirmed as crime of the events {_words} whose outcome became known in four weeks",
    )
    _reported.since("since_reported", words=f"time since an event {_words} became known as crime")
