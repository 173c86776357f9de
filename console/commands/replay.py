"""`linewatch replay`: files through the flows as fast as they go, then stop."""

from typing import Final

from console.options import (
    Accounts,
    Data,
    Json,
    Labels,
    Learn,
    Links,
    Payments,
    Processes,
    Recovery,
    Store,
    Telecoms,
    Watch,
    by_stream,
)
from console.output import hint, say_json
from console.progress import FlowProgress
from console.running import check_store, run_options, say_summary, summary_plain
from console.store import use_data
from console.teaching import Example

EXAMPLES: Final = (
    Example("linewatch replay --payments payments.ndjson", "one file; alerts go to linewatch-data/"),
    Example(
        "linewatch replay --payments payments.parquet --telecoms telecoms.ndjson --labels labels.ndjson",
        "several streams, in the one order of their recorded times",
    ),
    Example(
        "linewatch replay --payments payments.ndjson --store sqlite:///case.sqlite --json",
        "to a store of its own, the summary for a program",
    ),
)


def replay(
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
    json: Json = False,
) -> None:
    """Run files through the flows as fast as they go, then stop and say what was found.

    Any of the inputs may be missing. The same files give the same alerts every time, on any number of processes.
    What cannot be read is refused with a reason and counted; it never stops the run.
    """
    folder = use_data(data)
    options = run_options(
        by_stream(payments, telecoms, accounts, labels, links, watch),
        store=store,
        folder=folder,
        recovery=recovery,
        processes=processes,
        learn=learn,
    )
    from flows.running import replay as run_through

    check_store(options.store)
    with FlowProgress("Replaying", quiet=json) as progress:
        summary = run_through(options, progress.at)
    if json:
        say_json(summary_plain(summary))
        return
    say_summary(summary)
    hint("Next: linewatch alerts")
