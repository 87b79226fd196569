"""Clients that only watch, and count what they are shown by the protocol's counting rule."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from giftserver.replay.link import Dialect, Link

CUT_EVERY_S = 1.5


class Watcher:
    """Counts each gift's own `quantity` times its price, by transfer. Resumes by epoch and offset.

    `prices_coins` maps gifts to prices; `headers` are asked for every connection. Nothing is thrown away as a repeat:
    if the server shows a gift twice, the sum is wrong and says so.
    """

    def __init__(
        self, name: str, url: str, dialect: Dialect, prices_coins: Mapping[str, int],
        credentials: Callable[[], Awaitable[tuple[dict[str, str], dict[str, str]]]], chance: random.Random,
    ) -> None:  # fmt: skip
        self.name = name
        self.shown_coins: Counter[str] = Counter()
        self.folded_coins = 0
        self.resumed = 0
        self.lost = 0
        self.welcomed = asyncio.Event()
        self._url, self._prices, self._credentials, self._chance = url, prices_coins, credentials, chance
        self._link = Link(dialect, self._address, self._take, chance)
        self._position: tuple[str, int] | None = None

    async def run(self, *, cuts: bool = False) -> None:
        """Watch until cancelled; `cuts` breaks the connection now and then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            if cuts:
                group.create_task(self._cut())

    def coins_of(self, transfers: set[str]) -> int:
        """Coins shown for these transfers."""
        return sum(self.shown_coins[transfer] for transfer in transfers)

    def remarks(self) -> list[str]:
        """What happened on the way, in words."""
        found = []
        if self._link.connections > 1:
            found.append(f"{self._link.connections - 1} reconnects, {self.resumed} resumed")
        if self.lost:
            found.append(f"could not resume {self.lost} times: more was missed than the room keeps")
        if self.folded_coins:
            found.append(f"{self.folded_coins} coins came folded, without their transfers")
        return found

    async def _address(self) -> tuple[str, dict[str, str]]:
        query, headers = await self._credentials()
        if self._position is not None:
            query = {**query, "epoch": self._position[0], "offset": str(self._position[1])}
        return (f"{self._url}?{urlencode(query)}" if query else self._url), headers

    def _take(self, messages: list[Any]) -> None:
        for message in messages:
            kind = message["type"]
            if kind == "welcome":
                self._welcome(message)
            elif kind == "gift":
                self.shown_coins[message["transfer"]] += message["quantity"] * self._prices[message["gift"]]
            elif kind == "gifts_folded":
                items = message["items"]
                self.folded_coins += sum(item["quantity"] * self._prices[item["gift"]] for item in items)
            if "offset" in message and kind != "welcome" and self._position is not None:
                self._position = (self._position[0], max(self._position[1], message["offset"]))

    def _welcome(self, message: dict[str, Any]) -> None:
        if not message["resumed"]:
            self.lost += self._position is not None
            self._position = (message["epoch"], message["offset"])
        else:
            self.resumed += 1
        self.welcomed.set()

    async def _cut(self) -> None:
        while True:
            await asyncio.sleep(CUT_EVERY_S * (0.5 + self._chance.random()))
            self._link.cut()
