"""What every detector says of itself: one class in one file, metadata, gate, scorecard and stories together.

A detector is a cascade. Its **gate**, a Polars expression over the joined columns of a frame, lets a few per cent of
rows through; its **scorecard** scores those; reasons are written only for what alerts.

What a detector is about (`subject`) is any entity. An account or a number is scored on everything that its joined row
knows: its own features, the other party's (`other.…`) and those of the things in the event (`handset.…`). A thing (a
card, merchant, terminal, device, SIM, handset or cell) is scored on its own features, on each event it is in; the
event's holder, the payer's account or the number, is told beside it.

A `NetworkDetector` (`detectors.network`) looks at what crosses shards. Its `edge` lets a few per cent of its subject's rows through to one
place, the national hop, with the columns it `carries`; there its `network` families add their own columns
(`graph.chain_24h`, `contacts.overlap`, `visits.customers_7d`), and gate, signals and facts are over both.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import polars as pl

from alerts.record import CLAIMS
from detectors.errors import DetectorError
from features.catalogue import all_features
from features.declared import CATALOGUE
from features.plan import feature_of
from features.rows import SUBJECTS, Entity
from models.labels import Claim
from models.scorecard import Scorecard, Signal

STATUSES: Final = ("experimental", "test", "stable")
THREATS: Final = ("fraud", "telecoms_fraud", "county_lines")
FOUR_P: Final = ("pursue", "prevent", "protect", "prepare")
STREAMS: Final = ("payments", "telecoms", "both")

all_features()  # declares every feature, before any detector names one


@dataclass(frozen=True, slots=True)
class Story:
    """A short script of events, and how it must end: whom the detector alerts about, or that it stays quiet."""

    title: str
    events: Sequence[tuple[str, Mapping[str, Any]]]  # (stream, contract record)
    alerts_about: tuple[
        str, ...
    ] = ()  # `account:…`, `number:…`, `card:…`, as in the events; none: stays quiet
    line: int = field(default_factory=lambda: inspect.stack()[2].lineno)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a value that a detector uses means: in words, in which unit, over which time."""

    words: str
    unit: str
    within: str


class Detector:
    """The base of every detector; a subclass says everything about itself as class attributes."""

    id: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int]
    status: ClassVar[str]
    threat: ClassVar[str]
    typology: ClassVar[str]
    stream: ClassVar[str]
    subject: ClassVar[Entity]
    four_p: ClassVar[str]
    gate: ClassVar[pl.Expr]
    signals: ClassVar[tuple[Signal, ...]]
    intercept: ClassVar[float]
    threshold: ClassVar[float]
    bands: ClassVar[tuple[float, float, float]]
    budget: ClassVar[float]  # alerts a day per 100,000 subjects
    harm: ClassVar[Mapping[str, int]]
    claim: ClassVar[str] = (
        ""  # county lines: `line` (there is one) or `exploited` (this person is made use of)
    )
    victim: ClassVar[bool] = False  # whether its subject is the one who is harmed
    facts: ClassVar[tuple[str, ...]] = ()  # joined columns that are told beside the signals
    place: ClassVar[str] = ""  # the joined column that says where the subject lives
    active: ClassVar[str] = ""  # and the one that says where it is active
    seen: ClassVar[str] = ""  # and where it is seen most, for when neither is known
    quiet_hours: ClassVar[int] = 48
    child: ClassVar[bool] = (
        False  # whoever it is about is known to be a child: a possible victim, told to safeguarding
    )
    misses: ClassVar[str]
    innocent: ClassVar[tuple[str, ...]]
    runbook: ClassVar[tuple[str, ...]]

    also_required: ClassVar[tuple[str, ...]] = ()  # what a kind of detector says beside the rest

    def __init_subclass__(cls, *, is_kind: bool = False) -> None:
        """Check what a subclass says of itself; a kind of detector (`is_kind`) is none itself.

        Raises:
            DetectorError: something is missing or cannot be.
        """
        if not is_kind:
            _complete(cls)
            _possible(cls)

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """Stories: at least one that fires and one that stays quiet."""
        raise NotImplementedError

    @classmethod
    def needs(cls) -> tuple[str, ...]:
        """The joined columns it uses, in order, each once."""
        named = [s.feature for s in cls.signals] + list(cls.gate.meta.root_names()) + list(cls.facts)
        named += cls.places()
        return tuple(dict.fromkeys(named))

    @classmethod
    def joined(cls) -> list[tuple[Entity, str]]:
        """The joined columns the flow has to bring for it, each with whose they are."""
        return [(cls.subject, column) for column in cls.needs()]

    @classmethod
    def meaning(cls, column: str) -> Meaning:
        """What a value it uses means."""
        return cls.meaning_of(cls.subject, column)

    @staticmethod
    def meaning_of(entity: Entity, column: str) -> Meaning:
        """What a joined column of an entity means, as declared."""
        feature = feature_of(CATALOGUE, entity, column)
        return Meaning(feature.words, feature.unit, feature.within)

    @classmethod
    def says_when_right(cls) -> Claim:
        """What labels must say of a subject for its alert to have been right."""
        return Claim(cls.typology, cls.victim, used=not cls.victim and cls.threat != "fraud")

    @classmethod
    def places(cls) -> list[str]:
        """The joined columns that say where the subject is: for the alert's way, and no facts about what was done."""
        return [column for column in (cls.place, cls.active, cls.seen) if column]

    @classmethod
    def scorecard(cls) -> Scorecard:
        """Its scorecard as the author wrote it."""
        return Scorecard.expert(cls.signals, cls.intercept, f"{cls.id}-{cls.version}.0")


