"""Row e: memory of the ledger's Redis for a wallet that rests and for a gift that waits for the flusher."""

import itertools
import random
from collections.abc import Sequence
from typing import Any, Final

from giftserver.ledger import keys
from giftserver.ledger.outcomes import GiftOrder
from loadtest.bench.engines import Bench
from loadtest.bench.figures import Figure, Row
from loadtest.bench.growth_row import Population, forget, given_keys
from loadtest.bench.orders import creators, names, orders, people
from loadtest.bench.raw_client import RawClient
from loadtest.bench.rounds import Case, measure
from loadtest.bench.script_calls import load_script

SAMPLES: Final = 200
SENDERS: Final = 1024
BATCH: Final = 64
TARGET: Final = "≤ 150"


async def memory_row(bench: Bench) -> Row:
    """Measure both kinds of memory."""

    async def wallets() -> dict[str, float]:
        return await wallet_bytes(bench)

    async def gifts() -> dict[str, float]:
        return await gift_bytes(bench)

    cases = [Case("idle wallet", wallets), Case("unflushed gift", gifts)]
    wallet, gift = await measure(cases, bench.size.rounds, bench.say)
    found = [
        Figure("idle wallet", wallet.values["used_bytes"], "bytes"),
        Figure("unflushed gift: stream entry", gift.values["stream_bytes"], "bytes", TARGET),
        Figure("unflushed gift: receipt, kept 15 minutes", gift.values["receipt_bytes"], "bytes"),
    ]
    payload = len(orders(["viewer-000001"], creators(1), 1)[0][0].payload)
    notes = [
        "used_bytes, stream_bytes and receipt_bytes are differences of used_memory, the tables of keys included; "
        "memory_usage … is MEMORY USAGE of keys picked at random.",
        f"A gift's payload is {payload} bytes here: its key and request hash are {36 + 32} of them.",
    ]
    return Row("e", "Memory of the ledger's Redis", [wallet, gift], found, notes)


async def wallet_bytes(bench: Bench) -> dict[str, float]:
    """Bytes of an idle wallet."""
    await bench.clear()
    users = list(itertools.islice(names("viewer"), bench.size.kept_wallets))
    before = await used_bytes(bench)
    Population(bench, users).resize(len(users))
    used = await used_bytes(bench) - before
    sample = [keys.wallet(keys.shard_of(user), user) for user in random.sample(users, min(SAMPLES, len(users)))]
    return {"used_bytes": used / len(users), "memory_usage_wallet_bytes": await mean_usage(bench, sample)}


async def gift_bytes(bench: Bench) -> dict[str, float]:
    """Bytes of an unflushed gift: what goes away with the streams, then with the receipts."""
    await bench.clear()
    senders = people(SENDERS, range(keys.SHARDS))
    await bench.install(senders)
    script = await load_script(bench.redis)
    given = orders(senders, creators(100), bench.size.kept_gifts)
    gifts = sum(map(len, given))
    calls = script.packed_calls(given, BATCH)
    before = await used_bytes(bench)
    with RawClient(bench.redis_url, 1) as client:
        client.run(calls)
    full = await used_bytes(bench)
    streams = [keys.events(shard) for shard in range(keys.SHARDS)]
    usage = {
        "memory_usage_stream_bytes": await mean_usage(bench, streams) * len(streams) / gifts,
        "memory_usage_receipt_bytes": await mean_usage(bench, receipts_of(given, SAMPLES)),
    }
    forget(bench, iter(streams))
    without_streams = await used_bytes(bench)
    forget(bench, given_keys(given))
    return {
        "used_bytes": (full - before) / gifts,
        "stream_bytes": (full - without_streams) / gifts,
        "receipt_bytes": (without_streams - await used_bytes(bench)) / gifts,
        **usage,
    }


def receipts_of(given: Sequence[Sequence[GiftOrder]], count: int) -> list[str]:
    """Names of some gifts' receipts."""
    everything = [order for orders_of_one in given for order in orders_of_one]
    some = random.sample(everything, min(count, len(everything)))
    return [keys.receipt(keys.shard_of(order.sender), order.sender, order.key) for order in some]


async def used_bytes(bench: Bench) -> float:
    """What the engine has allocated, without the buffers of its connections and its append-only file."""
    memory = await bench.redis.info("memory")
    other = ("mem_clients_normal", "mem_aof_buffer", "mem_clients_slaves")
    return float(memory["used_memory"]) - sum(float(memory.get(name, 0)) for name in other)


async def mean_usage(bench: Bench, names_of_keys: Sequence[str]) -> float:
    """Mean of what MEMORY USAGE says of keys, every element counted."""
    redis: Any = bench.redis
    async with redis.pipeline(transaction=False) as pipeline:
        for name in names_of_keys:
            pipeline.memory_usage(name, samples=0)
        sizes: list[int] = await pipeline.execute()
    return sum(sizes) / len(names_of_keys)
