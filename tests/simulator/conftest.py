"""Small made-up worlds the tests share."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from simulator.simulation import SimulationSummary, simulate

START = date(2025, 3, 3)
QUIET = {"run": {"without": ["crimes", "innocents"]}}

World = tuple[Path, SimulationSummary]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., World]:
    """Writes a world once for each set of settings."""
    made: dict[str, World] = {}

    def write(
        people: int, days: int, seed: int = 7, format: str = "ndjson", scenario: object = None
    ) -> World:
        key = repr((people, days, seed, format, scenario))
        if key not in made:
            out = tmp_path_factory.mktemp("world")
            summary = simulate(people, days, seed, START, out, format=format, scenario=scenario)  # type: ignore[arg-type]
            made[key] = (out, summary)
        return made[key]

    return write


@pytest.fixture(scope="session")
def quiet(written: Callable[..., World]) -> World:
    """Ordinary life alone: 1,000 people for a week."""
    return written(1000, 7, scenario=QUIET)


@pytest.fixture(scope="session")
def busy(written: Callable[..., World]) -> World:
    """A little of everything: 400 people for three days."""
    return written(400, 3, scenario="demo")
