"""Clients that only watch, over a socket of their own."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from giftserver.replay.link import Dialect, Link
from giftserver.replay.tally import Tally

CUT_EVERY_S = 1.5


class Watcher:
    """Watches a room and tallies what it is shown; resumes by epoch and offset.

    `credentials` gives the query and headers of each connection.
    """

    def __init__(
        self, name: str, url: str, dialect: Dialect, tally: Tally,
        credentials: Callable[[], Awaitable[tuple[dict[str, str], dict[str, str]]]], chance: random.Random,
    ) -> None:  # fmt: skip
        self.name, self.tally = name, tally
        self.welcomed = asyncio.Event()
        self._url, self._credentials, self._chance = url, credentials, chance
        self._link = Link(dialect, self._address, self._take, chance)

    async def run(self, *, cuts: bool = False) -> None:
        """Watch until cancelled; `cuts` breaks the connection now and then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            if cuts:
                group.create_task(self._cut())

    def remarks(self) -> list[str]:
        """What happened on the way, in words."""
        again = self._link.connections - 1
        return [*([f"{again} reconnects"] if again > 0 else []), *self.tally.remarks()]

    async def _address(self) -> tuple[str, dict[str, str]]:
        query, headers = await self._credentials()
        position = self.tally.position
        if position is not None:
            query = {**query, "epoch": position[0], "offset": str(position[1])}
        return (f"{self._url}?{urlencode(query)}" if query else self._url), headers

    def _take(self, messages: list[Any]) -> None:
        for message in messages:
            self.tally.take(message)
            if message["type"] == "welcome":
                self.welcomed.set()

    async def _cut(self) -> None:
        while True:
            await asyncio.sleep(CUT_EVERY_S * (0.5 + self._chance.random()))
            self._link.cut()
