"""Disputes of everybody, for operators: how each stands, and who bears what of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import case, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.claim_tables import claim
from giftserver.durable.payment_tables import payment

PAGE_MAX: Final = 100

Standing = Literal["open", "won", "lost"]
"""`open`: not decided by the bank, or not booked yet."""


@dataclass(frozen=True, slots=True)
class DisputeRecord:
    """A dispute and its payment's buyer; amounts in minor units, coins, diamonds. What is repaid was owed before."""

    id: str
    payment: str
    user: str
    currency: str
    reason: str
    state: str
    amount_minor: int
    coins: int
    frozen_coins: int
    owed_coins: int
    repaid_coins: int
    clawed_diamonds: int
    lost_diamonds: int
    opened_at: datetime
    changed_at: datetime


async def find_disputes(
    engine: AsyncEngine, standing: Standing | None, before: str | None, limit: int
) -> list[DisputeRecord]:
    """Disputes, newest first, after the one with the id `before`; none when there is no such one."""
    own = claim.c
    state = case(  # of a payment that was never credited nothing is booked: what the provider says counts
        (payment.c.transfer.is_(None) & own.wanted.in_(("won", "lost")), own.wanted), else_=own.state
    )
    query = (
        select(
            own.id, own.payment, payment.c.user_id.label("user"), payment.c.currency, own.reason,
            state.label("state"),
            own.amount_minor, own.coins, own.frozen_coins, own.owed_coins, own.repaid_coins, own.clawed_diamonds,
            own.lost_diamonds, own.opened_at, own.changed_at,
        )
        .join(payment, payment.c.id == own.payment)
        .where(own.kind == "dispute")
        .order_by(own.opened_at.desc(), own.id.desc())
        .limit(max(1, min(limit, PAGE_MAX)))
    )  # fmt: skip
    if standing == "open":
        query = query.where(state.not_in(("won", "lost")))
    elif standing is not None:
        query = query.where(state == standing)
    if before is not None:
        last = claim.alias("last")
        place = select(last.c.opened_at, last.c.id).where(last.c.id == before).scalar_subquery()
        query = query.where(tuple_(own.opened_at, own.id) < place)
    async with engine.connect() as connection:
        return [DisputeRecord(**row._mapping) for row in await connection.execute(query)]
