"""Phones: people's contract and prepaid numbers, second phones, and the numbers of businesses and services."""

from typing import Final

import numpy as np

from simulator import identifiers
from simulator.arrays import Ints
from simulator.chance import weighted
from simulator.parameters import Parameters
from simulator.trade import SENDERS
from simulator.world import NONE, NUMBER_KINDS, Businesses, People, Phones

GEOGRAPHIC: Final = tuple(
    f"+44{area}" for area in (
        "1632960", "1134960", "1144960", "1154960", "1164960", "1174960", "1184960", "1214960", "1314960", "1414960",
        "1514960", "1614960", "2079460", "1914980", "2896496", "2920180",
    )
)  # fmt: skip
"""Ofcom's ranges kept for drama, a thousand landlines each: switchboards have these while they last."""
FREEPHONE: Final = "+448081570"
SERVICES: Final = (
    "150",
    "60001",
    "60110",
    "61234",
    "63333",
    "64446",
    "66777",
    "67890",
    "70070",
    "81111",
    "84433",
    "86688",
)
"""Short codes: voicemail, voting, donations, codes."""
FOREIGN: Final = 400
"""Numbers abroad that people here have friends at."""


def subscribe(rng: np.random.Generator, people: People, first_day: int, parameters: Parameters) -> Phones:
    """People's own phones; each person's first number is put in `people.phone`."""
    age = people.age
    has = rng.random(len(people)) < np.interp(age, [7, 8, 11, 12, 70, 85], [0.0, 0.25, 0.9, 0.97, 0.93, 0.8])
    owners = np.flatnonzero(has)
    adults = owners[age[owners] >= 18]
    second = np.sort(
        adults[rng.random(len(adults)) < parameters.second_phone_share * len(owners) / max(len(adults), 1)]
    )
    phones = Phones.empty()
    people.phone[owners] = _append(rng, phones, people, owners, first_day, parameters, None)
    _append(rng, phones, people, second, first_day, parameters, phones.handset[people.phone[second]])
    return phones


def _append(
    rng: np.random.Generator,
    phones: Phones,
    people: People,
    owners: Ints,
    first_day: int,
    parameters: Parameters,
    first_handset: Ints | None,
) -> Ints:
    """Numbers for these people; of second numbers, two in five sit in the first one's handset (dual SIM)."""
    n, age, start = len(owners), people.age[owners], len(phones)
    lean = np.where(age < 18, 1.9, np.where(age < 25, 1.3, np.where(age > 70, 1.5, 0.75)))
    prepaid = rng.random(n) < np.clip(parameters.prepaid_share * lean / lean.mean(), 0, 0.95)
    plain = rng.random(n) < parameters.plain_phone_share * np.where(
        age > 70, 4.0, np.where(age > 60, 1.5, 0.6)
    )
    handset = identifiers.handsets(np.arange(start, start + n), rng, ~plain)
    smart = ~plain
    if first_handset is not None:
        dual = rng.random(n) < 0.4
        handset = np.where(dual, first_handset, handset)
        smart |= dual
    months = np.where(prepaid, rng.exponential(14, n), rng.exponential(46, n))
    return phones.append(
        text=NONE,
        key=np.arange(start, start + n),
        kind=0,
        owner=owners,
        business=NONE,
        operator=weighted(rng, np.array([0.36, 0.30, 0.22, 0.12])[: parameters.operators], n),
        prepaid=prepaid,
        activated=first_day - 1 - np.minimum(months * 30.4, (age - 6.5) * 365).astype(np.int64),
        sim=np.arange(start, start + n),
        handset=handset,
        smart=smart,
        cell=people.cell[owners],
        joined=0,
        known=~prepaid | (rng.random(n) < 0.35),
    )


def connect_businesses(
    rng: np.random.Generator, phones: Phones, texts: list[str], businesses: Businesses
) -> None:
    """Switchboards, the names businesses text under, short codes, and numbers abroad."""
    first = _named(phones, texts, list(SENDERS), "alphanumeric")
    businesses.sender[:] = first[rng.integers(0, len(first), len(businesses))]
    geographic = [f"{area}{i:03d}" for area in GEOGRAPHIC for i in range(1000)]
    order = rng.permutation(len(businesses))
    numbered = order[: len(geographic)]
    rows = _named(phones, texts, geographic[: len(numbered)], "msisdn", numbered)
    businesses.phone[numbered] = rows
    rest = order[len(geographic) :]
    if len(rest):
        businesses.phone[rest] = _named(
            phones, texts, [f"+9991{i:09d}" for i in range(len(rest))], "msisdn", rest
        )
    online = np.flatnonzero(businesses.online)[:1000]
    businesses.phone[online] = _named(
        phones, texts, [f"{FREEPHONE}{i:03d}" for i in range(len(online))], "msisdn", online
    )


def add_services(phones: Phones, texts: list[str]) -> tuple[Ints, Ints]:
    """Short codes and numbers abroad, as rows of the table of phones."""
    short = _named(phones, texts, list(SERVICES), "short_code")
    return short, _named(phones, texts, [f"+9998{i * 7919 % 10**8:08d}" for i in range(FOREIGN)], "msisdn")


def _named(
    phones: Phones, texts: list[str], numbers: list[str], kind: str, businesses: Ints | None = None
) -> Ints:
    """Numbers that no operator here reports."""
    start, row = len(texts), len(phones)
    texts.extend(numbers)
    return phones.append(
        text=np.arange(start, len(texts)),
        key=np.arange(row, row + len(numbers)),
        kind=NUMBER_KINDS.index(kind),
        owner=NONE,
        business=NONE if businesses is None else businesses,
        operator=NONE,
        prepaid=False,
        activated=0,
        sim=NONE,
        handset=NONE,
        smart=False,
        cell=NONE,
        joined=0,
        known=False,
    )
