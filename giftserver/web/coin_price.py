"""What a coin costs where the caller is, so that prices in coins can be shown in money too."""

from typing import Any, Final

import msgspec

from giftserver.recharge.money import EXPONENTS
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.store import country_of
from giftserver.web.wallet import PEOPLE


class CoinPrice(msgspec.Struct, frozen=True):
    """`rate_minor` minor units for `rate_coins` coins: the dearest offer, so that nobody is told too little.

    So many coins cost coins × rate_minor ÷ rate_coins, rounded up. `exponent`: digits of the minor unit.
    """

    currency: str
    exponent: int
    rate_minor: int
    rate_coins: int


class CoinPriceAnswer(msgspec.Struct, frozen=True):
    """`price` is null where coins are not sold, in the country or on the server."""

    price_version: int
    price: CoinPrice | None


async def get_coin_price(call: Call[None, None]) -> CoinPriceAnswer:
    """The price of coins in the caller's country, by the price list in force."""
    recharges = call.services.recharges
    prices = await recharges.pricing.prices()
    region = prices.list.region_of(country_of(call)) if recharges.providers else None
    if region is None:
        return CoinPriceAnswer(prices.version, None)
    price = CoinPrice(region.currency, EXPONENTS[region.currency], *region.dearest)
    return CoinPriceAnswer(prices.version, price)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/store/coin", "What a coin costs", get_coin_price, CoinPriceAnswer, roles=PEOPLE),
)
