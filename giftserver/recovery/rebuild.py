"""Filling a shard's Redis from PostgreSQL: the days' sums, and no receipt or wallet but those asked for.

Wallets are loaded when they are first used, each exactly; `load_all` brings the rest meanwhile.
"""

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.cluster.client import server_of
from giftserver.durable.restore import earned_days, wallet_pages
from giftserver.failpoints import failpoint
from giftserver.ledger import keys
from giftserver.ledger.wallets import LOAD_MAX, Wallets

log = structlog.get_logger()

DAYS: Final = 2
"""Earned sums of today and this many days before are kept in Redis."""

EARNED_S: Final = 259_200
DELETE: Final = 500


async def clear_shards(redis: Any, shards: Collection[int]) -> None:
    """Forget wallets, receipts and earned sums of shards that take no gifts, in one look over all keys."""
    server: Any = await server_of(redis, keys.meta(min(shards)))
    tags = {f"{{s{shard:02d}}}:".encode() for shard in shards}
    names: list[bytes] = []
    for kind in ("wallet", "earned", "key"):
        async for name in server.scan_iter(match=f"{{s[0-9][0-9]}}:{kind}:*", count=1_000):
            if name[:6] in tags:
                names.append(name)
    for start in range(0, len(names), DELETE):
        async with redis.pipeline(transaction=False) as pipe:
            for name in names[start : start + DELETE]:
                pipe.unlink(name)
            await pipe.execute()


async def rebuild_shard(database: AsyncEngine, redis: Any, shard: int) -> None:
    """Fill the earned sums of a cleared shard again. Repeatable; opens nothing.

    Receipts are not filled in, however many there were: the gift script has older keys looked up (open_shard.lua).
    """
    failpoint("rebuild.middle")
    server: Any = await server_of(redis, keys.meta(shard))
    seconds, _ = await server.time()
    today = datetime.fromtimestamp(seconds, UTC).date()
    for day, sums in (await earned_days(database, shard, today - timedelta(days=DAYS))).items():
        name = keys.earned(shard, f"{day:%Y%m%d}")
        await server.hset(name, mapping=sums)
        await server.expire(name, EARNED_S)


async def load_all(database: AsyncEngine, wallets: Wallets) -> int:
    """Load every wallet that is not loaded; how many were looked at. Stops early at a shard that is not open."""
    started_s, looked_at = time.monotonic(), 0
    async for page in wallet_pages(database, wallets.now_s):
        for shard, snapshot in page.items():
            users = list(snapshot.wallets)
            for start in range(0, len(users), LOAD_MAX):
                await wallets.install(shard, snapshot, users[start : start + LOAD_MAX])
            looked_at += len(users)
    log.info("wallets_loaded", wallets=looked_at, seconds=round(time.monotonic() - started_s, 3))
    return looked_at
