"""How many of a mechanism a world has: as published unless the scenario says otherwise.

A scenario's `[crimes]` and `[innocents]` tables may give a number for each mechanism by its name, or `scale`, which
multiplies what is not named; the mechanism's own table (`[county_lines]`, say) sets its parameters.
"""

from typing import Final, Literal

from simulator.chance import chance
from simulator.errors import SimulationError
from simulator.world import World

SUBSCRIPTIONS_A_PERSON: Final = 91.1 / 69.3
"""Mobile subscriptions (Ofcom, Q4 2025) for each inhabitant (ONS, mid-2024), in millions."""


NAMES: Final = {
    "crimes": (
        "county_lines", "wangiri", "revenue_share", "pbx_hacking", "sim_box", "smishing_farm", "subscription_fraud",
        "cli_spoofing", "mule_networks", "app_fraud", "takeover", "card_testing", "card_not_present",
    ),
    "innocents": (
        "hairdresser", "garage", "coach", "parent_group", "worship", "promoter", "market_trader", "festival_blast",
        "school_closure", "takeaway", "taxi_dispatch", "community_nurse", "carer", "estate_agent", "delivery_driver",
        "outreach_worker", "lawyer", "journalist", "student_shuttle", "shift_worker", "two_phones", "club_treasurer",
        "pocket_money", "marketplace_seller", "gig_worker", "house_move", "crypto_hobbyist", "market_trader_till",
        "first_party_claim",
    ),
}  # fmt: skip
"""Every mechanism a scenario may give a number for."""
ALIASES: Final = {"lines": "county_lines"}


def subscriptions(world: World) -> float:
    """About how many mobile subscriptions the world's people would have."""
    return len(world.people) * SUBSCRIPTIONS_A_PERSON


def how_many(world: World, table: Literal["crimes", "innocents"], name: str, expected: float) -> int:
    """The number of instances of a mechanism: the scenario's, or one whose mean is `expected`.

    Raises:
        SimulationError: the scenario names no such mechanism, or its number is not a number, or is negative.
    """
    settings = {ALIASES.get(key, key): value for key, value in world.parameters.settings(table).items()}
    unknown = sorted(set(settings) - {"scale", *NAMES[table]})
    if unknown:
        message = f"[{table}] has no {unknown[0]!r}; there are: scale, {', '.join(NAMES[table])}"
        raise SimulationError(message)
    number = settings.get(name, -1)
    scale = settings.get("scale", 1)
    for value in (number, scale):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SimulationError(f"[{table}] {name} and scale must be numbers, not {value!r}")
    if name in settings:
        if number < 0:
            raise SimulationError(f"[{table}] {name} must not be negative")
        return int(number)
    wanted = expected * scale
    whole = int(wanted)
    return whole + int(chance(world.seed, name, "how many").random() < wanted - whole)
