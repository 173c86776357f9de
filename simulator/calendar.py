"""Days as people live them: weekdays, bank holidays, school terms, paydays, and when midnight is in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from simulator.arrays import HOUR, SECOND

EPOCH: Final = date(1970, 1, 1)

_SCHOOL_BREAKS: Final = (
    ((2, 15), (2, 23)), ((4, 1), (4, 16)), ((5, 25), (6, 1)), ((7, 22), (9, 2)), ((10, 25), (11, 2)), ((12, 20), (12, 31)),
    ((1, 1), (1, 4)),
)  # fmt: skip
"""Usual school holidays in England, first and last day (month, day); councils differ by a few days."""


def _last_sunday(year: int, month: int) -> date:
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    return first_of_next - timedelta(days=(first_of_next.weekday() + 1) % 7 or 7)


@lru_cache(maxsize=64)
def _easter(year: int) -> date:
    """Easter Sunday (Meeus, Jones and Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a run, counted from 0."""

    start: date
    days: int

    @property
    def first(self) -> int:
        """The first day, in days since 1970."""
        return (self.start - EPOCH).days

    def date(self, day: int) -> date:
        """The date of a day of the run."""
        return self.start + timedelta(days=day)

    def midnight(self, day: int) -> int:
        """When the day begins in Britain, in microseconds since 1970 UTC."""
        then = self.date(day)
        at = int(datetime(then.year, then.month, then.day, tzinfo=UTC).timestamp()) * SECOND
        summer = _last_sunday(then.year, 3) < then <= _last_sunday(then.year, 10)
        return at - HOUR if summer else at

    def weekday(self, day: int) -> int:
        """0 = Monday."""
        return self.date(day).weekday()

    def is_bank_holiday(self, day: int) -> bool:
        """A bank holiday in England and Wales."""
        then = self.date(day)
        if then in (_easter(then.year) - timedelta(days=2), _easter(then.year) + timedelta(days=1)):
            return True
        if then.weekday() == 0 and (then.month, (then.day - 1) // 7) == (5, 0):
            return True
        if then.weekday() == 0 and then.month in (5, 8) and then.day > 24:
            return True
        return (then.month, then.day) in ((1, 1), (12, 25), (12, 26))

    def is_working(self, day: int) -> bool:
        """A day on which offices and banks work."""
        return self.weekday(day) < 5 and not self.is_bank_holiday(day)

    def is_school(self, day: int) -> bool:
        """A day on which schools are open."""
        then = (self.date(day).month, self.date(day).day)
        return self.is_working(day) and not any(a <= then <= b for a, b in _SCHOOL_BREAKS)

    def paid_on(self, due: int) -> int:
        """The day on which pay due on a day arrives: the last working day not after it."""
        while not self.is_working(due):
            due -= 1
        return due
