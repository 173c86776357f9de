"""The live view on a terminal that is none: plain lines, one an alert."""

from dataclasses import dataclass
from pathlib import Path

from alerts.record import Alert, to_json
from console.alert_page import About
from console.live import LiveView, Tail, why
from console.progress import progress_line


@dataclass
class Progress:
    """A flow's progress, as the flow tells it."""

    events: int = 1_200
    rejected: int = 3
    repeats: int = 1
    alerts: int = 2
    ticks: int = 7
    event_time: int = 1_795_000_000_000_000
    events_per_second: float = 40_000.0


ABOUT = About("Mule", units={"passed_on_24h": "pence"})


def test_each_alert_appears_once_with_campus_what_and_why(
    capsys, tmp_path: Path, two_alerts: tuple[Alert, Alert]
) -> None:
    path = tmp_path / "alerts.ndjson"
    tail = Tail(path)
    with LiveView(["metrics on http://127.0.0.1:1/metrics"], tail.fresh, lambda _: ABOUT) as view:
        path.write_bytes(b"".join(to_json(alert) + b"\n" for alert in (*two_alerts, two_alerts[0])))
        view.at(Progress())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("metrics on")
    shown = [line for line in lines if "rcc-north-west" in line]
    assert len(shown) == 2
    assert "Mule" in shown[0]
    assert "in a day: £850.00 (usually £12.00); first-time payers in a day: 7 (usually 0)" in shown[0]


def test_a_line_that_is_still_being_written_waits(tmp_path: Path, two_alerts: tuple[Alert, Alert]) -> None:
    path = tmp_path / "alerts.ndjson"
    path.write_text("left from an earlier run\n")
    tail = Tail(path)
    assert list(tail.fresh()) == []
    whole = to_json(two_alerts[0]) + b"\n"
    path.write_bytes(whole[:100])
    assert list(tail.fresh()) == []
    path.write_bytes(whole)
    assert [alert.alert_id for alert in tail.fresh()] == [two_alerts[0].alert_id]
    assert list(tail.fresh()) == []


def test_progress_in_one_line_names_what_matters() -> None:
    assert progress_line(Progress()) == (
        "1,200 events, 40,000 a second, 2 alerts, 3 refused, at 2026-11-18 11:06"
    )


def test_why_gives_two_reasons_at_most(two_alerts: tuple[Alert, Alert]) -> None:
    assert why(two_alerts[0], ABOUT).count(";") == 1
