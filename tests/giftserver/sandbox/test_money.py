"""Amounts for people."""

import pytest

from giftserver.sandbox.money import in_words


@pytest.mark.parametrize(
    ("amount_minor", "currency", "words"),
    [
        (499, "USD", "USD 4.99"),
        (5, "EUR", "EUR 0.05"),
        (1_234_500, "GBP", "GBP 12,345.00"),
        (1_200, "JPY", "JPY 1,200"),
        (990, "KRW", "KRW 990"),
        (1_234, "KWD", "KWD 1.234"),
        (1, "CLF", "CLF 0.0001"),
    ],
)
def test_the_exponent_is_the_currencys(amount_minor: int, currency: str, words: str) -> None:
    """Minor units are placed by ISO 4217."""
    assert in_words(amount_minor, currency) == words