_REQUIRED: Final = (
    "id", "title", "version", "status", "threat", "typology", "stream", "subject", "four_p", "gate", "signals",
    "intercept", "threshold", "bands", "budget", "harm", "misses", "innocent", "runbook",
)  # fmt: skip


def _complete(cls: type[Detector]) -> None:
    missing = [name for name in (*_REQUIRED, *cls.also_required) if not hasattr(cls, name)]
    if missing:
        raise DetectorError(f"{cls.__name__} does not say its {', '.join(missing)}: see detectors/base.py")
    module = inspect.getmodule(cls)
    if not (cls.__doc__ or (module and module.__doc__)):
        raise DetectorError(f"{cls.__name__} has no docstring: say what the crime is, for a newcomer")
    if module is not None and module.__file__ and Path(module.__file__).stem != cls.id:
        raise DetectorError(f"{cls.__name__} has the id {cls.id!r}, so it must live in detectors/{cls.id}.py")


def _possible(cls: type[Detector]) -> None:
    closed = (
        ("status", STATUSES), ("threat", THREATS), ("four_p", FOUR_P), ("stream", STREAMS), ("claim", CLAIMS),
    )  # fmt: skip
    for name, words in closed:
        if getattr(cls, name) not in words:
            raise DetectorError(f"{cls.id}: {name} is one of {', '.join(words)}, not {getattr(cls, name)!r}")
    if not 0.0 < cls.threshold < 1.0:
        raise DetectorError(f"{cls.id}: the threshold lies between 0 and 1, not at {cls.threshold}")
    for text, least in ((cls.innocent, 1), (cls.runbook, 2)):
        if len(text) < least:
            raise DetectorError(
                f"{cls.id}: say at least {least} of its innocent explanations and runbook steps"
            )
    if not cls.misses.strip():
        raise DetectorError(f"{cls.id}: known gaps are better than unknown gaps: say what it misses")
    for column in cls.needs():
        cls.meaning(column)
    for entity, column in cls.joined():
        if "." in column and entity not in SUBJECTS:
            raise DetectorError(f"{cls.id}: {column!r}: a thing is scored on its own features only")
        cls.meaning_of(entity, column)
