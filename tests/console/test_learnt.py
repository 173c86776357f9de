"""What flows have learnt, shown: corrections with what they had taught, measures by group, rows drawn for review."""

import json
from pathlib import Path

import msgspec

from alerts.store import AlertStore
from detectors.discovery import detector
from flows.controls import obeyed
from flows.measuring import Measures
from flows.outcomes import answered
from flows.split import Rule
from models.examples import REVIEW, Example, ExampleStore
from models.labels import Label, LabelBook
from models.teaching import Lessons, Outcome

DAY = 86_400_000_000
T0 = 20_000 * DAY


def _outcome(name: str, right: bool, before: bool | None, kept_as: str) -> Outcome:
    return Outcome(
        detector="mule_account", model_version="v", event_id=name, subject="account:1", alert_id="", kept_as=kept_as,
        chance=1.0, strata={"age_band": "18-20", "force": "metropolitan"}, scored_at=T0, known_at=T0 + 2 * DAY, score=0.6, threshold=0.5,
        right=right, before=before, origin="bank", label="l", author=0.6,
    )  # fmt: skip


def test_lessons_and_measures_are_told_and_corrections_count_once(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    models = tmp_path / "data" / "models"
    models.mkdir(parents=True)
    corrected = {
        "detector": "mule_account",
        "about": "alert",
        "label": "l",
        "origin": "bank",
        "had_taught": False,
        "teaches": True,
    }
    lessons = [
        {"tick": 1, "at": "2026-03-02T10:00:00Z", "learnt": 0, "corrected": [], "activated": {}, "moved": []},
        {"tick": 2, "at": "2026-03-03T10:00:00Z", "learnt": 1, "corrected": [corrected], "activated": {"mule_account": "v+1"}, "moved": []},
    ]  # fmt: skip
    (models / "lessons.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lessons))
    measures = Measures()
    measures.take(Lessons((), (_outcome("a", False, None, "alert"), _outcome("b", True, None, "sample")), ()))
    measures.take(Lessons((), (_outcome("a", True, False, "alert"),), ()))
    for before, role in (
        ("", "complicit"),
        ("complicit", "coerced"),
    ):  # later somebody knows more of the person
        known = _outcome("b", True, None if not before else True, "sample")
        measures.take(
            Lessons((), (msgspec.structs.replace(known, event_id="c", role=role, role_before=before),), ())
        )
    again = Measures()
    again.load(json.loads(json.dumps(measures.dump())))
    assert again.told() == measures.told()
    (models / "measures.json").write_text(json.dumps(measures.told()))

    told = run("models", "lessons", "--data", str(tmp_path / "data"), "--json")
    (one,) = [json.loads(line) for line in told.out.splitlines()]
    assert one["corrected"] == [corrected]
    shown = run("models", "measures", "mule_account", "--data", str(tmp_path / "data"), "--json")
    groups = {(g["group"], g["kept_as"], g["outcome"]): g["rows"] for g in json.loads(shown.out)["groups"]}
    assert groups[("all", "alert", "confirmed")] == 1
    assert ("all", "alert", "innocent") not in groups  # taken back
    assert groups[("age_band 18-20", "drawn", "confirmed")] == 2
    assert groups[("role coerced", "drawn", "confirmed")] == 1
    assert ("role complicit", "drawn", "confirmed") not in groups
    assert groups[("force metropolitan", "drawn", "confirmed")] == 2
    assert groups[("campus rcc-london", "drawn", "confirmed")] == 2  # a force's counts are its campus's too
    nothing = run("models", "lessons", "--data", str(tmp_path / "other"))
    assert nothing.status == 1
    assert "--learn" in nothing.err


def _drawn(name: str) -> Example:
    about = detector("mule_account")
    return Example(
        event_id=name, detector=about.id, detector_version=about.version, model_version="v", subject="account:1",
        ts=T0, seq=0, score=0.1, threshold=0.5, kept_as=REVIEW, chance=0.01,
        values={signal.feature: 1.0 for signal in about.signals},
    )  # fmt: skip


def test_rows_for_review_are_listed_until_somebody_says_what_they_are(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = str(tmp_path / "data")
    ExampleStore(tmp_path / "data" / "examples").add("0", [_drawn(name) for name in ("a", "b", "c")])
    word = Label(event_id="l", about="event:a", label="innocent", at=T0 + DAY, origin="random_review")
    LabelBook(tmp_path / "data" / "examples" / "labels.ndjson").add([word])
    told = run("models", "review", "mule_account", "--data", data, "--json")
    waiting = {row["about"]: row["row"] for row in map(json.loads, told.out.splitlines())}
    assert list(waiting) == ["event:b", "event:c"] or list(waiting) == ["event:c", "event:b"]

    whole = run("models", "review", waiting["event:b"][:12], "--data", data)
    assert "claims nothing" in whole.out
    needs = run("decide", waiting["event:b"], "confirmed", "--reason", "other_evidence", "--data", data)
    assert (needs.status, "--role" in needs.err) == (1, True)
    done = run("decide", waiting["event:b"], "confirmed", "--reason", "other_evidence", "--role", "deceived",
               "--confidence", "medium", "--data", data)  # fmt: skip
    assert done.status == 0, done.err
    told = run("models", "review", "--data", data, "--json")
    assert [json.loads(line)["about"] for line in told.out.splitlines()] == ["event:c"]
    (row,) = map(json.loads, (tmp_path / "data" / "control" / "reviews.ndjson").read_text().splitlines())
    assert obeyed(row["kind"], row["detector"], json.dumps(row["body"]))[1] is None
    store = AlertStore(f"sqlite:///{tmp_path / 'data' / 'alerts.sqlite'}")
    (kept,) = store.audit_trail(waiting["event:b"])
    store.close()
    assert (kept.op, kept.actor, kept.to_state) == ("REVIEW", "pc_1234", "confirmed deceived")
    label = answered(Rule(7, T0, row["kind"], row["detector"], json.dumps(row["body"])), "mule")
    assert (label.about, label.origin, label.weight) == (waiting["event:b"], "random_review", 0.5)
    assert label.says("account:1", "", detector("mule_account").says_when_right()) == (True,)
