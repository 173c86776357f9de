"""All features, as people look them up: what is known of whom, over what time, in words."""

import features.access
import features.accounts
import features.callers
import features.cards
import features.customers
import features.journeys
import features.numbers
import features.payees
import features.sims
import features.things  # noqa: F401 - importing the declarations fills the catalogue
from features.declare import Feature
from features.declared import CATALOGUE


def all_features() -> list[Feature]:
    """Every declared feature, by entity and in the order of declaration."""
    return sorted(CATALOGUE.features.values(), key=lambda f: f.entity)
