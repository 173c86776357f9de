"""How look-alikes are made: a table of ranges for each kind, drawn for a world, and one case for each of them.

Nothing is published about how often any of these people text, call or pay: every range here is assumed, wide, and
meant to reach into what the guilty do.
"""

from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import Annotated, Any, Literal

import numpy as np

from simulator.chance import lognormal
from simulator.crimes.cases import C, Cases, Truth
from simulator.spreads import Spread
from simulator.world import World


def of(low: float, high: float, why: str = "", shape: Literal["even", "log"] = "even") -> Spread:
    """An assumed range."""
    return Spread(low, high, "assumed", why, shape)


def log(low: float, high: float, why: str = "") -> Spread:
    """An assumed range over which the logarithm is even."""
    return Spread(low, high, "assumed", why, "log")


def record_of(name: str, ranges: Mapping[str, Spread]) -> type[Any]:
    """The parameter record of a kind, from its table of ranges."""
    return make_dataclass(
        name, [(field, Annotated[float, spread]) for field, spread in ranges.items()], frozen=True
    )


class Innocents(Cases[Any, C]):
    """All look-alikes of one kind: so many to 100,000 people, in truth as `innocent` with the kind's name."""

    table = "innocents"
    found_share = 0.05
    verdict = "innocent"

    def __init__(self, name: str, span: int, ranges: Mapping[str, Spread]) -> None:
        super().__init__()
        self.name = name
        self.span = span
        self.parameters = record_of(name, ranges)

    def expected(self, world: World) -> float:
        """By people."""
        return float(self.p.per_100k) * len(world.people) / 1e5

    def innocent(
        self, world: World, numbers: list[int], accounts: list[int], force: int, **note: object
    ) -> list[Truth]:
        """The row of truth of one of them."""
        forces = [force] if force else []
        return [
            Truth(
                "innocent",
                self.name,
                numbers=numbers,
                accounts=accounts,
                home_force=force,
                active_forces=forces,
                note=note,
            )
        ]


def near(rng: np.random.Generator, value: float, sigma: float = 0.35) -> float:
    """A value for one of them, round the world's."""
    return float(lognormal(rng, value, sigma, 1)[0])
