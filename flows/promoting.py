"""From the registry to the flow: each promotion and rollback becomes control rows at a place in the one order.

The registry is the truth of what was decided. `publish` brings `control/models.ndjson` up to it: a decision that has no
rows there gets them, the new champion's weights and its threshold; publishing again changes nothing. What decisions
have taught the champion before is kept beside, and the new one begins a line of lessons of its own.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from alerts.record import when_text
from detectors.base import Detector
from detectors.discovery import detector
from flows.controls import MODELS, SOURCE, folder_of
from flows.errors import FlowError
from models.card import Card
from models.errors import ModelError
from models.learning import Lineage, begun
from models.registry import Promotion, Registry
from models.scorecard import Scorecard, Weights
from models.signing import signer_of

FILE: Final = "models.ndjson"
KEY: Final = "models.key"
_LOCK: Final = ".lock"
_ACTS: Final = ("promote", "rollback")


def registry_of(data: Path, key: Path | None = None, *, make: bool = False) -> Registry:
    """The registry of a data folder, under the key the settings name or the folder's own.

    Raises:
        ModelError: the key cannot be used.
    """
    return Registry(data / MODELS, signer_of(key or data / KEY, make=make))


def check_promotable(card: Card) -> None:
    """Refuse what the flow cannot score with.

    Raises:
        ModelError: it is no scorecard of the detector as it is now.
    """
    if card.kind != "scorecard":
        raise ModelError(
            f"{card.version} is not a scorecard: it can challenge (`linewatch models challenge`), where it scores and "
            "raises nothing, and be compared; what raises alerts must explain itself by its weights"
        )
    about = detector(card.detector)
    if card.detector_version != about.version:
        raise ModelError(
            f"{card.version} was made for version {card.detector_version} of {card.detector}, which is at "
            f"{about.version} now: retrain it"
        )


def standing(registry: Registry, about: type[Detector], version: str) -> tuple[Weights, float]:
    """The weights and the threshold of a champion; of none, the author's own.

    Raises:
        ModelError: the version cannot be loaded, or does not fit its detector.
    """
    if not version:
        return about.scorecard().version, about.threshold
    card = registry.card(version)
    check_promotable(card)
    try:
        weights = msgspec.convert(registry.weights(version), Weights)
    except msgspec.ValidationError as wrong:
        raise ModelError(f"the weights of {version} cannot be read: {wrong}") from wrong
    Scorecard(about.signals, weights)
    return weights, card.threshold


def publish(registry: Registry, data: Path) -> tuple[Promotion, ...]:
    """Give every promotion and rollback that has none its control rows; gives those that got some.

    Raises:
        FlowError: the folder cannot be written; nothing is lost, publish again.
        ModelError: a version is not as it was signed.
    """
    folder = folder_of(data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _publish(registry, data, folder / FILE)
    except OSError as problem:
        raise FlowError(
            f"the decision is recorded, but did not reach the flow: {problem}. Mend that; the next one takes it along"
        ) from problem


def _publish(registry: Registry, data: Path, path: Path) -> tuple[Promotion, ...]:
    raw = path.read_bytes() if path.exists() else b""
    known = set()
    for line in raw.splitlines():
        try:
            known.add(json.loads(line)["event_id"])
        except (ValueError, KeyError, TypeError):
            continue  # half a line: the flow refuses it with a reason
    done = []
    for one in registry.promotions():
        if one.stage not in _ACTS or _name("threshold", one) in known:
            continue
        about = detector(one.detector)
        weights, threshold = standing(registry, about, one.version)
        _begin(data / MODELS / f"{one.detector}.json", about, weights)
        rows = [
            _row("activate", one, {"weights": msgspec.to_builtins(weights)}),
            _row("threshold", one, {"threshold": threshold}),  # written last: where it is, both are
        ]
        text = b"".join(json.dumps(row, sort_keys=True).encode() + b"\n" for row in rows)
        with path.open("ab") as file:
            file.write(text if not raw or raw.endswith(b"\n") else b"\n" + text)
            file.flush()
            os.fsync(file.fileno())
        raw = b"\n"
        done.append(one)
    return tuple(done)


def _begin(path: Path, about: type[Detector], weights: Weights) -> None:
    """Begin a lineage at a new champion; what was taught before stays beside it."""
    begin = begun(about.id, about.version, Scorecard(about.signals, weights))
    if path.exists():
        before = msgspec.json.decode(path.read_bytes(), type=Lineage)
        if before.expert == begin.expert:
            return  # done already, and perhaps taught since
        path.replace(path.with_name(f"{about.id}.{before.learnt.version}.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(begin), indent=1) + b"\n")
    draft.replace(path)


def _name(kind: str, one: Promotion) -> str:
    return f"{kind}:{one.number}:{one.signature[:16]}"


def _row(kind: str, one: Promotion, body: dict[str, Any]) -> dict[str, Any]:
    said = {"stage": one.stage, "by": one.by, "agreed_by": one.agreed_by, "why": one.why}
    return {
        "event_id": _name(kind, one),
        "ts": when_text(one.at),
        "source": SOURCE,
        "kind": kind,
        "detector": one.detector,
        "body": body | {"promotion": said},
    }
