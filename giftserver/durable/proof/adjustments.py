"""The proof of adjustments: each approved one is booked once, for its person, by two persons; none other is."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.proof.invariant import SHOWN_MAX, Invariant

COUNT: Final = "SELECT (SELECT count(*) FROM adjustment) + (SELECT count(*) FROM account WHERE kind = 'adjustments')"

UNLIKE_ADJUSTMENT: Final = """
    SELECT format('adjustment %s: transfer %s does not book %s coins for %s', d.id, d.transfer, d.coins, d.user_id)
    FROM adjustment AS d LEFT JOIN transfer AS t ON t.id = d.transfer AND t.kind = 'adjustment'
        AND t.reference = 'adjustment:' || d.id AND t.coins = abs(d.coins)
    LEFT JOIN entry AS e ON e.transfer = t.id LEFT JOIN account AS a ON a.id = e.account
    LEFT JOIN credit_outbox AS c ON c.transfer = t.id
    WHERE d.state = 'approved'
    GROUP BY d.id, t.id, c.coins
    HAVING t.id IS NULL OR count(e.n) <> 2 OR c.coins IS DISTINCT FROM d.coins
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'wallet' AND a.owner = d.user_id), 0) <> d.coins
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'adjustments'), 0) <> -d.coins
"""

NO_ADJUSTMENT: Final = """
    SELECT format('transfer %s: %s has no adjustment that was approved', t.id, t.reference)
    FROM transfer AS t LEFT JOIN adjustment AS d ON d.transfer = t.id AND d.state = 'approved'
    WHERE t.kind = 'adjustment' AND d.id IS NULL
"""

TOTAL: Final = """
    SELECT format('the account of adjustments has %s, they say %s', a.balance, -d.coins)
    FROM account AS a CROSS JOIN (
        SELECT coalesce(sum(coins), 0)::bigint AS coins FROM adjustment WHERE state = 'approved'
    ) AS d WHERE a.kind = 'adjustments' AND a.balance <> -d.coins
"""

ALONE: Final = """
    SELECT format('adjustment %s was decided by who proposed it', id) FROM adjustment WHERE decided_by = proposed_by
"""

# A case says that its hold is in force as long as nobody released it.
HELD_OTHERWISE: Final = """
    SELECT format('case %s: its hold is %s, the wallet''s is %s', coalesce(c.id, h.reference), c.hold_reference,
        h.reference)
    FROM (SELECT id, hold_reference, person FROM case_file WHERE hold_reference IS NOT NULL) AS c
    FULL JOIN (
        SELECT reference, user_id FROM wallet_hold WHERE released_at IS NULL AND reference LIKE 'case:%'
    ) AS h ON h.reference = c.hold_reference AND h.user_id = c.person
    WHERE c.id IS NULL OR h.reference IS NULL
"""


async def adjustments_are_booked(connection: AsyncConnection, invariant: Invariant) -> None:
    """Approved adjustments and their account are what the ledger has; holds of cases are those of wallets."""
    invariant.checked += int(await connection.scalar(text(COUNT)) or 0)
    for query in (UNLIKE_ADJUSTMENT, NO_ADJUSTMENT, TOTAL, ALONE, HELD_OTHERWISE):
        for (violation,) in await connection.execute(text(f"{query} LIMIT {SHOWN_MAX + 1}")):
            invariant.found(violation)
