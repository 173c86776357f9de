"""What people find of rows that were put up for review: control rows, like decisions, at a place in the one order.

A row that was drawn claims nothing, so it is no alert and has no episode. Who answers says what the detector should
have said of it; the learner takes that as it takes a decision, and of the same row the latest answer counts.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from detectors.discovery import all_detectors
from flows.control_rows import alone, append, folder_of, written
from flows.control_rows import row as control_row
from flows.errors import FlowError
from models.examples import REVIEW, ExampleStore, review_name
from models.labels import LabelBook

FILE: Final = "reviews.ndjson"
_EXAMPLES: Final = "examples"
_EVER: Final = 4_000_000_000_000_000


class UpForReview(msgspec.Struct, frozen=True, kw_only=True):
    """One row that was drawn for a person to look at."""

    name: str
    detector: str
    event_id: str
    subject: str
    ts: int
    score: float
    values: dict[str, float | None]
    answered: bool


def up_for_review(data: Path, detector: str | None = None) -> list[UpForReview]:
    """The rows that were drawn, in the order of time; which of them somebody has answered for."""
    store, known = ExampleStore(data / _EXAMPLES), _answered(data)
    found = []
    for about in all_detectors():
        if detector not in (None, about.id):
            continue
        frame = store.examples(about.id, about.version, 0, _EVER)
        for row in frame.filter(frame["kept_as"] == REVIEW).iter_rows(named=True) if frame.height else ():
            name = review_name(about.id, row["event_id"], row["subject"])
            found.append(
                UpForReview(
                    name=name, detector=about.id, event_id=row["event_id"], subject=row["subject"], ts=row["ts"],
                    score=row["score"], values={s.feature: row[f"v.{s.feature}"] for s in about.signals},
                    answered=bool({name, f"event:{row['event_id']}"} & known),
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: (one.ts, one.name))


def _answered(data: Path) -> set[str]:
    """What has been answered for: by labels the flow has heard, and by answers it has not come to yet."""
    known = {one.about for one in LabelBook(data / _EXAMPLES / "labels.ndjson").known(_EVER)}
    return known | {one["body"]["about"] for one in written(folder_of(data) / FILE)}


def answer(data: Path, row: UpForReview, said: dict[str, Any], at: int) -> None:
    """Give a row's answer (outcome, reason, role, confidence, by, note) to the flow; on the disk when this returns.

    Raises:
        FlowError: the folder cannot be written; answer again.
    """
    body = {"about": row.name, "event_id": row.event_id, "subject": row.subject} | said
    try:
        with alone(data) as folder:
            append(folder / FILE, [control_row(f"{row.name}:{at:x}", at, "review", row.detector, body)])
    except OSError as problem:
        raise FlowError(
            f"the answer did not reach the flow: {problem}. Mend that and answer again"
        ) from problem
