"""A champion that does worse than the one before it is rolled back, without waiting for a person.

When two people promote a version, the champion before it stays in shadow. Whenever something more is found out, the two
are held against each other on rows scored since (models.side_by_side): the champion goes when of at least twenty
subjects of whom something is known it was wrong where the other was right so often that chance alone would do that in
one case of twenty. Twice over: by words that nobody had to be alerted for, and by all words. Analysts see only what
the champion raises, so by all words it goes only if less of its alerts is right, too, than was of those of the one
before, in the weeks before, and than is of what both raise now. It is written down like any rollback, by `automatic`, and is a control row as any other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from detectors.discovery import all_detectors
from flows.promoting import publish, registry_of
from flows.shelf import KEY
from models.examples import ALERT
from models.labels import Label, LabelBook, label_of, labelled
from models.registry import Promotion, Registry
from models.shadows import FILE, ShadowStore
from models.side_by_side import Precision, Verdict, known_of, unasked, verdict, with_alerts
from models.typologies import horizon_us

if TYPE_CHECKING:
    import polars as pl

    from alerts.record import Alert
    from alerts.store import AlertStore
    from detectors.base import Detector

LABELS: Final = Path("examples") / "labels.ndjson"
FRESH_DAYS: Final = 60
"""A champion is judged by the rows of its latest two months."""
BEFORE_DAYS: Final = 28
"""What it raised is held against what the one before raised in so many days before it."""
_DAY_US: Final = 86_400_000_000
_NOW: Final = 2**62


def words(
    data: Path, store: "AlertStore | None", detector: str
) -> tuple[list[Label], list[tuple[str, str, int, int]]]:
    """All that was found out: the book's labels and people's decisions; and the detector's alerts with their times."""
    labels = list(LabelBook(data / LABELS).known(_NOW)) if (data / LABELS).exists() else []
    if store is None:
        return labels, []
    alerts = store.alerts(detector=detector, status=None)
    mine = {alert.alert_id for alert in alerts}
    said = [label_of(each) for each in store.decisions() if each.alert_id in mine]
    heard = {label.event_id for label in labels}  # a flow that learns has written decisions down as well
    labels += [label for label in said if label.event_id not in heard]
    return labels, [(a.alert_id, a.subject.name, a.first_event_ts, a.last_event_ts) for a in alerts]


def found_out_of(
    about: "type[Detector]",
    rows: "pl.DataFrame",
    labels: Sequence[Label],
    alerts: Sequence[tuple[str, str, int, int]],
    as_of: int = _NOW,
    *,
    silence: bool = True,
) -> "pl.DataFrame":
    """By subject, what was found out and what both models did; silence counts up to the time of the last row, if at all."""
    if rows.is_empty():
        return known_of(rows, labels, as_of, 0, about.says_when_right())
    silent = min(as_of, max([int(rows["ts"].max()), *(label.at for label in labels)]))  # type: ignore[arg-type]
    told = with_alerts(rows, alerts)
    known = [label for label in labels if label.at <= as_of]
    horizon = horizon_us(about.typology) if silence else _NOW
    return known_of(told, known, silent, horizon, about.says_when_right())


def precision_of(about: "type[Detector]", labels: Sequence[Label], alerts: "Sequence[Alert]") -> Precision:
    """Of the subjects of some alerts of whom something is known, how many were right."""
    import polars as pl

    rows = pl.DataFrame(
        {
            "event_id": [""] * len(alerts),
            "alert_id": [alert.alert_id for alert in alerts],
            "subject": [alert.subject.name for alert in alerts],
            "ts": [alert.first_event_ts for alert in alerts],
        },
        schema={"event_id": pl.String, "alert_id": pl.String, "subject": pl.String, "ts": pl.Int64},
    ).with_columns(kept_as=pl.lit(ALERT), chance=pl.lit(1.0), score=pl.lit(0.0))
    told = labelled(rows, labels, _NOW, _NOW, claim=about.says_when_right())
    right = told.group_by("subject").agg(pl.col("right").max())["right"]
    return Precision(int(right.sum()), len(right))


def judge(
    registry: Registry, data: Path, about: "type[Detector]", store: "AlertStore | None"
) -> Verdict | None:
    """How a detector's champion does beside the one before it; nothing where nothing stands in shadow to judge by."""
    promoted = registry.decided(about.id)
    if promoted is None or promoted.stage != "promote":
        return None
    before = promoted.before or about.scorecard().name
    kept = ShadowStore(data / FILE)
    rows = kept.rows(about.id, from_ts=kept.latest(about.id) - FRESH_DAYS * _DAY_US)
    kept.close()
    # the one before may have learnt a little since it was promoted: its name begins with that of its lineage
    mine = rows["version"].str.starts_with(before) & rows["champion"].str.starts_with(promoted.version)
    rows = rows.filter(mine)
    labels, alerts = words(data, store, about.id)
    unprompted = verdict(found_out_of(about, rows, unasked(labels), alerts, silence=False))
    if unprompted.fallen or rows.is_empty():
        return unprompted
    by_all = verdict(found_out_of(about, rows, labels, alerts))
    if not by_all.fallen or store is None:
        return by_all
    fresh = int(rows["ts"].min())  # type: ignore[arg-type]
    began = min(fresh, promoted.at)
    raised = store.alerts(detector=about.id, status=None, since=began - BEFORE_DAYS * _DAY_US)
    by = [one for one in raised if one.model_version.startswith(promoted.version) and one.raised_ts >= fresh]
    of_before = [one for one in raised if one.model_version.startswith(before) and one.raised_ts < began]
    return msgspec.structs.replace(
        by_all,
        since=precision_of(about, labels, by),
        before=precision_of(about, labels, of_before),
    )


def guard(
    data: Path,
    store: "AlertStore | None",
    key: Path | None = None,
    detector: str | None = None,
    at: int | None = None,
) -> tuple[Promotion, ...]:
    """Roll back every champion that has fallen below the one before it, and let running flows know.

    `at` is the time by the records of the flow that asks; a person at a desk asks by the clock.

    Raises:
        ModelError: the registry is not as it was signed.
        FlowError: what was decided could not be written for the flow; nothing is lost, the next one takes it along.
    """
    place = key or data / KEY
    if not place.exists():
        return ()
    registry = registry_of(data, place)
    done = []
    for about in all_detectors():
        if detector not in (None, about.id):
            continue
        found = judge(registry, data, about, store)
        if found is not None and found.fallen:
            done.append(registry.fall_back(about.id, registry.champion(about.id), why_of(found), at))
    if done:
        publish(registry, data)
    return tuple(done)


def why_of(found: Verdict) -> str:
    """The verdict in words, for the record."""
    said = (
        f"of {found.known} subjects known it alone was wrong on {found.worse} and the one before it alone on "
        f"{found.better}: chance would do that in {found.chance:.1%} of cases"
    )
    if not found.before.known:
        return said
    return (
        f"{said}; of its alerts {found.since.right} of {found.since.known} known were right, of those of the one "
        f"before {found.before.right} of {found.before.known}; of what it raises now {found.raised.right} of "
        f"{found.raised.known}, of what both raise {found.both.right} of {found.both.known}"
    )
