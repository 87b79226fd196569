"""What a creator earned, by day, what of it is still in the account, and what of that can be paid out."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.tables import account, gift_day

PENDING_DAYS: Final = 14
"""Diamonds become a creator's for good this many days after the UTC day they were earned on."""

# One statement, so one snapshot.
STANDING: Final = text("""
    SELECT coalesce(sum(balance) FILTER (WHERE kind = 'earnings'), 0)::bigint AS balance,
        coalesce(sum(balance) FILTER (WHERE kind = 'payout_held'), 0)::bigint AS held, (
            SELECT coalesce(sum(diamonds - refunded_diamonds - clawed_diamonds), 0)::bigint FROM gift_day
            WHERE creator = :user AND day > (clock_timestamp() AT TIME ZONE 'UTC')::date - CAST(:days AS integer)
        ) AS pending
    FROM account WHERE owner = :user AND asset = 'diamonds' AND kind IN ('earnings', 'payout_held')
""")


@dataclass(frozen=True, slots=True)
class Earnings:
    """Settled diamonds: all ever earned, what is in the account now, what is set aside for payouts on their way, and
    the sums of UTC days, newest first.

    Gifts that were given back count nowhere, nor what was taken back for a purchase that was charged back.
    """

    earned_diamonds: int
    balance_diamonds: int
    held_diamonds: int
    days: list[tuple[date, int]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A creator's diamonds: in the account, of these earned lately and pending, and set aside for payouts."""

    balance: int
    pending: int
    held: int

    @property
    def available(self) -> int:
        """What can be paid out."""
        return max(0, self.balance - self.pending)


async def standing_of(connection: AsyncConnection, user: str) -> Standing:
    """A creator's diamonds now, by the database's clock.

    With the account's row locked nothing is earned, given back or clawed back meanwhile: whoever does that writes the
    day and the account in one transaction.
    """
    row = (await connection.execute(STANDING, {"user": user, "days": PENDING_DAYS})).one()
    return Standing(row.balance, row.pending, row.held)


async def earnings_of(engine: AsyncEngine, creator: str, since: date) -> Earnings:
    """The creator's earnings in one snapshot; days from `since` on that have any."""
    kept = gift_day.c.diamonds - gift_day.c.refunded_diamonds - gift_day.c.clawed_diamonds
    earned = select(func.coalesce(func.sum(kept), 0)).where(gift_day.c.creator == creator)
    balances = select(account.c.kind, account.c.balance).where(
        account.c.kind.in_(("earnings", "payout_held")), account.c.owner == creator, account.c.asset == "diamonds"
    )
    days = (
        select(gift_day.c.day, func.sum(kept))
        .where(gift_day.c.creator == creator, gift_day.c.day >= since)
        .group_by(gift_day.c.day)
        .having(func.sum(kept) > 0)
        .order_by(gift_day.c.day.desc())
    )
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="REPEATABLE READ")
        total = int(await connection.scalar(earned) or 0)
        left = {row.kind: int(row.balance) for row in await connection.execute(balances)}
        rows = (await connection.execute(days)).all()
    return Earnings(
        total, left.get("earnings", 0), left.get("payout_held", 0), [(day, int(diamonds)) for day, diamonds in rows]
    )
