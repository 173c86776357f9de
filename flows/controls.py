"""From people's decisions to the flow: each becomes control rows, which take effect at a place in the one order.

The store is the truth of what was decided. `publish` brings the control input up to it: every decision that has no row
there yet gets one, which ends its episode, and where it teaches a detector's scorecard a second one with the new
weights. A crash between the two is made good by whoever publishes next; publishing again changes nothing.

Kept in the data folder: `control/decisions.ndjson`, which flows read and follow, and `models/<detector>.json`, the
lineage of each scorecard with every lesson.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from alerts.outcomes import OUTCOMES, Decision
from alerts.record import Alert
from alerts.store import AlertStore
from detectors.base import Detector
from detectors.discovery import detector
from detectors.errors import DetectorError
from events.frames import column
from events.ledger import Tick
from events.rejected import Rejected, Where, digest_of
from flows.control_rows import alone, append, folder_of, row, write_whole, written
from flows.errors import FlowError
from flows.shelf import MODEL, MODELS, Shelf
from models.errors import ModelError
from models.labels import label_of
from models.learning import Lesson, Lineage, begun, checked, taught, untaught
from models.scorecard import Weights
from models.working import SCORECARD, Model, working

FILE: Final = "decisions.ndjson"
FLOW_TEACHES: Final = "learner"
"""Where this file is in `models`, a flow teaches (flows/learner.py), and a decision is written down and no more."""
PROMOTED: Final = "models.ndjson"
NOT_OBEYED: Final = "not_obeyed"
"""Why a control row becomes a dead letter that the door had let in: the flow cannot do what it says."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one decision set off: the version now in force where it taught something, and whether it is held back."""

    decision: Decision
    detector: str
    version: str | None = None
    held_back: bool = False


def publish(store: AlertStore, data: Path) -> tuple[Effect, ...]:
    """Give every decision that has none its control rows, and let it teach.

    Raises:
        FlowError: the folder cannot be written, or a lineage is not usable; nothing is lost, publish again.
    """
    try:
        with alone(data):
            return tuple(_publish(store, data))
    except (OSError, ModelError, msgspec.MsgspecError) as problem:
        raise FlowError(
            f"the decision is recorded, but did not reach the flow: {problem}. Mend that; the next decision takes this "
            "one along"
        ) from problem


def _publish(store: AlertStore, data: Path) -> Iterator[Effect]:
    rows = _Rows(folder_of(data) / FILE)
    is_taught_here = not (data / MODELS / FLOW_TEACHES).exists()
    for decision in store.decisions():
        if rows.has(decision):
            continue
        alert = store.revision(decision.alert_id, decision.revision)
        lineage = _learnt(data, decision, alert) if is_taught_here else None
        effect, body = Effect(decision, alert.detector), None
        if lineage is not None:
            weights = lineage.in_force
            if weights.version != rows.active.get(alert.detector, lineage.expert.version):
                body = {"weights": msgspec.to_builtins(weights)}
            if body is not None or any(one.alert_id == alert.alert_id for one in lineage.lessons):
                effect = Effect(decision, alert.detector, weights.version, lineage.is_held_back)
        rows.add(decision, alert, body)
        yield effect


def _learnt(data: Path, decision: Decision, alert: Alert) -> Lineage | None:
    """The lineage of the alert's detector after the decision, kept; nothing when that version learns no more."""
    try:
        about = detector(alert.detector)
    except DetectorError:
        return None
    if alert.detector_version != str(about.version) or not learns(data, about.id):
        return None
    before = lineage_of(data, about)
    after = _after(before, about, decision, alert)
    if after != before:
        _keep(data / MODELS / f"{about.id}.json", after)
    return after


def learns(data: Path, about: str) -> bool:
    """Whether decisions teach what scores now: a scorecard they do, trees they do not."""
    told = True
    for one in written(folder_of(data) / PROMOTED):
        if one["kind"] == "activate" and one["detector"] == about:
            told = MODEL not in one["body"]
    return told


def _keep(path: Path, lineage: Lineage) -> None:
    """Put a lineage in place; that of an earlier version of the detector stays beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and (old := _read(path)).detector_version != lineage.detector_version:
        path.replace(path.with_name(f"{lineage.detector}.{old.detector_version}.json"))
    write_whole(path, msgspec.json.format(msgspec.json.encode(lineage), indent=1) + b"\n")


def _after(lineage: Lineage, about: type[Detector], decision: Decision, alert: Alert) -> Lineage:
    (right,) = label_of(decision).says(alert.subject.name, "", about.says_when_right()) or (None,)
    if right is None:
        return untaught(lineage, about.signals, alert.alert_id)
    lesson = Lesson(
        alert_id=alert.alert_id,
        at=decision.at,
        right=right,
        scored_by=alert.model_version,
        values=dict(alert.assessment.features),
    )
    return taught(lineage, about.signals, lesson)


def lineage_of(data: Path, about: type[Detector]) -> Lineage:
    """The lineage of a detector's scorecard as it stands; a new one when this version has none yet.

    Raises:
        ModelError: the kept lineage is not usable.
    """
    path = data / MODELS / f"{about.id}.json"
    if path.exists():
        kept = _read(path)
        if kept.detector_version == about.version:
            return checked(kept, about.signals)
    return begun(about.id, about.version, about.scorecard())


def _read(path: Path) -> Lineage:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Lineage)
    except msgspec.MsgspecError as wrong:
        raise ModelError(
            f"{path} is no lineage ({wrong}): put it back as it was, or move it away to begin again from the expert's "
            "weights"
        ) from wrong


class _Rows:
    """The control file: which decisions have their rows, which version each detector was last given, and adding."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.active: dict[str, str] = {}
        self._known: set[str] = set()
        for one in written(path):
            self._known.add(str(one["event_id"]))
            weights = one["body"].get("weights")
            if one["kind"] == "activate" and isinstance(weights, dict) and "version" in weights:
                self.active[one["detector"]] = weights["version"]

    def has(self, decision: Decision) -> bool:
        """Whether a decision has its rows. Its own is written last, so that one has all."""
        return _event_id("decision", decision) in self._known

    def add(self, decision: Decision, alert: Alert, weights: dict[str, Any] | None) -> None:
        """Write a decision's rows, on the disk when this returns."""
        made = []
        if weights is not None:
            made.append(_row("activate", decision, alert.detector, weights))
            self.active[alert.detector] = weights["weights"]["version"]
        if decision.status == "snoozed":
            snooze = {"subject": alert.subject.name, "until": decision.until}
            made.append(_row("snooze", decision, alert.detector, snooze))
        made.append(_row("decision", decision, alert.detector, _decided(decision, alert)))
        append(self.path, made)
        self._known.add(str(made[-1]["event_id"]))


