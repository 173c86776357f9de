"""A champion and a model in shadow on the live stream: what each raised or would have, and what was found out since.

Rows of the shadow store are joined with labels as they were known at a moment. Rows below both thresholds are a
sample, and stand for those they were drawn from. Numbers of people are numbers of subjects: ten rows of one account
are one account.
"""

from collections.abc import Sequence
from math import exp, lgamma
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl

from models.evaluating.intervals import wilson
from models.examples import ALERT, SAMPLE
from models.labels import Claim, Label, labelled

_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
ENOUGH: Final = 20
"""So many subjects of whom something is known are the least that a champion is judged by."""
SURE: Final = 0.05
"""It is rolled back when chance alone would make it do so much worse less often than this."""


class Told(msgspec.Struct, frozen=True):
    """A share with its interval of 95 %, and of how many it is."""

    name: str
    value: float | None
    low: float
    high: float
    of: float


class Side(msgspec.Struct, frozen=True):
    """What one of the two did."""

    version: str
    alerts: int
    """Runs of rows above its threshold about one subject, parted by the detector's quiet time."""
    alerts_a_day: float
    measures: tuple[Told, ...]


class AsMany(msgspec.Struct, frozen=True):
    """From which score a model in shadow would have raised as many subjects as the champion did in that time."""

    score: float | None
    """None where it raised fewer already: below its own threshold only a sample of rows is kept."""
    shadow: int
    """How many it would have raised from there (scores may be equal); without a score, how many it raised."""
    champion: int


class Comparison(msgspec.Struct, frozen=True):
    """Two models on the same rows."""

    from_ts: int
    to_ts: int
    rows: int
    agreement: Told
    champion: Side
    shadow: Side
    subjects: dict[str, dict[str, int]]
    """Both, and each alone: how many subjects, how many of them known, how many right."""
    as_many: AsMany


class Precision(msgspec.Struct, frozen=True):
    """Of the subjects of some alerts of whom something is known, how many were right."""

    right: int
    known: int


class Verdict(msgspec.Struct, frozen=True):
    """Whether a champion does worse than the one before it, on labels since."""

    known: int
    """Subjects of whom something was found out."""
    worse: int
    """Of them, those on whom only the champion was wrong."""
    better: int
    """Those on whom only the one before was wrong."""
    chance: float
    """How often chance alone would be as hard on the champion."""
    since: Precision = Precision(0, 0)
    """Of the champion's alerts."""
    before: Precision = Precision(0, 0)
    """Of the alerts of the one before, in the weeks before."""
    raised: Precision = Precision(0, 0)
    """Of what the champion raises now, alerted earlier or not."""
    both: Precision = Precision(0, 0)
    """Of that, what both raise: where criminals have changed, the one before would not do as well as it did."""

    @property
    def fallen(self) -> bool:
        """Whether the champion is to go."""
        surely = self.known >= ENOUGH and self.worse > self.better and self.chance <= SURE
        if not surely or self.before.known < ENOUGH:
            return surely
        if self.both.known >= ENOUGH and lower_by_chance(self.raised, self.both) > SURE:
            return False
        return lower_by_chance(self.since, self.before) <= SURE


def with_alerts(rows: pl.DataFrame, alerts: Sequence[tuple[str, str, int, int]]) -> pl.DataFrame:
    """The rows as examples, each with the alert it was part of: its id, subject, first and last time.

    A row that the champion raised and nobody decided teaches nothing; the others are taken for innocent when the
    horizon of the typology has passed without a word.
    """
    spans: dict[str, list[tuple[int, int, str]]] = {}
    for alert_id, subject, first, last in alerts:
        spans.setdefault(subject, []).append((first, last, alert_id))
    raised = rows["champion_score"] >= rows["champion_threshold"]
    ids = [
        next((name for first, last, name in spans.get(subject, ()) if up and first <= ts <= last), "")
        for subject, ts, up in zip(rows["subject"], rows["ts"], raised, strict=True)
    ]
    return rows.with_columns(
        pl.Series("alert_id", ids, dtype=pl.String),
        pl.when(raised).then(pl.lit(ALERT)).otherwise(pl.lit(SAMPLE)).alias("kept_as"),
    )


