"""Mechanisms keep to themselves: same seed, same records; one switched on leaves the others' as they were."""

from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest

from simulator.crimes.app_parameters import AppParameters
from simulator.crimes.cards import CardTestingParameters, NotPresentParameters
from simulator.crimes.identities import SpoofingParameters, SubscriptionParameters
from simulator.crimes.line_parameters import LineParameters
from simulator.crimes.line_plan import biography
from simulator.crimes.mules import MuleNetworksParameters
from simulator.crimes.prevalence import NAMES
from simulator.crimes.revenue_share import PbxParameters, RevenueShareParameters
from simulator.crimes.sim_banks import SimBoxParameters, SmishingParameters
from simulator.crimes.takeover import TakeoverParameters
from simulator.crimes.wangiri import WangiriParameters
from simulator.errors import SimulationError
from simulator.identifiers import RESERVED
from simulator.simulation import Simulation, simulate
from simulator.spreads import drawn, spreads

PAGE = Path(__file__).parents[2] / "docs" / "simulator-crimes.md"
START = date(2026, 3, 2)
PARAMETERS = {
    "county_lines": LineParameters, "wangiri": WangiriParameters, "revenue_share": RevenueShareParameters,
    "pbx_hacking": PbxParameters, "sim_box": SimBoxParameters, "smishing_farm": SmishingParameters,
    "subscription_fraud": SubscriptionParameters, "cli_spoofing": SpoofingParameters, "mule_networks": MuleNetworksParameters,
    "app_fraud": AppParameters, "takeover": TakeoverParameters, "card_testing": CardTestingParameters,
    "card_not_present": NotPresentParameters,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "crimes": {"scale": 0, "county_lines": 2, "takeover": 1, "sim_box": 1, "app_fraud": 3},
    "innocents": {"scale": 0, "takeaway": 1},
    "sim_box": {"sims_at_once": 4, "calls_per_sim_day": 30},
    "world": {"bad_share": 0},
}


def told(out: Path, scenario: dict[str, Any]) -> dict[str, pl.DataFrame]:
    simulate(600, 4, 21, START, out, format="parquet", scenario=scenario)
    return {name: pl.read_parquet(out / f"{name}.parquet") for name in ("telecoms", "payments", "accounts")}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    return told(tmp_path_factory.mktemp("small"), SMALL)


