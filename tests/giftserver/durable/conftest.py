"""Real PostgreSQL and Valkey for the durable ledger: a fresh database and an empty Redis for each test."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver import embedded
from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard
from giftserver.durable.store import open_database
from giftserver.ledger import keys
from giftserver.ledger.events import GiftEvent, encode_event

NAMES = itertools.count()


class Book:
    """A ledger under test: PostgreSQL, Redis, and gifts put into the stream by hand as the script would."""

    def __init__(self, engine: AsyncEngine, redis: Redis, url: str) -> None:
        self.engine, self.redis, self.url = engine, redis, url

    async def rows(self, sql: str, **values: object) -> list[Any]:
        async with self.engine.connect() as connection:
            return list(await connection.execute(text(sql), values))

    async def run(self, *statements: str, tamper: bool = False) -> None:
        """Statements in one transaction; `tamper` switches the triggers off, as a superuser could."""
        async with self.engine.begin() as connection:
            if tamper:
                await connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                await connection.execute(text(statement))

    async def balance(self, owner: str, kind: str = "wallet") -> int:
        rows = await self.rows("SELECT balance FROM account WHERE owner = :o AND kind = :k", o=owner, k=kind)
        return rows[0].balance if rows else 0

    async def open(self, epoch: int = 1) -> None:
        """Open every shard in Redis, as new."""
        mapping = {"epoch": epoch, "state": "open", "seq": 0, "flushed": 0, "announced": 0, "schema": 1}
        async with self.redis.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hset(keys.meta(shard), mapping=mapping)
            await pipe.execute()

    async def fund(self, user: str, coins: int) -> None:
        """Credit coins in PostgreSQL and install the wallet in Redis."""
        made = await credit(self.engine, user, coins, "top_up", f"fund-{user}-{uuid.uuid4()}")
        wallet = keys.wallet(keys.shard_of(user), user)
        mapping = {"coins": await self.balance(user), "state": "active", "credit_no": made.credit_no, "last_seq": 0}
        await self.redis.hset(wallet, mapping=mapping)

    def event(self, sender: str, **changes: Any) -> GiftEvent:
        fields: dict[str, Any] = {
            "key": str(uuid.uuid4()), "request_hash": "abc", "sender": sender, "sender_name": sender.title(),
            "creator": "mira", "room": "harbour", "gift": "rose", "quantity": 1, "coins": 10, "diamonds": 5,
            "catalog_version": 1, "rate_version": 1, "note": "",
        }  # fmt: skip
        return GiftEvent(**{**fields, **changes})

    async def append(
        self, event: GiftEvent, *, shard: int | None = None, at_ms: int | None = None, payload: bytes | None = None
    ) -> int:
        """Do to Redis what the gift script does, in one transaction; the gift's seq."""
        shard = keys.shard_of(event.sender) if shard is None else shard
        seconds, micros = await self.redis.time()
        at_ms = seconds * 1000 + micros // 1000 if at_ms is None else at_ms
        epoch, seq = await self.redis.hmget(keys.meta(shard), ["epoch", "seq"])
        number = int(seq) + 1
        fields = {"e": encode_event(event) if payload is None else payload, "t": at_ms}
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.xadd(keys.events(shard), fields, id=f"{int(epoch)}-{number}")
            pipe.hset(keys.meta(shard), "seq", number)
            pipe.hincrby(keys.wallet(shard, event.sender), "coins", -event.coins)
            pipe.hset(keys.wallet(shard, event.sender), "last_seq", number)
            if event.diamonds:
                pipe.hincrby(keys.earned(shard, time.strftime("%Y%m%d", time.gmtime())), event.creator, event.diamonds)
            await pipe.execute()
        return number

    async def gift(self, sender: str, **changes: Any) -> int:
        return await self.append(self.event(sender, **changes))

    async def flush(self) -> int:
        """Flush every shard until nothing is waiting; the number of gifts."""
        posted = 0
        for shard in range(keys.SHARDS):
            while (result := await flush_shard(self.engine, self.redis, shard)).status == "posted":
                posted += len(result.gifts)
        return posted


async def until(condition: Callable[[], Awaitable[bool]], deadline_s: float = 10.0) -> None:
    """Return when the condition holds; fails at the deadline."""
    async with asyncio.timeout(deadline_s):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.005)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Awaitable[None]]:
    return until


async def _admin(urls: embedded.EngineUrls, statement: str) -> None:
    assert urls.database_url is not None
    connection = await asyncpg.connect(urls.database_url)
    await connection.execute(statement)
    await connection.close()


@pytest.fixture
async def empty_url(engine_urls: embedded.EngineUrls) -> AsyncIterator[str]:
    """URL of a database with nothing in it."""
    name = f"empty_{next(NAMES)}"
    await _admin(engine_urls, f"CREATE DATABASE {name}")
    assert engine_urls.database_url is not None
    yield make_url(engine_urls.database_url).set(database=name).render_as_string(hide_password=False)
    await _admin(engine_urls, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def book(engine_urls: embedded.EngineUrls, template: str) -> AsyncIterator[Book]:
    name = f"book_{next(NAMES)}"
    await _admin(engine_urls, f"CREATE DATABASE {name} TEMPLATE {template}")
    assert engine_urls.ledger_redis_url is not None
    assert engine_urls.database_url is not None
    url = make_url(engine_urls.database_url).set(database=name).render_as_string(hide_password=False)
    engine = open_database(url)
    redis = Redis.from_url(engine_urls.ledger_redis_url, driver_info=None)
    await redis.flushall()
    book = Book(engine, redis, url)
    await book.open()
    yield book
    await redis.aclose()
    await engine.dispose()
    await _admin(engine_urls, f"DROP DATABASE {name} WITH (FORCE)")
