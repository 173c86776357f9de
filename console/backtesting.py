"""Backtests: from a command's options to forecasts, and those as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from console import wording
from console.errors import ConsoleError
from console.output import say_table, screen
from console.progress import Steps
from console.retraining import Inputs, Span, label_book, moment, ticks_of
from models.evaluating.intervals import Share
from models.forecast import Forecast

if TYPE_CHECKING:
    from detectors.base import Detector
    from flows.backtesting import Backtest
    from models.labels import Label

SCHEMA: Final = "linewatch.backtest.v1"
_DAY_US: Final = 86_400_000_000
_EVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class Asked:
    """What a backtest is asked."""

    detector: str
    thresholds: tuple[float, ...]
    capacity: Mapping[str, int]
    model: str | None = None
    from_: str | None = None
    to: str | None = None
    as_of: str | None = None
    horizon_days: int | None = None
    typologies: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    schema: str = SCHEMA
    detector: str
    detector_version: int
    model_version: str
    from_ts: int
    to_ts: int
    events: int
    firings: int
    """Rows at or above the lowest threshold."""
    labels: int
    forecasts: tuple[Forecast, ...]


def backtest(data: Path, asked: Asked, inputs: Inputs, *, quiet: bool = False) -> Result:
    """Walk through history once, and forecast every threshold.

    Raises:
        ConsoleError: something that was asked for is not there, or cannot be.
    """
    from detectors.discovery import detector
    from flows.backtesting import Backtest, labels_of
    from models.scorecard import Scorecard

    about = detector(asked.detector)
    _check(asked, inputs)
    version, model, standing = _model(data, about, asked.model)
    thresholds = sorted(asked.thresholds or (standing,))
    is_card = isinstance(model, Scorecard)
    with Steps("Backtest", quiet=quiet) as steps:
        labels = labels_of(ticks_of(data, {"labels": inputs.get("labels")})) if inputs.get("labels") else ()
        labels = tuple({one.event_id: one for one in (*label_book(data), *labels)}.values())
        run = Backtest(about, thresholds[0] if is_card else 0.0, model if is_card else None, labels)
        for events in run.run(ticks_of(data, inputs)):
            steps.at(events, words="Walking through history")
        if not is_card:
            run.rescored(_scores(about, run, model))
        return _result(about, version, run, thresholds, asked, labels)


def _check(asked: Asked, inputs: Inputs) -> None:
    if not any(where for stream, where in inputs.items() if stream != "labels"):
        raise ConsoleError("There is nothing to walk through: say at least one of --payments, --telecoms.")
    if "-" in (inputs.get("labels") or ()):
        raise ConsoleError("--labels -: labels are read twice here, so they must be a file or a folder.")
    for stream, places in inputs.items():
        for where in places or ():
            if where != "-" and not Path(where).exists():
                raise ConsoleError(f"--{stream} {where}: there is no such file or folder. Check the path.")
    for each in asked.thresholds:
        if not 0.0 < each < 1.0:
            raise ConsoleError(f"--threshold {each}: a threshold lies between 0 and 1.")


def _model(data: Path, about: "type[Detector]", name: str | None) -> tuple[str, Any, float]:
    """A version's name, its model and its threshold; without a name, what scores now."""
    from console.settings import settings
    from flows.controls import learns, lineage_of
    from flows.promoting import registry_of
    from flows.shelf import KEY
    from models.scorecard import Scorecard

    key = settings().model_key or data / KEY
    registry = registry_of(data, key) if key.exists() else None
    champion = registry.champion(about.id) if registry is not None else ""
    if name is None:
        threshold = registry.alerts_from(champion) if registry is not None and champion else about.threshold
        if registry is not None and champion and not learns(data, about.id):
            return champion, registry.model(champion, about.signals), threshold
        weights = lineage_of(data, about).in_force
        return weights.version, Scorecard(about.signals, weights), threshold
    if name == about.scorecard().version.version:
        return name, about.scorecard(), about.threshold
    if registry is None:
        raise ConsoleError(f"There is no version {name} here: linewatch models list shows what there is.")
    card = registry.find(name)
    if card.detector != about.id:
        raise ConsoleError(f"{card.version} is of {card.detector}, not of {about.id}.")
    return card.version, registry.scorer(card.version, about.signals), registry.alerts_from(card.version)


def _scores(about: "type[Detector]", run: "Backtest", model: Any) -> list[float]:
    """What trees make of the firings' values."""
    import numpy as np

    names = [signal.feature for signal in about.signals]
    rows = [
        [value if (value := fire.features.get(n)) is not None else np.nan for n in names]
        for fire in run.fires
    ]
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return [float(score) for score in model.score(values)] if rows else []


