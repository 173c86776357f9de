"""Training: by time and with what was known then, calibrated, explained like any scorecard, the same each time."""

import msgspec
import numpy as np
import polars as pl
import pytest

from models.card import Measure
from models.errors import ModelError
from models.labels import Label
from models.pictures import pictures
from models.scorecard import Scorecard, Signal
from models.training import (
    calibration,
    candidate,
    compare,
    data_digest,
    equal_alerts,
    label_counts,
    measures_of,
    moved,
    parted,
    precision_at,
    subjects_raised,
    train_scorecard,
    train_trees,
    values_of,
)

DAY = 86_400_000_000
HORIZON = 5 * DAY
SIGNALS = (Signal("senders", 0, 10, 1.0), Signal("dwell", 3_000, 300, 1.0), Signal("noise", 0, 1, 1.0))
NAMES = [signal.feature for signal in SIGNALS]


def history(n: int = 3_000, days: int = 60, seed: int = 8) -> tuple[pl.DataFrame, list[Label]]:
    """Gated rows of made-up accounts; those with many senders and short dwell are mules, reported days later."""
    chance = np.random.default_rng(seed)
    senders, dwell = chance.integers(0, 12, n).astype(float), chance.uniform(100, 4_000, n)
    z = 0.9 * senders - dwell / 500 - 3.0
    mule = chance.random(n) < 1 / (1 + np.exp(-z))
    ts = np.sort(chance.integers(0, days * DAY, n))
    frame = pl.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(n)],
            "subject": [f"account:{i}" for i in range(n)],
            "ts": ts,
            "seq": np.arange(n),
            "score": chance.random(n),
            "kept_as": "sample",
            "chance": 1.0,
            "alert_id": "",
            "s.age_band": np.where(np.arange(n) % 3 == 0, "18-20", "35-49"),
            "v.senders": senders,
            "v.dwell": np.where(chance.random(n) < 0.05, np.nan, dwell),
            "v.noise": chance.random(n),
        }
    )
    labels = [
        Label(
            event_id=f"l{i}", about=f"event:e{i}", label="confirmed", at=int(ts[i]) + 2 * DAY, origin="bank"
        )
        for i in np.flatnonzero(mule)
    ]
    return frame, labels


@pytest.fixture(scope="module")
def made() -> tuple[pl.DataFrame, list[Label]]:
    return history()


def parts_of(made: tuple[pl.DataFrame, list[Label]]):  # type: ignore[no-untyped-def]
    return parted(*made, 0, 60 * DAY, HORIZON, 70 * DAY)


def test_nothing_is_trained_on_that_became_known_after_validation_began(
    made: tuple[pl.DataFrame, list[Label]],
) -> None:
    parts = parts_of(made)
    trained = pl.concat([parts.fitted, parts.calibrated])
    assert trained["known_at"].max() <= parts.begins  # type: ignore[operator]
    assert trained["ts"].max() < parts.begins <= parts.validated["ts"].min()  # type: ignore[operator]
    assert parts.fitted["ts"].max() < parts.calibrated["ts"].min()  # type: ignore[operator]
    # silence of the last days before validation has not matured: only reports are known of them
    late = trained.filter(pl.col("ts") > parts.begins - HORIZON)
    assert set(late["origin"]) == {"bank"}


def test_labels_that_came_later_change_nothing_that_was_trained(
    made: tuple[pl.DataFrame, list[Label]],
) -> None:
    frame, labels = made
    begins = parts_of(made).begins
    # whoever was confirmed after validation began was innocent instead
    turned = [one if one.at <= begins else msgspec.structs.replace(one, label="innocent") for one in labels]
    one, two = (
        parted(frame, each, 0, 60 * DAY, HORIZON, 70 * DAY)
        for each in (labels, [*turned, *_confirmed_instead(frame, begins)])
    )
    assert train_scorecard(one, SIGNALS, "m-1.") == train_scorecard(two, SIGNALS, "m-1.")
    assert not one.validated["right"].equals(two.validated["right"])


def _confirmed_instead(frame: pl.DataFrame, begins: int) -> list[Label]:
    """Enough others, so that validation still has some of each kind."""
    late = frame.filter(pl.col("ts") >= begins)["event_id"].to_list()[:40]
    return [
        Label(event_id=f"x{name}", about=f"event:{name}", label="confirmed", at=69 * DAY, origin="bank")
        for name in late
    ]


def test_too_few_of_a_kind_teach_nothing(made: tuple[pl.DataFrame, list[Label]]) -> None:
    frame, labels = made
    with pytest.raises(ModelError, match="confirmed"):
        parted(frame, labels[:3], 0, 60 * DAY, HORIZON, 70 * DAY)
    with pytest.raises(ModelError, match="nothing is known"):
        parted(frame, [], 0, 60 * DAY, 400 * DAY, 70 * DAY)


