"""Invariants that hold Redis against PostgreSQL while gifts flow.

The order of reading makes them exact. Redis first: wallets (or earned days) together with the number of the shard's
last gift, in one script; they hold every gift up to that number. Then one PostgreSQL snapshot with the flush cursor:
it lacks the gifts after the cursor, which are still in the stream, and may hold gifts after the number, which are
taken out again.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.cluster.client import server_of
from giftserver.durable.flush import BATCH_MAX, cursor_in, read_cursor
from giftserver.durable.intake import Cursor, FlushedGift, FlushHalted, judge, read_waiting
from giftserver.durable.proof.holds import WalletState, brought_states, unlike_states
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.proof.snapshot import snapshot
from giftserver.durable.proof.spent import Day, add_booked, counted_less, day_of
from giftserver.durable.tables import gift_id
from giftserver.ledger import keys

WALLETS: Final = 200
"""Wallets that are compared at a time."""

TRIES: Final = 5
READ_WALLETS: Final = (files("giftserver.ledger") / "scripts" / "read_wallets.lua").read_text()
READ_EARNED: Final = (files("giftserver.ledger") / "scripts" / "read_earned.lua").read_text()

SNAPSHOT: Final = text("""
    SELECT w.user_id, coalesce(a.balance, 0) AS balance,
        (SELECT coalesce(max(c.credit_no), 0) FROM credit_outbox AS c WHERE c.user_id = w.user_id) AS credit_no,
        (SELECT coalesce(sum(c.coins), 0)::bigint FROM credit_outbox AS c
            WHERE c.user_id = w.user_id AND c.credit_no > w.credit_no) AS unapplied,
        EXISTS (SELECT FROM credit_outbox AS c WHERE c.user_id = w.user_id AND c.credit_no > w.credit_no
            AND c.applied_at < now() - interval '1 minute') AS missing
    FROM unnest(CAST(:users AS text[]), CAST(:numbers AS bigint[])) AS w (user_id, credit_no)
    LEFT JOIN account AS a ON a.kind = 'wallet' AND a.owner = w.user_id AND a.asset = 'coins'
""")

SPENT_SINCE: Final = text("""
    SELECT sender, sum(coins)::bigint FROM transfer
    WHERE id > :after AND id < :end AND sender = ANY(CAST(:users AS text[])) GROUP BY sender
""")

# Named "yyyymmdd creator", by the UTC day of the gift's own time, as the earned keys are.
EARNED: Final = text("""
    SELECT to_char(day, 'YYYYMMDD') || ' ' || creator, sum(diamonds)::bigint FROM gift_day
    WHERE shard = :shard AND day >= CAST(:since AS date) GROUP BY day, creator
""")

EARNED_SINCE: Final = text("""
    SELECT to_char(event_at AT TIME ZONE 'UTC', 'YYYYMMDD') || ' ' || creator, sum(diamonds)::bigint
    FROM transfer WHERE id > :after AND id < :end GROUP BY 1
