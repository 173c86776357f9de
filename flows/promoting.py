"""From the registry to the flow: each promotion and rollback becomes control rows at a place in the one order.

The registry is the truth of what was decided. `publish` brings `control/models.ndjson` up to it: a decision that has no
rows there gets them, the new champion's weights and its threshold; publishing again changes nothing. What decisions
have taught the champion before is kept beside, and the new one begins a line of lessons of its own.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from detectors.base import Detector
from detectors.discovery import detector
from flows.control_rows import alone, append, row, write_whole, written
from flows.controls import FLOW_TEACHES, PROMOTED
from flows.errors import FlowError
from flows.shelf import KEY, MODEL, MODELS
from models.errors import ModelError
from models.learning import Lineage, begun
from models.registry import Promotion, Registry
from models.scorecard import Scorecard
from models.signing import signer_of
from models.working import SCORECARD, Model

FILE: Final = PROMOTED
_ACTS: Final = ("promote", "rollback")
_LAST: Final = {"promote": "threshold", "rollback": "threshold", "challenge": "challenge", "retire": "retire"}


def registry_of(data: Path, key: Path | None = None, *, make: bool = False) -> Registry:
    """The registry of a data folder, under the key the settings name or the folder's own.

    Raises:
        ModelError: the key cannot be used.
    """
    return Registry(data / MODELS, signer_of(key or data / KEY, make=make))


def check_fits(registry: Registry, version: str) -> Model:
    """The model that is to score in a flow, once it is sure that one can score with it.

    Raises:
        ModelError: it is a pickle, not as it was signed, or made for another version of its detector.
    """
    card = registry.card(version)
    about = detector(card.detector)
    if card.detector_version != about.version:
        raise ModelError(
            f"{card.version} was made for version {card.detector_version} of {card.detector}, which is at "
            f"{about.version} now: retrain it"
        )
    return registry.model(version, about.signals)


def standing(registry: Registry, about: type[Detector], version: str) -> tuple[Model, float]:
    """The model and the threshold of a champion; of none, the author's own.

    Raises:
        ModelError: the version cannot be loaded, or does not fit its detector.
    """
    if not version:
        return about.scorecard(), about.threshold
    return check_fits(registry, version), registry.alerts_from(version)


def _decided(registry: Registry, about: type[Detector], one: Promotion) -> tuple[Model, float]:
    """The model that a decision is about, and from which score it alerts by that decision, whatever came later."""
    if not one.version:
        return about.scorecard(), about.threshold
    return check_fits(registry, one.version), registry.threshold_of(one)


def brought(registry: Registry, model: Model) -> dict[str, Any]:
    """A model as a control row brings it: a scorecard whole, any other by version and digest."""
    if model.kind == SCORECARD:
        return {"weights": model.plain()}
    _, digest = registry.data(model.name)
    return {MODEL: {"kind": model.kind, "version": model.name, "digest": digest}}


def publish(registry: Registry, data: Path) -> tuple[Promotion, ...]:
    """Give every promotion and rollback that has none its control rows; gives those that got some.

    Raises:
        FlowError: the folder cannot be written; nothing is lost, publish again.
        ModelError: a version is not as it was signed.
    """
    try:
        with alone(data) as folder:
            return _publish(registry, data, folder / FILE)
    except OSError as problem:
        raise FlowError(
            f"the decision is recorded, but did not reach the flow: {problem}. Mend that; the next one takes it along"
        ) from problem


def _publish(registry: Registry, data: Path, path: Path) -> tuple[Promotion, ...]:
    known = {one["event_id"] for one in written(path)}
    done = []
    for one in registry.promotions():
        if _name(_LAST[one.stage], one) in known:
            continue
        about = detector(one.detector)
        rows = _rows(registry, about, one)
        if one.stage in _ACTS and not (data / MODELS / FLOW_TEACHES).exists():
            _begin(data / MODELS / f"{one.detector}.json", about, registry, one.version)
        append(path, rows)
        done.append(one)
    return tuple(done)


def _rows(registry: Registry, about: type[Detector], one: Promotion) -> list[dict[str, Any]]:
    """The control rows of one decision. The one that `_LAST` names is written last: where it is, all are."""
    if one.stage == "retire":
        return [_row("retire", one, {"version": one.version})]
    model, threshold = _decided(registry, about, one)
    bringing = brought(registry, model)
    if one.stage == "challenge":
        return [_row("challenge", one, bringing | {"threshold": threshold})]
    return [_row("activate", one, bringing), _row("threshold", one, {"threshold": threshold})]


def _begin(path: Path, about: type[Detector], registry: Registry, version: str) -> None:
    """Begin a lineage at a new champion; what was taught before stays beside it. Trees are not taught by decisions."""
    model, _ = standing(registry, about, version)
    if not isinstance(model, Scorecard):
        if path.exists():
            before = msgspec.json.decode(path.read_bytes(), type=Lineage)
            path.replace(path.with_name(f"{about.id}.{before.learnt.version}.json"))
        return
    begin = begun(about.id, about.version, model)
    if path.exists():
        before = msgspec.json.decode(path.read_bytes(), type=Lineage)
        if before.expert == begin.expert:
            return  # done already, and perhaps taught since
        path.replace(path.with_name(f"{about.id}.{before.learnt.version}.json"))
    begin = _stood(path, begin)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.format(msgspec.json.encode(begin), indent=1) + b"\n")


def _stood(path: Path, begin: Lineage) -> Lineage:
    """What the same champion had learnt when it stood before, where it did."""
    aside = sorted(path.parent.glob(f"{begin.detector}.*.json"), key=lambda one: one.stat().st_mtime_ns)
    for one in reversed(aside):
        before = msgspec.json.decode(one.read_bytes(), type=Lineage)
        if before.expert == begin.expert and before.detector_version == begin.detector_version:
            return before
    return begin


def _name(kind: str, one: Promotion) -> str:
    return f"{kind}:{one.number}:{one.signature[:16]}"


def _row(kind: str, one: Promotion, body: dict[str, Any]) -> dict[str, Any]:
    said = {"stage": one.stage, "by": one.by, "agreed_by": one.agreed_by, "why": one.why}
    return row(_name(kind, one), one.at, kind, one.detector, body | {"promotion": said})
