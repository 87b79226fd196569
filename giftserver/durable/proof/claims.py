"""The proof of claims: what is frozen, owed, disputed and lost is what the claims say, and the money beside it."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.proof.invariant import SHOWN_MAX, Invariant

COUNT: Final = "SELECT count(*) FROM claim"

FROZEN: Final = """
    SELECT format('%s of %s: the account has %s, the claims say %s', coalesce(a.kind, c.kind),
        coalesce(a.owner, c.owner), coalesce(a.balance, 0), coalesce(c.coins, 0))
    FROM (SELECT kind, owner, balance FROM account WHERE kind IN ('frozen', 'owed')) AS a
    FULL JOIN (
        SELECT k.kind, p.user_id AS owner, sum(CASE k.kind
                WHEN 'frozen' THEN CASE WHEN c.state = 'frozen' THEN c.frozen_coins ELSE 0 END
                ELSE CASE WHEN c.state = 'lost' THEN c.owed_coins - c.repaid_coins ELSE 0 END END)::bigint AS coins
        FROM claim AS c JOIN payment AS p ON p.id = c.payment CROSS JOIN (VALUES ('frozen'), ('owed')) AS k (kind)
        GROUP BY 1, 2
    ) AS c ON c.kind = a.kind AND c.owner = a.owner
    WHERE coalesce(a.balance, 0) <> coalesce(c.coins, 0)
"""

MONEY: Final = """
    SELECT format('%s of %s in %s: the account has %s, payments, claims and payouts say %s', coalesce(a.kind, m.kind),
        coalesce(a.owner, m.owner), coalesce(a.asset, m.currency), coalesce(a.balance, 0), coalesce(m.minor, 0))
    FROM (SELECT kind, owner, asset, balance FROM account WHERE kind IN ('clearing', 'disputed', 'charged_back')) AS a
    FULL JOIN (
        SELECT kind, owner, currency, sum(minor)::bigint AS minor FROM (
            SELECT 'clearing' AS kind, provider AS owner, currency, amount_minor AS minor
            FROM payment WHERE transfer IS NOT NULL
            UNION ALL SELECT 'clearing', p.provider, p.currency, -c.amount_minor
            FROM claim AS c JOIN payment AS p ON p.id = c.payment
            WHERE c.kind = 'dispute' AND c.state IN ('frozen', 'lost') OR c.kind = 'refund' AND c.state = 'lost'
            UNION ALL SELECT 'clearing', provider, currency, -amount_minor FROM payout WHERE state = 'paid'
            UNION ALL SELECT 'disputed', p.provider, p.currency, c.amount_minor
            FROM claim AS c JOIN payment AS p ON p.id = c.payment WHERE c.kind = 'dispute' AND c.state = 'frozen'
            UNION ALL SELECT 'charged_back', 'platform', p.currency, c.amount_minor
            FROM claim AS c JOIN payment AS p ON p.id = c.payment WHERE c.kind = 'dispute' AND c.state = 'lost'
        ) AS moved GROUP BY kind, owner, currency
    ) AS m ON m.kind = a.kind AND m.owner = a.owner AND m.currency = a.asset
    WHERE coalesce(a.balance, 0) <> coalesce(m.minor, 0)
"""

CLAWED: Final = """
    SELECT format('%s in room %s on %s, shard %s: %s diamonds taken back, the claims say %s',
        coalesce(d.creator, g.creator), coalesce(d.room, g.room), coalesce(d.day, g.day), coalesce(d.shard, g.shard),
        coalesce(d.clawed_diamonds, 0), coalesce(g.diamonds, 0))
    FROM (SELECT * FROM gift_day WHERE clawed_diamonds <> 0) AS d
    FULL JOIN (
        SELECT t.creator, (t.event_at AT TIME ZONE 'UTC')::date AS day, t.room, t.shard, sum(g.diamonds) AS diamonds
        FROM claim_gift AS g JOIN transfer AS t ON t.id = g.gift GROUP BY 1, 2, 3, 4 HAVING sum(g.diamonds) <> 0
    ) AS g ON (d.creator, d.day, d.room, d.shard) = (g.creator, g.day, g.room, g.shard)
    WHERE d.clawed_diamonds IS DISTINCT FROM g.diamonds
"""

UNEVEN: Final = """
    SELECT format('claim %s (%s): %s coins, %s frozen, %s owed, gifts of %s coins and %s diamonds for %s', c.id,
        c.state, c.coins, c.frozen_coins, c.owed_coins, coalesce(g.coins, 0), coalesce(g.diamonds, 0),
        c.clawed_diamonds)
    FROM claim AS c LEFT JOIN (
        SELECT claim, sum(coins) AS coins, sum(diamonds) AS diamonds FROM claim_gift GROUP BY claim
    ) AS g ON g.claim = c.id
    WHERE c.state = 'lost' AND (c.frozen_coins + c.owed_coins <> c.coins OR coalesce(g.coins, 0) > c.owed_coins)
        OR coalesce(g.diamonds, 0) <> c.clawed_diamonds
