"""The connection to PostgreSQL, and the snapshot a wallet is loaded from."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from giftserver.durable.tables import account, credit_outbox, flush_cursor
from giftserver.ledger.keys import shard_of

CONNECT_TIMEOUT_S: Final = 5.0
STATEMENT_TIMEOUT_MS: Final = 15_000
POOL_TIMEOUT_S: Final = 5.0
POOL_SIZE: Final = 10


def open_database(
    url: str, *, pool_size: int = POOL_SIZE, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS
) -> AsyncEngine:
    """Engine on a `postgresql://` URL; connects on first use, at most `pool_size` connections at a time.

    A statement is cut after `statement_timeout_ms` (0: never). JIT is off: it costs more than these queries.
    """
    settings = {
        "application_name": "giftserver",
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": "60000",
    }
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "server_settings": settings},
    )


@dataclass(frozen=True, slots=True)
class WalletSnapshot:
    """A user's wallet in PostgreSQL at one instant; a user never seen has no coins and no credits.

    `coins` holds every credit up to `credit_no` and every gift up to the shard's cursor; gifts after the cursor are
    still in the shard's event stream and must be subtracted.
    """

    coins: int
    credit_no: int
    cursor_epoch: int
    cursor_seq: int


async def wallet_snapshot(engine: AsyncEngine, user: str, shard: int | None = None) -> WalletSnapshot:
    """Read a wallet, its newest credit number and its shard's cursor in one statement, so in one snapshot."""
    coins = (
        select(account.c.balance)
        .where(account.c.kind == "wallet", account.c.owner == user, account.c.asset == "coins")
        .scalar_subquery()
    )
    credit_no = select(func.max(credit_outbox.c.credit_no)).where(credit_outbox.c.user_id == user).scalar_subquery()
    query = select(
        func.coalesce(coins, 0), func.coalesce(credit_no, 0), flush_cursor.c.epoch, flush_cursor.c.seq
    ).where(flush_cursor.c.shard == (shard_of(user) if shard is None else shard))
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one()
    return WalletSnapshot(*row)


async def flush_cursors(engine: AsyncEngine) -> dict[int, tuple[int, int]]:
    """Epoch and seq of the last gift in PostgreSQL, by shard; (0, 0) when there is none."""
    async with engine.connect() as connection:
        rows = await connection.execute(select(flush_cursor.c.shard, flush_cursor.c.epoch, flush_cursor.c.seq))
        return {shard: (epoch, seq) for shard, epoch, seq in rows}
