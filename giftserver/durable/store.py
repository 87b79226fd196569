"""The connection to PostgreSQL, and the snapshot a wallet is loaded from."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import event, func, select, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from giftserver.durable.spending import spending_of
from giftserver.durable.tables import flush_cursor
from giftserver.ledger.keys import shard_of
from giftserver.ledger.limits import Spending

CONNECT_TIMEOUT_S: Final = 5.0
STATEMENT_TIMEOUT_MS: Final = 15_000
ANSWER_MARGIN_S: Final = 2.0
"""A server that works has cut a statement itself this long before the client stops waiting for its answer."""

POOL_TIMEOUT_S: Final = 5.0
POOL_SIZE: Final = 10


def open_database(
    url: str,
    *,
    pool_size: int = POOL_SIZE,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    name: str = "giftserver",
) -> AsyncEngine:
    """Engine on a `postgresql://` URL; connects on first use, at most `pool_size` connections at a time, as `name`.

    A statement is cut after `statement_timeout_ms` (0: never) by the server. One that hangs cuts nothing: the client
    waits ANSWER_MARGIN_S longer, then raises TimeoutError and drops the connection. A COMMIT that ends so may have been
    carried out. JIT is off: it costs more than these queries.
    """
    settings = {
        "application_name": name,
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": "60000",
    }
    answer_s = statement_timeout_ms / 1_000 + ANSWER_MARGIN_S if statement_timeout_ms else None
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,  # what a statement was about stays out of errors, and so out of logs
        connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": answer_s, "server_settings": settings},
    )
    event.listen(engine.sync_engine, "handle_error", _drop_silent)
    event.listen(engine.sync_engine, "checkout", _replace_closed)
    return engine


def _replace_closed(connection: Any, *_: object) -> None:
    """A connection that PostgreSQL ended meanwhile is made anew.

    Its socket has told so: nothing needs to be asked for that, which would be three questions for each of ours.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError("PostgreSQL ended this connection")


def _drop_silent(context: ExceptionContext) -> None:
    """A connection that owes an answer is not used again, or the next to have it would wait for that answer first."""
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True


@asynccontextmanager
async def unlimited(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Another engine on the same database whose statements may take as long as they need: for proofs."""
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    patient = open_database(url, statement_timeout_ms=0)
    try:
        yield patient
    finally:
        await patient.dispose()


@dataclass(frozen=True, slots=True)
class WalletState:
    """A user's wallet: `coins` holds every credit up to `credit_no` and every gift up to the shard's cursor.

    `held`: nothing may be spent from it, since `state_no`. `spending` comes where a moment was given for it.
    """

    coins: int
    credit_no: int
    held: bool = False
    state_no: int = 0
    spending: Spending | None = None


@dataclass(frozen=True, slots=True)
class WalletSnapshot:
    """Wallets of one shard at one instant, and the shard's flush cursor (epoch, seq) then.

    Gifts after the cursor are still in the shard's event stream and must be subtracted. A user never seen has no coins
    and no credits.
    """

    cursor: tuple[int, int]
    wallets: dict[str, WalletState]


# One statement, so one snapshot.
SNAPSHOT: Final = text("""
    SELECT wanted.user_id, coalesce(a.balance, 0) AS coins,
        coalesce((SELECT max(credit_no) FROM credit_outbox AS o WHERE o.user_id = wanted.user_id), 0) AS credit_no,
        coalesce(s.held, false) AS held, coalesce(s.number, 0) AS state_no, c.epoch, c.seq
    FROM flush_cursor AS c
    LEFT JOIN unnest(CAST(:users AS text[])) AS wanted (user_id) ON true
    LEFT JOIN wallet_state AS s ON s.user_id = wanted.user_id
    LEFT JOIN account AS a ON a.kind = 'wallet' AND a.owner = wanted.user_id AND a.asset = 'coins'
    WHERE c.shard = :shard
""")


async def wallet_snapshot(
    engine: AsyncEngine, users: Sequence[str], shard: int, at_s: float | None = None
) -> WalletSnapshot:
    """Read wallets of one shard together with its cursor, and with what is limited at a moment (Unix seconds)."""
    spending: dict[str, Spending] = {}
    async with engine.connect() as connection:
        if at_s is not None:
            await connection.execution_options(isolation_level="REPEATABLE READ")
        rows = (await connection.execute(SNAPSHOT, {"users": list(users), "shard": shard})).all()
        if at_s is not None:
            spending = await spending_of(connection, users, at_s)
    wallets = {
        row.user_id: WalletState(row.coins, row.credit_no, row.held, row.state_no, spending.get(row.user_id))
        for row in rows
        if row.user_id is not None
    }
    return WalletSnapshot((rows[0].epoch, rows[0].seq), wallets)


async def now_in(engine: AsyncEngine) -> datetime:
    """What time it is by PostgreSQL's clock."""
    async with engine.connect() as connection:
        now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def settled_coins(engine: AsyncEngine, user: str) -> int:
    """Coins of the user with every gift that is flushed."""
    snapshot = await wallet_snapshot(engine, [user], shard_of(user))
    return snapshot.wallets[user].coins


async def flush_cursors(engine: AsyncEngine) -> dict[int, tuple[int, int]]:
    """Epoch and seq of the last gift in PostgreSQL, by shard; (0, 0) when there is none."""
    async with engine.connect() as connection:
        rows = await connection.execute(select(flush_cursor.c.shard, flush_cursor.c.epoch, flush_cursor.c.seq))
        return {shard: (epoch, seq) for shard, epoch, seq in rows}