@pytest.mark.parametrize("format", ["ndjson", "parquet"])
def test_the_same_seed_gives_the_same_bytes(format: Literal["ndjson", "parquet"], tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate(400, 3, 8, START, tmp_path / name, format=format, scenario=SMALL)
    for path in sorted(file for file in (tmp_path / "a").rglob("*") if file.is_file()):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()
    assert (tmp_path / "a" / f"telecoms.{format}").stat().st_size > 0


def test_switching_another_crime_on_leaves_the_others_records_as_they_were(
    small: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    switched_on = {
        "wangiri": 1,
        "mule_networks": 2,
        "card_testing": 1,
        "revenue_share": 1,
        "smishing_farm": 1,
    }
    more = SMALL | {"crimes": SMALL["crimes"] | switched_on}
    larger = told(tmp_path, more)
    for stream, before in small.items():
        # balances tell of all that happens to an account
        columns = [c for c in before.columns if "balance" not in c]
        old = before.unique("event_id").sort("event_id")
        new = (
            larger[stream]
            .unique("event_id")
            .filter(pl.col("event_id").is_in(old["event_id"].to_list()))
            .sort("event_id")
        )
        assert old.height > 0
        assert old["event_id"].equals(new["event_id"])
        assert old.select(columns).equals(new.select(columns))
    assert larger["telecoms"].height > small["telecoms"].height


def test_identifiers_are_all_from_ranges_that_belong_to_nobody(small: dict[str, pl.DataFrame]) -> None:
    kinds = {
        "number": ("number", "other_number", "network_number", "beneficiary_number", "payer_phone", "payee_phone"),
        "imsi": ("imsi", "previous_imsi"), "iccid": ("iccid", "previous_iccid"), "imei": ("imei", "previous_imei"),
        "account": ("account", "payer_account", "payee_account", "paid_by"), "agent": ("payer_agent", "payee_agent"),
        "cell": ("cell", "cell_end"), "card": ("card",), "ip": ("ip",), "plmn": ("visited_plmn",),
    }  # fmt: skip
    seen = 0
    for frame in small.values():
        for kind, columns in kinds.items():
            for column in set(columns) & set(frame.columns):
                for value in frame[column].drop_nulls().unique():
                    assert RESERVED[kind].fullmatch(value), (column, value)
                    seen += 1
    assert seen > 1_000


@pytest.mark.parametrize("name", NAMES["crimes"])
def test_every_parameter_has_a_range_and_a_source(name: str) -> None:
    ranges = spreads(PARAMETERS[name])
    assert set(ranges) == {field.name for field in fields(PARAMETERS[name])}
    for parameter, spread in ranges.items():
        assert spread.low <= spread.high, parameter
        assert spread.origin in ("published", "derived", "assumed")
    worlds: list[Any] = [drawn(PARAMETERS[name], seed, name, {}, {}) for seed in range(6)]
    varies = [p for p in ranges if len({getattr(world, p) for world in worlds}) > 1]
    assert len(varies) >= len([p for p, s in ranges.items() if s.low < s.high])


def _figure(value: float) -> str:
    return f"{value:,.4g}" if value < 1_000 else f"{value:,.0f}"


@pytest.mark.parametrize("name", NAMES["crimes"])
def test_the_page_on_crimes_states_every_range_and_its_origin(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for parameter, spread in spreads(PARAMETERS[name]).items():
        shape = " (log)" if spread.shape == "log" else ""
        span = f"{_figure(spread.low)} to {_figure(spread.high)}{shape}"
        assert f"| `{parameter}` | {span} | {spread.origin} | {spread.source} |" in page


@pytest.mark.parametrize("name", NAMES["innocents"])
def test_the_page_on_crimes_names_every_look_alike(name: str) -> None:
    assert f"| `{name}` |" in PAGE.read_text(encoding="utf-8")


def test_an_unknown_mechanism_in_a_scenario_is_refused() -> None:
    with pytest.raises(SimulationError, match="country_lines"):
        Simulation(200, 2, 1, START, {"crimes": {"country_lines": 3}})


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(SimulationError, match="negative"):
        Simulation(200, 2, 1, START, {"crimes": {"lines": -1}})


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(SimulationError, match="flares_a_day"):
        Simulation(200, 2, 1, START, {"county_lines": {"flares_a_day": 3}})


def test_prevalence_is_as_published_unless_raised() -> None:
    p = drawn(LineParameters, 3, "county_lines", {}, {})
    assert 7 <= p.lines_per_million <= 12
    app = drawn(AppParameters, 3, "app_fraud", {}, {})
    payments_a_person_year = 5.1e9 / 69.3e6
    assert 0.4e-4 < app.cases_per_person_year * 2.04 / payments_a_person_year < 2e-4


def test_every_brand_lives_as_its_biography_says() -> None:
    p = drawn(LineParameters, 5, "county_lines", {}, {})
    endings: list[str] = []
    for seed in range(300):
        reigns = biography(np.random.default_rng(seed), p, 60)
        assert reigns
        for place, reign in enumerate(reigns):
            assert reign.since < reign.until
            assert reign.since <= reign.first_flare <= reign.until
            assert reign.predecessor == place - 1
            assert all(max(reign.since, 0) <= change.day <= reign.until for change in reign.changes)
            endings.append(reign.ending)
            if place:
                assert reigns[place - 1].ending != "running"
                assert (reign.came_after == "number_change") == (reigns[place - 1].ending == "number_change")
            if reign.announced:
                assert reign.quiet_from <= reign.until <= reign.quiet_from + 2.001
    closed = [ending for ending in endings if ending in ("type1", "type2")]
    assert len(closed) > 30
    assert 0.75 < closed.count("type1") / len(closed) <= 1
    assert "number_change" in endings