def test_what_comes_of_it_is_a_scorecard_that_finds_what_there_is(
    made: tuple[pl.DataFrame, list[Label]],
) -> None:
    parts = parts_of(made)
    weights = train_scorecard(parts, SIGNALS, "mule_account-1.")
    assert weights.version.startswith("mule_account-1.r")
    assert weights == train_scorecard(parts, SIGNALS, "mule_account-1.")
    assert weights.weights["senders"] > 2.0
    assert weights.weights["dwell"] > 1.0
    assert abs(weights.weights["noise"]) < 1.0
    card = Scorecard(SIGNALS, weights)
    scores = card.score(values_of(parts.validated, NAMES))
    told = {m.name: m for m in measures_of(parts.validated, scores, 0.5) if m.where == "validation"}
    assert told["ROC AUC"].value is not None
    assert told["ROC AUC"].value > 0.85
    assert told["ROC AUC"].low < told["ROC AUC"].value < told["ROC AUC"].high  # type: ignore[operator]


def test_scores_are_probabilities_on_what_came_after(made: tuple[pl.DataFrame, list[Label]]) -> None:
    parts = parts_of(made)
    right, weight = parts.validated["right"].to_numpy(), parts.validated["weight"].to_numpy()
    card = Scorecard(SIGNALS, train_scorecard(parts, SIGNALS, "m-1."))
    for scores in (
        card.score(values_of(parts.validated, NAMES)),
        train_trees(parts, NAMES).score(values_of(parts.validated, NAMES)),
    ):
        assert abs(float(scores.mean() - right.mean())) < 0.05
        for told, share, _ in calibration(right, scores, weight, groups=4):
            assert abs(told - share) < 0.15


def test_a_challenger_alerts_about_as_many_as_the_champion(made: tuple[pl.DataFrame, list[Label]]) -> None:
    parts = parts_of(made)
    champion = Scorecard.expert(SIGNALS, -1.5, "m-1.0").score(values_of(parts.validated, NAMES))
    trees = train_trees(parts, NAMES)
    each = candidate("boosted", trees, lambda f: trees.score(values_of(f, NAMES)), parts, champion, 0.5)
    raised = {
        "champion": subjects_raised(parts.validated, champion, 0.5),
        "challenger": subjects_raised(parts.validated, each.scores, each.threshold),
    }
    counts = [frame["raised"].sum() for frame in raised.values()]
    assert counts[0] == pytest.approx(counts[1], abs=2)
    told = compare(raised)
    assert told["both"]["subjects"] + told["only champion"]["subjects"] == counts[0]
    assert 0.0 <= told["agreement"] <= 1.0
    groups = {m.where for m in each.measures}
    assert {"validation, age_band 18-20", "validation, age_band 35-49"} <= groups


def test_thresholds_stay_possible_when_nobody_alerts() -> None:
    frame = pl.DataFrame({"subject": ["a", "b"], "right": [0.0, 1.0]})
    assert equal_alerts(frame, np.zeros(2), 0.5, np.array([0.2, 1.0])) == 1.0 - 1e-6


def test_precision_at_capacity_takes_each_subject_once() -> None:
    frame = pl.DataFrame({"subject": ["a", "a", "b", "c"], "right": [1.0, 1.0, 0.0, 1.0]})
    raised = subjects_raised(frame, np.array([0.9, 0.8, 0.7, 0.1]), 0.5)
    assert precision_at(raised, [1, 2, 3, 9]) == [(1, 1.0), (2, 0.5), (3, pytest.approx(2 / 3))]


def test_a_card_can_tell_where_labels_came_from_and_what_moved(
    made: tuple[pl.DataFrame, list[Label]],
) -> None:
    parts = parts_of(made)
    counts = label_counts(parts.validated)
    assert set(counts) == {"bank", "matured"}
    assert counts["bank"]["confirmed"] > 0
    assert all(value < 0.1 for value in moved(parts, NAMES).values())
    assert data_digest(parts.fitted) == data_digest(parts.fitted.reverse()) != data_digest(parts.validated)


def test_the_pictures_are_pictures(made: tuple[pl.DataFrame, list[Label]]) -> None:
    parts = parts_of(made)
    scores = parts.validated["v.senders"].to_numpy() / 12
    measures: tuple[Measure, ...] = measures_of(parts.validated, scores, 0.5)
    drawn = pictures(parts.validated, {"champion": scores, "challenger": scores**2}, measures, 0.5)
    assert len(drawn) == 4
    assert all(raw.startswith(b"\x89PNG") for raw in drawn.values())
    assert drawn == pictures(parts.validated, {"champion": scores, "challenger": scores**2}, measures, 0.5)
    of_things = [one for one in measures if one.where == "validation"]
    assert set(drawn) - set(pictures(parts.validated, {"champion": scores}, of_things, 0.5)) == {
        "subgroups.png"
    }
