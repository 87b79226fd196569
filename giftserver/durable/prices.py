"""Price lists in PostgreSQL: proposed by one person, in force once another one approved."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.audit_log import Act, Actor, log_act
from giftserver.durable.payment_tables import price_list

IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('price lists', 0))")
"""One approval after the other."""


class Overtaken(Exception):
    """A newer list is in force. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class StoredList:
    """A price list as it was proposed, and who approved it."""

    version: int
    body: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None


def _stored(row: Any) -> StoredList:
    return StoredList(**row._mapping)


async def propose(engine: AsyncEngine, body: str, by: Actor) -> StoredList:
    """Keep a list that somebody proposes. It is not in force."""
    statement = insert(price_list).values(body=body, proposed_by=by.id).returning(price_list)
    async with engine.begin() as connection:
        made = _stored((await connection.execute(statement)).one())
        await log_act(connection, Act(by, "propose_prices", "price_list", str(made.version)))
    return made


async def approve(engine: AsyncEngine, version: int, by: Actor) -> StoredList | None:
    """Put a list in force; again by anybody changes nothing. None when there is none.

    Raises IntegrityError when the person who approves is the one who proposed, and Overtaken, with the version in
    force, for a list that is older than that and was never approved.
    """
    columns = price_list.c
    newest = select(func.max(columns.version)).where(columns.approved_by.is_not(None))
    statement = (
        update(price_list)
        .where(columns.version == version, columns.approved_by.is_(None))
        .values(approved_by=by.id, approved_at=func.now())
    )
    async with engine.begin() as connection:
        await connection.execute(IN_TURN)
        in_force = int(await connection.scalar(newest) or 0)
        if (await connection.execute(statement)).rowcount:
            if version < in_force:
                raise Overtaken(in_force)
            await log_act(connection, Act(by, "approve_prices", "price_list", str(version)))
        row = (await connection.execute(select(price_list).where(columns.version == version))).one_or_none()
    return None if row is None else _stored(row)


async def newest_approved(engine: AsyncEngine) -> StoredList | None:
    """The list in force: the newest version that was approved."""
    query = select(price_list).where(price_list.c.approved_by.is_not(None)).order_by(price_list.c.version.desc())
    async with engine.connect() as connection:
        row = (await connection.execute(query.limit(1))).one_or_none()
    return None if row is None else _stored(row)


async def all_lists(engine: AsyncEngine, limit: int) -> list[StoredList]:
    """Lists, newest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(select(price_list).order_by(price_list.c.version.desc()).limit(limit))
        return [_stored(row) for row in rows]
