"""`linewatch fairness`: whether a detector falls evenly on people of different ages and places."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from console.options import (
    Accounts,
    AsOf,
    Data,
    Horizon,
    Json,
    Labels,
    Links,
    Payments,
    Telecoms,
    Watch,
    by_stream,
)
from console.output import say_json, say_table, screen
from console.store import use_data
from console.teaching import Example

if TYPE_CHECKING:
    from console.retraining import Material
    from models.evaluating.intervals import Share
    from models.fairness import Alarm, Rates

EXAMPLES: Final = (
    Example(
        "linewatch fairness mule_account --from 2026-03-01 --to 2026-05-01 --payments p.parquet --labels l.ndjson",
        "over records, by age band and home force",
    ),
    Example(
        "linewatch fairness mule_account --from 2026-03-01 --to 2026-05-01 --metrics fairness.prom",
        "over the example store, with measures for Prometheus; exit status 3 when a stratum stands out",
    ),
)
STANDS_OUT: Final = 3


def fairness(
    detector: Annotated[str, typer.Argument(metavar="DETECTOR", help="Which detector.")],
    from_: Annotated[str | None, typer.Option("--from", metavar="DATE", help="From when.")] = None,
    to: Annotated[str | None, typer.Option(metavar="DATE", help="Up to when.")] = None,
    as_of: AsOf = None,
    horizon: Horizon = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write measures for Prometheus here.")
    ] = None,
    payments: Payments = None,
    telecoms: Telecoms = None,
    accounts: Accounts = None,
    labels: Labels = None,
    links: Links = None,
    watch: Watch = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Check whether alerts, confirmations and misses fall evenly on people, by age band and home force.

    Looks at everybody whose rows passed the gate, in the records or in the example store. A stratum that is worse off
    than all others, by more than a quarter and beyond chance, is an alarm and makes the exit status 3. Unequal is not
    the same as unfair: somebody has to look.
    """
    from console.commands.models import span_of
    from console.progress import Steps
    from console.retraining import material
    from detectors.discovery import detector as named
    from models.fairness import alarms, rates, seen_of, strata_in
    from models.labels import labelled

    inputs = by_stream(payments, telecoms, accounts, labels, links, watch)
    about, span = named(detector), span_of(from_, to, as_of, horizon)
    with Steps("Fairness", quiet=json) as steps:
        found = material(use_data(data), about, span, inputs, steps.at)
    rows = found.examples.filter(_within(span))
    claim, horizon_us = about.says_when_right(), span.horizon(about.typology)
    known = labelled(rows, found.labels, min(span.as_of, _last(found)), horizon_us, claim=claim)
    told = {by: rates(seen_of(rows, known, by)) for by in strata_in(rows)}
    out = [alarm for by, some in told.items() for alarm in alarms(by, some)]
    if metrics is not None:
        _measure(metrics, about.id, told, out)
    if json:
        say_json(_plain(about.id, told, out))
    else:
        _say(told, out)
    if out:
        raise typer.Exit(STANDS_OUT)


def _within(span: Any) -> Any:
    import polars as pl

    return pl.col("ts").is_between(span.from_ts, span.to_ts, closed="left")


def _last(found: "Material") -> int:
    """When anything was last heard of: silence counts up to then and no longer."""
    return int(max([0, *found.examples["ts"].to_list(), *(label.at for label in found.labels)]))


def _measure(path: Path, detector: str, told: "dict[str, tuple[Rates, ...]]", out: "list[Alarm]") -> None:
    from monitoring.fairness import MEASURES, write

    shares = [
        (by, one.stratum, name, share.share)
        for by, some in told.items()
        for one in some
        for name in MEASURES
        if (share := getattr(one, name)).share is not None
    ]
    write(path, detector, shares, {by: sum(alarm.by == by for alarm in out) for by in told})


def _plain(detector: str, told: "dict[str, tuple[Rates, ...]]", out: "list[Alarm]") -> dict[str, Any]:
    import msgspec

    return {
        "detector": detector,
        "strata": {by: msgspec.to_builtins(some) for by, some in told.items()},
        "alarms": msgspec.to_builtins(out),
    }


def _say(told: "dict[str, tuple[Rates, ...]]", out: "list[Alarm]") -> None:
    say_table(
        ("by", "stratum", "subjects", "alerted", "confirmed", "missed", "wrongly alerted"),
        [
            (
                by,
                one.stratum,
                one.subjects,
                *(_share(s) for s in (one.alerted, one.confirmed, one.missed, one.wrongly)),
            )
            for by, some in told.items()
            for one in some
        ],
    )
    for alarm in out:
        screen().print(f"Stands out: {alarm.words}", markup=False)
    if not out:
        screen().print("No stratum stands out beyond chance.", markup=False)


def _share(share: "Share") -> str:
    return (
        "-"
        if share.share is None
        else f"{share.share:.1%} ({share.low:.1%} to {share.high:.1%}) of {share.of}"
    )
