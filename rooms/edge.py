"""A room's socket without a task: uvicorn's own protocol object, once the application has let go of the handshake.

The handshake, with everything that may refuse it, is ordinary ASGI. Then the application calls `detach` and returns:
frames come as plain callbacks, bytes go to the transport. This file and rooms/handshake.py are the only ones that touch
the insides of uvicorn and websockets; tests/rooms/test_edge_contract.py holds them against the versions installed.
Where another server runs the application there is no edge in the scope, and rooms/asgi.py carries the connection.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame as PeerFrame
from websockets.protocol import State

from rooms.codes import TOO_MANY
from rooms.connection import Connection
from rooms.frames import PING, Frame, plain_message
from rooms.pings import PingWheel

EXTENSION: Final = "giftserver.edge"
"""Where the scope's extensions have the protocol object."""

LOGGER: Final = logging.getLogger("uvicorn.error.sockets")
"""For what happens to one socket, which at the level of information is two lines each."""

CLOSE_TIMEOUT_S: Final = 5.0
PONG_BUFFER_MAX: Final = 65_536
"""A peer that sends pings and does not read gets no more pongs beyond so many unsent bytes."""

PINGS_MAX: Final = 100
"""Pings that a peer may send between two of the server's; one that sends more is closed."""

FRAGMENTS_MAX: Final = 4_096
"""Frames of one message. Empty ones add nothing to its length, and each takes memory until the last one comes."""

PIECE_BYTES: Final = 1_024
PIECES_AFTER_CLOSE: Final = 4
"""So much is read after a close frame was sent, for the answer to it; a peer that has sent more is cut off later."""

BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

WRITE_HIGH_BYTES: Final = 65_536
WRITE_LOW_BYTES: Final = 16_384

OnMessage = Callable[[bytes, bool], None]
"""Takes one message, and whether it came as text (which is valid UTF-8)."""

OnLost = Callable[[], None]


class _Nobody:
    """Stands where the base class tells an ASGI task something, when there is none."""

    def put_nowait(self, event: object) -> None:
        """No event is waited for."""

    def set(self) -> None:
        """Nobody waits to write."""

    def clear(self) -> None:
        """Nobody will wait to write."""


NOBODY: Final = _Nobody()


