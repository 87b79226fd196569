"""Sees that this database is older than what was paid: a provider knows payouts of ours that it never sent.

That is so after a restore. Their diamonds are available again, so nothing more is paid out until a person has looked.
"""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payout_stops import stop_for_strange
from giftserver.durable.payouts import ID, newest_payout_at
from giftserver.recharge.provider import Provider, ProviderAway, ProviderRefused

log = structlog.get_logger()

EVERY_S: Final = 600.0
AGAIN_S: Final = 60.0
"""Movements are read at the start and every so often, and sooner after a provider gave no answer."""

BEFORE: Final = timedelta(days=1)
"""So much before the newest payout that this database knows of."""

WITHOUT_ANY: Final = timedelta(days=31)
"""So far back where it knows of none."""


class PayoutWatch:
    """Compares what providers list with what this database has sent."""

    def __init__(self, database: AsyncEngine, providers: Mapping[str, Provider]) -> None:
        self._database = database
        self._providers = [
            one for one in providers.values() if one.capabilities.movements and one.capabilities.payouts is not None
        ]
        self._next_s = dict.fromkeys((one.name for one in self._providers), 0.0)

    async def step(self) -> None:
        """Ask the providers whose turn it is, side by side. Raises the database driver's errors."""
        now_s = monotonic()
        due = [one for one in self._providers if self._next_s[one.name] <= now_s]
        await asyncio.gather(*(self._ask(one) for one in due))

    async def _ask(self, provider: Provider) -> None:
        now = datetime.now(UTC)
        newest = await newest_payout_at(self._database, provider.name)
        since = now - WITHOUT_ANY if newest is None else newest - BEFORE
        try:
            moved = await provider.movements(since.timestamp(), now.timestamp())
        except (ProviderAway, ProviderRefused) as problem:
            log.warning("payouts_not_compared", provider=provider.name, reason=str(problem)[:300])
            self._next_s[provider.name] = monotonic() + AGAIN_S
            return
        await stop_for_unknown(
            self._database, provider.name, {one.payment for one in moved if ID.fullmatch(one.payment)}
        )
        self._next_s[provider.name] = monotonic() + EVERY_S


async def stop_for_unknown(database: AsyncEngine, provider: str, payouts: Collection[str]) -> None:
    """Stop all payouts when one of these, which a provider knows, was never sent by this database's word."""
    strange = await stop_for_strange(database, provider, payouts)
    if strange:
        log.error("payouts_stopped", provider=provider, unknown=len(strange), first=strange[0])
