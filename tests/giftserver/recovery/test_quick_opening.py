"""The opening that most tests start from is the coordinator's."""

from typing import Any

from sqlalchemy import text

from giftserver.engines import Engines
from giftserver.ledger import keys
from giftserver.recovery.coordinator import open_ledger
from tests.quick_opening import open_new_ledger


async def left_behind(engines: Engines) -> tuple[list[Any], dict[bytes, Any]]:
    """The records in PostgreSQL, without their time, and everything in Redis."""
    query = text("SELECT shard, epoch, run, verdict, seq, note FROM ledger_epoch ORDER BY shard, epoch")
    async with engines.database.connect() as connection:
        records = [tuple(row) for row in await connection.execute(query)]
    redis = engines.ledger_redis
    return records, {name: await redis.hgetall(name) for name in await redis.keys("*")}


async def test_it_leaves_what_the_coordinator_leaves(engines: Engines) -> None:
    """In both engines; and a ledger with a past is opened by the coordinator itself."""
    await open_new_ledger(engines.database, engines.ledger_redis)
    quick = await left_behind(engines)
    await engines.ledger_redis.hset(keys.meta(3), "state", "fenced")
    await open_new_ledger(engines.database, engines.ledger_redis)
    assert await engines.ledger_redis.hmget(keys.meta(3), "state", "epoch") == [b"open", b"2"]
    await engines.ledger_redis.flushall()
    await open_new_ledger(engines.database, engines.ledger_redis)
    assert await engines.ledger_redis.hget(keys.meta(3), "epoch") == b"3"

    await engines.ledger_redis.flushall()
    async with engines.database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("DELETE FROM ledger_epoch"))
    await open_ledger(engines.database, engines.ledger_redis)
    assert await left_behind(engines) == quick
