"""`linewatch models compare DETECTOR`: what stands in shadow beside the champion, on the live stream and since."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from console.errors import ConsoleError
from console.output import say_json, say_table, screen

if TYPE_CHECKING:
    from detectors.base import Detector
    from models.registry import Registry
    from models.side_by_side import AsMany, Comparison, Side, Told
    from models.working import Model

_ROWS: Final = 4_096
_NOW: Final = 2**62


def say_shadows(
    registry: "Registry",
    data: Path,
    name: str,
    when: tuple[str | None, str | None, str | None],
    *,
    json: bool,
) -> None:
    """Compare every model in shadow with the champion it stood beside."""
    import msgspec

    from console.retraining import moment
    from detectors.discovery import detector
    from flows.guarding import found_out_of, words
    from models.shadows import FILE, ShadowStore
    from models.side_by_side import compared

    about = detector(name)
    from_ts, to_ts, as_of = (
        moment(each) if each else other for each, other in zip(when, (0, _NOW, _NOW), strict=True)
    )
    kept = ShadowStore(data / FILE)
    rows = kept.rows(name, None, from_ts, to_ts)
    kept.close()
    if rows.is_empty():
        raise ConsoleError(
            f"No model has scored in shadow for {name} in that time. Let one: linewatch models challenge VERSION "
            "--reason …; to compare two on past records name the version, and --from and --to."
        )
    labels, alerts = _words(words, data, name)
    for (version,), mine in rows.group_by("version", maintain_order=True):
        known = found_out_of(about, mine, labels, alerts, as_of)
        done = compared(mine, known, about.quiet_hours)
        cost = {
            side.version: _cost(registry, about, side.version.partition(" to ")[0])
            for side in (done.champion, done.shadow)
        }
        if json:
            say_json({"detector": name, "microseconds_a_row": cost} | msgspec.to_builtins(done))
        else:
            _say(str(version), done, cost)


def _words(words: Any, data: Path, name: str) -> Any:
    """What was found out; people's decisions too, where there is a store."""
    from console.store import open_store, sqlite_file, store_url

    path = sqlite_file(store_url(None, data))
    if path is not None and not path.exists():
        return words(data, None, name)
    with open_store(None, data) as desk:
        return words(data, desk, name)


def _cost(registry: "Registry", about: "type[Detector]", version: str) -> float | None:
    """Processor microseconds a row, measured here and now on made-up rows; nothing when its weights are not here."""
    import numpy as np

    from models.errors import ModelError

    model: Model
    if version == about.scorecard().name or "+" in version:
        model = about.scorecard()  # what it has learnt changes its numbers, not its cost
    else:
        try:
            model = registry.model(version, about.signals)
        except ModelError:
            return None
    chance = np.random.default_rng(0).random((_ROWS, len(about.signals)))
    values = np.column_stack([[s.value_at(x) for x in chance[:, j]] for j, s in enumerate(about.signals)])
    model.score(values[:2])  # compiled before it is measured
    began = time.thread_time()
    model.score(values)
    return (time.thread_time() - began) / _ROWS * 1e6


def _say(version: str, done: "Comparison", cost: dict[str, float | None]) -> None:
    from alerts.record import when_text

    out = screen()
    out.print(
        f"{version} in shadow beside {done.champion.version}, {when_text(done.from_ts)[:16]} to "
        f"{when_text(done.to_ts)[:16]}: {done.rows:,} rows kept, the same said of {_share(done.agreement)} of rows",
        markup=False,
    )
    say_table(
        ("model", "alerts", "alerts a day", "precision", "recall", "microseconds a row"),
        [_row(side, cost[side.version]) for side in (done.champion, done.shadow)],
    )
    say_table(
        ("raised by", "subjects", "known", "right"),
        [(who, n["subjects"], n["known"], n["right"]) for who, n in done.subjects.items()],
    )
    out.print(f"{as_many_words(version, done.as_many)}\n", markup=False)


def as_many_words(version: str, told: "AsMany") -> str:
    """From which score a model in shadow would have raised as many as the champion, in a sentence."""
    if not told.champion:
        return f"The champion raised nobody in that time; {version} raised {told.shadow:,} subjects."
    if told.score is None:
        return (
            f"{version} raised fewer subjects than the champion already ({told.shadow:,} to {told.champion:,}): from "
            "which score it would have raised as many is not known, since below its threshold only a sample is kept."
        )
    equal = "" if told.shadow == told.champion else ": several share that score"
    return (
        f"From {told.score} on {version} would have raised {told.shadow:,} subjects, the champion raised "
        f"{told.champion:,}{equal}."
    )


def _row(side: "Side", cost: float | None) -> tuple[object, ...]:
    told = [_share(measure) for measure in side.measures]
    return (
        side.version,
        side.alerts,
        f"{side.alerts_a_day:.2f}",
        *told,
        "-" if cost is None else f"{cost:.2f}",
    )


def _share(told: "Told") -> str:
    if told.value is None:
        return "-"
    return f"{told.value:.3f} ({told.low:.3f} to {told.high:.3f})"
