"""Rules about who gives whom: most of an income from one sender, coins that go in a circle."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.gift_pairs import KEPT_DAYS, first_day
from giftserver.durable.rules.findings import FOUND_MAX, Finding
from giftserver.rules.numbers import (
    INCOME_SHARE_DIAMONDS_MIN,
    INCOME_SHARE_PERCENT,
    RING_COINS_MIN,
    RING_HOURS,
)
from giftserver.rules.rings import find_rings

EDGES_MAX: Final = 2_000
"""Pairs that are looked at for circles, the largest first."""

KEY_LEAD_MS: Final = 660_000
"""A gift's key says when it was made, at most ten minutes before the gift was decided, and a minute to be sure."""

# Who gave so much in a week gave a seventh of it on some day: few pairs are added up.
INCOME: Final = text("""
    WITH income AS MATERIALIZED (
        SELECT creator, sum(diamonds)::bigint AS total FROM gift_pair_day WHERE day >= :first_day
        GROUP BY creator HAVING sum(diamonds) >= :least
    ), large AS MATERIALIZED (
        SELECT DISTINCT creator, sender FROM gift_pair_day
        WHERE day >= :first_day AND diamonds * :days * 100 >= :least * :percent
    )
    SELECT l.creator, l.sender, p.diamonds, i.total
    FROM large AS l JOIN income AS i ON i.creator = l.creator CROSS JOIN LATERAL (
        SELECT sum(diamonds)::bigint AS diamonds FROM gift_pair_day AS d
        WHERE d.day >= :first_day AND d.creator = l.creator AND d.sender = l.sender
    ) AS p
    WHERE p.diamonds * 100 > i.total * :percent ORDER BY p.diamonds DESC LIMIT :limit
""")

# Of whole days at first, which is quick; what is left of people who give and get is looked at by the minute.
EDGES: Final = text("""
    WITH edge AS MATERIALIZED (
        SELECT sender, creator, sum(coins) AS coins FROM gift_pair_day WHERE day >= :first_day
        GROUP BY sender, creator HAVING sum(coins) >= :least
    ), inner_edge AS MATERIALIZED (
        SELECT sender, creator FROM edge
        WHERE sender IN (SELECT creator FROM edge) AND creator IN (SELECT sender FROM edge)
        ORDER BY coins DESC LIMIT :limit
    )
    SELECT e.sender, e.creator, g.coins FROM inner_edge AS e CROSS JOIN LATERAL (
        SELECT sum(t.coins)::bigint AS coins FROM transfer AS t
        WHERE t.sender = e.sender AND t.key >= :key AND t.kind = 'gift' AND t.creator = e.creator
            AND t.event_at > :since AND NOT EXISTS (SELECT FROM refund_due AS d WHERE d.gift = t.id)
    ) AS g WHERE g.coins >= :least
""")


def key_from(since: datetime) -> str:
    """The keys of gifts since then are not less than this: with the sender it finds them through an index."""
    number = f"{int(since.timestamp() * 1_000) - KEY_LEAD_MS:012x}"
    return f"{number[:8]}-{number[8:]}"


async def income_share(connection: AsyncConnection, now: datetime) -> list[Finding]:
    """Creators who have most of a week's diamonds from one sender."""
    values = {
        "first_day": first_day(now).date(), "least": INCOME_SHARE_DIAMONDS_MIN, "percent": INCOME_SHARE_PERCENT,
        "days": KEPT_DAYS, "limit": FOUND_MAX,
    }  # fmt: skip
    found = []
    for row in await connection.execute(INCOME, values):
        percent = row.diamonds * 100 // row.total
        facts = {
            "sender": row.sender, "sender_diamonds": row.diamonds, "all_diamonds": row.total, "share_percent": percent,
            "since": first_day(now).date().isoformat(),
        }  # fmt: skip
        found.append(Finding(row.creator, f"One person gave {percent} % of this creator's diamonds of a week.", facts))
    return found


async def ring(connection: AsyncConnection, now: datetime) -> list[Finding]:
    """Circles of people who give each other, each one the case of its smallest id."""
    since = now - timedelta(hours=RING_HOURS)
    values = {
        "first_day": since.date(), "least": RING_COINS_MIN, "limit": EDGES_MAX, "key": key_from(since), "since": since,
    }  # fmt: skip
    rows = (await connection.execute(EDGES, values)).all()
    coins = {(row.sender, row.creator): row.coins for row in rows}
    rings = await asyncio.to_thread(find_rings, coins)
    found = []
    for members in rings[:FOUND_MAX]:
        gifts = [
            {"from": sender, "to": creator, "coins": coins[sender, creator]}
            for sender, creator in zip(members, (*members[1:], members[0]), strict=True)
        ]
        facts = {"members": list(members), "gifts": gifts, "coins": sum(coins[one["from"], one["to"]] for one in gifts)}
        words = f"Coins went in a circle of {len(members)} people within {RING_HOURS} hours."
        found.append(Finding(members[0], words, facts))
    return found
