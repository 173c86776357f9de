"""What `linewatch decide` sets off, as the one at the desk sees it."""

import json
from pathlib import Path

from alerts.record import Alert
from alerts.store import AlertStore
from detectors.mule_account import MuleAccount


def test_a_decision_teaches_and_says_which_version_scores_from_here_on(
    run, desk: str, two_alerts: tuple[Alert, Alert]
) -> None:
    said = run("decide", two_alerts[0].alert_id, "innocent", "--reason", "own_accounts", "--store", desk)
    assert said.status == 0, said.err
    assert f"mule_account has learnt from it: {MuleAccount.scorecard().name}+1." in said.out
    rows = [
        json.loads(line) for line in Path("linewatch-data/control/decisions.ndjson").read_text().splitlines()
    ]
    assert [row["kind"] for row in rows] == ["activate", "decision"]
    assert rows[1]["body"]["outcome"] == "innocent"
    assert rows[1]["body"]["by"] == "pc_1234"


def test_unclear_says_nothing_of_learning(run, desk: str, two_alerts: tuple[Alert, Alert]) -> None:
    done = run(
        "decide",
        two_alerts[0].alert_id,
        "unclear",
        "--reason",
        "not_enough_evidence",
        "--store",
        desk,
        "--json",
    )
    plain = json.loads(done.out)
    assert plain["model_version"] is None
    assert plain["held_back"] is False
    assert not Path("linewatch-data/models").exists()


def test_a_decision_that_cannot_reach_the_flow_is_kept_and_told(
    run, desk: str, two_alerts: tuple[Alert, Alert], tmp_path: Path
) -> None:
    (tmp_path / "linewatch-data").write_text("in the way")
    said = run("decide", two_alerts[0].alert_id, "innocent", "--reason", "own_accounts", "--store", desk)
    assert said.status == 1
    assert "the decision is recorded, but did not reach the flow" in said.err
    assert AlertStore(desk).alert(two_alerts[0].alert_id).outcome == "innocent"
