"""What is imported passes the door: every record of every shipped map that has a sample, in both formats."""

from pathlib import Path

import polars as pl
import pytest

from events.bases import SYNTHETIC, Bases
from events.door import Door, Source
from events.importing import import_file, load_map
from events.rejected import Where
from events.tokens import Key, KeyRing

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize("out_format", ["ndjson", "parquet"])
@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("amlgentex", "amlgentex/tx_log.parquet"),
        ("amlsim-20k", "amlsim/20K_fanin200cycle200_transactions.parquet"),
        ("amlsim-20k-accounts", "amlsim/20K_fanin200cycle200_nodes.parquet"),
    ],
)
def test_the_door_takes_every_record(tmp_path: Path, name: str, sample: str, out_format: str) -> None:
    summary = import_file(name, SAMPLES / sample, tmp_path, out_format=out_format)
    source = load_map(name).source
    door = Door(KeyRing(Key("t", b"0" * 32)), Bases.demo(), [Source(source, basis=SYNTHETIC)])
    for stream, path in summary.outputs.items():
        chunk = pl.read_parquet(path) if out_format == "parquet" else path.read_bytes()
        taken = door.decode(stream, chunk, source="", where=Where(path.name))
        assert taken.counts == {"accepted": summary.records_out[stream]}
        assert set(taken.frame["source"]) == {source}
