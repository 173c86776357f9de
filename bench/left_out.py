"""What each field is worth: the same world told again and again, each time with something that suppliers leave out.

Few suppliers send everything that the contract has room for. This says what is lost without it, before anyone signs
an agreement on data: the share of crimes found and the false alarms of every retelling, beside those of the whole world.

    linewatch simulate --people 8000 --days 10 --scenario enriched --format parquet --out WORLD
    python -m bench.left_out WORLD --out left-out.json
    python -m bench.left_out WORLD --only devices --only cells
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from events.codes import STREAMS


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a retelling lacks: fields of a stream, whole streams, and rows of a stream."""

    says: str
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    streams: tuple[str, ...] = ()
    rows: Mapping[str, pl.Expr] = field(default_factory=dict)


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


def found(world: Path, without: LeftOut) -> dict[str, Any]:
    """Crimes there and found by kind, and the false alarms, of one retelling."""
    with tempfile.TemporaryDirectory(prefix="linewatch-left-out-") as temporary:
        run = Path(temporary) / "run"
        streams = retold(world, without, Path(temporary))
        given = [text for stream, path in streams.items() for text in (f"--{stream}", str(path))]
        _asked("replay", *given, "--data", str(run))
        told = _asked("evaluate", "--truth", str(world / "truth"), "--data", str(run))
    there: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for each in told["typologies"]:
        there[each["kind"]] += each["crimes"]
        caught[each["kind"]] += each["found"]
    false = {each["name"]: each["false"] for each in told["detectors"] if each["false"]}
    kinds = {kind: {"there": there[kind], "found": caught[kind]} for kind in sorted(there) if there[kind]}
    return {"says": without.says, "kinds": kinds, "alerts": told["totals"]["alerts"], "false": false}


def _asked(*arguments: str) -> dict[str, Any]:
    """What a command of Linewatch's answers."""
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", *arguments, "--json"], check=True, stdout=subprocess.PIPE
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def table(retellings: Mapping[str, dict[str, Any]]) -> str:
    """All retellings as one table in Markdown."""
    kinds = sorted({kind for one in retellings.values() for kind in one["kinds"]})
    rows = [
        ["left out", *(kind.replace("_", " ") for kind in kinds), "false alarms"],
        ["---", *("---:" for _ in kinds), "---:"],
    ]
    for one in retellings.values():
        told = [one["kinds"].get(kind, {"there": 0, "found": 0}) for kind in kinds]
        shares = [f"{each['found']} of {each['there']}" for each in told]
        rows.append([one["says"], *shares, str(sum(one["false"].values()))])
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
    done = {}
    for name in given.only or RETELLINGS:
        print(f"without {RETELLINGS[name].says} ...", file=sys.stderr, flush=True)
        done[name] = found(given.world, RETELLINGS[name])
        if given.out:
            given.out.write_text(json.dumps(done, indent=2))
    print(table(done))


if __name__ == "__main__":
    main(sys.argv[1:])
