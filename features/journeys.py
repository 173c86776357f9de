"""What is known of how a number travels: from the place where it spends its nights, how far, how often, for how long."""

from typing import Final

from features.numbers import said

FAR_KM: Final = 25.0
"""So far from home is another town; places are known to about 7 km (see `features.declare`)."""

away_km = said.away_km("away_km", words="distance from where it usually spends its nights")
journeys_14d = said.journeys(
    "journeys_14d",
    at_least_km=FAR_KM,
    within="14d",
    every="1d",
    words="journeys of 25 km and more, there and back, in two weeks",
)
nights_away_7d = said.nights_away(
    "nights_away_7d",
    at_least_km=FAR_KM,
    within="7d",
    every="1d",
    words="nights of the week spent 25 km and more from home",
)
