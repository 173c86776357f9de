"""From a command's options to what the flow is asked to do, and what it says when it is done."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from console import wording
from console.errors import ConsoleError
from console.output import screen
from console.rooms import room
from console.store import data_folder, store_url


def run_options(
    inputs: Mapping[str, Sequence[str] | None],
    *,
    store: str | None,
    data: Path | None,
    recovery: Path | None = None,
    processes: int | None = None,
    metrics_port: int | None = None,
    follow: bool = False,
) -> Any:
    """What the flow is asked to do.

    Raises:
        ConsoleError: there is nothing to read, or a file is not there.
    """
    given = {stream: tuple(where) for stream, where in inputs.items() if where}
    if not given:
        raise ConsoleError("There is nothing to read: say at least one of --" + ", --".join(inputs) + ".")
    for stream, places in given.items():
        for where in places:
            if where != "-" and "://" not in where and not Path(where).exists():
                raise ConsoleError(f"--{stream} {where}: there is no such file or folder. Check the path.")
    folder = data_folder(data)
    url = store_url(store, data)
    folder.mkdir(parents=True, exist_ok=True)
    return room("flows.running", "run").RunOptions(
        inputs=given,
        store=url,
        data=folder,
        recovery=recovery,
        processes=processes,
        metrics_port=metrics_port,
        follow=follow,
    )


def summary_plain(summary: Any) -> dict[str, object]:
    """What a flow did, for a program."""
    return {
        "events": dict(summary.events),
        "rejected": dict(summary.rejected),
        "repeats": summary.repeats,
        "late": summary.late,
        "alerts_raised": summary.raised,
        "alerts_amended": summary.amended,
        "seconds": round(summary.seconds, 3),
        "peak_memory_bytes": summary.peak_memory_bytes,
    }


def say_summary(summary: Any) -> None:
    """What a flow did, for a person."""
    out = screen()
    events = sum(summary.events.values())
    rate = f", {wording.count(events / summary.seconds)} a second" if summary.seconds > 0 else ""
    out.print(Text(f"{wording.some(events, 'event')} in {wording.took(summary.seconds)}{rate}"))
    for stream, number in summary.events.items():
        out.print(Text(f"  {stream}: {wording.count(number)}"))
    refused = sum(summary.rejected.values())
    out.print(
        Text(
            f"refused {wording.count(refused)}, repeats {wording.count(summary.repeats)}, late {wording.count(summary.late)}"
        )
    )
    for reason, number in summary.rejected.items():
        out.print(Text(f"  refused, {wording.spoken(reason)}: {wording.count(number)}"))
    out.print(
        Text(f"{wording.some(summary.raised, 'alert')} raised, {wording.count(summary.amended)} amended")
    )
    out.print(Text(f"peak memory {wording.size(summary.peak_memory_bytes)}"))
