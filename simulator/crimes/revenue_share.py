"""International revenue share fraud: stolen lines ring numbers whose owners are paid by the minute.

Two ways in: SIMs got by theft or false names, often roaming; and a company's exchange (PBX) that somebody dials
through at night and at the weekend.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulator.arrays import HOUR, MINUTE, Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Cases, Stage, Today, Truth, place_in_run
from simulator.crimes.disruption import Disrupted, Phase, phases, told
from simulator.crimes.prevalence import subscriptions
from simulator.crimes.wangiri import premium_numbers, run_of_numbers
from simulator.diary import Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import NONE, World

A: Final[Origin] = "assumed"
ROAMING: Final = "999-02"


@dataclass(frozen=True, slots=True)
class RevenueShareParameters(Disrupted):
    """One world's revenue share fraud. CEPT describes the mechanism; no volumes are published."""

    cases_per_million_month: Annotated[float, Spread(1, 5, A, "subscriptions a month", "log")]
    hours: Annotated[float, Spread(6, 60, A, "until it is given up", "log")]
    sims: Annotated[float, Spread(2, 14, A, "new SIMs used together")]
    calls_at_once: Annotated[float, Spread(1, 4, A, "conference calls from one line")]
    call_minutes: Annotated[float, Spread(8, 45, A, "median: long calls")]
    destinations: Annotated[float, Spread(2, 14, A, "numbers of one or two ranges")]
    premium_share: Annotated[
        float, Spread(0.1, 0.4, A, "British premium-rate numbers instead of foreign ones")
    ]
    roaming_share: Annotated[float, Spread(0.2, 0.6, A, "cases rung from abroad")]
    test_calls: Annotated[float, Spread(2, 10, A, "short calls first")]


@dataclass(frozen=True, slots=True)
class PbxParameters(Disrupted):
    """One world's hacked exchanges."""

    cases_per_million_month: Annotated[float, Spread(0.8, 4, A, "subscriptions a month", "log")]
    days: Annotated[float, Spread(1.2, 4, A, "over a night or a weekend")]
    lines: Annotated[float, Spread(3, 20, A, "calls at once")]
    call_minutes: Annotated[float, Spread(4, 40, A, "median of the long calls")]
    probes: Annotated[float, Spread(8, 60, A, "short calls first")]
    destinations: Annotated[float, Spread(2, 12, A, "numbers of one or two ranges")]
    ordinary_calls: Annotated[float, Spread(15, 70, A, "a company's calls on a working day")]


@dataclass(slots=True)
class Drain:
    """One case: the lines that ring and the numbers that earn."""

    id: str
    since: float
    until: float
    phases: list[Phase]
    lines: list[Ints]
    """Of each phase, as the numbers that earn: those of before are blocked."""
    destinations: list[Ints]
    town: int
    cells: list[int]
    """Where it rings from in each phase."""
    abroad: bool

    def numbers(self) -> list[int]:
        """Every line and every number that earns, once."""
        return list(dict.fromkeys(np.concatenate([*self.lines, *self.destinations]).tolist()))

    def by_phase(self) -> list[list[int]]:
        """The same phase by phase."""
        return [[*a.tolist(), *b.tolist()] for a, b in zip(self.lines, self.destinations, strict=True)]


def _on(case: Drain, today: Today) -> list[tuple[int, float, float]]:
    """The phases that go on today, and the part of the day that they fill."""
    parts = [(number, *today.within(phase.since, phase.until)) for number, phase in enumerate(case.phases)]
    return [(number, since, until) for number, since, until in parts if since < until]


def _destinations(
    stage: Stage[RevenueShareParameters] | Stage[PbxParameters],
    rng: np.random.Generator,
    n: float,
    premium: float,
) -> Ints:
    count = max(2, round(n * float(np.exp(0.3 * rng.standard_normal()))))
    texts = premium_numbers(rng, count) if rng.random() < premium else run_of_numbers(rng, count)
    return np.asarray([stage.cast.foreign(text) for text in texts])


