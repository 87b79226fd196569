"""Payments that a person has to look at, and what was decided: kept for good, and never asked about the same twice."""

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Act, Actor, log_act
from giftserver.durable.own_affairs import check_other
from giftserver.durable.payment_tables import payment
from giftserver.durable.payments import add_step
from giftserver.durable.tables import metadata
from giftserver.recharge.states import State

SOURCE: Final = "operator"
GIVEN_BACK: Final = "given back after a review"
DECIDED: Final = "looked at by a person"

payment_review = Table(
    "payment_review",
    metadata,
    Column("payment", Text, ForeignKey("payment.id", name="payment_review_payment_fkey"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("review", Text, nullable=False),  # why it was looked at
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("payment", "n", name="payment_review_pkey"),
    CheckConstraint("decision IN ('credit', 'refund', 'close')", name="payment_review_decision"),
)


async def was_decided(connection: AsyncConnection, id: str, review: str) -> bool:
    """Whether somebody has looked at this very trouble of a payment, and settled it without crediting."""
    columns = payment_review.c
    known = exists().where(columns.payment == id, columns.review == review, columns.decision != "credit")
    return bool(await connection.scalar(select(known)))


async def last_decision(engine: AsyncEngine, id: str) -> str | None:
    """What was decided last about a payment."""
    query = (
        select(payment_review.c.decision)
        .where(payment_review.c.payment == id)
        .order_by(payment_review.c.n.desc())
        .limit(1)
    )
    async with engine.connect() as connection:
        found: str | None = await connection.scalar(query)
        return found


async def never_credit(engine: AsyncEngine, id: str) -> bool:
    """Say, before its money goes back, that a payment in review will never be credited; false when it was."""
    async with engine.begin() as connection:
        row = (await connection.execute(select(payment).where(payment.c.id == id).with_for_update())).one()
        if row.transfer is not None or row.review is None:
            return False
        if row.state != State.REFUNDED:
            values = {"state": State.REFUNDED, "promotion_held": False, "ask_again_at": None, "updated_at": func.now()}
            await connection.execute(update(payment).where(payment.c.id == id).values(values))
            await add_step(connection, id, State.REFUNDED, SOURCE, GIVEN_BACK)
        return True


async def settle_review(engine: AsyncEngine, id: str, review: str, decision: str, reason: str, by: Actor) -> bool:
    """Take the mark from a payment, and keep who decided what; false when it is marked for something else by now.

    Raises OwnAffair for who bought.
    """
    async with engine.begin() as connection:
        row = (await connection.execute(select(payment).where(payment.c.id == id).with_for_update())).one()
        check_other(by, row.user_id)
        paid = row.transfer is None and row.state == State.SUCCEEDED
        if row.review != review or (decision == "close" and paid):  # meanwhile
            return False
        next_n = select(func.coalesce(func.max(payment_review.c.n), 0) + 1).where(payment_review.c.payment == id)
        values = {
            "payment": id, "n": next_n.scalar_subquery(), "review": row.review, "decision": decision,
            "reason": reason, "by_user": by.id,
        }  # fmt: skip
        await connection.execute(insert(payment_review).values(values))
        await connection.execute(update(payment).where(payment.c.id == id).values(review=None, updated_at=func.now()))
        await add_step(connection, id, row.state, SOURCE, DECIDED)
        await log_act(connection, Act(by, f"review_{decision}", "payment", id, reason))
        return True
