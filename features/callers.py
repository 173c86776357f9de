"""Who rings a number: whether they were ever in contact before, and whether calls are told of while they go on."""

from typing import Final

from features.declare import AMOUNT, Of
from features.declared import CATALOGUE
from features.rows import Entity, Flag, Kind, Role

number: Final = Of(CATALOGUE, Entity.NUMBER)

calls_with = number.events(
    "calls_with",
    words="calls with somebody, also while they go on",
    roles=[Role.IN, Role.OUT],
    kinds=[Kind.CALL],
)
calls_over = number.events(
    "calls_over", words="calls taken that are over", roles=[Role.IN], kinds=[Kind.CALL], having=[Flag.FINAL]
)
calls_begun = number.events(
    "calls_begun",
    words="calls told of when they began",
    roles=[Role.IN],
    kinds=[Kind.CALL],
    having=[Flag.STARTING],
)
caller_age = calls_with.pair_age("caller_age", "other", words="time since the first call with this caller")
call_length = calls_over.known("call_length", AMOUNT, words="length of the call", unit="seconds")
calls_begun_4h = calls_begun.count(
    "calls_begun_4h", within="4h", every="1h", words="calls told of when they began, in four hours"
)
