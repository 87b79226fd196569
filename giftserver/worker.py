"""The worker process: coordinates the shards, and carries outbox credits from PostgreSQL to the wallets in Redis."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from prometheus_client import start_http_server
from redis.exceptions import RedisError

from giftserver.durable.audit import audit_regularly
from giftserver.durable.credits import OutboxCredit, mark_applied, pending_credits, unmark_applied
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import Engines
from giftserver.failpoints import failpoint
from giftserver.flusher import run_until_signal
from giftserver.gifts.notices import BalanceChanged, send_notice
from giftserver.ledger import keys
from giftserver.ledger.ledger import Ledger
from giftserver.metrics import Metrics
from giftserver.recovery.coordinator import Coordinator
from giftserver.recovery.lease import LEASE_MS
from giftserver.recovery.rebuild import load_all
from giftserver.settings import Settings

log = structlog.get_logger()

LOOK_S: Final = 0.05
REBUILT_S: Final = 0.2
CREDITS_MAX: Final = 500
PAUSE_S: Final = 0.5


class CreditCarrier:
    """Brings pending credits to wallets. A credit is marked applied only after Redis has it."""

    def __init__(self, engines: Engines, ledger: Ledger, metrics: Metrics) -> None:
        self._engines, self._ledger, self._metrics = engines, ledger, metrics

    async def carry(self) -> int:
        """Bring what is pending now; returns how many credits were applied."""
        pending = await pending_credits(self._engines.database, CREDITS_MAX)
        by_user: dict[str, list[OutboxCredit]] = {}
        for credit in pending:
            by_user.setdefault(credit.user, []).append(credit)
        applied = 0
        for user, credits in by_user.items():
            shard = keys.shard_of(user)
            before = await self._opening(shard)
            brought = await self._ledger.bring_credits(user)
            if brought is None or before is None:
                continue
            coins, credit_no = brought
            done = [(user, credit.credit_no) for credit in credits if credit.credit_no <= credit_no]
            failpoint("credit.before_mark")
            applied += await mark_applied(self._engines.database, done)
            if await self._opening_or_none(shard) != before:  # Redis may have lost it before it was marked
                await unmark_applied(self._engines.database, done)
                continue
            with contextlib.suppress(RedisError, OSError):  # a hint: the wallet can be asked
                await send_notice(self._engines.rooms_redis, BalanceChanged(user, coins))
        self._metrics.credits_applied.inc(applied)
        return applied

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
    proving = audit_regularly(engines.database, engines.ledger_redis, metrics.registry, settings.verify_every_s, stop)
    coordinator = Coordinator(engines.database, engines.ledger_redis, lease_ms=LEASE_MS, production=settings.production)

    async def fill() -> None:
        if coordinator.rebuilt:
            await load_all(engines.database, ledger.wallets)
            coordinator.rebuilt = False

    tasks = [
        asyncio.create_task(proving, name="verify"),
        asyncio.create_task(coordinator.run(stop), name="coordinator"),
        asyncio.create_task(_again(fill, REBUILT_S, stop), name="load wallets"),
        asyncio.create_task(_again(carrier.carry, LOOK_S, stop), name="credits"),
    ]
    await asyncio.gather(*tasks)


async def _again(step: Callable[[], Awaitable[object]], period_s: float, stop: asyncio.Event) -> None:
    failing = ""
    while not stop.is_set():
        pause_s = period_s
        try:
            await step()
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
    run_until_signal(settings, work)
