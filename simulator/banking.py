"""Accounts: people's at several banks, joint and youth ones, savings, dormant ones, and those of businesses."""

from typing import Final

import numpy as np

from simulator.arrays import Ints
from simulator.chance import lognormal, weighted
from simulator.parameters import Parameters
from simulator.world import ACCOUNT_KINDS, NONE, Accounts, Businesses, People, Phones

_BANK_SHARES: Final = np.array([0.24, 0.20, 0.15, 0.12, 0.09, 0.07, 0.13])
"""How the customers spread over the banks (assumed; the last one drawn is a newer bank with younger customers)."""
BUSINESS_REPORTED: Final = 0.45
"""Businesses with an account at a bank that reports here (assumed; the rest bank elsewhere)."""

YEARS_AHEAD: Final = 2
"""Accounts opened in the first two years of a run are laid down at its start."""


def kind(name: str) -> int:
    """An account kind's place in the list."""
    return ACCOUNT_KINDS.index(name)


def open_accounts(
    rng: np.random.Generator,
    people: People,
    phones: Phones,
    businesses: Businesses,
    first_day: int,
    parameters: Parameters,
) -> Accounts:
    """Accounts that were there before the run; each person's main one is put in `people.account`."""
    accounts = Accounts.empty()
    age, n = people.age, len(people)
    adults = np.flatnonzero((age >= 18) & (rng.random(n) < 0.97))
    youth = np.flatnonzero((age >= 11) & (age < 18) & (rng.random(n) < 0.55))
    people.account[adults] = _add(rng, accounts, people, phones, adults, "current", first_day, parameters)
    people.account[youth] = _add(rng, accounts, people, phones, youth, "youth", first_day, parameters)
    second = adults[rng.random(len(adults)) < parameters.second_account_share]
    rows = _add(rng, accounts, people, phones, second, "current", first_day, parameters)
    accounts.dormant[rows] = (
        rng.random(len(rows)) < parameters.dormant_share / parameters.second_account_share
    )
    savers = adults[rng.random(len(adults)) < 0.5]
    saved = _add(rng, accounts, people, phones, savers, "savings", first_day, parameters)
    accounts.bank[saved] = accounts.bank[people.account[savers]]
    _add_joint(rng, accounts, people, phones, adults, first_day, parameters)
    coming = adults[rng.random(len(adults)) < parameters.openings_a_year * YEARS_AHEAD]
    rows = _add(rng, accounts, people, phones, coming, "current", first_day, parameters)
    accounts.opened[rows] = first_day + rng.integers(0, YEARS_AHEAD * 365, len(rows))
    accounts.balance[rows] = 0
    _add_business(rng, accounts, businesses, first_day, parameters)
    return accounts


def _banks(rng: np.random.Generator, n: int, young: Ints | None, parameters: Parameters) -> Ints:
    shares = np.append(_BANK_SHARES[: parameters.banks - 1], _BANK_SHARES[-1])
    bank = weighted(rng, shares, n)
    if young is not None:
        drawn_in = (young < 30) & (rng.random(n) < 0.2)
        bank = np.where(drawn_in, parameters.banks - 1, bank)
    return bank


def _add(
    rng: np.random.Generator,
    accounts: Accounts,
    people: People,
    phones: Phones,
    who: Ints,
    what: str,
    first_day: int,
    parameters: Parameters,
) -> Ints:
    n, start, age = len(who), len(accounts), people.age[who]
    years = np.minimum(rng.exponential(9, n), np.maximum(age - 11, 0.1))
    balance = lognormal(rng, 60_000 if what != "savings" else 350_000, 1.3, n) * np.where(
        what == "youth", 0.1, 1.0
    )
    return accounts.append(
        key=np.arange(start, start + n),
        kind=kind(what),
        holder=who,
        joint=NONE,
        business=NONE,
        bank=_banks(rng, n, age, parameters),
        opened=first_day - 1 - (years * 365).astype(np.int64),
        dormant=False,
        balance=balance.astype(np.int64),
        phone=people.phone[who],
        age_band=people.age_band[who],
        force=people.force[who],
        device=np.where(
            people.phone[who] >= 0, np.maximum(phones.handset[people.phone[who]], 0), 10**10 + who
        ),
        home_ip=people.household[who],
        card=np.arange(start, start + n) if what != "savings" else NONE,
    )


def _add_joint(
    rng: np.random.Generator,
    accounts: Accounts,
    people: People,
    phones: Phones,
    adults: Ints,
    first_day: int,
    parameters: Parameters,
) -> None:
    """A joint account for some of the couples: two adults next to each other in one household, near in age."""
    a, b = adults[:-1], adults[1:]
    couple = (people.household[a] == people.household[b]) & (np.abs(people.age[a] - people.age[b]) < 14)
    couple &= rng.random(len(a)) < parameters.joint_share
    rows = _add(rng, accounts, people, phones, a[couple], "joint", first_day, parameters)
    accounts.joint[rows] = b[couple]


def _add_business(
    rng: np.random.Generator,
    accounts: Accounts,
    businesses: Businesses,
    first_day: int,
    parameters: Parameters,
) -> None:
    n, start = len(businesses), len(accounts)
    local = businesses.town >= 0
    reported = local & (rng.random(n) < BUSINESS_REPORTED)
    businesses.account[:] = accounts.append(
        key=np.arange(start, start + n),
        kind=np.where(reported, kind("business"), kind("external")),
        holder=NONE,
        joint=NONE,
        business=np.arange(n),
        bank=np.where(reported, _banks(rng, n, None, parameters), NONE),
        opened=first_day - 1 - (rng.exponential(8, n) * 365).astype(np.int64),
        dormant=False,
        balance=lognormal(rng, 1_500_000, 1.2, n).astype(np.int64),
        phone=businesses.phone,
        age_band=0,
        force=0,
        device=10**11 + np.arange(n),
        home_ip=10**11 + np.arange(n),
        card=np.arange(start, start + n),
    )
