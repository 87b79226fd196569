"""Calls of the gift script as bytes, made before the clock runs: for clients that do nothing but send them.

Keys and arguments are laid out as giftserver/ledger/scripts/send_gifts.lua says in its head.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, TypeVar

import msgspec
from redis.asyncio import Redis

from giftserver.ledger import keys
from giftserver.ledger.ledger import RECEIPT_TTL_MS
from giftserver.ledger.limits import NONE
from giftserver.ledger.outcomes import GiftOrder
from loadtest.bench.engines import BACKLOG_MAX
from loadtest.bench.raw_client import packed

SOURCE: Final = (files("giftserver.ledger") / "scripts" / "send_gifts.lua").read_text()
DAY_S: Final = 86_400

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class GiftScript:
    """The script as an engine has loaded it, and the epochs it accepts."""

    sha: str
    epochs: Mapping[int, str]

    def call(self, shard: int, orders: Sequence[GiftOrder], receipts: Sequence[str] = ()) -> list[str | bytes]:
        """The command of one script call, as the client sends it; `receipts` replace the orders' keys."""
        day = int(time.time() // DAY_S)
        earned = keys.earned(shard, time.strftime("%Y%m%d", time.gmtime(day * DAY_S)))
        names: list[str | bytes] = [keys.meta(shard), keys.events(shard), earned]
        limits = (keys.SCHEMA, BACKLOG_MAX, RECEIPT_TTL_MS, day, shard, NONE)
        for number, order in enumerate(orders):
            key = receipts[number] if receipts else order.key
            names += [keys.wallet(shard, order.sender), keys.receipt(shard, order.sender, key)]
        terms = [(o.key_ms, o.request_hash, o.sender, o.creator, o.coins, o.diamonds, None) for o in orders]
        payloads = [order.payload for order in orders]
        args: list[str | bytes] = [self.epochs[shard], *map(str, limits), *payloads, msgspec.msgpack.encode(terms)]
        return ["EVALSHA", self.sha, str(len(names)), *names, *args]

    def packed_calls(self, by_sender: Sequence[Sequence[GiftOrder]], batch: int) -> list[bytes]:
        """All gifts as packed calls of at most `batch` gifts, the shards taking turns."""
        queues: dict[int, list[GiftOrder]] = {}
        for order in turns(by_sender):
            queues.setdefault(keys.shard_of(order.sender), []).append(order)
        by_shard = [
            [packed(*self.call(shard, queue[start : start + batch])) for start in range(0, len(queue), batch)]
            for shard, queue in queues.items()
        ]
        return list(turns(by_shard))


async def load_script(redis: Redis) -> GiftScript:
    """Load the script for the run that the shards are opened for."""
    client: Any = redis
    run = (await client.hget(keys.meta(0), "run")).decode()
    sha = await client.script_load(script_text(run))
    epochs = {shard: (await client.hget(keys.meta(shard), "epoch")).decode() for shard in range(keys.SHARDS)}
    return GiftScript(sha if isinstance(sha, str) else sha.decode(), epochs)


def script_text(run: str) -> str:
    """The script as the ledger guards it (giftserver/ledger/guarded.py)."""
    return f"local RUN = '{run}'\n{SOURCE}"


def turns(queues: Sequence[Sequence[Item]]) -> Iterator[Item]:
    """The first of each queue, then the second of each, and so on."""
    for position in range(max(map(len, queues), default=0)):
        for queue in queues:
            if position < len(queue):
                yield queue[position]