"""

# As many coins as the money bought that claims have booked, rounded down: whatever came first, was won, or failed.
UNSHARED: Final = """
    SELECT format('payment %s: its claims are about %s of %s, which bought %s of %s coins, and have %s', id, minor,
        amount_minor, div(total::numeric * least(minor, amount_minor), amount_minor), total, coins)
    FROM (
        SELECT p.id, p.amount_minor, t.coins AS total, sum(c.amount_minor) AS minor, sum(c.coins) AS coins
        FROM claim AS c JOIN payment AS p ON p.id = c.payment JOIN transfer AS t ON t.id = p.transfer
        WHERE c.state IN ('frozen', 'lost') GROUP BY p.id, p.amount_minor, t.coins
    ) AS claimed
    WHERE coins <> div(total::numeric * least(minor, amount_minor), amount_minor)
"""

HOLDS: Final = """
    SELECT format('wallet of %s: held is %s, and it has %s reasons', coalesce(s.user_id, h.user_id),
        coalesce(s.held::text, 'unknown'), coalesce(h.reasons, 0))
    FROM wallet_state AS s FULL JOIN (
        SELECT user_id, count(*) AS reasons FROM wallet_hold WHERE released_at IS NULL GROUP BY user_id
    ) AS h ON h.user_id = s.user_id
    WHERE coalesce(s.held, false) <> (coalesce(h.reasons, 0) > 0)
"""

UNHELD: Final = """
    SELECT format('claim %s (%s): the wallet of %s is not on hold for it', c.id, c.state, p.user_id)
    FROM claim AS c JOIN payment AS p ON p.id = c.payment
    LEFT JOIN wallet_hold AS h ON h.reference = 'claim:' || c.id AND h.released_at IS NULL
    WHERE h.reference IS NULL AND (c.state = 'holding' OR c.state = 'frozen' AND c.kind = 'dispute'
        OR c.state = 'lost' AND c.owed_coins > c.repaid_coins)
"""

# What a claim took, or lost to the platform, is its share of each gift that stands; of one given back it is nothing.
SHARES: Final = """
    SELECT format('claim %s: %s diamonds taken back and %s lost; the gifts it reached say %s', c.id, c.clawed_diamonds,
        c.lost_diamonds, coalesce(g.diamonds, 0))
    FROM claim AS c LEFT JOIN (
        SELECT g.claim, sum(CASE WHEN r.id IS NULL THEN t.diamonds * g.coins / t.coins ELSE 0 END) AS diamonds
        FROM claim_gift AS g JOIN transfer AS t ON t.id = g.gift LEFT JOIN transfer AS r ON r.reverses = g.gift
        GROUP BY g.claim
    ) AS g ON g.claim = c.id
    WHERE c.clawed_diamonds + c.lost_diamonds <> coalesce(g.diamonds, 0)
"""

TWICE: Final = """
    SELECT format('claim %s: %s diamonds of gift %s, which was given back', g.claim, g.diamonds, g.gift)
    FROM claim_gift AS g JOIN transfer AS r ON r.reverses = g.gift WHERE g.diamonds <> 0
"""

CLAWED_ENTRIES: Final = """
    SELECT format('%s: claims moved %s diamonds, the gifts they reached say %s', coalesce(e.creator, g.creator),
        coalesce(e.diamonds, 0), -coalesce(g.diamonds, 0))
    FROM (
        SELECT a.owner AS creator, sum(e.amount) AS diamonds
        FROM transfer AS t JOIN entry AS e ON e.transfer = t.id JOIN account AS a ON a.id = e.account
        WHERE t.kind IN ('claim_lost', 'claim_won', 'claim_returned') AND a.kind = 'earnings' GROUP BY 1
    ) AS e FULL JOIN (
        SELECT t.creator, sum(g.diamonds) AS diamonds FROM claim_gift AS g JOIN transfer AS t ON t.id = g.gift
        GROUP BY 1
    ) AS g ON g.creator = e.creator
    WHERE coalesce(e.diamonds, 0) <> -coalesce(g.diamonds, 0)
"""


async def claims_are_booked(connection: AsyncConnection, invariant: Invariant) -> None:
    """Frozen and owed coins, money at providers, holds, and what creators gave back are what the claims say.

    And the claims of a payment have the coins that their money bought.
    """
    invariant.checked += int(await connection.scalar(text(COUNT)) or 0)
    for query in (FROZEN, MONEY, CLAWED, UNEVEN, UNSHARED, HOLDS, UNHELD, SHARES, TWICE, CLAWED_ENTRIES):
        for (violation,) in await connection.execute(text(f"{query} LIMIT {SHOWN_MAX + 1}")):
            invariant.found(violation)
