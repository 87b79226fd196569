"""How much of what somebody bought they gave on soon."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from giftserver.rules.numbers import LOOP_HOURS


class Coins(NamedTuple):
    """Coins that were bought, or given, at a moment."""

    at: datetime
    coins: int


def given_on(purchases: Sequence[Coins], gifts: Sequence[Coins]) -> list[int]:
    """Coins of each purchase that were given within LOOP_HOURS of it: each coin once, of the oldest purchase first.

    Both are in the order of time.
    """
    given = [0] * len(purchases)
    for gift in gifts:
        left = gift.coins
        for place, bought in enumerate(purchases):
            if bought.at <= gift.at <= bought.at + timedelta(hours=LOOP_HOURS):
                taken = min(left, bought.coins - given[place])
                given[place] += taken
                left -= taken
    return given
