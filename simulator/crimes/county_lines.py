"""County lines: deal numbers that advertise to their customers, the people used to serve them, and the money.

Each line is a brand with a biography (`line_plan`), an address book and habits (`line`); day by day it trades on the
telephone (`line_traffic`), moves people (`line_people`) and money (`line_money`). Truth has a row for each number's
reign (`kind` line), each runner and each cuckooed home; `note` is a small JSON object that names the brand, the
predecessor of a reign and how it came and went.
"""

import json
from typing import Final

import numpy as np

from simulator.arrays import DAY, HOUR
from simulator.chance import chance
from simulator.crimes.cast import Cast
from simulator.crimes.line import Line, make_line
from simulator.crimes.line_money import money_day
from simulator.crimes.line_parameters import LineParameters
from simulator.crimes.line_people import at_address, missing_children, runners_day, tenant_day, visits
from simulator.crimes.line_plan import Reign
from simulator.crimes.line_traffic import Orders, Today, traffic
from simulator.crimes.pages import Pages
from simulator.crimes.prevalence import how_many, subscriptions
from simulator.crimes.residents import Residents
from simulator.diary import Diary, Mechanism
from simulator.parameters import Parameters
from simulator.spreads import drawn
from simulator.world import World

NAME: Final = "county_lines"
SPAN: Final = 1
"""The span of this mechanism's identifiers (see `cast`)."""
_AHEAD: Final = 3 * HOUR


