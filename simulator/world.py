"""The made-up world: who lives where, with which phones and accounts, and who knows whom.

Everything is held in columns: a person, phone, account, town, cell or merchant is a row number ("index") in its
table, and -1 stands for none. The tables `phones` and `accounts` also hold those that no supplier here reports
(landlines, short codes, foreign numbers, accounts abroad): their `operator` or `bank` is -1.

Rows made while the world runs (a burner phone, a mule's new account) come after those it began with, so that what
ordinary people do does not depend on which crimes are switched on.
"""

from dataclasses import Field, dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from simulator import identifiers
from simulator.arrays import Array, Flags, Floats, Ints
from simulator.calendar import Calendar
from simulator.geography import Geography
from simulator.parameters import Parameters

if TYPE_CHECKING:
    from simulator.movement import Plan

NONE: Final = -1
"""No such row."""

JOBS: Final = (
    "none", "office", "shop", "shift", "school", "student", "retired", "trade", "home",
)  # fmt: skip
"""What people do all day; `People.job` is the place in this list."""

NUMBER_KINDS: Final = ("msisdn", "short_code", "alphanumeric", "withheld")
"""What a number is on the wire; `Phones.kind` is the place in this list (the contract's `other_kind`)."""

ACCOUNT_KINDS: Final = ("current", "savings", "joint", "business", "youth", "external")
"""What an account is for; `Accounts.kind` is the place in this list."""

_OWN_SPAN: Final = 75
"""Handsets made here are counted behind those of the mechanisms' casts."""
_OWN_PHONES: Final = 400_000_000
_OWN_ACCOUNTS: Final = 15_000_000
"""Keys from here on are those of phones and accounts added one at a time; no row reaches them."""


