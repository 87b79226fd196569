"""Clients of the three engines of one process: ledger Redis, rooms Redis, PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.cluster.address import FORM, is_cluster, parse
from giftserver.cluster.client import ClusterRedis
from giftserver.cluster.topology import NotACluster
from giftserver.durable.same_limits import LIMITS, connection_name
from giftserver.durable.store import open_database
from giftserver.errors import WrongSetting
from giftserver.packed import PACKED
from giftserver.settings import Settings

CONNECT_TIMEOUT_S = 2.0
ROOMS_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Engines:
    """Connected lazily; closed by `open_engines`."""

    ledger_redis: Redis
    rooms_redis: Redis
    database: AsyncEngine


class ClusterUrlNeeded(ResponseError):
    """The server of a redis:// URL is one of a cluster."""


def open_redis(url: str, timeout_s: float) -> Redis:
    """Client without any retry of its own: a repeated money call must be the service's decision.

    A cluster's URL gives a client of the whole cluster, which is used in the same way.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": 256,
    }
    if is_cluster(url):
        return ClusterRedis(parse(url), **options)
    redis = Redis.from_url(url, redis_connect_func=_greet_single, **options)
    pool = redis.connection_pool
    pool.connection_class = PACKED.get(pool.connection_class, pool.connection_class)
    return redis


async def _greet_single(connection: AbstractConnection) -> None:
    """Log a new connection in, and refuse a server that holds only a part of the keys."""
    await connection.on_connect()
    await connection.send_command("INFO", "cluster", check_health=False)
    try:
        answer = await connection.read_response()
    except ResponseError:  # a user who may not ask: what the server refuses later says enough
        return
    if b"cluster_enabled:1" in answer:
        raise ClusterUrlNeeded(f"this Redis is a server of a cluster: its URL is written {FORM}")


@asynccontextmanager
async def open_engines(settings: Settings, *, keeps_limits: bool = False) -> AsyncIterator[Engines]:
    """Clients for the URLs of the settings, which must all be set (embedded engines have URLs too).

    A process that `keeps_limits` says in PostgreSQL which (`durable/same_limits.py`).

    Raises WrongSetting when a Redis is one of a cluster and its URL does not say so, or the other way round.
    """
    if not (settings.ledger_redis_url and settings.rooms_redis_url and settings.database_url):
        raise ValueError("engine URLs are not set: start the embedded engines first")
    ledger = open_redis(settings.ledger_redis_url, settings.ledger_timeout_s)
    rooms = open_redis(settings.rooms_redis_url, ROOMS_TIMEOUT_S)
    name = connection_name(settings.model_dump(include=set(LIMITS))) if keeps_limits else "giftserver"
    database = open_database(settings.database_url, name=name)
    try:
        await _check_kind("LEDGER", ledger)
        await _check_kind("ROOMS", rooms)
        yield Engines(ledger, rooms, database)
    finally:
        await ledger.aclose()
        await rooms.aclose()
        await database.dispose()


async def _check_kind(name: str, redis: Any) -> None:
    """Fail early when a URL is of the wrong kind; a Redis that is away is waited for later."""
    try:
        await redis.ping()
    except (ClusterUrlNeeded, NotACluster) as problem:
        raise WrongSetting(f"GIFTSERVER_{name}_REDIS_URL: {problem}") from problem
    except (RedisError, OSError):
        return
