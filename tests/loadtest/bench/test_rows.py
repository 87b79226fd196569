"""Every row of the benchmark, in its smallest size, on real engines."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis.asyncio import Redis

from giftserver.embedded import EngineUrls
from loadtest.bench.client_row import client_row, one_by_one
from loadtest.bench.design_row import best_pool, design_row
from loadtest.bench.engines import Bench, NotEmpty, opened
from loadtest.bench.figures import Row
from loadtest.bench.flush_row import figures, flush_row
from loadtest.bench.growth_row import Population, growth_row
from loadtest.bench.ledger import main
from loadtest.bench.limit import find_program
from loadtest.bench.memory_row import memory_row
from loadtest.bench.raw_client import RawClient, packed
from loadtest.bench.report import table
from loadtest.bench.sizes import TINY


def ignore(text: str) -> None:
    """Progress nobody reads."""


@pytest.fixture(scope="module")
async def bench(engine_urls: EngineUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """The benchmark on the engines of the tests, for all rows."""
    assert engine_urls.ledger_redis_url is not None
    client = Redis.from_url(engine_urls.ledger_redis_url)
    await client.flushall()
    urls = engine_urls.ledger_redis_url, engine_urls.database_url
    async with opened(TINY, tmp_path_factory.mktemp("none"), *urls, "always", ignore) as opened_bench:
        yield opened_bench
    await client.flushall()
    await client.aclose()


def values_of(row: Row, metric: str) -> list[float]:
    """A metric of all cases that have it."""
    return [value for case in row.cases for value in case.values.get(metric, [])]


async def test_our_client_against_the_limit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides of every load are accepted in full, and fsync always is what they ran with."""
    monkeypatch.setattr("loadtest.bench.client_row.SENDERS", ((1, 1), (16, 4)))
    monkeypatch.setattr("loadtest.bench.client_row.find_program", lambda named: None)
    row = await client_row(bench, None)
    assert [case.name for case in row.cases] == [
        "one gift a call, 50 connections",
        "one shard, 1 sender each: ours",
        "one shard, 1 sender each: prepared",
        "all shards, 4 senders each: ours",
        "all shards, 4 senders each: prepared",
    ]
    assert bench.fsync == "always"
    assert all(value > 0 for metric in ("gifts_per_s", "client_cpu_us", "p50_ms") for value in values_of(row, metric))
    assert [figure.name.partition(":")[0] for figure in row.figures] == [
        "ours / the same calls prepared",
        "ours / one gift a call, 50 connections",
        "ours / the same calls prepared",
    ]
    assert values_of(row, "gifts_per_call") == [1.0, 1.0, 1.0, 4.0, 4.0]
    assert "no valkey-benchmark" in " ".join(row.notes)


async def test_one_gift_a_call_by_the_engines_own_program(bench: Bench) -> None:
    """Where the program is to be had, it sends gifts that are accepted."""
    if find_program() is None:
        pytest.skip("no valkey-benchmark or redis-benchmark on the PATH")
    values = await one_by_one(bench, find_program())
    assert values["gifts_per_s"] > 0
    assert await bench.accepted() >= 0.99 * bench.size.gifts


async def test_our_ledger_against_sql_only(bench: Bench) -> None:
    """Both workloads on both designs; with the flusher beside, every gift is in PostgreSQL at the end."""
    row = await design_row(bench)
    assert len(row.cases) == 6
    assert all(value > 0 for value in values_of(row, "gifts_per_s"))
    assert len(values_of(row, "seconds_behind")) == 2
    assert len(row.figures) == 4
    assert await bench.unflushed() == {}


async def test_the_pool_is_chosen_by_trying(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fastest number of connections is the one used."""
    speeds = {4: 100.0, 8: 300.0, 16: 200.0}

    async def by_sql(bench: Bench, connections: int, senders: list[str], to: list[str]) -> dict[str, float]:
        return {"gifts_per_s": speeds[connections]}

    monkeypatch.setattr("loadtest.bench.design_row.by_sql", by_sql)
    wide = replace(bench, size=replace(bench.size, pools=tuple(speeds)))
    assert await best_pool(wide, ["fan"], ["creator"]) == 8


async def test_the_flush(bench: Bench) -> None:
    """Streams are filled, flushed to the end, and held against the live rate."""
    row = await flush_row(bench, 10)
    assert [case.name for case in row.cases] == ["1 shard at once, batch 50", "4 shards at once, batch 50"]
    rate, after = figures(row.cases[0], 10)
    assert rate.values[0] == pytest.approx(row.cases[0].values["gifts_per_s"][0] / 10)
    assert after.values[0] == pytest.approx(60 / (rate.values[0] - 1))
    assert figures(row.cases[0], 10**9)[1].values == [float("inf")]


async def test_the_ledger_grows(bench: Bench) -> None:
    """Each size is measured, and nothing but wallets is left between two."""
    row = await growth_row(bench)
    assert [case.name for case in row.cases] == ["100 wallets", "1,000 wallets", "1 shards", "2 shards"]
    assert all(value > 0 for value in values_of(row, "server_cpu_us"))
    assert "growth of server CPU a gift, wallets × 10" in table(row)


async def test_a_population_grows_and_shrinks(bench: Bench) -> None:
    """Wallets come and go; the shards' meta stays."""
    await bench.clear()
    empty = await bench.redis.dbsize()
    population = Population(bench, [f"viewer-{number}" for number in range(50)])
    for size in (20, 50, 10, 0):
        population.resize(size)
        assert await bench.redis.dbsize() == empty + size


async def test_memory(bench: Bench) -> None:
    """A wallet and a gift need some bytes, and no thousands."""
    row = await memory_row(bench)
    sizes = {figure.name: figure.values[0] for figure in row.figures}
    assert len(sizes) == 3
    assert all(30 < size < 1_000 for size in sizes.values()), sizes


async def test_a_redis_with_data_is_left_alone(tmp_path: Path, bench: Bench) -> None:
    """The benchmark wipes its Redis, so it refuses one that is in use."""
    await bench.redis.set("somebody", "was here")
    with pytest.raises(NotEmpty):
        async with opened(TINY, tmp_path, bench.redis_url, bench.database_url, "always", ignore):
            pass
    assert await bench.redis.get("somebody") == b"was here"


def test_an_error_reply_ends_the_raw_client(bench: Bench) -> None:
    """A wrong call must not be counted as a fast one."""
    with RawClient(bench.redis_url, 2) as client:
        assert len(client.run([packed("PING")] * 5).call_s) == 5
        with pytest.raises(Exception, match="unknown command"):
            client.run([packed("NONSENSE")])


def test_rows_are_named_by_their_letters() -> None:
    """A letter that no row has is refused before engines are started."""
    done = CliRunner().invoke(main, ["--rows", "az"])
    assert done.exit_code == 2
    assert "abcde" in done.output
