"""The live view of a flow: what streams through, and the alerts as they appear, with campus, what and why.

On a terminal it redraws in place; elsewhere it prints one line an alert and one line of rates now and then. A thread
of its own does it, so that it goes on while the flow compiles, waits or works.
"""

import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from alerts.record import Alert, from_json
from console import wording
from console.alert_page import About
from console.output import band, screen
from monitoring.exposition import what_it_waits_for

if TYPE_CHECKING:
    from flows.running import Progress

SHOWN: Final = 12
"""Alerts kept on the screen; the rest are in the store."""
REFRESH_S: Final = 0.5
LINE_EVERY_S: Final = 5.0
RATE_OVER: Final = 6
"""The rate shown is that of so many refreshes."""


class Tail:
    """The alerts that a flow writes to a file, as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)

    def fresh(self) -> Iterator[Alert]:
        """What was written since last asked; a line that is still being written waits."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                yield from_json(line)


class LiveView:
    """Shows a flow under way; give it `at` as the flow's progress call."""

    def __init__(
        self, heading: Sequence[str], fresh: Callable[[], Iterator[Alert]], about: Callable[[str], About]
    ) -> None:
        self._heading = heading
        self._fresh = fresh
        self._about = about
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._rates: deque[tuple[float, int]] = deque(maxlen=RATE_OVER)
        self.progress: Progress | None = None
        self._started = time.monotonic()
        self._last_line = self._started
        self._live: Live | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_showing, name="live view", daemon=True)

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            self._live = Live(self._page(), console=screen(), auto_refresh=False, transient=True)
            self._live.start()
        else:
            for line in (*self._heading, "starting; the first run on a machine compiles for a minute or so"):
                _line(line)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._show()
        if self._live is not None:
            self._live.stop()
            screen().print(self._page())

    def at(self, progress: "Progress") -> None:
        """The flow tells how far it is."""
        self.progress = progress

    def line(self, alert: Alert) -> str:
        """One alert in one line."""
        about = self._about(alert.detector)
        return (
            f"{wording.when_short(alert.last_event_ts)}  {alert.band:<8}  {alert.owner.org_id:<20}  "
            f"{about.title}  ({alert.alert_id[:12]})  {why(alert, about)}"
        )

    def _keep_showing(self) -> None:
        while not self._over.wait(REFRESH_S):
            self._show()

    def _show(self) -> None:
        self._take_alerts()
        if self.progress is not None:
            self._rates.append((time.monotonic(), self.progress.events))
        if self._live is not None:
            self._live.update(self._page(), refresh=True)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            _line(self._state())

    def _take_alerts(self) -> None:
        for alert in self._fresh():
            is_new = alert.alert_id not in self._alerts
            self._alerts[alert.alert_id] = alert
            if is_new and self._live is None:
                _line(self.line(alert))

    def _state(self) -> str:
        waits_for = what_it_waits_for()
        if self.progress is None:
            words = f"starting, {wording.took(time.monotonic() - self._started)}"
            hint = " (the first run on a machine compiles for a minute or so)"
            return words + (
                hint if not waits_for or waits_for == ["starting or stopping"] else f", waits for {waits_for}"
            )
        progress = self.progress
        parts = [
            f"{wording.count(self._rate())} events a second",
            wording.some(progress.events, "event"),
            wording.some(progress.ticks, "tick"),
            f"{wording.count(progress.rejected)} refused",
            wording.some(progress.repeats, "repeat"),
            wording.some(progress.alerts, "alert"),
        ]
        if progress.event_time:
            parts.append(f"event time {wording.when(progress.event_time)}")
        if waits_for:
            parts.append(f"waits for: {', '.join(waits_for)}")
        return ", ".join(parts)

    def _rate(self) -> float:
        if len(self._rates) < 2:
            return self.progress.events_per_second if self.progress is not None else 0.0
        (then, before), (now, after) = self._rates[0], self._rates[-1]
        return (after - before) / max(1e-9, now - then)

    def _page(self) -> RenderableType:
        table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
        for column in ("seen", "band", "campus", "what", "why"):
            table.add_column(column, no_wrap=column in {"seen", "band", "campus"}, overflow="fold")
        for alert in list(reversed(self._alerts.values()))[:SHOWN]:
            about = self._about(alert.detector)
            table.add_row(
                wording.when_short(alert.last_event_ts),
                band(alert.band),
                alert.owner.org_id,
                about.title,
                why(alert, about),
            )
        body: RenderableType = table if self._alerts else Text("no alerts yet", style="dim")
        return Group(
            *(Text(line, style="dim") for line in self._heading),
            Text(self._state(), style="bold"),
            Panel(body, title="Alerts, newest first", title_align="left", border_style="dim"),
        )


def why(alert: Alert, about: About) -> str:
    """The first two reasons in words and numbers."""
    parts = []
    for reason in alert.assessment.reasons[:2]:
        unit = about.unit_of(reason.feature)
        usual = "" if reason.usual is None else f" (usually {wording.value(reason.usual, unit)})"
        parts.append(f"{reason.words}: {wording.value(reason.value, unit)}{usual}")
    return "; ".join(parts)


def _line(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()
