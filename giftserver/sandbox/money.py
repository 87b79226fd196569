"""Amounts for people: integer minor units by the exponents of ISO 4217."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_WHOLE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENT: Final = 2

EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(_WHOLE.split(), 0) | dict.fromkeys(_THOUSANDTHS.split(), 3) | {"CLF": 4, "UYW": 4}
)
"""Decimal places of the currencies that have not two."""


def in_words(amount_minor: int, currency: str) -> str:
    """The amount as people read it: `USD 4.99`, `JPY 1,200`. Amounts are not negative."""
    exponent = EXPONENTS.get(currency, _EXPONENT)
    if exponent == 0:
        return f"{currency} {amount_minor:,}"
    whole, part = divmod(amount_minor, 10**exponent)
    return f"{currency} {whole:,}.{part:0{exponent}}"
