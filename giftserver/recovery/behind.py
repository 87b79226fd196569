"""Whether PostgreSQL may be older than what happened: what is paid out then may have been paid already."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.store import flush_cursors
from giftserver.ledger import keys


async def may_be_behind(database: AsyncEngine, ledger_redis: Redis) -> bool:
    """Whether a shard is not open, PostgreSQL has less of it than was flushed, or Redis cannot tell.

    The marks are read before PostgreSQL: what moves meanwhile moves forward. Raises the database driver's errors.
    """
    redis: Any = ledger_redis
    try:
        async with redis.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hmget(keys.meta(shard), "state", "flushed")
            metas = await pipe.execute()
    except (RedisError, OSError):
        return True
    cursors = await flush_cursors(database)
    return any(
        state != b"open" or int(flushed or 0) > cursors.get(shard, (0, 0))[1]
        for shard, (state, flushed) in enumerate(metas)
    )
