"""Which rooms there are, whose they are, and whether they are live."""

import time
from typing import Final

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable import rooms as durable_rooms
from giftserver.durable.rooms import RoomRecord
from giftserver.gifts.notices import RoomChanged, send_notice

FRESH_S: Final = 1.0
CACHED_MAX: Final = 50_000


class RoomDirectory:
    """Rooms from PostgreSQL, kept for FRESH_S; a change is told to every process at once.

    While PostgreSQL is away the last known state of a room holds, so gifts go on.
    """

    def __init__(self, database: AsyncEngine, rooms_redis: Redis) -> None:
        self._database, self._redis = database, rooms_redis
        self._cached: dict[str, tuple[float, RoomRecord | None]] = {}

    async def get(self, room_id: str) -> RoomRecord | None:
        """The room, at most FRESH_S old; None when there is no such room.

        Raises the database driver's errors when PostgreSQL is away and the room was never read.
        """
        cached = self._cached.get(room_id)
        if cached is not None and time.monotonic() - cached[0] < FRESH_S:
            return cached[1]
        try:
            record = await durable_rooms.get_room(self._database, room_id)
        except Exception:
            if cached is None:
                raise
            record = cached[1]
        if len(self._cached) >= CACHED_MAX:
            self._cached.clear()
        self._cached[room_id] = (time.monotonic(), record)
        return record

    async def list(self) -> list[RoomRecord]:
        """All rooms, live ones first as PostgreSQL orders them."""
        return await durable_rooms.list_rooms(self._database)

    async def upsert(
        self, room_id: str, *, creator: str, creator_name: str, title: str, stream_url: str | None
    ) -> RoomRecord:
        """Create or change a room."""
        record = await durable_rooms.upsert_room(
            self._database, room_id, creator=creator, creator_name=creator_name, title=title, stream_url=stream_url
        )
        await self._changed(room_id)
        return record

    async def set_live(self, room_id: str, live: bool) -> RoomRecord | None:
        """Open or close a room for gifts; None when there is no such room."""
        record = await durable_rooms.set_live(self._database, room_id, live)
        if record is not None:
            await self._changed(room_id)
        return record

    async def _changed(self, room_id: str) -> None:
        self.forget(room_id)
        await send_notice(self._redis, RoomChanged(room_id))

    def forget(self, room_id: str) -> None:
        """Read the room anew next time."""
        self._cached.pop(room_id, None)
