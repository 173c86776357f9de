"""`linewatch demo`: the main job in one process on embedded defaults, with a live view."""

from typing import Annotated, Final

import typer

from console import sample
from console.commands.alerts import about
from console.live import LiveView
from console.options import Accounts, Data, Labels, Links, Payments, Store, Telecoms, Watch
from console.output import hint
from console.rooms import room
from console.running import run_options, say_summary
from console.store import data_folder, store_url
from console.teaching import Example
from monitoring.exposition import Exposition

EXAMPLES: Final = (
    Example("linewatch demo", "a made-up week; ends by itself"),
    Example("linewatch demo --seconds 30", "the same, for half a minute at most"),
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
    store: Store = None,
    data: Data = None,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port for /metrics; 0 takes any free one.")
    ] = 0,
) -> None:
    """See the main job: streams flow, alerts appear with their campus, what and why.

    It needs nothing but this command. Without inputs it makes up a week of a few hundred people, among them one mule
    account and one deal line; every identifier in it is from a range reserved for examples.
    """
    folder = data_folder(data)
    given = {
        "payments": payments,
        "telecoms": telecoms,
        "accounts": accounts,
        "labels": labels,
        "links": links,
        "watch": watch,
    }
    if not any(given.values()):
        given |= {stream: [str(path)] for stream, path in sample.write(folder / "demo").items()}
    options = run_options(given, store=store, data=data, follow=follow)
    with Exposition(metrics_port) as served:
        heading = [
            f"reading {', '.join(stream for stream, where in given.items() if where)}; alerts go to {store_url(store, data)}",
            f"metrics on {served.url}/metrics, health on {served.url}/healthz, readiness on {served.url}/readyz",
        ]
        with LiveView(heading, lambda: (), lambda detector: about(detector).title) as view:
            summary = room("flows.running", "demo").replay(options, view.at)
    say_summary(summary)
    hint("Next: linewatch alerts, then linewatch alert ID")
