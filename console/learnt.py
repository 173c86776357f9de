"""What flows have learnt in a data folder: lessons with what they corrected, and measures as the truth became known."""

import json as codec
from pathlib import Path
from typing import Any, Final

from console.errors import ConsoleError
from console.output import hint, say_json, say_table, screen

_LESSONS: Final = "lessons.ndjson"
_MEASURES: Final = "measures.json"
_EVER: Final = 4_000_000_000_000_000
"""The year 2096, in microseconds: after everything."""
_NONE: Final = (
    "No flow has taught here yet: run one with --learn (linewatch replay --learn, linewatch run --learn), with labels. "
    "What the desk's decisions taught is in models/DETECTOR.json."
)


def show_lessons(folder: Path, detector: str | None, *, json: bool) -> None:
    """Lessons that changed something: what scores since, and what was corrected.

    Raises:
        ConsoleError: no flow has taught here.
    """
    told = [one for lesson in _lessons(folder) if (one := _of(lesson, detector))]
    if json:
        for one in told:
            say_json(one)
        return
    if not told:
        screen().print("No lesson has changed anything yet.")
        return
    rows = [
        (one["at"][:16], name, version, sum(c["detector"] == name for c in one["corrected"]) or "")
        for one in told
        for name, version in one["activated"].items()
    ]
    say_table(("lesson", "detector", "scores since", "corrected"), rows)
    corrected = [(one["at"][:16], c) for one in told for c in one["corrected"]]
    if corrected:
        say_table(
            ("corrected", "detector", "about", "by", "had taught", "teaches"),
            [
                (
                    at,
                    c["detector"],
                    c["about"][:40],
                    c["origin"] or "silence",
                    _word(c["had_taught"]),
                    _word(c["teaches"]),
                )
                for at, c in corrected
            ],
        )
    hint("How good it is: linewatch models measures")


def show_measures(folder: Path, detector: str | None, *, json: bool) -> None:
    """Measures by detector and group, as scored at the time; delays of labels; what has changed.

    Raises:
        ConsoleError: no flow has taught here.
    """
    path = folder / "models" / _MEASURES
    if not path.exists():
        raise ConsoleError(_NONE)
    told = _json(path.read_bytes())
    told["groups"] += _by_campus(told["groups"])
    told = {name: [one for one in rows if detector in (None, one["detector"])] for name, rows in told.items()}
    if json:
        say_json(told)
        return
    say_table(
        ("detector", "group", "alerts right", "of", "precision", "drawn rows missed", "of"),
        [
            _group(key, counts)
            for key, counts in _by_group(told["groups"], every=detector is not None).items()
        ],
    )
    say_table(
        ("detector", "told by", "labels", "days after scoring"),
        [(d["detector"], d["origin"], d["labels"], f"{d['mean_days']:.1f}") for d in told["delays"]],
    )
    say_table(
        ("detector", "rows", "loss as scored", "loss of the author's weights"),
        [
            (one["detector"], one["rows"], f"{one['as_scored']:.3f}", f"{one['author']:.3f}")
            for one in told["loss"]
        ],
    )
    if told["moved"]:
        say_table(
            ("detector", "has changed", "times", "from", "to"),
            [
                (m["detector"], m["what"], m["times"], f"{m['before']:.4g}", f"{m['after']:.4g}")
                for m in told["moved"]
            ],
        )


def show_review(folder: Path, detector: str | None, *, json: bool) -> None:
    """Rows drawn at random for a person to look at, which nobody has yet: they claim nothing, and their answers tell misses.

    Raises:
        ConsoleError: no flow has kept examples here.
    """
    from alerts.record import when_text
    from detectors.discovery import all_detectors
    from models.examples import REVIEW, ExampleStore
    from models.labels import LabelBook

    root = folder / "examples"
    if not root.exists():
        raise ConsoleError(_NONE)
    known = {one.about for one in LabelBook(root / "labels.ndjson").known(_EVER)}
    rows = []
    for about in all_detectors():
        if detector in (None, about.id):
            frame = ExampleStore(root).examples(about.id, about.version, 0, _EVER)
            kept = frame.filter(frame["kept_as"] == REVIEW) if frame.height else frame
            rows += [one for one in kept.iter_rows(named=True) if f"event:{one['event_id']}" not in known]
    said = [
        {
            "detector": one["detector"],
            "ts": when_text(one["ts"]),
            "about": f"event:{one['event_id']}",
            "subject": one["subject"],
        }
        for one in sorted(rows, key=lambda one: (one["ts"], one["event_id"]))
    ]
    if json:
        for one in said:
            say_json(one)
        return
    say_table(("drawn at random for", "when", "about", "subject"), [tuple(one.values()) for one in said])
    hint("Answer with a label: about as above, label confirmed or innocent, origin random_review (--labels)")


def _lessons(folder: Path) -> list[dict[str, Any]]:
    path = folder / "models" / _LESSONS
    if not path.exists():
        raise ConsoleError(_NONE)
    return [_json(line) for line in path.read_bytes().splitlines()]


def _json(raw: bytes) -> Any:
    return codec.loads(raw)


def _of(lesson: dict[str, Any], detector: str | None) -> dict[str, Any]:
    """A lesson as it concerns a detector; nothing when it changed nothing."""
    activated = {n: v for n, v in lesson["activated"].items() if detector in (None, n)}
    corrected = [c for c in lesson["corrected"] if detector in (None, c["detector"])]
    if not activated and not corrected:
        return {}
    return {"at": lesson["at"], "tick": lesson["tick"], "activated": activated, "corrected": corrected}


def _word(right: bool | None) -> str:
    return {True: "right", False: "wrong", None: "nothing"}[right]


def _by_group(rows: list[dict[str, Any]], *, every: bool) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for one in rows:
        if every or one["group"] == "all":
            counts = found.setdefault((one["detector"], one["group"]), {})
            counts[f"{one['kept_as']} {one['outcome']}"] = one["rows"]
    return found


def _by_campus(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The counts of forces added up to those of the campuses they belong to today."""
    from datetime import UTC, datetime

    from places.forces import forces
    from places.organisations import organisations

    directory = organisations().on(datetime.now(UTC).date())
    campus = {f"force {force.short}": directory.campus_of(force.code) for force in forces()}
    found: dict[tuple[str, str, str, str], int] = {}
    for one in rows:
        owner = campus.get(one["group"])
        if owner is not None:
            key = (one["detector"], f"campus {owner.org_id}", one["kept_as"], one["outcome"])
            found[key] = found.get(key, 0) + one["rows"]
    names = ("detector", "group", "kept_as", "outcome")
    return [dict(zip(names, key, strict=True)) | {"rows": rows} for key, rows in sorted(found.items())]


def _group(key: tuple[str, str], counts: dict[str, int]) -> tuple[object, ...]:
    right, wrong = counts.get("alert confirmed", 0), counts.get("alert innocent", 0)
    missed, passed = counts.get("drawn confirmed", 0), counts.get("drawn innocent", 0)
    share = f"{right / (right + wrong):.3f}" if right + wrong else "-"
    return (*key, right, right + wrong, share, missed, missed + passed)
