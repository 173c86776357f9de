"""A bench for imports: a map and a source as text in, records, refusals and notes out."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from events.importing import ImportSummary, import_file

Records = list[dict[str, Any]]


@dataclass
class Imported:
    """What an import gave, read back."""

    summary: ImportSummary
    streams: dict[str, Records] = field(default_factory=dict)
    rejected: Records = field(default_factory=list)

    @property
    def payments(self) -> Records:
        return self.streams["payments"]

    @property
    def messages(self) -> list[str]:
        return [each["message"] for each in self.rejected]


def lines(path: Path) -> Records:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [
        {key: value for key, value in json.loads(line).items() if value is not None}
        for line in data.splitlines()
    ]


Bench = Callable[..., Imported]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    def run(map_text: str | Path, source: str | bytes | Path, name: str = "in.csv") -> Imported:
        made = map_text
        if isinstance(map_text, str) and "\n" in map_text:
            made = tmp_path / "map.toml"
            made.write_text(map_text, "utf-8")
        place = source if isinstance(source, Path) else tmp_path / name
        if isinstance(source, str | bytes):
            place.write_bytes(source.encode() if isinstance(source, str) else source)
        out = tmp_path / "out"
        summary = import_file(made, place, out)
        streams = {stream: lines(path) for stream, path in summary.outputs.items()}
        rejected = lines(summary.rejected) if summary.rejected else []
        return Imported(summary, streams, rejected)

    return run


@pytest.fixture
def payments_map() -> Callable[..., str]:
    """A map of a payments CSV whose fields a test may replace."""

    def make(form: str = "csv", reader: str = "", top: str = "", sort: bool = False, **fields: str) -> str:
        rules = {
            "event_id": '{ template = "e{#row}" }',
            "ts": '{ constant = "2024-01-01T00:00:00Z" }',
            "rail": '{ constant = "fps" }',
            "amount_minor": "{ constant = 1 }",
            "payer_account": '{ constant = "A" }',
        } | fields
        written = "\n".join(f"{name} = {rule}" for name, rule in rules.items() if rule)
        return (
            f'source = "t"\nformat = "{form}"\n{top}\n[reader]\n{reader}\n[[record]]\nstream = "payments"\n'
            f"sort = {str(sort).lower()}\n[record.fields]\n{written}\n"
        )

    return make
