"""Payments in PostgreSQL: made once for each key, and read. `payment_moves.py` has what changes them."""

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import exists, func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.bought import check_order
from giftserver.durable.limits import IN_TURN as ORDERS_IN_TURN
from giftserver.durable.payment_tables import payment, payment_step
from giftserver.ledger.limits import NONE
from giftserver.recharge.prices import Promotion
from giftserver.recharge.states import OPEN, UNPAID, State

PAGE_MAX: Final = 100
ID: Final = re.compile(r"pay_[0-9a-f]{32}")
"""What the ids of payments look like."""

LIFE_S: Final = 1_800
"""So long somebody may take to pay."""

# A promotion that all people together may use so many times is counted by one order after the other.
IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('promotion:' || :promotion, 0))")

# A person's orders take promotions one after the other, too.
PERSON_IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('promotions of:' || :user, 0))")

UNPAID_MAX: Final = 20
"""Orders that one person made within an hour and has not paid; more are not made."""


class TooManyOrders(Exception):
    """This person has UNPAID_MAX orders open already. Nothing was made."""


class PromotionTaken(Exception):
    """The promotion has been used: by this person, or as often as it may be by all. Nothing was made."""


@dataclass(frozen=True, slots=True)
class NewPayment:
    """The terms of an order; they never change."""

    user: str
    key: str
    request_hash: str
    provider: str
    coins: int
    bonus_coins: int
    pack: str | None
    amount_minor: int
    currency: str
    country: str
    price_version: int
    promotion: Promotion | None


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """A payment as stored; times are UTC, amounts minor units of `currency`."""

    id: str
    user_id: str
    key: str
    request_hash: str
    provider: str
    provider_ref: str | None
    checkout_url: str | None
    method: str | None
    state: State
    coins: int
    bonus_coins: int
    pack: str | None
    amount_minor: int
    currency: str
    country: str
    price_version: int
    promotion: str | None
    promotion_held: bool
    first_purchase: bool
    promotion_uses_max: int | None
    decline: str | None
    review: str | None
    transfer: int | None
    expires_at: datetime
    asked_at: datetime | None
    ask_again_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a payment; `source` is who told: buyer, provider, reconciler."""

    state: str
    source: str
    detail: str
    at: datetime


def new_id() -> str:
    """An id whose order is that of time."""
    return f"pay_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def record_of(row: Any) -> PaymentRecord:
    """A row of the table as a record."""
    return PaymentRecord(**{**row._mapping, "state": State(row.state)})


async def create_payment(
    engine: AsyncEngine, new: NewPayment, day_default: int = NONE, first_day: int = NONE
) -> tuple[PaymentRecord, bool]:
    """The payment of this user's key, and whether it was made now. Raises PromotionTaken, TooManyOrders, LimitPassed.

    The caller compares `request_hash`: the key may stand for another order.
    """
    async with engine.begin() as connection:
        await connection.execute(ORDERS_IN_TURN, {"user": new.user})  # first, so that the key's own order is seen
        known = await _by_key(connection, new.user, new.key)
        if known is not None:
            return known, False
        if await _unpaid(connection, new.user) >= UNPAID_MAX:
            raise TooManyOrders
        await check_order(connection, new.user, new.coins, day_default, first_day)
        if new.promotion is not None:
            await _check_promotion(connection, new.user, new.promotion)
        values = {
            "id": new_id(), "user_id": new.user, "key": new.key, "request_hash": new.request_hash,
            "provider": new.provider, "coins": new.coins, "bonus_coins": new.bonus_coins, "pack": new.pack,
            "amount_minor": new.amount_minor, "currency": new.currency, "country": new.country,
            "price_version": new.price_version, "promotion": new.promotion.id if new.promotion else None,
            "promotion_held": new.promotion is not None,
            "first_purchase": new.promotion is not None and new.promotion.first_purchase,
            "promotion_uses_max": new.promotion.uses_max if new.promotion else None,
            "expires_at": datetime.now(UTC) + timedelta(seconds=LIFE_S),
        }  # fmt: skip
        made = await connection.execute(
            postgresql.insert(payment).values(values).on_conflict_do_nothing().returning(payment)
        )
        row = made.one_or_none()
        if row is not None:
            await add_step(connection, row.id, State.CREATED, "buyer")
            return record_of(row), True
        known = await _by_key(connection, new.user, new.key)  # made by another process just now
        if known is None:
            raise PromotionTaken
        return known, False


async def _by_key(connection: AsyncConnection, user: str, key: str) -> PaymentRecord | None:
    query = select(payment).where(payment.c.user_id == user, payment.c.key == key)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else record_of(row)


async def _unpaid(connection: AsyncConnection, user: str) -> int:
    query = select(func.count()).where(
        payment.c.user_id == user, payment.c.state.in_(UNPAID), payment.c.created_at > func.now() - timedelta(hours=1)
    )
    return int(await connection.scalar(query) or 0)


async def _check_promotion(connection: AsyncConnection, user: str, promotion: Promotion) -> None:
    await one_by_one(connection, user)
    if promotion.first_purchase and await has_bought(connection, user):
        raise PromotionTaken
    if promotion.uses_max is not None and await used_up(connection, promotion.id, promotion.uses_max):
        raise PromotionTaken


async def one_by_one(connection: AsyncConnection, user: str) -> None:
    """Let no other order of this person take a promotion until the caller is done."""
    await connection.execute(PERSON_IN_TURN, {"user": user})


async def used_up(connection: AsyncConnection, promotion: str, uses_max: int) -> bool:
    """Whether all people together hold or used a promotion so often; nobody else takes it until the caller is done."""
    await connection.execute(IN_TURN, {"promotion": promotion})
    uses = select(func.count()).where(payment.c.promotion == promotion, payment.c.promotion_held)
    return (await connection.scalar(uses) or 0) >= uses_max


async def has_bought(connection: AsyncConnection, user: str) -> bool:
    """Whether this person ever got coins for money."""
    return bool(
        await connection.scalar(select(exists().where(payment.c.user_id == user, payment.c.transfer.is_not(None))))
    )


async def promotions_used(engine: AsyncEngine, user: str) -> tuple[bool, set[str]]:
    """Whether this person ever bought, and the promotions they have used; an unpaid order gives its own back.

    Who has an order on its way that is a first purchase has bought, as far as promotions go.
    """
    query = select(payment.c.promotion, payment.c.first_purchase).where(
        payment.c.user_id == user,
        payment.c.promotion_held,
        payment.c.state.not_in(UNPAID) | payment.c.review.is_not(None),
    )
    async with engine.connect() as connection:
        used = (await connection.execute(query)).all()
        bought = any(row.first_purchase for row in used) or await has_bought(connection, user)
    return bought, {row.promotion for row in used}


async def uses_of(engine: AsyncEngine, promotions: Sequence[str]) -> dict[str, int]:
    """How often these promotions are held or used, by all people together."""
    query = (
        select(payment.c.promotion, func.count().label("uses"))
        .where(payment.c.promotion.in_(promotions), payment.c.promotion_held)
        .group_by(payment.c.promotion)
    )
    async with engine.connect() as connection:
        return {row.promotion: row.uses for row in await connection.execute(query)}


async def holder_of(engine: AsyncEngine, user: str, promotion: Promotion) -> PaymentRecord | None:
    """This person's payment that has the promotion, or else, of one for a first purchase, another such promotion."""
    same = payment.c.promotion == promotion.id
    instead = payment.c.first_purchase if promotion.first_purchase else same
    query = (
        select(payment)
        .where(payment.c.user_id == user, payment.c.promotion_held, same | instead)
        .order_by(same.desc())
        .limit(1)
    )
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else record_of(row)


