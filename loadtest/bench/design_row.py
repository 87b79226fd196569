"""Row b: our ledger against the SQL-only design, with one hot creator and with many, until a gift is accepted."""

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial

from loadtest.bench import sql_only
from loadtest.bench.engines import Bench
from loadtest.bench.figures import Figure, Measured, Row, ratios
from loadtest.bench.flush_beside import flushing
from loadtest.bench.limit import all_shards
from loadtest.bench.orders import creators, orders, people
from loadtest.bench.rounds import Case, measure
from loadtest.bench.sending import send_all

WORKLOADS = {"one hot creator": 1, "many creators": 512}
BEHIND_S = 120.0
LOOK_S = 0.01
NOTES = [
    "SQL only: one transaction a gift in one round trip (a prepared call of a function): idempotency key, two "
    "balances, two entries. Its connections are those that did best in a trial before the rounds.",
    "Ours, flusher idle: until send() has its outcome, PostgreSQL comes later. Ours, flusher beside: the same while "
    "the flusher posts to PostgreSQL from a process of its own, on the same cores; seconds_behind is how long it "
    "needed after the last gift.",
]


async def design_row(bench: Bench) -> Row:
    """Measure both designs on both workloads."""
    senders = people(bench.size.senders, all_shards(), "fan")
    bench.say("  funding")
    await bench.fund(senders)
    await sql_only.create(bench, [*senders, *creators(max(WORKLOADS.values()))])
    cases = []
    for name, count in WORKLOADS.items():
        to = creators(count)
        connections = await best_pool(bench, senders, to)
        cases += [
            Case(f"{name}: SQL only", partial(by_sql, bench, connections, senders, to)),
            Case(f"{name}: ours, flusher idle", partial(ours, bench, senders, to)),
            Case(f"{name}: ours, flusher beside", partial(ours_flushing, bench, senders, to)),
        ]
    measured = await measure(cases, bench.size.rounds, bench.say)
    return Row("b", "Our ledger against one PostgreSQL transaction a gift", measured, figures(measured), NOTES)


def figures(measured: Sequence[Measured]) -> list[Figure]:
    """Ours over SQL only, by workload, without and with the flusher."""
    found = []
    for place in range(0, len(measured), 3):
        sql, idle, beside = measured[place : place + 3]
        workload = sql.name.partition(":")[0]
        found.append(Figure(f"ours / SQL only: {workload}, flusher idle", ratios(idle, sql)))
        found.append(Figure(f"ours / SQL only: {workload}, flusher beside", ratios(beside, sql)))
    return found


async def best_pool(bench: Bench, senders: Sequence[str], to: Sequence[str]) -> int:
    """The number of connections with which the SQL-only design is fastest on a workload."""
    speeds = {}
    for connections in bench.size.pools:
        values = await by_sql(bench, connections, senders, to)
        speeds[connections] = values["gifts_per_s"]
    best = max(speeds, key=lambda connections: speeds[connections])
    tried = ", ".join(f"{connections}: {speed:,.0f}/s" for connections, speed in speeds.items())
    bench.say(f"  connections of the SQL-only design, {len(to)} creators: {tried}")
    return best


async def by_sql(bench: Bench, connections: int, senders: Sequence[str], to: Sequence[str]) -> dict[str, float]:
    """The SQL-only design once."""
    await sql_only.tidy(bench)
    async with sql_only.opened_sql(bench, connections) as sql:
        return await sql_only.send_all_sql(sql, orders(senders, to, bench.size.sql_gifts))


async def ours(bench: Bench, senders: Sequence[str], to: Sequence[str]) -> dict[str, float]:
    """Our ledger once; its gifts stay in the streams and are dropped."""
    await bench.clear()
    await bench.install(senders)
    return (await send_all(bench, orders(senders, to, bench.size.gifts))).values()


async def ours_flushing(bench: Bench, senders: Sequence[str], to: Sequence[str]) -> dict[str, float]:
    """Our ledger once, with the flusher beside it until everything is posted."""
    await bench.clear()
    await bench.install(senders)
    given = orders(senders, to, bench.size.gifts)
    loop = asyncio.get_running_loop()
    async with flushing(bench):
        values = (await send_all(bench, given)).values()
        ended_s = loop.time()
        async with asyncio.timeout(BEHIND_S):
            await all_flushed(bench)
    return {**values, "seconds_behind": loop.time() - ended_s}


async def all_flushed(bench: Bench) -> None:
    """Return when nothing waits for the flusher."""
    for _ in itertools.count():
        if not await bench.unflushed():
            return
        await asyncio.sleep(LOOK_S)
