"""Who is who: campuses, units, forces and partners as data with effective dates, never as code.

Institutions are renamed and merged more often than software is released. Code therefore asks for a *duty* ("who
holds the fraud desk on this day?") or for the campus of a force, and never names an organisation.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Final

from places.errors import PlaceError
from places.forces import force_code

KINDS: Final = ("RCC", "ROCU", "HUB", "FORCE", "NATIONAL", "PARTNER")
DUTIES: Final = (
    "campus",  # owns alerts for the forces below it
    "national_desk",  # takes what cannot be placed
    "escalation",  # is told of what spans regions
    "county_lines",
    "fraud",
    "telecoms_fraud",
    "laundering",
    "cards",
    "rail",
    "outside",  # a service this system does not serve: it gets referrals only
)
BUNDLED: Final = "organisations.csv"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation as it stands over one span of days (the last day not included)."""

    org_id: str
    kind: str
    name: str
    parent: str = ""
    built_on: str = ""
    """The unit a campus is built on."""
    forces: tuple[int, ...] = ()
    """Codes of the force areas it polices."""
    duties: tuple[str, ...] = ()
    valid_from: date = date.min
    valid_to: date = date.max
    note: str = ""

    def stands_on(self, day: date) -> bool:
        """Whether it stands on that day."""
        return self.valid_from <= day < self.valid_to


@dataclass(frozen=True)
class Directory:
    """The organisations as they stand on one day."""

    day: date
    organisations: tuple[Organisation, ...]
    _by_id: Mapping[str, Organisation] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index by id, once: a directory is asked many thousand times."""
        object.__setattr__(self, "_by_id", {org.org_id: org for org in self.organisations})

    def get(self, org_id: str) -> Organisation | None:
        """The organisation of that id, if it stands."""
        return self._by_id.get(org_id)

    @cached_property
    def campuses(self) -> tuple[Organisation, ...]:
        """Those that own alerts."""
        return tuple(org for org in self.organisations if "campus" in org.duties)

    def on_duty(self, duty: str) -> Organisation | None:
        """Who holds a duty; the first of the file when several do."""
        return self._duties.get(duty)

    def police_of(self, force: int) -> Organisation | None:
        """The organisation that polices a force area."""
        return self._police.get(force)

    def campus_of(self, force: int) -> Organisation | None:
        """The campus whose work a force area is; nothing for an unknown force or one outside."""
        return self._campus.get(force)

    def above(self, org: Organisation) -> tuple[Organisation, ...]:
        """Its parent, the parent's parent, and so on."""
        chain: list[Organisation] = []
        parent = self.get(org.parent)
        while parent is not None and parent not in chain:
            chain.append(parent)
            parent = self.get(parent.parent)
        return tuple(chain)

    @cached_property
    def _duties(self) -> dict[str, Organisation]:
        return {duty: org for org in reversed(self.organisations) for duty in org.duties}

    @cached_property
    def _police(self) -> dict[int, Organisation]:
        return {force: org for org in self.organisations for force in org.forces}

    @cached_property
    def _campus(self) -> dict[int, Organisation]:
        found = {}
        for force, org in self._police.items():
            campus = next((up for up in self.above(org) if "campus" in up.duties), None)
            if campus is not None:
                found[force] = campus
        return found


@dataclass(frozen=True)
class Organisations:
    """All organisations with their dates."""

    rows: tuple[Organisation, ...]
    _days: dict[date, Directory] = field(default_factory=dict, init=False, repr=False, compare=False)

    def on(self, day: date) -> Directory:
        """The set as it stands on one day."""
        # Between two changes nothing differs, so there are as many directories as changes and not as days.
        start = max((change for change in self._changes if change <= day), default=date.min)
        if start not in self._days:
            standing = tuple(org for org in self.rows if org.stands_on(start))
            self._days[start] = Directory(start, standing)
        return self._days[start]

    def at(self, us: int) -> Directory:
        """The set as it stands at a time in microseconds since 1970 UTC."""
        return self.on((_EPOCH + timedelta(microseconds=us)).date())

    @cached_property
    def _changes(self) -> tuple[date, ...]:
        return tuple(sorted({day for org in self.rows for day in (org.valid_from, org.valid_to)}))


@cache
def organisations() -> Organisations:
    """The organisations that come with Linewatch."""
    return _parse(files("places").joinpath("data", BUNDLED).read_text(encoding="utf-8"), BUNDLED)


@lru_cache(maxsize=16)
def load(path: Path | str) -> Organisations:
    """Organisations from a file of the same columns as the bundled one.

    Raises:
        PlaceError: the file cannot be read or contradicts itself.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(f"the organisations cannot be read from {path}: {error}") from error
    return _parse(text, str(path))


def _parse(text: str, name: str) -> Organisations:
    rows = []
    for line, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            rows.append(_organisation(row))
        except (ValueError, KeyError, AttributeError) as error:
            raise PlaceError(f"{name}, line {line}: {error}") from error
    _check(rows, name)
    return Organisations(tuple(rows))


def _organisation(row: dict[str, str]) -> Organisation:
    forces = tuple(force_code(short) for short in row["forces"].split())
    duties = tuple(row["duties"].split())
    if not all(forces):
        raise ValueError(f"{row['forces']!r} names a force that is not in the table of forces")
    if row["kind"] not in KINDS:
        raise ValueError(f"{row['kind']!r} is not a kind; kinds are {', '.join(KINDS)}")
    if unknown := [duty for duty in duties if duty not in DUTIES]:
        raise ValueError(f"{unknown[0]!r} is not a duty; duties are {', '.join(DUTIES)}")
    return Organisation(
        org_id=row["org_id"],
        kind=row["kind"],
        name=row["name"],
        parent=row["parent"],
        built_on=row["built_on"],
        forces=forces,
        duties=duties,
        valid_from=date.fromisoformat(row["valid_from"]) if row["valid_from"] else date.min,
        valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else date.max,
        note=row["note"],
    )


def _check(rows: Iterable[Organisation], name: str) -> None:
    """Refuse a set in which one id stands twice on a day, a parent is missing, or two police one area."""
    rows = list(rows)
    spans: dict[str, list[Organisation]] = {}
    for org in rows:
        if org.valid_from >= org.valid_to:
            raise PlaceError(f"{name}: {org.org_id} ends before it begins; check its dates")
        spans.setdefault(org.org_id, []).append(org)
    for org_id, turns in spans.items():
        for one, two in pairwise(sorted(turns, key=lambda org: org.valid_from)):
            if two.valid_from < one.valid_to:
                raise PlaceError(
                    f"{name}: {org_id} stands twice on {two.valid_from}; end the first row there"
                )
    days = {org.valid_from for org in rows} | {org.valid_to for org in rows}
    for day in sorted(days - {date.max}):
        _check_day(name, day, [org for org in rows if org.stands_on(day)])


def _check_day(name: str, day: date, standing: list[Organisation]) -> None:
    known = {org.org_id for org in standing}
    police: dict[int, str] = {}
    for org in standing:
        for other in (org.parent, org.built_on):
            if other and other not in known:
                raise PlaceError(f"{name}: {org.org_id} refers to {other}, which does not stand on {day}")
        for force in org.forces:
            if police.setdefault(force, org.org_id) != org.org_id:
                raise PlaceError(f"{name}: {police[force]} and {org.org_id} both police one area on {day}")