async def payment_by_id(engine: AsyncEngine, id: str) -> PaymentRecord | None:
    """One payment."""
    async with engine.connect() as connection:
        row = (await connection.execute(select(payment).where(payment.c.id == id))).one_or_none()
    return None if row is None else record_of(row)


async def payment_by_key(engine: AsyncEngine, user: str, key: str) -> PaymentRecord | None:
    """What a key of this user stands for."""
    async with engine.connect() as connection:
        return await _by_key(connection, user, key)


async def payments_of(engine: AsyncEngine, user: str, before: str | None, limit: int) -> list[PaymentRecord]:
    """A person's payments, newest first, those older than the one `before`."""
    query = select(payment).where(payment.c.user_id == user).order_by(payment.c.created_at.desc(), payment.c.id.desc())
    if before is not None:
        older = select(payment.c.created_at).where(payment.c.id == before).scalar_subquery()
        query = query.where(payment.c.created_at < older)
    async with engine.connect() as connection:
        return [record_of(row) for row in await connection.execute(query.limit(max(1, min(limit, PAGE_MAX))))]


async def find_payments(
    engine: AsyncEngine, user: str | None, state: State | None, *, review: bool, before: str | None, limit: int
) -> list[PaymentRecord]:
    """Payments of everybody, newest first: of one person, in one state, or only those that wait for a look."""
    query = select(payment).order_by(payment.c.id.desc()).limit(max(1, min(limit, PAGE_MAX)))
    if user is not None:
        query = query.where(payment.c.user_id == user)
    if state is not None:
        query = query.where(payment.c.state == state)
    if review:
        query = query.where(payment.c.review.is_not(None))
    if before is not None:
        query = query.where(payment.c.id < before)
    async with engine.connect() as connection:
        return [record_of(row) for row in await connection.execute(query)]