class CountyLines:
    """All county lines of a world."""

    name = NAME

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.parameters: LineParameters
        self._known: dict[str, list[int]] = {}

    def begin(self, world: World, rng: np.random.Generator) -> None:
        """Draws the world's parameters and every line's biography, people and phones."""
        p = self.parameters = drawn(LineParameters, world.seed, NAME, world.parameters.settings(NAME), {})
        count = how_many(world, "crimes", NAME, p.lines_per_million * subscriptions(world) / 1e6)
        residents = Residents(world)
        cast = Cast(world, NAME, SPAN)
        for number in range(count):
            own = chance(world.seed, NAME, "line", number)
            self.lines.append(make_line(world, cast, residents, own, p, f"line-{number + 1:04d}"))
        cast.enter()

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        """One day of every line."""
        pages = Pages(world, day)
        for number, line in enumerate(self.lines):
            today = Today(world, line, day, chance(world.seed, NAME, "day", number, day), pages)
            self._line_day(today)
        pages.tell(diary, self._known)
        for number, line in enumerate(self.lines):
            today = Today(world, line, day, chance(world.seed, NAME, "found out", number, day), pages)
            self._found_out(today, diary, number)
            if day == world.calendar.days - 1 or _ends_today(line, day):
                self._truth(today, diary)

    def _line_day(self, today: Today) -> None:
        line = today.line
        active = [(place, reign) for place, reign in enumerate(line.reigns) if _touches(reign, today.day)]
        if not active:
            return
        orders = [traffic(today, place, reign) for place, reign in active]
        taken = Orders(np.concatenate([o.customer for o in orders]), np.concatenate([o.at for o in orders]))
        runners_day(today)
        visits(today, taken)
        till = next((t for t in line.tills if t.since <= today.day < t.until), line.tills[0])
        tenant_day(today, till.account)
        money_day(today, taken, self.parameters)

    # ---- what becomes known, and what is true ------------------------------------------------------------------
    def _found_out(self, today: Today, diary: Diary, number: int) -> None:
        """Watch lists and labels: numbers the police know, closures, children reported missing."""
        line, world, rng, p = today.line, today.world, today.rng, self.parameters
        fate = chance(world.seed, NAME, "known", number)
        if fate.random() < p.watched_share and line.reigns and not line.unseen:
            reign = line.reigns[0]
            known = max(reign.since + fate.uniform(3, 40), fate.uniform(0, 2))
            if int(known) == today.day and known < reign.until:
                diary.watch("number", world.number(line.phones[0][0]), "deal_line", today.time(float(known)))
        for place, reign in enumerate(line.reigns):
            if reign.ending in ("type1", "type2") and int(np.floor(reign.until)) == today.day:
                self._closed(today, diary, place, reign)
        for runner, stint in missing_children(today):
            at = max(today.time(stint.reported_missing), today.midnight)
            back = today.time(stint.home) if stint.home < world.calendar.days else None
            diary.watch(
                "number",
                world.number(runner.phone),
                "missing_child",
                at,
                since=today.time(stint.leaves),
                until=back,
            )
        _ = rng

    def _closed(self, today: Today, diary: Diary, place: int, reign: Reign) -> None:
        at = today.time(reign.until)
        said = at + int(today.rng.uniform(0.2, 2) * self.parameters.closure_label_days * DAY)
        for phone in today.line.phones[place]:
            if reign.ending == "type2":
                diary.watch("number", today.world.number(phone), "restricted", at, since=at)
            diary.label(
                diary.number(phone), "confirmed", said, subjects=[diary.number(phone)], typology="deal_line",
                subject_category="suspect", origin="court" if reign.ending == "type1" else "analyst",
            )  # fmt: skip

    def _truth(self, today: Today, diary: Diary) -> None:
        line, world = today.line, today.world
        geo = world.geography
        hub, market = int(geo.town_force[line.place.hub]), int(geo.town_force[line.place.market])
        active = sorted({hub, market} - {0})
        typology = f"{'external' if line.place.external else 'internal'}_line"
        end_of_run = today.world.calendar.days
        for place, reign in enumerate(line.reigns):
            if reign.since >= today.day + 1:
                continue
            note = _note(line, place, reign, world)
            note_tills = [t.account for t in line.tills if t.since < reign.until and t.until > reign.since]
            accounts = [*dict.fromkeys(note_tills), *([line.collector] if line.collector >= 0 else [])]
            story = f"{line.id}.{place + 1}"
            diary.truth(
                "line", story, typology, numbers=line.phones[place], accounts=accounts,
                event_ids=self._known.get(story, []), start=today.time(reign.since),
                end=today.time(reign.until) if reign.until < end_of_run and reign.ending != "running" else None,
                home_force=hub, active_forces=active, note=json.dumps(note, separators=(",", ":")),
            )  # fmt: skip
        self._truth_of_people(today, diary, hub, market)

    def _truth_of_people(self, today: Today, diary: Diary, hub: int, market: int) -> None:
        line, world = today.line, today.world
        for place, runner in enumerate(line.runners):
            stints = [s for s in runner.stints if s.leaves < today.day + 1]
            if not stints:
                continue
            account = int(world.people.account[runner.person])
            note = {
                "line": line.id,
                "age": runner.age,
                "child": runner.age < 18,
                "stints": len(stints),
                "role": "coerced" if runner.age < 18 else "runner",
            }
            diary.truth(
                "runner", f"{line.id}.runner-{place + 1}", "courier", numbers=[runner.phone],
                accounts=[account] if account >= 0 else [], start=today.time(stints[0].leaves),
                end=today.time(stints[-1].home), home_force=hub, active_forces=sorted({hub, market} - {0}),
                note=json.dumps(note, separators=(",", ":")),
            )  # fmt: skip
        for place, home in enumerate(line.addresses):
            if home.since >= today.day + 1:
                continue
            visited = at_address(line.addresses, today.day) is home
            account = int(world.people.account[home.tenant])
            staying = [r.phone for r in line.runners if any(s.cell == home.cell for s in r.stints)]
            cell = f"00101-{10_000 + home.cell // 6}-{home.cell % 6 + 1}"
            note = {"line": line.id, "cell": cell, "unseen": line.unseen and not staying}
            diary.truth(
                "cuckoo", f"{line.id}.cuckoo-{place + 1}", "cuckooed_place", numbers=[*staying, home.phone],
                accounts=[account] if account >= 0 else [],
                event_ids=self._known.get(f"{line.id}.cuckoo", []) if visited else [], start=today.time(home.since),
                end=today.time(home.until), home_force=market, active_forces=[market] if market else [],
                note=json.dumps(note, separators=(",", ":")),
            )  # fmt: skip


def _touches(reign: Reign, day: int) -> bool:
    return reign.since < day + 1 and reign.until > day


def _ends_today(line: Line, day: int) -> bool:
    return any(int(np.floor(reign.until)) == day for reign in line.reigns)


def _note(line: Line, place: int, reign: Reign, world: World) -> dict[str, object]:
    """What else is true of a reign."""
    note: dict[str, object] = {
        "line": line.id, "external": line.place.external, "holder": line.holder, "ending": reign.ending,
        "customers": int(line.present[place].sum()), "flares": line.habits[place].flares_per_day > 0,
        "first_flare_day": round(reign.first_flare, 3),
        "market": world.geography.town_name[line.place.market], "hub": world.geography.town_name[line.place.hub],
    }  # fmt: skip
    if line.unseen:
        note["unseen"] = "telecoms"
    if reign.predecessor >= 0:
        note |= {"predecessor": f"{line.id}.{reign.predecessor + 1}", "after": reign.came_after}
        shared = line.present[place] & line.present[reign.predecessor]
        note |= {"shared_customers": int(shared.sum()), "announced": line.reigns[reign.predecessor].announced}
    return note


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [CountyLines()]
