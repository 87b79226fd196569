"""Rules about buyers: too much too fast, large gifts right after the first purchase, dispute after dispute."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.history import at_ms
from giftserver.durable.rules.findings import FOUND_MAX, Finding
from giftserver.durable.rules.gifting import key_from
from giftserver.durable.rules.looping import ORDERED_BEFORE
from giftserver.rules.numbers import (
    DISPUTES_DAYS,
    DISPUTES_MIN,
    NEW_ACCOUNT_COINS,
    NEW_ACCOUNT_HOURS,
    VELOCITY_COINS_DAY,
    VELOCITY_DECLINES_HOUR,
    VELOCITY_PURCHASES_HOUR,
)

LOOKED_BACK: Final = timedelta(days=2)
"""A worker that was away for a day finds what it missed."""

LISTED_MAX: Final = 100

# The rows of others than these payments are never read: OFFSET 0 has each one looked up by its key, whatever the
# planner would rather walk through.

# Every hour and every day that ends with a purchase, or with a declined one. A decline's detail is the provider's word,
# without blanks; what else steps of an unpaid order say has some.
VELOCITY: Final = text("""
    WITH paid AS (
        SELECT p.user_id, t.event_at AS at, p.coins FROM payment AS p
        CROSS JOIN LATERAL (SELECT event_at FROM transfer WHERE id = p.transfer OFFSET 0) AS t
        WHERE p.id >= :ordered AND t.event_at > :since
    ), declined AS (
        SELECT p.user_id, s.at FROM payment AS p
        CROSS JOIN LATERAL (SELECT * FROM payment_step WHERE payment = p.id OFFSET 0) AS s
        WHERE p.id >= :ordered AND s.at > :since AND s.detail ~ '^[^ ]+$'
            AND s.state IN ('created', 'pending', 'requires_action', 'authorised', 'failed')
    ), counted AS (
        SELECT user_id, count(*) OVER (PARTITION BY user_id ORDER BY at RANGE '1 hour' PRECEDING) AS purchases,
            sum(coins) OVER (PARTITION BY user_id ORDER BY at RANGE '1 day' PRECEDING) AS coins, 0 AS declines
        FROM paid
        UNION ALL
        SELECT user_id, 0, 0, count(*) OVER (PARTITION BY user_id ORDER BY at RANGE '1 hour' PRECEDING) FROM declined
    )
    SELECT user_id, max(purchases) AS purchases, max(coins)::bigint AS coins, max(declines) AS declines
    FROM counted GROUP BY user_id
    HAVING max(purchases) > :purchases OR max(coins) > :coins OR max(declines) > :declines
    ORDER BY max(coins) DESC, max(declines) DESC LIMIT :limit
""")

NEW_ACCOUNTS: Final = text("""
    WITH first AS MATERIALIZED (
        SELECT p.user_id, min(t.event_at) AS at FROM payment AS p
        CROSS JOIN LATERAL (SELECT event_at FROM transfer WHERE id = p.transfer OFFSET 0) AS t
        WHERE p.id >= :ordered GROUP BY p.user_id
    )
    SELECT f.user_id, f.at, g.creator, g.coins FROM first AS f CROSS JOIN LATERAL (
        SELECT t.creator, sum(t.coins)::bigint AS coins FROM transfer AS t
        WHERE t.sender = f.user_id AND t.key >= :key AND t.kind = 'gift' AND t.event_at >= f.at
            AND NOT EXISTS (SELECT FROM refund_due AS d WHERE d.gift = t.id)
        GROUP BY t.creator HAVING sum(t.coins) > :coins ORDER BY sum(t.coins) DESC, t.creator LIMIT 1
    ) AS g
    WHERE f.at > :since AND NOT (SELECT EXISTS (SELECT FROM payment AS o
        WHERE o.user_id = f.user_id AND o.created_at < :earlier AND o.transfer IS NOT NULL))
    ORDER BY g.coins DESC LIMIT :limit
""")

# A warning is no dispute yet, one that was won is one all the same.
DISPUTES: Final = text("""
    SELECT p.user_id, count(*) AS disputes, array_agg(DISTINCT c.payment) AS payments,
        array_agg(c.id ORDER BY c.opened_at, c.id) AS claims
    FROM claim AS c CROSS JOIN LATERAL (SELECT user_id FROM payment WHERE id = c.payment OFFSET 0) AS p
    WHERE c.kind = 'dispute' AND c.opened_at > :since AND c.wanted <> 'warning'
    GROUP BY p.user_id HAVING count(*) >= :least ORDER BY count(*) DESC LIMIT :limit
""")


def ordered_from(since: datetime) -> str:
    """The ids of payments that were ordered since then are not less than this."""
    return f"pay_{int(since.timestamp() * 1_000):012x}"


async def velocity(connection: AsyncConnection, now: datetime) -> list[Finding]:
    """Buyers with many purchases or many declines within an hour, or many coins within a day."""
    since = now - LOOKED_BACK
    values = {
        "since": since, "ordered": ordered_from(since - ORDERED_BEFORE), "purchases": VELOCITY_PURCHASES_HOUR,
        "coins": VELOCITY_COINS_DAY, "declines": VELOCITY_DECLINES_HOUR, "limit": FOUND_MAX,
    }  # fmt: skip
    found = []
    for row in await connection.execute(VELOCITY, values):
        most = max(
            row.purchases * 100 // VELOCITY_PURCHASES_HOUR,
            row.coins * 100 // VELOCITY_COINS_DAY,
            row.declines * 100 // VELOCITY_DECLINES_HOUR,
        )
        facts = {
            "purchases_in_an_hour": row.purchases, "coins_in_a_day": row.coins, "declines_in_an_hour": row.declines,
            "percent_of_the_limit": most,
        }  # fmt: skip
        found.append(Finding(row.user_id, "Bought, or tried to buy, very often or very much in a short time.", facts))
    return found


async def new_account(connection: AsyncConnection, now: datetime) -> list[Finding]:
    """Those who gave one creator much within hours of their first purchase."""
    since = now - timedelta(hours=NEW_ACCOUNT_HOURS)
    earlier = since - ORDERED_BEFORE
    values = {
        "since": since, "earlier": earlier, "ordered": ordered_from(earlier), "key": key_from(since),
        "coins": NEW_ACCOUNT_COINS, "limit": FOUND_MAX,
    }  # fmt: skip
    words = f"Gave one creator much within {NEW_ACCOUNT_HOURS} hours of the first purchase."
    return [
        Finding(row.user_id, words, {"creator": row.creator, "coins": row.coins, "first_purchase_at_ms": at_ms(row.at)})
        for row in await connection.execute(NEW_ACCOUNTS, values)
    ]


async def many_disputes(connection: AsyncConnection, now: datetime) -> list[Finding]:
    """Buyers whose payments were disputed more than once."""
    values = {"since": now - timedelta(days=DISPUTES_DAYS), "least": DISPUTES_MIN, "limit": FOUND_MAX}
    return [
        Finding(
            row.user_id,
            f"{row.disputes} payments or parts of them were disputed within {DISPUTES_DAYS} days.",
            {"disputes": row.disputes, "payments": row.payments[-LISTED_MAX:], "claims": row.claims[-LISTED_MAX:]},
        )
        for row in await connection.execute(DISPUTES, values)
    ]
