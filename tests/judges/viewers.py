"""One room's socket as seen by independent client libraries: each only opens, keeps what comes, and sends."""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgpack
import websocket
from websockets.asyncio.client import ClientConnection, connect

from rooms.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from tests.judges.process import CREATOR, WebProcess

DEADLINE_S = 20.0


@dataclass(eq=False)
class Viewer:
    """One socket; `frames` are what came, as the library gave them: bytes, text, or decoded already."""

    web: WebProcess
    binary: bool
    creator: bool
    library: ClassVar[str] = ""
    frames: list[Any] = field(default_factory=list)

    @property
    def user(self) -> str:
        """Who is behind it."""
        return CREATOR if self.creator else self.library

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.library} {'msgpack' if self.binary else 'JSON'}{' as creator' if self.creator else ''}"

    @property
    def headers(self) -> dict[str, str]:
        """Who it is, for the handshake."""
        return self.web.bearer(self.user, "creator" if self.creator else "viewer")

    @property
    def subprotocol(self) -> str:
        """What it asks for."""
        return MSGPACK_SUBPROTOCOL if self.binary else JSON_SUBPROTOCOL

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Everything the server said, in order."""
        return [message for frame in self.frames for message in self._decoded(frame)]

    def _decoded(self, frame: Any) -> list[dict[str, Any]]:
        if isinstance(frame, str | bytes):
            assert isinstance(frame, bytes) is self.binary, "frames are of the kind that was asked for"
            frame = msgpack.unpackb(frame) if self.binary else json.loads(frame)
        assert isinstance(frame, list)
        return frame

    def of(self, *types: str) -> list[dict[str, Any]]:
        """Messages of these types."""
        return [message for message in self.messages if message["type"] in types]

    async def command(self, **message: Any) -> None:
        """Send a command."""
        await self.send(msgpack.packb(message) if self.binary else json.dumps(message))

    async def open(self) -> None:
        """Connect, and keep what comes from then on."""
        raise NotImplementedError

    async def send(self, data: bytes | str) -> None:
        """Send one message."""
        raise NotImplementedError

    async def look(self) -> None:
        """Fetch what has come, where the library keeps it elsewhere."""

    async def close(self) -> None:
        """Say goodbye."""
        raise NotImplementedError


class WebsocketsViewer(Viewer):
    """websockets, asyncio."""

    library = "websockets"
    _socket: ClientConnection
    _reading: "asyncio.Task[None]"

    async def open(self) -> None:
        self._socket = await connect(
            self.web.socket_url, subprotocols=[self.subprotocol], additional_headers=self.headers
        )  # type: ignore[list-item]
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self._socket:
            self.frames.append(frame)

    async def send(self, data: bytes | str) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()
        await self._reading


class WebsocketClientViewer(Viewer):
    """websocket-client, blocking, read by a thread."""

    library = "websocket-client"
    _socket: websocket.WebSocket
    _thread: threading.Thread

    async def open(self) -> None:
        self._socket = await asyncio.to_thread(
            websocket.create_connection,
            self.web.socket_url,
            DEADLINE_S,
            subprotocols=[self.subprotocol],
            header=self.headers,
        )
        self._thread = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            opcode, data = self._socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            self.frames.append(data.decode() if opcode == websocket.ABNF.OPCODE_TEXT else bytes(data))

    async def send(self, data: bytes | str) -> None:
        kind = websocket.ABNF.OPCODE_BINARY if self.binary else websocket.ABNF.OPCODE_TEXT
        await asyncio.to_thread(self._socket.send, data, kind)

    async def close(self) -> None:
        await asyncio.to_thread(self._socket.send_close)
        await asyncio.to_thread(self._thread.join, DEADLINE_S)
        assert not self._thread.is_alive()
        self._socket.shutdown()
