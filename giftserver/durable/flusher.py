"""The flusher: keeps PostgreSQL behind Redis by no more than a moment, shard by shard, and outlives both.

One look at all shards' marks every `tick_ms`; a shard with gifts waiting gets a task of its own that flushes until
nothing is left, so a slow or halted shard never holds up another.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.flush import BATCH_MAX, TAIL_MS, flush_shard, trim_events
from giftserver.durable.intake import Cursor, FlushedGift, FlushHalted, Waiting
from giftserver.durable.metrics import FlushMetrics
from giftserver.ledger import keys

log = structlog.get_logger()

TICK_MS: Final = 40
"""A look every 40 ms leaves time to flush what is found within 50."""

AT_ONCE: Final = 4
"""Shards that are flushed at the same time; each takes one database connection."""

HALTED_RETRY_S: Final = 5.0
BACKOFF_MIN_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
TRIM_EVERY_S: Final = 10.0

OnFlushed = Callable[[int, list[FlushedGift]], Awaitable[None]]


@dataclass(slots=True)
class _Shard:
    """What the flusher knows of one shard; times are of the loop's clock."""

    number: int
    cursor: Cursor | None = None
    ahead: Waiting | None = None
    task: asyncio.Task[None] | None = None
    not_before_s: float = 0.0
    failures: int = 0
    halted: str | None = None
    trim_at_s: float = 0.0

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()


class Flusher:
    """Flushes its shards until stopped.

    `on_flushed(shard, gifts)` is called after each batch stands in PostgreSQL, in order per shard; it may be missed
    when this process dies in between, and its errors are logged, not passed on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        ledger_redis: Redis,
        metrics: FlushMetrics,
        *,
        shards: Iterable[int] = range(keys.SHARDS),
        on_flushed: OnFlushed | None = None,
        tick_ms: int = TICK_MS,
        batch_max: int = BATCH_MAX,
        at_once: int = AT_ONCE,
        tail_ms: int = TAIL_MS,
    ) -> None:
        self._engine = engine
        self._redis: Any = ledger_redis
        self._metrics = metrics
        self._on_flushed = on_flushed
        self._tick_s = tick_ms / 1000
        self._batch_max = batch_max
        self._tail_ms = tail_ms
        self._shards = [_Shard(number) for number in shards]
        self._slots = asyncio.Semaphore(at_once)
        self._stopping = asyncio.Event()

    @property
    def halted(self) -> dict[int, str]:
        """Why each halted shard stopped."""
        return {shard.number: shard.halted for shard in self._shards if shard.halted is not None}

    def stop(self) -> None:
        """Ask `run` to return once the batches under way are finished."""
        self._stopping.set()

    async def run(self) -> None:
        """Flush until `stop`; never raises because an engine is away. Cancelled, it still ends batches under way."""
        failures = 0
        task = asyncio.current_task()
        assert task is not None
        try:
            # redis-py can swallow a cancellation while it takes a connection from its pool: the task remembers it.
            while not self._stopping.is_set() and not task.cancelling():
                try:
                    await self._look()
                    failures, pause_s = 0, self._tick_s
                except (RedisError, OSError) as problem:
                    failures += 1
                    pause_s = backoff_s(failures)
                    if failures == 1:
                        log.warning("flusher_redis_away", error=repr(problem))
                await self._sleep(pause_s)
        finally:
            self._stopping.set()
            await asyncio.gather(*(shard.task for shard in self._shards if shard.task is not None))

    async def _look(self) -> None:
        """Start a task for each shard that has something waiting and none running."""
        now_s = asyncio.get_running_loop().time()
        idle = [shard for shard in self._shards if not shard.busy and shard.not_before_s <= now_s]
        if not idle:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for shard in idle:
            pipeline.hmget(keys.meta(shard.number), ["seq", "flushed"])
        for shard, reply in zip(idle, await pipeline.execute(raise_on_error=False), strict=True):
            if isinstance(reply, Exception):  # of a cluster, only the shard's server may be away
                self._failed(shard, reply)
                continue
            seq, flushed = reply
            if seq is None:
                shard.cursor = None  # wiped: the next life of this shard is looked at afresh
            elif shard.cursor is None or int(seq) != shard.cursor.seq or int(flushed or 0) < shard.cursor.seq:
                shard.task = asyncio.create_task(self._flush(shard), name=f"flush shard {shard.number}")
            elif shard.trim_at_s <= now_s:
                shard.trim_at_s = now_s + TRIM_EVERY_S
                await trim_events(self._redis, shard.number, self._tail_ms)

    async def _flush(self, shard: _Shard) -> None:
        loop = asyncio.get_running_loop()
        try:
            more = True
            while more and not self._stopping.is_set():
                async with self._slots:
                    more = await self._flush_once(shard)
        except FlushHalted as halt:
            if shard.halted != str(halt):
                log.error(
                    "flush_halted",
                    shard=shard.number,
                    rule=halt.rule,
                    event_id=halt.event,
                    detail=halt.detail,
                )
            shard.halted, shard.cursor = str(halt), None
            shard.not_before_s = loop.time() + HALTED_RETRY_S
            self._metrics.halted(shard.number, True)
        except Exception as problem:  # an engine is away; whatever it is, it must not end the other shards' work
            self._failed(shard, problem)
        finally:
            shard.ahead = None

    def _failed(self, shard: _Shard, problem: Exception) -> None:
        """Leave the shard alone for a while."""
        shard.failures += 1
        shard.cursor = None
        shard.not_before_s = asyncio.get_running_loop().time() + backoff_s(shard.failures)
        self._metrics.failed(shard.number)
        if shard.failures == 1:
            log.warning("flush_waits", shard=shard.number, error=repr(problem))

    async def _flush_once(self, shard: _Shard) -> bool:
        """One batch; whether more is known to be waiting."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        was_ahead = shard.ahead is not None
        result = await flush_shard(self._engine, self._redis, shard.number, self._batch_max, shard.cursor, shard.ahead)
        shard.cursor, shard.ahead, shard.failures = result.cursor, result.ahead, 0
        if shard.halted is not None:
            shard.halted = None
            self._metrics.halted(shard.number, False)
            log.info("flush_goes_on", shard=shard.number)
        self._metrics.waiting(shard.number, result.waiting - len(result.gifts))
        if result.gifts:
            self._metrics.posted(shard.number, len(result.gifts), loop.time() - started_s)
            await self._announce(shard.number, result.gifts)
        if shard.trim_at_s <= loop.time():
            shard.trim_at_s = loop.time() + TRIM_EVERY_S
            await trim_events(self._redis, shard.number, self._tail_ms)
        # What was read ahead may be followed by more that came since.
        return result.status == "lost_race" or result.waiting > len(result.gifts) or was_ahead

    async def _announce(self, shard: int, gifts: list[FlushedGift]) -> None:
        if self._on_flushed is None or not gifts:
            return
        try:
            await self._on_flushed(shard, gifts)
        except Exception as problem:  # whoever listens must not stop the money
            log.warning("on_flushed_failed", shard=shard, error=repr(problem))

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def backoff_s(failures: int) -> float:
    """Seconds to wait after this many failures in a row: doubling, capped, with jitter so that flushers spread."""
    longest = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2 ** min(failures - 1, 10))
    return random.uniform(longest / 2, longest)
