"""How far long work has got: a bar on a terminal, a line now and then elsewhere, always on standard error."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from console import wording
from console.output import aside

if TYPE_CHECKING:
    from flows.running import Progress as Flow

LINE_EVERY_S: Final = 10.0
"""How often work that nobody watches on a terminal says how far it is."""


class Steps:
    """Work with a known end: so many of so many done."""

    def __init__(self, words: str, *, quiet: bool = False) -> None:
        self._words = words
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self._quiet:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=aside(),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._words, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, done: float, total: float | None = None, words: str = "") -> None:
        """So much is done."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, description=words or self._words)
        elif not self._quiet and time.monotonic() - self._last >= LINE_EVERY_S:
            self._last = time.monotonic()
            of = f" of {wording.count(total)}" if total else ""
            aside().print(f"{words or self._words}: {wording.count(done)}{of}", markup=False)


class FlowProgress:
    """A flow under way: events, rate, event time, refusals, alerts."""

    def __init__(self, words: str, *, quiet: bool = False) -> None:
        self._words = words
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self._quiet:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=aside(),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._words, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, progress: "Flow") -> None:
        """The flow tells how far it is."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=f"{self._words}: {progress_line(progress)}")
        elif progress.events and not self._quiet and time.monotonic() - self._last >= LINE_EVERY_S:
            # alerts of a first tick may be told of before its events are: that would read as alerts of nothing
            self._last = time.monotonic()
            aside().print(f"{self._words}: {progress_line(progress)}", markup=False)


def progress_line(progress: "Flow") -> str:
    """A flow's progress in one line."""
    parts = [
        wording.some(progress.events, "event"),
        f"{wording.count(progress.events_per_second)} a second",
        wording.some(progress.alerts, "alert"),
    ]
    if progress.rejected:
        parts.append(f"{wording.count(progress.rejected)} refused")
    if progress.event_time:
        parts.append(f"at {wording.when_short(progress.event_time)}")
    return ", ".join(parts)
