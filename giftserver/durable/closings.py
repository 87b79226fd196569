"""When rooms were closed, and which gifts came too late for it.

A web process asks whether a room is live, then Redis decides the gift: the room can close in between. Such a gift
stands, is shown, and is given back once it is booked. What makes "in between" exact is one clock, that of the ledger's
Redis, and this order: a closing is committed without its time, then the clock is asked, then the time is written down.
A gift that was decided after that time was read from its stream after the closing's COMMIT, so whoever books it sees
the closing; one that sees a closing without its time writes the time down first.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.intake import FlushedGift

ROOM_CLOSED: Final = "room_closed"
"""Why such a gift is given back."""

LATE_MAX_MS: Final = 60_000
"""No process takes gifts for longer after a closing. What seems to come later was dated by another clock, or belongs to
a show that a PostgreSQL restored from a backup does not know of: it stays where it is."""

CLOSINGS: Final = text("""
    SELECT room, closed_ms, opened_ms FROM room_closing
    WHERE room = ANY(CAST(:rooms AS text[])) AND (opened_ms IS NULL OR opened_ms > :since)
""")

UNTIMED: Final = text("SELECT id FROM room_closing WHERE closed_ms IS NULL")
TIME: Final = text("""
    UPDATE room_closing SET closed_ms = :now WHERE id = ANY(CAST(:ids AS bigint[])) AND closed_ms IS NULL
""")
AHEAD: Final = text("UPDATE room_closing SET opened_ms = greatest(closed_ms, :now) WHERE opened_ms > :now")
ASK_FOR_REFUND: Final = text("""
    INSERT INTO refund_due (gift, reason) SELECT gift, :reason FROM unnest(CAST(:gifts AS bigint[])) AS gift
""")


class ClosingUntimed(Exception):
    """A room of these gifts is being closed and the moment is not known yet: see `time_closings`."""


async def late_gifts(connection: AsyncConnection, gifts: Sequence[FlushedGift]) -> list[int]:
    """Transfer numbers of those gifts that were decided while their room was closed. Raises ClosingUntimed.

    The gifts must have been read from their stream before.
    """
    rooms = {gift.event.room for gift in gifts}
    values = {"rooms": list(rooms), "since": min(gift.at_ms for gift in gifts)}
    closed: dict[str, list[tuple[int, int | None]]] = {}
    for room, closed_ms, opened_ms in await connection.execute(CLOSINGS, values):
        if closed_ms is None:
            raise ClosingUntimed(room)
        closed.setdefault(room, []).append((closed_ms, opened_ms))
    if not closed:
        return []
    return [
        gift.transfer_number
        for gift in gifts
        if any(_within(gift.at_ms, *period) for period in closed.get(gift.event.room, ()))
    ]


def _within(at_ms: int, closed_ms: int, opened_ms: int | None) -> bool:
    return closed_ms < at_ms <= closed_ms + LATE_MAX_MS and (opened_ms is None or at_ms < opened_ms)


async def ask_for_refunds(connection: AsyncConnection, gifts: Sequence[int]) -> None:
    """Note that these gifts, just booked on this connection, are to be given back."""
    if gifts:
        await connection.execute(ASK_FOR_REFUND, {"gifts": list(gifts), "reason": ROOM_CLOSED})


async def time_closings(engine: AsyncEngine, latest_ms: Callable[[], Awaitable[int]]) -> int:
    """Write down the time of closings that have none; how many. Raises the engines' errors when one is away."""
    async with engine.connect() as connection:
        ids = list((await connection.execute(UNTIMED)).scalars())
    if not ids:
        return 0
    now_ms = await latest_ms()  # after the closings were seen, or a gift from before one would count as late
    async with engine.begin() as connection:
        return (await connection.execute(TIME, {"now": now_ms, "ids": ids})).rowcount


async def openings_ahead_are_now(engine: AsyncEngine, now_ms: int) -> None:
    """The ledger's clock went back to `now_ms`: rooms that opened after that are open, their gifts are not late."""
    async with engine.begin() as connection:
        await connection.execute(AHEAD, {"now": now_ms})