def known_of(
    rows: pl.DataFrame, labels: Sequence[Label], as_of: int, horizon: int, claim: Claim
) -> pl.DataFrame:
    """By subject: whether it was right to raise it, what each model did, and for how many it stands."""
    empty = {"subject": pl.String, "right": pl.Float64, "by_champion": pl.Boolean, "by_shadow": pl.Boolean}
    if rows.is_empty():
        return pl.DataFrame(schema=empty | {"chance": pl.Float64})
    told = labelled(rows, labels, as_of, horizon, claim=claim).select("event_id", "subject", "right")
    rows = rows.join(told, on=["event_id", "subject"], how="left", maintain_order="left")
    return _by_subject(rows).filter(pl.col("right").is_not_null())


def _by_subject(rows: pl.DataFrame) -> pl.DataFrame:
    named = [pl.col("right").max()] if "right" in rows.columns else []
    return (
        rows.group_by("subject")
        .agg(
            *named,
            (pl.col("champion_score") >= pl.col("champion_threshold")).any().alias("by_champion"),
            (pl.col("score") >= pl.col("threshold")).any().alias("by_shadow"),
            pl.col("chance").max(),
        )
        .sort("subject")
    )


def compared(rows: pl.DataFrame, known: pl.DataFrame, quiet_hours: float) -> Comparison:
    """What two models did on the rows of one of them in shadow; `known` is what was found out of their subjects."""
    first, last = int(rows["ts"].min()), int(rows["ts"].max())  # type: ignore[arg-type]
    days = max((last - first) / _DAY_US, 1 / 24)
    rows = rows.with_columns(
        by_champion=pl.col("champion_score") >= pl.col("champion_threshold"),
        by_shadow=pl.col("score") >= pl.col("threshold"),
    )
    same = (rows["by_champion"] == rows["by_shadow"]).to_numpy()
    subjects = _by_subject(rows)
    return Comparison(
        first,
        last,
        rows.height,
        _share("rows they agree on", same, 1.0 / rows["chance"].to_numpy()),
        _side(
            _named(rows["champion"].unique(maintain_order=True).to_list()),
            "by_champion",
            rows,
            known,
            days,
            quiet_hours,
        ),
        _side(str(rows["version"][0]), "by_shadow", rows, known, days, quiet_hours),
        {
            "both": _counted(subjects, known, pl.col("by_champion") & pl.col("by_shadow")),
            "champion alone": _counted(subjects, known, pl.col("by_champion") & ~pl.col("by_shadow")),
            "shadow alone": _counted(subjects, known, ~pl.col("by_champion") & pl.col("by_shadow")),
        },
        _as_many(rows),
    )


def _as_many(rows: pl.DataFrame) -> AsMany:
    """Every row from the shadow's threshold up is kept, so the score is exact as long as it is not below that."""
    wanted = rows.filter(pl.col("by_champion"))["subject"].n_unique()
    raised = rows.filter(pl.col("by_shadow"))["subject"].n_unique()
    highest = rows.group_by("subject").agg(pl.col("score").max())["score"].sort(descending=True)
    score = float(highest[wanted - 1]) if wanted else None
    if score is None or score < float(rows["threshold"].max()):  # type: ignore[arg-type]
        return AsMany(None, raised, wanted)
    return AsMany(score, int((highest >= score).sum()), wanted)


def _named(versions: list[str]) -> str:
    """What scored in that time: while lessons go on, one small version after another."""
    return (
        versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]} ({len(versions)} versions)"
    )


