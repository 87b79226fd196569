"""What coins cost here, for the caller: packs, custom amounts, and what comes on top."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.history import at_ms
from giftserver.durable.holds import is_in_a_case, set_aside
from giftserver.errors import AGE_RESTRICTED, NOT_SOLD_HERE, PROMOTION_REFUSED, Refusal
from giftserver.ledger.events import COINS_MAX
from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.prices import Pack, Promotion, cheapest
from giftserver.recharge.pricing import Terms, best_promotion
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.wallet import PEOPLE
from rooms.codes import BAD_REQUEST

CODE: Final = r"^[A-Z0-9]{3,20}$(?!\n)"
Code = Annotated[str, Meta(pattern=CODE)]
PackId = Annotated[str, Meta(min_length=1, max_length=64)]
Coins = Annotated[int, Meta(ge=1, le=COINS_MAX)]


class PackAnswer(msgspec.Struct, frozen=True):
    """A pack; `bonus_coins` come on top. `best_value`: its coins, those on top too, cost least."""

    id: str
    coins: int
    bonus_coins: int
    amount_minor: int
    best_value: bool


class CustomAnswer(msgspec.Struct, frozen=True):
    """Any number of coins from `coins_min` to `coins_max`; `rate_minor` for `rate_coins`, rounded up."""

    coins_min: int
    coins_max: int
    rate_minor: int
    rate_coins: int


class OfferAnswer(msgspec.Struct, frozen=True):
    """What comes on top now, by itself; null `ends_at_ms`: no end is set."""

    id: str
    title: str
    bonus_percent: int
    bonus_coins_max: int
    first_purchase: bool
    ends_at_ms: int | None


class WayToPay(msgspec.Struct, frozen=True):
    """A provider, and its methods in words. `live` false: no real money."""

    id: str
    title: str
    methods: list[str]
    live: bool


class StoreAnswer(msgspec.Struct, frozen=True):
    """Prices of the caller's country; `exponent`: digits of the minor unit. Without providers nothing is sold.

    `owed_coins` that the caller spent and never paid for: bought coins pay them first. `left_coins` are what they may
    order now by their limits; null for any number. `on_hold`: a case has the wallet on hold, so nothing can be ordered.
    """

    country: str
    currency: str
    exponent: int
    price_version: int
    packs: list[PackAnswer]
    custom: CustomAnswer | None
    offers: list[OfferAnswer]
    providers: list[WayToPay]
    owed_coins: int
    left_coins: int | None
    on_hold: bool


class QuoteQuery(msgspec.Struct, frozen=True):
    """What somebody thinks of buying: a pack or a number of coins, perhaps with a code."""

    pack: PackId | None = None
    coins: Coins | None = None
    code: Code | None = None


class QuoteAnswer(msgspec.Struct, frozen=True):
    """What that costs, and how many coins come on top; nothing is ordered by asking."""

    pack: str | None
    coins: int
    bonus_coins: int
    amount_minor: int
    currency: str
    exponent: int
    price_version: int
    promotion: str | None


def country_of(call: Call[Any, Any]) -> str:
    """Where the caller is, as their token says."""
    assert call.identity is not None
    return call.identity.country or call.services.settings.default_country


async def _too_young(call: Call[Any, Any]) -> Refusal | None:
    """Nothing is offered to whom nothing is sold. `guardian_helps`: with a guardian it would be."""
    limits = call.services.limits
    if call.identity is None or await limits.too_young(call.identity) is None:
        return None
    return Refusal(AGE_RESTRICTED, "Coins are for adults here.", {"guardian_helps": limits.guardians_help})


async def get_store(call: Call[None, None]) -> StoreAnswer | Refusal:
    """Everything on sale for the caller."""
    if refusal := await _too_young(call):
        return refusal
    recharges, country = call.services.recharges, country_of(call)
    prices = await recharges.pricing.prices()
    region = prices.list.region_of(country)
    if region is None:
        return Refusal(NOT_SOLD_HERE, f"Coins are not sold in {country}.")
    promotions = await recharges.pricing.promotions(call.user)
    custom = region.custom
    return StoreAnswer(
        country=country,
        currency=region.currency,
        exponent=EXPONENTS[region.currency],
        price_version=prices.version,
        packs=_packs(region.packs, promotions),
        custom=CustomAnswer(custom.coins_min, custom.coins_max, custom.rate_minor, custom.rate_coins)
        if custom
        else None,
        offers=[_offer(promotion) for promotion in promotions if promotion.code is None],
        providers=[
            WayToPay(name, provider.capabilities.title, list(provider.capabilities.methods), provider.live)
            for name, provider in recharges.providers.items()
        ],
        owed_coins=(await set_aside(call.services.database, call.user)).owed_coins or 0,
        left_coins=await recharges.left_coins(call.user),
        on_hold=await is_in_a_case(call.services.database, call.user),
    )


def _packs(packs: tuple[Pack, ...], promotions: list[Promotion]) -> list[PackAnswer]:
    bonuses = []
    for pack in packs:
        best = best_promotion(promotions, None, pack.coins, pack.id)
        bonuses.append(best.bonus_coins(pack.coins) if best else 0)
    offers = [(pack.amount_minor, pack.coins + bonus) for pack, bonus in zip(packs, bonuses, strict=True)]
    best_place = cheapest(offers) if offers else None
    return [
        PackAnswer(pack.id, pack.coins, bonus, pack.amount_minor, place == best_place)
        for place, (pack, bonus) in enumerate(zip(packs, bonuses, strict=True))
    ]


def _offer(promotion: Promotion) -> OfferAnswer:
    ends = at_ms(promotion.ends) if promotion.ends else None
    return OfferAnswer(
        promotion.id, promotion.title, promotion.bonus_percent, promotion.bonus_coins_max, promotion.first_purchase,
        ends,
    )  # fmt: skip


async def get_quote(call: Call[None, QuoteQuery]) -> QuoteAnswer | Refusal:
    """What a pack or a number of coins costs, with a code or without."""
    if refusal := await _too_young(call):
        return refusal
    query = call.query
    if (query.pack is None) == (query.coins is None):
        return Refusal(BAD_REQUEST, "Ask for a `pack` or for a number of `coins`.")
    terms = await call.services.recharges.terms(call.user, country_of(call), query.pack, query.coins, query.code)
    return terms if isinstance(terms, Refusal) else quote_of(terms)


def quote_of(terms: Terms) -> QuoteAnswer:
    """Terms as the wire has them."""
    promotion = terms.promotion.id if terms.promotion else None
    return QuoteAnswer(
        terms.pack, terms.coins, terms.bonus_coins, terms.amount_minor, terms.currency, EXPONENTS[terms.currency],
        terms.price_version, promotion,
    )  # fmt: skip


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/store", "What coins cost", get_store, StoreAnswer, roles=PEOPLE,
        refusals=(AGE_RESTRICTED, NOT_SOLD_HERE),
    ),
    Endpoint(
        "GET", "/v1/store/quote", "What this would cost", get_quote, QuoteAnswer, query=QuoteQuery, roles=PEOPLE,
        refusals=(AGE_RESTRICTED, NOT_SOLD_HERE, PROMOTION_REFUSED),
    ),
)  # fmt: skip
