"""Who rings a number: whether they were ever in contact before, known from the moment a call begins."""

from typing import Final

from features.declare import Of
from features.declared import CATALOGUE
from features.rows import Entity, Kind, Role

number: Final = Of(CATALOGUE, Entity.NUMBER)

calls_with = number.events(
    "calls_with",
    words="calls with somebody, also while they go on",
    roles=[Role.IN, Role.OUT],
    kinds=[Kind.CALL],
)
caller_age = calls_with.pair_age("caller_age", "other", words="time since the first call with this caller")
