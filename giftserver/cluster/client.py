"""A client of a cluster that is used like that of one server.

A command goes to the server that holds its key. Answers that say "nothing was done, ask there" (MOVED, ASK) or "not
now" (TRYAGAIN) are followed; nothing else is ever repeated, so a money call that got no answer stays unknown, and a
connection whose call was cancelled or timed out is closed by the server's own client.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisSilent

from giftserver.cluster.address import ClusterAddress, Server
from giftserver.cluster.pipeline import ClusterPipeline
from giftserver.cluster.pubsub import ClusterPubSub
from giftserver.cluster.slots import slot_of
from giftserver.cluster.topology import Topology

TRIES: Final = 16
STEP_S: Final = 0.02
"""Pause after TRYAGAIN, and between redirections when servers send us to and fro."""

EVERYWHERE: Final = ("PING", "FLUSHALL", "FLUSHDB", "SCRIPT FLUSH")

Call = Callable[[Any, bool], Awaitable[Any]]
"""Does something with one server; the flag: right after ASKING, on the same connection."""


class ClusterRedis(Redis):
    """`redis.asyncio.Redis` over a whole cluster. Keys of one script or transaction must be of one slot.

    What belongs to a server and not to a key (TIME, INFO, SCAN) is asked of `server_of(redis, key)`.
    """

    def __init__(self, address: ClusterAddress, **options: Any) -> None:
        options = {**options, **address.options}
        host, port = address.seeds[0]
        super().__init__(host=host, port=port)  # only its encoder and callbacks are used
        self.topology = Topology(address.seeds, lambda server: _ServerRedis(server, options, self.topology))

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Reply of the server that holds the command's key; a few commands go to all primaries."""
        if args[0] in EVERYWHERE or args[0] == "SCRIPT LOAD":
            return await self._everywhere(args, options)

        async def call(server: Any, asking: bool) -> Any:
            if asking:
                return await ask(server, *args, **options)
            return await server.execute_command(*args, **options)

        return await self.follow(slot_of(args), call)

    async def follow(self, slot: int, call: Call) -> Any:
        """Result of `call` on the server that holds the slot, wherever that has gone. Raises redis-py's errors.

        After TRIES the last answer is raised: a ResponseError, so nothing was done.
        """
        server, asking = await self.topology.owner(slot), False
        last: RedisError | None = None
        for attempt in range(TRIES):
            try:
                return await call(self.topology.client(server), asking)
            except MovedError as problem:  # a subclass of AskError
                server, asking, last = _place(problem, server), False, problem
                self.topology.moved(slot, server)
            except AskError as problem:
                server, asking, last = _place(problem, server), True, problem
            except TryAgainError as problem:
                await asyncio.sleep(STEP_S)
                server, asking, last = await self.topology.owner(slot), False, problem
                continue
            except (ClusterDownError, RedisAway, RedisSilent, OSError):
                self.topology.doubt(server)
                raise
            if attempt > 2:
                await asyncio.sleep(STEP_S)
        assert last is not None
        raise last

    async def _everywhere(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        servers = await self.topology.primaries()
        clients: list[Any] = [self.topology.client(server) for server in servers]
        calls = [client.execute_command(*args, **options) for client in clients]
        replies = await asyncio.gather(*calls, return_exceptions=True)
        failed: list[BaseException] = []
        for server, reply in zip(servers, replies, strict=True):
            if isinstance(reply, BaseException):
                failed.append(reply)
                self.topology.doubt(server)
        # A script is needed where it is called, and that server is among those that live.
        if failed and (args[0] != "SCRIPT LOAD" or len(failed) == len(servers)):
            raise failed[0]
        return next(reply for reply in replies if not isinstance(reply, BaseException))

    async def server_of(self, key: str) -> Redis:
        """Client of the one server that holds the key now. Raises redis-py's errors when that is not known."""
        return self.topology.client(await self.topology.owner(key_slot(key.encode())))

    async def scan_iter(  # type: ignore[override]
        self, *args: Any, **options: Any
    ) -> AsyncIterator[Any]:
        """Keys of all primaries; a key whose slot moves meanwhile may come twice or not at all."""
        for server in await self.topology.primaries():
            async for name in self.topology.client(server).scan_iter(*args, **options):
                yield name

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """With a transaction all keys must be of one slot; without, every server gets its commands in one packet."""
        return ClusterPipeline(self, transaction)

    def pubsub(self, **options: Any) -> ClusterPubSub:  # type: ignore[override]
        """Sharded channels of all servers; see ClusterPubSub."""
        return ClusterPubSub(self.topology)

    def client(self) -> Redis:
        """Not for a cluster: a connection belongs to one server. Use `server_of`."""
        raise ValueError("a connection of a cluster belongs to one of its servers: use server_of")

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Let every connection to every server go."""
        await self.topology.close()
        await super().aclose(close_connection_pool)


async def ask(server: Any, *args: Any, **options: Any) -> Any:
    """Reply to a command that ASK sent here: ASKING and the command in one packet, on one connection."""
    async with server.pipeline(transaction=False) as pipe:
        pipe.execute_command("ASKING")
        pipe.execute_command(*args, **options)
        _, reply = await pipe.execute(raise_on_error=False)
    if isinstance(reply, Exception):
        raise reply
    return reply


async def server_of(redis: Redis, key: str) -> Redis:
    """Client of the one server that holds the key: for its clock, its run, its memory. On one Redis: `redis`.

    A key can move to another server at any time; what must be exact about both is asked in a script with that key.
    """
    return await redis.server_of(key) if isinstance(redis, ClusterRedis) else redis


class _ServerRedis(Redis):
    """Client of one server of the cluster. It follows nothing, but what it learns of the map is kept."""

    def __init__(self, server: Server, options: dict[str, Any], topology: Topology) -> None:
        host, port = server
        super().__init__(connection_pool=ConnectionPool(host=host, port=port, **options))
        self.auto_close_connection_pool = True
        self._place, self._topology = server, topology

    def client(self) -> Redis:
        """One connection of this server."""
        return Redis(connection_pool=self.connection_pool, single_connection_client=True)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except MovedError as problem:
            self._topology.moved(problem.slot_id, _place(problem, self._place))
            raise


async def by_server(redis: Redis, keys: Iterable[str]) -> list[list[str]]:
    """The keys in groups that one server holds each; on one Redis, one group."""
    groups: dict[int, list[str]] = {}
    for key in keys:
        groups.setdefault(id(await server_of(redis, key)), []).append(key)
    return list(groups.values())


def _place(redirection: AskError, asked: Server) -> Server:
    """Where a redirection leads; a server that does not know its name leaves the host out: then it is the one asked."""
    return redirection.host or asked[0], redirection.port
