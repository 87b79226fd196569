"""The price list in force, and what one person would pay under it."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payments import promotions_used, uses_of
from giftserver.durable.prices import newest_approved
from giftserver.recharge.prices import PriceList, Prices, Promotion, Region, built_in

KNOWN_S: Final = 2.0
"""An approved list is in force everywhere after this."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order costs and brings: `coins` are paid for, `bonus_coins` come on top by the promotion."""

    pack: str | None
    coins: int
    bonus_coins: int
    amount_minor: int
    currency: str
    price_version: int
    promotion: Promotion | None


class Pricing:
    """Reads the list in force at most every KNOWN_S."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._known: Prices | None = None
        self._read_s = 0.0
        self._turn = asyncio.Lock()

    async def prices(self) -> Prices:
        """The list in force. Raises the database driver's errors."""
        async with self._turn:
            if self._known is None or time.monotonic() - self._read_s > KNOWN_S:
                stored = await newest_approved(self._database)
                known = self._known
                if stored is None:
                    self._known = built_in()
                elif known is None or known.version != stored.version:
                    # Checked when it was proposed: rules that came later are for new lists.
                    self._known = Prices(stored.version, msgspec.json.decode(stored.body, type=PriceList))
                self._read_s = time.monotonic()
            assert self._known is not None
            return self._known

    async def promotions(self, user: str) -> list[Promotion]:
        """Promotions this person may use now, those that need a code too, as far as they themselves decide it."""
        prices = await self.prices()
        bought, used = await promotions_used(self._database, user)
        now = datetime.now(UTC)
        found = [
            promotion
            for promotion in prices.list.promotions
            if promotion.runs(now) and promotion.id not in used and not (promotion.first_purchase and bought)
        ]
        counted = [promotion.id for promotion in found if promotion.uses_max is not None]
        uses = await uses_of(self._database, counted) if counted else {}
        return [one for one in found if one.uses_max is None or uses.get(one.id, 0) < one.uses_max]


def terms_of(
    prices: Prices, region: Region, *, pack: str | None, coins: int | None, promotion: Promotion | None
) -> Terms | None:
    """What a pack, or a custom number of coins, costs with a promotion; None when it is not sold there."""
    if pack is not None:
        found = next((one for one in region.packs if one.id == pack), None)
        if found is None or coins not in (None, found.coins):
            return None
        paid, amount_minor = found.coins, found.amount_minor
    else:
        custom = region.custom
        if custom is None or coins is None or not custom.coins_min <= coins <= custom.coins_max:
            return None
        paid, amount_minor = coins, custom.price_minor(coins)
    if promotion is not None and promotion.packs and pack not in promotion.packs:
        promotion = None
    bonus = promotion.bonus_coins(paid) if promotion is not None else 0
    kept = promotion if bonus else None
    return Terms(pack, paid, bonus, amount_minor, region.currency, prices.version, kept)


def best_promotion(promotions: list[Promotion], code: str | None, coins: int, pack: str | None) -> Promotion | None:
    """The one of the code; without a code, of those for this pack the one that gives most for so many coins."""
    if code is not None:
        return next((one for one in promotions if one.code == code), None)
    free = [one for one in promotions if one.code is None and (not one.packs or pack in one.packs)]
    return max(free, key=lambda one: one.bonus_coins(coins), default=None)
