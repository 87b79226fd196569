"""What a creator earned, by day, and what of it is still in the account."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.tables import account, gift_day


@dataclass(frozen=True, slots=True)
class Earnings:
    """Settled diamonds: all ever earned, what is in the account now, and the sums of UTC days, newest first.

    Gifts that were given back count nowhere, nor what was taken back for a purchase that was charged back.
    """

    earned_diamonds: int
    balance_diamonds: int
    days: list[tuple[date, int]]


async def earnings_of(engine: AsyncEngine, creator: str, since: date) -> Earnings:
    """The creator's earnings in one snapshot; days from `since` on that have any."""
    kept = gift_day.c.diamonds - gift_day.c.refunded_diamonds - gift_day.c.clawed_diamonds
    earned = select(func.coalesce(func.sum(kept), 0)).where(gift_day.c.creator == creator)
    balance = select(func.coalesce(func.sum(account.c.balance), 0)).where(
        account.c.kind == "earnings", account.c.owner == creator, account.c.asset == "diamonds"
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
        left = int(await connection.scalar(balance) or 0)
        rows = (await connection.execute(days)).all()
    return Earnings(total, left, [(day, int(diamonds)) for day, diamonds in rows])
