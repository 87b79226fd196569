"""Redis was away for longer than receipts live: what a process remembers as unsettled may stand long since."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from giftserver.ledger import keys
from tests.torture.model import Body, Told
from tests.torture.waiting import until
from tests.torture.workload import new_key
from tests.torture.world import World

USER = "viewer0"
SHARD = keys.shard_of(USER)


@pytest.fixture
async def world(engine_urls: Any, template: str) -> AsyncIterator[World]:
    """A ledger in which somebody has 100 coins, and a process that looks after its accepted gifts."""
    opened = World(engine_urls, template)
    await opened.open()
    await opened.credit(USER, 100, "payment")
    opened.ledger.start()
    yield opened
    await opened.close()


@pytest.mark.parametrize("flushed", [False, True], ids=["in the stream", "in PostgreSQL"])
async def test_a_gift_whose_receipt_has_expired_is_not_charged_again(world: World, flushed: bool) -> None:
    """The receipt ran out while Redis was away; the gift is in the stream or in PostgreSQL, and is not sent again."""
    key = new_key(time.time_ns() // 1_000_000)
    assert await world.send([(key, Body(USER, "mira", 10))]) == [Told("OK", 90)]
    if flushed:
        assert await world.flush(SHARD, 1_000, 1) == 1
        await world.lose_mark(SHARD)  # the flusher's last word did not reach Redis
    await world.other_run()
    await world.redis.delete(keys.receipt(SHARD, USER, key))
    await world.coordinate()
    unsettled = world.ledger._unsettled
    assert await until(lambda: all(gift.epoch != "1" for gift in unsettled._gifts[SHARD]), 10)
    assert await world.flush(SHARD, 1_000, 1) == (0 if flushed else 1)
    assert (await world.live([USER]))[USER] in (None, 90)
    report = await world.verify()
    assert report.holds, report.render()
