"""Opens the ledger's shards in a Redis that has not seen them yet."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import structlog
from redis.asyncio import Redis

from giftserver.ledger import keys

log = structlog.get_logger()


async def open_shards(redis: Redis, cursors: Mapping[int, tuple[int, int]]) -> dict[int, str]:
    """Open every shard at PostgreSQL's flush cursor (epoch, seq), or keep it as it is.

    Returns each shard's state: `open`, `fenced`, or what a person must look at: `BEHIND` (Redis knows less than
    PostgreSQL) and `DIVERGED` (events without meta); those shards take no gifts.
    """
    source = (files("giftserver.ledger") / "scripts" / "open_shard.lua").read_text()
    script: Any = redis.register_script(source)
    info = await redis.info("server")
    states = {}
    for shard in range(keys.SHARDS):
        epoch, seq = cursors.get(shard, (0, 0))
        reply = await script(
            keys=[keys.meta(shard), keys.events(shard)], args=[keys.SCHEMA, info["run_id"], epoch, seq]
        )
        states[shard] = reply[0].decode()
        if states[shard] != "open":
            log.error("shard_not_open", shard=shard, state=states[shard])
        elif reply[2] == b"new":
            log.info("shard_opened", shard=shard, epoch=reply[1].decode())
    return states
