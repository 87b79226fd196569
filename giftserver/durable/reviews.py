"""Payments that a person has to look at, and what was decided: kept for good, and never asked about the same twice."""

from datetime import timedelta
from typing import Any, Final

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
from giftserver.durable.payment_tables import payment, payment_step
from giftserver.durable.payments import add_step
from giftserver.durable.tables import metadata
from giftserver.recharge.states import State

SOURCE: Final = "operator"
GOES_BACK: Final = "to be given back after a review"
GIVEN_BACK: Final = "given back after a review: "
NOT_GIVEN_BACK: Final = "giving it back did not work"
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
    """Whether somebody has looked at this very trouble of a payment, and decided other than to credit."""
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


async def was_promised_back(connection: AsyncConnection, id: str) -> bool:
    """Whether somebody decided that this payment's money goes back: then it is never credited."""
    columns = payment_review.c
    return bool(await connection.scalar(select(exists().where(columns.payment == id, columns.decision == "refund"))))


async def promise_back(engine: AsyncEngine, id: str, review: str, reason: str, by: Actor) -> int | None:
    """Keep, before its money goes back, that a payment in review is never credited; how often giving back was tried.

    None when it was credited, or is marked for something else by now. Each person is on record once. Raises OwnAffair
    for who bought.
    """
    columns = payment_review.c
    async with engine.begin() as connection:
        row = (await connection.execute(select(payment).where(payment.c.id == id).with_for_update())).one()
        check_other(by, row.user_id)
        if row.transfer is not None or row.review != review:
            return None
        mine = exists().where(columns.payment == id, columns.decision == "refund", columns.by_user == by.id)
        if not await connection.scalar(select(mine)):
            await _keep(connection, id, review, "refund", reason, by)
            await add_step(connection, id, row.state, SOURCE, GOES_BACK)
        steps = payment_step.c
        ended = (steps.detail == NOT_GIVEN_BACK) | steps.detail.startswith(GIVEN_BACK)
        tries = select(func.count()).where(steps.payment == id, steps.source == SOURCE, ended)
        return int(await connection.scalar(tries) or 0)


async def tell_not_given_back(engine: AsyncEngine, id: str) -> None:
    """Write down that a provider could not give a payment's money back: the next try is a new one for it."""
    async with engine.begin() as connection:
        row = (await connection.execute(select(payment).where(payment.c.id == id).with_for_update())).one()
        await add_step(connection, id, row.state, SOURCE, NOT_GIVEN_BACK)


async def settle_review(
    engine: AsyncEngine, id: str, review: str, decision: str, reason: str, by: Actor, given_back: str = ""
) -> bool:
    """Take the mark from a payment, and keep who decided what; false when that is not right any more.

    `given_back`: what the provider has paid back, "143 USD": only then is the payment called refunded. Raises OwnAffair
    for who bought.
    """
    async with engine.begin() as connection:
        row = (await connection.execute(select(payment).where(payment.c.id == id).with_for_update())).one()
        check_other(by, row.user_id)
        if row.review != review:  # meanwhile it is marked for something else
            return False
        nothing_moves = decision == "close" and row.transfer is None and not given_back
        if nothing_moves and (row.state == State.SUCCEEDED or await was_promised_back(connection, id)):
            return False
        changes: dict[str, Any] = {"review": None, "updated_at": func.now()}
        if given_back:  # asked about again all the same: it may come back to the provider
            later = func.now() + timedelta(hours=1)
            changes |= {"state": State.REFUNDED, "promotion_held": False, "ask_again_at": later}
            await add_step(connection, id, State.REFUNDED, SOURCE, f"{GIVEN_BACK}{given_back} in minor units")
        if decision != "refund":  # that was kept before the money went
            await _keep(connection, id, review, decision, reason, by)
        await connection.execute(update(payment).where(payment.c.id == id).values(changes))
        await add_step(connection, id, changes.get("state", row.state), SOURCE, DECIDED)
        return True


async def _keep(connection: AsyncConnection, id: str, review: str, decision: str, reason: str, by: Actor) -> None:
    """Write down a decision, for good; the payment's row is locked."""
    next_n = select(func.coalesce(func.max(payment_review.c.n), 0) + 1).where(payment_review.c.payment == id)
    values = {
        "payment": id, "n": next_n.scalar_subquery(), "review": review, "decision": decision, "reason": reason,
        "by_user": by.id,
    }  # fmt: skip
    await connection.execute(insert(payment_review).values(values))
    await log_act(connection, Act(by, f"review_{decision}", "payment", id, reason))
