"""How numbers, times, tokens and durations read on the screen: plain British English, units said."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S: Final = 86_400
SHORT_TOKEN: Final = 8
"""Digits of a token shown where the whole does not fit: enough to tell apart what is on one screen."""
CLAIM_WORDS: Final = {
    "line": "a deal line",
    "exploited": "someone exploited",
    "fraud": "fraud",
    "telecoms_fraud": "telecoms fraud",
    "county_lines": "county lines",
}


def when(us: int | None) -> str:
    """A moment, to the second, in UTC; a dash where there is none."""
    if us is None or us < -(2**61):
        return "-"
    return (EPOCH + timedelta(microseconds=us)).strftime("%-d %b %Y %H:%M:%S")


def when_short(us: int) -> str:
    """A moment as it fits into a table."""
    return (EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M")


def took(seconds: float) -> str:
    """A stretch of time in the two units that matter."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"


def count(number: float) -> str:
    """A whole number with thousands set apart."""
    return f"{number:,.0f}"


def size(number: float) -> str:
    """So many bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1000 or unit == "GB":
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    raise AssertionError


def value(number: float | str | None, unit: str = "") -> str:
    """A feature's or a fact's value with no more digits than say something, and its unit."""
    if number is None:
        return "not known"
    if isinstance(number, str):
        return number
    if unit in TOLD:
        return TOLD[unit](number)
    text = f"{number:,.0f}" if number == round(number) or abs(number) >= 1000 else f"{number:,.3g}"
    noun = "" if unit == "ratio" else unit.removesuffix("s") if number == 1 else unit
    return f"{text} {noun}".rstrip()


def _force(code: float) -> str:
    from places.forces import force

    found = force(int(code))
    return found.name if found is not None else "not known"


def _ages(code: float) -> str:
    from events.codes import AGE_BANDS

    place = int(code) - 1
    return AGE_BANDS[place] if 0 <= place < len(AGE_BANDS) else "not known"


TOLD: Final[Mapping[str, Callable[[float], str]]] = {
    "seconds": took,
    "s": took,
    "pence": lambda pence: f"£{pence / 100:,.2f}",
    "bytes": size,
    "share": lambda part: f"{part:.0%}",
    "sd": lambda times: f"{times:+.1f} standard deviations",
    "days": lambda days: some(round(days), "day"),
    "force": _force,
    "band": _ages,
}
"""Units that are told in their own way; any other is put behind the number."""


def share(part: float | None) -> str:
    """A share as whole per cent."""
    return "" if part is None else f"{part:.0%}"


def some(number: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 alert`, `3 alerts`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def spoken(word: str) -> str:
    """A code word as it reads in a sentence."""
    return word.replace("_", " ")
