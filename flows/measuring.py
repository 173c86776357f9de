"""Measures as the truth becomes known: scored first, judged when the label comes, by detector, force and age band.

Prequential: what a row scored then against what is known of it now, never a model on what it has learnt from. Counts
are of rows, alerts and drawn ones apart, since the two are looked at with different chances.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from models.examples import ALERT
from models.learning import loss
from models.teaching import Lessons, Outcome
from monitoring import metrics

LATEST: Final = 200
"""Losses are told over so many of the latest rows."""
NOT_SAID: Final = "not said"
_WORDS: Final = {True: "confirmed", False: "innocent"}


class Measures:
    """Counts by detector and group, losses over the latest rows, and what was noticed to have changed."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.delays: dict[str, list[float]] = {}
        self.latest: dict[str, deque[tuple[float, float, bool]]] = {}
        self.moved: dict[str, dict[str, Any]] = {}

    def take(self, lessons: Lessons) -> None:
        """Take one lesson's outcomes."""
        for one in lessons.outcomes:
            for word, role, by in ((one.before, one.role_before, -1), (one.right, one.role, 1)):
                if word is not None:
                    for key in _groups(one, word, role):
                        self.counts[key] = self.counts.get(key, 0) + by
            if one.before is None and one.right is not None:
                total = self.delays.setdefault(f"{one.detector}|{one.origin}", [0.0, 0.0])
                total[0] += 1
                total[1] += (one.known_at - one.scored_at) / 1e6
                latest = self.latest.setdefault(one.detector, deque(maxlen=LATEST))
                latest.append((one.score, one.author, one.right))
        for name, each in lessons.moved:
            key = f"{name}|{each.what}"
            before = self.moved.get(key, {"times": 0})
            self.moved[key] = {
                "times": before["times"] + 1,
                "at": each.at,
                "before": each.before,
                "after": each.after,
            }

    def publish(self, lessons: Lessons) -> None:
        """Say the same to whoever watches the flow."""
        for one in lessons.outcomes:
            if one.right is not None and one.before is None:
                metrics.OUTCOMES.labels(
                    detector=one.detector,
                    force=one.strata.get("force", NOT_SAID),
                    age_band=one.strata.get("age_band", NOT_SAID),
                    origin=one.origin,
                    outcome=f"{'alert' if one.kept_as == ALERT else 'drawn'}_{_WORDS[one.right]}",
                ).inc()
                delay = max(0.0, (one.known_at - one.scored_at) / 1e6)
                metrics.LABEL_DELAY_SECONDS.labels(detector=one.detector, origin=one.origin).observe(delay)
        for name, latest in self.latest.items():
            metrics.PREQUENTIAL_LOSS.labels(detector=name).set(loss((s, right) for s, _, right in latest))
        for name, each in lessons.moved:
            metrics.DRIFT.labels(detector=name, what=each.what).inc()
            metrics.DRIFT_TIME.labels(detector=name, what=each.what).set(each.at / 1e6)

    def told(self) -> dict[str, Any]:
        """All measures, for `linewatch models measures`."""
        return {
            "groups": [
                {"detector": detector, "group": group, "kept_as": kept, "outcome": word, "rows": rows}
                for key, rows in sorted(self.counts.items())
                for detector, group, kept, word in [key.split("|")]
                if rows
            ],
            "delays": [
                {"detector": detector, "origin": origin, "labels": int(n), "mean_days": total / n / 86_400}
                for key, (n, total) in sorted(self.delays.items())
                for detector, origin in [key.split("|")]
            ],
            "loss": [
                {
                    "detector": name,
                    "rows": len(latest),
                    "as_scored": loss((score, right) for score, _, right in latest),
                    "author": loss((author, right) for _, author, right in latest),
                }
                for name, latest in sorted(self.latest.items())
            ],
            "moved": [
                {"detector": detector, "what": what} | each
                for key, each in sorted(self.moved.items())
                for detector, what in [key.split("|")]
            ],
        }

    def dump(self) -> dict[str, Any]:
        """The same as plain data that can be taken up again."""
        latest = {name: [list(one) for one in each] for name, each in self.latest.items()}
        return {"counts": self.counts, "delays": self.delays, "latest": latest, "moved": self.moved}

    def load(self, plain: Mapping[str, Any]) -> None:
        """Take up what was known."""
        self.counts, self.moved = dict(plain["counts"]), dict(plain["moved"])
        self.delays = {name: list(each) for name, each in plain["delays"].items()}
        self.latest = {
            name: deque(((s, a, r) for s, a, r in each), maxlen=LATEST)
            for name, each in plain["latest"].items()
        }


def _groups(one: Outcome, right: bool, role: str) -> list[str]:
    kept = "alert" if one.kept_as == ALERT else "drawn"
    groups = ["all", *(f"{name} {value}" for name, value in sorted(one.strata.items()))]
    groups += [f"role {role}"] if role else []
    return [f"{one.detector}|{group}|{kept}|{_WORDS[right]}" for group in groups]
