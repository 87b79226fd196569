"""Which rooms there are, whose they are, and whether they are live."""

import asyncio
import contextlib
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable import rooms as durable_rooms
from giftserver.durable.closings import time_closings
from giftserver.durable.rooms import RoomRecord
from giftserver.gifts.notices import RoomChanged, send_notice
from giftserver.ledger.clock import earliest_ms, latest_ms

FRESH_S: Final = 1.0
CACHED_MAX: Final = 50_000

KNOWN_WAIT_S: Final = 0.5
"""A room whose last state is known waits no longer than this for PostgreSQL."""

GATHER_S: Final = 0.05
"""Rooms that are to be read anew, and are fresh still, wait so long for others: then one query reads them all."""

LOOK_UP_S: Final = 3.0
"""A look-up is given up after this, so that one that hangs does not stand in the way of the next."""


@dataclass(frozen=True, slots=True, eq=False)
class _LookUp:
    """Rooms being read from PostgreSQL, for everybody who asks for one of them meanwhile."""

    task: "asyncio.Task[dict[str, RoomRecord]]"
    started_s: float


class RoomDirectory:
    """Rooms from PostgreSQL, kept for FRESH_S; a change is told to every process at once.

    While PostgreSQL is away or says nothing, the last known state of a room holds, so gifts go on. At most one
    look-up of a room runs at a time, unless the room changed since it began; known
    rooms are read anew together.
    """

    def __init__(self, database: AsyncEngine, rooms_redis: Redis, ledger_redis: Redis) -> None:
        self._database, self._redis, self._ledger_redis = database, rooms_redis, ledger_redis
        self._cached: dict[str, tuple[float, RoomRecord | None]] = {}
        self._look_ups: dict[str, _LookUp] = {}
        self._due: set[str] = set()
        self._gathering: asyncio.TimerHandle | None = None
        self._listed: list[RoomRecord] | None = None
        self._listing: asyncio.Task[list[RoomRecord]] | None = None

    async def get(self, room_id: str) -> RoomRecord | None:
        """The room, at most FRESH_S old; None when there is no such room.

        Waits KNOWN_WAIT_S at most for a room that was read before: then its last known state is the answer. Raises
        the database driver's errors when PostgreSQL is away and the room was never read, and TimeoutError when it
        hangs for LOOK_UP_S.
        """
        cached = self._cached.get(room_id)
        if cached is not None and time.monotonic() - cached[0] < FRESH_S:
            return cached[1]
        look_up = self._look_ups.get(room_id) or self._begin({room_id})  # alone: it may be no id of a room at all
        if cached is None:
            async with asyncio.timeout(LOOK_UP_S):
                return (await asyncio.shield(look_up.task)).get(room_id)
        wait_s = look_up.started_s + KNOWN_WAIT_S - time.monotonic()
        if wait_s > 0:
            await asyncio.wait({look_up.task}, timeout=wait_s)
        found = look_up.task.done() and not look_up.task.cancelled() and look_up.task.exception() is None
        return look_up.task.result().get(room_id) if found else cached[1]

    def fresh(self, room_id: str) -> RoomRecord | None:
        """The room when it was read within FRESH_S, without waiting; None says nothing about whether there is one.

        One that is asked for all the time is read anew before it is too old.
        """
        cached = self._cached.get(room_id)
        if cached is None or cached[1] is None:
            return None
        age_s = time.monotonic() - cached[0]
        if age_s > FRESH_S / 2 and room_id not in self._look_ups:
            self._due.add(room_id)
            if self._gathering is None:
                self._gathering = asyncio.get_running_loop().call_later(GATHER_S, self._read_due)
        return cached[1] if age_s < FRESH_S else None

    def _read_due(self) -> None:
        self._gathering = None
        due, self._due = self._due - self._look_ups.keys(), set()
        if due:
            self._begin(due)

    def _begin(self, ids: Collection[str]) -> _LookUp:
        """Read rooms by one query."""
        task = asyncio.create_task(self._read(ids), name="look up rooms")
        look_up = _LookUp(task, time.monotonic())
        self._look_ups |= dict.fromkeys(ids, look_up)
        task.add_done_callback(lambda _: self._end(ids, look_up))
        return look_up

    async def _read(self, ids: Collection[str]) -> dict[str, RoomRecord]:
        async with asyncio.timeout(LOOK_UP_S):
            return await durable_rooms.get_rooms(self._database, ids)

    def _end(self, ids: Collection[str], look_up: _LookUp) -> None:
        failed = look_up.task.cancelled() or look_up.task.exception() is not None
        found = {} if failed else look_up.task.result()
        for room_id in ids:
            if self._look_ups.get(room_id) is not look_up:  # it changed since: what was read may be of before
                continue
            del self._look_ups[room_id]
            known = self._cached.get(room_id)
            if failed and known is None:
                continue
            record = known[1] if failed and known is not None else found.get(room_id)
            if len(self._cached) >= CACHED_MAX:
                self._cached.clear()
            self._cached[room_id] = (time.monotonic(), record)

    async def all(self) -> list[RoomRecord]:
        """All rooms, live ones first as PostgreSQL orders them; while it is away, as they were read last.

        Waits KNOWN_WAIT_S at most when they were read before. Raises like `get` when they never were.
        """
        if self._listed is not None and self._listing is not None:
            return self._listed  # one look-up hangs already
        task = asyncio.create_task(self._read_all(), name="list rooms")
        done, _ = await asyncio.wait({task}, timeout=LOOK_UP_S if self._listed is None else KNOWN_WAIT_S)
        if not done:
            self._listing = task
            task.add_done_callback(self._end_listing)
        if self._listed is None or (done and task.exception() is None):
            return await task
        return self._listed

    async def _read_all(self) -> list[RoomRecord]:
        async with asyncio.timeout(LOOK_UP_S):
            self._listed = await durable_rooms.list_rooms(self._database)
            return self._listed

    def _end_listing(self, task: "asyncio.Task[list[RoomRecord]]") -> None:
        self._listing = None
        if not task.cancelled():
            task.exception()  # the next look-up says what is wrong

    async def upsert(
        self, room_id: str, *, creator: str, creator_name: str, title: str, stream_url: str | None
    ) -> RoomRecord:
        """Create or change a room. Raises CreatorBanned."""
        record = await durable_rooms.upsert_room(
            self._database, room_id, creator=creator, creator_name=creator_name, title=title, stream_url=stream_url
        )
        await self._changed(room_id)
        return record

    async def set_live(self, room_id: str, live: bool) -> RoomRecord | None:
        """Open or close a room for gifts; None when there is no such room.

        Gifts that Redis decides after it is closed, because a process did not know yet, are given back. Raises
        CreatorBanned.
        """
        opened_ms = None
        if live:
            with contextlib.suppress(RedisError, OSError):
                opened_ms = await earliest_ms(self._ledger_redis)
        record = await durable_rooms.set_live(self._database, room_id, live, opened_ms)
        if record is None:
            return None
        await self._changed(room_id)
        if not live:
            await self._time_closings()
        return record

    async def were_closed(self, room_ids: Collection[str]) -> None:
        """Do for rooms that were closed in PostgreSQL what follows a closing: every process knows it, it has a time."""
        for room_id in room_ids:
            self.forget(room_id)
        with contextlib.suppress(RedisError, OSError):  # who is not told reads the room anew within FRESH_S
            for room_id in room_ids:
                await self._changed(room_id)
        await self._time_closings()

    async def _time_closings(self) -> None:
        with contextlib.suppress(RedisError, OSError):  # the worker does it when the clock can be asked
            await time_closings(self._database, partial(latest_ms, self._ledger_redis))

    async def _changed(self, room_id: str) -> None:
        self.forget(room_id)
        await send_notice(self._redis, RoomChanged(room_id))

    def forget(self, room_id: str) -> None:
        """Read the room anew next time."""
        self._cached.pop(room_id, None)
        self._look_ups.pop(room_id, None)
