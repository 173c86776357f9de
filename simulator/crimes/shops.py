"""Where somebody spends: a business of a kind in or near a town, or an online one."""

from typing import Final

import numpy as np

from simulator.world import NONE, World

RAIL: Final = 4112
TAXI: Final = 4121
COACH: Final = 4131
CAR_HIRE: Final = 7512
HOTEL: Final = 7011
SHORT_LET: Final = 6513
FAST_FOOD: Final = 5814
GROCERY: Final = 5411
TELECOMS: Final = 4814
FUEL: Final = 5541
QUASI_CASH: Final = 6051


def shop(world: World, rng: np.random.Generator, town: int, mcc: int) -> int:
    """A business of a category in a town, else an online one, else any business of the town; -1 = none at all.

    Pass `mcc` on to the diary: the business may be another's branch.
    """
    for found in (world.businesses_in(town, mcc), world.online(mcc), world.businesses_in(town)):
        if len(found):
            return int(rng.choice(found))
    anywhere = np.flatnonzero(world.businesses.mcc == mcc)
    return int(rng.choice(anywhere)) if len(anywhere) else NONE
