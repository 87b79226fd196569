"""Deciding on limits, and showing what is left of them: the person's own, and a guardian's for them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.auth.tokens import Identity
from giftserver.durable.bought import Bought, bought_now
from giftserver.durable.guardians import Link, is_guardian, link_of
from giftserver.durable.limits import (
    Amount,
    Scope,
    Standing,
    Waiting,
    check_number,
    decide_amounts,
    decide_budget,
    decide_lock,
    decide_zone,
    due_limits,
    mark_limits,
    standing_of,
    windows_of,
    zone_of,
    zones_of,
)
from giftserver.errors import Refusal
from giftserver.ledger.limits import NONE, Spent
from giftserver.ledger.wallets import Wallets
from giftserver.limits.words import TOO_YOUNG

log = structlog.get_logger()

PAGE = 500


@dataclass(frozen=True, slots=True)
class View:
    """What holds for one person, what was sent and bought of it, and what begins later; coins, Unix seconds.

    `sent` is None while the wallet cannot be read.
    """

    standing: Standing
    zone: str
    day_default: int | None
    waiting: list[Waiting]
    sent: Spent | None
    bought: Bought
    day_until_s: int
    month_until_s: int
    guardian: Link | None


class SpendingLimits:
    """The limits of everybody. Methods raise the database driver's errors when PostgreSQL is away."""

    def __init__(
        self,
        database: AsyncEngine,
        wallets: Wallets,
        day_default: int,
        minors: Literal["never", "guardian"] = "never",
    ) -> None:
        self._database, self._wallets = database, wallets
        self.day_default = day_default
        self.guardians_help = minors == "guardian"

    async def view(self, user: str) -> View:
        """What one person may spend, and what is left."""
        standing, waiting = await standing_of(self._database, user)
        around = windows_of(standing, self._wallets.now_s())
        bought = await bought_now(self._database, user, standing, around)
        return View(
            standing, zone_of(standing), None if self.day_default == NONE else self.day_default, waiting,
            await self._sent(user), bought, around.day_until_s, around.month_until_s,
            await link_of(self._database, user),
        )  # fmt: skip

    async def _sent(self, user: str) -> Spent | None:
        try:
            found = await self._wallets.spending(user)
            if found is None and await self._wallets.load(user) is not None:
                found = await self._wallets.spending(user)
            if found is None:
                return None
            now_s, spent = self._wallets.now_s(), found[1]
            if now_s >= min(spent.day_until_s, spent.month_until_s) and await self._wallets.roll_windows(user):
                found = await self._wallets.spending(user)
        except (RedisError, OSError) as problem:
            log.warning("spending_unknown", error=type(problem).__name__)
            return None
        return None if found is None else found[1]

    async def set_amounts(self, user: str, wishes: Mapping[Amount, int | None], by: Identity | None = None) -> bool:
        """Set a person's own limits, or those that a guardian has for them; False when `by` is not their guardian.

        Raises Refused, as whatever decides, for too many in a day that are looser.
        """
        scope: Scope = "own" if by is None else "guardian"
        who = user if by is None else str(by.user)
        return await self._decide(
            user, by, lambda connection: decide_amounts(connection, user, scope, who, wishes, self.day_default)
        )

    async def set_zone(self, user: str, zone: str) -> None:
        """Count a person's days in another zone. Raises Refused."""
        await self._decide(user, None, lambda connection: decide_zone(connection, user, zone))

    async def take_break(self, user: str, hours: int, by: Identity | None = None) -> bool:
        """Nothing is sent or bought for so long; False when `by` is not their guardian. Raises Refused."""
        scope: Scope = "own" if by is None else "guardian"
        who = user if by is None else str(by.user)
        return await self._decide(user, by, lambda connection: decide_lock(connection, user, scope, who, hours))

    async def set_budget(self, user: str, coins: int, hours: int) -> None:
        """Coins for the next hours. Raises Refused."""
        await self._decide(user, None, lambda connection: decide_budget(connection, user, coins, hours))

    async def _decide(
        self, user: str, by: Identity | None, decide: Callable[[AsyncConnection], Awaitable[None]]
    ) -> bool:
        async with self._database.begin() as connection:
            if by is not None and not await is_guardian(connection, str(by.user), user):
                return False
            await decide(connection)
            await check_number(connection, user, "own" if by is None else "guardian")
        try:
            await self.bring(user)
        except (RedisError, OSError) as problem:  # the worker brings it as soon as it can
            log.warning("limits_wait", error=type(problem).__name__)
        return True

    async def bring(self, user: str) -> bool:
        """Bring what holds now to the wallet; False when that is not possible now. Raises redis-py's errors."""
        standing, _ = await standing_of(self._database, user)
        if standing.number == 0:
            return True
        zones = zones_of(standing, self._wallets.now_s())
        if not await self._wallets.set_limits(user, standing.number, standing.limits(), zones):
            return False
        await mark_limits(self._database, user, standing)
        return True

    async def step(self) -> int:
        """Bring what has begun since and is not there yet; how many people's. One that fails holds up no other."""
        brought = 0
        for user in await due_limits(self._database, PAGE):
            try:
                brought += await self.bring(user)
            except Exception as problem:  # of one wallet, or of its server
                log.warning("limits_wait", error=type(problem).__name__)
        return brought

    async def too_young(self, who: Identity) -> Refusal | None:
        """Why this person may not send or buy coins for their age; None when they may."""
        if not who.minor or who.user is None:
            return None
        if self.guardians_help and await link_of(self._database, who.user) is not None:
            return None
        return TOO_YOUNG


def moment_ms(moment: datetime) -> int:
    """Unix ms."""
    return int(moment.timestamp() * 1_000)