class RevenueShare(Cases[RevenueShareParameters, Drain]):
    """Revenue share fraud from SIMs."""

    name = "revenue_share"
    span = 11
    parameters = RevenueShareParameters
    found_share = 0.6

    def expected(self, world: World) -> float:
        """By subscriptions and months."""
        return self.p.cases_per_million_month * subscriptions(world) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[RevenueShareParameters], rng: np.random.Generator, id: str) -> Drain | None:
        """Fresh or stolen SIMs and a range to ring."""
        p = stage.p
        length = float(lognormal(rng, p.hours, 0.5, 1)[0]) / 24
        since, until = place_in_run(rng, stage.days, length)
        town, abroad = stage.town(rng), bool(rng.random() < p.roaming_share)
        cell = stage.cell(rng, town)
        count = max(1, round(p.sims * float(np.exp(0.4 * rng.standard_normal()))))
        goes = phases(stage.world.seed, p, self.name, id, since, until)
        lines = [_sims(stage, rng, count, cell, phase.since) for phase in goes[:1]]
        destinations = [_destinations(stage, rng, p.destinations, p.premium_share)]
        cells = [cell]
        for phase in goes[1:]:
            cell = stage.cell(rng, stage.town(rng)) if phase.elsewhere else cell
            cells.append(cell)
            lines.append(_sims(stage, rng, max(1, round(count * phase.rate)), cell, phase.since))
            destinations.append(_destinations(stage, rng, p.destinations, p.premium_share))
        return Drain(id, since, goes[-1].until, goes, lines, destinations, town, cells, abroad)

    def tell(self, case: Drain, today: Today) -> None:
        """A few short calls to try it, then long ones, several at once; the same again after a block."""
        rng, p = today.rng, self.p
        for number, since, until in _on(case, today):
            for line in case.lines[number].tolist():
                for _ in range(max(1, round(p.calls_at_once))):
                    starts, lengths = back_to_back(
                        rng,
                        today.time(since),
                        today.time(since) + int((until - since) * 24 * HOUR),
                        p.call_minutes,
                    )
                    _ring(today, case, number, line, starts, lengths)
            if int(np.floor(case.phases[number].since)) == today.day:
                n = max(1, int(rng.poisson(p.test_calls)))
                starts = today.time(since) + np.arange(n) * 2 * MINUTE
                _ring(today, case, number, int(case.lines[number][0]), starts, rng.integers(3, 25, n))

    def truths(self, case: Drain, world: World) -> list[Truth]:
        """The SIMs and the numbers that earn."""
        force = int(world.geography.town_force[case.town])
        note = {"roaming": case.abroad, **told(case.phases, case.by_phase(), world, place=not case.abroad)}
        return [Truth("revenue_share", "revenue_share", numbers=case.numbers(), home_force=force, note=note)]


def _sims(
    stage: Stage[RevenueShareParameters], rng: np.random.Generator, count: int, cell: int, day: float
) -> Ints:
    return np.asarray(
        [
            stage.cast.phone(
                rng,
                day=day,
                age_days=float(rng.uniform(0, 12)),
                cell=cell,
                smart=True,
                prepaid=bool(rng.random() < 0.4),
            )
            for _ in range(count)
        ]
    )


def back_to_back(rng: np.random.Generator, start: int, end: int, minutes: float) -> tuple[Ints, Ints]:
    """One call after another from `start` to `end`: when each begins, and its seconds. None when the end comes first."""
    most = max(0, int((end - start) / (minutes * MINUTE) * 3) + 4)
    lengths = np.clip(lognormal(rng, minutes * 60, 0.6, most), 60, 4 * 3600).astype(np.int64)
    gaps = rng.integers(5, 90, most)
    starts = start + (np.cumsum(lengths + gaps) - lengths) * 1_000_000
    kept = starts < end
    return starts[kept], lengths[kept]


def _ring(today: Today, case: Drain, phase: int, line: int, starts: Ints, lengths: Ints) -> None:
    earning = case.destinations[phase]
    to = earning[today.rng.integers(0, len(earning), len(starts))]
    today.pages.say(
        "call", case.id, caller=line, callee=to, start=starts, seconds=lengths,
        caller_cell=NONE if case.abroad else case.cells[phase], visited=ROAMING if case.abroad else "",
    )  # fmt: skip


