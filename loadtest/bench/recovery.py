"""How long a wiped Redis is felt: `python -m loadtest.bench.recovery --people 100000`.

People get wallets, thousands of gifts are given and flushed, then the ledger's Redis loses everything. Measured: until
the first gift is taken again, until every wallet is loaded, and how long the proof takes; every balance must be exact.
"""

import asyncio
import random
import statistics
import time
from importlib.resources import files
from pathlib import Path
from typing import Final

import click
import uvloop
from sqlalchemy import text

from giftserver.durable.flush import flush_shard
from giftserver.durable.verify import verify
from giftserver.ledger import keys
from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import Accepted
from giftserver.recovery.coordinator import Coordinator
from giftserver.recovery.rebuild import load_all
from loadtest.bench.engines import Bench, opened, temporary_folder
from loadtest.bench.machine import machine
from loadtest.bench.orders import COINS as GIFT_COINS
from loadtest.bench.orders import order
from loadtest.bench.sizes import QUICK

COINS: Final = 1_000
GIVERS: Final = 2_000


@click.command()
@click.option("--people", type=click.IntRange(10, 5_000_000), default=100_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1, 50), default=3, show_default=True)
def main(people: int, rounds: int) -> None:
    """Wipe the ledger's Redis and time its return; status 1 when a balance is wrong."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        right = runner.run(run(people, rounds))
    raise SystemExit(0 if right else 1)


async def run(people: int, rounds: int) -> bool:
    """All rounds on engines of their own; whether every balance was exact."""
    with temporary_folder() as folder:
        async with opened(QUICK, Path(folder) / "engines", None, None, "always", click.echo) as bench:
            facts = machine(Path(folder))
            click.echo(f"{facts['cpu']}, {facts['cores']} cores, {bench.facts['ledger_engine']}, fsync {bench.fsync}")
            statement = (files("loadtest.bench") / "people.sql").read_text()
            async with bench.database.begin() as connection:
                await connection.execute(text(statement), {"people": people, "coins": COINS})
                await connection.execute(text("ANALYZE"))  # autovacuum would come to it within a minute
            await Coordinator(bench.database, bench.redis).settle()
            times = [await wiped(bench, people, round_) for round_ in range(rounds)]
            right = await exact(bench, people, rounds)
    for name, values in zip(("first gift", "all wallets", "verify"), zip(*times, strict=True), strict=True):
        spread = " … ".join(f"{value:.2f}" for value in (min(values), max(values)))
        click.echo(f"{name:<12} {statistics.median(values):6.2f} s ({spread})")
    click.echo(f"{people:,} people, {rounds} rounds: balances {'exact' if right else 'WRONG'}")
    return right


async def wiped(bench: Bench, people: int, round_: int) -> tuple[float, float, float]:
    """Give, flush, wipe; seconds until the first gift, until all wallets are there, and of the proof."""
    ledger = bench.ledger()
    givers = random.Random(round_).sample(range(1, people + 1), min(GIVERS, people))
    await asyncio.gather(*(give(ledger, f"person-{number}") for number in givers))
    for shard in range(keys.SHARDS):
        while (await flush_shard(bench.database, bench.redis, shard)).status == "posted":
            continue
    await bench.redis.flushall(asynchronous=False)
    started_s = time.perf_counter()
    coordinator = Coordinator(bench.database, bench.redis)
    await coordinator.settle()
    await give(ledger, f"person-{givers[0]}")
    first_s = time.perf_counter() - started_s
    await load_all(bench.database, ledger.wallets)
    loaded_s = time.perf_counter() - started_s
    started_s = time.perf_counter()
    report = await verify(bench.database, bench.redis)
    assert report.holds, report.render()
    await ledger.close()
    return first_s, loaded_s, time.perf_counter() - started_s


async def give(ledger: Ledger, user: str) -> None:
    """One small gift."""
    outcome = await ledger.send(order(user, "mira", int(time.time() * 1_000)))
    assert isinstance(outcome, Accepted), outcome


async def exact(bench: Bench, people: int, rounds: int) -> bool:
    """Whether Redis has every wallet, with all coins that were not given."""
    redis = bench.redis
    total = 0
    for start in range(1, people + 1, 1_000):
        async with redis.pipeline(transaction=False) as pipe:
            for number in range(start, min(start + 1_000, people + 1)):
                user = f"person-{number}"
                pipe.hget(keys.wallet(keys.shard_of(user), user), "coins")
            found = await pipe.execute()
        if None in found:
            return False
        total += sum(map(int, found))
    given = rounds * (min(GIVERS, people) + 1)
    return total == people * COINS - GIFT_COINS * given


if __name__ == "__main__":
    main()
