"""Clients of the three engines of one process: ledger Redis, rooms Redis, PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.store import open_database
from giftserver.settings import Settings

CONNECT_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Engines:
    """Connected lazily; closed by `open_engines`."""

    ledger_redis: Redis
    rooms_redis: Redis
    database: AsyncEngine


def open_redis(url: str, timeout_s: float) -> Redis:
    """Client without any retry of its own: a repeated money call must be the service's decision."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        max_connections=256,
    )


@asynccontextmanager
async def open_engines(settings: Settings) -> AsyncIterator[Engines]:
    """Clients for the URLs of the settings, which must all be set (embedded engines have URLs too)."""
    if not (settings.ledger_redis_url and settings.rooms_redis_url and settings.database_url):
        raise ValueError("engine URLs are not set: start the embedded engines first")
    ledger = open_redis(settings.ledger_redis_url, settings.ledger_timeout_s)
    rooms = open_redis(settings.rooms_redis_url, 5.0)
    database = open_database(settings.database_url)
    try:
        yield Engines(ledger, rooms, database)
    finally:
        await ledger.aclose()
        await rooms.aclose()
        await database.dispose()
