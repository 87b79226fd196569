"""A worker that comes late: it marks a credit as applied that Redis has lost since."""

from typing import Any

import pytest
from sqlalchemy import text

from giftserver.durable.credits import mark_applied
from giftserver.ledger import keys
from tests.torture.world import World

USER = "viewer0"


@pytest.mark.xfail(strict=True, reason="the mark is not tied to the epoch the credit was applied in")
async def test_a_credit_that_redis_lost_before_it_was_marked_comes_again(engine_urls: Any, template: str) -> None:
    """Applied, lost, opened again, then marked: nobody offers the credit once more, and its owner misses coins."""
    world = World(engine_urls, template)
    await world.open()
    try:
        await world.credit(USER, 100, "long ago")
        await world.carry()
        async with world.engines.database.begin() as connection:
            await connection.execute(text("UPDATE credit_outbox SET applied_at = now() - interval '2 hours'"))
        await world.credit(USER, 50, "now")
        wallet = keys.wallet(keys.shard_of(USER), USER)
        before = await world.redis.hgetall(wallet)
        brought = await world.ledger.bring_credits(USER)
        await world.redis.hset(wallet, mapping=before)
        await world.other_run()
        await world.coordinate()
        await mark_applied(world.engines.database, [(USER, brought[1] if brought else 0)])
        await world.carry()
        live = await world.live([USER])
    finally:
        await world.close()
    assert live[USER] in (None, 150)
