"""All features, as people look them up: what is known of whom, over what time, in words."""

import features.access
import features.accounts
import features.callers
import features.cards
import features.contact_sketches
import features.customers
import features.found_out
import features.journeys
import features.network_graph
import features.numbers
import features.payees
import features.place_visits
import features.sims
import features.strangers
import features.things  # noqa: F401 - importing the declarations fills the catalogue
from features.declare import Feature
from features.declared import CATALOGUE
from features.network import NETWORK_FEATURES


def all_features() -> list[Feature]:
    """Every declared feature, by entity and in the order of declaration."""
    return sorted(CATALOGUE.features.values(), key=lambda f: f.entity)


def network_features() -> list[Feature]:
    """What is told of rows in the one place where those of everybody come together, by family."""
    return list(NETWORK_FEATURES.values())
