"""Reading what PayPal sent: JSON of which nothing is sure to be there."""

import re
from typing import Any, Final

from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.provider import ProviderAway

AMOUNT: Final = re.compile(r"(\d{1,15})(?:\.(\d{1,6}))?", re.ASCII)


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
