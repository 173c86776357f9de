import builtins
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.record import EPOCH, Alert, Subject, to_cloudevent, to_json, when_text
from alerts.store import AlertStore
from console import plots
from events.tokens import Key, token_of

SECRET = bytes(range(32))
DAY = 86_400_000_000
ACCOUNT, NUMBER = "00000012345678", "+447700900001"


def subject(kind: str, value: str) -> Subject:
    return Subject.of(kind, *token_of(Key("k1", SECRET), kind, value))


@pytest.fixture
def alerts(two_alerts: tuple[Alert, Alert]) -> tuple[Alert, ...]:
    """One about a mule's account, one about a hairdresser's number."""
    mule, line = two_alerts
    return (
        msgspec.structs.replace(mule, subjects=(subject("account", ACCOUNT),)),
        msgspec.structs.replace(line, subjects=(subject("number", NUMBER),)),
    )


@pytest.fixture
def world(tmp_path: Path, alerts: tuple[Alert, ...], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A world of two stories, and the key of the run."""
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", SECRET.hex())
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY_ID", "k1")
    began = alerts[0].raised_ts - 3 * DAY // 24
    truth = (
        {"kind": "mule_network", "id": "mules-1", "typology": "mule_network", "accounts": [ACCOUNT],
         "from": when_text(began)},
        {"kind": "line", "id": "line-1.1", "typology": "internal_line", "numbers": ["+447700900077"],
         "from": when_text(began), "note": '{"flares":false}'},
        {"kind": "innocent", "id": "hairdresser-1", "typology": "hairdresser", "numbers": [NUMBER],
         "from": when_text(began - 9 * DAY)},
    )  # fmt: skip
    folder = tmp_path / "world" / "truth"
    folder.mkdir(parents=True)
    (folder / "truth.ndjson").write_text("".join(json.dumps(row) + "\n" for row in truth))
    start = (EPOCH + (began // DAY - 1) * (EPOCH.resolution * DAY)).date()
    (folder / "world.json").write_text(
        json.dumps(
            {"people": 1000, "subscriptions": 1200, "adults": 800, "days": 5, "start": start.isoformat()}
        )
    )
    return folder


@pytest.fixture
def stored(tmp_path: Path, alerts: tuple[Alert, ...]) -> str:
    url = f"sqlite:///{tmp_path / 'run.sqlite'}"
    store = AlertStore(url)
    store.migrate()
    store.write(alerts, tick=1)
    store.close()
    return url


def test_the_alerts_of_a_store_are_held_against_truth(run: Any, world: Path, stored: str) -> None:
    said = run("evaluate", "--truth", str(world), "--store", stored, "--json")
    assert said.status == 0, said.err
    found = json.loads(said.out)
    assert (found["totals"]["crimes"], found["totals"]["found"], found["totals"]["false"]) == (2, 1, 1)
    lead = {row["name"]: row["lead"] for row in found["typologies"]}["mule_network"]
    assert lead["hours"]["median"] == 3.0
    false = {row["kind"]: row["alerts"] for row in found["false_alarms"]}
    assert false == {"hairdresser": 1}
    budgets = {row["id"]: row["budget"] for row in found["detectors"]}
    assert budgets["deal_line"] is not None
    assert budgets["mule_account"] is not None


def test_the_tables_say_what_was_found_and_what_was_missed(run: Any, world: Path, stored: str) -> None:
    said = run("evaluate", "--truth", str(world / "truth.ndjson"), "--store", stored)
    assert said.status == 0, said.err
    assert "1 found" in said.out
    assert "hairdresser\t1\t" in said.out
    assert "line-1.1\tinternal line\tnever advertises" in said.out
    assert "mule network\t1\t1\t100 % (21 % to 100 %)" in said.out


def test_a_file_of_alerts_does_and_bad_lines_are_counted(
    run: Any, world: Path, alerts: tuple[Alert, ...], tmp_path: Path
) -> None:
    file = tmp_path / "alerts.ndjson"
    file.write_bytes(b"\n".join([to_cloudevent(alerts[1]), b"no alert", to_json(alerts[0]), b"{}", b""]))
    said = run("evaluate", "--truth", str(world), "--alerts", str(file), "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)["totals"]["alerts"] == 2
    assert "2 lines" in said.err
    assert "line 2" in said.err


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_alerts_give_the_same_files_to_the_last_byte(
    run: Any, world: Path, alerts: tuple[Alert, ...], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    for name, order in (("one", alerts), ("two", alerts[::-1])):
        file = tmp_path / "alerts.ndjson"
        file.write_bytes(b"".join(to_json(alert) + b"\n" for alert in order))
        out = str(tmp_path / name)
        said = run("evaluate", "--truth", str(world), "--alerts", str(file), "--out", out)
        assert said.status == 0, said.err
    written = _digests(tmp_path / "one")
    assert set(written) == {
        "result.json",
        *(f"{name}.{form}" for name in plots.PICTURES for form in ("svg", "png")),
    }
    assert written == _digests(tmp_path / "two")


def test_a_quiet_worlds_result_is_taken_up(run: Any, world: Path, stored: str, tmp_path: Path) -> None:
    out = tmp_path / "quiet"
    run("evaluate", "--truth", str(world), "--store", stored, "--out", str(out), "--plots", "none")
    assert [path.name for path in out.iterdir()] == ["result.json"]
    quiet = str(out / "result.json")
    said = run("evaluate", "--truth", str(world), "--store", stored, "--quiet", quiet, "--json")
    found = json.loads(said.out)
    assert found["method"]["false_alarms_from"] == quiet
    lines = next(row for row in found["prevalence"] if row["name"] == "county lines" and not row["detector"])
    assert lines["false"]["count"] == 1
    assert lines["precision"] == 0.0


def test_a_run_told_of_calls_only_when_they_are_over_stands_beside(
    run: Any, world: Path, alerts: tuple[Alert, ...], stored: str, tmp_path: Path
) -> None:
    began = alerts[0].raised_ts - 10 * 60_000_000
    case = {"kind": "app_case", "id": "app-1", "typology": "app_ceo", "accounts": [ACCOUNT, "00000087654321"],
            "from": when_text(began), "to": when_text(began + DAY),
            "note": json.dumps({"victim_account": "00000087654321", "payees": [ACCOUNT]})}  # fmt: skip
    with (world / "truth.ndjson").open("a") as truth:
        truth.write(json.dumps(case) + "\n")
    paid = {"event_id": "p1", "payer_account": "00000087654321", "payee_account": ACCOUNT, "amount_minor": 90_000,
            "status": "accepted", "ts": when_text(began), "recorded_ts": when_text(began)}  # fmt: skip
    (world.parent / "payments.ndjson").write_text(json.dumps(paid) + "\n")
    later = msgspec.structs.replace(alerts[0], raised_ts=alerts[0].raised_ts + 20 * 60_000_000)
    whole = tmp_path / "whole"
    whole.mkdir()
    store = AlertStore(f"sqlite:///{whole / 'alerts.sqlite'}")
    store.migrate()
    store.write((later,), tick=1)
    store.close()
    asked = ("evaluate", "--truth", str(world), "--store", stored, "--whole-calls", str(whole))
    money = json.loads(run(*asked, "--json").out)["money"]
    assert [row["typology"] for row in money["values"]] == ["app_ceo"]
    hours = [money[run_][0]["hours"]["median"] for run_ in ("values", "whole_calls")]
    assert [round(60 * each) for each in hours] == [10, 30]
    assert "app ceo\t1\t100 %\t100 %\t0 %\t0 %\t10.0\t30.0" in run(*asked).out


def test_without_matplotlib_the_numbers_are_written_and_it_says_what_to_install(
    run: Any, world: Path, stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(name=name)
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    said = run("evaluate", "--truth", str(world), "--store", stored, "--out", str(tmp_path / "out"))
    assert said.status == 1
    assert "pip install matplotlib" in said.err
    assert (tmp_path / "out" / "result.json").exists()


def test_without_a_key_it_says_so_and_makes_none(
    run: Any, world: Path, stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LINEWATCH_TOKEN_KEY")
    said = run("evaluate", "--truth", str(world), "--store", stored, "--data", str(tmp_path / "other"))
    assert said.status == 1
    assert "token key" in said.err
    assert not (tmp_path / "other").exists()


def test_without_the_worlds_size_it_asks_for_it(run: Any, world: Path, stored: str) -> None:
    (world / "world.json").unlink()
    said = run("evaluate", "--truth", str(world), "--store", stored)
    assert said.status == 1
    assert "--people" in said.err
    said = run(
        "evaluate", "--truth", str(world), "--store", stored, "--people", "1000", "--days", "5", "--json"
    )
    assert json.loads(said.out)["world"]["people"] == 1000


def test_truth_that_is_not_there_is_named(run: Any, world: Path, stored: str) -> None:
    (world / "truth.ndjson").unlink()
    said = run("evaluate", "--truth", str(world), "--store", stored)
    assert said.status == 1
    assert "truth.ndjson" in said.err
