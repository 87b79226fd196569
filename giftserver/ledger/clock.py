"""The clock that dates every gift: that of the ledger's Redis, or the clocks of its servers in a cluster."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from giftserver.cluster.client import by_server, server_of
from giftserver.ledger import keys


async def clocks_ms(redis: Redis) -> list[int]:
    """Unix ms of every server that holds shards and answers, at least one. Raises redis-py's errors when none does."""
    found: list[int] = []
    away: Exception | None = None
    for names in await by_server(redis, [keys.meta(shard) for shard in range(keys.SHARDS)]):
        try:
            server: Any = await server_of(redis, names[0])
            seconds, microseconds = await server.time()
            found.append(seconds * 1_000 + microseconds // 1_000)
        except (RedisError, OSError) as problem:
            away = problem
    if not found and away is not None:
        raise away
    return found
