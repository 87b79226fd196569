"""The bus over a cluster: channels are on all servers, and move."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.crc import key_slot

from tests.cluster.listener import Listener, listening
from tests.cluster.nodes import Nodes, until


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
