"""A web process, a worker and a flusher over a cluster, and people who give without pause."""

import asyncio
import contextlib
import secrets
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from giftserver.auth.tokens import Identity
from giftserver.durable.verify import verify
from giftserver.engines import open_engines
from giftserver.errors import Refusal
from giftserver.flusher import flush
from giftserver.gifts.messages import Receipt, SendGift
from giftserver.ledger import keys
from giftserver.settings import Settings
from giftserver.worker import work
from tests.cluster.nodes import until
from tests.giftserver.conftest import Web, add_rooms, running

COINS = 100_000


@contextlib.asynccontextmanager
async def platform(settings: Settings, flush_from: asyncio.Event | None = None) -> AsyncIterator[Web]:
    """All three processes in this one, for the time of the block; the worker coordinates the shards.

    With `flush_from` the flusher begins when that is set.
    """
    stop = asyncio.Event()

    async def flush_then(*args: Any) -> None:
        if flush_from is not None:
            await flush_from.wait()
        await flush(*args)

    async with running(settings) as web, open_engines(settings) as engines:
        await add_rooms(engines)
        tasks = [asyncio.create_task(run(settings, engines, stop)) for run in (work, flush_then)]
        try:
            yield web
        finally:
            stop.set()
            await asyncio.gather(*tasks)


def new_key() -> str:
    """An idempotency key: UUIDv7 of now."""
    number = int(time.time() * 1_000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


@dataclass
class Givers:
    """People of every shard, each giving one gift after the other and insisting on each, and what they were told."""

    web: Web
    receipts: dict[str, Receipt] = field(default_factory=dict)
    waited: int = 0
    given: dict[str, int] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stop: bool = False

    async def start(self) -> None:
        """One person a shard, with coins; all begin."""
        found: dict[int, str] = {}
        for n in range(1_000):
            found.setdefault(keys.shard_of(f"giver{n}"), f"giver{n}")
        for user in found.values():
            self.given[user] = 0
            await self.web.give_coins(user, COINS)
        self._tasks = [asyncio.create_task(self._give(user)) for user in self.given]

    async def _give(self, user: str) -> None:
        giver = Identity(user, user.title(), "viewer", None, float("inf"))
        while not self._stop:
            command = SendGift(id=1, key=new_key(), gift="dewdrop", quantity=1)
            while isinstance(answer := await self.web.services.gifts.send(giver, "harbour", command), Refusal):
                assert answer.code.temporary, answer
                self.waited += 1
                await asyncio.sleep(0.02)
            assert isinstance(answer, Receipt)
            self.receipts[command.key] = answer
            self.given[user] += 1

    async def more(self, shard: int, gifts: int = 5) -> None:
        """Wait until this shard's person was told of more gifts."""
        user = next(user for user in self.given if keys.shard_of(user) == shard)
        enough = self.given[user] + gifts

        async def told() -> bool:
            return self.given[user] >= enough

        await until(told, f"gifts of shard {shard} go on", 20)

    async def stop(self) -> None:
        """Let each finish the gift at hand."""
        self._stop = True
        async with asyncio.timeout(20):
            await asyncio.gather(*self._tasks)

    async def booked(self) -> dict[str, int]:
        """Key → coins of every gift in PostgreSQL, once all that Redis has is there."""
        await until(lambda: settled(self.web.engines.ledger_redis), "every gift is flushed", 20)
        async with self.web.engines.database.connect() as connection:
            rows = await connection.execute(text("SELECT key, coins FROM transfer WHERE kind = 'gift'"))
            found = [(str(key), int(coins)) for key, coins in rows]
        assert len({key for key, _ in found}) == len(found), "a gift is booked twice"
        return dict(found)


async def settled(redis: Any) -> bool:
    """Whether every shard is open and PostgreSQL has all of its gifts."""
    metas = [await redis.hmget(keys.meta(shard), "state", "seq", "flushed") for shard in range(keys.SHARDS)]
    return all(state == b"open" and seq == flushed for state, seq, flushed in metas)


async def assert_proven(web: Web) -> None:
    """Every invariant of the ledger holds."""
    report = await verify(web.engines.database, web.engines.ledger_redis)
    assert report.holds, report.render()
