"""`python -m bench.handbook RAW`: Linewatch on the Fraud Detection Handbook's payments, by the Handbook's protocol.

RAW is the simulated card payments as one Parquet file (docs/data/handbook.md), or another run of the same generator.
"""

import argparse
import json
import tempfile
from pathlib import Path

from bench.handbook.run import WAYS, run, shown


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.handbook", description=__doc__.split("\n")[0])
    parser.add_argument("raw", type=Path, help="the simulated payments, one Parquet file")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"which of {', '.join(WAYS)}")
    parser.add_argument("--folder", type=Path, help="where contract events are kept for the next time")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        done = run(asked.raw, folder, tuple(asked.ways.split(",")))
    print(json.dumps(done, sort_keys=True) if asked.json else shown(done))


main()
