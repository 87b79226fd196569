"""An hour without PostgreSQL, as fast as gifts can be sent: `python -m loadtest.bench.outage --gifts 1000000`.

People give with the flusher at work; then PostgreSQL is killed and an hour's gifts are given all the same; then it
comes back, and the flusher catches up while gifts go on at the hour's rate. Told are the rates, what a waiting gift
takes in Redis, and how long the proof over all of it needs; status 1 when an invariant is violated.
"""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import click
import uvloop
from sqlalchemy import text

from giftserver.durable import migrate
from giftserver.durable.store import open_database
from giftserver.durable.verify import verify
from giftserver.embedded import Instance
from giftserver.engines import open_redis
from giftserver.ledger import keys
from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import Accepted, GiftOrder
from giftserver.recovery.coordinator import Coordinator
from loadtest.bench.engines import TIMEOUT_S, Bench, engine_facts, temporary_folder
from loadtest.bench.flush_beside import flushing
from loadtest.bench.machine import machine
from loadtest.bench.memory_row import used_bytes
from loadtest.bench.orders import RICH_COINS, creators, order
from loadtest.bench.sizes import QUICK

HOUR_S: Final = 3_600
AT_ONCE: Final = 1_024
"""People who give at the same time."""

CHUNK: Final = 50_000
"""Gifts made before the clock runs."""

LOOK_S: Final = 0.05
CATCH_UP_S: Final = 600.0


@click.command()
@click.option("--gifts", type=click.IntRange(1_000, 10_000_000), default=500_000, show_default=True,
              help="Gifts while PostgreSQL is away: an hour's.")  # fmt: skip
def main(gifts: int) -> None:
    """Give through an outage of PostgreSQL, catch up, and prove it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        holds = runner.run(run(gifts))
    raise SystemExit(0 if holds else 1)


async def run(gifts: int) -> bool:
    """All phases on engines of their own; whether every invariant held at the end."""
    with temporary_folder() as folder:
        async with engines(Path(folder)) as (instance, bench):
            facts = machine(Path(folder))
            click.echo(f"{facts['cpu']}, {facts['cores']} cores, {bench.facts['ledger_engine']}, fsync {bench.fsync}")
            people = [f"person-{number}" for number in range(1, AT_ONCE + 1)]
            await fund(bench, people)
            ledger = bench.ledger()
            await asyncio.gather(*(ledger.balance(person) for person in people))
            async with flushing(bench):
                tell("with PostgreSQL", await given(ledger, people, min(gifts, 2 * CHUNK)), "gifts/s")
                await caught_up(bench)
                before, streams_before = await used_bytes(bench), await stream_bytes(bench)
                os.kill(instance.pids["postgres"], signal.SIGKILL)
                tell("PostgreSQL away", await given(ledger, people, gifts), "gifts/s")
                tell("a waiting gift in the stream", (await stream_bytes(bench) - streams_before) / gifts, "B")
                tell("the same with its receipt", (await used_bytes(bench) - before) / gifts, "B")
                await catch_up(instance, bench, ledger, people, gifts)
            await ledger.close()
            started_s = time.perf_counter()
            report = await verify(bench.database, bench.redis)
            tell("verify, all gifts", time.perf_counter() - started_s, "s")
    click.echo(report.render())
    return report.holds


async def catch_up(instance: Instance, bench: Bench, ledger: Ledger, people: Sequence[str], gifts: int) -> None:
    """PostgreSQL comes back; tell how fast what waits is posted while gifts go on at the hour's rate."""
    live_per_s = gifts / HOUR_S
    revived: list[str] = []
    while "postgres" not in revived:  # it may not have noticed yet that the server is gone
        revived = await asyncio.to_thread(instance.revive)
    started_s = time.perf_counter()
    going_on = asyncio.create_task(live(ledger, people, live_per_s))
    await caught_up(bench, until=AT_ONCE)
    seconds = time.perf_counter() - started_s
    going_on.cancel()
    await asyncio.gather(going_on, return_exceptions=True)
    await caught_up(bench)
    tell("catch-up from PostgreSQL's return on", seconds, "s")
    tell("catch-up", gifts / seconds, "gifts/s")
    tell(f"catch-up / live rate of {live_per_s:,.0f} gifts/s", gifts / seconds / live_per_s, "×")


async def live(ledger: Ledger, people: Sequence[str], per_s: float) -> None:
    """Gifts at a steady rate, until cancelled."""
    started_s = time.perf_counter()
    for number, person in enumerate(itertools.cycle(people)):
        await asyncio.sleep(max(0.0, started_s + number / per_s - time.perf_counter()))
        await give(ledger, [order(person, "creator-000001", int(time.time() * 1_000))])


async def given(ledger: Ledger, people: Sequence[str], gifts: int) -> float:
    """Give that many; gifts a second, without the time to make them."""
    seconds, to = 0.0, itertools.cycle(creators(100))
    for start in range(0, gifts, CHUNK):
        each = -(-min(CHUNK, gifts - start) // len(people))
        now_ms = int(time.time() * 1_000)
        prepared = [[order(person, next(to), now_ms) for _ in range(each)] for person in people]
        started_s = time.perf_counter()
        await asyncio.gather(*(give(ledger, some) for some in prepared))
        seconds += time.perf_counter() - started_s
    return gifts / seconds


async def give(ledger: Ledger, orders: Sequence[GiftOrder]) -> None:
    """One after the other; every one must be accepted."""
    for one in orders:
        outcome = await ledger.send(one)
        assert isinstance(outcome, Accepted), outcome


async def caught_up(bench: Bench, until: int = 0) -> None:
    """Return when no more than `until` gifts wait for the flusher."""
    async with asyncio.timeout(CATCH_UP_S):
        for _ in itertools.count():
            if sum((await bench.unflushed()).values()) <= until:
                return
            await asyncio.sleep(LOOK_S)


async def stream_bytes(bench: Bench) -> int:
    """Memory of all streams, as the engine counts it."""
    sizes = [await bench.redis.memory_usage(keys.events(shard), samples=0) for shard in range(keys.SHARDS)]
    return sum(size for size in sizes if size)


async def fund(bench: Bench, people: Sequence[str]) -> None:
    """Give everybody coins in PostgreSQL, and open the shards."""
    statement = (files("loadtest.bench") / "people.sql").read_text()
    async with bench.database.begin() as connection:
        await connection.execute(text(statement), {"people": len(people), "coins": RICH_COINS})
    await Coordinator(bench.database, bench.redis).settle()


@asynccontextmanager
async def engines(folder: Path) -> AsyncIterator[tuple[Instance, Bench]]:
    """Embedded engines whose PostgreSQL may be killed."""
    instance = Instance(folder / "engines", rooms=False)
    urls = await asyncio.to_thread(instance.start)
    assert urls.ledger_redis_url is not None
    assert urls.database_url is not None
    redis = open_redis(urls.ledger_redis_url, TIMEOUT_S)
    await migrate.upgrade(urls.database_url)
    database = open_database(urls.database_url, statement_timeout_ms=0)
    facts = await engine_facts(redis, urls.database_url)
    here = redis, urls.ledger_redis_url, database, urls.database_url
    yield instance, Bench(QUICK, *here, facts["appendfsync"], facts, click.echo)
    await database.dispose()
    await redis.aclose()
    await asyncio.to_thread(instance.stop)


def tell(name: str, value: float, unit: str) -> None:
    """A line of the result."""
    click.echo(f"{name:<50} {value:>12,.1f} {unit}")


if __name__ == "__main__":
    main()
