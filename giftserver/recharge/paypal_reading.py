"""Reading what PayPal sent, JSON of which nothing is sure to be there, and amounts as it writes them."""

import contextlib
import re
from typing import Any, Final

import httpx
import msgspec

from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.provider import ProviderAway, ProviderRefused

AMOUNT: Final = re.compile(r"(\d{1,15})(?:\.(\d{1,6}))?", re.ASCII)
WHOLE: Final = frozenset({"JPY", "HUF", "TWD"})
"""PayPal takes these without decimals, whatever ISO 4217 says: https://developer.paypal.com/reference/currency-codes/"""

CURRENCIES: Final = frozenset(EXPONENTS) & WHOLE.union({
    "AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN",
    "SEK", "SGD", "THB", "USD",
})  # fmt: skip


def value_at(found: Any, *path: str | int) -> Any:
    """What is at this place of what PayPal sent; None when there is nothing."""
    for step in path:
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and len(found) > step else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return found


def text_at(found: Any, *path: str | int) -> str:
    """The text at this place, empty when there is none."""
    text = value_at(found, *path)
    return text if isinstance(text, str) else ""


def list_at(found: Any, *path: str | int) -> list[Any]:
    """The list at this place, empty when there is none."""
    several = value_at(found, *path)
    return several if isinstance(several, list) else []


def sum_minor(movements: list[Any], currency: str) -> int:
    """Minor units of these together, exactly; what is not an amount of this currency is no usable answer."""
    total, digits = 0, EXPONENTS[currency]
    for one in movements:
        read = AMOUNT.fullmatch(text_at(one, "amount", "value"))
        whole, part = read.groups("") if read else ("", "")
        if not read or part[digits:].strip("0") or text_at(one, "amount", "currency_code") != currency:
            raise ProviderAway("an amount cannot be read")
        total += int(whole + part[:digits].ljust(digits, "0"))
    return total


def decimal(amount_minor: int, currency: str) -> str:
    """The amount as PayPal takes it, such as 4.99 and 750. Raises ProviderRefused when it does not take it."""
    if currency not in CURRENCIES:
        raise ProviderRefused(f"PayPal does not take {currency}")
    whole, rest = divmod(amount_minor, 10 ** EXPONENTS[currency])
    if amount_minor <= 0 or (currency in WHOLE and rest):
        raise ProviderRefused("PayPal does not take this amount")
    return f"{whole}" if currency in WHOLE else f"{whole}.{rest:0{EXPONENTS[currency]}d}"


class PayPalNo(ProviderRefused):
    """PayPal's refusal: its HTTP status, the issue it names, and all that it said."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body
        issue = text_at(body, "details", 0, "issue") or text_at(body, "name") or text_at(body, "error")
        self.issue = issue[:64]
        super().__init__(f"HTTP {status} {self.issue}")


def read_answer(answer: httpx.Response) -> Any:
    """What PayPal answered. Raises PayPalNo, and ProviderAway when it is no usable answer."""
    status = answer.status_code
    body = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        body = msgspec.json.decode(answer.content or b"{}")
    if status in (408, 409, 429) or status >= 500 or status < 200 or 300 <= status < 400:
        raise ProviderAway(f"HTTP {status}")
    if status >= 400:
        raise PayPalNo(status, body)
    if not isinstance(body, dict):
        raise ProviderAway("the answer cannot be read")
    return body
