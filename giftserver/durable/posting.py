"""Posting a batch of gifts as double entry: one transaction, set by set, as long as one gift or thousands.

A gift is four entries: the wallet pays the platform's gifts_spent in coins, the platform's diamonds_issued pays the
creator's earnings in diamonds. A gift of no diamonds has the first two.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.chain import hashes
from giftserver.durable.epochs import given_up
from giftserver.durable.intake import Cursor, FlushedGift, staged
from giftserver.durable.tables import DIAMONDS_ISSUED, FIRST_PERSONAL_ACCOUNT, GIFTS_SPENT

# First, so that of two flushers on one shard the second waits here, then finds the cursor moved and does nothing.
HOLD_CURSOR: Final = text("""
    SELECT chain FROM flush_cursor WHERE shard = :shard AND epoch = :epoch AND seq = :seq FOR NO KEY UPDATE
""")

MOVE_CURSOR: Final = text("UPDATE flush_cursor SET epoch = :epoch, seq = :seq, chain = :chain WHERE shard = :shard")

STAGE: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_gift (
        id bigint, epoch integer, seq bigint, sender text, key text, request_hash text, room text, creator text,
        gift text, quantity integer, coins bigint, diamonds bigint, catalog_version integer, rate_version integer,
        note text, event_at timestamptz, hash bytea
    ) ON COMMIT DELETE ROWS
"""

# In the order of their names, so that two shards with the same new creators do not wait for each other in a circle.
# A wallet is never made here: coins that nobody credited cannot be spent.
ADD_ACCOUNTS: Final = text("""
    INSERT INTO account (kind, owner, asset)
    SELECT 'earnings', creator, 'diamonds' FROM (SELECT DISTINCT creator FROM staged_gift WHERE diamonds > 0) AS named
    WHERE NOT EXISTS (
        SELECT FROM account WHERE kind = 'earnings' AND owner = named.creator AND asset = 'diamonds'
    )
    ORDER BY creator
    ON CONFLICT DO NOTHING
""")

ADD_TRANSFERS: Final = text("""
    INSERT INTO transfer (id, kind, shard, epoch, seq, sender, key, request_hash, room, creator, gift, quantity,
        coins, diamonds, catalog_version, rate_version, note, event_at, hash)
    SELECT id, 'gift', :shard, epoch, seq, sender, key, request_hash, room, creator, gift, quantity,
        coins, diamonds, catalog_version, rate_version, note, event_at, hash
    FROM staged_gift ORDER BY id
""")

ADD_TO_DAYS: Final = text("""
    INSERT INTO gift_day AS sums (creator, day, room, shard, gifts, coins, diamonds)
    SELECT creator, (event_at AT TIME ZONE 'UTC')::date, room, :shard, count(*), sum(coins), sum(diamonds)
    FROM staged_gift GROUP BY 1, 2, 3
    ON CONFLICT (creator, day, room, shard) DO UPDATE SET gifts = sums.gifts + excluded.gifts,
        coins = sums.coins + excluded.coins, diamonds = sums.diamonds + excluded.diamonds
""")

# In id order, the platform's last: everybody who locks accounts does it in this order, and the accounts that every
# shard needs are held for the shortest time.
LOCK_ACCOUNTS: Final = text(f"""
    SELECT count(*) FROM (
        SELECT id FROM account WHERE id IN (
            SELECT id FROM account JOIN (SELECT DISTINCT sender FROM staged_gift) AS named
                ON kind = 'wallet' AND owner = sender AND asset = 'coins'
            UNION ALL
            SELECT id FROM account JOIN (SELECT DISTINCT creator FROM staged_gift) AS named
                ON kind = 'earnings' AND owner = creator AND asset = 'diamonds'
            UNION ALL VALUES ({GIFTS_SPENT}), ({DIAMONDS_ISSUED})
        )
        ORDER BY id < {FIRST_PERSONAL_ACCOUNT}, id FOR NO KEY UPDATE
    ) AS locked
""")

POST: Final = text(f"""
    WITH given AS MATERIALIZED (
        SELECT g.id, g.coins, g.diamonds, w.id AS wallet, e.id AS earnings FROM staged_gift AS g
        LEFT JOIN account AS w ON w.kind = 'wallet' AND w.owner = g.sender AND w.asset = 'coins'
        LEFT JOIN account AS e ON e.kind = 'earnings' AND e.owner = g.creator AND e.asset = 'diamonds'
    ), line AS MATERIALIZED (
        SELECT id AS transfer, 1 AS n, wallet AS account, -coins AS amount FROM given
        UNION ALL SELECT id, 2, {GIFTS_SPENT}, coins FROM given
        UNION ALL SELECT id, 3, {DIAMONDS_ISSUED}, -diamonds FROM given WHERE diamonds > 0
        UNION ALL SELECT id, 4, earnings, diamonds FROM given WHERE diamonds > 0
    ), total AS (
        SELECT account, sum(amount)::bigint AS amount, count(*) AS entries FROM line GROUP BY account
    ), moved AS (
        UPDATE account SET balance = account.balance + total.amount, version = account.version + total.entries
        FROM total WHERE account.id = total.account
        RETURNING account.id, account.balance - total.amount AS balance, account.version - total.entries AS version
    )
    INSERT INTO entry (transfer, n, account, version, amount, balance_after)
    SELECT transfer, n, account, moved.version + row_number() OVER earlier, amount,
        moved.balance + (sum(amount) OVER earlier)::bigint
    FROM line JOIN moved ON moved.id = line.account
    WINDOW earlier AS (PARTITION BY account ORDER BY transfer ROWS UNBOUNDED PRECEDING)
""")


async def post_gifts(connection: AsyncConnection, shard: int, cursor: Cursor, gifts: Sequence[FlushedGift]) -> bool:
    """Post gifts that directly follow the cursor and move it, with the hash chain, in the caller's transaction.

    False, with nothing done, when the cursor is elsewhere by now (another flusher was first), or when the shard opened
    again without these gifts since they were read. Raises SQLAlchemy's and
    asyncpg's errors; IntegrityError when the database refuses a gift.
    """
    held = await connection.execute(HOLD_CURSOR, {"shard": shard, "epoch": cursor.epoch, "seq": cursor.seq})
    chain = held.scalar_one_or_none()
    if chain is None:
        return False
    newest = {gift.epoch: gift.seq for gift in gifts}
    for epoch, seq in newest.items():
        if await given_up(connection, shard, epoch, seq):
            return False
    chained = hashes(chain, gifts)
    last = gifts[-1]
    await connection.execute(MOVE_CURSOR, {"shard": shard, "epoch": last.epoch, "seq": last.seq, "chain": chained[-1]})
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.execute(STAGE)
    rows = [(*staged(gift), digest) for gift, digest in zip(gifts, chained, strict=True)]
    await driver.copy_records_to_table("staged_gift", records=rows)
    await connection.execute(ADD_ACCOUNTS)
    await connection.execute(ADD_TRANSFERS, {"shard": shard})
    await connection.execute(ADD_TO_DAYS, {"shard": shard})
    await connection.execute(LOCK_ACCOUNTS)
    await connection.execute(POST)
    return True
