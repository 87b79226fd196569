"""A WebSocket client for load tests: websocket-client under gevent, and the `msgpack` package, none of it ours.

So what is measured is what a stranger's program would see, and a mistake in our own codecs cannot hide.
"""

import json
import random
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import gevent
import msgpack
import websocket

SUBPROTOCOLS: Final = {"msgpack": "giftserver.v1.msgpack", "json": "giftserver.v1.json"}
CONNECT_S: Final = 10.0
SILENT_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.5
MOST_PAUSE_S: Final = 10.0
GONE: Final = (OSError, websocket.WebSocketException)


class Refused(Exception):
    """The server lets this client in no more."""


def make_key() -> str:
    """A UUIDv7 of now."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(0b11 << 62) | 0b10 << 62))


class RoomSocket:
    """One socket after another to a room; frames come to `on_messages`, in the greenlet that calls `run`."""

    def __init__(
        self, url: str, codec: str, token: Callable[[], str | None], on_messages: Callable[[list[Any]], None]
    ) -> None:
        self.codec = codec
        self.position: tuple[str, int] | None = None
        self.connections = 0
        self._url, self._token, self._on_messages = url, token, on_messages
        self._socket: websocket.WebSocket | None = None
        self._failures = 0

    def run(self, on_outage: Callable[[BaseException], None]) -> None:
        """Stay connected until killed; resumes where it was. Raises Refused."""
        try:
            while True:
                try:
                    self._connect()
                    self._listen()
                except websocket.WebSocketBadStatusException as problem:
                    if problem.status_code in (400, 401, 403, 404):
                        raise Refused(
                            f"HTTP status {problem.status_code}: {bytes(problem.resp_body or b'')!r}"
                        ) from problem
                    on_outage(problem)
                except GONE as problem:
                    on_outage(problem)
                self._failures = min(self._failures + 1, 8)
                gevent.sleep(random.random() * min(MOST_PAUSE_S, FIRST_PAUSE_S * 2**self._failures))
        finally:
            self.close()

    def send(self, message: dict[str, Any]) -> bool:
        """Send a command; False when there is no connection."""
        if self._socket is None:
            return False
        try:
            if self.codec == "msgpack":
                self._socket.send_binary(msgpack.packb(message))
            else:
                self._socket.send(json.dumps(message))
        except GONE:
            return False
        return True

    def close(self) -> None:
        """Close without waiting for the server's goodbye."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.shutdown()  # type: ignore[no-untyped-call]

    def _connect(self) -> None:
        token = self._token()
        query = {}
        if self.position is not None:
            query = {"epoch": self.position[0], "offset": str(self.position[1])}
        self._socket = websocket.create_connection(
            f"{self._url}?{urlencode(query)}" if query else self._url,
            timeout=CONNECT_S,
            subprotocols=[SUBPROTOCOLS[self.codec]],
            header=[f"Authorization: Bearer {token}"] if token else [],
            suppress_origin=True,
        )
        self._socket.settimeout(SILENT_S)
        self.connections += 1

    def _listen(self) -> None:
        assert self._socket is not None
        try:
            while True:
                opcode, data = self._socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    code = int.from_bytes(data[:2], "big")
                    if 4500 <= code < 5000:
                        raise Refused(f"closed for good with {code}")
                    return
                messages = msgpack.unpackb(data) if self.codec == "msgpack" else json.loads(data)
                for message in messages:
                    if message["type"] == "welcome":
                        self._failures = 0
                if messages:
                    self._on_messages(messages)
        finally:
            self.close()
