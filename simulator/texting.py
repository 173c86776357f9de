"""Ordinary texts: exchanges between people in bursts, and what businesses send: reminders, parcels, codes."""

import numpy as np

from simulator import rhythms
from simulator.arrays import DAY, SECOND, Flags, Ints
from simulator.calling import line_weights
from simulator.chance import lognormal
from simulator.diary import Diary
from simulator.world import World

TURN = 0.72
"""Chance that the next text of an exchange comes from the other one (assumed; people often send two in a row)."""
LONGEST_GAP = DAY // 3


class Texts:
    """The day's texts between people, and to them from businesses."""

    name = "texts"

    def begin(self, world: World, rng: np.random.Generator) -> None:
        age = world.people.age[world.phones.owner[: world.subscribers]]
        habit = np.where(age < 25, 0.9, np.where(age < 60, 1.1, 0.9))
        uneven = lognormal(rng, 1.0, world.parameters.texting_sigma, world.subscribers)
        weights = line_weights(world) * habit * uneven
        self._rates = (
            weights / weights.mean() * world.parameters.texts_a_day / world.parameters.conversation_texts
        )
        self._senders = world.senders

    def day(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        self._exchanges(world, day, rng, diary)
        self._from_businesses(world, day, rng, diary)

    def _exchanges(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        opener = rhythms.happening(rng, self._rates)
        owner = world.phones.owner[opener]
        friend = world.contacts.pick(rng, owner, world.parameters.closest_skew * 1.1)
        other = np.where(friend >= 0, world.people.phone[np.maximum(friend, 0)], -1)
        abroad = rng.random(len(opener)) < world.parameters.foreign_share
        other = np.where(abroad, world.foreign[opener % len(world.foreign)], other)
        midnight = world.calendar.midnight(day)
        start = rhythms.times(rng, midnight, len(opener), rhythms.TEXTS, world.people.owl[owner])
        usable = (other >= 0) & (other != opener)
        opener, other, start = opener[usable], other[usable], start[usable]
        which, ts, turned = self._bursts(world, rng, start)
        sender = np.where(turned, other[which], opener[which])
        recipient = np.where(turned, opener[which], other[which])
        mms = rng.random(len(ts)) < world.parameters.mms_share
        for kind, chosen in (("sms", ~mms), ("mms", mms)):
            self._tell(world, day, diary, sender[chosen], recipient[chosen], ts[chosen], kind)

    def _bursts(self, world: World, rng: np.random.Generator, start: Ints) -> tuple[Ints, Ints, Flags]:
        """The texts of each exchange: which exchange, when, and whether the other one sends it."""
        count = rng.geometric(1 / world.parameters.conversation_texts, len(start))
        which = np.repeat(np.arange(len(start)), count)
        first = np.cumsum(count) - count
        gaps = lognormal(rng, world.parameters.reply_gap, world.parameters.reply_sigma, len(which)) * SECOND
        gaps = np.minimum(gaps, LONGEST_GAP)
        gaps[first] = 0
        total = np.cumsum(gaps)
        ts = start[which] + (total - total[first][which]).astype(np.int64)
        turns = rng.random(len(which)) < TURN
        turns[first] = False
        turned = np.cumsum(turns)
        return which, ts, (turned - turned[first][which]) % 2 == 1

    def _tell(
        self, world: World, day: int, diary: Diary, sender: Ints, recipient: Ints, ts: Ints, kind: str
    ) -> None:
        here, there = world.phone_cells(day, sender, ts), world.phone_cells(day, recipient, ts)
        diary.texts(sender, recipient, ts, kind=kind, sender_cell=here, recipient_cell=there)

    def _from_businesses(self, world: World, day: int, rng: np.random.Generator, diary: Diary) -> None:
        working = 1.15 if world.calendar.is_working(day) else 0.6
        recipient = rhythms.happening(rng, np.full(world.subscribers, world.parameters.a2p_a_day * working))
        n = len(recipient)
        named = self._senders[(rng.random(n) ** 1.6 * len(self._senders)).astype(np.int64)]
        short = world.short_codes[(rng.random(n) * len(world.short_codes)).astype(np.int64)]
        sender = np.where(rng.random(n) < 0.15, short, named)
        ts = rhythms.times(rng, world.calendar.midnight(day), n, rhythms.OFFICE)
        there = world.phone_cells(day, recipient, ts)
        diary.texts(sender, recipient, ts, recipient_cell=there)
