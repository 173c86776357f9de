"""An alert is scored anew from what was frozen and from the events: the same digits, or it is said which differ."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.record import Alert
from alerts.store import AlertStore
from console.cli import run_command
from detectors.discovery import detector
from detectors.mule_account import MuleAccount
from events.ledger import Tick, stored_in
from flows.controls import lineage_of
from flows.rescoring import Source, from_events, from_frozen
from flows.running import RunOptions, replay
from models.errors import ModelError
from models.learning import Lesson, taught


@dataclass(frozen=True)
class Ran:
    """What a flow left: its data folder with the ledger, its inputs, its alerts."""

    data: Path
    inputs: dict[str, tuple[str, ...]]
    alerts: tuple[Alert, ...]

    def ticks(self) -> Iterator[Tick]:
        return (stored.tick for stored in stored_in(self.data / "ledger"))

    def of(self, name: str) -> Alert:
        return next(alert for alert in self.alerts if alert.detector == name)


def _written(events: list[tuple[str, dict[str, Any]]], folder: Path) -> dict[str, tuple[str, ...]]:
    inputs = {}
    for stream in sorted({stream for stream, _ in events}):
        records = sorted((record for s, record in events if s == stream), key=lambda r: str(r["ts"]))
        path = folder / f"{stream}.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        inputs[stream] = (str(path),)
    return inputs


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A mule, a line whose customers pay, and laundering through accounts: one pass, across streams, a network."""
    data = tmp_path_factory.mktemp("ran")
    events = [
        (stream, dict(record) | {"event_id": f"{name}-{record['event_id']}"})
        for name in ("mule_account", "line_and_money", "mule_network")
        for stream, record in detector(name).examples()[0].events
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
        inputs, url = _written(events, data), f"sqlite:///{data / 'alerts.sqlite'}"
        replay(RunOptions(inputs=inputs, store=url, data=data, bound=False, ledger=True))
        store = AlertStore(url)
        yield Ran(data, inputs, store.alerts(status=None))
        store.close()


@pytest.mark.parametrize("name", ["mule_account", "line_and_money", "mule_network"])
def test_an_alert_comes_out_the_same_from_what_was_frozen_and_from_the_ledger(ran: Ran, name: str) -> None:
    alert = ran.of(name)
    frozen = from_frozen(alert, ran.data, None)
    events = from_events(alert, Source("the ledger", ran.ticks()))
    assert (frozen.outcome, frozen.differences) == ("agrees", ())
    assert (events.outcome, events.differences) == ("agrees", ())
    assert frozen.score == events.score == alert.score
    assert events.compared > frozen.compared > len(detector(name).signals)


def test_one_digit_is_enough_to_differ(ran: Ran) -> None:
    alert = ran.of("mule_account")
    held = alert.assessment
    name, value = next((n, v) for n, v in held.features.items() if v and held.contributions[n])
    bent = msgspec.structs.replace(
        alert,
        assessment=msgspec.structs.replace(held, features=held.features | {name: value * (1 + 1e-12)}),
    )
    events = from_events(bent, Source("the ledger", ran.ticks()))
    assert events.outcome == "differs"
    assert [each.what for each in events.differences] == [f"value of {name}"]
    other = msgspec.structs.replace(alert, score=alert.score + 1e-15)
    assert [each.what for each in from_frozen(other, ran.data, None).differences] == ["score"]


def test_a_version_that_a_lineage_was_at_is_made_again_from_its_lessons(ran: Ran, tmp_path: Path) -> None:
    lineage = lineage_of(tmp_path, MuleAccount)
    for n in range(3):
        values = {s.feature: s.value_at(0.25 * n) for s in MuleAccount.signals}
        lesson = Lesson(alert_id=f"a{n}", at=n, right=n != 1, scored_by="", values=values)
        lineage = taught(lineage, MuleAccount.signals, lesson)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mule_account.json").write_bytes(msgspec.json.encode(lineage))
    second = lineage.lessons[1].version
    alert = msgspec.structs.replace(ran.of("mule_account"), model_version=second)
    look = from_frozen(alert, tmp_path, None)
    assert second in look.why
    assert {"score", "intercept"} <= {
        each.what for each in look.differences
    }  # it was not that one that scored


def test_what_is_gone_is_said_and_is_no_difference(ran: Ran) -> None:
    alert = ran.of("mule_account")
    unknown = msgspec.structs.replace(alert, model_version=f"mule_account-{MuleAccount.version}.0+7.0badf00d")
    assert from_frozen(unknown, ran.data, None).outcome == "gone"
    older = msgspec.structs.replace(alert, detector_version="1")
    assert f"at version {MuleAccount.version} here" in from_frozen(older, ran.data, None).why
    ticks = list(ran.ticks())
    nothing = from_events(alert, Source("the inputs named", iter(ticks[:0])))
    assert nothing.outcome == "gone"
    assert "is not in the inputs named" in nothing.why
    at = alert.assessment.scored_seq
    later = [without_before(tick, at) for tick in ticks]
    cut = from_events(alert, Source("the ledger", iter(later)))
    assert cut.outcome == "gone"
    assert "retention" in cut.why


def without_before(tick: Tick, seq: int) -> Tick:
    """A tick as if everything before a place had been forgotten."""
    rows = {name: frame.filter(frame["seq"] >= seq) for name, frame in tick.rows.items()}
    return Tick(tick.number, max(tick.first_seq, seq), rows)


def test_the_command_says_it_and_its_status_does(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    alert = ran.of("mule_account")
    arguments = ["alert", alert.alert_id, "--replay", "--data", str(ran.data), "--json"]
    named = [word for stream, where in ran.inputs.items() for word in (f"--{stream}", *where)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWATCH_TOKEN_KEY", "5a" * 32)
        for more in ([], named):
            assert run_command([*arguments, *more]) == 0
            told = json.loads(capsys.readouterr().out)
            assert (told["frozen"]["outcome"], told["events"]["outcome"]) == ("agrees", "agrees")
        patch.setattr(MuleAccount, "intercept", MuleAccount.intercept + 1e-9)
        assert run_command(arguments[:-1]) == 1
    said = capsys.readouterr().out
    assert "DIFFERS" in said
    assert "intercept" in said


def test_weights_that_do_not_make_their_name_are_not_believed(tmp_path: Path) -> None:
    from flows.rescoring import model_of

    weights = msgspec.to_builtins(MuleAccount.scorecard().version) | {
        "version": f"mule_account-{MuleAccount.version}.0+1.00000000"
    }
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "decisions.ndjson").write_text(json.dumps({"body": {"weights": weights}}) + "\n")
    with pytest.raises(ModelError, match="are not those it had"):
        model_of(MuleAccount, f"mule_account-{MuleAccount.version}.0+1.00000000", tmp_path, None)
