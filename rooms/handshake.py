"""HTTP before a socket is one: whoever takes too long for a request is cut off.

uvicorn bounds how long a connection may idle between requests, and not how long a request may take to come.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S: Final = 5.0
"""For the head of a request, which is all of a handshake; from the connection's beginning or the head's first byte."""

BODY_S: Final = 10.0
"""For its body, from the end of the head."""

TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 40\r\n"
    b"connection: close\r\n\r\nThe request took too long. Send it again"
)


class HandshakeProtocol(HttpToolsProtocol):
    """One HTTP connection, until it is upgraded to a WebSocket or ends."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects, and should say what for."""
        super().connection_made(transport)
        self._expect(HEAD_S)

    def on_message_begin(self) -> None:
        """The first byte of a request; of the first one the time runs already."""
        super().on_message_begin()
        if self._deadline is None:
            self._expect(HEAD_S)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._expect(BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole: it takes as long as the application needs."""
        self._relax()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended before."""
        self._relax()
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        self._relax()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:  # else its answer has begun
                self.transport.write(TOO_SLOW)
            self.transport.close()
