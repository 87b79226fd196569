"""Which server of a cluster holds which slot, as far as this process knows.

The map may be old at any time: a server that is asked wrongly says so (MOVED), and nothing is lost by asking.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ClusterDownError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisAway

from giftserver.cluster.address import Server

log = structlog.get_logger()

SLOTS: Final = 16_384
LOOK_AGAIN_S: Final = 0.1
"""Shortest time between two looks that nobody waits for."""


class NotACluster(ResponseError):
    """The server does not run in cluster mode: its URL is redis:// or rediss://."""


class Topology:
    """The map of slots, and one client for each server. It is read when first needed, and again after surprises."""

    def __init__(self, seeds: Iterable[Server], connect: Callable[[Server], Redis]) -> None:
        self._seeds, self._connect = tuple(seeds), connect
        self._clients: dict[Server, Redis] = {}
        self._owners: list[Server | None] = [None] * SLOTS
        self._known = False
        self._members: set[Server] = set()
        self._doubted: dict[Server, None] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked_s = float("-inf")
        self._failing = ""
        self._closed = False

    def client(self, server: Server) -> Redis:
        """Client of one server; made when it is first asked for, kept until `close`."""
        found = self._clients.get(server)
        if found is None:
            found = self._clients[server] = self._connect(server)
        return found

    async def owner(self, slot: int) -> Server:
        """Server that holds the slot. Raises ClusterDownError when none is known to, and redis-py's errors."""
        found = self._owners[slot]
        if found is None:
            await self.look()
            found = self._owners[slot]
        if found is None:
            raise ClusterDownError(f"no server of the cluster holds slot {slot}")
        return found

    async def primaries(self) -> list[Server]:
        """Servers that hold slots. Raises redis-py's errors when no server can be asked."""
        if not self._known:
            await self.look()
        return sorted({server for server in self._owners if server is not None})

    def moved(self, slot: int, server: Server) -> None:
        """A server said that another one holds the slot now."""
        self._owners[slot] = server
        self._look_soon()

    def doubt(self, server: Server) -> None:
        """A server did not answer, or its cluster is in trouble: others are asked first from now on."""
        self._doubted.pop(server, None)
        self._doubted[server] = None
        self._look_soon()

    def _look_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._looking is None and not self._closed and loop.time() - self._looked_s >= LOOK_AGAIN_S:
            self._start()

    async def look(self) -> None:
        """Read the map from any server. Raises NotACluster, or ConnectionError when none answers."""
        await asyncio.shield(self._looking or self._start())

    def _start(self) -> asyncio.Task[None]:
        task = self._looking = asyncio.get_running_loop().create_task(self._look(), name="look at the cluster")
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        self._looked_s = asyncio.get_running_loop().time()
        problem = None if task.cancelled() else task.exception()
        failing = type(problem).__name__ if problem is not None else ""
        if failing and failing != self._failing:
            log.warning("cluster_not_read", error=failing)
        self._failing = failing

    async def _look(self) -> None:
        candidates = list({*self._members, *self._seeds})
        random.shuffle(candidates)
        candidates.sort(key=lambda server: list(self._doubted).index(server) if server in self._doubted else -1)
        last: Exception | None = None
        for server in candidates:
            try:
                asked: Any = self.client(server)
                ranges = await asked.execute_command("CLUSTER SLOTS")
            except ResponseError as problem:
                if "cluster support disabled" in str(problem):
                    raise NotACluster(
                        f"{server[0]}:{server[1]} does not run in cluster mode: write its URL with redis:// or rediss://"
                    ) from problem
                last = problem
            except (RedisError, OSError) as problem:
                last = problem
            else:
                if ranges:
                    self._take(ranges, server)
                    return
        raise RedisAway(f"no server of the cluster tells its slots: {last!r}")

    def _take(self, ranges: list[list[Any]], asked: Server) -> None:
        owners: list[Server | None] = [None] * SLOTS
        members: set[Server] = set()
        for first, last, *rows in ranges:
            servers = [(_text(host) or asked[0], int(port)) for host, port, *_ in rows]
            owners[int(first) : int(last) + 1] = [servers[0]] * (int(last) - int(first) + 1)
            members.update(servers)
        self._owners, self._members, self._known = owners, members, True
        self._doubted = {server: None for server in self._doubted if server in members}

    async def close(self) -> None:
        """Let every connection go."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*(client.aclose() for client in self._clients.values()), return_exceptions=True)
        self._clients.clear()


def _text(host: bytes | str | None) -> str:
    """A host's name; a server that does not know its own leaves it out."""
    return host.decode() if isinstance(host, bytes) else host or ""
