"""From a command's options to what the flow is asked to do, and what it says when it is done."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from console import wording
from console.errors import ConsoleError
from console.output import screen
from console.store import store_url

if TYPE_CHECKING:
    from flows.running import RunOptions, Summary


def run_options(
    inputs: Mapping[str, Sequence[str] | None],
    *,
    store: str | None,
    folder: Path,
    recovery: Path | None = None,
    processes: int | None = None,
    metrics_port: int | None = None,
    follow: bool = False,
    alerts_out: Path | None = None,
    learn: bool | None = None,
) -> "RunOptions":
    """What the flow is asked to do.

    Raises:
        ConsoleError: there is nothing to read, or a file is not there.
    """
    given = {stream: tuple(where) for stream, where in inputs.items() if where}
    if not given:
        raise ConsoleError("There is nothing to read: say at least one of --" + ", --".join(inputs) + ".")
    for stream, places in given.items():
        for where in places:
            _check_input(stream, where)
    from flows.running import RunOptions

    folder.mkdir(parents=True, exist_ok=True)
    return RunOptions(
        inputs=given,
        store=store_url(store, None),
        data=folder,
        recovery=recovery,
        processes=processes,
        metrics_port=metrics_port,
        follow=follow,
        alerts_out=alerts_out,
        learn=learn,
    )


def _check_input(stream: str, where: str) -> None:
    if "://" in where:
        raise ConsoleError(
            f"--{stream} {where}: this build reads files, folders and standard input (-), no other carriers yet."
        )
    if where != "-" and not Path(where).exists():
        raise ConsoleError(f"--{stream} {where}: there is no such file or folder. Check the path.")


def check_store(url: str) -> None:
    """Make sure, before long work begins, that the store is there and has its tables.

    Raises:
        AlertError: it cannot be opened or is not available.
    """
    from alerts.store import AlertStore

    desk = AlertStore(url)
    try:
        desk.migrate()
    finally:
        desk.close()


def summary_plain(summary: "Summary") -> dict[str, object]:
    """What a flow did, for a program."""
    return {
        "events": summary.events,
        "rejected": summary.rejected,
        "dropped": _dropped(summary),
        "repeats": summary.repeats,
        "late": summary.late,
        "alerts_raised": summary.raised,
        "alerts_amended": summary.amended,
        "seconds": round(summary.seconds, 3),
        "peak_memory_bytes": summary.peak_memory_bytes,
        "entities": summary.entities,
        "state_bytes": summary.state_bytes,
    }


def _dropped(summary: "Summary") -> dict[str, int]:
    """What was left out without being refused; what was accepted is told by stream already."""
    return {
        name: number for name, number in summary.dropped.items() if number and not name.startswith("accepted")
    }


def say_summary(summary: "Summary") -> None:
    """What a flow did, for a person."""
    out = screen()
    for line in _lines(summary):
        out.print(line, markup=False)


def _lines(summary: "Summary") -> list[str]:
    events = sum(summary.events.values())
    rate = f", {wording.count(events / summary.seconds)} a second" if summary.seconds > 0 else ""
    lines = [f"{wording.some(events, 'event')} in {wording.took(summary.seconds)}{rate}"]
    lines += [f"  {stream}: {wording.count(number)}" for stream, number in summary.events.items()]
    refused = wording.count(sum(summary.rejected.values()))
    lines.append(
        f"refused {refused}, repeats {wording.count(summary.repeats)}, late {wording.count(summary.late)}"
    )
    lines += [
        f"  refused, {wording.spoken(reason)}: {wording.count(number)}"
        for reason, number in summary.rejected.items()
    ]
    lines += [
        f"  dropped, {wording.spoken(reason)}: {wording.count(number)}"
        for reason, number in _dropped(summary).items()
    ]
    lines.append(
        f"{wording.some(summary.raised, 'alert')} raised, amended {wording.some(summary.amended, 'time')}"
    )
    known = ", ".join(
        f"{wording.count(number)} {kind}s" for kind, number in summary.entities.items() if number
    )
    if known:
        lines.append(f"knows {known} in {wording.size(sum(summary.state_bytes.values()))}")
    lines.append(f"peak memory {wording.size(summary.peak_memory_bytes)}")
    return lines
