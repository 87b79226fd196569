"""The room engine of this project over its edge: a message is an event of a room, without Redis in between."""

import asyncio
import sys
from collections.abc import Hashable, Sequence
from typing import Any, Final

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from rooms.codec import MSGPACK
from rooms.connection import Connection, Member
from rooms.edge import EdgeProtocol, edge_of
from rooms.history import EVENT, Batch, Record
from rooms.pace import Pace
from rooms.pings import PingWheel
from rooms.protocol import Push
from rooms.room import Room
from rooms.turns import Turns

AT_ONCE: Final = 0.95
"""Share of the core for writing where there is no tick: others are there for nothing else."""


class Note(Push, tag="note", frozen=True):
    """A published message."""

    offset: int
    body: bytes


class Notes:
    """Shows every message by itself."""

    def render(self, record: Record) -> Push:
        """The message."""
        return Note(record.offset, record.body.encode())

    def small(self, push: Push) -> Hashable | None:
        """None is small."""
        return None

    def merge(self, pushes: Sequence[Push]) -> Push:
        """Never asked."""
        return pushes[-1]

    def fold(self, pushes: Sequence[Push]) -> Push:
        """Never asked."""
        return pushes[-1]


class Side:
    """One room."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._room: Room | None = None
        self._wheel = PingWheel()
        self._new: list[Record] = []

    @property
    def room(self) -> Room:
        """The room, made on the loop it lives on."""
        if self._room is None:
            history: Any = None
            pace = Pace(self._tick_s) if self._tick_s else Pace(0.0, AT_ONCE)
            self._room = Room(
                "bench", "e", 0, history=history, renderer=Notes(), pace=pace, turns=Turns(pace.written),
                whole=(), on_event=lambda room, record: None,
            )  # fmt: skip
        return self._room

    async def viewer(self, websocket: WebSocket) -> None:
        """Let the socket listen."""
        await websocket.accept()
        edge = edge_of(websocket.scope)
        assert edge is not None
        member = Member(None, "", "viewer")
        connection = Connection(edge, MSGPACK, member, outbox_bytes=1 << 20, commands_per_s=1e9)
        self.room.attach(connection)
        edge.detach(lambda data, text: None, lambda: self.room.detach(connection), self._wheel, connection)

    async def publisher(self, websocket: WebSocket) -> None:
        """Every message is the room's next event; those of one turn of the loop come together, as from the bus."""
        await websocket.accept()
        edge = edge_of(websocket.scope)
        assert edge is not None
        edge.detach(lambda data, text: self.publish(data), lambda: None, self._wheel)

    def publish(self, data: bytes) -> None:
        """One message."""
        if not self._new:
            asyncio.get_running_loop().call_soon(self._deliver)
        self._new.append(Record(self.room.offset + len(self._new) + 1, EVENT, 0, "", 1, 1, data.decode()))

    def _deliver(self) -> None:
        new, self._new = self._new, []
        self.room.deliver(Batch("e", new))


def main() -> None:
    """`ours.py PORT TICK_MS`"""
    side = Side(int(sys.argv[2]) / 1_000)
    app = Starlette(routes=[WebSocketRoute("/", side.viewer), WebSocketRoute("/publish", side.publisher)])
    config = uvicorn.Config(
        app, port=int(sys.argv[1]), ws=EdgeProtocol, ws_per_message_deflate=False, ws_ping_interval=None,
        lifespan="off", log_level="error", access_log=False, backlog=4_096,
    )  # fmt: skip
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
