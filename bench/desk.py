"""A desk outside the flow: it works the highest-scored new alerts of each day, and what it finds is told days later."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from alerts.record import when_text
from alerts.store import AlertStore
from bench.learning import DAY_US
from bench.live_flow import Flow
from detectors.discovery import detector
from flows.answering import answer, up_for_review

AGAIN_DAYS: Final = 7
_HOUR_US: Final = 3_600_000_000

Guilty = dict[str, list[tuple[int, int]]]


@dataclass(slots=True)
class Desk:
    """Who works one detector's alerts: how many a day, how long until something is known."""

    name: str
    capacity: int
    drawn: int
    delay: int
    last: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    due: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[int, list[tuple[Any, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))
    days: list[dict[str, Any]] = field(default_factory=list)

    def work(self, day: int, flow: Flow, guilty: Guilty) -> None:
        """One day's alerts, the highest score first; then rows that were drawn."""
        store = AlertStore(f"sqlite:///{flow.data / 'alerts.sqlite'}")
        fresh = store.alerts(detector=self.name, status=None, since=day * DAY_US)
        store.close()
        fresh = tuple(a for a in fresh if day - self.last.get(a.subject.name, -AGAIN_DAYS) >= AGAIN_DAYS)
        hits = picked = 0
        for alert in sorted(fresh, key=lambda a: (-a.score, a.alert_id)):
            if picked == self.capacity or self.last.get(alert.subject.name) == day:
                continue
            self.last[alert.subject.name] = day
            right = is_guilty(guilty, alert.subject.name, alert.first_event_ts, alert.last_event_ts)
            picked, hits = picked + 1, hits + right
            self.due[day + self.delay].append(self._label(alert.alert_id, right, day + self.delay))
        possible = {
            a.subject.name
            for a in fresh
            if is_guilty(guilty, a.subject.name, a.first_event_ts, a.last_event_ts)
        }
        self.days.append({"day": day, "reviewed": picked, "right": hits, "alerts": len(fresh),
                          "possible": min(len(possible), self.capacity)})  # fmt: skip
        if flow.learns and self.drawn:
            self._draw(day, flow, guilty)

    def _draw(self, day: int, flow: Flow, guilty: Guilty) -> None:
        rows = [one for one in up_for_review(flow.data, self.name) if one.name not in self.seen]
        for row in rows[: self.drawn]:
            self.seen.add(row.name)
            right = is_guilty(guilty, row.subject, row.ts, row.ts)
            said = {"outcome": "confirmed" if right else "innocent", "confidence": "high", "by": "DC Example",
                    "reason": "other_evidence" if right else "explained_by_holder",
                    "role": self._role() if right else None}  # fmt: skip
            self.answers[day + self.delay].append((row, said))

    def _role(self) -> str:
        return "victim" if detector(self.name).victim else "complicit"

    def _label(self, alert_id: str, right: bool, day: int) -> dict[str, Any]:
        at = when_text(day * DAY_US + 9 * _HOUR_US)
        said = {"event_id": f"desk-{alert_id[:24]}", "ts": at, "recorded_ts": at, "source": "desk", "about": f"alert:{alert_id}",
                "origin": "analyst", "by": "DC Example", "typology": detector(self.name).typology,
                "label": "confirmed" if right else "innocent",
                "reason_code": "other_evidence" if right else "explained_by_holder"}  # fmt: skip
        return said | ({"role": self._role()} if right else {})

    def tell(self, day: int, flow: Flow) -> None:
        """What has become known by now."""
        flow.tell(self.due.pop(day, []))
        for row, said in self.answers.pop(day, []):
            answer(flow.data, row, said, day * DAY_US + 9 * _HOUR_US)


def is_guilty(guilty: Guilty, subject: str, first: int, last: int) -> bool:
    """Whether the truth names a subject for a time that touches this one."""
    return any(a <= last and first <= b for a, b in guilty.get(subject, ()))
