"""Rooms: who gives them, what they are called, whether they are live. No room of a banned person is (`bans.py`)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.bans import before_opening, check_not_banned
from giftserver.durable.tables import room

CLOSED: Final = text("""
    INSERT INTO room_closing (room) SELECT unnest(CAST(:ids AS text[]))
    ON CONFLICT (room) WHERE opened_ms IS NULL DO UPDATE SET closed_ms = NULL
""")
CLOCK_DOUBT_MS: Final = 65_000
"""How far back the ledger's clock can step without being noticed (giftserver.recovery.view)."""

# The closed time ends a little early: otherwise a clock that steps back makes gifts of the open room look late. Late
# gifts come within a second of the closing and are booked at once, long before this.
OPENED: Final = text(f"""
    UPDATE room_closing SET closed_ms = coalesce(closed_ms, CAST(:now AS bigint), 0),
        opened_ms = greatest(coalesce(closed_ms, 0), CAST(:now AS bigint) - {CLOCK_DOUBT_MS})
    WHERE room = :id AND opened_ms IS NULL
""")


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """A room as stored; times are UTC."""

    id: str
    creator: str
    creator_name: str
    title: str
    live: bool
    stream_url: str | None
    created_at: datetime
    updated_at: datetime


async def upsert_room(
    engine: AsyncEngine,
    id: str,
    *,
    creator: str,
    creator_name: str,
    title: str,
    stream_url: str | None = None,
) -> RoomRecord:
    """Make a room, or change everything but whether it is live. Raises CreatorBanned for a live one."""
    values = {"creator": creator, "creator_name": creator_name, "title": title, "stream_url": stream_url}
    statement = (
        insert(room)
        .values(id=id, **values)
        .on_conflict_do_update(index_elements=[room.c.id], set_={**values, "updated_at": func.now()})
        .returning(room)
    )
    async with engine.begin() as connection:
        await before_opening(connection)  # an open room may be given to somebody else
        record = RoomRecord(*(await connection.execute(statement)).one())
        if record.live:
            await check_not_banned(connection, record.creator)
        return record


async def get_room(engine: AsyncEngine, id: str) -> RoomRecord | None:
    """The room, None when there is none of this id."""
    return (await get_rooms(engine, [id])).get(id)


async def get_rooms(engine: AsyncEngine, ids: Collection[str]) -> dict[str, RoomRecord]:
    """Those of the rooms that there are, by id."""
    async with engine.connect() as connection:
        rows = await connection.execute(select(room).where(room.c.id.in_(ids)))
        return {row.id: RoomRecord(*row) for row in rows}


async def list_rooms(engine: AsyncEngine, *, creator: str | None = None, limit: int = 1000) -> list[RoomRecord]:
    """Rooms, live ones first, then by age; only a creator's when one is named."""
    query = select(room).order_by(room.c.live.desc(), room.c.created_at, room.c.id).limit(limit)
    if creator is not None:
        query = query.where(room.c.creator == creator)
    async with engine.connect() as connection:
        return [RoomRecord(*row) for row in await connection.execute(query)]


async def set_live(engine: AsyncEngine, id: str, live: bool, ledger_ms: int | None = None) -> RoomRecord | None:
    """Say whether the room is live; None when there is none of this id.

    `ledger_ms` is for a room that opens: the ledger's clock (see giftserver.durable.closings), asked before. Without it
    no gift that came while the room was closed and is booked from now on is given back. Raises CreatorBanned.
    """
    async with engine.begin() as connection:
        if live:
            await before_opening(connection)
        query = select(room.c.live, room.c.creator).where(room.c.id == id).with_for_update()
        was = (await connection.execute(query)).one_or_none()
        if was is None:
            return None
        if live:
            await check_not_banned(connection, was.creator)
        if live and not was.live:
            await connection.execute(OPENED, {"id": id, "now": ledger_ms})
        elif was.live and not live:
            await connection.execute(CLOSED, {"ids": [id]})
        statement = update(room).where(room.c.id == id).values(live=live, updated_at=func.now()).returning(room)
        return RoomRecord(*(await connection.execute(statement)).one())


async def close_rooms_of(connection: AsyncConnection, creator: str) -> list[str]:
    """Close every open room of a person in the caller's transaction; their ids. What else a closing needs comes after.

    That is `time_closings`, as after `set_live`.
    """
    closed = update(room).where(room.c.creator == creator, room.c.live).values(live=False, updated_at=func.now())
    ids = list((await connection.execute(closed.returning(room.c.id))).scalars())
    await connection.execute(CLOSED, {"ids": ids})
    return ids
