"""People who text many at once and are not selling drugs: reminders, teams, parents, worship, promoters, markets.

They share the flare's outward signs: one handset, many recipients within minutes, the same list again, some answers.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.arrays import MINUTE, SECOND, Ints
from simulator.chance import lognormal
from simulator.crimes.cases import Stage, Today, Truth
from simulator.crimes.residents import Who
from simulator.diary import Mechanism
from simulator.innocents.habits import Innocents, log, near, of
from simulator.parameters import Parameters
from simulator.spreads import Spread
from simulator.world import World

Ranges = dict[str, Spread]


def _ranges(
    per_100k: Spread, people: Spread, a_week: Spread, share: Spread, hours: tuple[Spread, Spread], gap_s: Spread,
    reply: Spread, voice: Spread, calls: Spread, prepaid: Spread,
) -> Ranges:  # fmt: skip
    return {
        "per_100k": per_100k, "people": people, "a_week": a_week, "share": share, "from_hour": hours[0], "to_hour": hours[1],
        "gap_s": gap_s, "reply_share": reply, "voice_share": voice, "calls_a_day": calls, "prepaid_share": prepaid,
        "reply_minutes": log(6, 90, "median delay of an answer"),
    }  # fmt: skip


OFFICE: Final = (of(8.5, 10), of(16.5, 19))
EVENING: Final = (of(15.5, 17.5), of(20, 22.5))
TRADES: Final[dict[str, Ranges]] = {
    "hairdresser": _ranges(log(6, 30, "of those who text from a handset"), log(90, 350), of(4.5, 6), of(0.03, 0.1), OFFICE,
                           log(8, 60), of(0.04, 0.2), of(0.1, 0.4), of(3, 15), of(0.1, 0.5)),
    "garage": _ranges(log(4, 20), log(60, 300), of(4, 6), of(0.03, 0.08), OFFICE, log(10, 90), of(0.05, 0.25), of(0.4, 0.8),
                      of(4, 18), of(0.05, 0.4)),
    "coach": _ranges(log(8, 40), log(16, 70), of(1.5, 5), of(0.8, 1), EVENING, log(1, 8, "some by a group function"),
                     of(0.1, 0.45), of(0.02, 0.15), of(1, 6), of(0.05, 0.3)),
    "parent_group": _ranges(log(10, 50), log(18, 40), of(0.7, 4), of(0.7, 1), (of(7, 9), of(20, 22.5)), log(1, 8),
                            of(0.15, 0.5), of(0.02, 0.1), of(0.5, 4), of(0.05, 0.3)),
    "worship": _ranges(log(4, 20), log(35, 260), of(0.8, 3), of(0.6, 1), (of(8, 10), of(19, 21.5)), log(1, 10),
                       of(0.02, 0.12), of(0.3, 0.7), of(2, 12), of(0.1, 0.5)),
    "promoter": _ranges(log(1.5, 8), log(120, 1_200), of(1, 4), of(0.4, 1), (of(16, 18.5), of(21, 24)), log(0.8, 6),
                        of(0.04, 0.2), of(0.05, 0.3), of(2, 15), of(0.4, 0.9)),
    "market_trader": _ranges(log(4, 20), log(25, 150), of(1, 5), of(0.5, 1), (of(6, 9), of(16, 19)), log(2, 12),
                             of(0.05, 0.25), of(0.4, 0.8), of(5, 25), of(0.3, 0.8)),
    "festival_blast": _ranges(log(0.8, 3, "one-off adverts of an event"), log(300, 2_500), of(0.3, 0.9), of(0.8, 1),
                              (of(10, 12), of(20, 23)), log(0.4, 3), of(0.01, 0.08), of(0.05, 0.3), of(0, 2), of(0.5, 0.95)),
}  # fmt: skip


TREE: Final[Ranges] = {"per_100k": log(0.8, 4), "people": log(60, 400), "width": of(3, 10)}
"""A school's chain of messages."""


@dataclass(slots=True)
class Sender:
    """One of them: a phone, a list, habits."""

    id: str
    since: float
    until: float
    phone: int
    people: Ints
    a_week: float
    gap_s: float
    calls: float
    town: int
    cell: int
    smart: bool


