"""The flusher as a process of its own, beside the benchmark, as in production.

    python -m loadtest.bench.flush_beside < two lines: the URL of the ledger Redis, the URL of the database

It says `ready`, and ends when its input ends.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from giftserver.durable.flusher import Flusher
from giftserver.durable.metrics import PrometheusFlushMetrics
from giftserver.durable.store import open_database
from giftserver.engines import open_redis
from loadtest.bench.engines import TIMEOUT_S, Bench

ROOT: Final = Path(__file__).resolve().parents[2]
STOP_S: Final = 30.0


@asynccontextmanager
async def flushing(bench: Bench) -> AsyncIterator[None]:
    """A flusher of all shards in its own process while the block runs."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", __name__]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{bench.redis_url}\n{bench.database_url}\n".encode())
        assert await process.stdout.readline() == b"ready\n", "the flusher did not start"
        yield
    finally:
        process.stdin.close()
        async with asyncio.timeout(STOP_S):
            await process.wait()


async def main() -> None:
    """Flush until the input ends."""
    redis_url, database_url = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    redis, database = open_redis(redis_url, TIMEOUT_S), open_database(database_url)
    flusher = Flusher(database, redis, PrometheusFlushMetrics(CollectorRegistry()))
    running = asyncio.create_task(flusher.run())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    flusher.stop()
    await running
    await redis.aclose()
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(main())
