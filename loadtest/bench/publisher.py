"""The one who publishes in the fan-out benchmark: at a rate, or as fast as the viewers are shown."""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final, cast

from loadtest.crowd import mark
from loadtest.frames import BINARY, END_OF_HEAD, TEXT, framed, handshake

MESSAGE_BYTES: Final = 120
STEP_S: Final = 0.002


def payload() -> bytes:
    """MESSAGE_BYTES that say when they were published."""
    return mark().ljust(MESSAGE_BYTES, b".")


class Publisher(asyncio.Protocol):
    """A WebSocket on `/publish`, every message a frame of its own."""

    path: ClassVar[str] = "/publish"
    hello: ClassVar[bytes] = b""
    opened: ClassVar[bytes] = END_OF_HEAD
    """What the server's bytes contain once it takes messages."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._open = asyncio.Event()
        self._heard = b""
        self._transport: asyncio.WriteTransport | None = None
        self.sent = 0

    async def connect(self) -> None:
        """Open the socket. Raises OSError, and TimeoutError when nobody answers."""
        await asyncio.get_running_loop().create_connection(lambda: self, self._host, self._port)
        async with asyncio.timeout(10):
            await self._open.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(handshake(self._host, self._port, self.path))

    def data_received(self, data: bytes) -> None:
        """Nothing but the answers that open the socket is waited for."""
        if self._open.is_set():
            return
        greeted = END_OF_HEAD in self._heard
        self._heard += data
        if self.hello and not greeted and END_OF_HEAD in self._heard and self._transport is not None:
            self._transport.write(self.hello)
        if self.opened in self._heard:
            self._open.set()

    def message(self) -> bytes:
        """A message of now, as it goes over the wire."""
        return framed(payload(), BINARY)

    def send(self, count: int) -> None:
        """Publish so many messages now."""
        assert self._transport is not None
        self._transport.write(b"".join(self.message() for _ in range(count)))
        self.sent += count

    async def at_rate(self, per_s: float, seconds: float, go_on: Callable[[], bool] = lambda: True) -> None:
        """Publish at a steady rate, for as long as `go_on` says."""
        loop = asyncio.get_running_loop()
        started_s, before = loop.time(), self.sent
        while (passed_s := loop.time() - started_s) < seconds and go_on():
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


class SocketIoPublisher(Publisher):
    """An event of a socket.io client; the namespace is entered before messages are taken."""

    path = "/socket.io/?EIO=4&transport=websocket"
    hello = framed(b"40", TEXT)
    opened = b"40{"

    def message(self) -> bytes:
        """The event `publish` with the message as text."""
        return framed(b'42["publish","%b"]' % payload(), TEXT)
