"""The worker process: coordinates the shards, carries credits to the wallets in Redis, gives late gifts back, follows
payments and payouts."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from prometheus_client import start_http_server
from redis.exceptions import RedisError, ResponseError

from giftserver.app import open_history
from giftserver.durable.audit import audit_regularly
from giftserver.durable.credits import OutboxCredit, mark_applied, pending_credits, unmark_applied
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import Engines
from giftserver.failpoints import failpoint
from giftserver.flusher import run_until_signal
from giftserver.gifts.notices import BalanceChanged, send_notice
from giftserver.ledger import keys
from giftserver.ledger.ledger import Ledger
from giftserver.limits.service import SpendingLimits
from giftserver.metrics import Metrics
from giftserver.recharge.claims import ClaimKeeper
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.payout_keeper import PayoutKeeper
from giftserver.recharge.processor import EventProcessor
from giftserver.recharge.providers import open_providers
from giftserver.recharge.reconciler import Reconciler
from giftserver.recovery.coordinator import Coordinator
from giftserver.recovery.lease import LEASE_MS
from giftserver.recovery.rebuild import load_all
from giftserver.refunder import Refunder
from giftserver.rules.keeper import RuleKeeper
from giftserver.settings import Settings

log = structlog.get_logger()

LOOK_S: Final = 0.05
LOOK_MAX_S: Final = 0.2
"""While nothing is found, the time to the next look doubles up to this."""

REBUILT_S: Final = 0.2
CREDITS_MAX: Final = 500
"""Credits that one round tries to bring."""

AT_ONCE: Final = 8
"""Users whose credits are brought at the same time."""

SKIPPED_MAX: Final = 5_000
PAGES_MAX: Final = 4
"""A round reads one page of CREDITS_MAX, then pages of SKIPPED_MAX while it finds too few that can be brought now."""

REST_S: Final = 1.0
"""A user whose credits failed is tried again after this, so that the others of the shard come first."""

RESTING_MAX: Final = 10_000
PAUSE_S: Final = 0.5
REFUND_S: Final = 0.25
LIMITS_S: Final = 1.0
EVENTS_S: Final = 0.005
PAYOUTS_S: Final = 0.25
RECONCILE_S: Final = 1.0


class CreditCarrier:
    """Brings pending credits to wallets. A credit is marked applied only after Redis has it.

    What fails for one user, or waits in a closed shard, holds up nobody else.
    """

    def __init__(self, engines: Engines, ledger: Ledger, metrics: Metrics) -> None:
        self._engines, self._ledger, self._metrics = engines, ledger, metrics
        self._after = 0
        self._resting: dict[str, float] = {}

    async def carry(self) -> int:
        """Bring what can be brought now, at most CREDITS_MAX; returns how many credits were applied.

        The next round goes on behind the last credit looked at, and from the oldest again after the newest. Raises the
        drivers' errors when PostgreSQL, or every server of the ledger, is away.
        """
        by_user: dict[str, list[OutboxCredit]] = {}
        openings: dict[int, bytes] = {}
        for page in range(PAGES_MAX):
            limit = SKIPPED_MAX if page else CREDITS_MAX
            credits = await pending_credits(self._engines.database, limit, self._after)
            if credits and not page:
                openings = await self._openings()
            if self._choose(credits, openings, by_user):
                break
            if len(credits) < limit:
                self._after = 0
                break
        turns = asyncio.Semaphore(AT_ONCE)

        async def bring(user: str, credits: list[OutboxCredit]) -> int:
            async with turns:
                return await self._try(user, credits, openings)

        applied = sum(await asyncio.gather(*(bring(user, credits) for user, credits in by_user.items())))
        self._metrics.credits_applied.inc(applied)
        return applied

    async def _try(self, user: str, credits: list[OutboxCredit], openings: dict[int, bytes]) -> int:
        """Bring one user's credits; a server that fails is left alone for the rest of the round."""
        shard = keys.shard_of(user)
        if shard not in openings:
            return 0
        try:
            return await self._bring(user, credits, openings[shard])
        except Exception as problem:  # a damaged wallet, an engine that is away: the drivers have many errors
            log.warning("credit_failed", transfer=credits[0].transfer, shard=shard, error=type(problem).__name__)
            self._rest(user)
            if isinstance(problem, (RedisError, OSError)) and not isinstance(problem, ResponseError):
                openings.pop(shard, None)
            return 0

    def _choose(
        self, page: list[OutboxCredit], openings: dict[int, bytes], by_user: dict[str, list[OutboxCredit]]
    ) -> bool:
        """Take the credits of a page that can be brought now; True when these are enough for a round."""
        now_s = time.monotonic()
        chosen = sum(map(len, by_user.values()))
        for credit in page:
            if chosen >= CREDITS_MAX:
                return True
            self._after = credit.transfer
            if keys.shard_of(credit.user) in openings and self._resting.get(credit.user, 0.0) <= now_s:
                by_user.setdefault(credit.user, []).append(credit)
                chosen += 1
        return False

    def _rest(self, user: str) -> None:
        if len(self._resting) >= RESTING_MAX:
            self._resting.clear()
        self._resting[user] = time.monotonic() + REST_S

    async def _bring(self, user: str, credits: list[OutboxCredit], before: bytes) -> int:
        brought = await self._ledger.bring_credits(user)
        self._resting.pop(user, None)
        if brought is None:
            return 0
        coins, credit_no = brought
        done = [(user, credit.credit_no) for credit in credits if credit.credit_no <= credit_no]
        failpoint("credit.before_mark")
        applied = await mark_applied(self._engines.database, done)
        if await self._opening_or_none(keys.shard_of(user)) != before:  # Redis may have lost it before it was marked
            await unmark_applied(self._engines.database, done)
            return 0
        with contextlib.suppress(RedisError, OSError):  # a hint: the wallet can be asked
            await send_notice(self._engines.rooms_redis, BalanceChanged(user, coins))
        return applied

    async def _openings(self) -> dict[int, bytes]:
        """The epochs of the shards that are open. Raises redis-py's errors when a single Redis is away."""
        redis: Any = self._engines.ledger_redis
        async with redis.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hmget(keys.meta(shard), "epoch", "state")
            metas = await pipe.execute(raise_on_error=False)
        return {
            shard: meta[0]
            for shard, meta in enumerate(metas)  # of a cluster, only the shard's server may be away
            if not isinstance(meta, Exception) and meta[0] is not None and meta[1] == b"open"
        }

    async def _opening(self, shard: int) -> bytes | None:
        """The epoch of a shard that is open, None of one that is not. Raises redis-py's errors."""
        redis: Any = self._engines.ledger_redis
        epoch, state = await redis.hmget(keys.meta(shard), "epoch", "state")
        return epoch if state == b"open" else None

    async def _opening_or_none(self, shard: int) -> bytes | None:
        try:
            return await self._opening(shard)
        except (RedisError, OSError):
            return None


