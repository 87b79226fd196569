"""Who gave whom how much on a day: sums that grow behind the flusher, each gift read once by its number.

A shard's gifts are posted one after the other in the order of their ids, so a cursor misses none. A gift that is going
to be given back is known in the transaction that posts it, and never counted.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.rule_tables import gift_pair_cursor, gift_pair_day
from giftserver.durable.tables import gift_id

SHARDS: Final = 16
BATCH: Final = 20_000
BATCHES_MAX: Final = 8
"""Of one shard in one round: a book that was never added up takes some rounds."""

KEPT_DAYS: Final = 7
"""UTC days whose sums are kept, today's too."""

# A sender's gifts are all in one shard, so two rounds at once never add to the same sum.
ADD: Final = text("""
    WITH taken AS MATERIALIZED (
        SELECT t.id, (t.event_at AT TIME ZONE 'UTC')::date AS day, t.creator, t.sender, t.coins, t.diamonds
        FROM transfer AS t WHERE t.id > :after AND t.id < :end ORDER BY t.id LIMIT :limit
    ), added AS (
        INSERT INTO gift_pair_day AS sums (day, creator, sender, gifts, coins, diamonds)
        SELECT day, creator, sender, count(*), sum(coins), sum(diamonds) FROM taken
        WHERE day >= :first_day AND NOT EXISTS (SELECT FROM refund_due AS d WHERE d.gift = taken.id)
        GROUP BY day, creator, sender
        ON CONFLICT (day, creator, sender) DO UPDATE SET gifts = sums.gifts + excluded.gifts,
            coins = sums.coins + excluded.coins, diamonds = sums.diamonds + excluded.diamonds
    ), moved AS (
        UPDATE gift_pair_cursor SET gift = (SELECT max(id) FROM taken)
        WHERE shard = :shard AND EXISTS (SELECT FROM taken)
    )
    SELECT count(*) FROM taken
""")


def first_day(now: datetime) -> datetime:
    """Beginning of the week that ends today, in UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=KEPT_DAYS - 1)


async def add_pairs(engine: AsyncEngine, now: datetime) -> int:
    """Add the gifts that were posted since the last time, and forget older days; how many gifts were read."""
    read = 0
    for shard in range(SHARDS):
        for _ in range(BATCHES_MAX):
            async with engine.begin() as connection:
                batch = await _add_batch(connection, shard, now)
            read += batch
            if batch < BATCH:
                break
    async with engine.begin() as connection:
        await connection.execute(delete(gift_pair_day).where(gift_pair_day.c.day < first_day(now).date()))
    return read


async def _add_batch(connection: AsyncConnection, shard: int, now: datetime) -> int:
    """The next gifts of a shard; 0 also while another worker adds them."""
    cursor = gift_pair_cursor.c
    after = await connection.scalar(select(cursor.gift).where(cursor.shard == shard).with_for_update(skip_locked=True))
    if after is None:
        return 0
    values = {"shard": shard, "after": after, "end": gift_id(shard + 1, 0, 0), "limit": BATCH}
    return int(await connection.scalar(ADD, {**values, "first_day": first_day(now).date()}) or 0)
