"""Training a challenger: two models from examples, validated on what came after, with the label delay respected.

The **logistic regression** is over the same strengths of the same signals as the scorecard it challenges: what comes
of it are a scorecard's weights, explained and promoted like any other. The **trees** see the raw values. Both are calibrated on the latest part of the training period, and validated on the period that follows;
labels that were not known when that began are not trained on. The threshold of each is where it would have raised as
many alerts in the validation period as the champion does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.boosted import train_boosted
from models.card import Measure
from models.drift import reference_of, stability
from models.errors import ModelError
from models.evaluating.intervals import wilson
from models.examples import STRATUM, VALUE
from models.forest import Forest, forest_of
from models.labels import Claim, Label, labelled
from models.scorecard import Scorecard, Signal, Weights, digest_of
from models.working import USUAL, medians_of

Floats = npt.NDArray[np.float64]

TRAINED_SHARE: Final = 0.7
"""Of the period, what lies before the validation part."""
CALIBRATED_SHARE: Final = 0.25
"""Of the training part, the latest that only calibrates."""
LEAST: Final = 10
"""So many examples of each kind at least: fewer teach chance."""
_STRENGTH: Final = 1.0  # inverse strength of the penalty on weights, scikit-learn's C
_BOOT: Final = 200
_TREES: Final = 80
_GROUPS: Final = 8
_LEAST_GROUP: Final = 20
_RAISED: Final = (
    2.0  # a confirmed row may count for so much more than an innocent one before calibration puts it right
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Examples with what was known of them: for fitting, calibrating and validating, one after the other."""

    fitted: pl.DataFrame
    calibrated: pl.DataFrame
    validated: pl.DataFrame
    begins: int
    """When validation begins: nothing that became known later is trained on."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained challenger and how it did on what came after."""

    kind: str
    model: Any
    scores: Floats
    threshold: float
    measures: tuple[Measure, ...]


def parted(
    examples: pl.DataFrame,
    labels: Sequence[Label],
    from_ts: int,
    to_ts: int,
    horizon: int,
    as_of: int,
    claim: Claim = Claim(),
) -> Parts:
    """Examples of a period in three parts by time, each with the labels that were known when it was used.

    Raises:
        ModelError: one of them has too few of one kind.
    """
    begins = from_ts + int((to_ts - from_ts) * TRAINED_SHARE)
    rows = examples.filter(pl.col("ts").is_between(from_ts, to_ts, closed="left"))
    before = labelled(rows.filter(pl.col("ts") < begins), labels, begins, horizon, claim=claim)
    after = labelled(rows.filter(pl.col("ts") >= begins), labels, as_of, horizon, claim=claim)
    if before.is_empty() or after.is_empty():
        raise ModelError(
            f"between training and validation nothing is known of {'earlier' if before.is_empty() else 'later'} "
            "examples: take a longer period, or a shorter horizon"
        )
    cut = before["ts"].sort()[int(len(before) * (1.0 - CALIBRATED_SHARE))]
    parts = Parts(before.filter(pl.col("ts") < cut), before.filter(pl.col("ts") >= cut), after, begins)
    for name, part in (("training", parts.fitted), ("calibrating", parts.calibrated), ("validating", after)):
        right = int(part["right"].sum())
        if min(right, part.height - right) < (LEAST if name != "calibrating" else 1):
            raise ModelError(
                f"{name} has {right} confirmed and {part.height - right} innocent examples: at least {LEAST} of each "
                "are needed. Take a longer period, or wait for labels"
            )
    return parts


