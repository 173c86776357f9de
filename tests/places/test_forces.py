"""The table of forces: fixed codes, lookups one by one and by column."""

import polars as pl
import pytest

from places.errors import PlaceError
from places.forces import TERRITORIAL, force, force_code, force_codes, forces


def test_codes_follow_the_ons_codes_of_england_and_wales() -> None:
    territorial = [row for row in forces() if row.kind == "territorial"]
    assert len(territorial) == TERRITORIAL == 43
    assert [row.ons_code for row in territorial] == sorted(row.ons_code for row in territorial)
    assert [row.code for row in territorial] == list(range(1, 44))


def test_forces_without_an_area_come_after_in_a_fixed_order() -> None:
    assert [row.short for row in forces()[43:]] == [
        "btp", "police-scotland", "psni", "mdp", "cnc", "isle-of-man", "jersey", "guernsey",
    ]  # fmt: skip


def test_a_column_of_codes_is_the_codes_one_by_one() -> None:
    names = ["E23000001", "W15000004", None, "", "E99999999", "S92000003", "btp"]
    column = force_codes(names)
    assert column.tolist() == [force_code(name) if name else 0 for name in names]
    assert column.tolist() == [1, 43, 0, 0, 0, 45, 44]
    assert force_codes(pl.Series(names, dtype=pl.String)).tolist() == column.tolist()
    assert force_codes([]).tolist() == []


def test_an_unknown_code_says_which_codes_there_are() -> None:
    assert force(0) is None
    with pytest.raises(PlaceError, match="run from 1 to 51"):
        force(200)


def test_only_police_of_england_and_wales_are_served() -> None:
    assert {row.short for row in forces() if not row.served} == {
        "police-scotland", "psni", "isle-of-man", "jersey", "guernsey",
    }  # fmt: skip
