"""One room in one process: who listens, what they have been shown, and the tick that shows more."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from rooms.codec import Encoded
from rooms.codes import HISTORY_RESET, CloseCode
from rooms.connection import Connection
from rooms.fanout import Audience, Fanout
from rooms.history import Batch, History, Record
from rooms.pace import Pace
from rooms.protocol import Push
from rooms.tail import Tail
from rooms.tick import Condenser, Renderer, Shown, Tick

WAITING_MAX: Final = 1_000


class Room:
    """Delivers a contiguous run of offsets to every connection: gaps are healed from history before newer events.

    Everything here runs on one event loop; only `heal` awaits.
    """

    def __init__(
        self,
        room_id: str,
        epoch: str,
        offset: int,
        *,
        history: History,
        renderer: Renderer,
        pace: Pace,
        whole: Collection[str],
        on_event: Callable[["Room", Record], None],
    ) -> None:
        self.id, self.epoch, self.offset = room_id, epoch, offset
        self.connections: dict[Connection, None] = {}
        self.viewers = 0
        self._history, self._renderer, self._on_event = history, renderer, on_event
        self._whole, self._pace = whole, pace
        self._loop = asyncio.get_running_loop()
        self._audiences: dict[Audience, dict[Connection, None]] = {}
        self._condenser = Condenser(renderer)
        self.tail = Tail(room_id, epoch, offset, history, renderer)
        self._fanout = Fanout(pace.written, self._written)
        self.told = offset
        self._shown: list[Shown] = []
        self._latest: dict[type, Encoded] = {}
        self._tick: asyncio.Handle | None = None
        self._written_s = self._loop.time()
        self._waiting: list[Batch] = []
        self._healing: asyncio.Task[None] | None = None

    @property
    def silent_s(self) -> float:
        """Seconds since everybody was last sent a frame."""
        return self._loop.time() - self._written_s

    def deliver(self, batch: Batch) -> None:
        """Take what the bus brought; it may repeat, skip or belong to another epoch."""
        if self._healing is not None:
            self._waiting.append(batch)
            del self._waiting[:-WAITING_MAX]
            return
        if batch.epoch != self.epoch:
            self.reset()
            return
        for record in batch.records:
            if record.offset <= self.offset:
                continue
            if record.offset != self.offset + 1:
                self._waiting.append(batch)
                self.heal()
                return
            self._show(record)

    def heal(self) -> None:
        """Fetch from history what the bus did not bring."""
        if self._healing is None:
            self._healing = self._loop.create_task(self._heal(), name=f"heal {self.id}")

    async def _heal(self) -> None:
        try:
            missed = await self._history.since(self.id, self.epoch, self.offset)
        except Exception:
            self._healing = None
            self._waiting.clear()
            self._loop.call_later(0.5, self._heal_if_open)
            return
        self._healing = None
        if missed is None:
            self._waiting.clear()
            self.reset()
            return
        for record in missed:
            self._show(record)
        waiting, self._waiting = self._waiting, []
        for batch in waiting:
            self.deliver(batch)

    def _heal_if_open(self) -> None:
        if self.connections:
            self.heal()

    def _show(self, record: Record) -> None:
        self.offset = record.offset
        self._on_event(self, record)
        shown = Shown(record, self._renderer)
        self._shown.append(shown)
        self.tail.append(shown)
        self._schedule()

    def push_latest(self, message: Push) -> None:
        """Show a state of which only the newest counts."""
        self._latest[type(message)] = Encoded(message)
        self._schedule()

    def push_to(self, roles: Collection[str], message: Push) -> None:
        """Show a message at once to the members with these roles."""
        self.flush()
        encoded = Encoded(message)
        for connection in list(self.connections):
            if connection.member.role in roles:
                connection.write(connection.codec.frame([encoded.to(connection.codec)]))

    def _schedule(self) -> None:
        if self._tick is not None or self._fanout.busy:  # what is pending grows until the last one is written
            return
        wait_s = self._written_s + self._pace.tick_s(len(self.connections)) - self._loop.time()
        if wait_s > 0:
            self._tick = self._loop.call_later(wait_s, self.flush)
        else:  # at once, with everything else that this turn of the loop brings
            self._tick = self._loop.call_soon(self.flush)

    def _written(self) -> None:
        if self._shown or self._latest:
            self._schedule()

    def flush(self) -> None:
        """Write what is pending: the same bytes for every socket that looks at the room in the same way."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self._shown or self._latest:
            shown, latest = self._shown, list(self._latest.values())
            self._shown, self._latest = [], {}
            self._broadcast(shown, latest)

    def heartbeat(self) -> None:
        """Send an empty frame, so that a client can tell silence from a dead connection."""
        self._broadcast([], [])

    def _broadcast(self, shown: list[Shown], latest: list[Encoded]) -> None:
        self._written_s = self._loop.time()
        self.told = self.offset
        self._fanout.send(Tick(shown, latest, self._condenser), self._audiences)

    def reset(self) -> None:
        """The history began anew: ask everybody to come back for a snapshot."""
        self.close_all(HISTORY_RESET)

    def close_all(self, code: CloseCode, roles: Collection[str] | None = None) -> None:
        """Say goodbye to everybody, or to the members with these roles."""
        for connection in list(self.connections):
            if roles is None or connection.member.role in roles:
                connection.close(code)

    def attach(self, connection: Connection) -> int:
        """Let a connection listen from here on; returns the offset up to which it must be told by other means."""
        self.connections[connection] = None
        self._audiences.setdefault(self._audience(connection), {})[connection] = None
        return self.told

    def detach(self, connection: Connection) -> None:
        """Forget a connection."""
        self.connections.pop(connection, None)
        self._audiences.get(self._audience(connection), {}).pop(connection, None)

    def _audience(self, connection: Connection) -> Audience:
        return connection.codec, connection.member.role in self._whole

    def count(self, roles: Collection[str]) -> int:
        """Connections of members with these roles."""
        return sum(connection.member.role in roles for connection in self.connections)

    def stop(self) -> None:
        """Cancel what is scheduled."""
        if self._tick is not None:
            self._tick.cancel()
        if self._healing is not None:
            self._healing.cancel()
        self._fanout.stop()
