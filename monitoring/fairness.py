"""How evenly detectors fall on people, as measures for a collector that reads files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client import write_to_textfile

from monitoring import metrics

MEASURES = ("alerted", "confirmed", "missed", "wrongly")


def write(
    path: Path,
    detector: str,
    shares: Iterable[tuple[str, str, str, float]],
    alarms: Mapping[str, int],
) -> None:
    """Write a detector's measures: shares by stratum (by, stratum, measure, share), and how many stand out, by what."""
    for by, stratum, measure, value in shares:
        metrics.FAIRNESS_SHARE.labels(detector=detector, by=by, stratum=stratum, measure=measure).set(value)
    for by, number in alarms.items():
        metrics.FAIRNESS_ALARMS.labels(detector=detector, by=by).set(number)
    write_to_textfile(str(path), metrics.OWNERS)
