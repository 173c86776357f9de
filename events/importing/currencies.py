"""How many decimals each currency has (ISO 4217), so that amounts become minor units without guessing."""

from typing import Final

TWO_DECIMALS: Final = 2

# ISO 4217:2015 list one ("minor unit" column); every currency not named here and not in NO_MINOR_UNIT has two.
_WITHOUT: Final = (
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"  # no minor unit in use
)
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR: Final = "CLF UYW"

EXPONENTS: Final[dict[str, int]] = (
    dict.fromkeys(_WITHOUT.split(), 0) | dict.fromkeys(_THREE.split(), 3) | dict.fromkeys(_FOUR.split(), 4)
)
"""Currencies whose minor unit is not a hundredth."""


def exponent_of(currency: str) -> int:
    """How many decimals amounts of a currency have."""
    return EXPONENTS.get(currency, TWO_DECIMALS)
