"""What diamonds are worth in money, and how much may be paid out: one versioned card beside this file.

A payout remembers the version it was asked for under, so a card that changes gets the next version.
"""

from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from giftserver.ledger.events import COINS_MAX
from giftserver.recharge.money import AMOUNT_MAX_MINOR, EXPONENTS

DIAMONDS_MAX: Final = COINS_MAX
"""Of one payout; a transfer holds no more."""

Minor = Annotated[int, Meta(ge=1, le=AMOUNT_MAX_MINOR)]


class RateCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`diamonds` are worth `minor` minor units of `currency`; the least of a payout and the most of a UTC day."""

    version: Annotated[int, Meta(ge=1, lt=2**31)]
    currency: str
    diamonds: Annotated[int, Meta(ge=1, le=DIAMONDS_MAX)]
    minor: Minor
    min_minor: Minor
    day_max_minor: Minor

    def __post_init__(self) -> None:
        if self.currency not in EXPONENTS:
            raise ValueError(f"payouts are in {self.currency!r}, which is no currency that money.py knows")
        if self.min_minor > self.day_max_minor:
            raise ValueError("the least of a payout is more than a day's most")

    def amount_minor(self, diamonds: int) -> int | None:
        """What so many diamonds are worth, in minor units; None when that is no whole number of them."""
        amount, over = divmod(diamonds * self.minor, self.diamonds)
        return None if over else amount

    def diamonds_for(self, minor: int) -> int:
        """The fewest diamonds that are worth so much at least."""
        return -(-minor * self.diamonds // self.minor)


@cache
def built_in() -> RateCard:
    """The card that is in force. Raises ValueError when it is wrong."""
    return msgspec.json.decode((files("giftserver.recharge") / "payout_rates.json").read_bytes(), type=RateCard)
