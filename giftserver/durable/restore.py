"""What a Redis that lost its state is filled with again."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.spending import spending_of
from giftserver.durable.store import WalletSnapshot, WalletState
from giftserver.ledger.keys import SHARDS, shard_of

PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class PastReceipt:
    """The receipt of a gift that stands in PostgreSQL."""

    sender: str
    key: str
    request_hash: str
    epoch: int
    seq: int
    coins: int
    diamonds: int
    balance_coins: int
    at_ms: int


RECEIPTS: Final = text("""
    SELECT t.sender, t.key, t.request_hash, t.epoch, t.seq, t.coins, t.diamonds, e.balance_after,
        round(extract(epoch FROM t.event_at) * 1000)::bigint AS at_ms
    FROM unnest(CAST(:senders AS text[]), CAST(:keys AS text[])) AS wanted (sender, key)
    JOIN transfer AS t USING (sender, key) JOIN entry AS e ON e.transfer = t.id AND e.n = 1
""")

DAYS: Final = text("""
    SELECT day, creator, sum(diamonds)::bigint AS diamonds FROM gift_day
    WHERE shard = :shard AND day >= :since GROUP BY day, creator HAVING sum(diamonds) > 0
""")

WALLETS: Final = text("""
    SELECT owner, balance, coalesce((SELECT max(credit_no) FROM credit_outbox AS o WHERE o.user_id = owner), 0) AS no,
        coalesce(s.held, false) AS held, coalesce(s.number, 0) AS state_no
    FROM account LEFT JOIN wallet_state AS s ON s.user_id = owner
    WHERE kind = 'wallet' AND asset = 'coins' AND owner > :after ORDER BY owner LIMIT :page
""")

CURSORS: Final = text("SELECT shard, epoch, seq FROM flush_cursor")

UNMARK: Final = text("""
    UPDATE credit_outbox SET applied_at = NULL
    WHERE applied_at > now() - make_interval(secs => :seconds) AND user_id = ANY(CAST(:users AS text[]))
""")

STATES: Final = text("UPDATE wallet_state SET applied_number = 0 WHERE user_id = ANY(CAST(:users AS text[]))")

STRICTER: Final = text("""
    SELECT user_id FROM wallet_state WHERE held
    UNION SELECT user_id FROM limit_change WHERE applied_at > now() - make_interval(secs => :seconds)
""")

STATED: Final = text("SELECT user_id FROM wallet_state")

RECENT: Final = text("""
    SELECT DISTINCT user_id FROM credit_outbox WHERE applied_at > now() - make_interval(secs => :seconds)
""")


async def past_receipts(engine: AsyncEngine, senders: Sequence[str], keys: Sequence[str]) -> list[PastReceipt]:
    """Receipts of these keys, each of the sender at its place; those that bought nothing are left out."""
    async with engine.connect() as connection:
        rows = await connection.execute(RECEIPTS, {"senders": list(senders), "keys": list(keys)})
        return [PastReceipt(*row) for row in rows]


async def earned_days(engine: AsyncEngine, shard: int, since: date) -> dict[date, dict[str, int]]:
    """Diamonds by UTC day and creator, of gifts that the shard's senders gave since a day."""
    found: dict[date, dict[str, int]] = {}
    async with engine.connect() as connection:
        for row in await connection.execute(DAYS, {"shard": shard, "since": since}):
            found.setdefault(row.day, {})[row.creator] = row.diamonds
    return found


async def wallet_pages(engine: AsyncEngine, now_s: Callable[[], float]) -> AsyncIterator[dict[int, WalletSnapshot]]:
    """Every wallet, in pages by owner; each page by shard, with the cursors of the same instant."""
    after = ""
    while True:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            cursors = {row.shard: (row.epoch, row.seq) for row in await connection.execute(CURSORS)}
            rows = (await connection.execute(WALLETS, {"after": after, "page": PAGE})).all()
            spending = await spending_of(connection, [row.owner for row in rows], now_s())
        page = {shard: WalletSnapshot(cursors[shard], {}) for shard in range(SHARDS)}
        for row in rows:
            state = WalletState(row.balance, row.no, row.held, row.state_no, spending[row.owner])
            page[shard_of(row.owner)].wallets[row.owner] = state
        if rows:
            yield {shard: snapshot for shard, snapshot in page.items() if snapshot.wallets}
        if len(rows) < PAGE:
            return
        after = rows[-1].owner


async def stricter_users(engine: AsyncEngine, shards: set[int], within_s: float) -> list[str]:
    """People of these shards whose wallets are on hold, or got other limits in the last seconds."""
    async with engine.connect() as connection:
        rows = await connection.execute(STRICTER, {"seconds": within_s})
        return [row.user_id for row in rows if shard_of(row.user_id) in shards]


async def unmark_credits(engine: AsyncEngine, shards: set[int], within_s: float) -> int:
    """Offer credits that were applied lately once more, how many; a wallet that has them takes them for repeats.

    So are holds, of which there are few, all of them.
    """
    async with engine.begin() as connection:
        stated = [row.user_id for row in await connection.execute(STATED)]
        await connection.execute(STATES, {"users": [user for user in stated if shard_of(user) in shards]})
        rows = (await connection.execute(RECENT, {"seconds": within_s})).all()
        users = [row.user_id for row in rows if shard_of(row.user_id) in shards]
        if not users:
            return 0
        return (await connection.execute(UNMARK, {"seconds": within_s, "users": users})).rowcount
