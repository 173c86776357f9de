"""Takeaways and taxi offices: phones that many strangers ring, briefly, until late, and that send people out.

They share the deal line's fan-in of short calls, its evening hours and its calls to those who deliver.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.arrays import HOUR, MINUTE, Floats, Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Stage, Today, Truth
from simulator.crimes.residents import Who
from simulator.diary import Mechanism
from simulator.innocents.broadcasts import carried
from simulator.innocents.habits import Innocents, log, near, of
from simulator.parameters import Parameters
from simulator.spreads import Spread
from simulator.world import World

COMMON: Final = {"prepaid_share": of(0.2, 0.7), "regulars": of(0.2, 0.6, "calls from people who rang before")}
KINDS: Final[dict[str, dict[str, Spread]]] = {
    "takeaway": {
        "per_100k": log(5, 25, "about 65 takeaways to 100,000; those with a mobile number"), "customers": log(200, 1_200),
        "calls_a_day": log(25, 120), "call_s": log(40, 110), "drivers": of(1, 4), "sends": of(0.3, 0.9),
        "texts_back": of(0.02, 0.3), "rings_back": of(0.05, 0.3), "promotes_a_week": of(0, 1.5), **COMMON,
    },
    "taxi_dispatch": {
        "per_100k": log(1.5, 7), "customers": log(400, 2_500), "calls_a_day": log(60, 320), "call_s": log(18, 50),
        "drivers": of(4, 14), "sends": of(0.5, 1.0), "texts_back": of(0.3, 0.9), "rings_back": of(0.1, 0.5),
        "promotes_a_week": of(0, 0.6), **COMMON,
    },
}  # fmt: skip
_DAYTIME: Final = np.asarray(
    [0.5, 0.2, 0.1, 0, 0, 0, 0, 0, 0, 0, 0.2, 1, 2.5, 2, 1, 1, 2, 5, 7, 7.5, 7, 5.5, 4, 2]
)
_ROUND_THE_CLOCK: Final = np.asarray(
    [5, 5, 4.5, 3.5, 1.5, 1, 1.5, 2.5, 4, 3, 2.5, 3, 3, 3, 3.5, 4.5, 4, 4, 4.5, 5, 5, 5.5, 6, 6.5]
)


@dataclass(slots=True)
class Office:
    """One shop or office."""

    id: str
    since: float
    until: float
    phone: int
    customers: Ints
    liked: Floats
    drivers: Ints
    calls: float
    call_s: float
    town: int
    cell: int
    smart: bool


class Dispatch(Innocents[Office]):
    """All shops or offices of one kind."""

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Office | None:
        """A phone, the people round about, the drivers."""
        p, town = stage.p, stage.town(rng)
        people = stage.world.people
        customers = stage.crowd(rng, town, Who((15, 120), phone=True), int(near(rng, p.customers)))
        drivers = stage.crowd(rng, town, Who((18, 60), phone=True), max(1, round(p.drivers)))
        if len(customers) == 0 or len(drivers) == 0:
            return None
        smart, prepaid, cell = (
            bool(rng.random() < 0.5),
            bool(rng.random() < p.prepaid_share),
            stage.cell(rng, town),
        )
        phone = stage.cast.phone(
            rng, day=0, age_days=float(rng.uniform(5, 1_500)), cell=cell, prepaid=prepaid, smart=smart
        )
        liked = rng.pareto(1.3, len(customers)) + 0.05
        return Office(id, -1.0, stage.days + 1.0, phone, people.phone[customers], liked / liked.sum(), people.phone[drivers],
                      near(rng, p.calls_a_day), near(rng, p.call_s, 0.2), town, cell, smart)  # fmt: skip

    def tell(self, case: Office, today: Today) -> None:
        """Orders in, drivers out, a text or a ring when they are at the door."""
        rng, p = today.rng, self.p
        busy = 1.5 if today.world.calendar.weekday(today.day) in (4, 5) else 0.85
        n = int(rng.poisson(case.calls * busy))
        profile = _DAYTIME if self.name == "takeaway" else _ROUND_THE_CLOCK
        hour = rng.choice(24, n, p=profile / profile.sum()) + rng.random(n)
        at = today.midnight + (np.sort(hour) * HOUR).astype(np.int64)
        regular = rng.random(n) < p.regulars
        who = np.where(regular, rng.choice(case.customers, n, p=case.liked), rng.choice(case.customers, n))
        length = np.maximum(lognormal(rng, case.call_s, 0.5, n), 4).astype(np.int64)
        say = today.pages.say
        say(
            "call",
            case.id,
            caller=who,
            callee=case.phone,
            start=at,
            seconds=length,
            answered=rng.random(n) < 0.92,
            callee_cell=case.cell,
        )
        sent = rng.random(n) < p.sends
        driver = case.drivers[rng.integers(0, len(case.drivers), int(sent.sum()))]
        out = at[sent] + (rng.uniform(1, 25, len(driver)) * MINUTE).astype(np.int64)
        say(
            "call",
            caller=case.phone,
            callee=driver,
            start=out,
            seconds=rng.integers(5, 30, len(driver)),
            caller_cell=case.cell,
        )
        told = rng.random(n) < p.texts_back
        say(
            "texts",
            case.id,
            sender=np.full(int(told.sum()), case.phone),
            recipients=who[told],
            times=at[told] + 6 * MINUTE,
            sender_cell=case.cell,
        )
        rung = rng.random(n) < p.rings_back
        say(
            "call",
            caller=case.phone,
            callee=who[rung],
            start=at[rung] + 9 * MINUTE,
            seconds=0,
            answered=False,
            caller_cell=case.cell,
        )
        if rng.random() < p.promotes_a_week / 7:
            some = rng.choice(
                case.customers, min(len(case.customers), int(rng.integers(30, 250))), replace=False
            )
            times = today.midnight + 16 * HOUR + np.arange(len(some)) * 2_500_000
            say(
                "texts",
                case.id,
                sender=np.full(len(some), case.phone),
                recipients=some,
                times=times,
                sender_cell=case.cell,
            )
        carried(today, case.phone, case.cell, smart=case.smart)

    def truths(self, case: Office, world: World) -> list[Truth]:
        """The phone."""
        return self.innocent(world, [case.phone], [], int(world.geography.town_force[case.town]))


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [Dispatch(name, 40 + place, ranges) for place, (name, ranges) in enumerate(KINDS.items())]
