"""Giving a gift back: a transfer that reverses it, entry by entry, and a credit that takes the coins to the wallet.

One transaction each, once for each gift: the row of `refund_due` is locked, and a transfer is reversed at most once.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.bookkeeping import DIAMONDS_ISSUED, GIFTS_SPENT, Name, earnings, wallet
from giftserver.durable.clawed import in_turn, return_clawed
from giftserver.durable.credits import add_to_outbox
from giftserver.durable.history import public_transfer
from giftserver.durable.posting import post
from giftserver.durable.tables import refund_due

PAGE: Final = 200

LOCK: Final = text("""
    SELECT t.*, d.reason FROM refund_due AS d JOIN transfer AS t ON t.id = d.gift
    WHERE d.gift = :gift AND d.refund IS NULL FOR UPDATE OF d
""")

# Before the accounts, as the flusher does: of the same shard it holds these rows when it waits for accounts.
DAY: Final = text("""
    UPDATE gift_day SET refunded_gifts = refunded_gifts + 1, refunded_coins = refunded_coins + :coins,
        refunded_diamonds = refunded_diamonds + :diamonds
    WHERE creator = :creator AND day = (CAST(:at AS timestamptz) AT TIME ZONE 'UTC')::date AND room = :room
        AND shard = :shard
""")

REFUND: Final = text("""
    INSERT INTO transfer
        (kind, sender, room, creator, gift, quantity, coins, diamonds, note, reference, reverses, event_at)
    SELECT 'refund', sender, room, creator, gift, quantity, coins, diamonds, :reason, :reference, id, now()
    FROM transfer WHERE id = :gift RETURNING id
""")

LATELY: Final = text("""
    SELECT t.id, t.shard, t.epoch, t.seq FROM refund_due AS d JOIN transfer AS t ON t.id = d.gift
    WHERE d.refund IS NOT NULL AND d.asked_at > now() - interval '1 day' AND t.room = :room
    ORDER BY t.event_at DESC LIMIT :limit
""")

DONE: Final = text("UPDATE refund_due SET refund = :transfer WHERE gift = :gift")


@dataclass(frozen=True, slots=True)
class Refund:
    """A gift that was given back: `gift` is its public transfer, `transfer` the one that reversed it."""

    transfer: int
    gift: str
    room: str
    sender: str
    coins: int
    diamonds: int
    reason: str


async def due_refunds(engine: AsyncEngine, after: int = 0, limit: int = PAGE) -> list[int]:
    """Transfer numbers of gifts to give back that come after `after`, in order."""
    query = (
        select(refund_due.c.gift)
        .where(refund_due.c.refund.is_(None), refund_due.c.gift > after)
        .order_by(refund_due.c.gift)
        .limit(limit)
    )
    async with engine.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def refund_gift(engine: AsyncEngine, gift: int) -> Refund | None:
    """Give a gift back that is due; None when that was done already.

    Raises SQLAlchemy's errors: IntegrityError when the creator does not have the diamonds any more, or the wallet would
    pass its limit. Then nothing is changed and the gift stays due.
    """
    async with engine.begin() as connection:
        row = (await connection.execute(LOCK, {"gift": gift})).one_or_none()
        if row is None:
            return None
        await in_turn(connection, row.sender)
        name = public_transfer(row)
        values = {"gift": gift, "coins": row.coins, "diamonds": row.diamonds, "creator": row.creator}
        await return_clawed(connection, row, name)
        await connection.execute(DAY, {**values, "at": row.event_at, "room": row.room, "shard": row.shard})
        asked = {"gift": gift, "reason": row.reason, "reference": f"refund:{name}"}
        number = (await connection.execute(REFUND, asked)).scalar_one()
        await _reverse(connection, number, row)
        await add_to_outbox(connection, row.sender, number, row.coins)
        await connection.execute(DONE, {"gift": gift, "transfer": number})
    return Refund(number, name, row.room, row.sender, row.coins, row.diamonds, row.reason)


async def refunded_lately(engine: AsyncEngine, room: str, limit: int = PAGE) -> list[str]:
    """Public transfers of the room's gifts that were given back within a day, newest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(LATELY, {"room": room, "limit": limit})
        return [public_transfer(row) for row in rows]


async def _reverse(connection: AsyncConnection, number: int, gift: Any) -> None:
    """The gift's entries with the opposite sign, in the same order."""
    amounts: list[tuple[Name, int]] = [(wallet(gift.sender), gift.coins), (GIFTS_SPENT, -gift.coins)]
    if gift.diamonds:
        amounts += [(DIAMONDS_ISSUED, gift.diamonds), (earnings(gift.creator), -gift.diamonds)]
    await post(connection, number, amounts)
