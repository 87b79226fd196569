"""The rule about purchases that go to one creator again and again."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.gift_pairs import KEPT_DAYS, first_day
from giftserver.durable.rules.findings import FOUND_MAX, Finding
from giftserver.durable.rules.gifting import key_from
from giftserver.rules.loops import Coins, given_on
from giftserver.rules.numbers import (
    LOOP_COINS_MIN,
    LOOP_GIVEN_PERCENT,
    LOOP_HOURS,
    LOOP_INCOME_PERCENT,
    LOOP_TIMES,
)

ORDERED_BEFORE: Final = timedelta(days=1)
"""Between an order and its money there is less than this, nearly always."""

# Pairs of which it may be true at all, which are few: as in the rule income_share.
PAIRS: Final = text("""
    WITH income AS MATERIALIZED (
        SELECT creator, sum(coins)::bigint AS total FROM gift_pair_day WHERE day >= :first_day
        GROUP BY creator HAVING sum(coins) >= :least
    ), large AS MATERIALIZED (
        SELECT DISTINCT creator, sender FROM gift_pair_day WHERE day >= :first_day AND coins * :days >= :least
    )
    SELECT l.creator, l.sender, i.total
    FROM large AS l JOIN income AS i ON i.creator = l.creator CROSS JOIN LATERAL (
        SELECT sum(coins)::bigint AS coins FROM gift_pair_day AS d
        WHERE d.day >= :first_day AND d.creator = l.creator AND d.sender = l.sender
    ) AS g
    WHERE g.coins >= :least AND g.coins * 100 > i.total * :percent
        AND (SELECT count(*) FROM payment AS p WHERE p.user_id = l.sender AND p.created_at > :ordered
            AND p.transfer IS NOT NULL AND p.coins >= :bought) >= :times
    ORDER BY g.coins DESC LIMIT :limit
""")

PURCHASES: Final = text("""
    SELECT p.id, t.event_at, t.coins FROM payment AS p JOIN transfer AS t ON t.id = p.transfer
    WHERE p.user_id = :user AND p.created_at > :ordered AND p.coins >= :bought AND t.event_at >= :since
    ORDER BY t.event_at, t.id LIMIT 200
""")

GIFTS: Final = text("""
    SELECT t.event_at, t.coins FROM transfer AS t
    WHERE t.sender = :user AND t.key >= :key AND t.kind = 'gift' AND t.creator = :creator AND t.event_at >= :since
        AND NOT EXISTS (SELECT FROM refund_due AS d WHERE d.gift = t.id)
    ORDER BY t.event_at, t.id LIMIT 20000
""")


async def loop(connection: AsyncConnection, now: datetime) -> list[Finding]:
    """Buyers who give nearly all of what they buy to one creator, again and again, and are most of that income."""
    since = first_day(now)
    values = {
        "first_day": since.date(), "days": KEPT_DAYS, "percent": LOOP_INCOME_PERCENT, "bought": LOOP_COINS_MIN,
        "times": LOOP_TIMES,
        "least": LOOP_TIMES * LOOP_COINS_MIN * LOOP_GIVEN_PERCENT // 100, "ordered": since - ORDERED_BEFORE,
        "limit": FOUND_MAX,
    }  # fmt: skip
    pairs = (await connection.execute(PAIRS, values)).all()
    found: dict[str, Finding] = {}
    for pair in pairs:  # the largest first
        one = await _loop_of(connection, pair, since)
        if one is not None:
            found.setdefault(one.person, one)
    return list(found.values())


async def _loop_of(connection: AsyncConnection, pair: Any, since: datetime) -> Finding | None:
    bought = {"user": pair.sender, "bought": LOOP_COINS_MIN, "since": since, "ordered": since - ORDERED_BEFORE}
    purchases = (await connection.execute(PURCHASES, bought)).all()
    given = {"user": pair.sender, "creator": pair.creator, "key": key_from(since), "since": since}
    gifts = [Coins(row.event_at, row.coins) for row in await connection.execute(GIFTS, given)]
    bought_coins = [Coins(row.event_at, row.coins) for row in purchases]
    shares = await asyncio.to_thread(given_on, bought_coins, gifts)  # of many gifts it takes its time
    times = [
        {"payment": row.id, "coins": row.coins, "given_on": coins}
        for row, coins in zip(purchases, shares, strict=True)
        if coins * 100 >= row.coins * LOOP_GIVEN_PERCENT
    ]
    coins = sum(one["given_on"] for one in times)
    if len(times) < LOOP_TIMES or coins * 100 <= pair.total * LOOP_INCOME_PERCENT:
        return None
    facts = {"creator": pair.creator, "purchases": times, "coins": coins, "all_coins_of_the_creator": pair.total}
    words = f"Bought and gave nearly all of it to one creator within {LOOP_HOURS} hours, {len(times)} times in a week."
    return Finding(pair.sender, words, facts)
