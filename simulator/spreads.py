"""What a number may be in a world: a wide range for each, and where the range comes from.

A record of parameters annotates each of its fields with a `Spread`; `drawn` fills it for one world. So every world
has its own values (a distribution of distributions) and no detector meets the same mechanism twice. A scenario may
set a field outright, or narrow it to a pair.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from simulator.chance import chance
from simulator.errors import SimulationError

Origin = Literal["published", "derived", "assumed"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Spread:
    """The range a parameter is drawn from, world by world, and where it comes from."""

    low: float
    high: float
    origin: Origin
    source: str
    shape: Literal["even", "log"] = "even"

    def at(self, share: float) -> float:
        """The value a share (0 to 1) of the way through the range."""
        if self.shape == "log":
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)


def spreads(parameters: type[Any]) -> dict[str, Spread]:
    """The declared range of every parameter of a record that has one."""
    found: dict[str, Spread] = {}
    for name, hint in get_type_hints(parameters, include_extras=True).items():
        extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        for extra in extras:
            if isinstance(extra, Spread):
                found[name] = extra
    return found


def drawn(
    parameters: type[_T], seed: int, of: str, settings: Mapping[str, object], fixed: Mapping[str, object]
) -> _T:
    """One world's values of a record of parameters; a scenario's settings take the place of the draw.

    Each field has its own chance, so that adding a parameter leaves the others where they were. Fields annotated
    as whole numbers are rounded.

    Raises:
        SimulationError: a setting names no parameter, or is neither a number nor a pair of numbers.
    """
    ranges = spreads(parameters)
    unknown = sorted(set(settings) - set(ranges))
    if unknown:
        raise SimulationError(f"[{of}] has no parameter {unknown[0]!r}; it has: {', '.join(sorted(ranges))}")
    hints = get_type_hints(parameters)
    values: dict[str, object] = dict(fixed)
    for name, spread in ranges.items():
        share = float(chance(seed, of, "parameter", name).random())
        value = _set(of, name, settings[name], spread, share) if name in settings else spread.at(share)
        values[name] = round(value) if hints[name] is int else value
    return parameters(**values)


def _set(of: str, name: str, setting: object, spread: Spread, share: float) -> float:
    match setting:
        case int() | float():
            return float(setting)
        case [int() | float() as low, int() | float() as high]:
            return Spread(low, high, "assumed", "scenario", spread.shape).at(share)
        case _:
            raise SimulationError(f"[{of}] {name} must be a number or [low, high], not {setting!r}")


def provenance(parameters: type[Any]) -> str:
    """Where a record's parameters come from, as a table in Markdown."""
    rows = ["| parameter | drawn from | | origin |", "|---|---|---|---|"]
    for name, spread in spreads(parameters).items():
        scale = "log" if spread.shape == "log" else ""
        rows.append(
            f"| `{name}` | {spread.low:g} to {spread.high:g} | {scale} | {spread.origin}: {spread.source} |"
        )
    return "\n".join(rows)
