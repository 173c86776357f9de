"""Retraining and comparing: examples from history or from the store, models from examples, versions from models."""

import importlib.metadata
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from console.errors import ConsoleError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from detectors.base import Detector
    from models.card import Card
    from models.labels import Label
    from models.registry import Registry
    from models.training import Candidate, Parts
    from models.working import Model

EXAMPLES: Final = "examples"
LABELS: Final = "labels.ndjson"
_DAY_US: Final = 86_400_000_000

Inputs = Mapping[str, "list[str] | None"]


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from: examples and every label."""

    examples: "pl.DataFrame"
    labels: "tuple[Label, ...]"
    origin: str


@dataclass(frozen=True, slots=True)
class Span:
    """The period that is looked at, and up to when labels count."""

    from_ts: int
    to_ts: int
    as_of: int
    horizon_days: int | None = None
    """After how many days silence counts as innocence; the typology's own when not said."""

    def horizon(self, typology: str) -> int:
        """The same in microseconds, for a detector of a typology."""
        from models.typologies import horizon_us

        return horizon_us(typology) if self.horizon_days is None else self.horizon_days * _DAY_US


def moment(text: str) -> int:
    """Microseconds of a date or an RFC 3339 time; a date is its midnight UTC.

    Raises:
        ConsoleError: it is neither.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConsoleError(
            f"{text!r} is no date: write it as 2026-03-02, or with a time and offset."
        ) from None
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1e6)


def material(
    data: Path,
    about: "type[Detector]",
    span: Span,
    inputs: Inputs,
    progress: "Callable[[float, float | None, str], None]",
    *,
    twin: bool = False,
) -> Material:
    """Examples of a detector: from the inputs, walked through or told by the offline twin, else from the store.

    Raises:
        ConsoleError: there is nothing to learn from.
    """
    if any(inputs.values()):
        return _told(data, about, inputs, progress, twin=twin)
    from models.examples import ExampleStore

    frame = ExampleStore(data / EXAMPLES).examples(about.id, about.version, span.from_ts, span.to_ts)
    if frame.is_empty():
        raise ConsoleError(
            f"There are no examples of {about.id} {about.version} in that time. Say from which records to make them: "
            "--payments, --telecoms, --accounts, --links, --watch, --labels."
        )
    labels = tuple(one for one in label_book(data) if one.at <= span.as_of)
    return Material(frame, labels, "the example store")


def _told(
    data: Path,
    about: "type[Detector]",
    inputs: Inputs,
    progress: "Callable[[float, float | None, str], None]",
    *,
    twin: bool,
) -> Material:
    """Examples from records."""
    from flows.past import Past
    from flows.walked import Walked

    past = Past(about) if twin else Walked(about)
    for tick in ticks_of(data, inputs):
        past.take(tick)
        progress(past.events, None, "Reading history" if twin else "Walking through history")
    if twin:
        progress(past.events, None, "Telling features over history")
    how = "told by the offline twin" if twin else "walked through as the flow does"
    return Material(past.gated(), tuple(past.labels), f"{past.events:,} events, {how}")


def label_book(data: Path) -> "tuple[Label, ...]":
    """Every label that the data folder has."""
    from models.labels import LabelBook

    return LabelBook(data / EXAMPLES / LABELS).known(2**62)


def ticks_of(data: Path, inputs: Inputs) -> Any:
    """The ticks of some inputs, one after the other, as a replay would have them."""
    from console.settings import settings
    from events.codes import STREAMS
    from events.readers import Input
    from events.sequencer import Sequencer
    from flows.running import make_door

    told = settings()
    given = {stream: tuple(where or ()) for stream, where in inputs.items()}
    sequencer = Sequencer(
        [
            Input(stream, where, Path(where).name.partition(".")[0])
            for stream in STREAMS
            for where in given.get(stream, ())
        ],
        make_door(told, bound=False, inputs=given),
        tick_rows=told.tick_rows,
    )
    yield from sequencer.ticks()


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a retraining: cards of the versions, and the champion's measures on the same examples."""

    cards: "tuple[Card, ...]"
    champion: str
    champions: tuple[Any, ...]


def retrain(
    registry: "Registry", about: "type[Detector]", found: Material, span: Span, by: str, note: str
) -> Trained:
    """Train, validate and register: a scorecard and trees, each a challenger that scores nothing yet.

    Raises:
        ModelError: too little is known to learn from.
    """
    from flows.promoting import standing
    from models import training
    from models.scorecard import Scorecard

    parts = training.parted(
        found.examples,
        found.labels,
        span.from_ts,
        span.to_ts,
        span.horizon(about.typology),
        span.as_of,
        about.says_when_right(),
    )
    names = [signal.feature for signal in about.signals]
    stands, threshold = standing(registry, about, registry.champion(about.id))
    threshold = as_people_set_it(found.examples, stands.name, threshold)
    champion = as_it_scored(parts.validated, stands, names)
    made = training.train_scorecard(parts, about.signals, f"{about.id}-{about.version}.")
    trees = training.train_trees(parts, names)
    card = Scorecard(about.signals, made)
    candidates = [
        training.candidate(
            "scorecard",
            made,
            lambda frame: card.score(training.values_of(frame, names)),
            parts,
            champion,
            threshold,
        ),
        training.candidate(
            "boosted",
            trees,
            lambda frame: trees.score(training.values_of(frame, names)),
            parts,
            champion,
            threshold,
        ),
    ]
    cards = []
    for each in candidates:
        version = made.version if each.kind == "scorecard" else _named_after(made.version)
        cards.append(
            _register(registry, about, each, version, parts, span, stands.name, champion, by, note, names)
        )
    return Trained(tuple(cards), stands.name, training.measures_of(parts.validated, champion, threshold))


