"""A champion that does worse than the one before it is rolled back, without waiting for a person.

When two people promote a version, the champion before it stays in shadow. Whenever something more is found out, the two
are held against each other on rows scored since (models.side_by_side): the champion goes when of at least twenty
subjects of whom something is known it was wrong where the other was right so often that chance alone would do that in
one case of twenty. It is written down like any rollback, by `automatic`, and is a control row as any other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.discovery import all_detectors
from flows.promoting import publish, registry_of
from flows.shelf import KEY
from models.labels import Label, LabelBook, label_of
from models.registry import Promotion, Registry
from models.shadows import FILE, ShadowStore
from models.side_by_side import Verdict, known_of, verdict, with_alerts
from models.typologies import horizon_us

if TYPE_CHECKING:
    import polars as pl

    from alerts.store import AlertStore
    from detectors.base import Detector

LABELS: Final = Path("examples") / "labels.ndjson"
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
) -> "pl.DataFrame":
    """By subject, what was found out and what both models did; silence counts up to the time of the last row."""
    if rows.is_empty():
        return known_of(rows, labels, as_of, 0, about.says_when_right())
    silent = min(as_of, max([int(rows["ts"].max()), *(label.at for label in labels)]))  # type: ignore[arg-type]
    told = with_alerts(rows, alerts)
    known = [label for label in labels if label.at <= as_of]
    return known_of(told, known, silent, horizon_us(about.typology), about.says_when_right())


def judge(
    registry: Registry, data: Path, about: "type[Detector]", store: "AlertStore | None"
) -> Verdict | None:
    """How a detector's champion does beside the one before it; nothing where nothing stands in shadow to judge by."""
    stands = [one for one in registry.promotions(about.id) if one.stage in ("promote", "rollback")]
    if not stands or stands[-1].stage != "promote":
        return None
    promoted = stands[-1]
    before = promoted.before or about.scorecard().name
    kept = ShadowStore(data / FILE)
    rows = kept.rows(about.id)
    kept.close()
    # the one before may have learnt a little since it was promoted: its name begins with that of its lineage
    mine = rows["version"].str.starts_with(before) & rows["champion"].str.starts_with(promoted.version)
    return verdict(found_out_of(about, rows.filter(mine), *words(data, store, about.id)))


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
    return (
        f"of {found.known} subjects known it alone was wrong on {found.worse} and the one before it alone on "
        f"{found.better}: chance would do that in {found.chance:.1%} of cases"
    )
