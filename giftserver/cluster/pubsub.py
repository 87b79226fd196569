"""Sharded channels of a whole cluster, read as if one server had them all."""

import asyncio
import contextlib
from typing import Any, Final

from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import MovedError, RedisError

from giftserver.cluster.address import Server
from giftserver.cluster.slots import slot_of
from giftserver.cluster.topology import Topology

PING_S: Final = 5.0
WAITING_MAX: Final = 10_000
CLOSE_S: Final = 1.0


class ClusterPubSub:
    """The part of redis-py's PubSub that a bus uses: one connection and one reading task a server.

    A channel that moves to another server, and a server that is lost, end the whole: `get_message` raises, and
    whoever uses it subscribes anew and heals what was missed.
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._subscriptions: dict[Server, Any] = {}
        self._readers: dict[Server, asyncio.Task[None]] = {}
        self._places: dict[str, Server] = {}
        self._arrived: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue(WAITING_MAX)
        self._lock = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> "ClusterPubSub":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def ssubscribe(self, *channels: str) -> None:
        """Subscribe; the confirmations come as messages. Raises redis-py's errors."""
        groups: dict[int, list[str]] = {}
        for channel in channels:
            groups.setdefault(slot_of(("SSUBSCRIBE", channel)), []).append(channel)
        async with self._lock:
            for slot, names in groups.items():
                server = await self._topology.owner(slot)
                subscription = self._subscriptions.get(server)
                if subscription is None:
                    subscription = self._subscriptions[server] = self._topology.client(server).pubsub()
                try:
                    await subscription.ssubscribe(*names)
                except (RedisError, OSError):
                    self._topology.doubt(server)
                    raise
                self._places.update(dict.fromkeys(names, server))
                if server not in self._readers:
                    reading = self._read(server, subscription)
                    self._readers[server] = asyncio.create_task(reading, name=f"bus of {server[0]}:{server[1]}")

    async def sunsubscribe(self, *channels: str) -> None:
        """Unsubscribe. Raises redis-py's errors."""
        for channel in channels:
            server = self._places.pop(channel, None)
            if server is not None:
                await self._subscriptions[server].sunsubscribe(channel)

    async def get_message(self, timeout: float) -> dict[str, Any] | None:
        """The next message of any server, None when none came in `timeout` seconds.

        Raises redis-py's errors when a server was lost or a channel moved.
        """
        try:
            async with asyncio.timeout(timeout):
                message = await self._arrived.get()
        except TimeoutError:
            return None
        if isinstance(message, Exception):
            raise message
        return message

    async def ping(self) -> None:
        """Answer for the servers, whose readers ping them by themselves and end when one is silent."""
        with contextlib.suppress(asyncio.QueueFull):
            self._arrived.put_nowait({"type": "pong", "pattern": None, "channel": "", "data": b""})

    async def _read(self, server: Server, subscription: Any) -> None:
        silent = False
        try:
            while not self._closed:
                message = await subscription.get_message(timeout=PING_S)
                if message is None:
                    if silent:
                        raise RedisAway(f"{server[0]}:{server[1]} did not answer a ping")
                    silent = True
                    await subscription.ping()
                    continue
                silent = False
                if message["type"] == "sunsubscribe" and message["channel"].decode() in self._places:
                    raise RedisAway("a channel moved to another server")
                await self._arrived.put(message)
        except MovedError as problem:
            self._topology.moved(problem.slot_id, (problem.host or server[0], problem.port))
            await self._arrived.put(problem)
        except (RedisError, OSError) as problem:
            self._topology.doubt(server)
            await self._arrived.put(problem)

    async def aclose(self) -> None:
        """Stop reading and let the connections go."""
        self._closed = True
        for reader in self._readers.values():
            reader.cancel()
        if self._readers:
            await asyncio.wait(self._readers.values(), timeout=CLOSE_S)
        for subscription in self._subscriptions.values():
            await subscription.aclose()  # a reader that swallowed its cancellation ends with its connection
        await asyncio.gather(*self._readers.values(), return_exceptions=True)
