"""Safeguards that nothing else looks at one by one; `make seeded` takes each out, and one of these must notice."""

import asyncio
import time
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import pytest
from msgspec.structs import replace
from redis.exceptions import ConnectionError as RedisConnectionError

from giftserver.durable import flush as flush_module
from giftserver.durable.flush import flush_shard, trim_events
from giftserver.gifts.catalog import load_catalog
from giftserver.gifts.catchup import GRACE_MS, CatchUp
from giftserver.ledger import keys
from giftserver.ledger.outcomes import Reason, Refused
from tests.torture.model import Body, Told
from tests.torture.waiting import until
from tests.torture.workload import new_key
from tests.torture.world import World, order_of

USER = "viewer0"
SHARD = keys.shard_of(USER)


@pytest.fixture
async def world(engine_urls: Any, template: str) -> AsyncIterator[World]:
    """A ledger of its own in which somebody has 100 coins."""
    opened = World(engine_urls, template)
    await opened.open()
    await opened.credit(USER, 100, "payment")
    yield opened
    await opened.close()


def fresh_key() -> str:
    """A key of now."""
    return new_key(time.time_ns() // 1_000_000)


async def give(world: World, coins: int = 10) -> Told:
    """One gift."""
    [told] = await world.send([(fresh_key(), Body(USER, "mira", coins))])
    return told


async def test_a_flush_that_fails_moves_no_mark(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`flushed` follows the COMMIT: whoever trusts it may drop events."""
    await give(world)

    async def away(*_: object) -> bool:
        raise ConnectionResetError("before COMMIT")

    monkeypatch.setattr(flush_module, "post_gifts", away)
    with pytest.raises(ConnectionResetError):
        await flush_shard(world.engines.database, world.redis, SHARD)
    assert await world.marks(SHARD) == (1, 0, 0)


async def test_nothing_is_trimmed_that_is_not_flushed(world: World) -> None:
    """Even when it is old and every room has seen it."""
    limit = await world.redis.config_get("stream-node-max-entries")
    await world.redis.config_set("stream-node-max-entries", 1)
    try:
        for _ in range(5):
            await give(world)
        await world.redis.hset(keys.meta(SHARD), "announced", 5)
        assert await trim_events(world.redis, SHARD, keep_ms=-3_600_000) == 0
        assert await world.flush(SHARD, 1_000, 1) == 5
        assert await trim_events(world.redis, SHARD, keep_ms=-3_600_000) > 0
    finally:
        await world.redis.config_set("stream-node-max-entries", limit["stream-node-max-entries"])


async def test_diamonds_are_not_taken_back(world: World) -> None:
    """A negative number of diamonds is an amount out of range, for the script too."""
    await give(world)
    order = replace(order_of(fresh_key(), Body(USER, "mira", 10)), diamonds=-5)
    assert await world.ledger.send(order) == Refused(Reason.BAD_AMOUNT)


async def test_a_wallet_that_is_there_is_not_loaded_over(world: World) -> None:
    """Two processes load one wallet; the second finds what the first, its gifts and its credits left."""
    snapshot = await world.source.snapshot([USER], SHARD, time.time())
    await give(world)
    await world.credit(USER, 50, "another payment")
    await world.carry()
    await world.ledger.wallets.install(SHARD, snapshot, [USER])
    assert (await world.live([USER]))[USER] == 140


async def test_a_gift_that_is_still_there_is_not_charged_again(world: World) -> None:
    """A new epoch makes the process send its unsettled gifts again; those that Redis kept are repeats."""
    world.ledger.start()
    assert await give(world) == Told("OK", 90)
    await world.other_run()
    await world.coordinate()
    assert await give(world) == Told("OK", 80)

    unsettled = world.ledger._unsettled
    assert await until(lambda: all(gift.epoch != "1" for gift in unsettled._gifts[SHARD]), 10)
    assert await until(lambda: len(unsettled) == 2, 10)
    assert (await world.live([USER]))[USER] == 80
    assert await world.flush(SHARD, 1_000, 1) == 2


async def test_what_could_not_be_shown_is_shown_later(world: World) -> None:
    """The announced mark follows the rooms' histories: while those are away it stays."""
    await give(world)
    await world.flush(SHARD, 1_000, 1)

    class Away:
        async def unseen(self, room: str, events: list[str]) -> list[str]:
            raise RedisConnectionError("the rooms are away")

    history: Any = Away()
    advance = world.redis.register_script((files("giftserver.ledger") / "scripts" / "advance_mark.lua").read_text())
    catch_up = CatchUp(world.engines.ledger_redis, history, load_catalog(), advance, lambda number: None)
    with pytest.raises(RedisConnectionError):
        await looking(catch_up)
    assert int(await world.redis.hget(keys.meta(SHARD), "announced")) == 0


async def looking(catch_up: CatchUp) -> None:
    """Look until the gift is old enough to be caught up."""
    async with asyncio.timeout(GRACE_MS / 1_000 + 5):
        while True:
            await catch_up.look(SHARD)
            await asyncio.sleep(0.05)