class Broadcasts(Innocents[Sender]):
    """All senders of one trade."""

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Sender | None:
        """A phone in a town and a list of people round it."""
        p, town = stage.p, stage.town(rng)
        size = int(np.clip(near(rng, p.people, 0.5), 8, 5_000))
        people = stage.crowd(rng, town, Who(phone=True), size)
        prepaid, smart = bool(rng.random() < p.prepaid_share), bool(rng.random() < 0.85)
        cell = stage.cell(rng, town)
        age = float(rng.choice([rng.uniform(1, 60), rng.uniform(60, 1_500)], p=[0.2, 0.8]))
        owner = int(stage.crowd(rng, town, Who((21, 90)), 1)[0])
        phone = stage.cast.phone(rng, day=0, age_days=age, cell=cell, prepaid=prepaid, smart=smart, owner=owner,
                                 known=not prepaid or bool(rng.random() < 0.3))  # fmt: skip
        return Sender(id, -1.0, stage.days + 1.0, phone, people, near(rng, p.a_week, 0.2), near(rng, p.gap_s), near(rng, p.calls_a_day + 0.1),
                      town, cell, smart)  # fmt: skip

    def tell(self, case: Sender, today: Today) -> None:
        """Today's messages if it is a day for them, the answers, and the day's calls."""
        rng, p = today.rng, self.p
        phones = today.world.people.phone[case.people]
        if rng.random() < min(case.a_week / 7, 1.0):
            self._sends(case, today, phones)
        n = int(rng.poisson(case.calls))
        at = today.hours(p.from_hour, p.to_hour, n)
        who = phones[rng.integers(0, len(phones), n)] if len(phones) else np.empty(0, np.int64)
        if len(who):
            length = np.maximum(lognormal(rng, 75, 1.0, n), 4).astype(np.int64)
            inward = rng.random(n) < 0.6
            today.pages.say(
                "call",
                caller=who[inward],
                callee=case.phone,
                start=at[inward],
                seconds=length[inward],
                callee_cell=case.cell,
            )
            today.pages.say(
                "call",
                caller=case.phone,
                callee=who[~inward],
                start=at[~inward],
                seconds=length[~inward],
                caller_cell=case.cell,
            )
        carried(today, case.phone, case.cell, smart=case.smart)

    def _sends(self, case: Sender, today: Today, phones: Ints) -> None:
        rng, p = today.rng, self.p
        share = min(float(p.share) * float(rng.uniform(0.8, 1.2)), 1.0)
        chosen = phones[rng.random(len(phones)) < share]
        start = today.midnight + int(
            rng.uniform(p.from_hour, max(p.to_hour - 0.5, p.from_hour)) * 60 * MINUTE
        )
        at = start + (np.cumsum(rng.exponential(case.gap_s, len(chosen)) + 0.3) * SECOND).astype(np.int64)
        today.pages.say(
            "texts",
            case.id,
            sender=np.full(len(chosen), case.phone),
            recipients=chosen,
            times=at,
            sender_cell=case.cell,
        )
        answers = rng.random(len(chosen)) < p.reply_share
        delay = (np.minimum(lognormal(rng, p.reply_minutes, 1.1, int(answers.sum())), 900) * MINUTE).astype(
            np.int64
        )
        who, when = chosen[answers], at[answers] + delay
        rings = rng.random(len(who)) < p.voice_share
        length = np.maximum(lognormal(rng, 55, 0.8, len(who)), 4).astype(np.int64)
        today.pages.say(
            "call",
            case.id,
            caller=who[rings],
            callee=case.phone,
            start=when[rings],
            seconds=length[rings],
            callee_cell=case.cell,
        )
        today.pages.say(
            "texts",
            case.id,
            sender=who[~rings],
            recipients=case.phone,
            times=when[~rings],
            recipient_cell=case.cell,
        )

    def truths(self, case: Sender, world: World) -> list[Truth]:
        """The phone."""
        return self.innocent(
            world, [case.phone], [], int(world.geography.town_force[case.town]), list=len(case.people)
        )


def carried(today: Today, phone: int, cell: int, *, smart: bool) -> None:
    """A phone's location updates, and data where it has any."""
    rng = today.rng
    times = today.hours(0, 24, int(rng.poisson(3)))
    today.pages.say("location", phone=phone, ts=times, cell=cell)
    if smart:
        n = int(rng.poisson(3))
        down = lognormal(rng, 2e7, 1.5, n).astype(np.int64)
        today.pages.say(
            "data", phone=phone, ts=today.hours(6, 24, n), up=down // 12, down=down, seconds=600, cell=cell
        )


@dataclass(slots=True)
class Tree:
    """A school's chain of messages: each who is told tells some more."""

    id: str
    since: float
    until: float
    root: int
    rounds: list[tuple[Ints, Ints]]
    at: float
    town: int


class SchoolTrees(Innocents[Tree]):
    """Closures told from parent to parent before breakfast."""

    def make(self, stage: Stage[Any], rng: np.random.Generator, id: str) -> Tree | None:
        """Who tells whom."""
        p, town, people = stage.p, stage.town(rng), stage.world.people
        crowd = stage.crowd(rng, town, Who((25, 55), phone=True), int(np.clip(near(rng, p.people), 30, 800)))
        if len(crowd) < 10:
            return None
        phones = people.phone[crowd]
        width, told, rounds = max(3, round(p.width)), 1, []
        tellers = phones[:1]
        while told < len(phones):
            new = phones[told : told + len(tellers) * width]
            rounds.append((np.repeat(tellers, width)[: len(new)], new))
            told += len(new)
            tellers = new
        day = int(rng.integers(0, stage.days))
        return Tree(
            id, float(day), day + 1.0, int(phones[0]), rounds, day + float(rng.uniform(5.8, 8.2)) / 24, town
        )

    def tell(self, case: Tree, today: Today) -> None:
        """Round after round, each a few minutes after the one before."""
        rng, at = today.rng, today.time(case.at)
        for senders, told in case.rounds:
            when = (
                at
                + (rng.exponential(4, len(told)) * MINUTE).astype(np.int64)
                + np.arange(len(told)) % 10 * 6 * SECOND
            )
            today.pages.say("texts", case.id, sender=senders, recipients=told, times=when)
            at += int(rng.uniform(5, 20)) * MINUTE

    def truths(self, case: Tree, world: World) -> list[Truth]:
        """The first two rounds of tellers."""
        numbers = list(dict.fromkeys(int(s) for senders, _ in case.rounds[:2] for s in senders))
        return self.innocent(world, numbers, [], int(world.geography.town_force[case.town]))


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    found: list[Mechanism] = [
        Broadcasts(name, 30 + place, ranges) for place, (name, ranges) in enumerate(TRADES.items())
    ]
    trees = SchoolTrees("school_closure", 39, TREE)
    return [*found, trees]
