"""A detector as it stands at a place in the one order: which scorecard and threshold, and what it says in numbers.

Whoever scores (a shard of the second pass, of the subject hop, the national hop) has one of these for each detector,
and all of them obey the same control rows.
"""

import json
import math
from typing import Any

import msgspec

from alerts.record import Counterfactual, Fact, Reason
from detectors.base import Detector
from features.rows import Entity
from flows.split import Rule
from models.scorecard import Scorecard, Weights


class Standing:
    """One detector at work in one place: its scorecard and threshold as they stand there and then."""

    def __init__(self, detector: type[Detector]) -> None:
        self.detector = detector
        self.card = detector.scorecard()
        self.threshold = detector.threshold
        self.scored = 0  # since somebody last asked

    def obey(self, rule: Rule) -> None:
        """Take a control row: another version of the scorecard, or another threshold."""
        body = json.loads(rule.body or "{}")
        if rule.kind == "activate":
            weights = msgspec.convert(body["weights"], Weights)
            self.card = Scorecard(self.detector.signals, weights)
        elif rule.kind == "threshold":
            self.threshold = float(body["threshold"])

    def state(self) -> dict[str, Any]:
        """What stands, as plain data."""
        return {"weights": msgspec.to_builtins(self.card.version), "threshold": self.threshold}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what stood."""
        weights = msgspec.convert(state["weights"], Weights)
        if not weights.version.startswith(f"{self.detector.id}-{self.detector.version}."):
            return  # kept before the detector changed: a new version begins a lineage of its own
        self.card = Scorecard(self.detector.signals, weights)
        self.threshold = float(state["threshold"])


def kind_of(entity: Entity) -> str:
    """What an alert calls such a subject: the kind of its token."""
    return entity.name.lower()


def code_in(value: float) -> int:
    """A code that travelled as a number; 0 when it is not known."""
    return 0 if math.isnan(value) else int(value)


def fact_of(name: str, unit: str, within: int | None, value: float, ts: int) -> Fact:
    """A value as a fact, with the time it is about."""
    since = None if within is None else ts - within
    shown = None if math.isnan(value) else (int(value) if value.is_integer() else round(value, 6))
    return Fact(name, shown, unit, since, ts)


def reasons_of(
    words: dict[str, str], values: dict[str, float], usual: dict[str, float], contributions: dict[str, float]
) -> tuple[Reason, ...]:
    """The signals that speak for it, strongest first, each with its share of all that does."""
    speaking = {name: part for name, part in contributions.items() if part > 0.0}
    total = sum(speaking.values())
    ordered = sorted(speaking.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Reason(name, words[name], known(values[name]), known(usual[name]), part / total, part)
        for name, part in ordered
    )


def known(value: float) -> float | None:
    """The number, or nothing where there is none."""
    return None if math.isnan(value) else value


def counterfactual_of(
    standing: Standing, words: dict[str, str], values: dict[str, float]
) -> Counterfactual | None:
    """The smallest change of one value that would not have alerted, in words."""
    found = standing.card.smallest_change(values, standing.threshold)
    if found is None:
        return None
    name, would_be = found
    return Counterfactual(
        name,
        known(values[name]),
        would_be,
        f"it would not have alerted with {words[name]} at {would_be:.4g}",
    )
