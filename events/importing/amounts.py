"""Amounts of money to minor units, exactly: decimal digits are moved, never multiplied as binary fractions.

A text such as `12.30` is split at its point and put together again as a whole number. A float (Parquet and Excel
exports carry them) stands for the decimal that it is nearest to: 0.29 is 29 pence although 0.29 * 100 is not 29.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

MOST_DIGITS: Final = 18
"""Digits a whole number may have and still fit 64 bits; the contract's own bounds on money are far below."""

_EXACT_FLOAT: Final = 2.0**53
_NEAR_TIE: Final = 1e-6
_MODES: Final = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}

IS_AMOUNT: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$"
"""What an amount looks like once separators are normalised."""


def normalised(text: pl.Expr, decimal: str, thousands: str, strip: str) -> pl.Expr:
    """A written amount with its currency sign and separators taken away, or null when they stand in odd places."""
    for sign in strip:
        text = text.str.replace_all(sign, "", literal=True)
    text = text.str.strip_chars()
    if thousands:
        apart, point = _escaped(thousands), _escaped(decimal)
        grouped = text.str.contains(rf"^[+-]?[0-9]{{1,3}}(?:{apart}[0-9]{{3}})+(?:{point}[0-9]*)?$")
        plain = text.str.contains(thousands, literal=True).not_()
        text = pl.when(grouped | plain).then(text.str.replace_all(thousands, "", literal=True))
    if decimal != ".":
        odd = text.str.contains(".", literal=True)
        text = pl.when(odd.not_()).then(text.str.replace(decimal, ".", literal=True))
    return text


def _escaped(sign: str) -> str:
    return "".join(rf"\x{{{ord(letter):x}}}" for letter in sign)


def minor_of_text(text: pl.Expr, exponent: int, rounding: str) -> pl.Expr:
    """Minor units of a normalised amount; null when it is no amount, too large, or finer than the minor unit."""
    whole = text.str.extract(r"^[+-]?([0-9]*)").str.strip_chars_start("0")
    fraction = text.str.extract(r"\.([0-9]*)$").fill_null("")
    kept = fraction.str.slice(0, exponent).str.pad_end(exponent, "0")
    rest = fraction.str.slice(exponent).str.strip_chars_end("0")
    digits = pl.concat_str(pl.lit("0"), whole, kept).cast(pl.Int64, strict=False)
    fits = (whole.str.len_bytes() <= MOST_DIGITS - exponent) & text.str.contains(IS_AMOUNT)
    if rounding:
        digits = digits + _carry(digits, rest, rounding).cast(pl.Int64)
    else:
        fits = fits & (rest == "")
    signed = pl.when(text.str.starts_with("-")).then(-digits).otherwise(digits)
    return pl.when(fits).then(signed)


def _carry(digits: pl.Expr, rest: pl.Expr, rounding: str) -> pl.Expr:
    """Whether the digits dropped push the last kept one up; `rest` has no zeros at its end, so text order is size."""
    if rounding == "down":
        return pl.lit(False)
    if rounding == "half_up":
        return rest >= "5"
    return (rest > "5") | ((rest == "5") & (digits % 2 == 1))


def minor_of_float(values: pl.Expr, exponent: int, rounding: str) -> pl.Expr:
    """Minor units of a float amount: those of the decimal it is nearest to."""

    def scaled(series: pl.Series) -> pl.Series:
        return _scaled(series, exponent, rounding)

    return values.cast(pl.Float64).map_batches(scaled, return_dtype=pl.Int64, is_elementwise=True)


def _scaled(series: pl.Series, exponent: int, rounding: str) -> pl.Series:
    floats = series.fill_null(np.nan).to_numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        raised = floats * 10.0**exponent
        usable = np.isfinite(raised) & (np.abs(raised) < _EXACT_FLOAT)
        raised = np.where(usable, raised, 0.0)
        nearest = np.rint(raised)
        # x is the float of a decimal with that many places if dividing the whole number gives x back
        exact = nearest / 10.0**exponent == np.where(usable, floats, 0.0)
    if rounding:
        nearest = np.where(exact, nearest, _rounded(floats, raised, usable & ~exact, exponent, rounding))
        exact = np.ones_like(exact)
    whole = pl.Series(series.name, nearest.astype(np.int64))
    return whole.zip_with(
        pl.Series(usable & exact), pl.Series([None], dtype=pl.Int64).new_from_index(0, len(whole))
    )


def _rounded(
    floats: npt.NDArray[np.float64],
    raised: npt.NDArray[np.float64],
    inexact: npt.NDArray[np.bool_],
    exponent: int,
    rounding: str,
) -> npt.NDArray[np.float64]:
    """Rounded minor units; the few that lie near a tie (or a whole) are worked out in decimal."""
    away = np.abs(raised)
    part = away - np.floor(away)
    edge = (
        np.minimum(np.abs(part - 0.5), np.minimum(part, 1 - part))
        if rounding == "down"
        else np.abs(part - 0.5)
    )
    result: npt.NDArray[np.float64] = np.trunc(raised) if rounding == "down" else np.rint(raised)
    for place in np.flatnonzero(inexact & (edge <= np.maximum(_NEAR_TIE, away * 1e-15))):
        moved = Decimal(repr(float(floats[place]))).scaleb(exponent)
        result[place] = float(moved.to_integral_value(_MODES[rounding]))
    return result


def minor_of_whole(values: pl.Expr, exponent: int) -> pl.Expr:
    """Minor units of whole major units."""
    wide = values.cast(pl.Int64, strict=False)
    return pl.when(wide.abs() < 10 ** (MOST_DIGITS - exponent)).then(wide * 10**exponent)
