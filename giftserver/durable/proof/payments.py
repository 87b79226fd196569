"""The proof of payments: money that came in, and the coins that were booked for it."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.proof.invariant import SHOWN_MAX, Invariant

COUNT: Final = "SELECT count(*) FROM payment"

# Coins of a transfer are those paid for, and the bonus or none of it.
UNLIKE_PAYMENT: Final = """
    SELECT format('payment %s: transfer %s does not book %s coins for %s of %s %s', p.id, p.transfer, p.coins,
        p.amount_minor, p.currency, p.user_id)
    FROM payment AS p LEFT JOIN transfer AS t ON t.id = p.transfer AND t.kind = 'recharge'
        AND t.reference = 'recharge:' || p.id AND t.coins IN (p.coins, p.coins + p.bonus_coins)
    LEFT JOIN entry AS e ON e.transfer = t.id LEFT JOIN account AS a ON a.id = e.account
    WHERE p.transfer IS NOT NULL
    GROUP BY p.id, t.id
    HAVING t.id IS NULL OR count(e.n) <> CASE WHEN t.coins > p.coins THEN 5 ELSE 4 END
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'wallet' AND a.owner = p.user_id), 0) <> t.coins
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'coins_sold'), 0) <> -p.coins
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'clearing' AND a.owner = p.provider
            AND a.asset = p.currency), 0) <> p.amount_minor
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'revenue' AND a.asset = p.currency), 0) <> -p.amount_minor
"""

NO_PAYMENT: Final = """
    SELECT format('transfer %s: %s has no payment that was paid', t.id, t.reference)
    FROM transfer AS t LEFT JOIN payment AS p ON p.transfer = t.id WHERE t.kind = 'recharge' AND p.id IS NULL
"""

UNSTEADY: Final = """
    SELECT format('payment %s is %s, its steps say %s', p.id, p.state, coalesce(s.state, 'nothing'))
    FROM payment AS p LEFT JOIN LATERAL (
        SELECT state FROM payment_step WHERE payment = p.id ORDER BY n DESC LIMIT 1
    ) AS s ON true
    WHERE p.state IS DISTINCT FROM s.state
"""

# Given back is what a claim that is lost says, or a step with the amount that the provider paid back. Steps of before
# have none: then what was decided last, and that nobody has to look at it, tells.
NOT_REFUNDED: Final = """
    SELECT format('payment %s is called refunded, and nothing says that its money went back', p.id)
    FROM payment AS p WHERE p.state = 'refunded' AND CASE WHEN p.transfer IS NOT NULL
        THEN p.amount_minor > (SELECT coalesce(sum(amount_minor), 0) FROM claim
            WHERE payment = p.id AND kind = 'refund' AND state = 'lost')
        ELSE NOT EXISTS (SELECT FROM payment_step WHERE payment = p.id AND state = 'refunded'
            AND (source <> 'operator' OR detail LIKE 'given back after a review: %'))
            AND (p.review IS NOT NULL OR coalesce((SELECT decision FROM payment_review WHERE payment = p.id
                ORDER BY n DESC LIMIT 1), '') <> 'refund') END
"""

# Of a credited one both ways: what was given back is told, too.
UNTOLD: Final = """
    SELECT format('payment %s is called %s, and %s of %s was given back', p.id, p.state, coalesce(c.minor, 0),
        p.amount_minor)
    FROM payment AS p LEFT JOIN (
        SELECT payment, sum(amount_minor) AS minor FROM claim WHERE kind = 'refund' AND state = 'lost' GROUP BY payment
    ) AS c ON c.payment = p.id
    WHERE p.transfer IS NOT NULL AND p.state <> CASE WHEN c.minor >= p.amount_minor THEN 'refunded'
        WHEN c.minor > 0 THEN 'partially_refunded' ELSE 'credited' END
"""


async def payments_are_booked(connection: AsyncConnection, invariant: Invariant) -> None:
    """Every paid payment is booked once, with its coins, amount and currency, and nothing else is a recharge.

    None is called refunded whose money did not go back, and none credited whose money did.
    """
    invariant.checked += int(await connection.scalar(text(COUNT)) or 0)
    for query in (UNLIKE_PAYMENT, NO_PAYMENT, UNSTEADY, NOT_REFUNDED, UNTOLD):
        for (violation,) in await connection.execute(text(f"{query} LIMIT {SHOWN_MAX + 1}")):
            invariant.found(violation)
