"""A flusher that comes late: it has read gifts that Redis has lost since, and that nobody will count but PostgreSQL."""

import time
from typing import Any

from giftserver.durable import flush as flush_module
from giftserver.durable.flush import read_cursor
from giftserver.durable.intake import FlushHalted, read_waiting
from giftserver.ledger import keys
from tests.torture.model import Body
from tests.torture.workload import new_key
from tests.torture.world import World

USER = "viewer0"
SHARD = keys.shard_of(USER)


async def test_what_redis_lost_is_not_posted_after_the_shard_opened_again(engine_urls: Any, template: str) -> None:
    """Read before the loss, posted after the opening: the two would count different gifts under the same numbers."""
    world = World(engine_urls, template)
    await world.open()
    try:
        await world.credit(USER, 100, "payment")
        body = Body(USER, "mira", 20)
        await world.send([(new_key(time.time_ns() // 1_000_000), body) for _ in range(3)])
        cursor = await read_cursor(world.engines.database, SHARD)
        waiting = await read_waiting(world.redis, SHARD, cursor, 1_000)
        assert waiting is not None
        await world.redis.flushall()
        await world.coordinate()
        try:
            posted = await flush_module._post(world.engines.database, SHARD, cursor, waiting)
        except FlushHalted:
            posted = False
        await world.coordinate()
        [told] = await world.send([(new_key(time.time_ns() // 1_000_000), body)])
        await world.flush(SHARD, 1_000, 1)
        report = await world.verify()
        live, durable = await world.live([USER]), await world.durable([USER])
    finally:
        await world.close()
    assert report.holds, report.render()
    assert live == durable == {USER: told.balance}
    assert told.balance == (20 if posted else 80)
