"""Are the engines set up so that an acknowledged gift is safe? Asked before a shard opens."""

from collections.abc import Collection
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.cluster.client import server_of
from giftserver.durable.server_settings import database_problems
from giftserver.ledger import keys

VERSION_MIN: Final = (7, 0)
"""Sharded pub/sub, script effects as transactions, and scripts that are not copied to replicas."""

WANTED: Final = {
    "maxmemory-policy": ("noeviction", "wallets would be evicted"),
    "appendonly": ("yes", "a restart would lose every gift that is not flushed"),
}


class EnginesUnfit(Exception):
    """Production refuses these engines; the message says what to set."""


async def redis_problems(redis: Redis, shards: Collection[int] = range(keys.SHARDS)) -> list[str]:
    """What is wrong with the ledger's Redis, each with what to set. Raises redis-py's errors when it is away."""
    servers = {id(server): server for server in [await server_of(redis, keys.meta(n)) for n in shards]}
    found: list[str] = []
    for server in servers.values():
        found += [problem for problem in await _server_problems(server) if problem not in found]
    return found


async def _server_problems(server: Any) -> list[str]:
    info = await server.info("server")
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    problems = []
    if version < VERSION_MIN:
        problems.append(f"Redis {info['redis_version']} is too old: giftserver needs 7.0 or newer, or Valkey")
    try:
        settings = await server.config_get("maxmemory-policy", "appendonly", "appendfsync")
    except ResponseError:
        return [*problems, "its settings cannot be read: allow this user CONFIG GET"]
    for name, (value, why) in WANTED.items():
        if settings.get(name) != value:
            problems.append(f"{name} is {settings.get(name)}: {why}; set `{name} {value}`")
    if settings.get("appendfsync") == "no":
        problems.append("appendfsync is no: a crash would lose acknowledged gifts; set `appendfsync always`")
    return problems


async def loses_seconds(redis: Redis) -> bool:
    """Whether up to two seconds of acknowledged gifts may vanish on power loss (appendfsync everysec)."""
    server: Any = await server_of(redis, keys.meta(0))
    try:
        return bool((await server.config_get("appendfsync")).get("appendfsync") != "always")
    except RedisError:
        return False


async def engine_problems(
    redis: Redis, database: AsyncEngine, shards: Collection[int] = range(keys.SHARDS)
) -> list[str]:
    """Everything that is wrong with the ledger's engines. Raises the engines' errors when one is away."""
    ledger = [f"the ledger's Redis: {problem}" for problem in await redis_problems(redis, shards)]
    return ledger + [f"PostgreSQL: {problem}" for problem in await database_problems(database)]
