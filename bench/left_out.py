"""What each field is worth: the same world told again and again, each time with something that suppliers leave out.

Few suppliers send everything that the contract has room for. This says what is lost without it, before anyone signs
an agreement on data: the share of crimes found and the false alarms of every retelling, beside those of the whole world.

    linewatch simulate --people 8000 --days 10 --scenario enriched --format parquet --out WORLD
    python -m bench.left_out WORLD --out left-out.json
    python -m bench.left_out WORLD --only devices --only cells
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from events.codes import STREAMS
from models.evaluating.result import OfTypology, Result


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a retelling lacks: fields of a stream, whole streams, and rows of a stream."""

    says: str
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    streams: tuple[str, ...] = ()
    rows: Mapping[str, pl.Expr] = field(default_factory=dict)


class Told(msgspec.Struct, frozen=True):
    """What the alerts of one retelling found: crimes there and found by kind, and false alarms by detector."""

    says: str
    there: dict[str, int]
    found: dict[str, int]
    alerts: int
    false: dict[str, int]


_TELECOMS: Final = "telecoms fraud"
COLUMNS: Final[Mapping[str, str]] = {
    "line": "lines",
    "runner": "runners",
    "cuckoo": "cuckooed homes",
    "mule_network": "mule networks",
    "app_case": "payment scams",
    "takeover": "takeovers",
    "card_testing": "card testing",
    "card_not_present": "cards online",
}
"""The column of a kind or typology of crime; all others are telecoms fraud."""

RETELLINGS: Final[Mapping[str, LeftOut]] = {
    "nothing": LeftOut("nothing"),
    "calls-as-they-begin": LeftOut(
        "records of calls as they begin (`phase` start)",
        rows={"telecoms": pl.col("phase").eq_missing("start")},
    ),
    "cells": LeftOut(
        "where telephones were (`cell`, `lat`, `lon`, `force`, kind `location`)",
        {"telecoms": ("cell", "cell_end", "lat", "lon", "force", "visited_plmn")},
        rows={"telecoms": pl.col("kind") == "location"},
    ),
    "handsets": LeftOut(
        "handsets (`imei`, kind `device_change`)",
        {"telecoms": ("imei", "previous_imei")},
        rows={"telecoms": pl.col("kind") == "device_change"},
    ),
    "sims": LeftOut(
        "SIMs (`imsi`, `sim_activated`, `prepaid`, kind `sim_change`)",
        {"telecoms": ("imsi", "iccid", "previous_imsi", "previous_iccid", "sim_activated", "prepaid")},
        rows={"telecoms": pl.col("kind") == "sim_change"},
    ),
    "network-numbers": LeftOut(
        "the network's own number and where a call came in",
        {"telecoms": ("network_number", "ingress")},
    ),
    "devices": LeftOut(
        "the bank's devices (`device_id`, `ip`)",
        {"payments": ("device_id", "ip"), "accounts": ("device_id", "ip")},
    ),
    "account-events": LeftOut("the stream `accounts` (logins, new payees, resets)", streams=("accounts",)),
    "names": LeftOut("Confirmation of Payee (`cop`)", {"payments": ("cop", "cop_overridden")}),
    "new-payees": LeftOut("whether a payee is new (`new_payee`)", {"payments": ("new_payee",)}),
    "openings": LeftOut("when accounts were opened", {"payments": ("payer_opened", "payee_opened")}),
    "balances": LeftOut("balances", {"payments": ("payer_balance_minor", "payee_balance_minor")}),
    "phones": LeftOut(
        "customers' telephones (`payer_phone`, `payee_phone`, `paid_by`, the stream `links`)",
        {"payments": ("payer_phone", "payee_phone", "beneficiary_number"), "telecoms": ("paid_by",)},
        streams=("links",),
    ),
    "ages": LeftOut(
        "age bands",
        {"payments": ("payer_age_band", "payee_age_band"), "telecoms": ("age_band",)},
    ),
    "shops": LeftOut(
        "where cards were used (`merchant_id`, `terminal_id`, `mcc`, `lat`, `lon`)",
        {"payments": ("merchant_id", "terminal_id", "mcc", "lat", "lon", "force")},
    ),
    "payment-ids": LeftOut("the payment's own id, by which two banks' records are one", {"payments": ("payment_id",)}),
    "outcomes": LeftOut("outcomes (the stream `labels`)", streams=("labels",)),
}  # fmt: skip


def retold(world: Path, without: LeftOut, folder: Path) -> dict[str, Path]:
    """The world's streams without what is left out."""
    told = {}
    for stream in STREAMS:
        source = world / f"{stream}.parquet"
        if stream in without.streams or not source.exists():
            continue
        if stream not in without.fields and stream not in without.rows:
            told[stream] = source
            continue
        frame = pl.scan_parquet(source)
        if stream in without.rows:
            frame = frame.filter(~without.rows[stream])
        told[stream] = folder / source.name
        frame.drop(without.fields.get(stream, ()), strict=False).sink_parquet(told[stream])
    return told


def found(world: Path, without: LeftOut) -> Told:
    """What one retelling's alerts found."""
    with tempfile.TemporaryDirectory(prefix="linewatch-left-out-") as temporary:
        run = Path(temporary) / "run"
        streams = retold(world, without, Path(temporary))
        given = [text for stream, path in streams.items() for text in (f"--{stream}", str(path))]
        _asked("replay", *given, "--data", str(run))
        answer = _asked("evaluate", "--truth", str(world / "truth"), "--data", str(run))
    result = msgspec.json.decode(answer, type=Result)
    there: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for each in result.typologies:
        if each.level == "typology":
            there[_column(each)] += each.crimes
            caught[_column(each)] += each.found
    false = {each.id: each.false for each in result.detectors if each.false}
    return Told(without.says, dict(there), dict(caught), result.totals.alerts, false)


def _column(typology: OfTypology) -> str:
    return COLUMNS.get(typology.name) or COLUMNS.get(typology.kind) or _TELECOMS


def _asked(*arguments: str) -> bytes:
    """What a command of Linewatch's answers."""
    command = [sys.executable, "-m", "console.cli", *arguments, "--json"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def table(retellings: Iterable[Told]) -> str:
    """All retellings as one table in Markdown: found of those there, and false alarms."""
    retellings = list(retellings)
    columns = [c for c in (*COLUMNS.values(), _TELECOMS) if any(c in told.there for told in retellings)]
    columns = list(dict.fromkeys(columns))
    rows = [["left out", *columns, "false alarms"], ["---", *("---:" for _ in columns), "---:"]]
    for told in retellings:
        shares = [f"{told.found.get(c, 0)} of {told.there.get(c, 0)}" for c in columns]
        rows.append([told.says, *shares, str(sum(told.false.values()))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.left_out", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("world", type=Path, help="a world in Parquet, with its truth")
    parser.add_argument("--only", action="append", choices=RETELLINGS, help="only this (may be said again)")
    parser.add_argument("--out", type=Path, help="also write everything as JSON here, after each retelling")
    given = parser.parse_args(arguments)
    done: dict[str, Told] = {}
    for name in given.only or RETELLINGS:
        print(f"without {RETELLINGS[name].says} ...", file=sys.stderr, flush=True)
        done[name] = found(given.world, RETELLINGS[name])
        if given.out:
            given.out.write_bytes(msgspec.json.format(msgspec.json.encode(done), indent=2))
    print(table(done.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
