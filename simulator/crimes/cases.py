"""A mechanism made of separate cases: a case begins, does something each day, ends, and is named in truth.

Each case has its own chance, so a case's records are the same whatever other cases there are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np

from simulator.arrays import DAY, HOUR, Ints
from simulator.chance import chance
from simulator.crimes.cast import Cast
from simulator.crimes.pages import Pages
from simulator.crimes.prevalence import how_many
from simulator.crimes.residents import Residents, Who, choose
from simulator.diary import Diary
from simulator.spreads import drawn
from simulator.world import World


class Case(Protocol):
    """What every case has: an id, and the days it goes on."""

    @property
    def id(self) -> str: ...
    @property
    def since(self) -> float: ...
    @property
    def until(self) -> float: ...


P = TypeVar("P")
C = TypeVar("C", bound=Case)


@dataclass(frozen=True, slots=True)
class Stage(Generic[P]):
    """What a case is made from."""

    world: World
    cast: Cast
    residents: Residents
    p: P

    @property
    def days(self) -> int:
        """How long the run is."""
        return self.world.calendar.days

    def someone(self, rng: np.random.Generator, who: Who) -> int:
        """One person who fits, anywhere; -1 = there is none."""
        return self.residents.someone(rng, who)

    def crowd(self, rng: np.random.Generator, town: int, who: Who, n: int) -> Ints:
        """`n` people who fit, round a town."""
        near = self.residents.near(town, who, 3 * n)
        return choose(rng, near, np.ones(1), n)

    def town(self, rng: np.random.Generator) -> int:
        """A town drawn by where people live (one that has people)."""
        return int(self.world.people.town[int(rng.integers(len(self.world.people)))])

    def cell(self, rng: np.random.Generator, town: int) -> int:
        """A cell of a town."""
        return int(rng.choice(self.world.cells_of(town)))


@dataclass(slots=True)
class Today:
    """A case on a day: what it needs to tell of it."""

    world: World
    day: int
    rng: np.random.Generator
    pages: Pages
    diary: Diary

    @property
    def midnight(self) -> int:
        """When the day begins."""
        return self.world.calendar.midnight(self.day)

    @property
    def last(self) -> bool:
        """The run's last day."""
        return self.day == self.world.calendar.days - 1

    def time(self, day: float) -> int:
        """A moment given in days of the run."""
        whole = int(np.floor(day))
        return self.world.calendar.midnight(whole) + int((day - whole) * DAY)

    def hours(self, low: float, high: float, n: int) -> Ints:
        """`n` moments of the day between two hours, in order."""
        return self.midnight + (np.sort(self.rng.uniform(low, max(low, high), n)) * HOUR).astype(np.int64)

    def within(self, since: float, until: float) -> tuple[float, float]:
        """The part of a stretch that lies in this day."""
        return max(since, float(self.day)), min(until, self.day + 1.0)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a case."""

    kind: str
    typology: str
    numbers: Sequence[int] = ()
    accounts: Sequence[int] = ()
    home_force: int = 0
    active_forces: Sequence[int] = ()
    note: Mapping[str, object] = field(default_factory=dict)
    part: str = ""
    """A further row of the same case: added to its id."""
    since: float | None = None
    until: float | None = None


class Cases(Generic[P, C]):
    """All cases of one mechanism in a world."""

    name: str
    span: int
    table: Literal["crimes", "innocents"] = "crimes"
    found_share: float = 0.0
    """Cases somebody finds out about without a victim's report, some days into them [assumed]."""
    verdict: Literal["confirmed", "innocent"] = "confirmed"
    parameters: type[Any]

    def __init__(self) -> None:
        self.cases: list[C] = []
        self.p: P
        self.known: dict[str, list[int]] = {}

    # ---- what a mechanism says of itself -----------------------------------------------------------------------
    def expected(self, world: World) -> float:
        """How many cases a world of this size and length has on average."""
        raise NotImplementedError

    def make(self, stage: Stage[P], rng: np.random.Generator, id: str) -> C | None:
        """Draws one case; None when the world has nobody for it."""
        raise NotImplementedError

    def tell(self, case: C, today: Today) -> None:
        """What happens in a case on a day."""
        raise NotImplementedError

    def always(self, case: C, today: Today) -> None:
        """What goes on in a case on every day of the run, before and after it too."""

    def settle(self, diary: Diary) -> None:
        """What is told of all cases together once the day has been worked out."""

    def truths(self, case: C, world: World) -> list[Truth]:
        """What is true of a case."""
        raise NotImplementedError

    # ---- the mechanism -----------------------------------------------------------------------------------------
    def begin(self, world: World, rng: np.random.Generator) -> None:
        """Draws the parameters and the cases."""
        self.p = drawn(self.parameters, world.seed, self.name, world.parameters.settings(self.name), {})
        count = how_many(world, self.table, self.name, self.expected(world))
        if count == 0 or len(world.people) == 0:
            return
        stage = Stage(world, Cast(world, self.name, self.span), Residents(world), self.p)
        for number in range(count):
            own = chance(world.seed, self.name, "case", number)
            case = self.make(stage, own, f"{self.name.replace('_', '-')}-{number + 1:04d}")
            if case is not None:
                self.cases.append(case)
        stage.cast.enter()

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        """One day of every case that is going on."""
        pages = Pages(world, day)
        going_on = [
            (n, case) for n, case in enumerate(self.cases) if case.since < day + 1 and case.until > day
        ]
        for number, case in enumerate(self.cases):
            self.always(
                case, Today(world, day, chance(world.seed, self.name, "always", number, day), pages, diary)
            )
        for number, case in going_on:
            self.tell(
                case, Today(world, day, chance(world.seed, self.name, "day", number, day), pages, diary)
            )
        pages.tell(diary, self.known)
        self.settle(diary)
        for number, case in going_on:
            self._found_out(number, case, world, diary, day)
            if case.until <= day + 1 or day == world.calendar.days - 1:
                self._say_truth(case, world, diary, day)

    def _found_out(self, number: int, case: C, world: World, diary: Diary, day: int) -> None:
        """An analyst or a review comes to a verdict on some of a case's numbers and accounts, days after it began."""
        rng = chance(world.seed, self.name, "found out", number)
        length = min(case.until, float(world.calendar.days)) - max(case.since, 0.0)
        found = max(case.since, 0.0) + float(rng.uniform(0.2, 1.0)) * length
        if rng.random() >= self.found_share or int(found) != day:
            return
        at = world.calendar.midnight(day + 1) + int(rng.uniform(0, 4) * DAY)
        guilty = self.verdict == "confirmed"
        for truth in self.truths(case, world)[:1]:
            about = [diary.number(n) for n in truth.numbers[:5]] or [
                diary.account(a) for a in truth.accounts[:2]
            ]
            for subject in about:
                diary.label(
                    subject, self.verdict, at, subjects=[subject], typology=truth.typology if guilty else "",
                    subject_category="suspect" if guilty else "", origin="analyst" if guilty else "random_review",
                )  # fmt: skip

    def _say_truth(self, case: C, world: World, diary: Diary, day: int) -> None:
        moment = Today(world, day, chance(world.seed, self.name, "truth"), Pages(world, day), diary).time
        for truth in self.truths(case, world):
            until = case.until if truth.until is None else truth.until
            since = case.since if truth.since is None else truth.since
            story = case.id + truth.part
            diary.truth(
                truth.kind, story, truth.typology, numbers=truth.numbers, accounts=truth.accounts,
                event_ids=self.known.get(story, []), start=moment(since),
                end=moment(until) if until < world.calendar.days else None, home_force=truth.home_force,
                active_forces=truth.active_forces,
                note=json.dumps(truth.note, separators=(",", ":")) if truth.note else "",
            )  # fmt: skip


def place_in_run(rng: np.random.Generator, days: int, length: float) -> tuple[float, float]:
    """When a case of some days begins and ends, so that at least a part of it lies within the run."""
    length = max(length, 0.05)
    since = float(rng.uniform(-min(length, days) * 0.5, max(days - min(length, 1.0), 0.5)))
    return since, since + length
