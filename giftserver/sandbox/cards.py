"""The test cards: what each does. Numbers are looked at and let go; nothing keeps or logs one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal

DIGITS: Final = 16

_NUMBER: Final = re.compile(rf"[0-9]{{{DIGITS}}}")
_EXPIRY: Final = re.compile(r"([0-9]{2})\s*/\s*([0-9]{2})")
_CVC: Final = re.compile(r"[0-9]{3}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens when a card pays: the bank asks (`secure`), then a decline, or a payment that may be disputed."""

    words: str
    decline: str | None = None
    secure: bool = False
    dispute: Literal["warning", "open"] | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A card that was read: only what may be remembered of it."""

    outcome: Outcome
    last_four: str


CARDS: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "4242424242424242": Outcome("Paid"),
        "4000000000003220": Outcome("The bank asks, then paid", secure=True),
        "4000000000003063": Outcome("The bank asks, then too little money", "insufficient_funds", secure=True),
        "4000000000000002": Outcome("Declined", "card_declined"),
        "4000000000009995": Outcome("Declined: too little money", "insufficient_funds"),
        "4000000000000069": Outcome("Declined: the card has expired", "expired_card"),
        "4000000000000127": Outcome("Declined: wrong security code", "incorrect_cvc"),
        "4000000000000119": Outcome("Declined: error at the bank", "processing_error"),
        "4000000000009987": Outcome("Declined: lost card", "lost_card"),
        "4000000000004954": Outcome("Declined: highest risk", "highest_risk"),
        "4000000000000259": Outcome("Paid, then disputed as fraud", dispute="open"),
        "4000000000002685": Outcome("Paid, then a warning of a dispute", dispute="warning"),
    }
)
"""Every card that does something of its own, by number."""

OTHERS: Final = Outcome("Declined", "card_declined")


def passes_luhn(number: str) -> bool:
    """Whether the check digit of a number of ASCII digits is right."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def spaced(number: str) -> str:
    """A number as it is printed on cards, in groups of four."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def read_card(number: str, expiry: str, cvc: str, now_ms: int) -> Card | dict[str, str]:
    """The card, or what is wrong with each field, in words. Spaces are allowed; the month of expiry still counts."""
    digits = "".join(number.split())
    wrong: dict[str, str] = {}
    if not digits:
        wrong["number"] = "Enter the card number."
    elif not _NUMBER.fullmatch(digits):
        wrong["number"] = f"A card number has {DIGITS} digits."
    elif not passes_luhn(digits):
        wrong["number"] = "This is not a card number: one of its digits is wrong."
    if problem := _expiry_problem(expiry.strip(), now_ms):
        wrong["expiry"] = problem
    if not _CVC.fullmatch(cvc.strip()):
        wrong["cvc"] = "The security code has 3 digits."
    return wrong or Card(CARDS.get(digits, OTHERS), digits[-4:])


def _expiry_problem(expiry: str, now_ms: int) -> str | None:
    found = _EXPIRY.fullmatch(expiry)
    if found is None or not 1 <= int(found[1]) <= 12:
        return "Enter month and year, such as 04/31."
    now = datetime.fromtimestamp(now_ms / 1_000, UTC)
    if (2_000 + int(found[2]), int(found[1])) < (now.year, now.month):
        return "This card has expired."
    return None
