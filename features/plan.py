"""The two passes as a whole: every program, and which columns travel between them.

After the first pass a party (account or number) is joined with the other party of the same event and with the
things in it (its handset, its device). The joined row's columns are named after where they come from: `senders_24h`
is the subject's own, `other.payee_new` the other party's, `handset.sims_30d` the handset's.

A thing (card, merchant, terminal, device, SIM, handset, cell) that a detector is about has a second pass too, with its
own columns only. What neither a detector nor a feature that a detector reads asks for is not kept at all, feature or thing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from features.declare import Catalogue, Feature
from features.errors import FeatureError
from features.network import NETWORK_FEATURES
from features.program import Program, compile_program
from features.rows import ROW, SUBJECTS, Entity

OTHER: Final = "other"


@dataclass(frozen=True, slots=True, eq=False)
class SubjectPlan:
    """A subject's joined row: its blocks of columns, then what its second pass adds; a thing's has its own only."""

    entity: Entity
    columns: tuple[str, ...]  # own first pass, other's, things', own second pass
    own: int  # how many are its own first pass
    always_own: tuple[int, ...]  # and which of these are never absent
    other_from: int  # where the other party's columns begin, and which of its outputs they are
    other_picks: tuple[int, ...]
    things_from: dict[Entity, int]
    thing_picks: dict[Entity, tuple[int, ...]]
    second: Program

    @property
    def inputs(self) -> int:
        """Columns that the second pass is given."""
        return len(self.columns) - self.second.outputs


@dataclass(frozen=True, slots=True)
class Reach:
    """Which entities' rows go where: what the splitter has to know to count them."""

    kept: frozenset[Entity]  # has a first pass
    scored: frozenset[Entity]  # its own rows go on to the second pass
    told: frozenset[Entity]  # what its first pass knows goes to the second pass of a party


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Programs of the first pass by entity, and of each subject's joined row."""

    first: dict[Entity, Program]
    subjects: dict[Entity, SubjectPlan]

    @property
    def reach(self) -> Reach:
        """Which entities' rows go where."""
        things = {thing for plan in self.subjects.values() for thing in plan.things_from}
        parties = {e for e in self.subjects if e in SUBJECTS}
        return Reach(frozenset(self.first), frozenset(self.subjects), frozenset(things | parties))

    def told_of(self, entity: Entity) -> tuple[int, ...]:
        """Which columns of its first pass the other party is told: all that is asked of a row that only looks."""
        plan = self.subjects.get(entity)
        return plan.other_picks if plan is not None else ()

    def layout(self) -> str:
        """A digest of what is kept and in which order: state kept under another layout cannot be taken up."""
        hasher = hashlib.blake2b(repr(ROW.descr).encode(), digest_size=16)
        for program in [*self.first.values(), *(plan.second for plan in self.subjects.values())]:
            hasher.update(f"{program.entity.name} {program.second_pass} {program.head}".encode())
            hasher.update(repr(program.names).encode())
            parts = (program.selections, program.parts, program.relations, program.sums, program.cells)
            for part in (*parts, program.blocks, program.groups, program.before, program.after):
                hasher.update(part.tobytes())
        for plan in self.subjects.values():
            hasher.update(repr((plan.columns, plan.own, plan.other_picks, plan.thing_picks)).encode())
        return hasher.hexdigest()


def make_plan(catalogue: Catalogue, needed: Iterable[tuple[Entity, str]] = ()) -> Plan:
    """The plan for a catalogue; `needed` names joined columns that detectors use, each with the detector's subject.

    Raises:
        FeatureError: a needed column is of no declared feature.
    """
    kept, asked = _read(catalogue, needed)
    scored = {entity for entity, _ in asked} | set(SUBJECTS)
    things = {_thing(c.partition(".")[0], c) for _, c in asked if "." in c and not c.startswith(f"{OTHER}.")}
    first = {
        e: compile_program(catalogue, e, kept=kept)
        for e in Entity
        if e in scored | things and any(f.entity == e for f in catalogue.features.values())
    }
    return Plan(
        first, {e: _subject(catalogue, e, first, asked, kept) for e in Entity if e in scored and e in first}
    )


def _read(
    catalogue: Catalogue, needed: Iterable[tuple[Entity, str]]
) -> tuple[set[tuple[Entity, str]], set[tuple[Entity, str]]]:
    """The features that somebody reads, with those that they rest on, and all joined columns asked for by then.

    What nobody reads is not kept: a declaration costs nothing until a detector asks for it.
    """
    asked = set(needed)
    kept: set[tuple[Entity, str]] = set()
    left = list(asked)
    while left:
        owner, name = _owner(*left.pop())
        feature = catalogue.features.get((owner, name))
        if feature is None or (owner, name) in kept:
            continue
        kept.add((owner, name))
        if feature.kind == "ratio":
            left += [(owner, feature.against), (owner, feature.over)]
        others = [(owner, column) for column in _asked_of_other(feature)]
        asked |= set(others)
        left += others
    return kept, asked


def _asked_of_other(feature: Feature) -> Iterable[str]:
    """What a feature of the second pass asks of the other party."""
    values = [feature.value]
    if feature.selection is not None and feature.selection.when is not None:
        values.append(feature.selection.when.value)
    return [f"{OTHER}.{value.of}" for value in values if value.source == OTHER]


def _owner(entity: Entity, column: str) -> tuple[Entity, str]:
    """Whose feature a joined column is."""
    block, _, name = column.rpartition(".")
    return (entity if block in ("", OTHER) else _thing(block, column)), name


def _subject(
    catalogue: Catalogue,
    entity: Entity,
    first: dict[Entity, Program],
    asked: set[tuple[Entity, str]],
    kept: set[tuple[Entity, str]],
) -> SubjectPlan:
    own = first[entity].names
    second_names = {f.name for f in catalogue.of(entity, second_pass=True)}
    wanted: dict[str, list[str]] = {}
    for subject, column in sorted(asked):
        if subject != entity or column in own or column in second_names:
            continue
        block, _, name = column.rpartition(".")
        if not block:
            raise FeatureError(f"{entity.name.lower()} has no feature {column!r}")
        if entity not in SUBJECTS:
            raise FeatureError(f"{column!r}: a {entity.name.lower()} is scored on its own features only")
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
        catalogue,
        entity,
        second_pass=True,
        inputs={name: i for i, name in enumerate(columns)},
        kept=kept,
    )
    return SubjectPlan(
        entity,
        (*columns, *second.names),
        len(own),
        first[entity].always,
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
    """The declaration behind a joined column, or a network column."""
    if column in NETWORK_FEATURES:
        return NETWORK_FEATURES[column]
    block, _, name = column.rpartition(".")
    owner = entity if block in ("", OTHER) else _thing(block, column)
    try:
        return catalogue.features[owner, name]
    except KeyError:
        raise FeatureError(f"{column!r} is no declared feature") from None
