"""What Autobahn's cases talk to: `python -m tests.judges.echo edge` or `library`; the first line tells the port.

`edge` is the product's own server with an application that echoes; `library` is a server of the websockets library.
Both end with standard input.
"""

import asyncio
import socket
import sys
from typing import Any

import uvicorn
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from giftserver.lifeline import follow_parent
from giftserver.settings import Settings
from giftserver.web.server import server_config
from rooms.edge import edge_of
from rooms.frames import Frame
from rooms.pings import PingWheel

MESSAGE_BYTES = 32 << 20
"""Autobahn's longest message has 16 MiB."""


class EdgeEcho:
    """Accepts, lets go of the socket, and sends back what comes."""

    def __init__(self) -> None:
        self._wheel = PingWheel()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        edge = edge_of(scope)
        assert edge is not None
        edge.detach(lambda data, text: edge.write(Frame(data, binary=not text)), lambda: None, self._wheel)


async def serve_edge(listener: socket.socket) -> None:
    """As `giftserver web` serves, but for the length of messages."""
    app: Any = EdgeEcho()
    config = server_config(app, Settings(message_bytes=MESSAGE_BYTES))
    config.lifespan = "off"
    await uvicorn.Server(config).serve([listener])


async def serve_library(listener: socket.socket) -> None:
    """As the library's documentation does it, without deflate either."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, sock=listener, max_size=MESSAGE_BYTES, compression=None, ping_interval=None) as server:
        await server.serve_forever()


def main(kind: str) -> None:
    """Serve until standard input ends."""
    follow_parent()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_edge(listener) if kind == "edge" else serve_library(listener))


if __name__ == "__main__":
    main(sys.argv[1])
