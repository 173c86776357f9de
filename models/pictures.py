"""A version's card in pictures: precision and recall, calibration, precision at capacity, and subgroups."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.card import Measure
from models.training import calibration, precision_at, subjects_raised

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

_LINES: Final = (("#1d70b8", "-"), ("#d4351c", "--"), ("#00703c", "-."))
"""Colours and strokes in turn: colour alone never tells lines apart."""
_SHOWN: Final = 12


def pictures(
    frame: pl.DataFrame, scores: Mapping[str, Floats], measures: Sequence[Measure], threshold: float
) -> dict[str, bytes]:
    """PNG pictures by file name: `scores` are the champion's and the challenger's on the validation examples."""
    right, weight = frame["right"].to_numpy(), frame["weight"].to_numpy()
    raised = {name: subjects_raised(frame, each, threshold) for name, each in scores.items()}
    drawn = {
        "precision-recall.png": _drawn(lambda axes: _precision_recall(axes, right, weight, scores)),
        "calibration.png": _drawn(lambda axes: _calibration(axes, right, weight, scores)),
        "precision-at-capacity.png": _drawn(lambda axes: _capacity(axes, raised)),
    }
    groups = [m for m in measures if m.name == "alerted" and m.where != "validation" and m.value is not None]
    if groups:  # merchants, cells and handsets have none
        drawn["subgroups.png"] = _drawn(lambda axes: _subgroups(axes, groups))
    return drawn


def _drawn(draw: Any) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    draw(figure.add_subplot())
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120, metadata={"Software": None})
    return out.getvalue()


def _precision_recall(axes: "Axes", right: Floats, weight: Floats, scores: Mapping[str, Floats]) -> None:
    from sklearn.metrics import precision_recall_curve

    for (name, each), (colour, stroke) in zip(scores.items(), _LINES, strict=False):
        precision, recall, _ = precision_recall_curve(right, each, sample_weight=weight)
        axes.plot(recall, precision, color=colour, linestyle=stroke, label=name, drawstyle="steps-post")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend()


def _calibration(axes: "Axes", right: Floats, weight: Floats, scores: Mapping[str, Floats]) -> None:
    axes.plot([0, 1], [0, 1], color="#b1b4b6")
    for (name, each), (colour, stroke) in zip(scores.items(), _LINES, strict=False):
        points = calibration(right, each, weight)
        axes.plot(
            [p[0] for p in points],
            [p[1] for p in points],
            color=colour,
            linestyle=stroke,
            marker="o",
            label=name,
        )
    axes.set(xlabel="mean score", ylabel="share confirmed", xlim=(0, 1), ylim=(0, 1))
    axes.legend()


def _capacity(axes: "Axes", raised: Mapping[str, pl.DataFrame]) -> None:
    for (name, each), (colour, stroke) in zip(raised.items(), _LINES, strict=False):
        most = max(1, each.height)
        points = precision_at(each, np.unique(np.geomspace(1, most, 40).astype(int)).tolist())
        axes.plot([p[0] for p in points], [p[1] for p in points], color=colour, linestyle=stroke, label=name)
    axes.set(
        xlabel="subjects looked at, highest score first",
        ylabel="share confirmed",
        xscale="log",
        ylim=(0, 1.02),
    )
    axes.legend()


def _subgroups(axes: "Axes", groups: Sequence[Measure]) -> None:
    for place, one in enumerate(groups[:_SHOWN]):
        low, high, value = one.low or 0.0, one.high or 0.0, one.value or 0.0
        axes.plot([low, high], [place, place], color="#0b0c0c")
        axes.plot([value], [place], "o", color="#1d70b8")
    axes.set(
        xlabel="share of subjects alerted about, with its interval", ylim=(-0.6, max(len(groups[:_SHOWN]), 1))
    )
    axes.set_yticks(
        range(len(groups[:_SHOWN])), [m.where.removeprefix("validation, ") for m in groups[:_SHOWN]]
    )