def _decided(decision: Decision, alert: Alert) -> dict[str, Any]:
    """A decision; of a confirmed alert with the values it was scored on, so that later ones can be held against it."""
    confirmed = {"features": dict(alert.assessment.features)} if decision.outcome == "confirmed" else {}
    return confirmed | {
        "alert_id": decision.alert_id,
        "outcome": decision.outcome,
        "revision": decision.revision,
        "reason": decision.reason,
        "role": decision.role,
        "by": decision.by,
    }


def _event_id(kind: str, decision: Decision) -> str:
    return f"{kind}:{decision.alert_id}:{decision.at:x}"


def _row(kind: str, decision: Decision, about: str, body: dict[str, Any]) -> dict[str, Any]:
    return row(_event_id(kind, decision), decision.at, kind, about, body)


# ------------------------------------------------------------------------------------------------ taken by the flow


def refused(tick: Tick, shelf: Shelf | None = None) -> tuple[Rejected, ...]:
    """The control rows of a tick that cannot be obeyed, as dead letters; models that rows name are on the shelf."""
    found = []
    for source, kind, about, body in _of(tick, "source", "kind", "detector", "body"):
        wrong = obeyed(kind, about, body, shelf)[1]
        if wrong is not None:
            digest = digest_of(str(body).encode())
            found.append(Rejected(source, "control", NOT_OBEYED, f"body: {wrong}", digest, Where()))
    return tuple(found)


def _of(tick: Tick, *columns: str) -> list[tuple[Any, ...]]:
    control = tick.rows.get("control")
    return [] if control is None else control.select(column(control, "control", c) for c in columns).rows()


def fault(kind: str, about: str, body: str) -> str | None:
    """What is wrong with a control row, if anything: one that cannot be obeyed must not reach what scores."""
    return obeyed(kind, about, body)[1]


def obeyed(kind: str, about: str, body: str, shelf: Shelf | None = None) -> tuple[str, str | None]:
    """A control row's body as the shards need it, with the model it names; and what is wrong with it, if anything."""
    try:
        plain = json.loads(body or "{}")
    except ValueError:
        return body, "the body is not JSON"
    if not isinstance(plain, dict):
        return body, "the body is not an object"
    try:
        whole = (shelf or Shelf()).filled(plain)
        return body if whole is plain else json.dumps(whole), _fault(kind, about, whole)
    except (DetectorError, ModelError, msgspec.ValidationError) as wrong:
        return body, str(wrong)


def _model(about: type[Detector], body: dict[str, Any]) -> Model:
    """The model that a control row brings.

    Raises:
        ModelError: it is none that can score for the detector.
    """
    named = body.get(MODEL)
    if named is None:
        weights = msgspec.convert(body.get("weights"), Weights)
        return working(SCORECARD, weights.version, body["weights"], about.signals)
    if not isinstance(named, dict):
        raise ModelError("a model is named by kind, version and digest")
    return working(str(named.get("kind")), str(named.get("version")), named.get("weights"), about.signals)


def _fault(kind: str, about: str, body: dict[str, Any]) -> str | None:
    if kind in ("activate", "challenge"):
        known = detector(about)
        model = _model(known, body)
        if not model.name.startswith(f"{known.id}-{known.version}."):
            return f"{model.name} is no version of {known.id} {known.version}"
    if kind == "retire":
        return None if isinstance(body.get("version"), str) else "which version is retired is not said"
    if kind in ("threshold", "challenge"):
        detector(about)
        threshold = body.get("threshold")
        sound = isinstance(threshold, int | float) and 0.0 < threshold < 1.0
        return None if sound else "a threshold lies between 0 and 1"
    if kind == "decision":
        sound = isinstance(body.get("alert_id"), str) and body.get("outcome") in (*OUTCOMES, None)
        sound &= isinstance(body.get("features", {}), dict)
        return None if sound else f"a decision names an alert and one of {', '.join(OUTCOMES)}"
    if kind == "review":
        detector(about)
        sound = str(body.get("about")).startswith("review:") and body.get("outcome") in OUTCOMES
        sound &= isinstance(body.get("subject"), str)
        return None if sound else f"an answer names a row, its subject and one of {', '.join(OUTCOMES)}"
    if kind == "snooze":
        sound = ":" in str(body.get("subject")) and isinstance(body.get("until"), int)
        return None if sound else "a snooze names a subject as kind:token, and until when in microseconds"
    return None
