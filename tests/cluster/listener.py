"""Somebody who listens to a bus."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from rooms.bus import Bus
from tests.cluster.nodes import until


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
