"""The proof of payouts: each is booked as far as its state says, and accounts hold what the payouts come to."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.proof.invariant import SHOWN_MAX, Invariant

COUNT: Final = "SELECT (SELECT count(*) FROM payout) + (SELECT count(*) FROM account WHERE kind = 'paid_out')"

# Which transfers a state has, and what each moves: on whose account, in diamonds (1) or money (2), with which sign.
UNLIKE_PAYOUT: Final = """
    WITH meant (state, step) AS (VALUES ('requested', 'requested'), ('held', 'requested'), ('sending', 'requested'),
        ('paid', 'requested'), ('paid', 'paid'), ('returned', 'requested'), ('returned', 'paid'),
        ('returned', 'returned'), ('failed', 'requested'), ('failed', 'undone'), ('cancelled', 'requested'),
        ('cancelled', 'undone'), ('voided', 'requested'), ('voided', 'undone')
    ), moves (step, kind, money, sign) AS (VALUES ('requested', 'earnings', false, -1),
        ('requested', 'payout_held', false, 1), ('undone', 'payout_held', false, -1), ('undone', 'earnings', false, 1),
        ('paid', 'payout_held', false, -1), ('paid', 'paid_out', false, 1), ('paid', 'paid_out', true, 1),
        ('paid', 'clearing', true, -1), ('returned', 'paid_out', false, -1), ('returned', 'earnings', false, 1),
        ('returned', 'paid_out', true, -1), ('returned', 'clearing', true, 1)
    ), wanted AS (
        SELECT p.id AS payout, 'payout_' || m.step AS transfer, v.kind,
            CASE v.kind WHEN 'paid_out' THEN 'platform' WHEN 'clearing' THEN p.provider ELSE p.user_id END AS owner,
            CASE WHEN v.money THEN p.currency ELSE 'diamonds' END AS asset,
            v.sign * CASE WHEN v.money THEN p.amount_minor ELSE p.diamonds END AS amount, p.diamonds
        FROM payout AS p JOIN meant AS m USING (state) JOIN moves AS v USING (step)
    ), booked AS (
        SELECT substring(t.reference FROM '[^:]*$') AS payout, t.kind AS transfer, a.kind, a.owner, a.asset, e.amount,
            t.diamonds
        FROM transfer AS t JOIN entry AS e ON e.transfer = t.id JOIN account AS a ON a.id = e.account
        WHERE t.kind LIKE 'payout%' AND t.reference = replace(t.kind, '_', '-') || ':'
            || substring(t.reference FROM '[^:]*$')
    )
    SELECT DISTINCT format('payout %s (%s): %s is not booked as its state and terms say',
        coalesce(w.payout, b.payout, 'none'), coalesce(p.state, 'there is none'), coalesce(w.transfer, b.transfer))
    FROM wanted AS w FULL JOIN booked AS b
        USING (payout, transfer, kind, owner, asset, amount, diamonds)
    LEFT JOIN payout AS p ON p.id = coalesce(w.payout, b.payout)
    WHERE w.payout IS NULL OR b.payout IS NULL
"""

STRAY: Final = """
    SELECT format('transfer %s (%s): its reference %s names no payout', t.id, t.kind, coalesce(t.reference, 'none'))
    FROM transfer AS t LEFT JOIN payout AS p ON t.reference = replace(t.kind, '_', '-') || ':' || p.id
    WHERE t.kind LIKE 'payout%' AND p.id IS NULL
"""

BALANCES: Final = """
    SELECT format('%s of %s in %s: the account has %s, the payouts say %s', coalesce(a.kind, p.kind),
        coalesce(a.owner, p.owner), coalesce(a.asset, p.asset), coalesce(a.balance, 0), coalesce(p.amount, 0))
    FROM (SELECT kind, owner, asset, balance FROM account WHERE kind IN ('payout_held', 'paid_out')) AS a
    FULL JOIN (
        SELECT 'payout_held' AS kind, user_id AS owner, 'diamonds' AS asset, sum(diamonds)::bigint AS amount
        FROM payout WHERE state IN ('requested', 'held', 'sending') GROUP BY user_id
        UNION ALL SELECT 'paid_out', 'platform', 'diamonds', sum(diamonds)::bigint FROM payout WHERE state = 'paid'
        UNION ALL SELECT 'paid_out', 'platform', currency, sum(amount_minor)::bigint FROM payout
        WHERE state = 'paid' GROUP BY currency
    ) AS p ON p.kind = a.kind AND p.owner = a.owner AND p.asset = a.asset
    WHERE coalesce(a.balance, 0) <> coalesce(p.amount, 0)
"""

UNSTEADY: Final = """
    SELECT format('payout %s is %s, its steps say %s', p.id, p.state, coalesce(s.state, 'nothing'))
    FROM payout AS p LEFT JOIN LATERAL (
        SELECT state FROM payout_step WHERE payout = p.id ORDER BY n DESC LIMIT 1
    ) AS s ON true
    WHERE p.state IS DISTINCT FROM s.state
"""

ELSEWHERE: Final = """
    SELECT format('payout %s of %s goes to an account of %s at %s', p.id, p.user_id, a.user_id, a.provider)
    FROM payout AS p JOIN payout_account AS a ON a.id = p.account
    WHERE (a.user_id, a.provider) <> (p.user_id, p.provider)
"""


async def payouts_are_booked(connection: AsyncConnection, invariant: Invariant) -> None:
    """Every payout is booked as far as its state says, nothing else is, and what is held and paid is their sum."""
    invariant.checked += int(await connection.scalar(text(COUNT)) or 0)
    for query in (UNLIKE_PAYOUT, STRAY, BALANCES, UNSTEADY, ELSEWHERE):
        for (violation,) in await connection.execute(text(f"{query} LIMIT {SHOWN_MAX + 1}")):
            invariant.found(violation)
