"""A uvicorn with the edge and a small application that lets go of every socket, for its tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from rooms.connection import Connection
from rooms.edge import EdgeProtocol, edge_of
from rooms.frames import Frame
from rooms.handshake import HandshakeProtocols
from rooms.pings import PingWheel
from tests.quick_server import QuickServer, free_listener
from tests.rooms.conftest import until

MESSAGE_BYTES = 16_384


@dataclass
class Echo:
    """The application: accepts, waits if asked to, detaches, and sends back what comes."""

    wheel: PingWheel = field(default_factory=PingWheel)
    before_detach: Callable[[], Awaitable[None]] | None = None
    edges: list[EdgeProtocol] = field(default_factory=list)
    messages: list[tuple[bytes, bool]] = field(default_factory=list)
    lost: int = 0
    url: str = ""
    server: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.answer(scope, receive, send)
        if scope["type"] != "websocket":
            return
        await receive()
        if scope["path"] == "/fails":
            raise RuntimeError("before the handshake")
        await send({"type": "websocket.accept"})
        if scope["path"] == "/fails-later":
            raise RuntimeError("after the handshake")
        if self.before_detach is not None:
            await self.before_detach()
        edge = edge_of(scope)
        assert edge is not None
        self.edges.append(edge)
        edge.detach(lambda data, text: self.take(edge, data, text), self.count_lost, self.wheel, self.joins(edge))

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """What was sent, once `before_detach` has ended."""
        if self.before_detach is not None:
            await self.before_detach()
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part.get("body", b"")
            if not part.get("more_body", False):
                break
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    def joins(self, edge: EdgeProtocol) -> Connection | None:
        """A connection of its own that may write to the socket; None for none."""
        return None

    def take(self, edge: EdgeProtocol, data: bytes, text: bool) -> None:
        self.messages.append((data, text))
        edge.write(Frame(data, binary=not text))

    def count_lost(self) -> None:
        self.lost += 1

    def connect(self, path: str = "/", **options: Any) -> connect:
        options = {"compression": None, "ping_interval": None, "close_timeout": 1} | options
        return connect(self.url + path, **options)


@contextlib.asynccontextmanager
async def serving(app: Echo) -> AsyncIterator[Echo]:
    """Serve it on a free port."""
    config = uvicorn.Config(
        app, http=HandshakeProtocols(), ws=EdgeProtocol, ws_max_size=MESSAGE_BYTES, ws_per_message_deflate=False,
        ws_ping_interval=None,
        loop="uvloop", lifespan="off", log_config=None, timeout_graceful_shutdown=5,
    )  # fmt: skip
    app.server = QuickServer(config)
    listener = free_listener()
    app.url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    task = asyncio.create_task(app.server.serve([listener]))
    try:
        await until(lambda: app.server.started)
        yield app
    finally:
        app.server.should_exit = True
        await task
        app.wheel.stop()


async def deaf(connection: ClientConnection) -> None:
    """The client reads nothing more."""
    connection.transport.pause_reading()
    await asyncio.sleep(0)
