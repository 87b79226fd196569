"""Which gifts stand for a trace's gifts."""

from typing import Any

import pytest

from giftserver.gifts.catalog import load_catalog
from giftserver.replay.menu import Choice, NoGift, choose_gifts
from giftserver.traces.trace import BUNDLED, Tap, load_trace


def catalog(*prices: int, **fields: Any) -> dict[str, Any]:
    """A catalogue with one gift for each price."""
    offer = {"regions": [], "unlock_level": 0, "from": None, "until": None, **fields}
    return {"gifts": [{"id": f"gift-{n}", "coins": coins, **offer} for n, coins in enumerate(prices)]}


def tap(price_coins: int, gift: int = 1) -> Tap:
    """One tap of a gift."""
    return Tap(0, 1, 1, gift, price_coins, 1)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_traces_cost_the_same_here(name: str) -> None:
    """Each gift of the bundled traces has a choice that costs exactly as much, the same one every time."""
    taps, public = load_trace(name).taps, load_catalog().public()
    chosen = choose_gifts(taps, public)
    assert {price for _, price in chosen} == {tap.price_coins for tap in taps}
    assert all(choice.price_coins * choice.each == price for (_, price), choice in chosen.items())
    assert choose_gifts(reversed(taps), public) == chosen


def test_gifts_of_one_price_are_spread() -> None:
    """Different gifts of the trace become different gifts of the same price."""
    chosen = choose_gifts([tap(1, 3), tap(1, 4)], catalog(1, 1, 5))
    assert {choice.gift for choice in chosen.values()} == {"gift-0", "gift-1"}


def test_a_price_the_catalogue_lacks_is_made_of_several() -> None:
    """Two of a one-coin gift are a two-coin gift; the dearest price that divides it is taken."""
    assert choose_gifts([tap(10)], catalog(1, 5, 3)) == {(1, 10): Choice("gift-1", 5, 2)}


def test_no_gift_fits() -> None:
    """A price that nothing divides is refused by name, and so are gifts that not everyone may send."""
    with pytest.raises(NoGift, match="no gift of 7 coins"):
        choose_gifts([tap(7)], catalog(2, 3))
    with pytest.raises(NoGift, match="no gift of 1 coins"):
        choose_gifts([tap(1)], catalog(1, unlock_level=3))
