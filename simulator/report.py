"""The realism report: what a made-up world looks like beside published figures and, where given, real records.

`measure` counts in what was written (never in the world itself), so it would measure real records the same way.
`report` writes the figures as Markdown and JSON and draws volumes, degrees, call lengths, times between messages,
amounts and hour profiles. matplotlib is needed for the plots only.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from simulator.arrays import Floats
from simulator.errors import SimulationError

MONTH: Final = 28
"""Days a run must have before monthly payments are measured."""
_LONDON: Final = "Europe/London"
_DAYS_SHOWN: Final = 8
"""Days named below a plot at most."""
_ENTRIES_INSIDE: Final = 4
"""A legend with more entries stands beside its plot."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a world beside the published one."""

    name: str
    value: float
    published: float
    low: float
    """From here to `high` a world's own draw may lie: the range of its parameters, and chance."""
    high: float
    source: str

    @property
    def within(self) -> bool:
        """Whether it lies where it may."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True, slots=True)
class Counted:
    """How many there are to divide by, as `truth/world.json` says."""

    people: int
    adults: int
    subscriptions: int
    days: int


def counted(folder: Path) -> Counted:
    """What a run says of its world.

    Raises:
        SimulationError: the folder holds no run.
    """
    try:
        world = json.loads((folder / "truth" / "world.json").read_text(encoding="utf-8"))
        return Counted(*(int(world[name]) for name in ("people", "adults", "subscriptions", "days")))
    except (OSError, KeyError, ValueError) as error:
        raise SimulationError(
            f"{folder} holds no simulated world ({error}); run `linewatch simulate` first"
        ) from error


def records(folder: Path, stream: str) -> pl.LazyFrame:
    """The records of a stream, each once, times as instants."""
    path = folder / f"{stream}.parquet"
    if path.exists():
        return pl.scan_parquet(path).unique("event_id", maintain_order=True)
    lines = pl.scan_ndjson(folder / f"{stream}.ndjson", infer_schema_length=20_000)
    return lines.with_columns(
        pl.col("ts", "recorded_ts").str.to_datetime(time_unit="us", time_zone="UTC")
    ).unique("event_id", maintain_order=True)


def measure(folder: Path) -> list[Measure]:
    """The world's figures beside the published ones."""
    n = counted(folder)
    telecoms, payments = records(folder, "telecoms"), records(folder, "payments")
    return [*_telecoms(telecoms, n), *_payments(payments, n)]


def _telecoms(telecoms: pl.LazyFrame, n: Counted) -> list[Measure]:
    each = n.subscriptions * n.days
    sent = (pl.col("direction") == "mo") & pl.col("kind").is_in(["sms", "mms"])
    over = (
        (pl.col("kind") == "call")
        & (pl.col("direction") == "mo")
        & pl.col("phase").is_in(["complete", "end"])
    )
    session = pl.col("kind") == "data"
    row = telecoms.select(
        texts=sent.sum() / each,
        minutes=pl.col("duration_s").filter(over).sum() / 60 / each,
        megabytes=(pl.col("bytes_up") + pl.col("bytes_down")).filter(session).sum() / 1e6 / each,
        prepaid=pl.col("prepaid").filter(over | sent).mean(),
    ).collect(engine="streaming")
    ofcom = "Ofcom Q4 2025"
    return [
        Measure("texts sent a day by each subscription", row["texts"][0], 0.6, 0.40, 0.85, ofcom),
        Measure("voice minutes a day of each subscription", row["minutes"][0], 4.4, 3.2, 5.8, ofcom),
        Measure("megabytes a day of each subscription", row["megabytes"][0], 369, 230, 520, ofcom),
        Measure(
            "share of calls and texts from prepaid",
            row["prepaid"][0],
            0.25,
            0.12,
            0.34,
            f"derived from {ofcom}",
        ),
    ]


def _payments(payments: pl.LazyFrame, n: Counted) -> list[Measure]:
    each = n.adults * n.days
    once = payments.filter(pl.col("status") == "accepted", pl.col("rail").is_not_null()).unique(
        "payment_id", maintain_order=True
    )
    rail, entry = pl.col("rail"), pl.col("entry_mode")
    person = pl.col("payer_age_band").is_not_null() | pl.col("payee_age_band").is_not_null()
    row = once.select(
        cards=(rail == "card").sum() / each,
        contactless=(entry == "contactless").sum() / (rail == "card").sum(),
        contactless_mean=pl.col("amount_minor").filter(entry == "contactless").mean() / 100,
        faster=(rail.is_in(["fps", "standing_order", "internal"]) & person).sum() / each,
        debits=(rail == "direct_debit").sum() / each * 30.4,
    ).collect(engine="streaming")
    found = [
        Measure("card payments a day of each adult", row["cards"][0], 1.56, 1.15, 2.2, "UK Finance 2024"),
        Measure(
            "share of card payments contactless", row["contactless"][0], 0.60, 0.48, 0.74, "UK Finance 2024"
        ),
        Measure(
            "mean contactless payment, GBP", row["contactless_mean"][0], 15.86, 12, 20, "UK Finance 2024"
        ),
        Measure(
            "account to account payments a day of each adult",
            row["faster"][0],
            0.25,
            0.12,
            0.45,
            "Pay.UK 2024",
        ),
    ]
    if n.days >= MONTH:  # most are taken on the first of the month, so a shorter run says nothing
        found.append(Measure("direct debits a month of each adult", row["debits"][0], 7.4, 5, 10, "assumed"))
    return found


