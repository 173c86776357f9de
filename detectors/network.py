"""Detectors on what crosses shards: mule networks, a line under a new number, a home that customers come to.

Their `edge` lets a few per cent of their subject's rows through to one place, the national hop. There `network`
families add what only shows when rows of everybody come together, and gate and scorecard are over both.
"""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import ClassVar, Final

import polars as pl

from detectors.base import Detector
from detectors.errors import DetectorError
from features.network import Network
from features.rows import Entity

ROW_COLUMNS: Final = (
    "kind", "role", "flags", "value", "side", "status", "has_other", "has_place", "has_device",
)  # fmt: skip
"""What an `edge` may ask of the row itself, as `row.kind` and so on (numbers; `flags` as its bits)."""
ABOUT: Final = ("own", "other", "place")


def one_of(column: str, values: Iterable[int]) -> pl.Expr:
    """Whether a row's code is one of some: as plain comparisons, which gates work out quickest."""
    return reduce(or_, (pl.col(column) == int(value) for value in values))


class NetworkDetector(Detector, is_kind=True):
    """The base of every network detector.

    * `edge`: a Polars gate over the joined columns of the subject's rows and over the row itself (`row.kind`, see
      `ROW_COLUMNS`; write `pl.col("row.kind") == int(Kind.SMS)`). It should let a few per cent of rows through.
    * `carries`: the joined columns that travel with a row: what signals, gate, facts, place and families ask for.
    * `network`: the families whose columns it uses, each told which carried columns mean what:
      `features.network_graph.PaymentGraph`, `features.contact_sketches.ContactSketches`,
      `features.place_visits.PlaceVisits`. Each detector has a memory of its own, filled by its own edges.
    * `about`: whose alert it is: the row's owner (`own`), the `other` party, or the `place` (a cell for a number's
      row, the terminal for an account's). Those a family has found are related subjects.
    """

    also_required = ("edge", "carries", "network")
    edge: ClassVar[pl.Expr]
    carries: ClassVar[tuple[str, ...]]
    network: ClassVar[tuple[Network, ...]]
    about: ClassVar[str] = "own"

    def __init_subclass__(cls, *, is_kind: bool = False) -> None:
        """Check what a subclass says of itself.

        Raises:
            DetectorError: something is missing or cannot be.
        """
        super().__init_subclass__(is_kind=is_kind)
        if not is_kind:
            _travels(cls)

    @classmethod
    def joined(cls) -> list[tuple[Entity, str]]:
        """The columns of its subject's joined row: what the edge asks, and what travels."""
        asked = [name for name in cls.edge.meta.root_names() if not name.startswith("row.")]
        return [(cls.subject, column) for column in dict.fromkeys([*asked, *cls.carries])]


def _travels(cls: type[NetworkDetector]) -> None:
    """Everything that is asked for in the national hop gets there."""
    families = {family.name: family for family in cls.network}
    there = {*cls.carries, *(column for family in families.values() for column in family.told)}
    asked = [*cls.needs(), *(column for family in families.values() for column in family.reads())]
    missing = [column for column in asked if column not in there]
    if missing:
        raise DetectorError(
            f"{cls.id}: {', '.join(missing)} neither travels nor is of a family it names: add to `carries` or `network`"
        )
    wrong = [
        name
        for name in cls.edge.meta.root_names()
        if name.startswith("row.") and name.partition(".")[2] not in ROW_COLUMNS
    ]
    if wrong:
        raise DetectorError(
            f"{cls.id}: of the row itself an edge may ask {', '.join(ROW_COLUMNS)}, not {wrong}"
        )
    if cls.about not in ABOUT:
        raise DetectorError(f"{cls.id}: about is one of {', '.join(ABOUT)}, not {cls.about!r}")