async def work(settings: Settings, engines: Engines, stop: asyncio.Event) -> None:
    """Coordinate shards and carry credits until `stop`; engines that are away are waited for."""
    metrics = Metrics()
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.host, metrics.registry)
    ledger = Ledger(
        engines.ledger_redis,
        DurableWallets(engines.database),
        backlog_max=settings.backlog_max,
        timeout_s=settings.ledger_timeout_s,
    )
    carrier = CreditCarrier(engines, ledger, metrics)
    refunder = Refunder(engines, open_history(settings, engines.rooms_redis), metrics)
    proving = audit_regularly(engines.database, engines.ledger_redis, metrics.registry, settings.verify_every_s, stop)
    coordinator = Coordinator(engines.database, engines.ledger_redis, lease_ms=LEASE_MS, production=settings.production)

    async def fill() -> None:
        if coordinator.rebuilt:
            await load_all(engines.database, ledger.wallets)
            coordinator.rebuilt = False

    inquiry = Inquiry(engines.database, open_providers(settings))
    events = EventProcessor(engines.database, inquiry, metrics)
    reconciler = Reconciler(engines.database, inquiry, metrics, settings.payments_quiet_s)
    limits = SpendingLimits(engines.database, ledger.wallets, settings.limit_day_coins)
    claims = ClaimKeeper(engines.database, ledger.wallets, inquiry, metrics)
    payouts = PayoutKeeper(engines.database, engines.ledger_redis, inquiry.providers, settings.base_url, metrics)
    tasks = [
        asyncio.create_task(proving, name="verify"),
        asyncio.create_task(coordinator.run(stop), name="coordinator"),
        asyncio.create_task(_again(fill, REBUILT_S, stop), name="load wallets"),
        asyncio.create_task(_again(carrier.carry, LOOK_S, stop, LOOK_MAX_S), name="credits"),
        asyncio.create_task(_again(refunder.step, REFUND_S, stop), name="refunds"),
        asyncio.create_task(_again(claims.step, REFUND_S, stop), name="claims"),
        asyncio.create_task(_again(limits.step, LIMITS_S, stop), name="limits"),
    ]
    if settings.rules_every_s:
        rules = RuleKeeper(engines.database, metrics, settings.rules_hold)
        tasks.append(asyncio.create_task(_again(rules.step, settings.rules_every_s, stop), name="rules"))
    if inquiry.providers:
        tasks += [
            asyncio.create_task(_again(events.step, EVENTS_S, stop, LOOK_MAX_S), name="provider events"),
            asyncio.create_task(_again(reconciler.step, RECONCILE_S, stop), name="reconciler"),
            asyncio.create_task(_again(payouts.step, PAYOUTS_S, stop, RECONCILE_S), name="payouts"),
        ]
    try:
        await asyncio.gather(*tasks)
    finally:
        await events.close()
        for provider in inquiry.providers.values():
            await provider.close()


async def _again(
    step: Callable[[], Awaitable[object]], period_s: float, stop: asyncio.Event, longest_s: float = 0.0
) -> None:
    """Step by step until `stop`; `longest_s`: the most that may pass between two that did nothing."""
    failing, pause_s = "", period_s
    while not stop.is_set():
        try:
            idle = not await step()
            pause_s = min(2 * pause_s, max(longest_s, period_s)) if idle else period_s
            failing = ""
        except Exception as problem:  # the engines' drivers have many errors; the work goes on when they are back
            if failing != type(problem).__name__:
                failing = type(problem).__name__
                log.warning("worker_waits", error=failing)
            pause_s = PAUSE_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stop.wait()


def run(settings: Settings) -> None:
    """Run the worker until SIGTERM or SIGINT. The engine URLs must be set."""
    run_until_signal(settings, work, keeps_limits=True)
