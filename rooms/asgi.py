"""Carries a room connection over any ASGI server: one writer task, messages in by a callback."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from rooms.frames import Frame

CLOSE_TIMEOUT_S: Final = 5.0
OnMessage = Callable[[bytes, bool], None]
"""Takes one message, and whether it came as text."""


class AsgiOutlet:
    """Queues frames for a WebSocket; the ASGI server's send is awaited by one task a connection."""

    def __init__(self, websocket: WebSocket, *, binary: bool) -> None:
        self._websocket, self._binary = websocket, binary
        self._payloads: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._ready = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @property
    def closed_for(self) -> int | None:
        """The code it was closed with from here; None for none, and where the ASGI server did it by itself."""
        return self._closing[0] if self._closing is not None else None

    def backlog(self) -> int:
        """Bytes that the ASGI server has not taken yet."""
        return self._waiting_bytes

    def write(self, frame: Frame) -> None:
        """Queue one message."""
        if self._closing is None:
            self._payloads.append(frame.payload)
            self._waiting_bytes += len(frame.payload)
            self._ready.set()

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued; what a client does not take in CLOSE_TIMEOUT_S is given up."""
        if self._closing is None:
            self._closing = (code, reason)
            self._ready.set()
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._give_up)

    def drop(self) -> None:
        """Forget what is queued."""
        self._payloads.clear()
        self._waiting_bytes = 0

    def _give_up(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _write(self) -> None:
        while True:
            while self._payloads:
                payload = self._payloads.popleft()
                await self._send(payload)
                self._waiting_bytes = max(0, self._waiting_bytes - len(payload))
            if self._closing is not None:
                await self._websocket.close(*self._closing)
                return
            self._ready.clear()
            await self._ready.wait()

    async def _send(self, payload: bytes) -> None:
        if self._binary:
            await self._websocket.send_bytes(payload)
        else:
            await self._websocket.send_text(payload.decode())

    async def run(self, on_message: OnMessage) -> None:
        """Carry messages both ways until either side closes."""
        writer = asyncio.create_task(self._write(), name="socket writer")
        reader = asyncio.create_task(self._read(on_message), name="socket reader")
        self._tasks = (writer, reader)
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.cancel()
            reader.cancel()
            for result in await asyncio.gather(writer, reader, return_exceptions=True):
                if isinstance(result, Exception) and not isinstance(result, EXPECTED):
                    raise result

    async def _read(self, on_message: OnMessage) -> None:
        while self._websocket.application_state is WebSocketState.CONNECTED:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text: str | None = message.get("text")
            if text is None:
                on_message(message.get("bytes", b""), False)
            else:
                on_message(text.encode(errors="surrogatepass"), True)


EXPECTED: Final = (WebSocketDisconnect, TimeoutError, OSError, RuntimeError)
"""What a send raises when the peer is gone; Starlette uses RuntimeError for a send after close."""
