"""Edges: the gated rows that go to the national hop, for the detectors that look at what crosses shards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.base import Detector
from detectors.network import NetworkDetector
from features.plan import SubjectPlan
from features.rows import Rows, chosen, joined
from flows.gates import Asked, Gate
from flows.noting import Usual

Floats = npt.NDArray[np.float64]


def networking(detectors: Iterable[type[Detector]]) -> list[type[NetworkDetector]]:
    """The network detectors among some."""
    return [each for each in detectors if issubclass(each, NetworkDetector)]


@dataclass(frozen=True, slots=True)
class Edges:
    """One detector's edges of one tick: the rows, what travels with them, and what is usual of its signals."""

    rows: Rows
    carried: Floats
    usual: Floats

    def some(self, start: int, end: int) -> "Edges":
        """Those between two places."""
        return Edges(self.rows[start:end], self.carried[start:end], self.usual[start:end])


def edges_as_one(many: Iterable[Mapping[str, Edges]]) -> dict[str, Edges]:
    """Edges from several places, each detector's together, in the one order."""
    found: dict[str, list[Edges]] = {}
    for each in many:
        for detector, edges in each.items():
            found.setdefault(detector, []).append(edges)
    return {detector: _in_order(found[detector]) for detector in sorted(found)}


def _in_order(parts: list[Edges]) -> Edges:
    if len(parts) == 1:
        return parts[0]
    rows = joined([part.rows for part in parts])
    order = np.argsort(rows["seq"] * 2 + rows["side"], kind="stable")
    return Edges(
        chosen(rows, order),
        np.concatenate([part.carried for part in parts])[order],
        np.concatenate([part.usual for part in parts])[order],
    )


class Sender:
    """One network detector at work in one shard of the second pass: what it lets through to the national hop."""

    def __init__(self, detector: type[NetworkDetector], plan: SubjectPlan) -> None:
        self.detector = detector
        edge = Gate(detector.edge)
        joined = [name for name in edge.columns if not name.startswith("row.")]
        self.asked = Asked(edge, {name: plan.columns.index(name) for name in joined})
        self.carried = [plan.columns.index(name) for name in detector.carries]
        signals = [s.feature for s in detector.signals]
        self.usual = [plan.columns.index(name) for name in signals if name in detector.carries]

    def edges(self, rows: Rows, values: Floats, usual: Usual, gated: npt.NDArray[np.int64]) -> Edges:
        """These rows with what travels with them."""
        return Edges(
            chosen(rows, gated),
            np.ascontiguousarray(values[gated][:, self.carried]),
            np.ascontiguousarray(usual.some(gated, self.usual)),
        )