class EdgeProtocol(WebSocketsSansIOProtocol):
    """One connection. Until `detach` it is uvicorn's; from then on it is an outlet (rooms.connection.Outlet)."""

    _on_message: OnMessage | None = None
    _on_lost: OnLost | None = None
    _wheel: PingWheel | None = None
    _connection: Connection | None = None
    _heard = True
    _pings = 0
    _after_close = 0
    _between_frames = False
    """Whether the base class, whose messages they are, would begin a new message with the next byte."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = self.conn.logger = LOGGER

    def backlog(self) -> int:
        """Bytes accepted and not yet taken by the kernel."""
        return self.transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        """Take bytes. The usual message is taken here, as cheaply as it can be; the base class reads everything else.

        Some at a time: once the socket is being closed, what else a peer has sent is not worth reading. A handshake
        that cannot be read is refused, where the base class would wait for nothing.
        """
        if not self.handshake_initiated:
            super().data_received(data)
            if not self.handshake_initiated and self.conn.handshake_exc is not None:
                self.transport.write(b"".join(self.conn.data_to_send()) or BAD_REQUEST)
                self.transport.close()
            return
        at = 0
        while self._between_frames and not self.close_sent:
            found = plain_message(data, at, self.config.ws_max_size)
            if found is None:
                break
            text, payload, at = found
            self._take(payload, text)
        if at == len(data):
            return
        for start in range(at, len(data), PIECE_BYTES):
            if self.close_sent:
                self._after_close += 1
                if self._after_close > PIECES_AFTER_CLOSE:
                    return
            super().data_received(data[start : start + PIECE_BYTES])
        self._between_frames = self._on_message is not None and self._is_between_frames()

    def _is_between_frames(self) -> bool:
        waits = getattr(getattr(self.conn.parser, "gi_yieldfrom", None), "gi_yieldfrom", None)
        at_start = getattr(waits, "__name__", "") == "at_eof" and self.conn.current_size is None
        return at_start and self.conn.state is State.OPEN

    def handle_connect(self, event: Any) -> None:
        """Begin the ASGI task of the handshake, which finds this object in its scope."""
        super().handle_connect(event)
        if not self.handshake_complete:
            cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self

    @property
    def closed_for(self) -> int | None:
        """The code of the close frame that was sent; None for none."""
        sent = self.conn.close_sent
        return None if sent is None else int(sent.code)

    def detach(
        self, on_message: OnMessage, on_lost: OnLost, wheel: PingWheel, connection: Connection | None = None
    ) -> None:
        """Let the ASGI task end without the socket; what came meanwhile is delivered at once, in order.

        `on_lost` is called once, when the connection is gone; at once when it is gone already. Until then the wheel
        asks whether the peer is there. The `connection` may write to the transport as long as nothing ends it.
        """
        waiting, self.queue = self.queue, cast("asyncio.Queue[Any]", NOBODY)
        self.writable = cast(asyncio.Event, NOBODY)
        self._on_message, self._on_lost = on_message, on_lost
        self.stop_keepalive()
        for name in ("scope", "request", "response", "app_state"):
            self.__dict__.pop(name, None)
        while not waiting.empty():
            event = waiting.get_nowait()
            if event["type"] == "websocket.receive":
                text = event.get("text")
                on_message(event.get("bytes") or b"" if text is None else text.encode(), text is not None)
        if self.disconnected:
            self._lost()
        elif not self.transport.is_closing():  # else its end is on its way
            self._wheel = wheel
            wheel.add(self)
            self.transport.set_write_buffer_limits(WRITE_HIGH_BYTES, WRITE_LOW_BYTES)
            if connection is not None and not self._ends():
                self._connection = connection
                transport = self.transport
                plain = transport.get_extra_info("sslcontext") is None
                descriptor = transport.get_extra_info("socket").fileno() if plain else -1
                connection.direct(transport.get_write_buffer_size, self._give, descriptor)
            if self.read_paused:
                self.read_paused = False
                self.transport.resume_reading()

    def write(self, frame: Frame) -> None:
        """Send one message; what the kernel does not take waits in the transport. Nothing for a peer that is gone."""
        if not self._ends():
            self._give(frame.wire)

    def _give(self, data: bytes) -> None:
        if self._connection is not None:
            self._connection.clear = -1
        self.transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Close after what was written; a peer that does not take it in CLOSE_TIMEOUT_S is cut off."""
        if self._ends():
            return
        self._quiet()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def drop(self) -> None:
        """What the transport has cannot be taken back; `close` bounds how long it is kept."""

    def ping(self) -> None:
        """Ask whether the peer is there; one that did not answer the last time is cut off."""
        if not self._heard:
            self.transport.abort()
            return
        self._heard, self._pings = False, 0
        if not self.close_sent and not self.transport.is_closing():
            self._give(PING)

    def shutdown(self) -> None:
        """The server ends. A peer whose connection is ending already is not told: it may be told nothing any more."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            super().shutdown()

    async def run_asgi(self) -> None:
        """Run the application for the handshake; close when it ends, unless it has let go of the socket."""
        transport, kept = self.transport, False
        try:
            await self.app(self.scope, self.receive, self.send)
            kept = self._on_lost is not None or self.close_timer is not None
            if not self.handshake_complete:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        finally:
            if not kept:
                transport.close()

    def send_receive_event_to_app(self) -> None:
        """A whole message: for the ASGI task, or for whoever took the socket over."""
        if self._on_message is None:
            super().send_receive_event_to_app()
            return
        parts, self.frames = self.frames, []
        if not self.close_sent:
            data = bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
            self._take(data, self.curr_msg_data_type == "text")

    def _take(self, data: bytes, text: bool) -> None:
        assert self._on_message is not None
        self._heard = True
        if text and not _is_utf8(data):
            self._fail(1007)
            return
        self._on_message(data, text)

    def handle_cont(self, event: PeerFrame) -> None:
        """One more frame of a message, which may not have any number of them."""
        if len(self.frames) < FRAGMENTS_MAX:
            super().handle_cont(event)
        else:
            self.frames = []
            self._fail(1009)

    def handle_parser_exception(self) -> None:
        """What came breaks the protocol: the base class closes."""
        self._quiet()
        super().handle_parser_exception()

    def handle_close(self, event: PeerFrame) -> None:
        """The peer closes: the base class answers."""
        self._quiet()
        super().handle_close(event)

    def _quiet(self) -> None:
        if self._connection is not None:
            self._connection.quiet()
            self._connection = None

    def _fail(self, code: int) -> None:
        if not self._ends():
            self.conn.send_close(code)
            self.handle_parser_exception()

    def _ends(self) -> bool:
        """Whether a close frame is on its way; a peer's may have been answered before what came with it is handled."""
        return self.close_sent or self.conn.close_sent is not None or self.transport.is_closing()

    def handle_ping(self) -> None:
        """Answer, unless the peer does not take the answers, or floods."""
        self._pings += 1
        self._heard = True
        answer = b"".join(self.conn.data_to_send())
        if self._ends():
            return
        if self._pings > PINGS_MAX:
            self.close(TOO_MANY.code, TOO_MANY.name)
        elif self._on_lost is None or self.backlog() <= PONG_BUFFER_MAX:
            self._give(answer)

    def handle_pong(self, event: PeerFrame) -> None:
        """The peer is there."""
        self._heard = True
        if self._on_lost is None:
            super().handle_pong(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        super().connection_lost(exc)
        if self._on_lost is not None:
            self._lost()

    def _lost(self) -> None:
        self._quiet()
        if self._wheel is not None:
            self._wheel.remove(self)
        gone, self._on_lost = self._on_lost, _ignore
        self._on_message = _ignore_message
        if gone is not None:
            gone()


def _ignore() -> None:
    """Nobody waits for this end any more."""


def _ignore_message(data: bytes, text: bool) -> None:
    """Nobody waits for messages any more."""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def edge_of(scope: Mapping[str, Any]) -> EdgeProtocol | None:
    """The edge under an ASGI connection, None where another protocol carries it."""
    found: EdgeProtocol | None = scope.get("extensions", {}).get(EXTENSION)
    return found