def values_of(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    """The values of examples as rows of numbers, absent ones NaN."""
    told = frame.select(pl.col(VALUE + name).cast(pl.Float64).fill_null(np.nan) for name in names).to_numpy()
    return np.ascontiguousarray(told, dtype=np.float64)


def train_scorecard(parts: Parts, signals: tuple[Signal, ...], begins: str) -> Weights:
    """A logistic regression over the signals' strengths, as a scorecard's weights; `begins` is how its name begins."""
    from sklearn.linear_model import LogisticRegression  # slow to import: only who trains waits for it

    names = [signal.feature for signal in signals]
    right, weight = _taught(parts.fitted)
    model = LogisticRegression(C=_STRENGTH, max_iter=1_000)
    model.fit(_strengths(signals, values_of(parts.fitted, names)), right, sample_weight=weight)
    raw = Weights(
        "draft", float(model.intercept_[0]), dict(zip(names, map(float, model.coef_[0]), strict=True))
    )
    slope, shift = _platt(parts.calibrated, _log_odds_of(Scorecard(signals, raw), parts.calibrated, names))
    weights = {name: slope * each for name, each in raw.weights.items()}
    intercept = slope * raw.intercept + shift
    return Weights(f"{begins}r{digest_of(intercept, weights)}", intercept, weights)


def train_trees(parts: Parts, names: Sequence[str]) -> Forest:
    """Calibrated gradient boosting over the raw values, as data."""
    right, weight = _taught(parts.fitted)
    least = max(5, min(40, int(right.sum()) // 4))
    trees = train_boosted(names, values_of(parts.fitted, names), right, weight, trees=_TREES, least=least)
    slope, shift = _platt(parts.calibrated, trees.log_odds(values_of(parts.calibrated, names)))
    return forest_of(trees, slope, shift)


def plain_trees(forest: Forest, parts: Parts) -> dict[str, Any]:
    """A forest as data, with the medians of what it was fitted on: against those its reasons are told."""
    return forest.dump() | {USUAL: medians_of(forest.names, values_of(parts.fitted, forest.names))}


def candidate(
    kind: str,
    model: Any,
    score: Callable[[pl.DataFrame], Floats],
    parts: Parts,
    champion: Floats,
    threshold: float,
) -> Candidate:
    """A model with its measures on the validation part, at as many alerts as the champion raised there."""
    scores = score(parts.validated)
    at = equal_alerts(parts.validated, champion, threshold, scores)
    return Candidate(kind, model, scores, at, measures_of(parts.validated, scores, at))


def equal_alerts(frame: pl.DataFrame, champion: Floats, threshold: float, scores: Floats) -> float:
    """The threshold from which as many subjects alert as alert by the champion; at least one."""
    subjects = frame["subject"]
    count = max(1, subjects.filter(pl.Series(champion >= threshold)).n_unique())
    highest = (
        pl.DataFrame({"subject": subjects, "score": scores}).group_by("subject").agg(pl.col("score").max())
    )
    ordered = highest["score"].sort(descending=True).to_list()
    at = ordered[min(count, len(ordered)) - 1]
    return float(min(max(at, 1e-6), 1.0 - 1e-6))


def measures_of(frame: pl.DataFrame, scores: Floats, threshold: float, seed: int = 0) -> tuple[Measure, ...]:
    """Ranking, calibration and what would have been raised, with intervals over subjects; and by subgroup."""
    told = _ranked(frame, scores, seed)
    raised = subjects_raised(frame, scores, threshold)
    told += _raised(raised, "validation")
    for stratum in sorted(name for name in frame.columns if name.startswith(STRATUM)):
        for value, group in sorted(
            raised.join(frame.group_by("subject").agg(pl.col(stratum).last()), on="subject").group_by(
                stratum
            ),
            key=lambda each: str(each[0][0]),
        ):
            if group.height >= _LEAST_GROUP:
                told += _raised(group, f"validation, {stratum.removeprefix(STRATUM)} {value[0]}")
    return tuple(told)


def subjects_raised(frame: pl.DataFrame, scores: Floats, threshold: float) -> pl.DataFrame:
    """Each subject of some examples: its highest score, whether it alerts, and whether it was confirmed."""
    told = pl.DataFrame({"subject": frame["subject"], "score": scores, "right": frame["right"]})
    told = told.group_by("subject").agg(pl.col("score").max(), pl.col("right").max()).sort("subject")
    return told.with_columns(raised=pl.col("score") >= threshold)


def precision_at(raised: pl.DataFrame, capacities: Sequence[int]) -> list[tuple[int, float]]:
    """The share confirmed among the so many subjects with the highest scores."""
    ordered = raised.sort(["score", "subject"], descending=[True, False])["right"].to_numpy()
    return [(n, float(ordered[:n].mean())) for n in capacities if 0 < n <= len(ordered)]


def calibration(
    right: Floats, scores: Floats, weight: Floats, groups: int = _GROUPS
) -> list[tuple[float, float, int]]:
    """Mean score, share confirmed and size of groups of equal size by score."""
    order = np.argsort(scores, kind="stable")
    return [
        (
            float(np.average(scores[part], weights=weight[part])),
            float(np.average(right[part], weights=weight[part])),
            len(part),
        )
        for part in np.array_split(order, groups)
        if len(part)
    ]


def moved(parts: Parts, names: Sequence[str]) -> dict[str, float]:
    """How far the validation part's values lie from those trained on (population stability index)."""
    reference = reference_of(names, values_of(parts.fitted, names))
    return stability(reference, names, values_of(parts.validated, names))


def label_counts(frame: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How many examples were confirmed and innocent, by the origin of their label."""
    told: dict[str, dict[str, int]] = {}
    for origin, right, count in frame.group_by("origin", "right").len().sort("origin", "right").iter_rows():
        told.setdefault(origin, {})["confirmed" if right > 0 else "innocent"] = int(count)
    return told


def compare(raised: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Two models on the same subjects: what both and each alone raised, and how much of it was right."""
    (one, first), (two, second) = raised.items()
    both = first.join(second, on="subject", suffix="_2")
    told: dict[str, Any] = {"subjects": both.height}
    for name, chosen in (
        ("both", pl.col("raised") & pl.col("raised_2")),
        (f"only {one}", pl.col("raised") & ~pl.col("raised_2")),
        (f"only {two}", ~pl.col("raised") & pl.col("raised_2")),
        ("neither", ~pl.col("raised") & ~pl.col("raised_2")),
    ):
        part = both.filter(chosen)
        told[name] = {"subjects": part.height, "confirmed": int(part["right"].fill_null(0.0).sum())}
    told["agreement"] = (told["both"]["subjects"] + told["neither"]["subjects"]) / max(both.height, 1)
    return told


def data_digest(frame: pl.DataFrame) -> str:
    """A digest of examples and what they taught, whatever their order."""
    plain = frame.select("event_id", "subject", "right", "weight").sort("event_id", "subject")
    import hashlib

    return hashlib.blake2b(plain.write_ndjson().encode(), digest_size=16).hexdigest()


def _taught(frame: pl.DataFrame) -> tuple[Floats, Floats]:
    """Outcomes and weights, the rarer kind raised so that it is not lost among the other (calibration undoes that)."""
    right, weight = frame["right"].to_numpy(), frame["weight"].to_numpy().copy()
    share = float(weight[right > 0].sum() / weight.sum())
    raise_by = min((1.0 - share) / share, _RAISED * np.sqrt((1.0 - share) / share))
    weight[right > 0] *= max(1.0, raise_by)
    return right, weight


def _strengths(signals: tuple[Signal, ...], values: Floats) -> Floats:
    return np.array([[s.strength(v) for s, v in zip(signals, row, strict=True)] for row in values.tolist()])


def _log_odds_of(card: Scorecard, frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    score = np.clip(card.score(values_of(frame, names)), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(score / (1 - score)))


def _platt(frame: pl.DataFrame, log_odds: Floats) -> tuple[float, float]:
    """Slope and shift that make log-odds probabilities on examples that were not trained on."""
    from sklearn.linear_model import LogisticRegression

    right, weight = frame["right"].to_numpy(), frame["weight"].to_numpy()
    if len(np.unique(right)) < 2:
        return 1.0, 0.0
    model = LogisticRegression(C=1e3).fit(log_odds[:, None], right, sample_weight=weight)
    slope = float(model.coef_[0, 0])
    if slope <= 0.0:  # too few examples to say: the order of the scores is kept
        return 1.0, 0.0
    return slope, float(model.intercept_[0])


def _ranked(frame: pl.DataFrame, scores: Floats, seed: int) -> list[Measure]:
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    right, weight = frame["right"].to_numpy(), frame["weight"].to_numpy()
    groups = frame["subject"].rank("dense").to_numpy().astype(np.int64) - 1
    by_group = np.split(np.argsort(groups, kind="stable"), np.flatnonzero(np.diff(np.sort(groups))) + 1)
    chance = np.random.default_rng(seed)
    kinds = {
        "average precision": average_precision_score,
        "ROC AUC": roc_auc_score,
        "Brier score": brier_score_loss,
    }
    drawn: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(_BOOT):
        # subjects are drawn, not rows: the rows of one are alike
        at = np.concatenate([by_group[i] for i in chance.integers(0, len(by_group), len(by_group))])
        if 0 < right[at].sum() < len(at):
            for name, kind in kinds.items():
                drawn[name].append(float(kind(right[at], scores[at], sample_weight=weight[at])))
    told = []
    for name, kind in kinds.items():
        low, high = np.quantile(drawn[name], [0.025, 0.975]) if drawn[name] else (None, None)
        value = float(kind(right, scores, sample_weight=weight))
        told.append(
            Measure(
                name=name,
                value=value,
                low=None if low is None else float(low),
                high=None if high is None else float(high),
                of=len(right),
            )
        )
    return told


def _raised(raised: pl.DataFrame, where: str) -> list[Measure]:
    alerts = raised.filter(pl.col("raised"))
    guilty = raised.filter(pl.col("right") > 0)
    told = []
    for name, count, of in (
        ("alerted", alerts.height, raised.height),
        ("precision", int(alerts["right"].sum()), alerts.height),
        ("recall", guilty.filter(pl.col("raised")).height, guilty.height),
    ):
        low, high = wilson(count, of)
        told.append(
            Measure(name=name, value=count / of if of else None, low=low, high=high, of=of, where=where)
        )
    return told
