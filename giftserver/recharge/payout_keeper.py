"""Takes payouts from step to step: holds them, sends them, asks what became of them, books it. Every step may be
repeated, and by two workers at once: a provider makes one payout of all calls with one key, and what is booked is
booked under the payout's lock.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payout_accounts import masked
from giftserver.durable.payout_moves import Due, begin, due_payouts, flag, hear, look_again, refused, unsettled
from giftserver.durable.payout_stops import PayoutsStopped, stop_in_force
from giftserver.durable.payouts import PayoutRecord, payout_by_id
from giftserver.failpoints import failpoint
from giftserver.metrics import Metrics
from giftserver.recharge.payout_states import STOPPABLE, PayoutState
from giftserver.recharge.payout_watch import PayoutWatch
from giftserver.recharge.provider import (
    PAYOUT_AGAIN_S,
    PayoutNews,
    PayoutOrder,
    Provider,
    ProviderAway,
    ProviderRefused,
)
from giftserver.recovery.behind import may_be_behind

log = structlog.get_logger()

PAGE: Final = 32
AT_ONCE: Final = 8
LEASE_S: Final = 120.0
"""So long nobody else looks at a payout: longer than a page of calls takes, and what is lost when a worker dies."""

WAITS_S: Final = (2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0)
"""Waits between looks at a payout that is sending; the last one again and again."""

UNKNOWN_MAX_S: Final = 300.0
"""The longest of them while nobody knows whether the provider has it."""

HELD_S, NO_PROVIDER_S, FAILED_S = 10.0, 60.0, 60.0
"""A payout that is held or stopped, one whose provider is not here, and one that met an error are looked at again after
so long."""

AGAIN_MIN: Final = timedelta(hours=1)
RETURNED_WITHIN: Final = timedelta(days=30)
"""What was paid is asked about for so long, each time after half of its age: it may come back."""

PAID_AFTER_ALL_WITHIN: Final = timedelta(days=1)
"""The same of what was said to have failed: a call that was on its way may arrive later."""

UNSETTLED_S: Final = 3_600.0
NO_ANSWER: Final = "no answer for 28 days: look at the provider whether it was paid"


class PayoutKeeper:
    """Looks at payouts that are due; what one of them meets, or its provider, holds up no other."""

    def __init__(
        self,
        database: AsyncEngine,
        ledger_redis: Redis,
        providers: Mapping[str, Provider],
        base_url: str,
        metrics: Metrics,
    ) -> None:
        self._database, self._redis, self._providers = database, ledger_redis, providers
        self._base_url, self._metrics = base_url, metrics
        self._free = asyncio.Semaphore(AT_ONCE)
        self._watch = PayoutWatch(database, providers)

    async def step(self) -> int:
        """One round; how many payouts were looked at. Raises the driver's errors when PostgreSQL is away."""
        await self._watch.step()
        due = await due_payouts(self._database, PAGE, LEASE_S)
        await asyncio.gather(*(self._look(one) for one in due))
        now = await unsettled(self._database, UNSETTLED_S)
        self._metrics.payouts_unsettled.labels("unknown").set(now.unknown)
        self._metrics.payouts_unsettled.labels("pending").set(now.pending)
        self._metrics.payouts_review.set(now.review)
        return len(due)

    async def _look(self, due: Due) -> None:
        async with self._free:
            try:
                wait_s = await self._tend(due.id)
            except (ProviderAway, ProviderRefused) as problem:  # asked what became of it, there was no answer
                log.warning("payout_waits", payout=due.id, reason=await self._without_address(due.id, problem))
                self._metrics.payouts.labels("away").inc()
                wait_s = await self._next(due.id)
            except PayoutsStopped:
                wait_s = HELD_S
            except Exception as problem:  # whatever one payout meets, the others go on
                log.error("payout_not_moved", payout=due.id, error=type(problem).__name__)
                wait_s = FAILED_S
            await look_again(self._database, due, wait_s)

    async def _tend(self, id: str) -> float | None:
        """Take a payout one step further; seconds until it is looked at again, None for never."""
        now = await payout_by_id(self._database, id)
        assert now is not None  # none is ever deleted
        provider = self._providers.get(now.provider)
        if provider is None or provider.capabilities.payouts is None:
            log.error("payout_without_provider", payout=id, provider=now.provider)
            return NO_PROVIDER_S
        if now.state not in STOPPABLE:
            return await self._ask(now, provider)
        if await may_be_behind(self._database, self._redis):
            return HELD_S
        begun = await begin(self._database, id)
        if begun is None:  # it was taken back meanwhile, or another worker has sent it
            return await self._next(id)
        if begun.state is PayoutState.SENDING:
            self._metrics.payouts.labels("sent").inc()
            failpoint("payout.after_sending")
            return await self._send(begun, provider)
        if begun.state is not now.state:
            log.info("payout_held" if begun.state is PayoutState.HELD else "payout_goes_on", payout=id)
            self._metrics.payouts.labels(begun.state.value).inc()
        return HELD_S if begun.state is PayoutState.HELD else 0.0

    async def _ask(self, now: PayoutRecord, provider: Provider) -> float | None:
        """Ask what became of a payout, and only if there is none at the provider send it again."""
        found = await provider.find_payout(now.id, now.provider_ref or "")
        if found is not None:
            return await self._heard(now, found, provider)
        if now.state is not PayoutState.SENDING:
            return _wait(now)
        if now.sent_at is None or datetime.now(UTC) - now.sent_at > timedelta(seconds=PAYOUT_AGAIN_S):
            await flag(self._database, now.id, NO_ANSWER)  # the provider may have forgotten our id, and pay twice
            log.error("payout_in_review", payout=now.id, provider=provider.name, reason=NO_ANSWER)
            return _wait(now)
        if await stop_in_force(self._database) or await may_be_behind(self._database, self._redis):
            return _wait(now)
        log.info("payout_sent_again", payout=now.id)
        return await self._send(now, provider)

    async def _send(self, now: PayoutRecord, provider: Provider) -> float | None:
        order = PayoutOrder(
            payout=now.id,
            amount_minor=now.amount_minor,
            currency=now.currency,
            address=now.address,
            description=f"{now.diamonds:,} diamonds",
            webhook_url=f"{self._base_url}/v1/webhooks/{provider.name}",
        )
        try:
            news = await provider.payout(order)
        except ProviderRefused as problem:
            reason = _hidden(now, str(problem))
            log.error("payout_refused", payout=now.id, provider=provider.name, reason=reason)
            failed = await refused(self._database, now.id, reason)
            if failed is None:  # another worker has found it at the provider meanwhile
                return await self._next(now.id)
            self._metrics.payouts.labels("failed").inc()
            return _wait(failed)
        failpoint("payout.after_answer")
        return await self._heard(now, news, provider)

    async def _heard(self, now: PayoutRecord, news: PayoutNews, provider: Provider) -> float | None:
        if news.reason is not None:
            news = replace(news, reason=_hidden(now, news.reason))
        done = await hear(self._database, now.id, news, provider.name, provider.live)
        assert done is not None
        if done.wrong is not None:
            log.error("payout_in_review", payout=now.id, provider=provider.name, reason=done.wrong)
        if done.moved:
            outcome = "review" if done.wrong is not None else done.payout.state.value
            self._metrics.payouts.labels(outcome).inc()
            log.info("payout_moved", payout=now.id, state=outcome)
        return _wait(done.payout)

    async def _next(self, id: str) -> float | None:
        """The wait of a payout as it stands now."""
        now = await payout_by_id(self._database, id)
        return None if now is None else _wait(now)

    async def _without_address(self, id: str, problem: Exception) -> str:
        now = await payout_by_id(self._database, id)
        return "" if now is None else _hidden(now, str(problem))


def _hidden(now: PayoutRecord, words: str) -> str:
    """A provider's words without the address, which is nobody's to read."""
    return words.replace(now.address, masked(now.address))[:300]


def _wait(now: PayoutRecord) -> float | None:
    """Seconds until a payout is asked about again; None when nothing can become of it any more."""
    if now.state is PayoutState.SENDING:
        wait_s = WAITS_S[min(now.tries, len(WAITS_S) - 1)]
        return wait_s if now.provider_ref is not None else min(wait_s, UNKNOWN_MAX_S)
    within = {PayoutState.PAID: RETURNED_WITHIN, PayoutState.FAILED: PAID_AFTER_ALL_WITHIN}.get(now.state)
    age = datetime.now(UTC) - (now.paid_at or now.updated_at)
    return None if within is None or age > within else max(AGAIN_MIN, age / 2).total_seconds()
