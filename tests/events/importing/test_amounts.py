"""Amounts: pounds become pence exactly, whatever form they come in."""

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from events.importing.amounts import minor_of_float, minor_of_text, normalised

MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}


def from_texts(texts: list[str], exponent: int, rounding: str = "") -> list[int | None]:
    return (
        pl.DataFrame({"x": texts})
        .select(minor_of_text(pl.col("x"), exponent, rounding))
        .to_series()
        .to_list()
    )


def from_floats(floats: list[float], exponent: int, rounding: str = "") -> list[int | None]:
    frame = pl.DataFrame({"x": floats}, schema={"x": pl.Float64})
    return frame.select(minor_of_float(pl.col("x"), exponent, rounding)).to_series().to_list()


def reference(written: str, exponent: int, rounding: str = "") -> int | None:
    """The slow, obvious way."""
    moved = Decimal(written).scaleb(exponent)
    if moved != moved.to_integral_value() and not rounding:
        return None
    return int(moved.to_integral_value(MODES.get(rounding, ROUND_DOWN)))


amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False)
finer = st.decimals(min_value=-(10**9), max_value=10**9, places=5, allow_nan=False)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(amounts, min_size=1, max_size=200))
def test_pounds_as_text_are_exact_to_the_penny(values: list[Decimal]) -> None:
    texts = [f"{value:f}" for value in values]
    assert from_texts(texts, 2) == [reference(text, 2) for text in texts]


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(amounts, min_size=1, max_size=200))
def test_pounds_as_floats_are_exact_to_the_penny(values: list[Decimal]) -> None:
    assert from_floats([float(value) for value in values], 2) == [
        reference(f"{value:f}", 2) for value in values
    ]


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    st.lists(finer, min_size=1, max_size=100), st.sampled_from([0, 2, 3, 4]), st.sampled_from(["", *MODES])
)
@example(
    [Decimal("1.005"), Decimal("-1.005"), Decimal("0.125"), Decimal("0.135"), Decimal("85.65")], 2, "half_up"
)
@example([Decimal("1.005"), Decimal("2.675"), Decimal("0.285")], 2, "half_even")
@example([Decimal("0.29"), Decimal("1.15"), Decimal("4.35")], 2, "down")
def test_rounding_is_that_of_decimals(values: list[Decimal], exponent: int, rounding: str) -> None:
    texts = [f"{value:f}" for value in values]
    expected = [reference(text, exponent, rounding) for text in texts]

    assert from_texts(texts, exponent, rounding) == expected
    assert from_floats([float(text) for text in texts], exponent, rounding) == expected


def test_a_float_with_noise_in_its_last_place_is_not_taken_for_pennies() -> None:
    assert from_floats([85.64999999999999, 85.65], 2) == [None, 8565]
    assert from_floats([85.64999999999999], 2, "half_up") == [8565]


def test_what_is_no_amount_is_none() -> None:
    odd = ["12.3.4", "", "-", ".", "1e3", "NaN", "inf", "0x10", "1 2", "12,3", "--1", "9" * 17, "１２"]
    assert from_texts(odd, 2) == [None] * len(odd)
    assert from_floats([float("nan"), float("inf"), 1e300, 2.0**62], 2) == [None] * 4


@pytest.mark.parametrize(
    ("written", "decimal", "thousands", "strip", "pence"),
    [
        ("£1,234.50", ".", ",", "£", 123450),
        ("1,234,567", ".", ",", "", 123456700),
        ("1.234,50", ",", ".", "", 123450),
        ("€ 12,5", ",", ".", "€", 1250),
        ("-£0.05", ".", ",", "£", -5),
        ("1,23.4", ".", ",", "", None),
        ("12,34", ".", ",", "", None),
        ("1.5", ",", "", "", None),
        ("0012.30", ".", "", "", 1230),
        ("+7", ".", "", "", 700),
    ],
)
def test_separators_stand_where_they_should(
    written: str, decimal: str, thousands: str, strip: str, pence: int | None
) -> None:
    plain = normalised(pl.col("x"), decimal, thousands, strip)
    assert pl.DataFrame({"x": [written]}).select(minor_of_text(plain, 2, "")).item() == pence


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("GBP", "12.30", 1230), ("JPY", "500", 500), ("KWD", "1.234", 1234)]
)
def test_a_currency_has_its_own_decimals(
    bench: Callable[..., Any], payments_map: Callable[..., str], currency: str, amount: str, minor: int
) -> None:
    made = payments_map(
        amount_minor='{ column = "a", unit = "major", currency = { column = "c" } }',
        currency='{ column = "c" }',
    )
    assert bench(made, f"a,c\n{amount},{currency}\n").payments[0]["amount_minor"] == minor


def test_a_fraction_of_a_yen_is_refused(bench: Callable[..., Any], payments_map: Callable[..., str]) -> None:
    made = payments_map(amount_minor='{ column = "a", unit = "major", currency = { constant = "JPY" } }')
    assert "has more decimals" in bench(made, "a\n5.5\n").messages[0]


def test_signs_are_taken_as_the_map_says(bench: Callable[..., Any], payments_map: Callable[..., str]) -> None:
    def run(sign: str) -> Any:
        return bench(
            payments_map(amount_minor=f'{{ column = "a", unit = "pence", sign = "{sign}" }}'), "a\n-5\n"
        )

    assert run("absolute").payments[0]["amount_minor"] == 5
    assert run("negate").payments[0]["amount_minor"] == 5
    refused = run("as_is")
    assert refused.summary.refused == {"bad_amount": 1}
    assert "is negative" in refused.messages[0]
