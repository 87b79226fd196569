"""Is the process alive, is it ready, and what has it counted."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from giftserver.cluster.client import server_of
from giftserver.durable.migrate import schema_revision
from giftserver.durable.same_limits import limits_that_differ
from giftserver.durable.tables import SCHEMA_REVISION
from giftserver.errors import Refusal
from giftserver.ledger import keys
from giftserver.ledger.guarded import run_of
from giftserver.services import Services
from giftserver.web.error_page import nothing_here
from giftserver.web.responses import json_answer, refusal_answer
from rooms.codes import UNAUTHORIZED

log = structlog.get_logger()

CHECK_S: Final = 2.0
LAG_S_MAX: Final = 10.0
"""A gift that waits longer for the durable ledger than this makes the answer degraded."""

OK: Final = "ok"
UNKNOWN: Final = "unknown"
NEEDED: Final = ("ledger_redis", "rooms_redis", "schema", "process")
"""Parts without which no gift can be taken. Gifts go on while PostgreSQL is away and the flush waits for it, and in the
other shards while some take none: only when none of them does is the process not ready."""


class ReadyAnswer(msgspec.Struct, frozen=True):
    """`parts` says "ok" or what is wrong with each; `lag_gifts` and `lag_s`: the shard furthest behind.

    `degraded`: gifts are taken, yet a person should look.
    """

    ready: bool
    degraded: bool
    parts: dict[str, str]
    lag_gifts: int
    lag_s: float


class AliveAnswer(msgspec.Struct, frozen=True):
    """The process runs."""

    alive: bool


async def healthz(request: Request) -> Response:
    """200 while the process runs; asks nothing of the engines."""
    return json_answer(AliveAnswer(True))


async def readyz(request: Request) -> Response:
    """200 when gifts can be taken, else 503 with the part that is in the way."""
    services: Services = request.app.state.services
    lag, database = _shards(services), DatabaseCheck(services)
    checks: dict[str, Callable[[], Awaitable[str]]] = {
        "ledger_redis": lambda: _ping(services.ledger_redis),
        "rooms_redis": lambda: _ping(services.rooms_redis),
        "database": database.check,
        "flush": lag.check,
    }
    found = await asyncio.gather(*(_within(check) for check in checks.values()))
    parts = dict(zip(checks, found, strict=True))
    parts |= {"shards": lag.closed, "schema": database.schema, "limits": database.limits}
    parts["process"] = "draining" if services.hub.draining else OK
    ready = lag.takes_gifts and all(parts[part] == OK for part in NEEDED)
    degraded = any(state != OK for state in parts.values())
    return json_answer(ReadyAnswer(ready, degraded, parts, lag.gifts, lag.age_s), 200 if ready else 503)


async def metrics(request: Request) -> Response:
    """Counts of this process, and how many shards take no gifts now, for Prometheus, by its token where there is one.

    The port is the public one: how much is given, and by how many, is nobody else's business.
    """
    services: Services = request.app.state.services
    token = services.settings.metrics_token
    if token is None and services.settings.production:
        return nothing_here()
    if token is not None and not _has(request, token.get_secret_value()):
        return refusal_answer(Refusal(UNAUTHORIZED, "Send `Authorization: Bearer <GIFTSERVER_METRICS_TOKEN>`."))
    lag = _shards(services)
    asked = await _within(lag.check)
    services.metrics.closed(lag.reasons if lag.closed != UNKNOWN else Counter({"unreachable": keys.SHARDS}))
    if lag.closed == UNKNOWN:
        log.warning("shards_unknown", answer=asked)
    return Response(services.metrics.render(), headers={"content-type": CONTENT_TYPE_LATEST})


def _has(request: Request, token: str) -> bool:
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), token.encode())


def _shards(services: Services) -> "ShardLag":
    return ShardLag(services.ledger_redis, services.settings.backlog_max)


class ShardLag:
    """How far the durable ledger is behind the live one; gifts and seconds of the shard furthest behind.

    `closed` says in words which shards take no gifts and why, `reasons` how many by one of metrics.CLOSED,
    `takes_gifts` whether any does.
    """

    def __init__(self, redis: Redis, backlog_max: int) -> None:
        self._redis: Any = redis
        self._backlog_max = backlog_max
        self.gifts = 0
        self.age_s = 0.0
        self.closed = UNKNOWN
        self.reasons: Counter[str] = Counter()
        self.takes_gifts = False
        self._servers: dict[int, tuple[str, int]] = {}

    async def check(self) -> str:
        """ "ok", or the shards that are too far behind; `closed` says which do not take gifts."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hmget(keys.meta(shard), "state", "epoch", "seq", "flushed", "run", "lease_ms", "full")
            metas = await pipe.execute(raise_on_error=False)
        problems, closed = [], []
        for shard, meta in enumerate(metas):
            if isinstance(meta, Exception):  # of a cluster, only the shard's server may be away
                closed.append(f"shard {shard:02d} cannot be reached ({type(meta).__name__})")
                self.reasons["unreachable"] += 1
                continue
            state, epoch, seq, flushed, run, lease_ms, full = meta
            behind = int(seq or 0) - int(flushed or 0)
            reason, words = "fenced", await self._fenced(shard, state, run, int(lease_ms or 0))
            if not words and full == b"1":
                reason, words = "memory", "takes no gifts: its Redis is almost out of memory"
            elif not words and behind >= self._backlog_max:
                reason, words = "backlog", f"takes no gifts: {behind} wait for PostgreSQL, which is the most allowed"
            if words:
                closed.append(f"shard {shard:02d} {words}")
                self.reasons[reason] += 1
            if state is None:
                continue
            if behind > 0:
                age_s = await self._age_s(shard, f"{epoch.decode()}-{int(flushed or 0) + 1}")
                self.gifts, self.age_s = max(self.gifts, behind), max(self.age_s, age_s)
                if age_s > LAG_S_MAX:
                    problems.append(f"shard {shard:02d} is {behind} gifts and {age_s:.0f} s behind")
        self.closed = "; ".join(closed) or OK
        self.takes_gifts = len(closed) < keys.SHARDS
        return "; ".join(problems) or OK

    async def _fenced(self, shard: int, state: bytes | None, run: bytes | None, lease_ms: int) -> str:
        """What the worker has yet to do before the shard takes gifts, "" when nothing."""
        if state != b"open":
            return f"is {state.decode()}" if state else "is not opened yet"
        server: Any = await server_of(self._redis, keys.meta(shard))
        if id(server) not in self._servers:
            self._servers[id(server)] = await run_of(server), (await server.time())[0] * 1_000
        running, now_ms = self._servers[id(server)]
        if run is None or run.decode() != running:
            return "waits for the worker: its Redis restarted"
        return "has no worker that renews its lease" if 0 < lease_ms < now_ms else ""

    async def _age_s(self, shard: int, first: str) -> float:
        """Age of the oldest waiting gift of the shard's present epoch, both times by the clock of Redis."""
        entries = await self._redis.xrange(keys.events(shard), min=first, count=1)
        if not entries:
            return 0.0
        server: Any = await server_of(self._redis, keys.meta(shard))
        seconds, microseconds = await server.time()
        now_ms = int(seconds) * 1_000 + int(microseconds) // 1_000
        return max(0, now_ms - int(entries[0][1][b"t"])) / 1_000


async def _ping(redis: Any) -> str:
    await redis.ping()
    return OK


class DatabaseCheck:
    """Whether the database answers, whether its schema is this version's, and whether others keep other limits."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.schema = OK
        self.limits = OK

    async def check(self) -> str:
        """ "ok" when it answers; `schema` says when it has another one, `limits` which settings differ."""
        revision = await schema_revision(self._services.database)
        if revision != SCHEMA_REVISION:
            self.schema = f"is at {revision}, run `giftserver migrate` for {SCHEMA_REVISION}"
        self.limits = "; ".join(await limits_that_differ(self._services.database)) or OK
        return OK


async def _within(check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            return await check()
    except TimeoutError:
        return f"no answer in {CHECK_S:.0f} s"
    except Exception as problem:  # whatever an engine's driver raises, the part is not ready
        log.warning("not_ready", error=type(problem).__name__)
        return f"cannot be reached ({type(problem).__name__})"


def routes() -> list[Route]:
    """Routes for orchestrators and Prometheus."""
    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