async def steps_of(engine: AsyncEngine, id: str) -> list[Step]:
    """What happened to a payment, in order."""
    query = select(payment_step).where(payment_step.c.payment == id).order_by(payment_step.c.n)
    async with engine.connect() as connection:
        return [Step(row.state, row.source, row.detail, row.at) for row in await connection.execute(query)]


async def open_payments(engine: AsyncEngine, quiet_s: float, limit: int) -> list[PaymentRecord]:
    """Payments that nothing was heard of for so long, the longest first; each is given once in that time."""
    quiet = func.now() - timedelta(seconds=quiet_s)
    chosen = (
        select(payment.c.id)
        .where(
            payment.c.state.in_(OPEN), payment.c.updated_at < quiet, func.coalesce(payment.c.asked_at, quiet) <= quiet
        )
        .order_by(payment.c.updated_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = update(payment).where(payment.c.id.in_(chosen)).values(asked_at=func.now()).returning(payment)
    async with engine.begin() as connection:
        return [record_of(row) for row in await connection.execute(taken)]


async def may_ask(engine: AsyncEngine, id: str, every_s: float) -> float:
    """Whether a buyer may have the provider asked about a payment now: 0, or how many seconds it is too early.

    Whichever process is asked, one question goes out in that time; the reconciler's counts as well.
    """
    every = timedelta(seconds=every_s)
    taken = (
        update(payment)
        .where(payment.c.id == id, func.coalesce(payment.c.asked_at, func.now() - every) <= func.now() - every)
        .values(asked_at=func.now())
    )
    left = select(func.extract("epoch", payment.c.asked_at + every - func.now())).where(payment.c.id == id)
    async with engine.begin() as connection:
        if (await connection.execute(taken)).rowcount:
            return 0.0
        return min(every_s, max(0.1, float(await connection.scalar(left) or 0)))  # the other may have begun later


# Half of its age after the last time, an hour at least, so about ten times in the half year of a dispute.
ASK_AGAIN: Final = text("""
    UPDATE payment SET ask_again_at = CASE WHEN created_at > now() - interval '180 days'
        THEN now() + greatest((now() - created_at) / 2, interval '1 hour') END
    WHERE id IN (SELECT id FROM payment WHERE ask_again_at <= now() ORDER BY ask_again_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
    RETURNING *
""")


async def payments_to_ask_again(engine: AsyncEngine, limit: int) -> list[PaymentRecord]:
    """Credited payments to ask about once more, each given to one asker, and when it is asked the next time."""
    async with engine.begin() as connection:
        return [record_of(row) for row in await connection.execute(ASK_AGAIN, {"limit": limit})]


async def ask_soon(connection: AsyncConnection, id: str, wait_s: float = 0.0) -> None:
    """Have the provider of a credited payment asked again, in the caller's transaction, whatever was planned."""
    soon = func.now() + timedelta(seconds=wait_s)
    await connection.execute(update(payment).where(payment.c.id == id).values(ask_again_at=soon))


async def put_off_asking(engine: AsyncEngine, id: str, wait_s: float) -> None:
    """The provider gave no answer about a credited payment: ask again after so long."""
    async with engine.begin() as connection:
        await ask_soon(connection, id, wait_s)


async def paid_uncredited(engine: AsyncEngine, after_s: float) -> int:
    """Payments whose money is at the provider for so long, and whose coins are not booked."""
    since = func.now() - timedelta(seconds=after_s)
    query = select(func.count()).where(payment.c.state == State.SUCCEEDED, payment.c.updated_at < since)
    async with engine.connect() as connection:
        return int(await connection.scalar(query) or 0)


async def add_step(connection: AsyncConnection, id: str, state: str, source: str, detail: str = "") -> None:
    """Write down what happened; the payment's row is locked, or was made in this transaction."""
    next_n = select(func.coalesce(func.max(payment_step.c.n), 0) + 1).where(payment_step.c.payment == id)
    await connection.execute(
        insert(payment_step).values(payment=id, n=next_n.scalar_subquery(), state=state, source=source, detail=detail)
    )
