"""The clock that dates every gift: that of the ledger's Redis, or the clocks of its servers in a cluster."""

from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from giftserver.cluster.client import by_server, server_of
from giftserver.ledger import keys

DOUBT_MS: Final = 65_000
"""How much later than the others the clock of a server may be that does not answer."""


async def earliest_ms(redis: Redis) -> int:
    """A moment that no server's clock has yet to reach. Raises redis-py's errors when a server does not answer."""
    clocks, away = await _clocks_ms(redis)
    if away is not None:
        raise away
    return min(clocks)


async def latest_ms(redis: Redis) -> int:
    """A moment that every server's clock has reached by now. Raises redis-py's errors when no server answers."""
    clocks, away = await _clocks_ms(redis)
    if away is not None and not clocks:
        raise away
    return max(clocks) + (0 if away is None else DOUBT_MS)


async def _clocks_ms(redis: Redis) -> tuple[list[int], Exception | None]:
    """Unix ms of the servers that hold shards, and the error of one that does not answer."""
    found: list[int] = []
    away: Exception | None = None
    for names in await by_server(redis, [keys.meta(shard) for shard in range(keys.SHARDS)]):
        try:
            server: Any = await server_of(redis, names[0])
            seconds, microseconds = await server.time()
            found.append(seconds * 1_000 + microseconds // 1_000)
        except (RedisError, OSError) as problem:
            away = problem
    return found, away
