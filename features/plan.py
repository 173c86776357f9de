"""The two passes as a whole: every program, and which columns travel between them.

After the first pass a subject (account or number) is joined with the other party of the same event and with the
things in it (its handset, its device). The joined row's columns are named after where they come from: `senders_24h`
is the subject's own, `other.payee_new` the other party's, `handset.sims_30d` the handset's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from features.declare import Catalogue, Feature
from features.errors import FeatureError
from features.program import Program, compile_program
from features.rows import SUBJECTS, Entity

OTHER: Final = "other"


@dataclass(frozen=True, slots=True, eq=False)
class SubjectPlan:
    """A subject's joined row: its blocks of columns, then what its second pass adds."""

    entity: Entity
    columns: tuple[str, ...]  # own first pass, other's, things', own second pass
    own: int  # how many are its own first pass
    other_from: int  # where the other party's columns begin, and which of its outputs they are
    other_picks: tuple[int, ...]
    things_from: dict[Entity, int]
    thing_picks: dict[Entity, tuple[int, ...]]
    second: Program

    @property
    def inputs(self) -> int:
        """Columns that the second pass is given."""
        return len(self.columns) - self.second.outputs


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Programs of the first pass by entity, and of each subject's joined row."""

    first: dict[Entity, Program]
    subjects: dict[Entity, SubjectPlan]


def make_plan(catalogue: Catalogue, needed: Iterable[tuple[Entity, str]] = ()) -> Plan:
    """The plan for a catalogue; `needed` names joined columns that detectors use.

    Raises:
        FeatureError: a needed column is of no declared feature.
    """
    entities = {f.entity for f in catalogue.features.values()}
    first = {e: compile_program(catalogue, e) for e in sorted(entities)}
    asked = set(needed) | set(_asked_by_second_pass(catalogue))
    return Plan(first, {e: _subject(catalogue, e, first, asked) for e in SUBJECTS if e in first})


def _asked_by_second_pass(catalogue: Catalogue) -> Iterable[tuple[Entity, str]]:
    for feature in catalogue.features.values():
        values = [feature.value]
        if feature.selection is not None and feature.selection.when is not None:
            values.append(feature.selection.when.value)
        for value in values:
            if value.source == OTHER:
                yield feature.entity, f"{OTHER}.{value.of}"


def _subject(
    catalogue: Catalogue, entity: Entity, first: dict[Entity, Program], asked: set[tuple[Entity, str]]
) -> SubjectPlan:
    own = first[entity].names
    second_names = {f.name for f in catalogue.of(entity, second_pass=True)}
    wanted: dict[str, list[str]] = {}
    for subject, column in sorted(asked):
        if subject != entity or column in own or column in second_names:
            continue
        block, _, name = column.partition(".")
        _check(column, name, entity if block == OTHER else _thing(block, column), first)
        wanted.setdefault(block, []).append(name)
    columns = list(own)
    other_from = len(columns)
    others = wanted.pop(OTHER, [])
    columns += [f"{OTHER}.{n}" for n in others]
    things_from, thing_picks = {}, {}
    for block, names in sorted(wanted.items()):
        thing = Entity[block.upper()]
        things_from[thing] = len(columns)
        thing_picks[thing] = tuple(first[thing].names.index(n) for n in names)
        columns += [f"{block}.{n}" for n in names]
    second = compile_program(
        catalogue, entity, second_pass=True, inputs={name: i for i, name in enumerate(columns)}
    )
    return SubjectPlan(
        entity,
        (*columns, *second.names),
        len(own),
        other_from,
        tuple(own.index(n) for n in others),
        things_from,
        thing_picks,
        second,
    )


def _thing(block: str, column: str) -> Entity:
    try:
        return Entity[block.upper()]
    except KeyError:
        raise FeatureError(f"{column!r} is no feature of the subject, and {block!r} is no entity") from None


def _check(column: str, name: str, entity: Entity, first: dict[Entity, Program]) -> None:
    if entity not in first or name not in first[entity].names:
        raise FeatureError(f"{column!r}: {entity.name.lower()} has no first-pass feature {name!r}")


def feature_of(catalogue: Catalogue, entity: Entity, column: str) -> Feature:
    """The declaration behind a joined column."""
    block, _, name = column.rpartition(".")
    owner = entity if block in ("", OTHER) else _thing(block, column)
    try:
        return catalogue.features[owner, name]
    except KeyError:
        raise FeatureError(f"{column!r} is no declared feature") from None
