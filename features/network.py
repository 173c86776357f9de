"""Network features: what only shows when rows of many shards come together in one place.

A family of them is declared once (`PaymentGraph`, `ContactSketches`, `PlaceVisits`) and kept in one place, the
national hop, which walks gated rows only, in the one order. Their columns are named after the family, as in
`graph.chain_24h` or `contacts.overlap`, and stand beside the columns that travelled with the row.

A family's state promises what an entity's does: what is told of a row depends on the rows before it in the one order
and on nothing else, however many are taken at a time and however often the state was dumped and taken up again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol

import numpy as np
import numpy.typing as npt

from features.declare import Feature
from features.errors import FeatureError
from features.rows import Entity, Rows

Floats = npt.NDArray[np.float64]
Carried = Mapping[str, Floats]
"""The columns that travelled with the rows, by name."""

Named = tuple[str, int, int]
"""Somebody or something: the kind of token, and its two halves."""

NETWORK_FEATURES: Final[dict[str, Feature]] = {}
"""Every network feature by its full name, `family.name`."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a family tells of rows: a column a feature, and whom it has found with some of the rows."""

    values: Floats
    related: dict[int, tuple[Named, ...]] = field(default_factory=dict)


class NetworkState(Protocol):
    """What a family remembers."""

    def take(self, rows: Rows, carried: Carried) -> Told:
        """Take rows in the one order; gives what was known of each, itself included."""
        ...

    def close(self, who: Named, ts: int) -> None:
        """A person has decided that this is what it looked like: it counts as closed from then on."""
        ...

    def dump(self) -> dict[str, Any]:
        """All that is remembered, as plain data and arrays."""
        ...

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state."""
        ...

    def digest(self) -> str:
        """A digest of what is remembered: equal states have equal digests."""
        ...

    def sizes(self) -> tuple[int, int, int]:
        """How many are remembered, in how many bytes (about), and how often a bound cut something off."""
        ...


class Network:
    """A family of network features as a detector declares it; its fields say which carried columns mean what."""

    name: ClassVar[str]

    @property
    def told(self) -> tuple[str, ...]:
        """Its columns, in the order of `Told.values`."""
        return family(self.name)

    def reads(self) -> tuple[str, ...]:
        """The carried columns it needs."""
        raise NotImplementedError

    def begin(self) -> NetworkState:
        """An empty memory."""
        raise NotImplementedError


def declare(name: str, features: Iterable[tuple[str, str, str, str]]) -> None:
    """Declare a family's columns, each as (name, words, unit, window).

    Raises:
        FeatureError: a name is taken.
    """
    for short, words, unit, within in features:
        full = f"{name}.{short}"
        if full in NETWORK_FEATURES:
            raise FeatureError(f"there already is a network feature {full!r}: choose another name")
        NETWORK_FEATURES[full] = Feature(
            name=full, entity=Entity.ACCOUNT, kind="network", words=words, unit=unit, within=within
        )


def family(name: str) -> tuple[str, ...]:
    """The columns of a family, in the order of declaration."""
    return tuple(full for full in NETWORK_FEATURES if full.partition(".")[0] == name)
