"""Shows paid gifts that no web process showed: the ledger's streams are read once more, behind the flusher."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from giftserver.cluster.client import server_of
from giftserver.gifts.body import room_event
from giftserver.gifts.catalog import Catalog
from giftserver.ledger import keys
from giftserver.ledger.events import decode_event, parse_stream_id, transfer_id
from rooms.history import Event, History

log = structlog.get_logger()

LOOK_S: Final = 0.25
GRACE_MS: Final = 1_000
"""How long a web process has to show a gift itself."""

BATCH_MAX: Final = 500


class CatchUp:
    """Per shard: what is flushed and older than GRACE_MS and was never appended to its room is appended now.

    The shard's `announced` mark moves only after that, so a crash repeats a batch, which appending makes harmless.
    """

    def __init__(
        self, ledger_redis: Redis, history: History, catalog: Catalog, advance: Any, on_announced: Callable[[int], None]
    ) -> None:
        self._redis: Any = ledger_redis
        self._history, self._catalog, self._advance = history, catalog, advance
        self._on_announced = on_announced

    async def run(self, stop: asyncio.Event) -> None:
        """Look at every shard until `stop`; engines that are away are waited for."""
        while not stop.is_set():
            for shard in await self._behind():
                try:
                    while await self.look(shard):
                        pass
                except (RedisError, OSError, TimeoutError) as problem:
                    log.warning("catch_up_waits", shard=shard, error=type(problem).__name__)
                if stop.is_set():
                    return
            await asyncio.sleep(LOOK_S)

    async def _behind(self) -> list[int]:
        """Shards with flushed gifts after their mark, asked in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hmget(keys.meta(shard), "announced", "flushed")
            try:
                metas = await pipe.execute(raise_on_error=False)
            except (RedisError, OSError, TimeoutError) as problem:
                log.warning("catch_up_waits", error=type(problem).__name__)
                return []
        failed = [shard for shard, meta in enumerate(metas) if isinstance(meta, Exception)]
        if failed:  # of a cluster, one server may be away
            log.warning("catch_up_waits", shards=failed, error=type(metas[failed[0]]).__name__)
        return [shard for shard, meta in enumerate(metas) if shard not in failed and _is_behind(*meta)]

    async def look(self, shard: int) -> bool:
        """Catch up one batch of a shard; whether there may be more."""
        announced, flushed = await self._redis.hmget(keys.meta(shard), "announced", "flushed")
        if not _is_behind(announced, flushed):
            return False
        server: Any = await server_of(self._redis, keys.meta(shard))
        time_s, _ = await server.time()
        entries = await self._after(shard, int(announced))
        missing: dict[str, list[Event]] = {}
        mark = int(announced)
        for stream_id, fields in entries:
            epoch, seq = parse_stream_id(stream_id)
            age_ms = time_s * 1_000 - int(fields[b"t"])
            if seq > int(flushed) or -2 * GRACE_MS < age_ms < GRACE_MS:  # far ahead: the clock went back since
                break
            gift = decode_event(fields[b"e"])
            kind = self._catalog.get(gift.gift)
            event = room_event(transfer_id(shard, epoch, seq), gift, combo=kind is not None and kind.combo)
            missing.setdefault(gift.room, []).append(event)
            mark = seq
        for room, events in missing.items():
            unseen = set(await self._history.unseen(room, [event.id for event in events]))
            late = [event for event in events if event.id in unseen]
            if late:
                self._on_announced(await self._history.append(room, late))
                log.info("gifts_announced_late", room=room, gifts=len(late))
        if mark > int(announced):
            await self._advance(keys=[keys.meta(shard)], args=["announced", mark])
        return len(entries) == BATCH_MAX and mark > int(announced)

    async def _after(self, shard: int, announced: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Entries after the mark, of the oldest epoch that has some: ids start with the epoch, the mark has none."""
        oldest = await self._redis.xrange(keys.events(shard), count=1)
        if not oldest:
            return []
        first_epoch, first_seq = parse_stream_id(oldest[0][0])
        newest = await self._redis.xrevrange(keys.events(shard), count=1)
        last_epoch, _ = parse_stream_id(newest[0][0])
        for epoch in range(first_epoch, last_epoch + 1):
            start = max(announced + 1, first_seq)
            found: list[tuple[bytes, dict[bytes, bytes]]] = await self._redis.xrange(
                keys.events(shard), min=f"{epoch}-{start}", max=str(epoch), count=BATCH_MAX
            )
            if found:
                return found
        return []


def _is_behind(announced: bytes | None, flushed: bytes | None) -> bool:
    return announced is not None and flushed is not None and int(announced) < int(flushed)
