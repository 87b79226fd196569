"""Amounts of money: whole minor units of an ISO 4217 currency, never floats and never one scale for all."""

from typing import Final

EXPONENTS: Final = {
    "AED": 2, "AUD": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CLP": 0, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2,
    "IDR": 2, "INR": 2, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "MXN": 2, "NOK": 2, "NZD": 2, "OMR": 3, "PLN": 2,
    "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2, "TND": 3, "TRY": 2, "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip
"""Digits of the minor unit, by currency: https://www.six-group.com/en/products-services/financial-information/data-standards.html"""

AMOUNT_MAX_MINOR: Final = 10**12


def in_words(amount_minor: int, currency: str) -> str:
    """An amount for people, such as `USD 4.99`, `JPY 750`, `KWD 1.550`. Raises KeyError for an unknown currency."""
    exponent = EXPONENTS[currency]
    whole, rest = divmod(amount_minor, 10**exponent)
    return f"{currency} {whole:,}" + (f".{rest:0{exponent}d}" if exponent else "")


def decimal(amount_minor: int, currency: str) -> str:
    """A plain decimal for programs, such as `4.99`, `750`, `1.550`. Raises KeyError for an unknown currency."""
    exponent = EXPONENTS[currency]
    digits = str(abs(amount_minor)).rjust(exponent + 1, "0")
    sign = "-" if amount_minor < 0 else ""
    return sign + (f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits)
