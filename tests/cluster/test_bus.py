"""The bus over a cluster: channels are on all servers, and move."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.crc import key_slot

from rooms.bus import Bus
from tests.cluster.nodes import Nodes, until


class Listener:
    """A started bus, what it brought by channel, and how often it had to connect anew."""

    def __init__(self, redis: Any) -> None:
        self.heard: dict[str, list[bytes]] = {}
        self.reconnects = 0
        self.bus = Bus(redis, self._again)

    def _again(self) -> None:
        self.reconnects += 1

    async def join(self, channel: str) -> None:
        self.heard[channel] = []
        await self.bus.subscribe(channel, self.heard[channel].append)

    async def until(self, condition: Callable[[], bool]) -> None:
        async def holds() -> bool:
            return condition()

        await until(holds, "the messages come")


@contextlib.asynccontextmanager
async def listening(redis: Any) -> AsyncIterator[Listener]:
    """A bus for the time of the block."""
    listener = Listener(redis)
    await listener.bus.start()
    try:
        yield listener
    finally:
        await listener.bus.stop()


@pytest.fixture
async def listener(redis: Any) -> AsyncIterator[Listener]:
    """A bus on the cluster."""
    async with listening(redis) as started:
        yield started


async def test_channels_of_all_servers_are_heard_in_order(nodes: Nodes, redis: Any, listener: Listener) -> None:
    """Each channel's messages come in order and at once, whichever server has it."""
    channels = [f"{{r:{n}}}:events" for n in range(12)]
    assert len({nodes.owner(key_slot(f"r:{n}".encode())).port for n in range(12)}) == 3
    await asyncio.gather(*(listener.join(channel) for channel in channels))
    for n in range(20):
        for channel in channels:
            assert await redis.execute_command("SPUBLISH", channel, b"%d" % n) == 1
    await listener.until(lambda: all(len(heard) == 20 for heard in listener.heard.values()))
    assert all(heard == [b"%d" % n for n in range(20)] for heard in listener.heard.values())
    assert listener.reconnects == 0


async def test_a_channel_that_was_left_is_silent(redis: Any, listener: Listener) -> None:
    """Nobody is subscribed any more; the others go on."""
    for channel in ("{r:1}:events", "{r:2}:events"):
        await listener.join(channel)
    await listener.bus.unsubscribe("{r:1}:events")

    async def silent() -> bool:
        return not await redis.execute_command("SPUBLISH", "{r:1}:events", b"x")

    await until(silent, "nobody is subscribed")
    assert await redis.execute_command("SPUBLISH", "{r:2}:events", b"y") == 1
    await listener.until(lambda: listener.heard["{r:2}:events"] == [b"y"])
    assert listener.reconnects == 0


async def test_a_channel_that_moves_is_heard_again(nodes: Nodes, redis: Any, listener: Listener) -> None:
    """The rooms are told that something may be missing, and everything is heard from then on."""
    channel, slot = "{r:5}:events", key_slot(b"r:5")
    source = nodes.owner(slot)
    target = next(node for node in nodes.primaries if node is not source)
    await listener.join(channel)
    await listener.join("{r:6}:events")
    nodes.begin_move(slot, source, target)
    nodes.end_move(slot, source, target)
    await listener.until(lambda: listener.reconnects > 0)

    async def heard() -> bool:
        return bool(await redis.execute_command("SPUBLISH", channel, b"after"))

    await until(heard, "somebody is subscribed")
    await listener.until(lambda: listener.heard[channel] != [])
    assert set(listener.heard[channel]) == {b"after"}
    nodes.begin_move(slot, target, source)
    nodes.end_move(slot, target, source)
