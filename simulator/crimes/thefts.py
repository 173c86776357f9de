"""Payments of victims, told to the diary together, so that each can be named later by its report and its recall."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.crimes.pages import KEY_EVENTS
from simulator.diary import Diary


@dataclass(frozen=True, slots=True)
class Theft:
    """One payment by a victim, or by a thief in a victim's name."""

    story: str
    payer: int
    payee: int
    pence: int
    at: int
    more: dict[str, Any]
    """Further columns of `Diary.pay`: every theft of a day names the same."""
    done: Callable[[int, int], None]
    """Told the record and the payment."""


def settle(thefts: list[Theft], diary: Diary, known: dict[str, list[int]]) -> None:
    """Tells the diary of all of them and every one's maker what came of it."""
    if not thefts:
        return
    more: dict[str, Any] = {name: [theft.more[name] for theft in thefts] for name in thefts[0].more}
    ids = diary.pay(
        np.asarray([theft.payer for theft in thefts]), np.asarray([theft.payee for theft in thefts]),
        np.asarray([theft.pence for theft in thefts]), np.asarray([theft.at for theft in thefts]), **more,
    )  # fmt: skip
    payments = diary.payment_of(ids)
    firsts = np.flatnonzero(np.concatenate([[True], payments[1:] != payments[:-1]]))
    reporting = diary.world.accounts.bank[[theft.payer for theft in thefts]] >= 0
    reporting |= diary.world.accounts.bank[[theft.payee for theft in thefts]] >= 0
    told = [theft for theft, seen in zip(thefts, reporting, strict=True) if seen]
    for theft, first, end in zip(told, firsts, [*firsts[1:], len(ids)], strict=True):
        kept = known.setdefault(theft.story, [])
        kept.extend(int(i) for i in ids[first : min(end, first + KEY_EVENTS - len(kept))])
        theft.done(int(ids[first]), int(payments[first]))
    thefts.clear()
