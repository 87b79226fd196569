"""The design a user would otherwise pick: every gift one PostgreSQL transaction, through asyncpg with a pool."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

import asyncpg

from giftserver.ledger.outcomes import GiftOrder
from loadtest.bench.engines import Bench
from loadtest.bench.figures import percentile
from loadtest.bench.orders import RICH_COINS

SCHEMA: Final = (files("loadtest.bench") / "sql_only.sql").read_text()
SETTINGS: Final = {"jit": "off", "application_name": "bench-sql-only"}


class SqlOnly:
    """A pool of connections with the statement prepared on each; a gift takes one for its transaction."""

    def __init__(self, free: "asyncio.LifoQueue[Any]", processes: int) -> None:
        self._free, self.connections = free, processes

    async def send(self, order: GiftOrder) -> int:
        """Post one gift; its number. Raises asyncpg's errors."""
        statement = await self._free.get()
        try:
            number: int = await statement.fetchval(
                order.sender,
                UUID(order.key),
                order.request_hash,
                order.creator,
                order.coins,
                order.diamonds,
                order.payload,
            )
            return number
        finally:
            self._free.put_nowait(statement)


async def create(bench: Bench, people: Sequence[str]) -> None:
    """Make the tables and rich accounts for people."""
    connection = await asyncpg.connect(bench.database_url)
    await connection.execute(SCHEMA)
    records = [(owner, RICH_COINS) for owner in people]
    await connection.copy_records_to_table("plain_account", records=records, columns=["owner", "balance"])
    await connection.close()


async def tidy(bench: Bench) -> None:
    """Start each round with empty transfers, accounts without dead rows and a checkpoint behind it."""
    connection = await asyncpg.connect(bench.database_url)
    await connection.execute("TRUNCATE plain_transfer, plain_entry")
    await connection.execute("VACUUM ANALYZE plain_account")
    await connection.execute("CHECKPOINT")
    await connection.close()


@asynccontextmanager
async def opened_sql(bench: Bench, connections: int) -> AsyncIterator[SqlOnly]:
    """The design with so many connections."""
    pool = await asyncpg.create_pool(
        bench.database_url, min_size=connections, max_size=connections, server_settings=SETTINGS
    )
    free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
    held = [await pool.acquire() for _ in range(connections)]
    try:
        for connection in held:
            free.put_nowait(await connection.prepare("SELECT plain_send($1, $2, $3, $4, $5, $6, $7)"))
        yield SqlOnly(free, connections)
    finally:
        for connection in held:
            await pool.release(connection)
        await pool.close()


async def send_all_sql(sql: SqlOnly, by_sender: Sequence[Sequence[GiftOrder]]) -> dict[str, float]:
    """Each sender sends its gifts one after the other, the first before the clock runs; the metrics of a case."""
    waited_s: list[float] = []

    async def sender(orders: Sequence[GiftOrder]) -> None:
        for order in orders[1:]:
            before_s = time.perf_counter()
            await sql.send(order)
            waited_s.append(time.perf_counter() - before_s)

    await asyncio.gather(*(sql.send(orders[0]) for orders in by_sender))
    started_s, cpu_before_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(sender, by_sender))
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_before_s
    return {
        "gifts_per_s": len(waited_s) / seconds,
        "client_cpu_us": cpu_s / len(waited_s) * 1e6,
        "p50_ms": percentile(waited_s, 50) * 1000,
        "p99_ms": percentile(waited_s, 99) * 1000,
        "connections": float(sql.connections),
    }
