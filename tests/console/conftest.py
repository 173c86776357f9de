"""A desk with two alerts on it, made by the same episodes the flow uses, and a way to run one command line."""

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from alerts.episodes import Episodes
from alerts.record import Alert, Counterfactual, Fact, Fire, Reason, Subject
from alerts.store import AlertStore
from console.cli import run_command
from detectors.mule_account import MuleAccount
from places.forces import force_code

T0 = 1_795_000_000_000_000
HOUR = 3_600_000_000


@dataclass(frozen=True)
class Said:
    """What a command line did: its exit status and what it wrote."""

    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in a folder of its own, with no settings but those it makes."""
    import os

    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LINEWATCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LOGNAME", "pc_1234")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, typed: str = "") -> Said:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run_command(list(arguments))
        return Said(status, out.getvalue(), err.getvalue())

    return run


def fire(**changes: object) -> Fire:
    """One firing of mule_account about an account of Greater Manchester."""
    said: dict[str, object] = {
        "seq": 10,
        "ts": T0,
        "recorded_ts": T0,
        "event_id": "p1",
        "source": "made-up",
        "basis": "synthetic-demo",
        "detector": "mule_account",
        "detector_version": str(MuleAccount.version),
        "model_version": MuleAccount.scorecard().name,
        "threat": "fraud",
        "typology": "mule",
        "four_p": "pursue",
        "stream": "payments",
        "subject": Subject("account", "a" * 32),
        "score": 0.91,
        "threshold": 0.5,
        "facts": (Fact("received_24h", 90_000.0, "pence", T0 - HOUR, T0, ("made-up",)),),
        "reasons": (
            Reason("passed_on_24h", "sent on within an hour of coming in, in a day", 85_000.0, 1_200.0, 0.61),
            Reason("strangers_24h", "first-time payers in a day", 7.0, 0.0, 0.39),
        ),
        "features": {"passed_on_24h": 85_000.0, "passed_on_count_7d": 6.0},
        "usual": {"passed_on_24h": 1_200.0},
        "counterfactual": Counterfactual("passed_on_24h", 85_000.0, 21_000.0),
        "home_force": force_code("greater-manchester"),
    }
    return Fire(**(said | changes))  # type: ignore[arg-type]


@pytest.fixture
def two_alerts() -> tuple[Alert, Alert]:
    episodes = Episodes()
    adult = episodes.fire(fire())
    child = episodes.fire(
        fire(
            seq=11,
            event_id="t9",
            detector="deal_line",
            model_version="deal_line-1.0",
            threat="county_lines",
            typology="deal_line",
            stream="telecoms",
            subject=Subject("number", "b" * 32, "possible_victim"),
            minor=True,
            score=0.62,
            home_force=force_code("merseyside"),
            current_force=force_code("norfolk"),
            active_forces=((force_code("norfolk"), 0.8),),
        )
    )
    assert adult is not None
    assert child is not None
    return adult, child


@pytest.fixture
def desk(tmp_path: Path, two_alerts: tuple[Alert, Alert]) -> str:
    """The address of a store that holds the two alerts."""
    url = f"sqlite:///{tmp_path / 'alerts.sqlite'}"
    store = AlertStore(url)
    store.migrate()
    store.write(two_alerts, tick=1)
    store.close()
    return url
