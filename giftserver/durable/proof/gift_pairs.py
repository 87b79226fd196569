"""The proof of the sums that rules look into: what one person gave another on a day is what their gifts say."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable import rule_tables as rule_tables  # into the metadata
from giftserver.durable.proof.invariant import SHOWN_MAX, Invariant

# Of days that the worker does not forget meanwhile.
UNLIKE_GIFTS: Final = """
    WITH said AS (
        SELECT (t.event_at AT TIME ZONE 'UTC')::date AS day, t.creator, t.sender, count(*) AS gifts,
            sum(t.coins)::bigint AS coins, sum(t.diamonds)::bigint AS diamonds
        FROM transfer AS t JOIN gift_pair_cursor AS c ON c.shard = t.shard AND t.id <= c.gift
        WHERE t.kind = 'gift' AND t.event_at >= CAST(:since AS date)::timestamp AT TIME ZONE 'UTC'
            AND NOT EXISTS (SELECT FROM refund_due AS d WHERE d.gift = t.id)
        GROUP BY 1, 2, 3
    )
    SELECT format('%s gave %s on %s: sums say %s, gifts %s', sender, creator, day, s.coins, g.coins)
    FROM (SELECT * FROM gift_pair_day WHERE day >= CAST(:since AS date)) AS s
    FULL JOIN said AS g USING (day, creator, sender)
    WHERE (s.gifts, s.coins, s.diamonds) IS DISTINCT FROM (g.gifts, g.coins, g.diamonds)
"""

SINCE: Final = """
    SELECT (now() AT TIME ZONE 'UTC')::date - 5,
        (SELECT count(*) FROM gift_pair_day) + (SELECT count(*) FROM gift_pair_cursor)
"""


async def pairs_are_the_gifts(connection: AsyncConnection, invariant: Invariant) -> None:
    """The sums of the last days are those of the gifts up to their cursors, without those given back."""
    since, sums = (await connection.execute(text(SINCE))).one()
    invariant.checked += sums
    query = text(f"{UNLIKE_GIFTS} LIMIT {SHOWN_MAX + 1}")
    for (violation,) in await connection.execute(query, {"since": since}):
        invariant.found(violation)
