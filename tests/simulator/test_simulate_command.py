"""`linewatch simulate` as it is typed: its flags, what it refuses, and the same bytes in every process."""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from console.cli import run_command
from flows.settings import sources_beside
from simulator.records import STREAMS
from simulator.simulation import SimulationSummary

SMALL = ("--people", "100", "--days", "1")
World = tuple[Path, SimulationSummary]


def typed(*arguments: str, chance: str = "0", cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    """The command in a process of its own, with another order of Python's sets each time."""
    return subprocess.run(
        [sys.executable, "-m", "console.cli", "simulate", *arguments],
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": chance},
        cwd=cwd,
        check=False,
    )


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """With crimes and look-alikes on, as lines and as tables."""
    written: list[dict[str, str]] = []
    for chance in ("1", "2"):
        digests: dict[str, str] = {}
        for format_ in ("ndjson", "parquet"):
            out = tmp_path / chance / format_
            done = typed(
                *(
                    "--people",
                    "300",
                    "--days",
                    "2",
                    "--scenario",
                    "demo",
                    "--format",
                    format_,
                    "--out",
                    str(out),
                ),
                chance=chance,
                cwd=tmp_path,
            )
            assert done.returncode == 0, done.stderr
            for path in sorted(path for path in out.rglob("*") if path.is_file()):
                digests[str(path.relative_to(tmp_path / chance))] = hashlib.sha256(
                    path.read_bytes()
                ).hexdigest()
        written.append(digests)
    assert len(written[0]) == 2 * (len(STREAMS) + 3)
    assert written[0] == written[1]


def test_one_stream_to_standard_output_and_nothing_else(tmp_path: Path) -> None:
    done = typed(*SMALL, "--stream", "--speed", "0", "--out", "-", "--only", "telecoms", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert len(lines) > 500
    assert all("imsi" in line and "stream" not in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_into_a_folder_is_what_a_run_writes(tmp_path: Path) -> None:
    assert run_command(["simulate", *SMALL, "--stream", "--speed", "0", "--out", str(tmp_path / "live")]) == 0
    assert run_command(["simulate", *SMALL, "--out", str(tmp_path / "whole")]) == 0
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            assert (
                path.read_bytes() == (tmp_path / "live" / path.relative_to(tmp_path / "whole")).read_bytes()
            )


def test_a_report_is_drawn_beside_real_messages(tmp_path: Path) -> None:
    import polars as pl

    times = [1_082_040_961 + 60 * i for i in range(200)]
    real = pl.DataFrame({"src": [i % 7 for i in range(200)], "dst": [i % 5 for i in range(200)], "ts": times})
    real.write_parquet(tmp_path / "real.parquet")
    arguments = [
        "--out",
        str(tmp_path / "w"),
        "--report",
        str(tmp_path / "r"),
        "--messages",
        str(tmp_path / "real.parquet"),
    ]
    assert run_command(["simulate", *SMALL, *arguments]) == 0
    page = (tmp_path / "r" / "report.md").read_text(encoding="utf-8")
    pictures = sorted(path.name for path in (tmp_path / "r").glob("*.png"))
    assert len(pictures) == 6
    assert all(f"({name})" in page for name in pictures)


def test_what_the_suppliers_report_is_said_beside_the_streams_as_a_flow_reads_it(
    written: Callable[..., World],
) -> None:
    folder, summary = written(400, 3, scenario="demo")
    told = tomllib.loads((folder / "sources.toml").read_text(encoding="utf-8"))["sources"]
    assert {name: each["legs"] for name, each in told.items()} == dict(summary.sources)
    read = sources_beside({"payments": (str(folder / "payments.ndjson"),)})
    assert {name: str(each.legs) for name, each in read.items()} == dict(summary.sources)
    both = {name for name, legs in summary.sources.items() if legs == "both"}
    seen: dict[str, set[bool]] = {}
    named = set()
    for stream in STREAMS:
        for line in (folder / f"{stream}.ndjson").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            named.add(row["source"])
            if stream == "payments" and "payer_party" in row:
                seen.setdefault(row["source"], set()).add("payee_party" in row and row.get("rail") == "fps")
    assert named <= set(summary.sources)
    assert both
    assert all(True in seen[bank] for bank in both)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--scenario", "nosuch", "--out", "w"), "demo, dirty"),
        (("--scenario", "/nosuch/there", "--out", "w"), "demo, dirty"),
        (("--start", "2025-02-30", "--out", "w"), "2025-03-03"),
        (("--seed", "-3", "--out", "w"), "0 or a larger"),
        (("--out", "taken"), "taken"),
        (("--stream", "--speed", "0", "--out", "taken"), "taken"),
        (("--out", "-"), "--stream"),
        (("--only", "telecoms", "--out", "w"), "--only"),
        (("--stream", "--only", "phones", "--out", "-"), "telecoms"),
        (("--messages", "taken", "--out", "w"), "--report"),
        (("--stream", "--report", "r", "--out", "w"), "--stream"),
        (("--people", "-5", "--out", "w"), "--people"),
        (("--days", "0", "--out", "w"), "--days"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    small = [
        word
        for flag in ("--people", "--days")
        if flag not in arguments
        for word in (flag, "100" if flag == "--people" else "1")
    ]
    assert run_command(["simulate", *small, *arguments]) != 0
    said = capfd.readouterr()
    assert says in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "w").exists()
