"""Diamonds that lost claims took from a gift's creator, when the gift itself is given back.

Whoever gives a gift back takes all its diamonds from the creator. What a claim took of them before comes back first, so
nobody pays twice; the claim remembers only what is still taken, or lost, because of it.
"""

from typing import Any, Final

from sqlalchemy import func, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.bookkeeping import DIAMONDS_ISSUED, GIFTS_SPENT, earnings, wallet
from giftserver.durable.posting import lock_accounts, post
from giftserver.durable.tables import transfer

# Claims and refunds of one sender's gifts read what the other has done: one after the other.
IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('spent:' || :user, 0))")

# Share of the gift's diamonds that a claim reached, of which it took some; the rest was the platform's loss.
REACHED: Final = text("""
    SELECT g.claim, g.diamonds AS clawed, t.diamonds * g.coins / t.coins - g.diamonds AS lost
    FROM claim_gift AS g JOIN claim AS c ON c.id = g.claim JOIN transfer AS t ON t.id = g.gift
    WHERE g.gift = :gift ORDER BY g.claim FOR UPDATE OF c
""")

FORGET: Final = text("UPDATE claim_gift SET diamonds = 0 WHERE gift = :gift")
LESS: Final = text("""
    UPDATE claim SET clawed_diamonds = clawed_diamonds - :clawed, lost_diamonds = lost_diamonds - :lost
    WHERE id = :claim
""")
DAY: Final = text("""
    UPDATE gift_day SET clawed_diamonds = clawed_diamonds - :clawed
    WHERE creator = :creator AND day = (CAST(:at AS timestamptz) AT TIME ZONE 'UTC')::date AND room = :room
        AND shard = :shard
""")


async def in_turn(connection: AsyncConnection, user: str) -> None:
    """Wait until nobody else books a loss or a refund of this person's gifts, in the caller's transaction."""
    await connection.execute(IN_TURN, {"user": user})


async def return_clawed(connection: AsyncConnection, gift: Any, name: str) -> int:
    """Give a creator back what claims took of a gift that is about to be given back; how many diamonds.

    In the caller's transaction, which is in turn, before it locks the creator's day. `gift` is the transfer's row,
    `name` its public number.
    """
    reached = (await connection.execute(REACHED, {"gift": gift.id})).all()
    clawed = sum(one.clawed for one in reached)
    for one in reached:
        await connection.execute(LESS, {"claim": one.claim, "clawed": one.clawed, "lost": one.lost})
    if not clawed:
        return 0
    await connection.execute(FORGET, {"gift": gift.id})
    day = {"creator": gift.creator, "at": gift.event_at, "room": gift.room, "shard": gift.shard}
    await connection.execute(DAY, {**day, "clawed": clawed})
    names = (wallet(gift.sender), GIFTS_SPENT, earnings(gift.creator), DIAMONDS_ISSUED)
    await lock_accounts(connection, names)  # the refund's, too
    values = {
        "kind": "claim_returned",
        "coins": gift.coins,
        "reference": f"claim-returned:{name}",
        "event_at": func.now(),
    }
    number = (await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one()
    await post(connection, number, [(earnings(gift.creator), clawed), (DIAMONDS_ISSUED, -clawed)])
    return int(clawed)
