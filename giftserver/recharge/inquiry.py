"""Asking a provider what is true of a payment, and letting it be true here. Whoever asks, it is the same question."""

from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payment_moves import Applied, apply, expire, flag, paid_unbooked
from giftserver.durable.payments import PaymentRecord
from giftserver.durable.store import now_in
from giftserver.recharge.provider import Provider, Snapshot

log = structlog.get_logger()


class Inquiry:
    """The providers of this process, and the payments they are asked about."""

    def __init__(self, database: AsyncEngine, providers: Mapping[str, Provider]) -> None:
        self._database = database
        self.providers = providers

    async def about(self, payment: PaymentRecord, source: str, *, give_up: bool = False) -> Applied | None:
        """How a payment stands after its provider was asked; one whose provider is gone from here can only expire.

        `give_up`: one without a checkout is cancelled, as its buyer wants.
        Raises ProviderAway, ProviderRefused, and the database driver's errors.
        """
        provider = self.providers.get(payment.provider)
        if provider is None:
            return await expire(self._database, payment.id, source, at_once=give_up)
        asked_at = await now_in(self._database)
        if payment.provider_ref is not None:
            found = await provider.fetch(payment.provider_ref)
        else:
            found = await provider.find(payment.id)
        if found is None:  # its checkout was never made, or is forgotten: nobody can pay it any more
            return await expire(self._database, payment.id, source, at_once=give_up)
        return await self.heard(provider, found, source, asked_at)

    async def heard(
        self, provider: Provider, found: Snapshot, source: str, asked_at: datetime | None = None
    ) -> Applied | None:
        """Let what a provider answered be true; None when no payment of ours is meant.

        `asked_at`: when the question began, by the database's clock. Unknown, what was given back is asked for anew.
        Raises IntegrityError when the ledger refuses the coins.
        """
        if found.live != provider.live:
            wrong = "real money where pretended is expected" if found.live else "pretended money where real is expected"
            done = await flag(self._database, found.payment, wrong, source)
        else:
            try:
                done = await apply(self._database, found.payment, found, source, provider.name, asked_at)
            except IntegrityError:
                await paid_unbooked(self._database, found.payment, found, source)
                raise
        if done is not None and done.wrong is not None:
            log.error("payment_refused", payment=found.payment, provider=provider.name, reason=done.wrong)
        elif done is not None and done.credited_coins:
            log.info("payment_credited", payment=found.payment, provider=provider.name, coins=done.credited_coins)
        return done
