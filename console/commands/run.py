"""`linewatch run`: the dataflow, supervised, until it is stopped."""

from typing import Final

from console.options import (
    Accounts,
    Data,
    Labels,
    Learn,
    Links,
    MetricsPort,
    Payments,
    Processes,
    Recovery,
    Store,
    Telecoms,
    Watch,
    by_stream,
)
from console.running import run_options
from console.store import use_data
from console.teaching import Example

EXAMPLES: Final = (
    Example(
        "linewatch run --payments incoming/payments --telecoms incoming/telecoms",
        "folders, followed as files arrive in them and grow",
    ),
    Example(
        "linewatch run --payments incoming --recovery recovery --processes 4",
        "four processes; after a stop or a crash it goes on where it was",
    ),
    Example(
        "linewatch run --payments incoming --metrics-port 9090",
        "with /metrics, /healthz and /readyz on port 9090",
    ),
)


def run(
    payments: Payments = None,
    telecoms: Telecoms = None,
    accounts: Accounts = None,
    labels: Labels = None,
    links: Links = None,
    watch: Watch = None,
    store: Store = None,
    data: Data = None,
    recovery: Recovery = None,
    processes: Processes = None,
    learn: Learn = None,
    metrics_port: MetricsPort = None,
) -> None:
    """Run the flows until stopped, with a supervisor that starts them again when they fall.

    Files are followed as they grow. State is exactly once and alerts effectively once: kill it at any moment, start
    it again with the same --recovery, and nothing is lost or doubled. A full disk or a store that is down pauses it;
    /readyz then says so, and it goes on by itself.
    """
    folder = use_data(data)
    options = run_options(
        by_stream(payments, telecoms, accounts, labels, links, watch),
        store=store,
        folder=folder,
        recovery=recovery,
        processes=processes,
        learn=learn,
        metrics_port=metrics_port,
        follow=True,
    )
    from flows.running import run as run_on

    run_on(options)
