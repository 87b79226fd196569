"""One room in one process: who listens, what they have been shown, and the tick that shows more."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from rooms.block import SOCKETS_MAX, Block
from rooms.codec import Encoded
from rooms.codes import HISTORY_RESET, CloseCode
from rooms.connection import Connection
from rooms.history import Batch, History, Record
from rooms.pace import Pace
from rooms.protocol import Push
from rooms.tail import Tail
from rooms.tick import Renderer, Shown
from rooms.turns import Turns

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
        turns: Turns,
        whole: Collection[str],
        on_event: Callable[["Room", Record], None],
    ) -> None:
        self.id, self.epoch, self.offset = room_id, epoch, offset
        self.connections: dict[Connection, Block] = {}
        self.viewers = 0
        self._history, self._renderer, self._on_event = history, renderer, on_event
        self._whole, self._pace, self._turns = whole, pace, turns
        self._loop = asyncio.get_running_loop()
        self.tail = Tail(room_id, epoch, offset, history, renderer)
        self._blocks = [self._new_block()]
        self._waiting: list[Batch] = []
        self._healing: asyncio.Task[None] | None = None

    @property
    def silent_s(self) -> float:
        """Seconds since everybody was last sent a frame."""
        return self._loop.time() - min(block.written_s for block in self._blocks)

    @property
    def told(self) -> int:
        """The offset up to which everybody is told."""
        return min(block.told for block in self._blocks)

    def _new_block(self) -> Block:
        return Block(self._renderer, self._whole, self._turns, self.offset, self._tick_s)

    def _tick_s(self) -> float:
        return self._pace.tick_s(len(self.connections), len(self._blocks))

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
        shown = Shown.of(record, self._renderer)
        self.tail.append(shown)
        for block in self._blocks:
            block.show(shown)

    def push_latest(self, message: Push) -> None:
        """Show a state of which only the newest counts."""
        encoded = Encoded(message)
        for block in self._blocks:
            block.show_latest(type(message), encoded)

    def push_to(self, roles: Collection[str], message: Push) -> None:
        """Show a message at once to the members with these roles."""
        self.flush()
        encoded = Encoded(message)
        for connection in list(self.connections):
            if connection.member.role in roles:
                connection.write(connection.codec.frame([encoded.to(connection.codec)]))

    def flush(self) -> None:
        """Begin to write what is pending: the same bytes for every socket that looks at the room in the same way."""
        for block in self._blocks:
            block.flush()

    def heartbeat(self) -> None:
        """Send an empty frame, so that a client can tell silence from a dead connection."""
        for block in self._blocks:
            block.heartbeat()

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
        block = next((block for block in self._blocks if block.sockets < SOCKETS_MAX), None)
        if block is None:
            block = self._new_block()
            self._blocks.append(block)
        self.connections[connection] = block
        block.attach(connection)
        return block.told

    def detach(self, connection: Connection) -> None:
        """Forget a connection."""
        block = self.connections.pop(connection, None)
        if block is None:
            return
        block.detach(connection)
        if not block.sockets and len(self._blocks) > 1:
            self._blocks.remove(block)
            block.stop()

    def count(self, roles: Collection[str]) -> int:
        """Connections of members with these roles."""
        return sum(connection.member.role in roles for connection in self.connections)

    def stop(self) -> None:
        """Cancel what is scheduled."""
        if self._healing is not None:
            self._healing.cancel()
        for block in self._blocks:
            block.stop()
