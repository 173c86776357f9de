"""People whom a mechanism takes elsewhere: their own phone and card go with them, along the way and while they stay."""

import numpy as np

from simulator.arrays import DAY, Ints
from simulator.world import World


def moment(world: World, day: float) -> int:
    """A time given in days of the run."""
    whole = int(np.floor(day))
    return world.calendar.midnight(whole) + int((day - whole) * DAY)


def take_away(
    world: World, person: int, stay: tuple[float, float, float, float], cell: int, way: Ints
) -> None:
    """Somebody leaves home, arrives, departs and is home again (in days of the run); `way` are the cells between.

    To be called when the mechanism begins, before any of it is told.
    """
    leaves, arrives, departs, home = (moment(world, day) for day in stay)
    _pass(world, person, leaves, arrives, way)
    world.send_away(person, arrives, departs, cell)
    _pass(world, person, departs, home, way[::-1])


def _pass(world: World, person: int, begins: int, ends: int, way: Ints) -> None:
    """The cells of a way, each for as long as the others."""
    if len(way) == 0 or ends <= begins:
        return
    at = np.linspace(begins, ends, len(way) + 1).astype(np.int64)
    for place, cell in enumerate(way):
        world.send_away(person, int(at[place]), int(at[place + 1]), int(cell))
