"""Waiting: for a condition with a deadline, or a while in which a fault does its work."""

import asyncio
import time
from collections.abc import Callable

from redis.asyncio import Redis

from giftserver.ledger.clock import earliest_ms


async def rest(seconds: float) -> None:
    """Let the others work for a while."""
    done = asyncio.get_running_loop().create_future()
    handle = asyncio.get_running_loop().call_later(seconds, lambda: done.done() or done.set_result(None))
    try:
        await done
    finally:
        handle.cancel()


async def until(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Whether the condition came true before the deadline."""
    end_s = time.monotonic() + deadline_s
    while True:
        if condition():
            return True
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.02)


async def clock_passes(ledger_redis: Redis, moment_ms: int) -> None:
    """Return when the ledger's clock has passed a moment (Unix ms): what is decided from now on is later."""
    while True:
        if await earliest_ms(ledger_redis) > moment_ms:
            return
        await asyncio.sleep(0.0005)
