"""The made-up week: the same every time, in order, and nobody in it is real."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console import sample


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return sample.write(tmp_path_factory.mktemp("week"))


def _records(path: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in path.open())


def test_it_is_the_same_every_time(week: dict[str, Path], tmp_path: Path) -> None:
    again = sample.write(tmp_path / "again")
    assert {stream: path.read_bytes() for stream, path in again.items()} == {
        stream: path.read_bytes() for stream, path in week.items()
    }


def test_every_identifier_is_from_a_range_kept_for_examples(week: dict[str, Path]) -> None:
    kept = {
        "number": r"\+447700900\d{3}",
        "other_number": r"\+447700900\d{3}",
        "payer_account": r"0000\d\d-\d{8}",
        "payee_account": r"0000\d\d-\d{8}",
        "imsi": r"00101\d{10}",
        "imei": r"00\d{13}",
        "card": r"tok_\d+",
    }
    seen = set()
    for path in week.values():
        for record in _records(path):
            for name, pattern in kept.items():
                if name in record:
                    seen.add(name)
                    assert re.fullmatch(pattern, record[name]), f"{name}: {record[name]}"
    assert seen == set(kept)


def test_records_are_in_order_and_their_ids_are_their_own(week: dict[str, Path]) -> None:
    for path in week.values():
        records = list(_records(path))
        times = [record["ts"] for record in records]
        assert times == sorted(times)
        assert len({record["event_id"] for record in records}) == len(records)


def test_a_handsets_number_ends_in_its_check_digit(week: dict[str, Path]) -> None:
    for imei in {record["imei"] for record in _records(week["telecoms"])}:
        digits = [int(digit) for digit in imei]
        doubled = [value * 2 - 9 * (value > 4) for value in digits[1::2]]
        assert (sum(digits[0::2]) + sum(doubled)) % 10 == 0
