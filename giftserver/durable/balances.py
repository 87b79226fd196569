"""What the book has on the clearing accounts of a provider: in all, and of what was ordered in a time.

Payments and payouts to creators are compared in the same way: the provider knows both by our id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, text, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payment_tables import payment
from giftserver.durable.payout_tables import payout
from giftserver.durable.tables import account

# By the references of the transfers that book a payment, and its claims; or a payout.
BOOKED: Final = text("""
    WITH asked AS (
        SELECT id, currency, updated_at, false AS review FROM payment
        WHERE provider = :provider AND created_at >= :since AND created_at < :until
        UNION ALL SELECT id, currency, updated_at, review IS NOT NULL FROM payout
        WHERE provider = :provider AND created_at >= :since AND created_at < :until
    ), named AS (
        SELECT asked.id AS payment, step.name || asked.id AS reference
        FROM asked CROSS JOIN (VALUES ('recharge:'), ('payout-paid:'), ('payout-returned:')) AS step (name)
        UNION ALL SELECT c.payment, step.name || c.id
        FROM claim AS c JOIN asked ON asked.id = c.payment
        CROSS JOIN (VALUES ('claim-open:'), ('claim-lost:'), ('claim-won:')) AS step (name)
    ), moved AS (
        SELECT named.payment, a.asset, sum(e.amount)::bigint AS minor, max(t.posted_at) AS at
        FROM named JOIN transfer AS t ON t.reference = named.reference JOIN entry AS e ON e.transfer = t.id
        JOIN account AS a ON a.id = e.account AND a.kind = 'clearing' AND a.owner = :provider
        GROUP BY 1, 2
    )
    SELECT asked.id, coalesce(moved.asset, asked.currency) AS currency, coalesce(moved.minor, 0) AS minor,
        greatest(moved.at, asked.updated_at) AS at, asked.review
    FROM asked LEFT JOIN moved ON moved.payment = asked.id ORDER BY asked.id
""")


@dataclass(frozen=True, slots=True)
class BookedPayment:
    """What a payment and its claims, or a payout, moved on the clearing account, in minor units, and when that last
    changed. `review`: a person has to look at this payout.
    """

    payment: str
    currency: str
    minor: int
    changed_at: datetime
    review: bool


async def booked_payments(engine: AsyncEngine, provider: str, since: datetime, until: datetime) -> list[BookedPayment]:
    """Every payment and payout of a provider that was ordered in that time, paid or not."""
    values = {"provider": provider, "since": since, "until": until}
    async with engine.connect() as connection:
        return [BookedPayment(*row) for row in await connection.execute(BOOKED, values)]


async def known_payments(engine: AsyncEngine, provider: str, ids: list[str]) -> set[str]:
    """Which of these are payments or payouts of ours, by this provider."""
    query = union_all(
        *(select(one.c.id).where(one.c.provider == provider, one.c.id.in_(ids)) for one in (payment, payout))
    )
    async with engine.connect() as connection:
        return set((await connection.execute(query)).scalars())


async def clearing_balances(engine: AsyncEngine, provider: str) -> dict[str, int]:
    """Balance of each clearing account of a provider, in minor units by currency: what it owes us by the book."""
    query = select(account.c.asset, account.c.balance).where(
        account.c.kind == "clearing", account.c.owner == provider
    )  # fmt: skip
    async with engine.connect() as connection:
        return {row.asset: row.balance for row in await connection.execute(query)}
