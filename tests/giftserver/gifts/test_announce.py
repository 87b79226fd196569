"""Paid gifts are shown to their room, in order, without waiting for the next one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from giftserver.gifts.announce import Announcer
from rooms.history import Event, History
from tests.rooms.conftest import event, until


class Gated(History):
    """A history whose first answer waits for the test."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, combo_window_ms=1_000, history_events=100, ttl_s=600)
        self.appended = False
        self.gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def append(self, room: str, events: Sequence[Event]) -> int:
        appended = await super().append(room, events)
        self.appended = True
        await asyncio.shield(self.gate)
        return appended


@pytest.fixture
async def history(engine_urls: Any) -> AsyncIterator[Gated]:
    """An empty one."""
    redis = Redis.from_url(engine_urls.rooms_redis_url)
    await redis.flushall()
    yield Gated(redis)
    await redis.aclose()


@pytest.mark.parametrize("turns", range(5))
async def test_a_gift_that_comes_as_the_last_one_was_shown_is_shown(history: Gated, turns: int) -> None:
    """However many turns of the loop after the answer it comes."""
    told: list[int] = []
    announcer = Announcer(history, told.append, lambda: None)
    announcer.submit("r", event(1))
    await until(lambda: history.appended)
    history.gate.set_result(None)
    for _ in range(turns):
        await asyncio.sleep(0)
    announcer.submit("r", event(2))
    assert await until(lambda: sum(told) == 2)
    assert [record.body for record in (await history.page("r", 0, 10))[1]] == ["1", "2"]
    await announcer.close()
    assert announcer._workers == {}
