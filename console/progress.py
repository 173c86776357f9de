"""How far long work has got: a bar on a terminal, a line now and then elsewhere, always on standard error."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Final, Self

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
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


class _Watched:
    """Work under way that somebody may be watching: what it says goes into a bar, or into a line now and then."""

    measures: ClassVar[tuple[ProgressColumn, ...]] = ()
    """What the bar shows beside the words."""

    def __init__(self, words: str, *, quiet: bool = False) -> None:
        self._words = words
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self._quiet:
            says = TextColumn("{task.description}")
            self._bar = Progress(SpinnerColumn(), says, *self.measures, console=aside(), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._words, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _in_bar(self, words: str, done: float | None = None, total: float | None = None) -> bool:
        """Whether there is a bar, which then says this."""
        if self._bar is None or self._task is None:
            return False
        self._bar.update(self._task, completed=done, total=total, description=words)
        return True

    def _line_is_due(self) -> bool:
        """Whether nothing has been said for long enough."""
        return not self._quiet and time.monotonic() - self._last >= LINE_EVERY_S

    def _line(self, words: str) -> None:
        self._last = time.monotonic()
        aside().print(words, markup=False)


class Steps(_Watched):
    """Work with a known end: so many of so many done."""

    measures = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )

    def at(self, done: float, total: float | None = None, words: str = "") -> None:
        """So much is done."""
        words = words or self._words
        if not self._in_bar(words, done, total) and self._line_is_due():
            of = f" of {wording.count(total)}" if total else ""
            self._line(f"{words}: {wording.count(done)}{of}")


class FlowProgress(_Watched):
    """A flow under way: events, rate, event time, refusals, alerts."""

    measures = (TimeElapsedColumn(),)

    def at(self, progress: "Flow") -> None:
        """The flow tells how far it is."""
        words = f"{self._words}: {progress_line(progress)}"
        # alerts of a first tick may be told of before its events are: that would read as alerts of nothing
        if not self._in_bar(words) and progress.events and self._line_is_due():
            self._line(words)


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
