"""HTTP before a socket is one: whoever takes too long for a request is cut off.

uvicorn bounds how long a connection may idle between requests, and not how long a request may take to come.
"""

import asyncio
from typing import Any, Final, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S: Final = 5.0
"""For the head of a request, which is all of a handshake; from the connection's beginning or the head's first byte."""

BODY_S: Final = 10.0
"""For its body, from the end of the head."""

TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 40\r\n"
    b"connection: close\r\n\r\nThe request took too long. Send it again"
)


class Timed(Protocol):
    """Somebody who has so much time."""

    def too_slow(self) -> None:
        """The time is over."""
        ...


class Deadlines:
    """Everybody has the same time, so the first to come is the first to be late: one timer for all of them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Timed, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, peer: Timed) -> None:
        """Its time begins now."""
        loop = asyncio.get_running_loop()
        self._since.pop(peer, None)
        self._since[peer] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def end(self, peer: Timed) -> None:
        """It was in time; nothing for one that is not here."""
        self._since.pop(peer, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now_s, self._timer = loop.time(), None
        while self._since:
            peer, since_s = next(iter(self._since.items()))
            left_s = since_s + self._seconds - now_s
            if left_s > 0:
                self._timer = loop.call_later(left_s, self._look)
                return
            del self._since[peer]
            peer.too_slow()


class HandshakeProtocol(HttpToolsProtocol):
    """One HTTP connection, until it is upgraded to a WebSocket or ends."""

    def __init__(self, *arguments: Any, heads: Deadlines, bodies: Deadlines, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._heads, self._bodies = heads, bodies
        self._in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects, and should say what for."""
        super().connection_made(transport)
        self._begin_head()

    def on_message_begin(self) -> None:
        """The first byte of a request; of the first one the time runs already."""
        super().on_message_begin()
        if not self._in_head:
            self._begin_head()

    def _begin_head(self) -> None:
        self._in_head = True
        self._heads.begin(self)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._heads.end(self)
        self._bodies.begin(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole: it takes as long as the application needs."""
        self._bodies.end(self)
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended before."""
        self._heads.end(self)
        self._bodies.end(self)
        super().connection_lost(exc)

    def too_slow(self) -> None:
        """Say so and close; an answer that has begun is cut."""
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(TOO_SLOW)
            self.transport.close()


class HandshakeProtocols:
    """Makes the protocol objects of one server, as uvicorn asks for them."""

    def __init__(self) -> None:
        self._heads, self._bodies = Deadlines(HEAD_S), Deadlines(BODY_S)

    def __call__(self, **named: Any) -> HandshakeProtocol:
        """One for a new connection."""
        return HandshakeProtocol(**named, heads=self._heads, bodies=self._bodies)