class PbxHacking(Cases[PbxParameters, Drain]):
    """Exchanges dialled through."""

    name = "pbx_hacking"
    span = 12
    parameters = PbxParameters
    found_share = 0.6

    def expected(self, world: World) -> float:
        """By subscriptions and months."""
        return self.p.cases_per_million_month * subscriptions(world) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[PbxParameters], rng: np.random.Generator, id: str) -> Drain | None:
        """A company's number, which rings in office hours on all other days."""
        p = stage.p
        _, until = place_in_run(rng, stage.days, p.days)
        world = stage.world
        firms = np.flatnonzero((world.businesses.phone >= 0) & (world.businesses.town >= 0))
        if len(firms) == 0:
            return None
        firm = int(rng.choice(firms))
        town, cell = int(world.businesses.town[firm]), int(world.businesses.cell[firm])
        text = world.number_texts[int(world.phones.text[world.businesses.phone[firm]])]
        line = stage.cast.phone(rng, day=0, age_days=900, cell=cell, prepaid=False, text=text)
        attack = max(until - p.days, 0.0)
        weekend = next(
            (d for d in range(int(attack), stage.days) if stage.world.calendar.weekday(d) == 4), int(attack)
        )
        begins = (weekend if rng.random() < 0.6 else int(attack)) + float(rng.uniform(18.5, 23.5)) / 24
        begins = min(begins, stage.days - 0.3)
        goes = phases(stage.world.seed, p, self.name, id, begins, begins + p.days)
        destinations = [_destinations(stage, rng, p.destinations, 0.1) for _ in goes]
        lines = [np.asarray([line])] * len(goes)
        return Drain(id, begins, goes[-1].until, goes, lines, destinations, town, [cell] * len(goes), False)

    def tell(self, case: Drain, today: Today) -> None:
        """Short probes, then long calls, several at once, out of hours; to another range once one is barred."""
        rng, p = today.rng, self.p
        for number, since, until in _on(case, today):
            line, phase = int(case.lines[number][0]), case.phases[number]
            begin, end = today.time(since), today.time(since) + int((until - since) * 24 * HOUR)
            if int(np.floor(phase.since)) == today.day:
                n = max(3, int(rng.poisson(p.probes)))
                starts = begin + np.sort(rng.integers(0, 40 * MINUTE, n))
                lengths = rng.integers(0, 18, n)
                _ring(today, case, number, line, starts[starts < end], lengths[starts < end])
            lines = max(2, round(p.lines * phase.rate * float(np.exp(0.2 * rng.standard_normal()))))
            for _ in range(lines):
                starts, lengths = back_to_back(rng, begin + 30 * MINUTE, end, p.call_minutes)
                local = (starts - today.midnight) // HOUR
                weekday = today.world.calendar.is_working(today.day)
                quiet = (local < 7) | (local >= 18) if weekday else np.ones(len(starts), dtype=np.bool_)
                _ring(today, case, number, line, starts[quiet], lengths[quiet])

    def always(self, case: Drain, today: Today) -> None:
        """The company's own calls on working days."""
        rng = today.rng
        if not today.world.calendar.is_working(today.day):
            return
        n = int(rng.poisson(self.p.ordinary_calls))
        people = rng.integers(0, len(today.world.people), n)
        phones = today.world.people.phone[people]
        phones = phones[phones >= 0]
        at = today.hours(8.5, 17.5, len(phones))
        length = np.maximum(lognormal(rng, 110, 1.0, len(phones)), 4).astype(np.int64)
        out = rng.random(len(phones)) < 0.6
        line = int(case.lines[0][0])
        today.pages.say(
            "call",
            caller=line,
            callee=phones[out],
            start=at[out],
            seconds=length[out],
            answered=rng.random(int(out.sum())) < 0.7,
        )
        today.pages.say("call", caller=phones[~out], callee=line, start=at[~out], seconds=length[~out])

    def truths(self, case: Drain, world: World) -> list[Truth]:
        """The exchange (its owner is a victim) and the numbers that earn."""
        force = int(world.geography.town_force[case.town])
        note = {"role": "victim", **told(case.phases, case.destinations, world)}
        return [Truth("revenue_share", "pbx_hacking", numbers=case.numbers(), home_force=force, note=note)]


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [RevenueShare(), PbxHacking()]
