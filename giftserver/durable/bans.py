"""Persons who are banned from live: none of their rooms is open until every reason is gone. Only PostgreSQL knows.

Whoever opens a room and whoever bans somebody take turns, or each could overlook the other. An opening that comes first
is committed before the ban looks for open rooms, and is closed by it; one that comes second finds the ban.
"""

from typing import Final

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.case_tables import live_ban

# Openings go on side by side; a ban waits for those under way, and those that come wait for its transaction to end.
OPENING: Final = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('live', 0))")
BANNING: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('live', 0))")


class CreatorBanned(Exception):
    """The room would be open and its creator is banned from live. Nothing was changed."""


async def before_opening(connection: AsyncConnection) -> None:
    """Bans wait for the caller's transaction from here on. Call it before any room is locked."""
    await connection.execute(OPENING)


async def check_not_banned(connection: AsyncConnection, creator: str) -> None:
    """Raises CreatorBanned; call `before_opening` earlier in the same transaction."""
    banned = exists().where(live_ban.c.user_id == creator, live_ban.c.lifted_at.is_(None))
    if await connection.scalar(select(banned)):
        raise CreatorBanned(creator)


async def place_ban(connection: AsyncConnection, user: str, reference: str, reason: str) -> None:
    """Ban somebody in the caller's transaction, which closes their open rooms after it. A reference is placed once."""
    await connection.execute(BANNING)
    values = {"user_id": user, "reference": reference, "reason": reason}
    await connection.execute(insert(live_ban).values(values).on_conflict_do_nothing())


async def lift_ban(connection: AsyncConnection, reference: str) -> None:
    """Take one reason away in the caller's transaction; the ban ends with the last one. No room opens by it."""
    statement = update(live_ban).where(live_ban.c.reference == reference, live_ban.c.lifted_at.is_(None))
    await connection.execute(statement.values(lifted_at=func.now()))
