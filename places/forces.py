"""The police forces as a table: each has a small fixed code, so that a frame holds one byte and not a name.

Codes 1 to 43 are the territorial forces of England and Wales in the order of their ONS codes; then come the forces
without an area and the services outside England and Wales, which are known only so that work can be handed to
them. 0 is "unknown". Codes are kept in ledgers and snapshots: the table may grow at its end only.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from places.errors import PlaceError

UNKNOWN: Final = 0
TERRITORIAL: Final = 43
"""How many forces of England and Wales have an area; their codes are 1 to this."""
ALIASES: Final = {
    # Scotland and Northern Ireland have one service each, so the nation's own code is taken for it as well.
    "S92000003": "police-scotland",
    "N92000002": "psni",
}


@dataclass(frozen=True, slots=True)
class Force:
    """One police force: its small code, its ONS code (if it has an area) and where it is."""

    code: int
    ons_code: str
    short: str
    name: str
    kind: str
    """`territorial`, `rail`, `scotland`, `northern_ireland`, `route` or `crown_dependency`."""
    region: str
    police_uk_slug: str
    pnc_code: str
    lat: float | None
    lon: float | None
    population: int | None
    exporter: bool
    """Among the forces from whose areas most county lines are run."""

    @property
    def served(self) -> bool:
        """Whether a campus of this system serves it; the others get a referral."""
        return self.kind in ("territorial", "rail", "route")


@cache
def forces() -> tuple[Force, ...]:
    """Every force, in the order of its code, from 1 on."""
    text = files("places").joinpath("data", "forces.csv").read_text(encoding="utf-8")
    table = tuple(_force(row) for row in csv.DictReader(text.splitlines()))
    if [force.code for force in table] != list(range(1, len(table) + 1)):
        raise PlaceError("places/data/forces.csv: the codes must run from 1 without a gap; restore the file")
    return table


def force(code: int) -> Force | None:
    """The force of a small code, or nothing for 0 (unknown).

    Raises:
        PlaceError: there is no such code.
    """
    if code == UNKNOWN:
        return None
    table = forces()
    if not 0 < code <= len(table):
        raise PlaceError(f"no force has the code {code}; codes run from 1 to {len(table)}, 0 is unknown")
    return table[code - 1]


def force_code(name: str) -> int:
    """The small code of a force, from its ONS code or its short name; 0 when it is not known."""
    return _codes().get(name, UNKNOWN)


def force_codes(names: Iterable[str | None] | pl.Series) -> NDArray[np.uint8]:
    """The small codes of many ONS codes at once; 0 where one is absent or not known."""
    series = names if isinstance(names, pl.Series) else pl.Series(list(names), dtype=pl.String)
    codes = _codes()
    coded = series.replace_strict(list(codes), list(codes.values()), default=UNKNOWN, return_dtype=pl.UInt8)
    return coded.fill_null(UNKNOWN).to_numpy().astype(np.uint8)


@cache
def _codes() -> dict[str, int]:
    short = {force.short: force.code for force in forces()}
    by_area = {force.ons_code: force.code for force in forces() if force.ons_code}
    return by_area | short | {alias: short[name] for alias, name in ALIASES.items()}


def _force(row: dict[str, str]) -> Force:
    return Force(
        code=int(row["code"]),
        ons_code=row["ons_code"],
        short=row["short"],
        name=row["name"],
        kind=row["kind"],
        region=row["region"],
        police_uk_slug=row["police_uk_slug"],
        pnc_code=row["pnc_code"],
        lat=float(row["lat"]) if row["lat"] else None,
        lon=float(row["lon"]) if row["lon"] else None,
        population=int(row["population"]) if row["population"] else None,
        exporter=row["exporter"] == "yes",
    )