def report(
    folder: Path, out: Path, *, messages: Path | None = None, kind: Literal["png", "svg"] = "png"
) -> list[Measure]:
    """Write the report of a simulated world to a folder; `messages` is a Parquet file of real ones (`src dst ts`).

    Raises:
        SimulationError: no world there, messages that cannot be read, or matplotlib is missing.
    """
    measures = measure(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "figures.json").write_text(json.dumps([asdict(m) for m in measures], indent=1), encoding="utf-8")
    real = None if messages is None else _real(messages)
    drawn = _plots(folder, out, real, kind)
    (out / "report.md").write_text(_markdown(measures, drawn), encoding="utf-8")
    return measures


def _real(path: Path) -> pl.DataFrame:
    """Real messages: who wrote to whom, and when (seconds since 1970)."""
    try:
        return pl.read_parquet(path, columns=["src", "dst", "ts"])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SimulationError(
            f"{path} is no Parquet file of messages with the columns src, dst and ts ({error})"
        ) from error


def _markdown(measures: list[Measure], plots: list[str]) -> str:
    rows = "\n".join(
        f"| {m.name} | {m.value:.3g} | {m.published:.3g} | {m.low:.3g} to {m.high:.3g} "
        f"| {'yes' if m.low <= m.value <= m.high else 'no'} | {m.source} |"
        for m in measures
    )
    pictures = "\n\n".join(f"![{name.rsplit('.', 1)[0]}]({name})" for name in plots)
    head = "| figure | this world | published | may lie | does | source |\n|---|---|---|---|---|---|"
    said = (
        "Published figures are of ordinary life: a small world with crimes and look-alikes raised by its scenario, or a "
        "run of a few days, may lie outside; `--scenario quiet` shows the background alone."
    )
    return f"# Realism report\n\n{said}\n\n{head}\n{rows}\n\n{pictures}\n"


def _plots(folder: Path, out: Path, real: pl.DataFrame | None, kind: str) -> list[str]:
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise SimulationError("the report's plots need matplotlib: pip install matplotlib") from error
    telecoms, payments = records(folder, "telecoms"), records(folder, "payments")
    pictures: dict[str, Callable[[Any], None]] = {
        "volumes": lambda axes: _draw_volumes(axes, telecoms, payments),
        "degrees": lambda axes: _draw_degrees(axes, telecoms, real),
        "call-lengths": lambda axes: _draw_calls(axes, telecoms),
        "times-between-messages": lambda axes: _draw_gaps(axes, telecoms, real),
        "amounts": lambda axes: _draw_amounts(axes, payments),
        "hours": lambda axes: _draw_hours(axes, telecoms, payments, real),
    }
    names = []
    for name, draw in pictures.items():
        figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
        draw(axes)
        entries = len(axes.get_legend_handles_labels()[0])
        if entries > _ENTRIES_INSIDE:
            axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
        elif entries:
            axes.legend(fontsize=8)
        figure.savefig(out / f"{name}.{kind}", dpi=110)
        plt.close(figure)
        names.append(f"{name}.{kind}")
    return names


def _exceeding(values: Floats) -> tuple[Floats, Floats]:
    """Each value with the share of values that are as large or larger."""
    ordered = np.sort(values)
    return ordered, 1 - np.arange(len(ordered)) / max(len(ordered), 1)


def _tail(axes: Any, values: Floats, label: str) -> None:
    if len(values):
        axes.loglog(*_exceeding(values), drawstyle="steps-post", label=label)


