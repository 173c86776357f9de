"""The live view of a flow: what streams through, and the alerts as they appear, with campus, what and why.

On a terminal it redraws in place; elsewhere it prints one line an alert and one line of rates now and then.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from alerts.record import Alert
from console import wording
from console.output import band, screen

SHOWN: Final = 12
"""Alerts kept on the screen; the rest are in the store."""
REFRESH_S: Final = 0.5
LINE_EVERY_S: Final = 5.0


class LiveView:
    """Shows a flow under way; give it `at` as the flow's progress call."""

    def __init__(
        self,
        heading: Sequence[str],
        fresh_alerts: Callable[[], Sequence[Alert]],
        title_of: Callable[[str], str],
    ) -> None:
        self._heading = heading
        self._fresh_alerts = fresh_alerts
        self._title_of = title_of
        self._shown: deque[Alert] = deque(maxlen=SHOWN)
        self._progress: Any = None
        self._last = 0.0
        self._last_line = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            self._live = Live(self._page(), console=screen(), auto_refresh=False, transient=True)
            self._live.start()
        else:
            for line in self._heading:
                _line(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._take_alerts()
        if self._live is not None:
            self._live.update(self._page(), refresh=True)
            self._live.stop()

    def at(self, progress: Any) -> None:
        """The flow tells how far it is."""
        self._progress = progress
        now = time.monotonic()
        if now - self._last < REFRESH_S:
            return
        self._last = now
        self._take_alerts()
        if self._live is not None:
            self._live.update(self._page(), refresh=True)
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            _line(self._rates())

    def _take_alerts(self) -> None:
        for alert in self._fresh_alerts():
            self._shown.appendleft(alert)
            if self._live is None:
                _line(self.line(alert))

    def line(self, alert: Alert) -> str:
        """One alert in one line."""
        return (
            f"{wording.when_short(alert.last_event_ts)}  {alert.band:<8}  {alert.owner.org_id:<8}  "
            f"{self._title_of(alert.detector)}  ({alert.alert_id[:12]})  {why(alert)}"
        )

    def _rates(self) -> str:
        progress = self._progress
        if progress is None:
            return "starting"
        parts = [
            f"{wording.count(progress.events_per_second)} events a second",
            wording.some(progress.events, "event"),
            wording.some(progress.ticks, "tick"),
            f"{wording.count(progress.rejected)} refused",
            wording.some(progress.repeats, "repeat"),
            wording.some(progress.alerts, "alert"),
        ]
        if progress.event_time:
            parts.append(f"event time {wording.when(progress.event_time)}")
        return ", ".join(parts)

    def _page(self) -> RenderableType:
        table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
        for column in ("seen", "band", "campus", "what", "why"):
            table.add_column(
                column, no_wrap=column != "why", overflow="ellipsis", ratio=1 if column == "why" else None
            )
        for alert in self._shown:
            table.add_row(
                wording.when_short(alert.last_event_ts),
                band(alert.band),
                alert.owner.org_id,
                self._title_of(alert.detector),
                why(alert),
            )
        body: RenderableType = table if self._shown else Text("no alerts yet", style="dim")
        return Group(
            *(Text(line, style="dim") for line in self._heading),
            Text(self._rates(), style="bold"),
            Panel(body, title="Alerts, newest first", title_align="left", border_style="dim"),
        )


def why(alert: Alert) -> str:
    """The first two reasons in words and numbers."""
    parts = []
    for reason in alert.assessment.reasons[:2]:
        usual = "" if reason.usual is None else f" (usually {wording.value(reason.usual)})"
        parts.append(f"{reason.words}: {wording.value(reason.value)}{usual}")
    return "; ".join(parts)


def _line(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()
