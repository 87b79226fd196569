"""A ledger whose Redis may be killed: engines of its own, one process's ledger, and a coordinator."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard
from giftserver.durable.verify import verify
from giftserver.durable.wallets import DurableWallets
from giftserver.embedded import Instance
from giftserver.engines import Engines, open_redis
from giftserver.ledger import keys
from giftserver.ledger.events import GiftEvent, encode_event
from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import GiftOrder, Outcome
from giftserver.recovery.coordinator import Coordinator
from tests.giftserver.ledger.test_ledger import uuid7

SHARD = keys.shard_of("ana")


@pytest.fixture(scope="session")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A ledger Redis of these tests alone."""
    instance = Instance(tmp_path_factory.mktemp("recovery"), rooms=False, database=False)
    instance.start()
    yield instance
    instance.revive()
    instance.stop()


@dataclass
class Till:
    """A ledger with everything around it, as one web process and one worker have it."""

    instance: Instance
    redis: Redis
    database: AsyncEngine
    ledger: Ledger
    coordinator: Coordinator
    sent: list[GiftOrder] = field(default_factory=list)

    def order(self, coins: int = 10, sender: str = "ana", key: str | None = None) -> GiftOrder:
        """A gift to mira."""
        key = key or uuid7()
        event = GiftEvent(key, "h1", sender, sender, "mira", "harbour", "dewdrop", coins, coins, coins, 1, 1, "")
        order = GiftOrder(key, uuid.UUID(key).int >> 80, "h1", sender, "mira", coins, coins, encode_event(event))
        self.sent.append(order)
        return order

    async def give(self, coins: int = 10, sender: str = "ana") -> Outcome:
        """Send a gift."""
        return await self.ledger.send(self.order(coins, sender))

    async def fund(self, user: str, coins: int) -> None:
        """Credit coins and bring them to the wallet."""
        await credit(self.database, user, coins, "top_up", f"test:{uuid.uuid4()}")
        await self.ledger.bring_credits(user)

    async def flush(self) -> None:
        """Bring every gift to PostgreSQL."""
        for shard in range(keys.SHARDS):
            while (await flush_shard(self.database, self.redis, shard)).status == "posted":
                continue

    async def violations(self) -> list[str]:
        """What the proof says."""
        report = await verify(self.database, self.redis)
        return [line for invariant in report.invariants for line in invariant.violations]

    async def crash(self) -> None:
        """Kill the ledger's Redis and start it again, as a supervisor would."""
        os.kill(self.instance.pids["valkey-ledger"], signal.SIGKILL)
        async with asyncio.timeout(20):
            revived: list[str] = []
            while not revived:
                revived = await asyncio.to_thread(self.instance.revive)
        await self.redis.connection_pool.disconnect()

    async def meta(self, name: str) -> str:
        """A field of the shard's meta."""
        value: Any = await self.redis.hget(keys.meta(SHARD), name)
        return value.decode() if value is not None else ""


def open_ledger_of(redis: Redis, database: AsyncEngine) -> Ledger:
    """The ledger of one process."""
    return Ledger(redis, DurableWallets(database), backlog_max=1_000, timeout_s=2.0)


@pytest.fixture
async def till(own_redis: Instance, engines: Engines) -> AsyncIterator[Till]:
    """Open shards; ana has 100 coins, in her wallet."""
    url = own_redis._urls().ledger_redis_url
    assert url is not None
    redis = open_redis(url, 2.0)
    await redis.flushall()
    await redis.config_set("maxmemory", 0)
    ledger = open_ledger_of(redis, engines.database)
    opened = Till(own_redis, redis, engines.database, ledger, Coordinator(engines.database, redis, lease_ms=60_000))
    await opened.coordinator.settle()
    await opened.fund("ana", 100)
    yield opened
    await ledger.close()
    await redis.config_set("maxmemory", 0)
    await redis.aclose()


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait for a condition."""

    async def wait(condition: Callable[[], Any], deadline_s: float = 10.0) -> None:
        async with asyncio.timeout(deadline_s):
            while True:
                if await condition():
                    return
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder."""
    return tmp_path
