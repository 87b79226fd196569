"""The demo's bots: regulars who give gifts in every room, in the rhythm that real rooms were recorded in.

They are ordinary clients of the public API. Whatever goes away, they wait and come back.
"""

import asyncio
import contextlib
import random
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from giftserver.demo.addresses import Web
from giftserver.demo.people import REGULARS, ROOMS
from giftserver.demo.stories import tell
from giftserver.replay.api import Api, Refused, Unreachable
from giftserver.replay.gifter import Gifter, GiftRefused
from giftserver.replay.link import Ended
from giftserver.replay.menu import choose_gifts
from giftserver.replay.people import DemoPeople
from giftserver.settings import Settings
from giftserver.traces.trace import BUNDLED, Tap, Trace, load_trace

log = structlog.get_logger()

PAUSE_S: Final = (1.5, 6.0)
"""Least and most silence between two plays in a room."""

LOW_COINS: Final = 3_000
TOPUP_COINS: Final = 10_000
REPLY_S: Final = 15.0
START_AGAIN_S: Final = (0.25, 5.0)
STEADY_S: Final = 30.0
WAITING_MAX: Final = 20
NOTES: Final = ("for the chorus!", "greetings from the train", "this made my day", "encore!", "happy friday")


@dataclass(frozen=True, slots=True)
class Treat:
    """Dear gifts that come now and then: between which prices, and how often (seconds, all rooms together)."""

    coins_min: int
    coins_max: int
    every_s: tuple[float, float]


TREATS: Final = (
    Treat(10, 99, (3.0, 9.0)),
    Treat(100, 9_999, (20.0, 40.0)),
    Treat(10_000, 30_000, (150.0, 300.0)),
)


class Bots:
    """All regulars in all rooms. A regular has one socket in each room."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self._api = Api(url)
        self._people = DemoPeople(self._api)
        self._chance = chance
        self._traces = [load_trace(name) for name in BUNDLED]
        self._gifters: dict[tuple[str, str], Gifter] = {}
        self._filling: set[str] = set()

    async def run(self) -> None:
        """Give gifts until cancelled. Raises when the server refuses for good or is away at the start."""
        catalog = await self._api.get("/v1/catalog")
        async with asyncio.TaskGroup() as group:
            for room in ROOMS:
                for user in REGULARS:
                    token = partial(self._people.token, user)
                    gifter = Gifter(self._api.socket_url(room.id), token, self._chance)
                    self._gifters[room.id, user] = gifter
                    group.create_task(gifter.run())
            for number, room in enumerate(ROOMS):
                group.create_task(self._play_for_ever(group, room.id, number, catalog))
            for treat in TREATS:
                group.create_task(self._treat_for_ever(treat, catalog))

    async def _play_for_ever(
        self, group: asyncio.TaskGroup, room: str, number: int, catalog: Mapping[str, Any]
    ) -> None:
        """One trace after another, each with another cast and other gifts of the same price."""
        while True:
            trace = self._traces[number % len(self._traces)]
            number += 1
            cast = self._chance.sample(list(REGULARS), len(REGULARS))
            await self._play(group, room, trace, cast, catalog)
            await asyncio.sleep(self._chance.uniform(*PAUSE_S))

    async def _play(
        self, group: asyncio.TaskGroup, room: str, trace: Trace, cast: Sequence[str], catalog: Mapping[str, Any]
    ) -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        shift = self._chance.randrange(1_000)
        taps = [Tap(t.at_ms, t.streak, t.sender, t.gift + shift, t.price_coins, t.quantity) for t in trace.taps]
        choices = choose_gifts(taps, catalog)
        people = {sender: cast[n % len(cast)] for n, sender in enumerate(trace.senders)}
        for tap in taps:
            await asyncio.sleep(max(0.0, started_s + tap.at_ms / 1_000 - loop.time()))
            choice = choices[tap.gift, tap.price_coins]
            give = self._give(room, people[tap.sender], choice.gift, tap.quantity * choice.each, choice.price_coins)
            group.create_task(give)

    async def _treat_for_ever(self, treat: Treat, catalog: Mapping[str, Any]) -> None:
        fitting = [gift for gift in catalog["gifts"] if treat.coins_min <= gift["coins"] <= treat.coins_max]
        while fitting:
            await asyncio.sleep(self._chance.uniform(*treat.every_s))
            gift, room = self._chance.choice(fitting), self._chance.choice(ROOMS).id
            user = self._chance.choice(list(REGULARS))
            quantity = self._chance.choice((1, 1, 2, 3, 5)) if gift["combo"] else 1
            note = self._chance.choice(NOTES) if gift["coins"] >= 100 else ""
            await self._give(room, user, gift["id"], quantity, gift["coins"], note)

    async def _give(self, room: str, user: str, gift: str, quantity: int, price_coins: int, note: str = "") -> None:
        """Give one gift, if the user is connected and not behind; what goes wrong costs the room one gift."""
        gifter = self._gifters[room, user]
        if gifter.balance_coins is None or gifter.waiting >= WAITING_MAX:
            return
        with contextlib.suppress(GiftRefused, Refused, Unreachable, TimeoutError):
            if gifter.balance_coins < LOW_COINS + quantity * price_coins:
                await self._fill(user, gifter, quantity * price_coins)
            async with asyncio.timeout(REPLY_S):
                await gifter.send(gift, quantity, price_coins, note)

    async def _fill(self, user: str, gifter: Gifter, coins: int) -> None:
        """Top up, one at a time for each person, and wait until the wallet has the coins."""
        if user in self._filling:
            return
        self._filling.add(user)
        try:
            await self._people.give_coins(user, coins + TOPUP_COINS)
            async with asyncio.timeout(REPLY_S):
                while (gifter.balance_coins or 0) < coins:  # noqa: ASYNC110 - set by messages of the socket
                    await asyncio.sleep(0.1)
        finally:
            self._filling.discard(user)


async def give_for_ever(url: str, chance: random.Random) -> None:
    """Run the bots; from the beginning again whenever they cannot go on."""
    loop = asyncio.get_running_loop()
    pause_s, most_s = START_AGAIN_S
    while True:
        started_s = loop.time()
        try:
            await Bots(url, chance).run()
        except* (Ended, Refused, Unreachable) as problems:
            log.info("bots_wait", error=str(problems.exceptions[0]))
        if loop.time() - started_s > STEADY_S:
            pause_s = START_AGAIN_S[0]
        await asyncio.sleep(pause_s * (0.5 + chance.random()))
        pause_s = min(pause_s * 2, most_s)


async def _live(settings: Settings) -> None:
    await asyncio.gather(give_for_ever(Web.of(settings).base_url, random.Random()), tell(settings))


async def _until_signal(settings: Settings) -> None:
    task = asyncio.create_task(_live(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def run(settings: Settings) -> None:
    """Run the bots against the demo of these settings until SIGTERM or SIGINT, and tell its stories once."""
    asyncio.run(_until_signal(settings))
