"""People whose work is on the telephone and on the move: nurses, carers, agents, drivers, outreach, law, press.

They share short calls with many people, wide travel and odd hours; outreach workers and lawyers also speak to the very
people who buy from lines, and journalists and lawyers have contacts the law protects.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.arrays import Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Stage, Today, Truth
from simulator.crimes.line_setting import around
from simulator.crimes.residents import Who, choose
from simulator.diary import Mechanism
from simulator.innocents.habits import Innocents, log, near, of
from simulator.parameters import Parameters
from simulator.spreads import Spread
from simulator.world import World


def _ranges(
    per_100k: Spread, contacts: Spread, out: Spread, into: Spread, call_s: Spread, texts: Spread, cells: Spread,
    hours: tuple[Spread, Spread], strangers: Spread, weekend: Spread, prepaid: Spread,
) -> dict[str, Spread]:  # fmt: skip
    return {
        "per_100k": per_100k, "contacts": contacts, "calls_out": out, "calls_in": into, "call_s": call_s, "texts": texts,
        "cells": cells, "from_hour": hours[0], "to_hour": hours[1], "strangers": strangers, "weekend": weekend, "prepaid": prepaid,
    }  # fmt: skip


DAY: Final = (of(7.5, 9.5), of(16.5, 19))
LONG: Final = (of(6, 7.5), of(20, 23))
KINDS: Final[dict[str, dict[str, Spread]]] = {
    "community_nurse": _ranges(log(8, 40), log(40, 120), of(8, 25), of(3, 12), log(40, 120), of(2, 15), of(6, 14), DAY,
                               of(0.02, 0.15), of(0.2, 0.5), of(0.0, 0.2)),
    "carer": _ranges(log(10, 50), log(15, 50), of(4, 16), of(3, 12), log(30, 100), of(3, 18), of(5, 12), LONG, of(0.0, 0.08),
                     of(0.4, 0.9), of(0.1, 0.4)),
    "estate_agent": _ranges(log(6, 30), log(80, 350), of(15, 45), of(8, 30), log(40, 140), of(8, 40), of(3, 9), DAY, of(0.15, 0.5),
                            of(0.4, 0.9), of(0.0, 0.15)),
    "delivery_driver": _ranges(log(10, 60), log(300, 1_500), of(15, 80), of(4, 25), log(10, 28), of(5, 60), of(12, 30), (of(6.5, 9), of(18, 22)),
                               of(0.7, 0.98), of(0.4, 0.9), of(0.1, 0.5)),
    "outreach_worker": _ranges(log(2, 10), log(25, 90), of(8, 30), of(8, 35), log(35, 130), of(6, 30), of(4, 10), (of(8, 11), of(17, 23.5)),
                               of(0.05, 0.2), of(0.2, 0.7), of(0.1, 0.5)),
    "lawyer": _ranges(log(5, 25), log(40, 160), of(10, 35), of(8, 30), log(60, 260), of(3, 18), of(2, 6), (of(7.5, 9.5), of(18, 23)),
                      of(0.1, 0.3), of(0.2, 0.6), of(0.0, 0.15)),
    "journalist": _ranges(log(1.5, 8), log(60, 300), of(10, 40), of(4, 20), log(60, 300), of(6, 35), of(2, 8), (of(8, 10), of(18, 23.5)),
                          of(0.3, 0.7), of(0.3, 0.8), of(0.1, 0.6)),
}  # fmt: skip
AMONG_USERS: Final = ("outreach_worker", "lawyer")
"""Those whose contacts are drawn as lines' customers are."""


@dataclass(slots=True)
class Worker:
    """One of them."""

    id: str
    since: float
    until: float
    phone: int
    contacts: Ints
    cells: Ints
    home: int
    town: int
    out: float
    into: float
    texts: float
    smart: bool


