"""What flows have learnt in a data folder: lessons with what they corrected, and measures as the truth became known."""

import json as codec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from console.errors import ConsoleError
from console.output import hint, say_json, say_table, screen

if TYPE_CHECKING:
    from flows.answering import UpForReview

_LESSONS: Final = "lessons.ndjson"
_MEASURES: Final = "measures.json"
REVIEW: Final = "review:"
"""How names of rows begin that were put up for review."""
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


def show_review(folder: Path, name: str | None, *, json: bool) -> None:
    """Rows drawn at random for a person to look at, which nobody has yet: they claim nothing, and answers tell misses.

    `name` is a detector, or one row by the beginning of its name, which is shown whole.

    Raises:
        ConsoleError: no flow has kept examples here, or there is no such row.
    """
    from flows.answering import up_for_review

    if not (folder / "examples").exists():
        raise ConsoleError(_NONE)
    if name is not None and name.startswith(REVIEW):
        _show_row(row_named(folder, name), json=json)
        return
    rows = [one for one in up_for_review(folder, name) if not one.answered]
    if json:
        for one in rows:
            say_json(_plain(one) | {"about": f"event:{one.event_id}"})
        return
    say_table(
        ("row", "drawn at random for", "when", "subject"),
        [(one.name, one.detector, _plain(one)["ts"], one.subject) for one in rows],
    )
    hint(
        "One whole: linewatch models review ROW. Answer: linewatch decide ROW innocent --reason business_as_usual"
    )


def row_named(folder: Path, name: str) -> "UpForReview":
    """The one row up for review whose name begins so.

    Raises:
        ConsoleError: none does, or several.
    """
    from flows.answering import up_for_review

    found = [one for one in up_for_review(folder) if one.name.startswith(name)]
    if len(found) != 1:
        raise ConsoleError(
            f"{'No row' if not found else 'More than one row'} up for review begins with {name}: "
            "linewatch models review lists those nobody has answered for."
        )
    return found[0]


def _plain(one: "UpForReview") -> dict[str, Any]:
    from alerts.record import when_text

    return {"row": one.name, "detector": one.detector, "ts": when_text(one.ts), "subject": one.subject}


def _show_row(one: "UpForReview", *, json: bool) -> None:
    from detectors.discovery import detector

    about = detector(one.detector)
    words = {name: about.meaning(name) for name in one.values}
    if json:
        say_json(
            _plain(one) | {"about": f"event:{one.event_id}", "answered": one.answered, "values": one.values}
        )
        return
    told = _plain(one)
    screen().print(
        f"{one.name}: {about.title}? Event {one.event_id}, {told['ts'][:16]}, {one.subject}", markup=False
    )
    say_table(
        ("what was known of it", "value"),
        [
            (
                f"{words[name].words} ({words[name].unit})".removesuffix(" ()"),
                "-" if value is None else f"{value:.4g}",
            )
            for name, value in one.values.items()
        ],
    )
    screen().print(
        "It was drawn at random and claims nothing. " + ("Answered." if one.answered else ""), markup=False
    )
    for question in about.runbook:
        screen().print(f"  - {question}", markup=False)
    hint(
        f"Answer: linewatch decide {one.name} confirmed --role complicit --reason other_evidence, or innocent, or unclear"
    )


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
