"""Buying coins: from what somebody chose to a checkout at a provider, or to a refusal in words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver import errors
from giftserver.durable.bought import LimitPassed, left_to_buy
from giftserver.durable.holds import is_in_a_case
from giftserver.durable.payments import (
    ID,
    LIFE_S,
    NewPayment,
    PaymentRecord,
    PromotionTaken,
    TooManyOrders,
    create_payment,
    holder_of,
    payment_by_id,
    payment_by_key,
)
from giftserver.errors import Refusal
from giftserver.ledger.limits import NONE
from giftserver.limits.words import too_many
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.money import in_words
from giftserver.recharge.prices import Promotion
from giftserver.recharge.pricing import Pricing, Terms, best_promotion, terms_of
from giftserver.recharge.provider import CheckoutOrder, Provider, ProviderAway, ProviderRefused
from giftserver.recharge.states import UNPAID, State
from rooms import codes

log = structlog.get_logger()

RETRY_AFTER_MS: Final = 1_000
CHECK_AFTER_MS: Final = 3_000
"""A provider is asked about an order so often at most, when its buyer wants it."""

AWAY: Final = Refusal(
    codes.UNAVAILABLE,
    "The payment page cannot be opened right now. Nothing was charged; try again in a moment.",
    {"retry_after_ms": RETRY_AFTER_MS},
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a buyer chose, and what they were shown for it: a pack's id or a number of coins."""

    key: str
    provider: str
    pack: str | None
    coins: int | None
    code: str | None
    amount_minor: int
    bonus_coins: int
    currency: str

    def hash(self) -> str:
        """Hash of all of it: the same key with another wish is refused."""
        parts = (
            self.provider, self.pack, self.coins, self.code, self.amount_minor, self.bonus_coins, self.currency,
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class Recharges:
    """Prices, orders and their checkouts. Methods raise the database driver's errors when PostgreSQL is away."""

    def __init__(
        self, database: AsyncEngine, providers: Mapping[str, Provider], base_url: str,
        limits: tuple[int, int] = (NONE, NONE),
    ) -> None:  # fmt: skip
        """`limits`: coins a day of who chose none, and coins until a day after the first purchase."""
        self._database, self._base_url, self._limits = database, base_url, limits
        self.pricing = Pricing(database)
        self.inquiry = Inquiry(database, providers)

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Ways to pay, by name."""
        return self.inquiry.providers

    async def terms(
        self, user: str, country: str, pack: str | None, coins: int | None, code: str | None
    ) -> Terms | Refusal:
        """What this person would pay for it now."""
        prices = await self.pricing.prices()
        region = prices.list.region_of(country)
        if region is None:
            return Refusal(errors.NOT_SOLD_HERE, f"Coins are not sold in {country}.")
        plain = terms_of(prices, region, pack=pack, coins=coins, promotion=None)
        if plain is None:
            custom = region.custom
            more = f", or {custom.coins_min:,} to {custom.coins_max:,} coins" if custom else ""
            return Refusal(codes.BAD_REQUEST, f"This is not sold here. Choose one of the packs{more}.")
        promotion = best_promotion(await self.pricing.promotions(user), code, plain.coins, pack)
        found = terms_of(prices, region, pack=pack, coins=coins, promotion=promotion)
        if code is not None and (found is None or found.promotion is None):
            return Refusal(errors.PROMOTION_REFUSED, "This code is not valid here, has ended, or was used already.")
        return found or plain

    async def left_coins(self, user: str) -> int | None:
        """Coins that this person may order now by their limits; None for any number."""
        return await left_to_buy(self._database, user, *self._limits)

    async def buy(self, user: str, country: str, wish: Wish) -> PaymentRecord | Refusal:
        """The order of this wish with its checkout, once for each key."""
        provider = self.providers.get(wish.provider)
        if provider is None:
            return Refusal(errors.RECHARGES_OFF, f"There is no way to pay called {wish.provider} on this server.")
        if await is_in_a_case(self._database, user):
            words = "Your wallet is on hold while a report is looked at. Nothing was ordered, and your coins are safe."
            return Refusal(errors.WALLET_FROZEN, words)
        terms = await self.terms(user, country, wish.pack, wish.coins, wish.code)
        try:
            made = await self._order(user, country, wish, terms, provider)
        except LimitPassed as passed:
            return too_many(passed.limit, terms.coins if isinstance(terms, Terms) else 0, buying=True)
        if isinstance(made, Refusal) or made.checkout_url is not None or made.state is not State.CREATED:
            return made
        return await self._open(made, provider)

    async def _order(
        self, user: str, country: str, wish: Wish, terms: Terms | Refusal, provider: Provider
    ) -> PaymentRecord | Refusal:
        known = await self._known(user, wish)
        if known is not None:
            return known
        if isinstance(terms, Refusal):
            return terms
        shown = (wish.amount_minor, wish.bonus_coins, wish.currency)
        if shown != (terms.amount_minor, terms.bonus_coins, terms.currency):
            return _price_changed(terms)
        if provider.capabilities.currencies is not None and terms.currency not in provider.capabilities.currencies:
            return Refusal(codes.BAD_REQUEST, f"{provider.capabilities.title} does not take {terms.currency}.")
        new = NewPayment(
            user, wish.key, wish.hash(), wish.provider, terms.coins, terms.bonus_coins, terms.pack,
            terms.amount_minor, terms.currency, country, terms.price_version, terms.promotion,
        )  # fmt: skip
        try:
            made, _ = await create_payment(self._database, new, *self._limits)
        except TooManyOrders:
            return Refusal(codes.RATE_LIMITED, "You have many orders that are not paid. Pay or cancel some first.")
        except PromotionTaken:
            assert terms.promotion is not None
            return await self._without_older(user, terms.promotion, new)
        return made

    async def _known(self, user: str, wish: Wish) -> PaymentRecord | Refusal | None:
        """What the key already stands for: a price that changed since then does not undo it."""
        found = await payment_by_key(self._database, user, wish.key)
        if found is not None and found.request_hash != wish.hash():
            return Refusal(errors.KEY_REUSED, "This key was used for another order. Make a new key for each order.")
        return found

    async def _without_older(self, user: str, promotion: Promotion, new: NewPayment) -> PaymentRecord | Refusal:
        """The order, after an older one that nobody paid gave the promotion back."""
        gone = Refusal(errors.PROMOTION_REFUSED, "This offer was used already. Reload to see today's prices.")
        older = await holder_of(self._database, user, promotion)
        if older is None or older.state not in UNPAID:
            return gone
        refusal = await self.cancel(older)
        if isinstance(refusal, Refusal):
            return refusal
        try:
            made, _ = await create_payment(self._database, new, *self._limits)
        except PromotionTaken:
            return gone
        return made

    async def _open(self, made: PaymentRecord, provider: Provider) -> PaymentRecord | Refusal:
        order = CheckoutOrder(
            payment=made.id,
            amount_minor=made.amount_minor,
            currency=made.currency,
            description=f"{made.coins + made.bonus_coins:,} coins",
            return_url=f"{self._base_url}/wallet?payment={made.id}",
            webhook_url=f"{self._base_url}/v1/webhooks/{provider.name}",
            expires_in_s=LIFE_S,
        )
        try:
            done = await self.inquiry.heard(provider, await provider.create(order), "provider")
        except ProviderAway as problem:
            log.warning("checkout_not_opened", payment=made.id, provider=provider.name, reason=str(problem))
            return AWAY
        except ProviderRefused as problem:
            log.error("checkout_refused", payment=made.id, provider=provider.name, reason=str(problem))
            amount = in_words(made.amount_minor, made.currency)
            title = provider.capabilities.title
            return Refusal(codes.UNAVAILABLE, f"{title} does not take {amount} right now. Nothing was charged.")
        return made if done is None else done.payment

    async def check(self, payment: PaymentRecord, *, give_up: bool = False) -> PaymentRecord | Refusal:
        """Ask the provider now: for who misses their coins, or gives up an order that never got a checkout."""
        try:
            done = await self.inquiry.about(payment, "buyer", give_up=give_up)
        except (ProviderAway, ProviderRefused) as problem:
            log.warning("payment_not_asked", payment=payment.id, reason=str(problem))
            return Refusal(
                codes.UNAVAILABLE, "The payment provider does not answer right now. We keep asking; nothing is lost.",
                {"retry_after_ms": CHECK_AFTER_MS},
            )  # fmt: skip
        return payment if done is None else done.payment

    async def cancel(self, payment: PaymentRecord) -> PaymentRecord | Refusal:
        """Close a checkout that nobody paid; one that was paid is credited."""
        provider = self.providers.get(payment.provider)
        if provider is None or payment.provider_ref is None:  # nobody can pay it any more
            return await self.check(payment, give_up=True)
        try:
            done = await self.inquiry.heard(provider, await provider.cancel(payment.provider_ref), "buyer")
        except (ProviderAway, ProviderRefused) as problem:
            log.warning("payment_not_cancelled", payment=payment.id, reason=str(problem))
            return AWAY
        return payment if done is None else done.payment

    async def own(self, user: str, id: str) -> PaymentRecord | Refusal:
        """This person's payment."""
        found = await payment_by_id(self._database, id) if ID.fullmatch(id) else None
        if found is None or found.user_id != user:
            return Refusal(errors.PAYMENT_NOT_FOUND, "You have no payment of this id.")
        return found

    async def close(self) -> None:
        """Let go of the providers' connections."""
        for provider in self.providers.values():
            await provider.close()


def _price_changed(terms: Terms) -> Refusal:
    price = in_words(terms.amount_minor, terms.currency)
    details = {"amount_minor": terms.amount_minor, "bonus_coins": terms.bonus_coins, "currency": terms.currency}
    return Refusal(errors.PRICE_CHANGED, f"This costs {price} now. Nothing was charged.", details)
