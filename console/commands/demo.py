"""`linewatch demo`: the main job in one process on embedded defaults, with a live view."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import typer

from console import sample
from console.commands.alerts import about
from console.live import LiveView, Tail
from console.living import living_world
from console.options import Accounts, Data, Labels, Learn, Links, Payments, Store, Telecoms, Watch, by_stream
from console.output import screen
from console.progress import progress_line
from console.running import check_store, run_options, say_summary
from console.store import use_data
from console.teaching import Example
from monitoring.exposition import Exposition

EXAMPLES: Final = (
    Example("linewatch demo", "a made-up world, five days in half a minute; ends by itself"),
    Example("linewatch demo --story", "a small fixed week with one mule and one line, over in seconds"),
    Example("linewatch demo --seconds 30", "the same, for half a minute at most"),
    Example(
        "linewatch demo --learn", "learning as it goes; then linewatch models lessons and measures show what"
    ),
    Example(
        "linewatch demo --payments payments.ndjson --follow",
        "your own file, followed as it grows, until you stop it",
    ),
)


def demo(
    payments: Payments = None,
    telecoms: Telecoms = None,
    accounts: Accounts = None,
    labels: Labels = None,
    links: Links = None,
    watch: Watch = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Do not end with the input: wait for more.")
    ] = False,
    story: Annotated[
        bool, typer.Option("--story", help="A small fixed week with one mule and one line: over in seconds.")
    ] = False,
    learn: Learn = None,
    store: Store = None,
    data: Data = None,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port for /metrics; 0 takes any free one.")
    ] = 0,
) -> None:
    """See the main job: streams flow, alerts appear with their campus, what and why.

    It needs nothing but this command. Without inputs a made-up world of a few thousand people happens beside it, five
    days in half a minute, with far more crime than in life and every innocent look-alike; every identifier in it is
    from a range reserved for examples. It ends when the world does.
    """
    folder = use_data(data)
    given = by_stream(payments, telecoms, accounts, labels, links, watch)
    from flows.running import replay
    from flows.source import Watch as FlowWatch

    made_up = not any(given.values())
    made = folder / "demo"
    following, summary = FlowWatch(), None
    with ExitStack() as stack:
        if made_up and story:
            given |= {stream: [str(path)] for stream, path in sample.write(made).items()}
        elif made_up:
            given |= stack.enter_context(living_world(made, following))
        options = run_options(
            given,
            store=store,
            folder=folder,
            follow=follow or (made_up and not story),
            learn=learn,
            alerts_out=made / "alerts.ndjson",
        )
        check_store(options.store)
        served = stack.enter_context(Exposition(metrics_port))
        stack.enter_context(_time_limit(seconds))
        whose = " of a made-up world" if made_up else ""
        heading = [
            f"reading {', '.join(s for s, where in given.items() if where)}{whose}; alerts go to {options.store}",
            f"metrics on {served.url}/metrics, health on {served.url}/healthz, readiness on {served.url}/readyz",
        ]
        view = stack.enter_context(LiveView(heading, Tail(made / "alerts.ndjson").fresh, cache(about)))
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))

        summary = replay(options, view.at, following)
    if summary is not None:
        say_summary(summary)
    elif view.progress is not None:
        screen().print(f"stopped after {progress_line(view.progress)}", markup=False)
    screen().print(
        f"\nNext: linewatch alerts{_same_place(store, data)}, then linewatch alert ID", markup=False
    )


@contextlib.contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Stop as Ctrl+C would when the time is over."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _same_place(store: str | None, data: Path | None) -> str:
    if store is not None:
        return f" --store {store}"
    return f" --data {data}" if data is not None else ""
