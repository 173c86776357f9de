"""A cross-stream detector: one subject's payments and telecoms records scored together.

It says of each stream which rows are a half worth noting, and how far apart two halves may be. Notes of both meet
under the telephone number that belongs to the account; whichever half comes second is scored with the first. Signals
are named after where they come from: `payment.<joined column of the account's row>`, `telecoms.<joined column of the
number's row>`, `between.<what only the two together tell>`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, NamedTuple

import polars as pl

from detectors.base import Detector, Meaning
from detectors.errors import DetectorError
from features.rows import Entity, Flag, Kind, Role

PAYMENT: Final = "payment"
TELECOMS: Final = "telecoms"
BETWEEN: Final = "between"
SIDES: Final[Mapping[str, Entity]] = {PAYMENT: Entity.ACCOUNT, TELECOMS: Entity.NUMBER}
_SECOND_US: Final = 1_000_000


class Happened(NamedTuple):
    """What a half keeps of its row, as plain numbers."""

    seq: int
    ts: int
    recorded: int
    own_hi: int
    own_lo: int
    other_hi: int
    other_lo: int
    value: float
    balance: float
    flags: int
    country: int
    mcc: int
    kind: int
    role: int
    force: int
    home: int
    age: int
    other_class: int

    def has(self, flag: Flag) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & flag)

    @property
    def other(self) -> tuple[int, int]:
        """The party on the other side."""
        return self.other_hi, self.other_lo

    @property
    def is_open(self) -> bool:
        """Whether it is a call that goes on, as far as is known."""
        return self.kind == Kind.CALL and self.has(Flag.STARTING)

    @property
    def began(self) -> int:
        """When it began; the record of a call's end alone carries the time of the end, and is recorded right then."""
        ends_at = self.ts + self.lasted
        return self.ts if ends_at <= self.recorded else self.ts - self.lasted

    @property
    def lasted(self) -> int:
        """How long a call lasted, as far as is known."""
        whole = self.kind == Kind.CALL and not self.has(Flag.STARTING) and self.value == self.value
        return round(self.value * _SECOND_US) if whole else 0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two halves of one subject, with the others of their kind that are still remembered."""

    payment: Happened
    telecoms: Happened
    payments: tuple[Happened, ...] = ()  # this one and those that wait beside it
    contacts: tuple[Happened, ...] = ()  # the same for the telecoms half
    values: Mapping[str, float] = field(default_factory=dict)  # both halves' columns, by name
    customers: int = 0  # ties: how many people joined these two by now


@dataclass(frozen=True, slots=True)
class Between:
    """Something that only the two halves together tell."""

    name: str
    words: str
    worked: Callable[[Pair], float]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows of a stream are a half: the cheap tests first, then the gate over joined columns."""

    roles: tuple[Role, ...]
    kinds: tuple[Kind, ...]
    gate: pl.Expr
    keeps: str  # how long it waits for the other half
    having: tuple[Flag, ...] = ()
    lasting_s: float = (
        0.0  # calls: one that is over and was shorter ends its start's wait and is no half itself
    )

    def is_long_enough(self, happened: Happened) -> bool:
        """Whether a call goes on, or lasted long enough; anything but a call does."""
        return (
            happened.kind != Kind.CALL or happened.is_open or happened.lasted >= self.lasting_s * _SECOND_US
        )


@dataclass(frozen=True, slots=True)
class Ties:
    """For a detector about two parties that many people join: from how many people on, within which time.

    It is judged when somebody joins who had not, and by those who had once in every so long.
    """

    people: int
    within: str
    every: str


class CrossDetector(Detector, is_kind=True):
    """The base of every cross-stream detector. Its subject is an account: the payer's, or with `about` the payee's."""

    stream = "both"
    subject = Entity.ACCOUNT
    also_required = ("payment", "telecoms", "within", "between")
    about: ClassVar[str] = "own"  # of the payment half: `own` or `other`
    payment: ClassVar[Part]
    telecoms: ClassVar[Part]
    within: ClassVar[str]  # how far apart the two may be
    between: ClassVar[tuple[Between, ...]]
    gate: ClassVar[pl.Expr]  # over a pair's values
    ties: ClassVar[Ties | None] = None

    @classmethod
    def joined(cls) -> list[tuple[Entity, str]]:
        """The joined columns its halves carry or are gated by, each with whose they are."""
        found = [(SIDES[side], column) for side in SIDES for column in cls.carried(side)]
        for side, entity in SIDES.items():
            found += [(entity, column) for column in cls.part(side).gate.meta.root_names()]
        return list(dict.fromkeys(found))

    @classmethod
    def part(cls, side: str) -> Part:
        """One of its two parts."""
        return cls.payment if side == PAYMENT else cls.telecoms

    @classmethod
    def carried(cls, side: str) -> tuple[str, ...]:
        """The joined columns that a half carries to the other."""
        return tuple(
            column for name in cls.needs() for where, _, column in [name.partition(".")] if where == side
        )

    @classmethod
    def meaning(cls, column: str) -> Meaning:
        """What a value means."""
        where, _, name = column.partition(".")
        if where == BETWEEN:
            for each in cls.between:
                if each.name == name:
                    return Meaning(each.words, each.unit, "")
        if where in SIDES:
            return Detector.meaning_of(SIDES[where], name)
        raise DetectorError(
            f"{cls.__name__}: {column!r} is none of payment.…, telecoms.… and what it says of between"
        )
