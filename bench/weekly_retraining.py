"""What a model's owner does every week: retrain on what the flow kept, and promote what validates better."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.learning import DAY_US
from console.retraining import Span, material, retrain
from detectors.discovery import detector
from flows.promoting import check_fits, publish
from flows.shelf import KEY
from models.errors import ModelError
from models.registry import Registry
from models.signing import signer_of


def retrained(data: Path, name: str, span: Span, kinds: Iterable[str]) -> dict[str, Any]:
    """As an owner does now and then: train on what the flow kept, and let two people promote what validates better.

    Better than the champion did when it scored those rows, with what it had learnt by then.
    """
    about, day = detector(name), span.to_ts // DAY_US
    registry = Registry(data / "models", signer_of(data / KEY, make=True), clock=lambda: span.to_ts)
    found = material(data, about, span, {}, lambda *_: None)
    told: dict[str, Any] = {"day": day, "rows": found.examples.height, "promoted": ""}
    try:
        done = retrain(registry, about, found, span, "A. Owner", "weekly")
    except ModelError as why:
        return told | {"not_trained": str(why)}
    scored = precision_of(done.champions)
    made = {card.kind: card for card in done.cards}
    validated = {kind: precision_of(card.measures) for kind, card in made.items()}
    kind = max((k for k in kinds if k in made), key=lambda k: validated[k])
    told |= {"champion": scored, "validated": validated}
    if validated[kind] > scored:
        version = made[kind].version
        check_fits(registry, version)
        words = (
            f"average precision {validated[kind]:.3f} on the latest part, {scored:.3f} as the champion scored"
        )
        registry.promote(version, by="A. Owner", agreed_by="B. Second", why=words)
        publish(registry, data)
        told["promoted"] = version
    return told


def precision_of(measures: Iterable[Any]) -> float:
    """The average precision on the validation period."""
    return next(
        (m.value or 0.0 for m in measures if m.name == "average precision" and m.where == "validation"), 0.0
    )