class Table:
    """Columns of equal length that can grow while the world runs.

    The columns are views of longer arrays, so that adding a row does not copy the table each time.
    """

    __slots__ = ("_behind",)

    def __len__(self) -> int:
        return len(getattr(self, _columns(type(self))[0]))

    def append(self, **columns: Array | float) -> Ints:
        """Add rows; each column is an array or one value for all. Returns the new rows' indices."""
        names = _columns(type(self))
        if set(names) != set(columns):
            raise TypeError(f"a new row needs exactly the columns {names}")
        start = len(self)
        lengths = {np.size(value) for value in columns.values() if np.ndim(value)}
        if len(lengths) > 1:
            raise ValueError(f"new rows need columns of one length, not {sorted(lengths)}")
        end = start + (lengths.pop() if lengths else 1)
        behind: dict[str, Array] = getattr(self, "_behind", {})
        for name in names:
            seen: Array = getattr(self, name)
            store = behind.get(name)
            if store is None or seen.base is not store or len(store) < end:
                store = np.empty(end + end // 8 + 64, dtype=seen.dtype)
                store[:start] = seen
                behind[name] = store
            store[start:end] = columns[name]
            setattr(self, name, store[:end])
        self._behind = behind
        return np.arange(start, end)

    @classmethod
    def empty(cls) -> Self:
        """The table with no rows."""
        kinds: dict[str, type] = {"Ints": np.int64, "Floats": np.float64, "Flags": np.bool_}
        return cls(**{f.name: np.empty(0, dtype=kinds[_kind_of(f.type)]) for f in _fields(cls)})


def _fields(table: type[Table]) -> tuple[Field[object], ...]:
    return fields(table)  # type: ignore[arg-type]


def _columns(table: type[Table]) -> list[str]:
    return [f.name for f in _fields(table)]


def _kind_of(hint: object) -> str:
    return "Flags" if hint is Flags else "Floats" if hint is Floats else "Ints"


@dataclass(slots=True)
class People(Table):
    """Everyone who lives here."""

    town: Ints  # home town
    cell: Ints  # the cell that serves the home
    force: Ints  # of the home: place in `geography.forces`, 0 = unknown
    age: Ints
    age_band: Ints  # the contract's code (events.codes.AGE_BANDS), 1..9
    household: Ints
    job: Ints  # place in JOBS
    work_town: Ints  # where the job or school is, -1 = none
    work_cell: Ints
    employer: Ints  # the business that pays, -1 = none
    shift: Ints  # 0 = none, else the pattern (see `movement`)
    income: Ints  # a month, net, minor units; 0 = none of one's own
    benefits: Ints  # a month, minor units
    sociability: Floats  # mean 1, heavy tail: calls, texts and friends
    thrift: Floats  # mean 1: how much of the budget goes on cards
    owl: Floats  # hours by which this person's day runs late
    phone: Ints  # first number, -1 = none
    account: Ints  # main account, -1 = none


@dataclass(slots=True)
class Phones(Table):
    """Every number there is: subscribers' and the others'."""

    text: Ints  # place in `World.number_texts`, or -1: written from `key` (+999...)
    key: Ints  # its own whatever else is in the table: the row for those here from the start
    kind: Ints  # place in NUMBER_KINDS
    owner: Ints  # person, -1 = a business or nobody known
    business: Ints  # business, -1 = none
    operator: Ints  # which operator reports its legs, -1 = none does
    prepaid: Flags
    activated: Ints  # day of SIM activation, days since 1970
    sim: Ints  # the SIM in use now (IMSI and ICCID are written from it); -1 = none
    handset: Ints  # the handset in use now (IMEI is written from it); -1 = none
    smart: Flags  # the handset can use data
    cell: Ints  # where it is when its owner is at home, or always when it has no owner; -1 = nowhere
    joined: Ints  # day of joining (not observed: people registered before the run have 0)
    known: Flags  # registered to its owner in `links`


@dataclass(slots=True)
class Accounts(Table):
    """Every account there is: with a bank that reports here, or elsewhere (bank -1)."""

    key: Ints  # what its number is written from: the row for those here from the start
    kind: Ints  # place in ACCOUNT_KINDS
    holder: Ints  # person, -1 = a business or nobody known
    joint: Ints  # second holder, -1 = none
    business: Ints
    bank: Ints  # which bank reports it, -1 = none does
    opened: Ints  # day, days since 1970
    dormant: Flags
    balance: Ints  # minor units, as the records tell it
    phone: Ints  # registered number, -1 = none
    age_band: Ints  # of the holder, 0 = not said
    force: Ints  # where the holder lives, 0 = unknown
    device: Ints  # the device of the banking app, -1 = none
    home_ip: Ints  # the household's address on the net, -1 = none
    card: Ints  # the card in use, -1 = none


@dataclass(slots=True)
class Businesses(Table):
    """Shops, employers, billers and platforms."""

    town: Ints  # -1 = everywhere (online, national)
    cell: Ints
    mcc: Ints  # merchant category code
    online: Flags
    account: Ints  # -1 = banked abroad or not seen
    phone: Ints  # switchboard, -1 = none
    sender: Ints  # alphanumeric sender of its texts (row in phones), -1 = none
    weight: Floats  # how much custom it draws
    terminals: Ints  # tills


@dataclass(slots=True)
class Contacts:
    """Who knows whom: for each person a list of people, closest first."""

    start: Ints  # person i's contacts are `person[start[i]:start[i + 1]]`
    person: Ints

    def of(self, person: int) -> Ints:
        """The people this person knows, closest first."""
        return self.person[self.start[person] : self.start[person + 1]]

    def degree(self) -> Ints:
        """How many people each person knows."""
        return np.diff(self.start)

    def pick(self, rng: np.random.Generator, people: Ints, skew: float) -> Ints:
        """One contact for each of `people`; the larger `skew`, the more the closest are chosen. -1 = knows nobody."""
        degree = self.start[people + 1] - self.start[people]
        rank = (degree * rng.random(len(people)) ** skew).astype(np.int64)
        place = np.minimum(self.start[people] + rank, max(len(self.person) - 1, 0))
        return np.where(degree > 0, self.person[place] if len(self.person) else NONE, NONE)


@dataclass(slots=True)
class World:
    """Everything that is there before the first day, and what has changed since."""

    seed: int
    calendar: Calendar
    parameters: Parameters
    geography: Geography
    people: People
    phones: Phones
    accounts: Accounts
    businesses: Businesses
    contacts: Contacts
    number_texts: list[str]
    inhabited: Ints  # the towns somebody lives in
    near: Ints  # by town: the nearest inhabited towns, for trips
    short_codes: Ints  # rows of phones
    foreign: Ints  # rows of phones: numbers abroad
    subscribers: int  # the first rows of phones are people's own numbers
    native_phones: int  # phones that were there at the start: the background uses these only
    native_accounts: int
    _plan: "Plan | None" = None
    _plan_day: int = -999
    _away: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    _sent: Flags = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))  # who is in `_away`
    _issued: int = 0  # SIMs, handsets, cards and devices handed out to mechanisms so far

    # ---- identifiers as they are written -------------------------------------------------------------------
    def number(self, phone: int) -> str:
        """The number as the records show it (E.164, a short code, a sender's name)."""
        return str(self.number_strings(np.asarray([phone]))[0])

    def account_id(self, account: int) -> str:
        """The account as the records show it."""
        return str(identifiers.account_numbers(self.accounts.key[[account]])[0])

    def imei(self, handset: int) -> str:
        """The handset's IMEI as the records show it."""
        return str(identifiers.imeis(np.asarray([handset]))[0])

    def force_code(self, force: int) -> str:
        """The ONS code of a force by its place in `geography.forces`; "" when unknown."""
        return self.geography.force_codes[force]

    # ---- helper draws --------------------------------------------------------------------------------------
    def pick_people(
        self,
        rng: np.random.Generator,
        n: int,
        *,
        towns: Ints | None = None,
        ages: tuple[int, int] = (0, 120),
        jobs: tuple[str, ...] = (),
        with_phone: bool = False,
        with_account: bool = False,
        besides: Ints | None = None,
    ) -> Ints:
        """Up to `n` different people who fit (fewer when there are not so many), in random order.

        `ages` are both included; `besides` are people not to take.
        """
        fits = (self.people.age >= ages[0]) & (self.people.age <= ages[1])
        if towns is not None:
            fits &= np.isin(self.people.town, towns)
        if jobs:
            fits &= np.isin(self.people.job, [JOBS.index(job) for job in jobs])
        if with_phone:
            fits &= self.people.phone >= 0
        if with_account:
            fits &= self.people.account >= 0
        if besides is not None:
            fits[besides] = False
        who = np.flatnonzero(fits)
        return rng.permutation(who)[:n] if n < len(who) else rng.permutation(who)

    def new_phone(
        self,
        rng: np.random.Generator,
        *,
        day: int,
        owner: int = NONE,
        cell: int = NONE,
        prepaid: bool = True,
        smart: bool = False,
        operator: int | None = None,
        known: bool = False,
        sim_age: int = 0,
    ) -> int:
        """A new number with its own SIM and handset, activated `sim_age` days before `day` of the run.

        `cell` is where it stays unless records say otherwise; `operator` None draws one; `known` says whether
        `diary.link` may be expected to name its owner (the caller writes the link).
        """
        which = int(rng.integers(self.parameters.operators)) if operator is None else operator
        row = self.phones.append(
            text=NONE, key=_OWN_PHONES + self._issue(), kind=0, owner=owner, business=NONE, operator=which, prepaid=prepaid,
            activated=self.calendar.first + day - sim_age, sim=self.new_sim(), handset=self.new_handset(rng, smart=smart),
            smart=smart, cell=cell, joined=self.calendar.first + day, known=known,
        )  # fmt: skip
        return int(row[0])

    def new_number(self, text: str, kind: str = "msisdn", *, business: int = NONE) -> int:
        """A number that no operator here reports: a foreign one, a short code, a sender's name, a spoofed CLI."""
        self.number_texts.append(text)
        row = self.phones.append(
            text=len(self.number_texts) - 1, key=_OWN_PHONES + self._issue(), kind=NUMBER_KINDS.index(kind), owner=NONE, business=business,
            operator=NONE, prepaid=False, activated=0, sim=NONE, handset=NONE, smart=False, cell=NONE, joined=0,
            known=False,
        )  # fmt: skip
        return int(row[0])

    def new_account(
        self,
        rng: np.random.Generator,
        *,
        day: int,
        holder: int = NONE,
        bank: int | None = None,
        kind: str = "current",
        age: int = 0,
        phone: int = NONE,
        balance: int = 0,
    ) -> int:
        """A new account, opened `age` days before `day` of the run, with a card, an app device and an address.

        `bank` None draws one; -1 is an account elsewhere (abroad, a crypto exchange) that no bank here reports.
        """
        which = int(rng.integers(self.parameters.banks)) if bank is None else bank
        issued = self._issue()
        holds = holder >= 0
        row = self.accounts.append(
            key=_OWN_ACCOUNTS + issued, kind=ACCOUNT_KINDS.index(kind), holder=holder, joint=NONE, business=NONE, bank=which,
            opened=self.calendar.first + day - age, dormant=False, balance=balance, phone=phone,
            age_band=self.people.age_band[holder] if holds else 0,
            force=self.people.force[holder] if holds else 0,
            device=issued, home_ip=self.people.household[holder] if holds else issued, card=issued,
        )  # fmt: skip
        return int(row[0])

    def new_sim(self) -> int:
        """A SIM card nobody has used yet."""
        return identifiers.ISSUED + self._issue()

    def new_handset(self, rng: np.random.Generator, *, smart: bool) -> int:
        """A handset nobody has used yet."""
        return identifiers.handset(identifiers.last_serial(_OWN_SPAN) - self._issue(), rng, smart=smart)

    def new_device(self) -> int:
        """A device for banking that nobody has used yet."""
        return identifiers.ISSUED + self._issue()

    def new_card(self) -> int:
        """A card reference not used yet."""
        return identifiers.ISSUED + self._issue()

    def new_ip(self) -> int:
        """An address on the net not used yet."""
        return identifiers.ISSUED + self._issue()

    def _issue(self) -> int:
        self._issued += 1
        return self._issued

    # ---- where things are ----------------------------------------------------------------------------------
    def whereabouts(self, day: int, people: Ints, ts: Ints) -> Ints:
        """The cells people's phones hang on at these times of a day: home, work, on the way, out, on holiday."""
        from simulator.movement import cells_at

        cells = cells_at(self, self.plan(day), people, ts)
        elsewhere = self.sent_to(people, ts)
        return np.where(elsewhere >= 0, elsewhere, cells)

    def sent_to(self, people: Ints, ts: Ints) -> Ints:
        """The cells mechanisms have sent people to at these times (`send_away`), -1 = nowhere."""
        cells = np.full(len(people), NONE, dtype=np.int64)
        if self._away:
            for place in np.flatnonzero(self._sent[people]):
                for start, until, cell in self._away[int(people[place])]:
                    if start <= ts[place] < until:
                        cells[place] = cell
        return cells

    def send_away(self, person: int, start: int, until: int, cell: int) -> None:
        """A mechanism takes somebody elsewhere: from `start` to `until` whatever their phone and card do is there.

        To be called on a day before anything of that time is told (`begin`, or an earlier day); where two stays
        overlap the later told one counts.
        """
        if not self._away:
            self._sent = np.zeros(len(self.people), dtype=np.bool_)
        self._sent[person] = True
        self._away.setdefault(person, []).append((start, until, cell))

    def phone_cells(self, day: int, phones: Ints, ts: Ints) -> Ints:
        """Where phones are at these times: with their owners, or at their own cell when nobody owns them."""
        owner = self.phones.owner[phones]
        cells = self.phones.cell[phones].copy()
        carried = owner >= 0
        cells[carried] = self.whereabouts(day, owner[carried], ts[carried])
        return cells

    def plan(self, day: int) -> "Plan":
        """Everybody's movements on a day (drawn once, kept until another day is asked for)."""
        from simulator.movement import plan_day

        if self._plan is None or self._plan_day != day:
            self._plan, self._plan_day = plan_day(self, day), day
        return self._plan

    def cells_of(self, town: int) -> Ints:
        """The cells of a town."""
        first = int(self.geography.town_cell[town])
        return np.arange(first, first + int(self.geography.town_cells[town]))

    def pick_cells(self, rng: np.random.Generator, town: int, n: int) -> Ints:
        """`n` cells of a town, drawn with repeats."""
        return rng.choice(self.cells_of(town), n)

    def route(self, town_from: int, town_to: int, steps: int = 8) -> Ints:
        """The cells of the stations one passes by rail from one town to another, both ends included."""
        return self.geography.route(town_from, town_to, steps)

    def distance_km(self, town_from: int, town_to: int) -> float:
        """As the crow flies."""
        return self.geography.distance_km(town_from, town_to)

    def nearest_inhabited(self, town: int) -> int:
        """The inhabited town nearest to a town (itself when somebody lives there)."""
        return int(self.inhabited[np.argmin(self.geography.distances(town)[self.inhabited])])

    def businesses_in(self, town: int, mcc: int | None = None) -> Ints:
        """The businesses of a town, of one merchant category or all."""
        fits = self.businesses.town == town
        if mcc is not None:
            fits &= self.businesses.mcc == mcc
        return np.flatnonzero(fits)

    def online(self, mcc: int) -> Ints:
        """The national and online businesses of a merchant category."""
        return np.flatnonzero((self.businesses.town == NONE) & (self.businesses.mcc == mcc))

    def number_strings(self, phones: Ints) -> Array:
        """Numbers as the records show them."""
        texts = self.phones.text[phones]
        out = identifiers.mobile_numbers(self.phones.key[phones], self.seed).to_numpy().astype(object)
        fixed = texts >= 0
        out[fixed] = [self.number_texts[i] for i in texts[fixed]]
        return out

    @property
    def senders(self) -> Ints:
        """The names businesses text under, as rows of phones."""
        return np.flatnonzero(self.phones.kind[: self.native_phones] == NUMBER_KINDS.index("alphanumeric"))

    @property
    def start(self) -> date:
        """The first day of the run."""
        return self.calendar.start
