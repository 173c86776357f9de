"""The day's records: what each supplier here has to report of what people do.

A mechanism (ordinary life, a crime, an innocent look-alike) tells the diary what happened; the diary writes the
records as the suppliers would report them: own legs or both, with their delays, `start` and `end` of calls where the
supplier has them. Everything is held in columns of numbers until it is written.

Most methods take one value or an array of them for each argument and return the ids of the records made, so that
`truth` can name them. Phones, accounts, cells, people and businesses are rows of the world's tables; times are
microseconds since 1970 UTC; money is in minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from simulator.arrays import Array, Ids, Ints
from simulator.world import NONE, World

Many = Array | Sequence[int] | int
"""One value for all, or one for each."""
ManyWords = Sequence[str] | str
ManyFlags = Array | Sequence[bool] | bool


class Mechanism(Protocol):
    """Something that goes on in the world, day after day."""

    name: str

    def begin(self, world: World, rng: np.random.Generator) -> None:
        """Once, before the first day: choose people, make phones and accounts."""

    def day(self, world: World, day: int, rng: np.random.Generator, diary: "Diary") -> None:
        """One day: tell the diary what happened between `world.calendar.midnight(day)` and the next."""


class Diary:
    """Collects a day's records; the mechanism at work now is set by `open`."""

    def __init__(self, world: World) -> None:
        self.world = world

    # telecoms
    def call(self, caller: Many, callee: Many, start: Many, seconds: Many, *, answered: ManyFlags = True,
             caller_cell: Many | None = None, callee_cell: Many | None = None, cell_end: Many | None = None,
             shown: Many | None = None, shown_withheld: ManyFlags = False, ingress: ManyWords = "", visited_plmn: str = "",
             ) -> Ids: ...
    def texts(self, sender: Many, recipients: Many, times: Many, *, kind: str = "sms", sender_cell: Many | None = None,
              recipient_cell: Many | None = None, shown: Many | None = None, delivered: ManyFlags = True,
              visited_plmn: str = "") -> Ids: ...
    def data(self, phone: Many, ts: Many, up: Many, down: Many, *, seconds: Many = 0, cell: Many | None = None,
             visited_plmn: str = "") -> Ids: ...
    def location(self, phone: Many, ts: Many, cell: Many, *, visited_plmn: str = "") -> Ids: ...
    def sim_change(self, phone: Many, ts: Many, *, sim: Many | None = None, channel: ManyWords = "store") -> Ids: ...
    def device_change(self, phone: Many, ts: Many, handset: Many) -> Ids: ...
    def port(self, phone: Many, ts: Many, operator: Many) -> Ids: ...
    def forwarding(self, phone: Many, ts: Many, to: Many) -> Ids: ...
    def topup(self, phone: Many, ts: Many, amount: Many, *, channel: ManyWords = "voucher", paid_by: Many = NONE,
              cell: Many | None = None) -> Ids: ...
    # payments
    def pay(self, payer: Many, payee: Many, amount: Many, ts: Many, rail: ManyWords = "fps", *,
            channel: ManyWords = "mobile_app", status: ManyWords = "accepted", status_reason: ManyWords = "",
            device: Many | None = None, ip: Many | None = None, cop: ManyWords = "", cop_overridden: ManyFlags = False,
            new_payee: ManyFlags = False, auth: ManyWords = "", beneficiary: Many = NONE, cell: Many = NONE,
            reference: ManyWords = "", currency: str = "GBP") -> Ids: ...
    def card(self, account: Many, business: Many, amount: Many, ts: Many, *, entry: ManyWords = "contactless",
             cell: Many | None = None, channel: ManyWords = "", card: Many | None = None, decline: ManyWords = "",
             auth: ManyWords = "", device: Many = NONE, ip: Many = NONE, beneficiary: Many = NONE,
             mcc: Many | None = None, rail: str = "card") -> Ids: ...
    def cash(self, account: Many, amount: Many, ts: Many, *, deposit: ManyFlags = False, cell: Many | None = None,
             channel: ManyWords = "atm") -> Ids: ...
    def payment_of(self, ids: Ids) -> Ids: ...
    def status(self, ids: Ids, status: str, ts: Many, reason: ManyWords = "") -> Ids: ...
    def account_event(self, account: Many, kind: ManyWords, ts: Many, *, channel: ManyWords = "mobile_app",
                      device: Many | None = None, ip: Many | None = None, phone: Many = NONE,
                      detail: ManyWords = "") -> Ids: ...
    # what people say of it, and what belongs together
    def label(self, about: str, label: str, ts: int, *, subjects: Sequence[str] = (), typology: str = "", role: str = "",
              subject_category: str = "", origin: str = "bank", reason_code: str = "") -> None: ...
    def link(self, a: str, b: str, kind: str, ts: int, *, until: int | None = None, since: int | None = None) -> None: ...
    def watch(self, what: str, value: str, why: str, ts: int, *, since: int | None = None, until: int | None = None) -> None: ...
    def truth(self, kind: str, id: str, typology: str, *, numbers: Sequence[str] = (), accounts: Sequence[str] = (),
              event_ids: Ids | Sequence[int] = (), start: int, end: int | None = None, home_force: str = "",
              active_forces: Sequence[str] = (), note: str = "") -> None: ...
