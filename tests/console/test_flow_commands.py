"""The main job from the command line: the demo finds what is in the made-up week, and the desk can work with it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alerts.store import AlertStore
from console import sample
from console.errors import ConsoleError
from console.rooms import room
from events.tokens import token_for
from flows.settings import Settings, key_ring

LINEWATCH = Path(sys.executable).parent / "linewatch"
PATIENCE_S = 600


def linewatch(folder: Path, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [LINEWATCH, *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("LINEWATCH_")},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the demo has run, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    done = linewatch(folder, "demo", "--story")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder, done.stdout


def alerts_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in linewatch(folder, "alerts", "--json").stdout.splitlines()]


def token_of(folder: Path, identifier: str, why: str) -> str:
    done = linewatch(folder, "token", "--reason", why, "--by", "DC 1234", "-", typed=identifier + "\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def subject_of(alert: dict[str, Any]) -> str:
    """Whom the alert is about: the first it names; the others are those it was in contact with."""
    first = alert["subjects"][0]
    return f"{first['kind']}:k1-{first['token']}"


def test_the_demo_needs_nothing_and_ends_by_itself(demo: tuple[Path, str]) -> None:
    _, said = demo
    assert re.search(r"metrics on http://127\.0\.0\.1:\d+/metrics", said)
    assert re.search(r"^[\d,]+ events in .+ a second$", said, flags=re.MULTILINE)
    assert "refused 0" in said
    assert "Next: linewatch alerts" in said


def test_the_demo_shows_each_alert_with_campus_what_and_why(demo: tuple[Path, str]) -> None:
    folder, said = demo
    lines = [line for line in said.splitlines() if "rcc-" in line]
    assert len(lines) == len(alerts_of(folder))
    assert any("Money from strangers" in line and "age of the account" in line for line in lines)
    assert any("rcc-eastern" in line and "advertises to a list" in line for line in lines)


MULE = f"account:{sample.account(sample.MULE)}"
LINE = f"number:{sample.LINE_NUMBER}"


FOUND = {MULE: ["mule_account", "mule_network"], LINE: ["deal_line"]}


def names_in(folder: Path, identifiers: list[str]) -> dict[str, str]:
    """Identifiers by how alerts of the demo name them; nothing is looked up, so nothing is audited."""
    keys = key_ring(Settings(data=folder / "linewatch-data"))
    return {
        token_for(keys, kind, value)[0]: whole
        for whole in identifiers
        for kind, _, value in [whole.partition(":")]
    }


def test_the_demo_finds_the_mule_its_victims_and_the_line_and_nobody_else(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    victims = [f"account:{sample.account(person)}" for person in sample.VICTIMS]
    again = [f"account:{sample.account(person)}" for person in sample.AGAIN]
    names = names_in(folder, [MULE, LINE, *victims])
    found: dict[str, list[str]] = {}
    for alert in alerts_of(folder):
        found.setdefault(names.get(subject_of(alert), "somebody else"), []).append(alert["detector"])
    # the first two pay an account of which nothing is known yet, and are told of when they pay again
    told = {victim: ["app_series"] if victim in again else ["app_scam"] for victim in victims}
    assert {who: sorted(detectors) for who, detectors in found.items()} == told | FOUND


@pytest.mark.parametrize("identifier", [MULE, LINE])
def test_a_known_identifier_leads_to_its_alerts_and_the_look_up_is_audited(
    demo: tuple[Path, str], identifier: str
) -> None:
    folder, _ = demo
    detector = FOUND[identifier][0]
    token = token_of(folder, identifier, f"case about {detector}")
    assert re.fullmatch(r"[a-z]+:k1-[0-9a-f]{32}", token)
    lines = linewatch(folder, "alerts", "--about", token, "--json").stdout.splitlines()
    about = [json.loads(line) for line in lines]
    assert sorted(each["detector"] for each in about if subject_of(each) == token) == FOUND[identifier]
    # and to those that hold it beside the one they are about: whoever the mule was paid by
    beside = [each for each in about if subject_of(each) != token]
    assert beside == [each for each in alerts_of(folder) if each in beside]
    assert {each["detector"] for each in beside} == (
        {"app_scam", "app_series"} if identifier == MULE else set()
    )
    assert len(beside) == (len(sample.VICTIMS) if identifier == MULE else 0)
    trail = AlertStore(f"sqlite:///{folder / 'linewatch-data' / 'alerts.sqlite'}").audit_trail(token)
    assert [(row.op, row.actor, row.why) for row in trail] == [
        ("CONSULT", "DC 1234", f"case about {detector}")
    ]


def test_no_identifier_of_the_inputs_is_in_what_is_kept(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    identifiers = (sample.LINE_NUMBER.encode(), sample.account(sample.MULE).encode())
    kept = [
        path for path in (folder / "linewatch-data").rglob("*") if path.is_file() and path.suffix != ".ndjson"
    ]
    kept.append(folder / "linewatch-data" / "demo" / "alerts.ndjson")
    assert any(path.name == "alerts.sqlite" for path in kept)
    for path in kept:
        for identifier in identifiers:
            assert identifier not in path.read_bytes(), path


def test_a_replay_of_the_same_files_says_the_same_to_a_program(
    demo: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = demo
    week = folder / "linewatch-data" / "demo"
    inputs = ["--payments", str(week / "payments.ndjson"), "--telecoms", str(week / "telecoms.ndjson")]
    key = ["--data", str(folder / "linewatch-data"), "--store", "sqlite:///again.sqlite"]
    done = linewatch(tmp_path, "replay", *inputs, *key, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert set(summary["events"]) == {"payments", "telecoms"}
    assert summary["alerts_raised"] == len(alerts_of(folder)) > 0
    again = linewatch(tmp_path, "alerts", "--store", "sqlite:///again.sqlite", "--json").stdout
    assert again == linewatch(folder, "alerts", "--json").stdout


def test_the_demo_stops_when_its_time_is_over(demo: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = demo
    payments = folder / "linewatch-data" / "demo" / "payments.ndjson"
    done = linewatch(tmp_path, "demo", "--payments", str(payments), "--follow", "--seconds", "4")
    assert done.returncode == 0, done.stderr
    assert "events in" not in done.stdout
    assert "Next: linewatch alerts" in done.stdout


def test_a_store_that_cannot_be_is_told_before_long_work(tmp_path: Path, demo: tuple[Path, str]) -> None:
    folder, _ = demo
    payments = folder / "linewatch-data" / "demo" / "payments.ndjson"
    done = linewatch(tmp_path, "replay", "--payments", str(payments), "--store", "nonsense://x")
    assert done.returncode == 1
    assert "the store cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "linewatch.toml").write_text("shards = 3\n")
    done = linewatch(tmp_path, "alerts")
    assert done.returncode == 1
    assert "shards" in done.stderr
    assert "power of two" in done.stderr
    (tmp_path / "linewatch.toml").write_text("shards = = 3\n")
    assert "is not TOML" in linewatch(tmp_path, "alerts").stderr


def test_a_part_that_this_build_lacks_is_said_plainly() -> None:
    with pytest.raises(ConsoleError, match="does not have"):
        room("flows.nothing_of_the_kind", "nothing")


def test_a_made_up_world_is_written_with_its_truth_apart(tmp_path: Path) -> None:
    done = linewatch(
        tmp_path, "simulate", "--people", "500", "--days", "1", "--seed", "3", "--out", "world", "--json"
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["people"] == 500
    assert said["records"]["payments"] == len(
        (tmp_path / "world" / "payments.ndjson").read_bytes().splitlines()
    )
    assert (tmp_path / "world" / "truth" / "truth.ndjson").exists()
    wrong = linewatch(tmp_path, "simulate", "--out", "other", "--scenario", "nowhere")
    assert wrong.returncode == 1
    assert "no scenario nowhere" in wrong.stderr
