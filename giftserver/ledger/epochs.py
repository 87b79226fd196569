"""The epoch of each shard and the run of Redis it belongs to, as one process last saw them."""

import asyncio
from typing import Any

from giftserver.ledger import keys

STALE = frozenset({"STALE_EPOCH", "FENCED", "SCHEMA"})
"""Answers after which the epoch must be read again."""


class Epochs:
    """Reads a shard's epoch and approved run once; whoever is told that they are stale forgets them."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._known: dict[int, tuple[str, str]] = {}

    def known(self, shard: int) -> tuple[str, str] | None:
        """The shard's epoch and run as they were read last, None when they must be read."""
        return self._known.get(shard)

    async def read(self, shard: int, timeout_s: float) -> tuple[str, str]:
        """The shard's epoch and run, ("0", "") when this Redis does not know the shard.

        Raises redis-py's errors, or TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            epoch, run = await self._redis.hmget(keys.meta(shard), "epoch", "run")
        known = self._known[shard] = (epoch.decode(), run.decode()) if epoch and run else ("0", "")
        return known

    def forget(self, shard: int) -> None:
        """Read them again before the next call."""
        self._known.pop(shard, None)
