"""The live view on a terminal that is none: plain lines, one an alert."""

from dataclasses import dataclass

from alerts.record import Alert
from console.live import LiveView, why
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


def test_each_alert_appears_once_with_campus_what_and_why(capsys, two_alerts: tuple[Alert, Alert]) -> None:
    waiting = [[two_alerts[0]], [two_alerts[1]], []]
    with LiveView(
        ["metrics on http://127.0.0.1:1/metrics"], lambda: waiting.pop(0), lambda _: "Mule"
    ) as view:
        view.at(Progress())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("metrics on")
    assert len(lines) == 3
    assert "rcc-north-west" in lines[1]
    assert "Mule" in lines[1]
    assert "first-time payers in a day: 7 (usually 0)" in lines[1]


def test_progress_in_one_line_names_what_matters() -> None:
    assert progress_line(Progress()) == (
        "1,200 events, 40,000 a second, 2 alerts, 3 refused, at 2026-11-18 11:06"
    )


def test_why_gives_two_reasons_at_most(two_alerts: tuple[Alert, Alert]) -> None:
    assert why(two_alerts[0]).count(";") == 1
