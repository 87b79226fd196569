"""The engines under measurement: embedded ones in a temporary folder, or given ones that must be empty."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver import embedded
from giftserver.durable import migrate
from giftserver.durable.credits import credit
from giftserver.durable.store import flush_cursors, open_database
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import open_redis
from giftserver.ledger import keys
from giftserver.ledger.ledger import Ledger
from giftserver.ledger.limits import unlimited_fields
from loadtest.bench.orders import RICH_COINS
from loadtest.bench.sizes import Size

BACKLOG_MAX: Final = 10**9
TIMEOUT_S: Final = 30.0
FUND_AT_ONCE: Final = 8


class NotEmpty(Exception):
    """The Redis that was named holds data: the benchmark empties it again and again, so it does not touch it."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The engines and how much to measure on them."""

    size: Size
    redis: Redis
    redis_url: str
    database: AsyncEngine
    database_url: str
    fsync: str
    facts: Mapping[str, str]
    say: Callable[[str], None]

    def ledger(self, on_batch: Callable[[int, float], None] = lambda gifts, seconds: None) -> Ledger:
        """Our client, as a web process has it, with a backlog and a time-out that do not end a run."""
        wallets = DurableWallets(self.database)
        return Ledger(self.redis, wallets, backlog_max=BACKLOG_MAX, timeout_s=TIMEOUT_S, on_batch=on_batch)

    async def clear(self) -> None:
        """Empty the Redis and its append-only file, and open every shard where PostgreSQL stands."""
        redis: Any = self.redis
        await redis.flushall(asynchronous=False)
        await redis.bgrewriteaof()
        while True:
            state = await redis.info("persistence")
            if not (state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"]):
                break
            await asyncio.sleep(0.005)
        run = (await redis.info("server"))["run_id"]
        cursors = await flush_cursors(self.database)
        async with redis.pipeline(transaction=False) as pipeline:
            for shard in range(keys.SHARDS):
                epoch, seq = tuple(cursors.get(shard, (0, 0)))[:2]
                marks = {"seq": seq, "flushed": seq, "announced": seq}
                state = {"epoch": epoch + 1, "state": "open", "lease_ms": 0, "run": run, "schema": keys.SCHEMA}
                pipeline.hset(keys.meta(shard), mapping={**marks, **state, "full": 0})
            await pipeline.execute()

    async def install(self, users: Iterable[str]) -> None:
        """Put rich wallets into the Redis, without PostgreSQL knowing of them."""
        redis: Any = self.redis
        wallet = {"coins": RICH_COINS, "state": "active", "credit_no": 1, "last_seq": 0, **unlimited_fields()}
        async with redis.pipeline(transaction=False) as pipeline:
            for user in users:
                pipeline.hset(keys.wallet(keys.shard_of(user), user), mapping=wallet)
            await pipeline.execute()

    async def fund(self, users: Iterable[str]) -> None:
        """Credit every user in PostgreSQL with what `install` puts into the Redis; once for each user."""
        slots = asyncio.Semaphore(FUND_AT_ONCE)

        async def give(user: str) -> None:
            async with slots:
                await credit(self.database, user, RICH_COINS, "grant", f"bench:{user}")

        await asyncio.gather(*map(give, users))

    async def unflushed(self) -> dict[int, int]:
        """Gifts that wait for the flusher, by shard; shards with none are left out."""
        redis: Any = self.redis
        waiting = {}
        for shard in range(keys.SHARDS):
            seq, flushed = await redis.hmget(keys.meta(shard), ["seq", "flushed"])
            if int(seq) > int(flushed):
                waiting[shard] = int(seq) - int(flushed)
        return waiting

    async def accepted(self) -> int:
        """Gifts that all shards have accepted in the life of this ledger."""
        redis: Any = self.redis
        return sum([int(await redis.hget(keys.meta(shard), "seq") or 0) for shard in range(keys.SHARDS)])

    async def server_cpu_s(self) -> float:
        """CPU seconds the Redis has used so far."""
        used = await self.redis.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


@asynccontextmanager
async def opened(
    size: Size, folder: Path, redis_url: str | None, database_url: str | None, fsync: str, say: Callable[[str], None]
) -> AsyncIterator[Bench]:
    """Engines for one run of the benchmark: those without a URL are started in `folder`.

    A database of its own is made and dropped. Raises NotEmpty, EmbeddedError, and the drivers' errors.
    """
    with embedded.running(folder, ledger=redis_url is None, rooms=False, database=database_url is None) as urls:
        redis_at, server_at = redis_url or urls.ledger_redis_url, database_url or urls.database_url
        assert redis_at is not None
        assert server_at is not None
        redis = open_redis(redis_at, TIMEOUT_S)
        try:
            if await redis.dbsize():
                raise NotEmpty("The ledger Redis holds data; the benchmark needs an empty one that it may wipe.")
            if redis_url is None:  # a rewrite in the middle of a case would fork and disturb it
                await redis.config_set("appendfsync", fsync)
                await redis.config_set("auto-aof-rewrite-percentage", 0)
            async with own_database(server_at) as database_at:
                database = open_database(database_at, pool_size=16)
                facts = await engine_facts(redis, database_at)
                yield Bench(size, redis, redis_at, database, database_at, facts["appendfsync"], facts, say)
                await database.dispose()
        finally:
            await redis.aclose()


@asynccontextmanager
async def own_database(server_url: str) -> AsyncIterator[str]:
    """URL of a new, migrated database on a server; dropped at the end."""
    name = f"bench_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
        try:
            await migrate.upgrade(url)
            yield url
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def engine_facts(redis: Redis, database_url: str) -> dict[str, str]:
    """Versions of both engines and the settings that decide what a commit costs."""
    server = await redis.info("server")
    config: Any = await redis.config_get("append*")
    connection = await asyncpg.connect(database_url)
    release = server.get("valkey_version", server["redis_version"])
    facts = {
        "ledger_engine": f"{server.get('server_name', 'redis')} {release}",
        "appendonly": config.get("appendonly", "unknown"),
        "appendfsync": config.get("appendfsync", "unknown") if config.get("appendonly") == "yes" else "no AOF",
        "postgresql": ".".join(map(str, connection.get_server_version()[:2])),
    }
    for setting in ("fsync", "synchronous_commit", "shared_buffers"):
        facts[f"postgresql_{setting}"] = str(await connection.fetchval(f"SHOW {setting}"))
    await connection.close()
    return facts


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder for engines that disappears with everything in it; PostgreSQL's user must be able to pass through."""
    folder = tempfile.TemporaryDirectory(prefix="giftserver-bench-", ignore_cleanup_errors=True)
    Path(folder.name).chmod(0o711)
    return folder