def _result(
    about: "type[Detector]",
    version: str,
    run: "Backtest",
    thresholds: list[float],
    asked: Asked,
    labels: "tuple[Label, ...]",
) -> Result:
    from models.forecast import forecast, is_of, raised_of

    from_ts = moment(asked.from_) if asked.from_ else run.opens
    to_ts = moment(asked.to) if asked.to else run.closes + 1
    if not run.events or from_ts >= to_ts:
        raise ConsoleError("There is nothing in that time: check --from and --to, and the records.")
    # of what is known after the records end nothing can be said, but that silence has lasted
    as_of = moment(asked.as_of) if asked.as_of else max([run.closes, *(one.at for one in labels)])
    horizon = Span(from_ts, to_ts, as_of, asked.horizon_days).horizon(about.typology)
    said = [one for one in labels if is_of(one, about.typology, about.id, asked.typologies)]
    crimes = run.crimes(said, from_ts, to_ts, as_of)
    return Result(
        detector=about.id,
        detector_version=about.version,
        model_version=version,
        from_ts=from_ts,
        to_ts=to_ts,
        events=run.events,
        firings=len(run.fires),
        labels=len(labels),
        forecasts=tuple(
            forecast(
                threshold,
                raised_of(run.alerts(threshold), from_ts, to_ts),
                labels,
                crimes,
                asked.capacity,
                (from_ts, to_ts),
                as_of,
                horizon,
                about.says_when_right(),
                run.side,
            )
            for threshold in thresholds
        ),
    )


def to_plain(result: Result) -> dict[str, Any]:
    """A result as plain data, times written out."""
    from alerts.record import when_text

    plain: dict[str, Any] = msgspec.to_builtins(result)
    plain["from"], plain["to"] = when_text(plain.pop("from_ts")), when_text(plain.pop("to_ts"))
    return plain


def to_json(result: Result) -> bytes:
    """The same as JSON."""
    return msgspec.json.format(msgspec.json.encode(to_plain(result), order="sorted"), indent=1) + b"\n"


# -------------------------------------------------------------------------------------------------- for a person


def say(result: Result) -> None:
    """Tables: each threshold, then each campus."""
    out = screen()
    days = (result.to_ts - result.from_ts) / _DAY_US
    out.print(
        f"{result.detector} {result.detector_version}, scored by {result.model_version}: {days:.0f} days, "
        f"{wording.count(result.events)} records, {wording.some(result.labels, 'label')}",
        markup=False,
    )
    say_table(
        ("threshold", "alerts", "a day", "precision (95 %)", "known", "by silence", "not known"),
        [
            (
                f"{f.threshold:.3g}",
                f.alerts,
                f"{f.alerts_a_day:.2f}",
                _share(f.precision),
                f.precision.of,
                f.innocent_by_silence,
                f.not_known,
            )
            for f in result.forecasts
        ],
    )
    if result.forecasts[0].missed.crimes:
        say_table(
            (
                "threshold",
                "confirmed",
                "alerted in time",
                "reached in time",
                "money",
                "not alerted",
                "not reached",
            ),
            [_missed(f) for f in result.forecasts],
        )
    else:
        out.print(
            "Nothing of this typology is confirmed in that time, so nothing can be said of what is missed."
        )
    say_table(
        (
            "threshold",
            "campus",
            "works a day",
            "alerts",
            "worked",
            "median wait",
            "longest",
            "waiting",
            "oldest",
        ),
        [
            (
                f"{f.threshold:.3g}",
                c.campus,
                "all" if c.capacity is None else c.capacity,
                c.alerts,
                c.worked,
                _days(c.median_wait_days),
                _days(c.longest_wait_days),
                c.waiting,
                _days(c.oldest_days),
            )
            for f in result.forecasts
            for c in f.campuses
        ],
    )


def _missed(forecast: Forecast) -> tuple[object, ...]:
    missed = forecast.missed
    return (
        f"{forecast.threshold:.3g}",
        missed.crimes,
        _share(missed.alerted),
        _share(missed.reached),
        _pounds(missed.minor),
        _pounds(missed.not_alerted_minor),
        _pounds(missed.not_reached_minor),
    )


def _share(share: Share) -> str:
    return "-" if share.share is None else f"{share.share:.3f} ({share.low:.3f} to {share.high:.3f})"


def _pounds(minor: int) -> str:
    return f"£{minor / 100:,.0f}"


def _days(days: float | None) -> str:
    return "-" if days is None else f"{days:.1f} d"
