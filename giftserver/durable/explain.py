"""Where the coins of one account are: what is booked, what is still on its way, what Redis has, and the sum.

The order of reading makes it exact while gifts flow: Redis first, with the number of the shard's last gift, then one
snapshot of PostgreSQL, then the gifts of the stream between the two.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.flush import BATCH_MAX, cursor_in
from giftserver.durable.intake import Cursor, FlushedGift, FlushHalted, judge
from giftserver.durable.proof.snapshot import snapshot
from giftserver.durable.statement import Account, AccountName, Line, find_account, gift_in_words, last_lines
from giftserver.durable.store import unlimited
from giftserver.durable.tables import gift_id
from giftserver.ledger import keys

READ_WALLETS: Final = (files("giftserver.ledger") / "scripts" / "read_wallets.lua").read_text()

UNAPPLIED: Final = text("""
    SELECT c.credit_no, c.coins, t.kind, t.reference FROM credit_outbox AS c JOIN transfer AS t ON t.id = c.transfer
    WHERE c.user_id = :user AND c.credit_no > :credit_no ORDER BY c.credit_no
""")

SPENT_SINCE: Final = text("""
    SELECT coalesce(sum(coins), 0)::bigint FROM transfer WHERE id > :after AND id < :end AND sender = :user
""")


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A change that the account's balance does not show yet (a gift), or that Redis does not have yet (a credit)."""

    name: str
    amount: int
    reference: str
    what: str


@dataclass(slots=True)
class Explanation:
    """Everything about one account; amounts are in its asset.

    `redis_balance` is None when Redis does not hold it, as for all accounts but wallets. `booked_since` are coins of
    gifts that were posted between the two reads.
    """

    account: str
    asset: str
    balance: int
    entries: int
    entries_total: int
    version: int
    lines: list[Line]
    unflushed: list[OnItsWay] = field(default_factory=list)
    unapplied: list[OnItsWay] = field(default_factory=list)
    redis_balance: int | None = None
    booked_since: int = 0
    problem: str | None = None
    """Why the stream could not be read to its end."""

    @property
    def expected(self) -> int:
        """What Redis should have."""
        on_the_way = sum(gift.amount for gift in self.unflushed) - sum(credit.amount for credit in self.unapplied)
        return self.balance + self.booked_since + on_the_way

    @property
    def adds_up(self) -> bool:
        """Whether entries, balance and, for a wallet in Redis, its coins agree."""
        booked = self.balance == self.entries_total and self.version == self.entries
        return booked and self.problem is None and self.redis_balance in (None, self.expected)


async def explain(engine: AsyncEngine, ledger_redis: Redis, name: AccountName, last: int) -> Explanation | None:
    """The account's last entries and what is in flight; None when the ledger has no such account.

    Raises SQLAlchemy's and redis-py's errors when an engine is away.
    """
    async with unlimited(engine) as patient:
        if name.kind == "wallet":
            return await _wallet(patient, ledger_redis, name, last)
        return await _other(patient, ledger_redis, name, last)


async def _other(engine: AsyncEngine, ledger_redis: Redis, name: AccountName, last: int) -> Explanation | None:
    async with snapshot(engine) as connection:
        account = await find_account(connection, name)
        if account is None:
            return None
        told = await _booked(connection, account, name, last)
        cursors = {shard: await cursor_in(connection, shard) for shard in range(keys.SHARDS)}
    try:
        for shard, cursor in cursors.items():
            async for gift in unflushed(ledger_redis, shard, cursor):
                if (amount := _change(account, gift)) != 0:
                    told.unflushed.append(_gift(gift, amount))
    except FlushHalted as halt:
        told.problem = str(halt)
    return told


async def _wallet(engine: AsyncEngine, ledger_redis: Redis, name: AccountName, last: int) -> Explanation | None:
    redis: Any = ledger_redis
    user, shard = name.owner, keys.shard_of(name.owner)
    reply = await redis.register_script(READ_WALLETS)(keys=[keys.meta(shard), keys.wallet(shard, user)])
    at = Cursor(int(reply[0]), int(reply[1])) if reply else None
    coins, credit_no = reply[2][:2] if reply else (None, None)
    async with snapshot(engine) as connection:
        account = await find_account(connection, name)
        if account is None:
            return None
        told = await _booked(connection, account, name, last)
        cursor = await cursor_in(connection, shard)
        if coins is not None:
            assert at is not None
            told.redis_balance = int(coins)
            values = {"user": user, "after": gift_id(shard, *at), "end": gift_id(shard + 1, 0, 0)}
            told.booked_since = await connection.scalar(SPENT_SINCE, values) or 0
            rows = await connection.execute(UNAPPLIED, {"user": user, "credit_no": int(credit_no or 0)})
            told.unapplied = [OnItsWay(f"credit {row[0]}", row[1], row[3] or "", row[2]) for row in rows]
    try:
        async for gift in unflushed(ledger_redis, shard, cursor, at):
            if gift.event.sender == user:
                told.unflushed.append(_gift(gift, -gift.event.coins))
    except FlushHalted as halt:
        told.problem = str(halt)
    return told


async def _booked(connection: AsyncConnection, account: Account, name: AccountName, last: int) -> Explanation:
    lines = await last_lines(connection, account, last)
    return Explanation(
        str(name), account.asset, account.balance, account.entries, account.total, account.version, lines
    )


def _change(account: Account, gift: FlushedGift) -> int:
    """What the gift will change in an account that is no wallet, once it is posted."""
    event = gift.event
    match account.kind:
        case "earnings":
            return event.diamonds if event.creator == account.owner else 0
        case "gifts_spent":
            return event.coins
        case "diamonds_issued":
            return -event.diamonds
    return 0


def _gift(gift: FlushedGift, amount: int) -> OnItsWay:
    event = gift.event
    what = gift_in_words(event.sender, event.creator, event.room, event.gift, event.quantity)
    return OnItsWay(gift.transfer, amount, event.key, what)


async def unflushed(
    ledger_redis: Redis, shard: int, cursor: Cursor, upto: Cursor | None = None
) -> AsyncIterator[FlushedGift]:
    """Gifts of the shard's stream after the cursor, up to a number or all. Raises FlushHalted."""
    redis: Any = ledger_redis
    if upto is None:
        seq = await redis.hget(keys.meta(shard), "seq")
        upto = Cursor(cursor.epoch, int(seq or 0))
    while cursor.seq < upto.seq:
        entries = await redis.xrange(keys.events(shard), f"({cursor}", "+", count=BATCH_MAX)
        if not entries:
            raise FlushHalted(shard, "gap", str(cursor), f"Redis counts {upto.seq} gifts, none is in the stream after")
        for gift in judge(shard, cursor, entries):
            cursor = Cursor(gift.epoch, gift.seq)
            if cursor.seq > upto.seq:
                return
            yield gift