""")


@dataclass(frozen=True, slots=True)
class _Wallet:
    coins: int
    credit_no: int


class LiveProof:
    """Checks of one run over one Redis and one PostgreSQL."""

    def __init__(self, engine: AsyncEngine, ledger_redis: Redis) -> None:
        self._engine = engine
        self._redis: Any = ledger_redis
        self._read_wallets = self._redis.register_script(READ_WALLETS)
        self._read_earned = self._redis.register_script(READ_EARNED)

    async def streams(self, invariant: Invariant) -> None:
        """Every gift that Redis counts is in PostgreSQL or, in order and lawful, in the stream; no mark is ahead."""
        for shard in range(keys.SHARDS):
            mark = int(await self._redis.hget(keys.meta(shard), "flushed") or 0)
            try:
                cursor = await read_cursor(self._engine, shard)
                if mark > cursor.seq:
                    invariant.found(f"shard {shard:02d}: meta.flushed is {mark}, PostgreSQL is at {cursor}")
                waiting = await read_waiting(self._redis, shard, cursor, BATCH_MAX)
                end = waiting.seq if waiting is not None else 0
                while waiting is not None and waiting.gifts and cursor.seq < end:
                    invariant.checked += len(waiting.gifts)
                    cursor = Cursor(waiting.gifts[-1].epoch, waiting.gifts[-1].seq)
                    waiting = await read_waiting(self._redis, shard, cursor, BATCH_MAX)
            except FlushHalted as halt:
                invariant.found(str(halt))

    async def wallets(self, invariant: Invariant, below_zero: Invariant) -> None:
        """Each wallet in Redis = PostgreSQL - gifts not yet flushed - credits not yet applied."""
        pending: dict[int, list[str]] = {shard: [] for shard in range(keys.SHARDS)}
        async for name in self._redis.scan_iter(match="{s[0-9][0-9]}:wallet:*", count=500):
            tag, _, user = name.decode().partition(":wallet:")
            shard = int(tag[2:4])
            if keys.shard_of(user) != shard:
                invariant.found(f"wallet {name.decode()} is not in its user's shard")
                continue
            pending[shard].append(user)
            if len(pending[shard]) >= WALLETS:
                await self._wallet_batch(shard, pending[shard], invariant, below_zero)
                pending[shard] = []
        for shard, users in pending.items():
            if users:
                await self._wallet_batch(shard, users, invariant, below_zero)

    async def _wallet_batch(self, shard: int, users: list[str], invariant: Invariant, below_zero: Invariant) -> None:
        compare = partial(self._compare_wallets, shard, users, invariant, below_zero)
        await self._settle(shard, invariant, compare)

    async def _settle(
        self, shard: int, invariant: Invariant, compare: Callable[[], Awaitable[list[str] | None]]
    ) -> None:
        """Note what a comparison finds; one that could not read a whole stream is made again, a few times."""
        try:
            for _ in range(TRIES):
                differences = await compare()
                if differences is not None:
                    for difference in differences:
                        invariant.found(difference)
                    return
            invariant.found(f"shard {shard:02d}: the stream lacks gifts that PostgreSQL does not have")
        except FlushHalted as halt:
            invariant.found(str(halt))

    async def _compare_wallets(
        self, shard: int, users: list[str], invariant: Invariant, below_zero: Invariant
    ) -> list[str] | None:
        """What is wrong with these wallets; None when the stream was not whole and all must be read again."""
        names = [keys.meta(shard), *(keys.wallet(shard, user) for user in users)]
        brought = await brought_states(self._engine, users)
        reply = await self._read_wallets(keys=names)
        if not reply:
            return []
        at, wrong = Cursor(int(reply[0]), int(reply[1])), []
        wallets: dict[str, _Wallet] = {}
        states: dict[str, WalletState] = {}
        days: dict[str, Day] = {}
        for user, (coins, credit_no, state, state_no, spent, zone) in zip(users, reply[2:], strict=True):
            if coins is None and credit_no is None:
                continue  # gone since the scan: it will be loaded again
            try:
                wallets[user] = _Wallet(int(coins), int(credit_no))
                states[user] = WalletState(int(state_no or 0), state == b"held")
                if (day := day_of(spent, zone)) is not None:
                    days[user] = day
            except (TypeError, ValueError, KeyError):
                wrong.append(f"wallet of {user}: coins {coins!r}, credit_no {credit_no!r}, state_no {state_no!r}")
        async with snapshot(self._engine) as connection:
            cursor = await cursor_in(connection, shard)
            numbers = [wallet.credit_no for wallet in wallets.values()]
            rows = (await connection.execute(SNAPSHOT, {"users": list(wallets), "numbers": numbers})).all()
            since = {"after": gift_id(shard, *at), "end": gift_id(shard + 1, 0, 0), "users": list(wallets)}
            later = await sums(connection, SPENT_SINCE, **since)
            wrong += await unlike_states(connection, states, brought)
            await add_booked(connection, days, gift_id(shard, *at))
        unflushed: Counter[str] = Counter()
        async for gift in self._unflushed(shard, cursor, at):
            if gift is None:
                return None
            unflushed[gift.event.sender] += gift.event.coins
            if gift.event.sender in days:
                days[gift.event.sender].add(gift)
        wrong += counted_less(days)
        for row in rows:
            wallet = wallets[row.user_id]
            right = row.balance + later[row.user_id] - unflushed[row.user_id] - row.unapplied
            if wallet.coins != right or wallet.credit_no > row.credit_no:
                wrong.append(
                    f"wallet of {row.user_id}: {wallet.coins} coins after gift {at} and credit {wallet.credit_no} in "
                    f"Redis, PostgreSQL says {right} (its credits: {row.credit_no})"
                )
            if row.missing:
                wrong.append(f"wallet of {row.user_id}: a credit after {wallet.credit_no} is marked as applied")
            if wallet.coins < 0:
                below_zero.found(f"wallet of {row.user_id} in Redis: {wallet.coins} coins")
        below_zero.checked += len(wallets)
        invariant.checked += len(wallets)
        return wrong

    async def _unflushed(self, shard: int, cursor: Cursor, upto: Cursor) -> AsyncIterator[FlushedGift | None]:
        """Gifts after the cursor up to a number, from the stream; None, and no more, where one is missing."""
        while cursor.seq < upto.seq:
            entries = await self._redis.xrange(keys.events(shard), f"({cursor}", str(upto), count=BATCH_MAX)
            try:
                gifts = judge(shard, cursor, entries)
            except FlushHalted as halt:
                if halt.rule != "gap":
                    raise
                gifts = []
            if not gifts:
                yield None
                return
            for gift in gifts:
                yield gift
            cursor = Cursor(gifts[-1].epoch, gifts[-1].seq)

    async def earned(self, invariant: Invariant) -> None:
        """Per shard, day and creator, the diamonds in Redis = posted + not yet flushed; of days that are still kept."""
        for shard in range(keys.SHARDS):
            await self._settle(shard, invariant, partial(self._compare_earned, shard, invariant))

    async def _compare_earned(self, shard: int, invariant: Invariant) -> list[str] | None:
        server: Any = await server_of(self._redis, keys.meta(shard))
        seconds, _ = await server.time()
        now = datetime.fromtimestamp(seconds, UTC)
        days = [now + timedelta(days=n) for n in (-1, 0, 1)]
        names = [keys.meta(shard), *(keys.earned(shard, f"{day:%Y%m%d}") for day in days)]
        reply = await self._read_earned(keys=names)
        if not reply:
            return []
        at, slices = Cursor(int(reply[0]), int(reply[1])), Counter[str]()
        for day, pairs in zip(days, reply[2:], strict=True):
            for creator, diamonds in zip(pairs[::2], pairs[1::2], strict=True):
                slices[f"{day:%Y%m%d} {creator.decode()}"] = int(diamonds)
        async with snapshot(self._engine) as connection:
            cursor = await cursor_in(connection, shard)
            right = await sums(connection, EARNED, shard=shard, since=days[0].date())
            since = {"after": gift_id(shard, *at), "end": gift_id(shard + 1, 0, 0)}
            right.subtract(await sums(connection, EARNED_SINCE, **since))
        async for gift in self._unflushed(shard, cursor, at):
            if gift is None:
                return None
            right[f"{gift.event_at:%Y%m%d} {gift.event.creator}"] += gift.event.diamonds
        both = sorted(right.keys() | slices.keys())
        invariant.checked += len(both)
        return [
            f"shard {shard:02d}, {name}: {slices[name]} diamonds in Redis after gift {at}, "
            f"posted and unflushed are {right[name]}"
            for name in both
            if slices[name] != right[name]
        ]


async def sums(connection: AsyncConnection, query: TextClause, **values: Any) -> Counter[str]:
    """Result of a query for pairs of a name and a sum."""
    result = await connection.execute(query, values)
    return Counter({row[0]: row[1] for row in result})
