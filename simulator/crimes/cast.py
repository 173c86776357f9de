"""Who a mechanism brings on stage: phones, SIMs, handsets and accounts of its own, entered in the tables in one go.

Each mechanism counts its SIMs, handsets, devices and numbers in a span of its own, so that switching another one on
does not rename them. Adding rows one at a time would copy the tables once for each; a cast asks for all it needs,
knows their row numbers at once, and enters them together.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulator import identifiers
from simulator.arrays import Ints
from simulator.errors import SimulationError
from simulator.world import ACCOUNT_KINDS, NONE, World

SPAN_BITS: Final = 20
"""A mechanism may issue about a million of each kind of identifier."""
_FIRST_SPAN: Final = 64
"""The spans before it are the world's own."""


@dataclass(slots=True)
class Cast:
    """Collects what a mechanism needs; `enter` puts it in the world's tables."""

    world: World
    mechanism: str
    span: int
    _phones: list[dict[str, int]] = field(default_factory=list)
    _accounts: list[dict[str, int]] = field(default_factory=list)
    _issued: int = 0
    _handsets: int = 0
    _first_phone: int = 0
    _first_account: int = 0

    def __post_init__(self) -> None:
        self._first_phone = len(self.world.phones)
        self._first_account = len(self.world.accounts)

    # ---- identifiers of this mechanism's own span ------------------------------------------------------------
    def issue(self) -> int:
        """A SIM, device, card or address nobody has used yet."""
        self._issued += 1
        return identifiers.ISSUED + ((_FIRST_SPAN + self.span) << SPAN_BITS) + self._issued

    def handset(self, rng: np.random.Generator, *, smart: bool) -> int:
        """A handset nobody has used yet, of a model that others have too."""
        self._handsets += 1
        return identifiers.handset(identifiers.last_serial(self.span) - self._handsets, rng, smart=smart)

    # ---- phones and accounts ---------------------------------------------------------------------------------
    def phone(
        self,
        rng: np.random.Generator,
        *,
        day: float,
        cell: int = NONE,
        owner: int = NONE,
        prepaid: bool = True,
        smart: bool = False,
        age_days: float = 0,
        handset: int | None = None,
        known: bool = False,
        text: str | None = None,
    ) -> int:
        """A number with a SIM and a handset, activated `age_days` before `day`; its row number."""
        activated = self.world.calendar.first + int(np.floor(day - age_days))
        self._phones.append(
            {
                "text": self._text(text), "key": self._phone_key(), "kind": 0, "owner": owner, "business": NONE,
                "operator": self._operator(rng), "prepaid": int(prepaid),
                "activated": activated, "sim": self.issue(),
                "handset": self.handset(rng, smart=smart) if handset is None else handset,
                "smart": int(smart), "cell": cell, "joined": activated, "known": int(known),
            }
        )  # fmt: skip
        return self._first_phone + len(self._phones) - 1

    def foreign(self, text: str) -> int:
        """A number no operator here reports: foreign, premium or made up by whoever calls."""
        self._phones.append(
            {
                "text": self._text(text), "key": self._phone_key(), "kind": 0, "owner": NONE, "business": NONE,
                "operator": NONE, "prepaid": 0, "activated": 0, "sim": NONE, "handset": NONE, "smart": 0, "cell": NONE,
                "joined": 0, "known": 0,
            }
        )  # fmt: skip
        return self._first_phone + len(self._phones) - 1

    def account(
        self,
        rng: np.random.Generator,
        holder: int,
        *,
        day: float,
        age_days: float = 0,
        kind: str = "current",
        bank: int | None = None,
        phone: int | None = None,
        balance: int = 0,
        device: int | None = None,
        dormant: bool = False,
    ) -> int:
        """An account of a person, opened `age_days` before `day`; its row number."""
        people = self.world.people
        self._accounts.append(
            {
                "key": self._account_key(), "kind": ACCOUNT_KINDS.index(kind), "holder": holder, "joint": NONE, "business": NONE,
                "bank": self._bank(rng) if bank is None else bank,
                "opened": self.world.calendar.first + int(np.floor(day - age_days)), "dormant": int(dormant),
                "balance": balance, "phone": int(people.phone[holder]) if phone is None else phone,
                "age_band": int(people.age_band[holder]), "force": int(people.force[holder]),
                "device": self.issue() if device is None else device,
                "home_ip": int(people.household[holder]), "card": self.issue(),
            }
        )  # fmt: skip
        return self._first_account + len(self._accounts) - 1

    def elsewhere(self) -> int:
        """An account no bank here reports: abroad, or with a crypto exchange."""
        self._accounts.append(
            {
                "key": self._account_key(), "kind": ACCOUNT_KINDS.index("external"), "holder": NONE, "joint": NONE,
                "business": NONE, "bank": NONE, "opened": self.world.calendar.first - 900, "dormant": 0, "balance": 0, "phone": NONE, "age_band": 0,
                "force": 0, "device": NONE, "home_ip": NONE, "card": NONE,
            }
        )  # fmt: skip
        return self._first_account + len(self._accounts) - 1

    def _operator(self, rng: np.random.Generator) -> int:
        """An operator, by how many subscribers it has."""
        return int(self.world.phones.operator[int(rng.integers(self.world.subscribers))])

    def _bank(self, rng: np.random.Generator) -> int:
        """A bank, by how many customers it has."""
        account = int(rng.choice(self.world.people.account))
        return int(self.world.accounts.bank[account]) if account >= 0 else 0

    def _text(self, text: str | None) -> int:
        if text is None:
            return NONE
        self.world.number_texts.append(text)
        return len(self.world.number_texts) - 1

    def _phone_key(self) -> int:
        return _PHONE_KEYS + (self.span << SPAN_BITS) + len(self._phones)

    def _account_key(self) -> int:
        return _ACCOUNT_KEYS + (self.span << SPAN_BITS) + len(self._accounts)

    def enter(self) -> None:
        """Puts the phones and accounts asked for in the world's tables.

        Raises:
            SimulationError: somebody else added rows in the meantime.
        """
        for table, rows, first in (
            (self.world.phones, self._phones, self._first_phone),
            (self.world.accounts, self._accounts, self._first_account),
        ):
            if len(table) != first:
                message = f"{self.mechanism}: rows were added by another while its cast was being chosen"
                raise SimulationError(message)
            if rows:
                table.append(**{name: _column(rows, name) for name in rows[0]})


_PHONE_KEYS: Final = 300_000_000
_ACCOUNT_KEYS: Final = 20_000_000
"""Keys no row reaches: numbers and accounts of casts are written from here on, whatever row they are in."""


def _column(rows: list[dict[str, int]], name: str) -> Ints:
    return np.asarray([row[name] for row in rows], dtype=np.int64)
