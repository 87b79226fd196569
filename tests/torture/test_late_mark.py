"""A worker that comes late: it marks a credit as applied that Redis has lost since."""

from typing import Any

import pytest
from sqlalchemy import text

from giftserver import worker
from giftserver.durable.credits import mark_applied
from giftserver.ledger import keys
from tests.torture.world import World

USER = "viewer0"


async def test_a_credit_that_redis_lost_before_it_was_marked_comes_again(
    engine_urls: Any, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applied, lost, opened again, then marked: the mark is taken back, and the credit is offered once more."""
    world = World(engine_urls, template)
    await world.open()
    wallet = keys.wallet(keys.shard_of(USER), USER)
    before: dict[bytes, bytes] = {}

    async def late_mark(engine: Any, applied: Any) -> int:
        monkeypatch.setattr(worker, "mark_applied", mark_applied)
        await world.redis.hset(wallet, mapping=before)
        await world.other_run()
        await world.coordinate()
        return await mark_applied(engine, applied)

    try:
        await world.credit(USER, 100, "long ago")
        await world.carry()
        async with world.engines.database.begin() as connection:
            await connection.execute(text("UPDATE credit_outbox SET applied_at = now() - interval '2 hours'"))
        await world.credit(USER, 50, "now")
        before |= await world.redis.hgetall(wallet)
        monkeypatch.setattr(worker, "mark_applied", late_mark)
        await world.carry()
        await world.carry()
        live = await world.live([USER])
    finally:
        await world.close()
    assert live[USER] in (None, 150)


async def test_a_credit_that_is_marked_and_missing_is_found(engine_urls: Any, template: str) -> None:
    """The proof names it when it has been missing for longer than applying and marking take."""
    world = World(engine_urls, template)
    await world.open()
    wallet = keys.wallet(keys.shard_of(USER), USER)
    try:
        await world.credit(USER, 100, "payment")
        await world.carry()
        older = await world.redis.hgetall(wallet)
        await world.credit(USER, 50, "payment 2")
        await world.carry()
        await world.redis.hset(wallet, mapping=older)
        assert (await world.verify()).holds
        async with world.engines.database.begin() as connection:
            await connection.execute(text("UPDATE credit_outbox SET applied_at = now() - interval '2 minutes'"))
        report = await world.verify()
    finally:
        await world.close()
    assert "marked as applied" in report.render()
