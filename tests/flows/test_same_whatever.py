"""The same input gives the same alerts, scores and state, byte for byte, however it was run."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from alerts.store import AlertStore
from flows.settings import shards_for

_SHARDS = str(shards_for(1))


def _digests(outcome: Any) -> dict[str, str]:
    return {name: end["digest"] for name, end in outcome.ends.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the undisturbed flow keeps what is its own."""
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture(scope="module")
def undisturbed(world: Any, folder: Path, make_flow: Any) -> Any:
    """One process, one go."""
    return make_flow(folder).run(world, name="plain")


@pytest.fixture
def undisturbed_store(undisturbed: Any, folder: Path) -> Path:
    """The SQLite file it wrote."""
    return folder / "plain" / "alerts.sqlite"


def test_both_streams_end_as_alerts_about_the_mule_and_the_line(undisturbed: Any) -> None:
    assert undisturbed.summary["raised"] >= 2
    for detector in (b'"detector":"mule_account"', b'"detector":"deal_line"'):
        assert detector in undisturbed.alerts


def test_an_account_and_its_phone_corroborate_each_other(undisturbed: Any) -> None:
    alerts = [json.loads(line) for line in undisturbed.alerts.splitlines()]
    mules, lines = (
        [alert for alert in alerts if alert["detector"] == detector]
        for detector in ("mule_account", "deal_line")
    )
    number = lines[-1]["subjects"][0]
    mine = [alert for alert in mules if number in alert["subjects"]]
    accounts = [alert["subjects"][0] for alert in mine]
    assert {number["kind"]} | {account["kind"] for account in accounts} == {"number", "account"}
    assert mine
    # the account was there first, and is told of the line as soon as there is something to tell
    assert "telecoms:deal_line" not in mine[0]["corroborated_by"]
    assert "telecoms:deal_line" in mine[-1]["corroborated_by"]
    assert "payments:mule_account" in lines[-1]["corroborated_by"]
    assert any(account in lines[-1]["subjects"] for account in accounts)


def test_things_are_alerted_about_too_with_their_holders_beside_them(undisturbed: Any) -> None:
    alerts = [json.loads(line) for line in undisturbed.alerts.splitlines()]
    for detector, thing, holder in (
        ("busy_device", "device", "account"),
        ("busy_handset", "handset", "number"),
    ):
        mine = [alert for alert in alerts if alert["detector"] == detector]
        assert mine
        assert {alert["subjects"][0]["kind"] for alert in mine} == {thing}
        assert {s["kind"] for alert in mine for s in alert["subjects"][1:]} == {holder}
        assert not any(alert["corroborated_by"] for alert in mine)


def test_what_crosses_shards_is_alerted_about_with_its_reasons(undisturbed: Any) -> None:
    alerts = [json.loads(line) for line in undisturbed.alerts.splitlines()]
    mine = [alert for alert in alerts if alert["detector"] == "passed_round"]
    assert mine
    for alert in mine:
        assert {"graph.chain_24h", "graph.payers_24h", "senders_24h"} == alert["assessment"][
            "features"
        ].keys()
        assert alert["assessment"]["reasons"]
        assert alert["event_ids"]
        assert alert["subjects"][0]["kind"] == "account"
        assert "graph.covered" in {fact["name"] for fact in alert["facts"]}


@pytest.mark.parametrize("rows", ["1", "97"])
def test_the_size_of_ticks_changes_nothing(world: Any, flow: Any, undisturbed: Any, rows: str) -> None:
    inputs = world if rows != "1" else {"control": world["control"], "links": world["links"]}
    if rows == "1":
        reference = flow.run(inputs, name="few")
        cut = flow.run(inputs, name="ones", LINEWATCH_TICK_ROWS="1")
        assert _digests(cut) == _digests(reference)
        return
    cut = flow.run(world, name="cut", LINEWATCH_TICK_ROWS=rows)

    assert cut.alerts == undisturbed.alerts
    assert _digests(cut) == _digests(undisturbed)


def _told(store: AlertStore) -> dict[str, Any]:
    """All that a store has of its alerts and cases."""
    alerts = store.alerts()
    cases = {key: store.case(key) for key in {alert.case_key for alert in alerts}}
    store.close()
    return {alert.alert_id: alert for alert in alerts} | cases


def test_two_processes_and_postgresql_do_what_one_and_sqlite_do(
    world: Any, flow: Any, undisturbed: Any, undisturbed_store: Path, postgres: str
) -> None:
    two = flow.run(
        world, name="two", processes=2, store=postgres, LINEWATCH_TICK_ROWS="500", LINEWATCH_SHARDS=_SHARDS
    )

    assert two.alerts == undisturbed.alerts
    assert _digests(two) == _digests(undisturbed)
    assert _told(AlertStore(postgres)) == _told(AlertStore(undisturbed_store))


def test_keeping_snapshots_changes_nothing(world: Any, flow: Any, undisturbed: Any) -> None:
    kept = flow.run(world, name="kept", recovery=True, LINEWATCH_TICK_ROWS="200")

    assert kept.alerts == undisturbed.alerts
    assert _digests(kept) == _digests(undisturbed)


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_any_moment_it_ends_as_if_undisturbed(
    world: Any, flow: Any, undisturbed: Any, processes: int
) -> None:
    rng = random.Random(processes)
    killed = flow.run(
        world,
        name="killed",
        processes=processes,
        recovery=True,
        kill_after=lambda: rng.uniform(0.0, 1.0),
        LINEWATCH_TICK_ROWS="50",
        LINEWATCH_SHARDS=_SHARDS,
    )

    assert killed.kills >= 3, "it ended before it could be killed: make the input longer"
    assert list(flow.folder.glob("killed/recovery/state/*.base")), "it went on from logs alone"
    assert killed.alerts == undisturbed.alerts
    assert _digests(killed) == _digests(undisturbed)
