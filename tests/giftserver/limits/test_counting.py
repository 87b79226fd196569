"""Counting what was sent, in a ledger that is long."""

import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.spending import NEVER_S, SENT, key_from

# Gifts of 100 people, one a minute, for a month; nothing else of the book is needed here.
GIFTS = text("""
    INSERT INTO transfer (id, kind, shard, epoch, seq, sender, key, request_hash, room, creator, gift, quantity, coins,
        diamonds, catalog_version, rate_version, note, event_at)
    SELECT (1::bigint << 55) + (1::bigint << 40) + n, 'gift', 0, 1, n, 'u' || n % 100,
        substr(ms, 1, 8) || '-' || substr(ms, 9) || '-7000-8000-' || lpad(to_hex(n), 12, '0'), 'h', 'harbour', 'mira',
        'dewdrop', 1, 1, 0, 1, 1, '', at
    FROM (
        SELECT n, at, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS ms
        FROM (SELECT n, now() - n * interval '1 minute' AS at FROM generate_series(1, 40000) AS n) AS times
    ) AS gifts
""")


async def test_many_who_load_at_once_do_not_have_the_whole_ledger_read(database: AsyncEngine) -> None:
    """Each one's gifts of the time that counts are found by an index, and they are all of them."""
    async with database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(GIFTS)
        await connection.execute(text("ANALYZE transfer"))
    day_s = int(time.time()) - 12 * 3_600
    users = [f"u{n}" for n in range(100)]
    never = [NEVER_S] * len(users)
    windows = {"days": [day_s] * len(users), "months": never, "sessions": never}
    values = {"users": users, **windows, "oldest": [key_from(day_s)] * len(users)}
    async with database.connect() as connection:
        plan = (await connection.execute(text(f"EXPLAIN {SENT.text}"), values)).scalars().all()
        sent = {row.user_id: row.day for row in await connection.execute(SENT, values)}
    assert not [line for line in plan if "Seq Scan on transfer" in line], plan
    assert set(sent) == set(users)
    assert sum(sent.values()) in (719, 720)
