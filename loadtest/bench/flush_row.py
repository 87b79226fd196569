"""Row c: gifts that wait in the streams, to PostgreSQL, with the real flush."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from giftserver.durable.flush import FlushResult, flush_shard, read_cursor
from loadtest.bench.engines import Bench
from loadtest.bench.figures import Figure, Measured, Row
from loadtest.bench.orders import creators, orders, people
from loadtest.bench.raw_client import RawClient
from loadtest.bench.rounds import Case, measure
from loadtest.bench.script_calls import load_script

SHARDS_AT_ONCE = (1, 4)
SENDERS = 200
FILL_BATCH = 64
FILL_CONNECTIONS = 4


async def flush_row(bench: Bench, live_gifts_per_s: int) -> Row:
    """Measure each size of a batch with one shard and with four at once, against a live rate."""
    count = min(SENDERS, bench.size.backlog // 8)
    senders = {shards: people(count, range(shards), f"flush{shards}") for shards in SHARDS_AT_ONCE}
    bench.say("  funding")
    for users in senders.values():
        await bench.fund(users)
    cases = [
        Case(f"{shards} shard{'' if shards == 1 else 's'} at once, batch {batch}", partial(once, bench, users, batch))
        for shards, users in senders.items()
        for batch in bench.size.flush_batches
    ]
    measured = await measure(cases, bench.size.rounds, bench.say)
    notes = [
        "The real flush_shard in one process, double entry and all, one task a shard; the streams were filled before.",
        f"Live rate: {live_gifts_per_s:,} gifts/s (--live-gifts-per-s). After a minute without PostgreSQL the flusher "
        f"has {60 * live_gifts_per_s:,} gifts to bring while new ones come.",
    ]
    found = [figure for case in measured for figure in figures(case, live_gifts_per_s)]
    return Row("c", "From the streams to PostgreSQL", measured, found, notes)


def figures(case: Measured, live_gifts_per_s: int) -> list[Figure]:
    """Flush rate over live rate, and the seconds a minute's backlog takes when gifts keep coming."""
    speeds = case.values["gifts_per_s"]
    over = [speed / live_gifts_per_s for speed in speeds]
    after_s = [60 / (ratio - 1) if ratio > 1 else float("inf") for ratio in over]
    return [
        Figure(f"flush rate / live rate: {case.name}", over),
        Figure(f"catch-up after a minute: {case.name}", after_s, "s"),
    ]


async def once(bench: Bench, users: Sequence[str], batch: int) -> dict[str, float]:
    """Fill the streams, then flush them."""
    gifts = await fill(bench, users)
    shards = await bench.unflushed()
    started_s, cpu_before_s = time.perf_counter(), time.process_time()
    flushes = await asyncio.gather(*(flush_all(bench, shard, batch) for shard in shards))
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_before_s
    assert not await bench.unflushed(), "gifts are left in the streams"
    return {
        "gifts_per_s": gifts / seconds,
        "flusher_cpu_us": cpu_s / gifts * 1e6,
        "ms_per_flush": seconds * len(shards) / sum(flushes) * 1000,
    }


async def fill(bench: Bench, users: Sequence[str]) -> int:
    """Bring a backlog of accepted gifts into the emptied streams; how many."""
    await bench.clear()
    await bench.install(users)
    script = await load_script(bench.redis)
    given = orders(users, creators(100), bench.size.backlog)
    calls = script.packed_calls(given, FILL_BATCH)
    with RawClient(bench.redis_url, FILL_CONNECTIONS) as client:
        client.run(calls)
    waiting = sum((await bench.unflushed()).values())
    assert waiting == sum(map(len, given)), f"{waiting} of {sum(map(len, given))} gifts accepted"
    return waiting


async def flush_all(bench: Bench, shard: int, batch: int) -> int:
    """Flush a shard to its end; how many batches it took."""
    cursor = await read_cursor(bench.database, shard)
    result = FlushResult("idle", cursor)
    batches = 0
    while True:
        result = await flush_shard(bench.database, bench.redis, shard, batch, result.cursor, result.ahead)
        if result.status != "posted":
            return batches
        batches += 1