def as_it_scored(frame: "pl.DataFrame", stands: "Model", names: list[str]) -> "npt.NDArray[np.float64]":
    """A champion's scores of examples: as it scored them, with what it had learnt by then; anew where another did."""
    import numpy as np
    import polars as pl

    from models.training import values_of

    anew = stands.score(values_of(frame, names))
    if not {"score", "model_version"} <= set(frame.columns):
        return anew
    own = frame.select(pl.col("model_version").str.starts_with(f"{stands.name}+")).to_series().to_numpy()
    return np.where(own, frame["score"].to_numpy(), anew)


def as_people_set_it(frame: "pl.DataFrame", champion: str, otherwise: float) -> float:
    """The threshold of the latest row that a champion scored: people may have set another than it came with."""
    import polars as pl

    if not {"threshold", "model_version"} <= set(frame.columns):
        return otherwise
    of_it = pl.col("model_version").str.split_exact("+", 1).struct[0] == champion
    latest = frame.filter(of_it).sort("ts", "seq")["threshold"].tail(1)
    return otherwise if latest.is_empty() else float(latest[0])


def _named_after(version: str) -> str:
    """The trees' name: of the same training, told apart by a letter."""
    head, _, digest = version.rpartition(".r")
    return f"{head}.t{digest}"


def _register(
    registry: "Registry",
    about: "type[Detector]",
    each: "Candidate",
    version: str,
    parts: "Parts",
    span: Span,
    parent: str,
    champion: "npt.NDArray[np.float64]",
    by: str,
    note: str,
    names: list[str],
) -> "Card":
    import msgspec

    from models import training
    from models.card import Card, Window
    from models.pictures import pictures

    card = Card(
        version=version,
        lineage=f"{about.id}-{about.version}",
        detector=about.id,
        detector_version=about.version,
        kind=each.kind,
        parent=parent,
        purpose=f"{about.title}: scores what passes the gate of {about.id}, for a person to look at",
        not_for="any decision about a person without an officer; any other gate, population or stream than its own. "
        + about.misses,
        inputs=tuple(names),
        threshold=each.threshold,
        trained=Window(from_ts=span.from_ts, to_ts=parts.begins),
        validated=Window(from_ts=parts.begins, to_ts=span.to_ts),
        labels=training.label_counts(_all(parts)),
        measures=each.measures,
        drift=training.moved(parts, names),
        data_digest=training.data_digest(_all(parts)),
        made_at=time.time_ns() // 1_000,
        made_by=by,
        code_commit=commit(),
        note=note,
    )
    drawn = pictures(
        parts.validated, {"champion": champion, "challenger": each.scores}, each.measures, each.threshold
    )
    weights = (
        msgspec.to_builtins(each.model)
        if each.kind == "scorecard"
        else training.plain_trees(each.model, parts)
    )
    return registry.register(card, weights, drawn)


def _all(parts: "Parts") -> "pl.DataFrame":
    import polars as pl

    return pl.concat([parts.fitted, parts.calibrated, parts.validated], how="diagonal_relaxed")


def compared(
    registry: "Registry", about: "type[Detector]", versions: tuple[str, str], found: Material, span: Span
) -> dict[str, Any]:
    """Two versions on the same examples: agreement, what each alone raises, precision and recall on labels since.

    Raises:
        ModelError: a version cannot be loaded, or nothing is known of the examples.
    """
    import polars as pl

    from models import training
    from models.errors import ModelError
    from models.labels import labelled

    rows = found.examples.filter(pl.col("ts").is_between(span.from_ts, span.to_ts, closed="left"))
    known = labelled(
        rows, found.labels, span.as_of, span.horizon(about.typology), claim=about.says_when_right()
    )
    if known.is_empty():
        raise ModelError(
            "nothing is known yet of the examples of that time: wait for labels, or take an earlier one"
        )
    told: dict[str, Any] = {}
    raised, days = {}, (span.to_ts - span.from_ts) / _DAY_US
    for version in versions:
        scores, threshold, seconds = _scored(registry, about, version, known)
        subjects = training.subjects_raised(known, scores, threshold)
        name = version or about.scorecard().version.version
        raised[name] = subjects
        told[name] = {
            "threshold": threshold,
            "alerts_a_day": int(subjects["raised"].sum()) / days,
            "microseconds_a_row": seconds / max(known.height, 1) * 1e6,
            "measures": [
                {"name": m.name, "value": m.value, "low": m.low, "high": m.high, "of": m.of}
                for m in training.measures_of(known, scores, threshold)
                if m.where == "validation"
            ],
        }
    if len(raised) < 2:
        raise ModelError(f"{versions[0]} is the champion itself: say what to compare it with (--with)")
    return {"versions": told, "subjects": training.compare(raised)}


def _scored(
    registry: "Registry", about: "type[Detector]", version: str, frame: "pl.DataFrame"
) -> "tuple[npt.NDArray[np.float64], float, float]":
    from models import training

    values = training.values_of(frame, [signal.feature for signal in about.signals])
    model: Any
    if not version:
        model, threshold = about.scorecard(), about.threshold
    else:
        model, threshold = registry.scorer(version, about.signals), registry.alerts_from(version)
    started = time.perf_counter()
    scores = model.score(values)
    return scores, threshold, time.perf_counter() - started


def commit() -> str:
    """The commit of the source this runs from, or the release when it is no source folder."""
    folder = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(  # noqa: S603 - no input of anybody's is in it
            ["git", "-C", str(folder), "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return f"release {importlib.metadata.version('linewatch')}"
