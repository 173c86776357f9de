"""Whether alerts, their confirmation and misses fall evenly on people of different ages and places.

Rates by stratum with Wilson's intervals. Unequal rates are no proof of unfairness, since crime is not spread evenly,
but each must be looked at: a stratum that is alerted about more, and confirmed less, is watched too much.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import polars as pl

from models.evaluating.intervals import Share, share_of
from models.examples import ALERT, STRATUM

LAWFUL: Final = ("age_band", "force", "area", "prepaid", "account_age")
"""Strata that the records say and that may be used to check a detector; protected characteristics beside age are
not in the records, and are never inferred from names, numbers or places."""
RATIO: Final = 1.25
"""The four-fifths rule of selection (EEOC Uniform Guidelines, 1978), turned round: an alert is a burden."""
ENOUGH: Final = 30
"""Subjects below which a stratum is told but raises no alarm."""
SEVERAL: Final = 5
"""To so many it must have happened: among dozens of strata one or two are nothing."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One subject, as fairness looks at it."""

    stratum: str
    alerted: bool
    confirmed: bool | None = None
    """What was found out; nothing when nobody knows."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """One stratum's rates."""

    stratum: str
    subjects: int
    alerted: Share
    """Of all subjects."""
    confirmed: Share
    """Of the alerted whose outcome is known."""
    missed: Share
    """Of those confirmed, not alerted: known only where something beside alerts is reviewed."""
    wrongly: Share
    """Of the subjects known to be innocent, alerted."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One stratum that stands out, and in what."""

    by: str
    stratum: str
    measure: str
    share: float
    others: float
    words: str


def rates(subjects: Iterable[Seen]) -> tuple[Rates, ...]:
    """The rates of each stratum, in the order of their names."""
    strata: dict[str, list[Seen]] = {}
    for one in subjects:
        strata.setdefault(one.stratum, []).append(one)
    return tuple(_rates(name, strata[name]) for name in sorted(strata))


def _rates(name: str, members: list[Seen]) -> Rates:
    alerted = [one for one in members if one.alerted]
    known = [one for one in alerted if one.confirmed is not None]
    guilty = [one for one in members if one.confirmed]
    innocent = [one for one in members if one.confirmed is False]
    return Rates(
        stratum=name,
        subjects=len(members),
        alerted=share_of(len(alerted), len(members)),
        confirmed=share_of(sum(bool(one.confirmed) for one in known), len(known)),
        missed=share_of(sum(not one.alerted for one in guilty), len(guilty)),
        wrongly=share_of(sum(one.alerted for one in innocent), len(innocent)),
    )


_WORSE: Final = {"alerted": 1, "confirmed": -1, "missed": 1, "wrongly": 1}
"""Which way a rate is to the disadvantage of those in a stratum (of victims, in the case of misses)."""


def alarms(by: str, found: tuple[Rates, ...], ratio: float = RATIO) -> tuple[Alarm, ...]:
    """The strata that are worse off than all others together, by more than the ratio and beyond both intervals."""
    told = []
    for one in found:
        rest = [other for other in found if other.stratum != one.stratum]
        for measure, sign in _WORSE.items():
            mine: Share = getattr(one, measure)
            shares = [getattr(other, measure) for other in rest]
            others = share_of(sum(s.count for s in shares), sum(s.of for s in shares))
            if mine.of < ENOUGH or others.of < ENOUGH or mine.share is None or others.share is None:
                continue
            if (mine.count if sign > 0 else mine.of - mine.count) < SEVERAL:
                continue
            high, low = (mine, others) if sign > 0 else (others, mine)
            apart = high.low > low.high
            far = (high.share or 0.0) > ratio * (low.share or 0.0)
            if apart and far:
                words = (
                    f"{measure} {mine.share:.1%} ({mine.low:.1%} to {mine.high:.1%}) where {by} is {one.stratum}, "
                    f"and {others.share:.1%} elsewhere"
                )
                told.append(
                    Alarm(
                        by=by,
                        stratum=one.stratum,
                        measure=measure,
                        share=mine.share,
                        others=others.share,
                        words=words,
                    )
                )
    return tuple(told)


def strata_in(examples: pl.DataFrame) -> tuple[str, ...]:
    """The lawful strata that examples say."""
    return tuple(name for name in LAWFUL if STRATUM + name in examples.columns)


def seen_of(examples: pl.DataFrame, known: pl.DataFrame, by: str) -> list[Seen]:
    """The subjects of examples as fairness looks at them; `known` are those of the examples that labels speak of.

    A subject is alerted when any of its rows is, confirmed when any is, and innocent when what is known says only that.
    """
    alerted = (pl.col("score") >= pl.col("threshold")) | (pl.col("kept_as") == ALERT)
    subjects = examples.group_by("subject").agg(
        alerted.any().alias("alerted"), pl.col(STRATUM + by).sort_by("seq").last().alias("stratum")
    )
    outcomes = known.group_by("subject").agg((pl.col("right") > 0).any().alias("confirmed"))
    rows = subjects.join(outcomes, on="subject", how="left").sort("subject")
    return [
        Seen(stratum=stratum or "not said", alerted=alert, confirmed=confirmed)
        for stratum, alert, confirmed in rows.select("stratum", "alerted", "confirmed").iter_rows()
    ]