def _side(
    version: str, column: str, rows: pl.DataFrame, known: pl.DataFrame, days: float, quiet_hours: float
) -> Side:
    raised = rows.filter(pl.col(column)).sort("subject", "ts")
    begins = (pl.col("ts") - pl.col("ts").shift(1).over("subject")).fill_null(2**62) > quiet_hours * _HOUR_US
    alerts = int(raised.select(begins.sum()).item()) if raised.height else 0
    mine, guilty = known.filter(pl.col(column)), known.filter(pl.col("right") > 0)
    return Side(
        version,
        alerts,
        alerts / days,
        (
            _share("precision", mine["right"].to_numpy() > 0, np.ones(mine.height)),
            _share("recall", guilty[column].to_numpy(), 1.0 / guilty["chance"].to_numpy()),
        ),
    )


def _share(name: str, right: Any, weight: Any) -> Told:
    """A weighted share; its interval is that of as many as the weights are worth."""
    if not len(right):
        return Told(name, None, 0.0, 1.0, 0.0)
    share = float(np.average(right, weights=weight))
    worth = float(weight.sum() ** 2 / (weight**2).sum())
    low, high = wilson(round(share * worth), round(worth))
    return Told(name, share, min(low, share), max(high, share), worth)


def _counted(subjects: pl.DataFrame, known: pl.DataFrame, which: pl.Expr) -> dict[str, int]:
    told = known.filter(which)
    right = int((told["right"] > 0).sum()) if told.height else 0
    return {"subjects": subjects.filter(which).height, "known": told.height, "right": right}


def verdict(known: pl.DataFrame) -> Verdict:
    """Hold a champion against the one before it: on whom was only one of them wrong?

    Wrong is to raise somebody innocent, or not to raise somebody who was found out. Those on whom both were wrong or
    both right say nothing; of the others half would speak against the champion if the two were as good as each other.
    """
    right = known["right"].to_numpy() > 0
    champion, before = (known[name].to_numpy() != right for name in ("by_champion", "by_shadow"))
    worse, better = int((champion & ~before).sum()), int((~champion & before).sum())
    raised, both = (
        Precision(int((known.filter(which)["right"] > 0).sum()), known.filter(which).height)
        for which in (pl.col("by_champion"), pl.col("by_champion") & pl.col("by_shadow"))
    )
    return Verdict(known.height, worse, better, _sign_test(worse, better), raised=raised, both=both)


def unasked(labels: Sequence[Label]) -> list[Label]:
    """Words that nobody had to be alerted for: reports, recalls, courts, and rows drawn for review.

    Analysts look at what the champion raises and not at what the one before alone would have: by their word alone
    every new champion that is wrong more often than right would look worse than the one it replaced.
    """
    return [
        one
        for one in labels
        if one.about.startswith("review:") or not (one.about.startswith("alert:") or one.origin == "analyst")
    ]


def lower_by_chance(since: Precision, before: Precision) -> float:
    """How often chance alone would leave so few of the later alerts right, were both as good (Fisher's exact test)."""
    right, everything = since.right + before.right, since.known + before.known
    whole = _log_ways(everything, since.known)
    least = max(0, right - before.known)
    return min(
        1.0,
        sum(
            exp(_log_ways(right, k) + _log_ways(everything - right, since.known - k) - whole)
            for k in range(least, since.right + 1)
        ),
    )


def _log_ways(of: int, taken: int) -> float:
    return lgamma(of + 1) - lgamma(taken + 1) - lgamma(of - taken + 1)


def _sign_test(worse: int, better: int) -> float:
    """How often so many heads or more fall among so many coins."""
    coins = worse + better
    term = total = 0.5**coins if coins < 1_000 else 0.0
    if coins >= 1_000:  # the normal law is as good, and no number is too small
        from statistics import NormalDist

        return 1.0 - NormalDist(coins / 2, coins**0.5 / 2).cdf(worse - 0.5)
    for heads in range(coins, worse, -1):
        term = term * heads / (coins - heads + 1)
        total += term
    return min(1.0, total)
