"""All rooms of one process: opens them when somebody comes, closes them when the last one left."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from redis.exceptions import RedisError

from rooms.bus import Bus
from rooms.codec import Encoded
from rooms.codes import DRAINING
from rooms.connection import Connection
from rooms.history import COMBO_ENDED, History, Record, channel, decode_batch
from rooms.pace import SHARE, Pace
from rooms.protocol import Push, Viewers, Welcome
from rooms.room import Room
from rooms.shared import Shared
from rooms.tick import Renderer
from rooms.turns import Turns

log = structlog.get_logger()

FRESH_PRESENCES: Final = 5
SWEEP_S: Final = 1.0
DRAIN_BATCH: Final = 200


class Application(Renderer, Protocol):
    """What a product adds to the engine."""

    async def snapshot(self, room_id: str) -> Push:
        """Live state for someone who comes without a past."""
        ...

    async def latest(self, room_id: str) -> Iterable[Push]:
        """Latest-only states to show after events, at most about once a second."""
        ...


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a returning client says it stopped."""

    epoch: str
    offset: int


class Hub:
    """Rooms by id. `watching` are the roles that count as viewers, `whole` those that are shown every event.

    `on_rooms` is told how many rooms are open.
    """

    def __init__(
        self,
        history: History,
        make_bus: Callable[[Callable[[], None]], Bus],
        application: Application,
        *,
        process: str,
        tick_s: float,
        share: float = SHARE,
        heartbeat_s: int,
        presence_s: float,
        catalog_version: int,
        watching: Collection[str],
        whole: Collection[str],
        on_rooms: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._on_rooms = on_rooms
        self.history = history
        self.bus = make_bus(self._heal_all)
        self.rooms: dict[str, Room] = {}
        self._application, self._process, self._watching = application, process, watching
        self._heartbeat_s, self._presence_s = heartbeat_s, presence_s
        self._pace, self._whole = Pace(tick_s, share), whole
        self._turns = Turns(self._pace.written)
        self._fresh_ms = int(presence_s * 1_000 * FRESH_PRESENCES)
        self._catalog_version = catalog_version
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._closing: dict[str, asyncio.Task[None]] = {}
        self._closers: dict[str, asyncio.Task[None]] = {}
        self._combos_new: set[str] = set()
        self._stirred: set[str] = set()
        self._snapshots: dict[str, Shared[Push]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.draining = False
        self._stopped = False

    async def start(self) -> None:
        """Listen to the bus, beat the heart, count viewers."""
        await self.bus.start()
        self._tasks = [
            asyncio.create_task(self._every(self._presence_s, self._share_presence), name="presence"),
            asyncio.create_task(self._every(SWEEP_S, self._sweep), name="sweep"),
        ]

    async def stop(self) -> None:
        """Stop; connections are not told (see `drain`)."""
        self._stopped = True
        tasks = [*self._tasks, *self._closers.values(), *self._opening.values(), *self._closing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for room in self.rooms.values():
            room.stop()
        await self.bus.stop()

    @property
    def connections(self) -> int:
        """Open connections of this process."""
        return sum(len(room.connections) for room in self.rooms.values())

    async def join(self, room_id: str, connection: Connection, resume: Resume | None, you: Any) -> Room:
        """Welcome a connection: what it missed exactly, or a snapshot; then everything newer, in order.

        Raises RedisError, OSError or TimeoutError when the room's engine is not reachable.
        """
        room = await self._room(room_id)
        connection.hold()
        if resume is not None and resume.epoch == room.epoch and resume.offset > room.told:
            room.flush()  # it saw elsewhere what waits here for its tick
        offset = room.attach(connection)
        try:
            missed = None
            if resume is not None and resume.epoch == room.epoch:
                missed = await room.tail.between(resume.offset, offset)
            first = missed if missed is not None else [Encoded(await self._snapshot(room_id))]
        except BaseException:
            self.leave(room, connection)
            raise
        connection.resumed = missed is not None
        welcome = Welcome(
            room=room_id,
            epoch=room.epoch,
            offset=offset,
            server_time_ms=int(time.time() * 1_000),
            heartbeat_s=self._heartbeat_s,
            catalog_version=self._catalog_version,
            resumed=connection.resumed,
            you=you,
        )
        connection.release([Encoded(welcome), *first])
        return room

    async def _snapshot(self, room_id: str) -> Push:
        """The room's state of now; those who join together share it."""
        shared = self._snapshots.get(room_id)
        if shared is None:
            shared = self._snapshots[room_id] = Shared(lambda: self._application.snapshot(room_id))
        return await shared.get()

    def leave(self, room: Room, connection: Connection) -> None:
        """Forget a connection; the sweep closes rooms that stay empty."""
        room.detach(connection)

    async def _room(self, room_id: str) -> Room:
        """The open room; attach to it before anything else is awaited, or the sweep may close it for being empty."""
        while (room := self.rooms.get(room_id)) is None:
            task = self._opening.get(room_id)
            if task is None:
                task = self._opening[room_id] = asyncio.create_task(self._open(room_id), name=f"open {room_id}")
                task.add_done_callback(lambda _: self._opening.pop(room_id, None))
            await asyncio.shield(task)
        return room

    async def _open(self, room_id: str) -> None:
        closing = self._closing.get(room_id)
        if closing is not None:
            await asyncio.wait([closing])
        early: list[bytes] = []
        await self.bus.subscribe(channel(room_id), early.append)
        try:
            epoch, offset = await self.history.open(room_id)
        except BaseException:
            await self.bus.unsubscribe(channel(room_id))
            raise
        room = Room(
            room_id,
            epoch,
            offset,
            history=self.history,
            renderer=self._application,
            pace=self._pace,
            turns=self._turns,
            whole=self._whole,
            on_event=self._on_event,
        )
        self.rooms[room_id] = room
        self._on_rooms(len(self.rooms))
        self.bus.redirect(channel(room_id), lambda data: room.deliver(decode_batch(data)))
        for data in early:
            room.deliver(decode_batch(data))
        self._watch_combos(room_id)

    def _on_event(self, room: Room, record: Record) -> None:
        self._stirred.add(room.id)
        if record.combo and record.kind != COMBO_ENDED:
            self._watch_combos(room.id)

    def _watch_combos(self, room_id: str) -> None:
        self._combos_new.add(room_id)
        if room_id not in self._closers:
            self._closers[room_id] = asyncio.create_task(self._close_combos(room_id), name=f"combos {room_id}")

    async def _close_combos(self, room_id: str) -> None:
        try:
            await self._close_due_combos(room_id)
        finally:
            # Here, not when the task is done: a combo that begins in between would be watched by nobody.
            del self._closers[room_id]
            self._combos_new.discard(room_id)

    async def _close_due_combos(self, room_id: str) -> None:
        """End this room's combos as they come due; Redis lets exactly one process end each."""
        while room_id in self.rooms and not self._stopped:
            self._combos_new.discard(room_id)
            try:
                _, next_ms = await self.history.close_due(room_id)
            except (RedisError, OSError, TimeoutError) as problem:
                log.warning("combos_not_closed", room=room_id, error=type(problem).__name__)
                next_ms = 1_000
            if next_ms is not None:
                await asyncio.sleep(next_ms / 1_000 + 0.005)
            elif room_id not in self._combos_new:  # else one began after the answer was given
                return

    def _heal_all(self) -> None:
        for room in self.rooms.values():
            room.heal()

    async def _every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while not self._stopped:  # a client library may swallow a cancellation
            await asyncio.sleep(period_s)
            try:
                await work()
            except (RedisError, OSError, TimeoutError) as problem:
                log.warning("rooms_upkeep_failed", work=work.__name__, error=type(problem).__name__)

    async def _share_presence(self) -> None:
        for room in list(self.rooms.values()):
            count = room.count(self._watching)
            total = await self.history.count_viewers(room.id, self._process, count, self._fresh_ms)
            if total != room.viewers:
                room.viewers = total
                room.push_latest(Viewers(total))
            if room.id in self._stirred:
                self._stirred.discard(room.id)
                for message in await self._application.latest(room.id):
                    room.push_latest(message)

    async def _sweep(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for room in list(self.rooms.values()):
            room.tail.age(now_s)
            if not room.connections:
                self._close(room)
            elif room.silent_s >= self._heartbeat_s - SWEEP_S:
                room.heartbeat()

    def _close(self, room: Room) -> None:
        del self.rooms[room.id]
        self._on_rooms(len(self.rooms))
        self._snapshots.pop(room.id, None)
        room.stop()
        task = self._closing[room.id] = asyncio.create_task(self._forget(room.id), name=f"close {room.id}")
        task.add_done_callback(lambda _: self._closing.pop(room.id, None))

    async def _forget(self, room_id: str) -> None:
        try:
            await self.bus.unsubscribe(channel(room_id))
            await self.history.count_viewers(room_id, self._process, 0, self._fresh_ms)
        except (RedisError, OSError, TimeoutError) as problem:
            log.warning("room_not_forgotten", room=room_id, error=type(problem).__name__)

    async def drain(self, spread_s: float, accepts_per_s: float) -> None:
        """Ask every client to reconnect elsewhere, in batches spread over the time given.

        Each batch is told to come back when a process that accepts so many a second has let the earlier ones in.
        """
        self.draining = True
        connections = [connection for room in self.rooms.values() for connection in room.connections]
        batches = max(1, -(-len(connections) // DRAIN_BATCH))
        for number in range(batches):
            start = number * DRAIN_BATCH
            later_ms = int(1_000 * max(0.0, start / accepts_per_s - number * spread_s / batches))
            for connection in connections[start : start + DRAIN_BATCH]:
                connection.close(DRAINING, reconnect_after_ms=later_ms)
            await asyncio.sleep(spread_s / batches)
