"""Versions of overlay links: a link carries the version it was made for, rotating makes older links void."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.tables import overlay

FIRST_VERSION: Final = 1
"""Version of a room whose link was never rotated."""


class RoomUnknown(Exception):
    """There is no room of this id."""


async def overlay_version(engine: AsyncEngine, room: str) -> int:
    """Version that a link of this room must carry; an unknown room has the first."""
    async with engine.connect() as connection:
        version: int | None = await connection.scalar(select(overlay.c.version).where(overlay.c.room == room))
    return FIRST_VERSION if version is None else version


async def rotate_overlay(engine: AsyncEngine, room: str) -> int:
    """Make every link of the room so far void; returns the new version. Raises RoomUnknown."""
    statement = (
        insert(overlay)
        .values(room=room, version=FIRST_VERSION + 1)
        .on_conflict_do_update(index_elements=[overlay.c.room], set_={"version": overlay.c.version + 1})
        .returning(overlay.c.version)
    )
    try:
        async with engine.begin() as connection:
            return int((await connection.execute(statement)).scalar_one())
    except IntegrityError as problem:
        raise RoomUnknown(room) from problem
