"""The flusher's loop: prompt, patient with engines that are away, and never held up by one shard."""

import asyncio
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.engine import make_url

from giftserver.durable import flusher as flusher_module
from giftserver.durable.flusher import Flusher, backoff_s
from giftserver.durable.metrics import PrometheusFlushMetrics
from giftserver.durable.store import open_database
from giftserver.ledger import keys

SHARD = keys.shard_of("ana")
OTHER = keys.shard_of("ben")


@asynccontextmanager
async def running(book, **options):
    """A flusher at work, with its registry as `registry`; stopped at the end."""
    registry = CollectorRegistry()
    flusher = Flusher(book.engine, book.redis, PrometheusFlushMetrics(registry), **options)
    flusher.registry = registry
    task = asyncio.create_task(flusher.run())
    try:
        yield flusher
    finally:
        flusher.stop()
        async with asyncio.timeout(10):
            await task


def settled(book, count):
    async def condition() -> bool:
        return (await book.rows("SELECT count(*) FROM transfer WHERE kind = 'gift'"))[0][0] == count

    return condition


def metric(flusher, name, shard):
    return flusher.registry.get_sample_value(name, {"shard": f"{shard:02d}"})


async def test_gifts_are_flushed_and_told_in_order(book, until):
    """What is in the stream before and during the run reaches PostgreSQL; each gift is told once, in order."""
    await book.fund("ana", 1000)
    await book.fund("ben", 1000)
    told: dict[int, list[int]] = {}

    async def on_flushed(shard, gifts):
        told.setdefault(shard, []).extend(gift.seq for gift in gifts)

    for _ in range(5):
        await book.gift("ana")
    async with running(book, on_flushed=on_flushed, batch_max=2) as flusher:
        for _ in range(5):
            await book.gift("ben")
            await book.gift("ana")
        await until(settled(book, 15))
    assert told == {SHARD: list(range(1, 11)), OTHER: list(range(1, 6))}
    assert metric(flusher, "giftserver_flush_gifts_total", SHARD) == 10
    assert await book.redis.hget(keys.meta(SHARD), "flushed") == b"10"


async def test_gifts_that_come_after_the_reading_ahead_do_not_wait_for_a_tick(book, until):
    """The last batch of a backlog was read before they came: the shard looks once more."""
    await book.fund("ana", 1000)
    for _ in range(2):
        await book.gift("ana")

    async def one_more(shard, gifts):
        if gifts[0].seq == 1:
            await book.gift("ana")

    async with running(book, on_flushed=one_more, batch_max=1, tick_ms=60_000):
        await until(settled(book, 3))
    assert await book.balance("ana") == 970


async def test_a_listener_that_fails_does_not_stop_the_money(book, until):
    """An error of on_flushed is logged; the next gifts are flushed all the same."""
    await book.fund("ana", 1000)

    async def fails(shard, gifts):
        raise RuntimeError("no one to tell")

    async with running(book, on_flushed=fails):
        await book.gift("ana")
        await until(settled(book, 1))
        await book.gift("ana")
        await until(settled(book, 2))
    assert await book.balance("ana") == 980


async def test_a_halted_shard_stops_alone_and_goes_on_once_repaired(book, until, monkeypatch):
    """A bad event raises the alarm and stops its shard only; when a person has repaired it the shard goes on."""
    monkeypatch.setattr(flusher_module, "HALTED_RETRY_S", 0.05)
    await book.fund("ana", 1000)
    await book.fund("ben", 1000)
    await book.append(book.event("ana"), payload=b"\xc1")
    async with running(book) as flusher:
        await book.gift("ben")
        await until(settled(book, 1))

        async def alarm() -> bool:
            return metric(flusher, "giftserver_flush_halted", SHARD) == 1

        await until(alarm)
        assert "undecodable" in flusher.halted[SHARD]
        await book.redis.delete(keys.events(SHARD))
        await book.redis.hset(keys.meta(SHARD), "seq", 0)
        await book.gift("ana")
        await until(settled(book, 2))

        async def no_alarm() -> bool:
            return flusher.halted == {} and metric(flusher, "giftserver_flush_halted", SHARD) == 0

        await until(no_alarm)


async def test_postgresql_away_and_back(book, until):
    """While PostgreSQL refuses connections gifts go on; when it is back everything is flushed once."""
    await book.fund("ana", 1000)
    admin = open_database(book.url.rsplit("/", 1)[0] + "/postgres", pool_size=1)
    name = make_url(book.url).database

    async def run(*statements: str) -> None:
        async with admin.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in statements:
                await autocommit.execute(text(statement))

    try:
        async with running(book) as flusher:
            await book.gift("ana")
            await until(settled(book, 1))
            await run(
                f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
            )
            for _ in range(3):
                await book.gift("ana")

            async def failed() -> bool:
                return (metric(flusher, "giftserver_flush_failures_total", SHARD) or 0) >= 2

            await until(failed)
            await run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await until(settled(book, 4))
    finally:
        await admin.dispose()
    assert await book.balance("ana") == 960


async def test_a_wiped_redis_writes_nothing(book, until):
    """A Redis that lost everything is not flushed from; a shard that lost its tail is halted, not overwritten."""
    await book.fund("ana", 1000)
    async with running(book) as flusher:
        await book.gift("ana")
        await until(settled(book, 1))
        await book.redis.flushall()
        await book.open()

        async def halted() -> bool:
            return SHARD in flusher.halted

        await until(halted)
        assert "behind" in flusher.halted[SHARD]
    assert await book.balance("ana") == 990


async def test_two_flushers_on_the_same_shards(book, until):
    """Two flushers are harmless: every gift is posted once."""
    people = [f"viewer{n}" for n in range(6)]
    for person in people:
        await book.fund(person, 1000)
    async with running(book, batch_max=3), running(book, batch_max=3):
        for n in range(60):
            await book.gift(people[n % 6])
        await until(settled(book, 60))
    assert [await book.balance(person) for person in people] == [900] * 6


async def test_cancelling_ends_what_is_under_way(book):
    """A cancelled run leaves no task behind."""
    await book.fund("ana", 1000)
    await book.gift("ana")
    task = asyncio.create_task(Flusher(book.engine, book.redis, PrometheusFlushMetrics(CollectorRegistry())).run())
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(task, return_exceptions=True)
    assert not [other for other in asyncio.all_tasks() if other.get_name().startswith("flush shard")]


def test_backoff_doubles_with_jitter_up_to_a_cap():
    """Waiting grows, never over five seconds, and differs between flushers."""
    assert 0.05 <= backoff_s(1) <= 0.1
    assert 2.5 <= backoff_s(50) <= 5.0
    assert len({backoff_s(4) for _ in range(10)}) > 1
