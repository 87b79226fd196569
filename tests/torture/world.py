"""The real ledger for the model to be compared with: engines, a fresh database, and calls that wait for an answer."""

import asyncio
import itertools
import threading
import uuid
from collections.abc import Coroutine, Sequence
from importlib.resources import files
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import text

from giftserver.durable.credits import credit, pending_credits
from giftserver.durable.flush import flush_shard, trim_events
from giftserver.durable.verify import VerifyReport, verify
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import open_engines
from giftserver.ledger import keys
from giftserver.ledger.events import GiftEvent, encode_event, transfer_id
from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import Accepted, GiftOrder, Refused
from giftserver.metrics import Metrics
from giftserver.recovery.coordinator import Coordinator
from giftserver.settings import Settings
from giftserver.worker import CreditCarrier
from tests.torture.model import Body, Told

T = TypeVar("T")
NAMES = itertools.count()
ADVANCE: Final = (files("giftserver.ledger") / "scripts" / "advance_mark.lua").read_text()


class LoopThread:
    """An event loop in a thread of its own, for callers that are not asynchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="torture loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class World:
    """One database and one emptied Redis, with the parts of giftserver that move money; made anew for each example."""

    def __init__(self, urls: Any, template: str) -> None:
        self._urls, self._template = urls, template
        self._name = f"torture_{next(NAMES)}"

    async def open(self) -> None:
        """Copy the database, empty Redis, open the shards."""
        await self._admin(f'CREATE DATABASE "{self._name}" TEMPLATE "{self._template}"')
        settings = Settings(
            ledger_redis_url=self._urls.ledger_redis_url,
            rooms_redis_url=self._urls.rooms_redis_url,
            database_url=self._urls.database_url.rsplit("/", 1)[0] + f"/{self._name}",
        )
        self._context = open_engines(settings)
        self.engines = await self._context.__aenter__()
        self.redis: Any = self.engines.ledger_redis
        await self.redis.flushall()
        self._coordinator = Coordinator(self.engines.database, self.engines.ledger_redis)
        self._ledgers: list[Ledger] = []
        await self.coordinate()
        await self.restart()

    async def close(self) -> None:
        """Leave nothing behind."""
        for ledger in self._ledgers:
            await ledger.close()
        await self._context.__aexit__(None, None, None)
        await self._admin(f'DROP DATABASE "{self._name}" WITH (FORCE)')

    async def _admin(self, statement: str) -> None:
        admin = await asyncpg.connect(self._urls.database_url)
        await admin.execute(statement)
        await admin.close()

    async def restart(self) -> None:
        """A new process of the ledger, which knows nothing."""
        self.source = DurableWallets(self.engines.database)
        self.ledger = Ledger(self.engines.ledger_redis, self.source, backlog_max=100_000, timeout_s=5.0)
        self._ledgers.append(self.ledger)
        self._carrier = CreditCarrier(self.engines, self.ledger, Metrics())

    async def coordinate(self) -> None:
        """Let the coordinator look until nothing is under way."""
        for _ in range(10):
            if await self._coordinator.settle():
                return
        raise AssertionError("the coordinator does not come to an end")

    async def carry(self) -> None:
        """Do what the worker does until no credit is pending."""
        for _ in range(20):
            await self._carrier.carry()
            if not await pending_credits(self.engines.database, 1):
                return
        raise AssertionError("credits stay pending")

    async def other_run(self) -> None:
        """What a restart of Redis looks like: the run that was approved is not the one that answers."""
        for shard in range(keys.SHARDS):
            await self.redis.hset(keys.meta(shard), "run", uuid.uuid4().hex + "00000000")

    async def lose_mark(self, shard: int) -> None:
        """The mark of what is flushed goes back to the beginning."""
        await self.redis.hset(keys.meta(shard), "flushed", 0)

    async def credit(self, user: str, coins: int, reference: str) -> None:
        """Credit coins, twice under one reference."""
        for _ in range(2):
            await credit(self.engines.database, user, coins, "top_up", reference)

    async def send(self, orders: Sequence[tuple[str, Body]]) -> list[Told]:
        """Send gifts, all at once."""
        outcomes = await asyncio.gather(*(self.ledger.send(order_of(key, body)) for key, body in orders))
        return [told(outcome) for outcome in outcomes]

    async def transfer(self, user: str, key: str) -> str:
        """Public name of the gift under a key."""
        receipt = await self.ledger.receipt(user, key)
        assert isinstance(receipt, Accepted)
        return transfer_id(receipt.shard, receipt.epoch, receipt.seq)

    async def flush(self, shard: int, limit: int, flushers: int) -> int:
        """Flush once with several flushers at once; how many gifts were posted."""
        work = [flush_shard(self.engines.database, self.redis, shard, limit) for _ in range(flushers)]
        return sum(len(result.gifts) for result in await asyncio.gather(*work))

    async def trim(self, shard: int) -> None:
        """Drop every event that may be dropped, as if all were old."""
        flushed = int(await self.redis.hget(keys.meta(shard), "flushed") or 0)
        advance = self.redis.register_script(ADVANCE)
        await advance(keys=[keys.meta(shard)], args=["announced", flushed])
        await trim_events(self.redis, shard, keep_ms=-3_600_000)

    async def live(self, users: Sequence[str]) -> dict[str, int | None]:
        """Coins of the wallets in Redis; None where there is none."""
        found = {}
        for user in users:
            coins = await self.redis.hget(keys.wallet(keys.shard_of(user), user), "coins")
            found[user] = None if coins is None else int(coins)
        return found

    async def durable(self, users: Sequence[str]) -> dict[str, int]:
        """Coins of the wallets in PostgreSQL."""
        query = text("SELECT owner, balance FROM account WHERE kind = 'wallet'")
        async with self.engines.database.connect() as connection:
            found = {row.owner: row.balance for row in await connection.execute(query)}
        return {user: found.get(user, 0) for user in users}

    async def marks(self, shard: int) -> tuple[int, int, int]:
        """Gifts the shard counts, its `flushed` mark, and where PostgreSQL is."""
        seq, flushed = await self.redis.hmget(keys.meta(shard), "seq", "flushed")
        query = text("SELECT seq FROM flush_cursor WHERE shard = :shard")
        async with self.engines.database.connect() as connection:
            cursor = await connection.scalar(query, {"shard": shard})
        return int(seq), int(flushed or 0), int(cursor or 0)

    async def verify(self) -> VerifyReport:
        """The product's own proof."""
        return await verify(self.engines.database, self.engines.ledger_redis)


def order_of(key: str, body: Body) -> GiftOrder:
    """The order of a body under a key."""
    event = GiftEvent(
        key,
        body.hash,
        body.sender,
        body.sender,
        body.creator,
        "harbour",
        "dewdrop",
        1,
        body.coins,
        body.coins,
        1,
        1,
        "",
    )
    key_ms = uuid.UUID(key).int >> 80
    payload = encode_event(event)
    return GiftOrder(key, key_ms, body.hash, body.sender, body.creator, body.coins, body.coins, payload)


def told(outcome: Accepted | Refused) -> Told:
    """An outcome in the model's words."""
    if isinstance(outcome, Accepted):
        return Told("OK", outcome.balance_coins)
    return Told(outcome.reason.value, outcome.balance_coins)