class Rounds(Innocents[Worker]):
    """All workers of one kind."""

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Worker | None:
        """A work phone, contacts and an area."""
        p, town, people = stage.p, stage.town(rng), stage.world.people
        size = int(np.clip(near(rng, p.contacts), 8, 3_000))
        pool = stage.residents.near(town, Who((18, 120), phone=True), 4 * size)
        prone = stage.residents.appetite(pool, 0) if self.name in AMONG_USERS else np.ones(1)
        contacts = people.phone[choose(rng, pool, prone, size)]
        if len(contacts) == 0:
            return None
        cells = around(stage.world, rng, town, max(2, round(near(rng, p.cells, 0.2))))
        prepaid = bool(rng.random() < p.prepaid)
        home = stage.cell(rng, town)
        phone = stage.cast.phone(
            rng, day=0, age_days=float(rng.uniform(10, 1_500)), cell=home, prepaid=prepaid, smart=True
        )
        return Worker(id, -1.0, stage.days + 1.0, phone, contacts, cells, home, town, near(rng, p.calls_out), near(rng, p.calls_in),
                      near(rng, p.texts), bool(rng.random() < 0.9))  # fmt: skip

    def tell(self, case: Worker, today: Today) -> None:
        """A day on the round: calls and texts from wherever it leads."""
        rng, p = today.rng, self.p
        if today.world.calendar.weekday(today.day) >= 5 and rng.random() >= p.weekend:
            today.pages.say("location", phone=case.phone, ts=today.hours(8, 22, 2), cell=case.home)
            return
        route = rng.permutation(case.cells)

        def cells(times: Ints) -> Ints:
            share = (times - today.midnight) / 3.6e9
            step = np.clip(
                (share - p.from_hour) / max(p.to_hour - p.from_hour, 1) * len(route), 0, len(route) - 1
            )
            return np.asarray(route[step.astype(np.int64)], dtype=np.int64)

        say = today.pages.say
        for outward, rate in ((True, case.out), (False, case.into)):
            n = int(rng.poisson(rate))
            at, who = today.hours(p.from_hour, p.to_hour, n), self._whom(case, today, n)
            length = np.maximum(lognormal(rng, p.call_s, 0.8, n), 3).astype(np.int64)
            taken = rng.random(n) < 0.8
            if outward:
                say(
                    "call",
                    case.id,
                    caller=case.phone,
                    callee=who,
                    start=at,
                    seconds=length,
                    answered=taken,
                    caller_cell=cells(at),
                )
            else:
                say(
                    "call",
                    case.id,
                    caller=who,
                    callee=case.phone,
                    start=at,
                    seconds=length,
                    answered=taken,
                    callee_cell=cells(at),
                )
        n = int(rng.poisson(case.texts))
        at, who = today.hours(p.from_hour, p.to_hour, n), self._whom(case, today, n)
        out = rng.random(n) < 0.6
        say(
            "texts",
            sender=np.full(int(out.sum()), case.phone),
            recipients=who[out],
            times=at[out],
            sender_cell=cells(at[out]),
        )
        say("texts", sender=who[~out], recipients=case.phone, times=at[~out], recipient_cell=cells(at[~out]))
        seen = today.hours(p.from_hour, p.to_hour, len(route))
        say("location", phone=case.phone, ts=seen, cell=cells(seen))
        if case.smart:
            n = int(rng.poisson(4))
            down = lognormal(rng, 1.5e7, 1.4, n).astype(np.int64)
            at = today.hours(p.from_hour, p.to_hour, n)
            say("data", phone=case.phone, ts=at, up=down // 10, down=down, seconds=600, cell=cells(at))

    def _whom(self, case: Worker, today: Today, n: int) -> Ints:
        """Contacts, the same ones again and again; or strangers, where the work is with them."""
        rng, world = today.rng, today.world
        rank = (len(case.contacts) * rng.random(n) ** 1.5).astype(np.int64)
        known = case.contacts[rank]
        stranger = world.people.phone[rng.integers(0, len(world.people), n)]
        return np.where((rng.random(n) < self.p.strangers) & (stranger >= 0), stranger, known)

    def truths(self, case: Worker, world: World) -> list[Truth]:
        """The work phone."""
        protected = {"privileged": True} if self.name in ("lawyer", "journalist") else {}
        return self.innocent(world, [case.phone], [], int(world.geography.town_force[case.town]), **protected)


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [Rounds(name, 44 + place, ranges) for place, (name, ranges) in enumerate(KINDS.items())]
