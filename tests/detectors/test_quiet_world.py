"""Where there is no crime, every detector stays within its budget: a small world of innocents, look-alikes and all.

A few thousand people for a week allow only a coarse look (docs/quality.md has the large one): the alerts of each
detector may not be more than chance makes of its budget once in a thousand worlds.
"""

import math
from datetime import date
from typing import Any

import pytest

from detectors.discovery import all_detectors
from models.evaluation import World, read_truth, read_world
from simulator.simulation import simulate

PEOPLE, DAYS, SEED = 3_000, 6, 20_251
INNOCENT = {"run": {"without": ["crimes"]}}
CHANCE = 1e-3


def most(mean: float) -> int:
    """As many as come with at least this chance when so many are expected."""
    k, term = 0, math.exp(-mean)
    below = term
    while 1.0 - below > CHANCE:
        k += 1
        term *= mean / k
        below += term
    return k


@pytest.fixture(scope="module")
def quiet(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Any]:
    folder = tmp_path_factory.mktemp("quiet")
    simulate(PEOPLE, DAYS, SEED, date(2025, 3, 3), folder, format="parquet", scenario=INNOCENT)
    inputs = {path.stem: (str(path),) for path in folder.glob("*.parquet")}
    world = read_world((folder / "truth" / "world.json").read_bytes())
    with (folder / "truth" / "truth.ndjson").open("rb") as lines:
        assert not [row for row in read_truth(lines, stage.key_ring(stage.Settings())) if row.threat]
    return world, stage.run_files(inputs, folder / "run")


@pytest.mark.parametrize("detector", all_detectors(), ids=lambda each: each.id)
def test_a_quiet_world_stays_within_the_budget(detector: Any, quiet: tuple[World, Any]) -> None:
    world, ended = quiet
    subjects = world.subjects(detector.subject.name.lower())
    expected = detector.budget * subjects * world.days / 100_000
    alerts = [alert for alert in ended.alerts if alert.detector == detector.id]
    about = ", ".join(f"{alert.subject.name} ({alert.score:.2f})" for alert in alerts)
    assert len(alerts) <= most(expected), f"{len(alerts)} alerts where {expected:.2g} are expected: {about}"


def test_the_allowance_is_chances_own() -> None:
    assert [most(mean) for mean in (0.001, 0.05, 1.0, 10.0)] == [0, 2, 5, 21]
