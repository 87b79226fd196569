"""Which gift of the server's catalogue stands for a gift of the trace."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from giftserver.traces.trace import Tap


class NoGift(Exception):
    """The catalogue has no gift for a price of the trace; the text says which."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The gift to send and how many of it make one of the trace's; coins come out the same."""

    gift: str
    price_coins: int
    each: int


def choose_gifts(taps: Iterable[Tap], catalog: Mapping[str, Any]) -> dict[tuple[int, int], Choice]:
    """A choice for each (gift number, price) of the taps, the same whenever catalogue and trace are.

    Gifts of one price are spread over the catalogue's gifts of that price. Where it has none, several of the dearest
    gift whose price divides it. Raises NoGift.
    """
    by_price: dict[int, list[str]] = {}
    for gift in catalog["gifts"]:
        if not gift["regions"] and not gift["unlock_level"] and not gift["from"] and not gift["until"]:
            by_price.setdefault(gift["coins"], []).append(gift["id"])
    chosen = {}
    for number, price in sorted({(tap.gift, tap.price_coins) for tap in taps}):
        fitting = [coins for coins in by_price if price % coins == 0]
        if not fitting:
            raise NoGift(f"The catalogue has no gift of {price} coins, nor one whose price divides it (gift {number}).")
        coins = max(fitting)
        names = sorted(by_price[coins])
        chosen[number, price] = Choice(names[number % len(names)], coins, price // coins)
    return chosen