def _draw_volumes(axes: Any, telecoms: pl.LazyFrame, payments: pl.LazyFrame) -> None:
    day = pl.col("ts").dt.convert_time_zone(_LONDON).dt.date()
    days: set[date] = set()
    for frame, by, line in ((telecoms, "kind", "-"), (payments, "rail", "--")):
        counts = frame.group_by(day.alias("day"), by).len().sort("day").collect(engine="streaming")
        for (name,), part in counts.group_by(by, maintain_order=True):
            if name is not None and part.height and int(part["len"].sum()) > 0.002 * int(counts["len"].sum()):
                axes.semilogy(part["day"], part["len"], line, label=str(name), marker=".", markersize=4)
                days |= set(part["day"])
    axes.set(title="Records a day (payments dashed)", ylabel="records")
    shown = sorted(days)[:: -(-len(days) // _DAYS_SHOWN) or 1]
    axes.set_xticks(shown, [f"{then:%a} {then.day} {then:%b}" for then in shown], rotation=30)


def _draw_degrees(axes: Any, telecoms: pl.LazyFrame, real: pl.DataFrame | None) -> None:
    people = telecoms.filter(pl.col("other_kind") == "msisdn", pl.col("direction") == "mo")
    for kind in ("call", "sms"):
        others = (
            people.filter(pl.col("kind") == kind).group_by("number").agg(pl.col("other_number").n_unique())
        )
        _tail(axes, others.collect(engine="streaming")["other_number"].to_numpy(), f"{kind}: people reached")
    if real is not None:
        _tail(
            axes,
            real.group_by("src").agg(pl.col("dst").n_unique())["dst"].to_numpy(),
            "CollegeMsg: people written to",
        )
    axes.set(title="Degree", xlabel="different others", ylabel="share of senders with as many or more")


def _draw_calls(axes: Any, telecoms: pl.LazyFrame) -> None:
    answered = telecoms.filter(pl.col("kind") == "call", pl.col("direction") == "mo", pl.col("answered"))
    _tail(
        axes, answered.select("duration_s").drop_nulls().collect()["duration_s"].to_numpy(), "answered calls"
    )
    axes.set(title="Call length", xlabel="seconds", ylabel="share as long or longer")


def _draw_gaps(axes: Any, telecoms: pl.LazyFrame, real: pl.DataFrame | None) -> None:
    def gaps(frame: pl.DataFrame, who: str) -> Floats:
        times = frame.sort(who, "ts").select(gap=pl.col("ts").diff().over(who)).drop_nulls()
        seconds: Floats = times["gap"].to_numpy().astype(np.float64)
        return seconds[seconds > 0]

    sent = telecoms.filter(pl.col("kind").is_in(["sms", "mms"]), pl.col("direction") == "mo")
    ours = sent.select("number", ts=pl.col("ts").dt.epoch("s")).collect()
    _tail(axes, gaps(ours, "number"), "texts of one sender")
    if real is not None:
        times = ours["ts"].to_numpy()
        span = int(times.max() - times.min()) if len(times) else 0
        _tail(axes, gaps(real, "src"), "CollegeMsg, all of it")
        _tail(
            axes, gaps(_busiest(real, span), "src"), "CollegeMsg, its busiest stretch as long as this world"
        )
    axes.set(title="Time between messages", xlabel="seconds", ylabel="share as long or longer")


def _busiest(real: pl.DataFrame, span: int) -> pl.DataFrame:
    """The stretch of this length (seconds) with the most messages: a short world against all months says little."""
    times = np.sort(real["ts"].to_numpy())
    if len(times) == 0:
        return real
    until = np.searchsorted(times, times + span, side="right")
    first = int(times[np.argmax(until - np.arange(len(times)))])
    return real.filter(pl.col("ts").is_between(first, first + span))


def _draw_amounts(axes: Any, payments: pl.LazyFrame) -> None:
    amounts = (
        payments.select("rail", "entry_mode", pounds=pl.col("amount_minor") / 100)
        .drop_nulls("pounds")
        .collect()
    )
    for rail in ("card", "fps", "direct_debit", "bacs", "cash_withdrawal"):
        _tail(axes, amounts.filter(pl.col("rail") == rail)["pounds"].to_numpy(), rail)
    axes.axvline(15.86, linestyle=":", color="grey", label="published contactless mean")
    axes.set(title="Amounts", xlabel="pounds", ylabel="share as large or larger")


def _draw_hours(axes: Any, telecoms: pl.LazyFrame, payments: pl.LazyFrame, real: pl.DataFrame | None) -> None:
    hour = pl.col("ts").dt.convert_time_zone(_LONDON).dt.hour().alias("hour")
    parts = {
        "calls": telecoms.filter(pl.col("kind") == "call", pl.col("direction") == "mo"),
        "texts": telecoms.filter(pl.col("kind").is_in(["sms", "mms"]), pl.col("direction") == "mo"),
        "card payments": payments.filter(pl.col("rail") == "card"),
        "Faster Payments": payments.filter(pl.col("rail") == "fps"),
    }
    for label, frame in parts.items():
        found = frame.select(hour).collect(engine="streaming")["hour"].to_numpy()
        _hours(axes, found, label, "-")
    if real is not None:
        # The students of CollegeMsg live in California; its times are taken as UTC.
        local = (
            pl.from_epoch(real["ts"]).dt.replace_time_zone("UTC").dt.convert_time_zone("America/Los_Angeles")
        )
        _hours(axes, local.dt.hour().to_numpy(), "CollegeMsg", "--")
    axes.set(title="Hours of the day", xlabel="hour", ylabel="share")


def _hours(axes: Any, hours: Any, label: str, line: str) -> None:
    share = np.bincount(hours, minlength=24) / max(len(hours), 1)
    axes.plot(np.arange(24), share, line, label=label)
