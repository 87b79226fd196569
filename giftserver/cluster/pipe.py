"""Calls of one process to one Redis server, one behind the other on one connection, without waiting for replies.

The server answers in the order it was asked, so replies find their calls by their place. A connection that fails, or
whose oldest call has no answer in time, is dropped with everything on it: what became of those calls is unknown, and
none of them is ever sent again here. A caller that was cancelled leaves its call in its place, so its reply is read and
thrown away.
"""

import asyncio
import math
from collections import deque
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisSilent

from giftserver.cluster.client import ClusterRedis, ask
from giftserver.cluster.slots import slot_of
from giftserver.packed import pack

CONNECTIONS: Final = 4
"""Pipes to a server: it reads 16 KiB of each before it writes to disk once for all of them."""

CALLS_MAX: Final = 16_384
"""Calls on their way; more are refused as if the server were away."""


class NotSent(RedisAway):
    """The call never left this process, so nothing was done."""


class Pipe:
    """One connection, made when it is first needed and made anew after it was lost."""

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        self._pool, self._timeout_s = pool, timeout_s
        self._life: _Life | None = None
        self._closed = False

    def call(self, *command: Any) -> asyncio.Future[Any]:
        """Reply of a command, a ResponseError, NotSent, or another of redis-py's errors when its outcome is unknown."""
        if self._closed:
            return failed(NotSent("closed"))
        if self._life is None or self._life.over:
            self._life = _Life(self._pool, self._timeout_s)
        return self._life.call(pack(command))

    async def close(self) -> None:
        """Let the connection go for good; calls without a reply end with an error."""
        self._closed = True
        if self._life is not None:
            await self._life.end(RedisAway("closed"))


class _Life:
    """A connection from its making to its end."""

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        # Calls are timed here, from their making on; a time limit a read or a write would cost a task each.
        options = {**pool.connection_kwargs, "socket_timeout": None}
        self._connection: AbstractConnection = pool.connection_class(**options)
        self._loop, self._timeout_s = asyncio.get_running_loop(), timeout_s
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._something = asyncio.Event()
        self._timer = self._loop.call_later(timeout_s, self._look)
        self._tasks = [self._loop.create_task(self._write(), name="write calls")]
        self.over = False

    def call(self, packed: bytes) -> asyncio.Future[Any]:
        if len(self._waiting) >= CALLS_MAX:
            return failed(NotSent("too many calls without a reply"))
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((reply, self._loop.time()))
        self._unsent.append(packed)
        self._something.set()
        return reply

    async def _write(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._connection.connect()  # type: ignore[no-untyped-call]
            self._tasks.append(self._loop.create_task(self._read(), name="read replies"))
            while True:
                await self._something.wait()
                self._something.clear()
                packed, self._unsent = self._unsent, []
                await self._connection.send_packed_command(packed, check_health=False)
        except Exception as problem:  # whatever it is, nobody may wait for ever
            await self.end(problem)

    async def _read(self) -> None:
        try:
            while True:
                try:
                    reply, problem = await self._connection.read_response(timeout=math.inf), None
                except ResponseError as refusal:
                    reply, problem = None, refusal
                future, _ = self._waiting.popleft()
                if future.done():
                    continue
                if problem is None:
                    future.set_result(reply)
                else:
                    future.set_exception(problem)
        except Exception as problem:  # whatever it is, nobody may wait for ever
            await self.end(problem)

    def _look(self) -> None:
        """End this life when the oldest call waits for too long; else look again when it would."""
        oldest_s = self._waiting[0][1] if self._waiting else self._loop.time()
        left_s = oldest_s + self._timeout_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._tasks.append(self._loop.create_task(self.end(RedisSilent("no reply in time"))))

    async def end(self, problem: Exception) -> None:
        """Drop the connection; what waits gets `problem`, or NotSent when it was not given to the connection yet."""
        if self.over:
            return
        self.over = True
        self._timer.cancel()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        sent = len(self._waiting) - len(self._unsent)
        for place, (future, _) in enumerate(self._waiting):
            if not future.done():
                future.set_exception(problem if place < sent else NotSent(str(problem)))
        self._waiting.clear()
        await self._connection.disconnect(nowait=True)


def failed(problem: Exception) -> asyncio.Future[Any]:
    """A call that ended before it began."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(problem)
    return future


class Pipes:
    """Pipes to every server of a Redis or of a cluster; calls of one lane go out and are answered in their order."""

    def __init__(self, redis: Any, timeout_s: float) -> None:
        self._redis, self._timeout_s = redis, timeout_s
        self._cluster = redis if isinstance(redis, ClusterRedis) else None  # asked once: it costs more than a call
        self._pipes: dict[tuple[Redis, int], Pipe] = {}

    async def call(self, lane: int, *command: Any) -> Any:
        """Reply of a command about keys of one slot, followed through a cluster. Raises redis-py's errors."""
        if self._cluster is None:
            return await self._pipe(self._redis, lane).call(*command)

        async def call(server: Any, asking: bool) -> Any:
            return await (ask(server, *command) if asking else self._pipe(server, lane).call(*command))

        return await self._cluster.follow(slot_of(command), call)

    def _pipe(self, server: Redis, lane: int) -> Pipe:
        place = server, lane % CONNECTIONS
        pipe = self._pipes.get(place)
        if pipe is None:
            pipe = self._pipes[place] = Pipe(server.connection_pool, self._timeout_s)
        return pipe

    async def close(self) -> None:
        """Let every connection go."""
        await asyncio.gather(*(pipe.close() for pipe in self._pipes.values()))
