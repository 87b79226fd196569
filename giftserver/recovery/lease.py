"""Leases: a shard takes gifts for a few seconds, again and again, while its coordinator sees that all is well."""

from collections.abc import Collection
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from giftserver.cluster.client import server_of
from giftserver.ledger import keys
from giftserver.ledger.guarded import run_and_time, run_of, run_script

log = structlog.get_logger()

LEASE_MS: Final = 5_000
FULL_FROM: Final = 0.85
"""Share of a server's maxmemory at which its shards take no more gifts."""

FULL_UNTIL: Final = 0.80


class Lease:
    """Renews the shards that this coordinator opened or found right. `lease_ms` 0: shards are open without an end."""

    def __init__(self, redis: Redis, lease_ms: int) -> None:
        self._redis: Any = redis
        self._lease_ms = lease_ms
        self._granted: dict[int, tuple[str, str]] = {}
        self._full: set[str] = set()

    def knows(self, shard: int) -> bool:
        """Whether this coordinator vouches for the shard."""
        return shard in self._granted

    def grant(self, shard: int, epoch: str, run: str) -> None:
        """Vouch for a shard under this epoch and run."""
        self._granted[shard] = (epoch, run)

    def end_ms(self, now_ms: int) -> int:
        """When a lease ends that is given now, by the server's clock; 0: never."""
        return now_ms + self._lease_ms if self._lease_ms else 0

    def forget(self) -> None:
        """Vouch for none: another process coordinates."""
        self._granted.clear()

    async def renew(self, shards: Collection[int] = range(keys.SHARDS)) -> set[int]:
        """Renew what is still as it was granted, of shards of one server; those shards. Raises redis-py's errors."""
        kept: set[int] = set()
        granted = {shard: self._granted[shard] for shard in shards if shard in self._granted}
        if not granted:
            return kept
        server = await server_of(self._redis, keys.meta(next(iter(granted))))
        found, now_ms = await run_and_time(server)
        await self._weigh(server, found)
        for shard, (epoch, run) in granted.items():
            full = "1" if run in self._full else "0"
            if found == run and await run_script(
                self._redis, "renew_lease.lua", shard, epoch, run, self.end_ms(now_ms), full
            ):
                kept.add(shard)
            else:
                del self._granted[shard]
        return kept

    async def _weigh(self, server: Any, run: str) -> None:
        memory = await server.info("memory")
        most = int(memory.get("maxmemory") or 0)
        share = int(memory["used_memory"]) / most if most else 0.0
        if share >= FULL_FROM and run not in self._full:
            self._full.add(run)
            log.error("ledger_memory_full", used_percent=round(100 * share), gifts="refused")
        elif share < FULL_UNTIL and run in self._full:
            self._full.discard(run)
            log.info("ledger_memory_freed", used_percent=round(100 * share))


class Isolation:
    """Whether Redis can have been replaced without this process seeing it: then nobody may vouch for it.

    A server that never had replicas cannot; one that had them may be cut off as soon as fewer are connected than there
    ever were. (One that was removed for good is forgotten when the worker starts again.)
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._replicas: dict[str, int] = {}

    async def remember(self, shards: Collection[int] = range(keys.SHARDS)) -> None:
        """Note how many replicas the shards' servers have while all is well."""
        for run, (_, replicas) in (await self._look(shards)).items():
            self._replicas[run] = max(replicas, self._replicas.get(run, 0))

    async def alone(self) -> bool:
        """Whether every server is a primary with as many replicas as it had."""
        found = await self._look()
        return all(
            role == "master" and run in self._replicas and replicas >= self._replicas[run]
            for run, (role, replicas) in found.items()
        )

    async def _look(self, shards: Collection[int] = range(keys.SHARDS)) -> dict[str, tuple[str, int]]:
        servers = [await server_of(self._redis, keys.meta(shard)) for shard in shards]
        found = {}
        for server in {id(server): server for server in servers}.values():
            state = await server.info("replication")
            found[await run_of(server)] = (str(state["role"]), int(state.get("connected_slaves", 0)))
        return found
