"""What an alert and a decision are to the learner: a row as it was scored, and a label about it."""

import json

from alerts.record import Fire
from flows.drawing import strata_of
from flows.split import Rule
from flows.standing import known
from models import labels
from models.examples import ALERT, Example
from models.labels import Label


def example_of(fire: Fire, alert_id: str) -> Example:
    """The row that raised an alert."""
    fire = fire.whole()
    return Example(
        event_id=fire.event_id,
        detector=fire.detector,
        detector_version=int(fire.detector_version),
        model_version=fire.model_version,
        subject=fire.subject.name,
        ts=fire.ts,
        seq=fire.seq,
        score=fire.score,
        threshold=fire.threshold,
        kept_as=ALERT,
        alert_id=alert_id,
        strata=strata_of(0, fire.home_force or fire.victim_force),
        values={name: None if value is None else known(value) for name, value in fire.features.items()},
    )


def decided(rule: Rule) -> Label:
    """A decision as a label; one that opens an alert again takes the outcome back."""
    body = json.loads(rule.body or "{}")
    said = {name: body.get(name) or "" for name in ("reason", "role", "by")}
    return labels.decided(body["alert_id"], body.get("outcome"), rule.recorded_ts, seq=rule.seq, **said)


def answered(rule: Rule, typology: str) -> Label:
    """What a person found of a row that was put up for review, as a label."""
    body = json.loads(rule.body)
    return Label(
        event_id=f"{body['about']}:{rule.recorded_ts:x}",
        about=body["about"],
        label=body["outcome"],
        at=rule.recorded_ts,
        origin="random_review",
        typology=typology,
        reason_code=body.get("reason") or "",
        role=body.get("role") or "",
        confidence=body.get("confidence") or "",
        by=body.get("by") or "",
        subjects=(body["subject"],),
        seq=rule.seq,
    )
