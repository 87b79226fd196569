"""What is known about the subject of a report when it is made: facts of the book, with ids and no names."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.case_tables import live_ban
from giftserver.durable.claim_tables import claim, claim_gift, wallet_hold
from giftserver.durable.history import at_ms, public_transfer
from giftserver.durable.lots import lot_of
from giftserver.durable.payment_story import ClaimStory, PaymentStory, payment_story
from giftserver.durable.payment_tables import payment
from giftserver.durable.tables import account, gift_day, room, transfer

GIFT: Final = re.compile(r"(\d{2})-([1-9]\d{0,4})-([1-9]\d{0,12})")
"""What the public ids of gifts look like."""

LISTED_MAX: Final = 100
RECENT_DAYS: Final = 30

RECENT_GIFTS: Final = text("""
    SELECT count(*) AS gifts, coalesce(sum(coins), 0)::bigint AS coins, count(DISTINCT creator) AS creators
    FROM transfer WHERE sender = :user AND kind = 'gift' AND event_at > :since
""")


async def payment_facts(engine: AsyncEngine, id: str) -> dict[str, Any]:
    """A payment's story, and what became of the coins it bought. Raises LookupError when there is none."""
    told = await payment_story(engine, id)
    if told is None:
        raise LookupError(f"there is no payment {id}")
    facts = _payment(told)
    number = told.payment.transfer
    if number is not None:
        async with engine.connect() as connection:
            lot = await lot_of(connection, told.payment.user_id, number)
            facts["unspent_coins"] = max(0, lot.left)
            facts["gifts"] = await _gifts(connection, lot.gifts)
            facts["gifts_in_all"] = len(lot.gifts)
    return facts


def _payment(told: PaymentStory) -> dict[str, Any]:
    paid = told.payment
    steps = [{"state": s.state, "source": s.source, "detail": s.detail, "at_ms": at_ms(s.at)} for s in told.steps]
    return {
        "state": paid.state.value, "provider": paid.provider, "amount_minor": paid.amount_minor,
        "currency": paid.currency, "coins": paid.coins, "bonus_coins": paid.bonus_coins, "country": paid.country,
        "created_at_ms": at_ms(paid.created_at), "in_review": paid.review is not None,
        "steps": steps[-LISTED_MAX:], "claims": [_claim(one) for one in told.claims],
    }  # fmt: skip


def _claim(told: ClaimStory) -> dict[str, Any]:
    return {
        "id": told.id, "kind": told.kind, "state": told.state, "amount_minor": told.amount_minor, "coins": told.coins,
        "frozen_coins": told.frozen_coins, "owed_coins": told.owed_coins,
    }  # fmt: skip


async def _gifts(connection: AsyncConnection, coins: dict[int, int]) -> list[dict[str, Any]]:
    """The last gifts that took coins of a purchase, and how many."""
    wanted = sorted(coins)[-LISTED_MAX:]
    query = select(transfer).where(transfer.c.id.in_(wanted)).order_by(transfer.c.event_at)
    return [
        {"transfer": public_transfer(row), "creator": row.creator, "room": row.room, "gift": row.gift,
         "coins_of_it": coins[row.id], "at_ms": at_ms(row.event_at)}
        for row in await connection.execute(query)
    ]  # fmt: skip


async def find_gift(engine: AsyncEngine, public: str) -> Any | None:
    """The booked gift of a public id such as `07-1-12`, None when PostgreSQL has none."""
    numbers = GIFT.fullmatch(public)
    if numbers is None:
        return None
    shard, epoch, seq = map(int, numbers.groups())
    if shard > 15 or epoch > 32_767 or seq >= 2**40:
        return None
    columns = transfer.c
    id = (shard + 1 << 55) + (epoch << 40) + seq
    async with engine.connect() as connection:
        found = await connection.execute(select(transfer).where(columns.id == id, columns.kind == "gift"))
        return found.one_or_none()


async def gift_facts(engine: AsyncEngine, gift: Any) -> dict[str, Any]:
    """A gift as it was booked, whether it was given back, and what claims took of it."""
    refund = select(transfer.c.event_at).where(transfer.c.reverses == gift.id)
    claims = (
        select(claim.c.id, claim.c.state, claim_gift.c.coins, claim_gift.c.diamonds)
        .join_from(claim_gift, claim, claim.c.id == claim_gift.c.claim)
        .where(claim_gift.c.gift == gift.id)
        .limit(LISTED_MAX)
    )
    async with engine.connect() as connection:
        refunded = (await connection.execute(refund)).scalar_one_or_none()
        reached = [dict(row._mapping) for row in await connection.execute(claims)]
    return {
        "sender": gift.sender, "creator": gift.creator, "room": gift.room, "gift": gift.gift,
        "quantity": gift.quantity, "coins": gift.coins, "diamonds": gift.diamonds, "note": gift.note,
        "at_ms": at_ms(gift.event_at), "refunded_at_ms": at_ms(refunded) if refunded else None, "claims": reached,
    }  # fmt: skip


async def user_facts(engine: AsyncEngine, user: str) -> dict[str, Any]:
    """What somebody sent, earned and bought in the last days, what is on their wallet now, and what they may not do."""
    since = datetime.now(UTC) - timedelta(days=RECENT_DAYS)
    day = gift_day.c
    got = select(
        func.coalesce(func.sum(day.gifts), 0), func.coalesce(func.sum(day.coins), 0),
        func.coalesce(func.sum(day.refunded_gifts), 0),
    ).where(day.creator == user, day.day > since.date())  # fmt: skip
    orders = (
        select(payment.c.state, func.count())
        .where(payment.c.user_id == user, payment.c.created_at > since)
        .group_by(payment.c.state)
    )
    disputes = select(func.count()).where(claim.c.payment == payment.c.id, payment.c.user_id == user)
    holds = select(wallet_hold.c.reason).where(wallet_hold.c.user_id == user, wallet_hold.c.released_at.is_(None))
    bans = select(live_ban.c.reason).where(live_ban.c.user_id == user, live_ban.c.lifted_at.is_(None))
    balances = select(account.c.kind, account.c.balance).where(account.c.owner == user)
    async with engine.connect() as connection:
        sent = (await connection.execute(RECENT_GIFTS, {"user": user, "since": since})).one()
        gifts, coins, refunded = (await connection.execute(got)).one()
        bought = {row[0]: row[1] for row in await connection.execute(orders)}
        claims = int(await connection.scalar(disputes.where(claim.c.kind == "dispute")) or 0)
        held = list((await connection.execute(holds.limit(LISTED_MAX))).scalars())
        banned = list((await connection.execute(bans.limit(LISTED_MAX))).scalars())
        has = {row.kind: row.balance for row in await connection.execute(balances)}
    return {
        "days": RECENT_DAYS, "gifts_sent": sent.gifts, "coins_sent": sent.coins, "creators": sent.creators,
        "gifts_got": int(gifts), "coins_got": int(coins), "gifts_given_back": int(refunded),
        "orders": bought, "disputes_ever": claims, "holds": held, "bans": banned,
        "balances": has,
    }  # fmt: skip


async def is_known(engine: AsyncEngine, user: str) -> bool:
    """Whether the book or a room knows this person."""
    known = or_(
        exists().where(account.c.owner == user, account.c.kind.in_(("wallet", "earnings"))),
        exists().where(room.c.creator == user),
        exists().where(payment.c.user_id == user),
    )
    async with engine.connect() as connection:
        return bool(await connection.scalar(select(known)))
