"""The one who publishes in the fan-out benchmark: at a rate, or as fast as the viewers are shown."""

import asyncio
import base64
import os
from typing import Final, cast

from loadtest.crowd import mark

MESSAGE_BYTES: Final = 120
STEP_S: Final = 0.002


def framed(payload: bytes) -> bytes:
    """A client's binary frame; masked with zeros, so that the payload goes as it is."""
    return bytes((0x82, 0x80 | len(payload), 0, 0, 0, 0)) + payload


def message() -> bytes:
    """A message of MESSAGE_BYTES that says when it was published."""
    return framed(mark().ljust(MESSAGE_BYTES, b"."))


class Publisher(asyncio.Protocol):
    """A socket on `/publish`."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._open = asyncio.Event()
        self._transport: asyncio.WriteTransport | None = None
        self.sent = 0

    async def connect(self) -> None:
        """Open the socket. Raises OSError."""
        await asyncio.get_running_loop().create_connection(lambda: self, self._host, self._port)
        async with asyncio.timeout(10):
            await self._open.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self._transport = cast(asyncio.WriteTransport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /publish HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Nothing but the handshake's answer is waited for."""
        self._open.set()

    def send(self, count: int) -> None:
        """Publish so many messages now."""
        assert self._transport is not None
        self._transport.write(b"".join(message() for _ in range(count)))
        self.sent += count

    async def at_rate(self, per_s: float, seconds: float) -> None:
        """Publish at a steady rate."""
        loop = asyncio.get_running_loop()
        started_s, before = loop.time(), self.sent
        while (passed_s := loop.time() - started_s) < seconds:
            due = int(passed_s * per_s) - (self.sent - before)
            if due > 0:
                self.send(due)
            await asyncio.sleep(STEP_S)

    def keep(self, window: int, seen: int) -> None:
        """Publish until so many messages are on their way to the viewer that has seen so many."""
        if (due := window - (self.sent - seen)) > 0:
            self.send(due)

    def close(self) -> None:
        """End the socket."""
        if self._transport is not None:
            self._transport.abort()
