"""An evaluation as pictures, SVG and PNG, with matplotlib where it is installed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from console.errors import ConsoleError
from console.wording import spoken
from models.evaluating.intervals import Share
from models.evaluating.result import Lead, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from console.backtesting import Result as Backtested

INK: Final = "#0b0c0c"
BLUE: Final = "#1d70b8"
ORANGE: Final = "#f47738"
LINES: Final = (("#1d70b8", "-"), ("#d4351c", "--"), ("#00703c", "-."), ("#4c2c92", ":"))
"""Colours and strokes in turn: colour alone never tells lines apart."""
_STYLE: Final[Any] = {
    "svg.hashsalt": "linewatch",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "figure.dpi": 120,
}


def draw(result: Result, folder: Path, forms: Sequence[str] = ("svg", "png")) -> tuple[Path, ...]:
    """Write every picture there is something to show in; the same result gives the same bytes.

    Raises:
        ConsoleError: matplotlib is not installed.
    """
    mpl = _matplotlib()
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context(_STYLE):
        for name, (rows, picture) in PICTURES.items():
            count = rows(result)
            if not count:
                continue
            figure = Figure(figsize=(7.5, max(3.2, 1.3 + 0.27 * count)), layout="constrained")
            picture(figure.add_subplot(), result)
            written += _saved(figure, folder / name, forms)
    return tuple(written)


def _saved(figure: "Figure", path: Path, forms: Sequence[str]) -> list[Path]:
    """Write a picture in each form, without the time of writing: the same picture gives the same bytes."""
    written = []
    for form in forms:
        told = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(path.with_name(f"{path.name}.{form}"), format=form, metadata=told)
        written.append(path.with_name(f"{path.name}.{form}"))
    return written


def _matplotlib() -> Any:
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as missing:
        raise ConsoleError(
            "Plots need matplotlib, which is not installed: `pip install matplotlib`, or say --plots none. "
            "The numbers are written all the same."
        ) from missing
    return mpl


def draw_backtest(
    result: "Backtested", folder: Path, forms: Sequence[str] = ("svg", "png")
) -> tuple[Path, ...]:
    """Precision and crimes found by threshold, alerts a day, and how long the oldest alert waits, day by day.

    Raises:
        ConsoleError: matplotlib is not installed.
    """
    mpl = _matplotlib()
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 8.5), layout="constrained")
        shares, alerts, ages = figure.subplots(3, 1)
        _forecast_shares(shares, result)
        _forecast_alerts(alerts, result)
        _forecast_ages(ages, result)
        return tuple(_saved(figure, folder / "backtest", forms))


def _forecast_shares(axes: "Axes", result: "Backtested") -> None:
    at = [f.threshold for f in result.forecasts]
    for name, shares, (colour, stroke) in (
        ("precision", [f.precision for f in result.forecasts], LINES[0]),
        ("crimes alerted in time", [f.missed.alerted for f in result.forecasts], LINES[1]),
        ("crimes reached in time", [f.missed.reached for f in result.forecasts], LINES[2]),
    ):
        known = [(x, s) for x, s in zip(at, shares, strict=True) if s.share is not None]
        if known:
            values = [s.share or 0.0 for _, s in known]
            low = [max(0.0, v - s.low) for v, (_, s) in zip(values, known, strict=True)]
            high = [max(0.0, s.high - v) for v, (_, s) in zip(values, known, strict=True)]
            axes.errorbar(
                [x for x, _ in known], values, yerr=[low, high],
                color=colour, linestyle=stroke, marker="o", capsize=2, label=name,
            )  # fmt: skip
    axes.set(title=f"{result.detector}, scored by {result.model_version}", ylim=(0, 1.02), xlabel="threshold")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(frameon=False)


def _forecast_alerts(axes: "Axes", result: "Backtested") -> None:
    at = [f.threshold for f in result.forecasts]
    axes.plot(at, [f.alerts_a_day for f in result.forecasts], color=BLUE, marker="o")
    axes.set(xlabel="threshold", ylabel="alerts a day", ylim=(0, None))


def _forecast_ages(axes: "Axes", result: "Backtested") -> None:
    for place, forecast in enumerate(result.forecasts):
        oldest: dict[int, float] = {}
        for campus in forecast.campuses:
            for day in campus.days:
                oldest[day.day] = max(oldest.get(day.day, 0.0), day.oldest_days)
        colour, stroke = LINES[place % len(LINES)]
        first = min(oldest, default=0)
        axes.plot(
            [day - first for day in sorted(oldest)], [oldest[day] for day in sorted(oldest)],
            color=colour, linestyle=stroke, label=f"from {forecast.threshold:.3g}",
        )  # fmt: skip
    axes.set(xlabel="day", ylabel="days the oldest alert waits,\nin the slowest campus", ylim=(0, None))
    axes.legend(frameon=False)


def recall(axes: "Axes", result: Result) -> None:
    """How many crimes of each typology were found, with intervals."""
    rows = [row for row in result.typologies if row.level == "typology"][::-1]
    labels = [f"{spoken(row.name)} ({row.crimes})" for row in rows]
    _bars(axes, labels, [row.recall for row in rows])
    axes.set_title("Crimes found, by typology (number of crimes), 95 % intervals")


def _bars(axes: "Axes", labels: Sequence[str], shares: Sequence[Share]) -> None:
    places = range(len(labels))
    values = [each.share or 0.0 for each in shares]
    axes.barh(places, values, color=BLUE, height=0.6)
    axes.errorbar(
        values,
        places,
        xerr=[
            [max(0.0, value - each.low) for value, each in zip(values, shares, strict=True)],
            [max(0.0, each.high - value) for value, each in zip(values, shares, strict=True)],
        ],
        fmt="none",
        ecolor=INK,
        capsize=2,
        linewidth=1,
    )
    axes.set_yticks(places, labels)
    axes.margins(y=0.02)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")


def lead(axes: "Axes", result: Result) -> None:
    """How the share of crimes found grows with the hours since they began."""
    leads = _leads(result)
    longest = max([24.0, *(of.curve[-1] for _, of in leads)])
    for place, (name, of) in enumerate(leads):
        hours = [0.0, *of.curve, longest]
        found = [k / of.began for k in range(of.found + 1)]
        colour, stroke = LINES[place % len(LINES)]
        axes.step(
            hours,
            [*found, found[-1]],
            where="post",
            color=colour,
            linestyle=stroke,
            label=f"{spoken(name)} ({of.began})",
        )
    for day in (24, 48):
        if day <= longest:
            axes.axvline(day, color=INK, linewidth=0.5, linestyle=":")
    axes.set_xlim(0, longest * 1.02)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("hours since the crime began")
    axes.set_ylabel("found by then, of all that began")
    axes.set_title("Lead time, of crimes that began in the world (number of crimes)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _leads(result: Result) -> list[tuple[str, Lead]]:
    """One line for each kind of crime of which any was found."""
    several = {row.kind for row in result.typologies if row.level == "kind"}
    rows = [
        row
        for row in result.typologies
        if row.level == "kind" or (row.level == "typology" and row.kind not in several)
    ]
    return [(row.name, row.lead) for row in rows if row.lead.found]


def false_alarms(axes: "Axes", result: Result) -> None:
    """How many false alarms there were, by whom they were about."""
    rows = [row for row in result.false_alarms if row.alerts][::-1]
    rates = [row.rate.rate or 0.0 for row in rows]
    axes.barh(range(len(rows)), rates, color=ORANGE, height=0.6)
    axes.errorbar(
        rates,
        range(len(rows)),
        xerr=[
            [rate - row.rate.low for rate, row in zip(rates, rows, strict=True)],
            [(row.rate.high or rate) - rate for rate, row in zip(rates, rows, strict=True)],
        ],
        fmt="none",
        ecolor=INK,
        capsize=2,
        linewidth=1,
    )
    axes.set_xlim(left=0)
    axes.margins(y=0.02)
    labels = [
        spoken(row.kind) + ("" if row.alerted is None else f" ({row.alerted.count} of {row.alerted.of})")
        for row in rows
    ]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xlabel("false alarms a day per 100,000 people")
    axes.set_title("False alarms by kind of innocent (how many of them were alerted about), 95 % intervals")


def capacity(axes: "Axes", result: Result) -> None:
    """Precision and crimes found, as a campus works more alerts a week."""
    rows = [row for row in result.capacity if row.taken]
    weeks = [row.a_week for row in rows]
    for label, shares, (colour, stroke) in (
        ("precision", [row.precision for row in rows], LINES[0]),
        ("crimes found", [row.found for row in rows], LINES[1]),
    ):
        axes.plot(
            weeks,
            [each.share or 0.0 for each in shares],
            color=colour,
            linestyle=stroke,
            label=label,
            marker="o",
        )
        axes.fill_between(
            weeks, [each.low for each in shares], [each.high for each in shares], color=colour, alpha=0.12
        )
    axes.axvline(result.method.capacity, color=INK, linewidth=0.5, linestyle=":")
    axes.set_xscale("log")
    axes.set_xticks(weeks, [str(week) for week in weeks])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("alerts that each campus works in a week, by priority")
    axes.set_title("At capacity, 95 % intervals")
    axes.legend(frameon=False)


PICTURES: Final[dict[str, tuple[Callable[[Result], int], Callable[["Axes", Result], None]]]] = {
    "recall": (lambda result: sum(row.level == "typology" for row in result.typologies), recall),
    "lead-time": (lambda result: len(_leads(result)), lead),
    "false-alarms": (lambda result: sum(row.alerts > 0 for row in result.false_alarms), false_alarms),
    "precision-at-capacity": (lambda result: sum(row.taken > 0 for row in result.capacity), capacity),
}
"""The pictures by the names of their files: how many rows each has to show (none: it is not drawn), and its drawing."""
