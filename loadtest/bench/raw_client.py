"""A client that does nothing but send prepared bytes and count replies: what an engine can be asked for from Python."""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import hiredis

TIMEOUT_S: Final = 30.0
CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run took: seconds in all, and of each call from its sending to its reply."""

    seconds: float
    call_s: list[float]


def packed(*words: str | bytes) -> bytes:
    """A command as the engine reads it."""
    pack: Any = hiredis.pack_command
    command: bytes = pack(words)
    return command


class _Connection:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader: Any = hiredis.Reader()
        self.sent_s = 0.0
        self.missing = 0
        if parts.password:
            self.ask(packed("AUTH", unquote(parts.username or "default"), unquote(parts.password)))

    def send(self, call: bytes, replies: int) -> None:
        self.missing = replies
        self.sent_s = time.perf_counter()
        self.socket.sendall(call)

    def receive(self) -> None:
        """Take in what came; raises the reply when it is an error, ConnectionError when the server hung up."""
        data = self.socket.recv(CHUNK)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.reader.feed(data)
        while (reply := self.reader.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                raise reply
            self.missing -= 1

    def ask(self, call: bytes, replies: int = 1) -> None:
        self.send(call, replies)
        while self.missing:
            self.receive()


class RawClient:
    """Some blocking connections, each with one call on its way."""

    def __init__(self, url: str, connections: int) -> None:
        self._connections = [_Connection(url) for _ in range(connections)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.socket.close()

    def run(self, calls: Sequence[bytes], replies: int = 1) -> Sent:
        """Send all calls, of `replies` commands each, on whatever connection is free. Raises an error reply."""
        waiting = iter(calls)
        call_s: list[float] = []
        with selectors.DefaultSelector() as selector:
            started_s = time.perf_counter()
            for connection in self._connections:
                call = next(waiting, None)
                if call is not None:
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
                    connection.send(call, replies)
            while selector.get_map():
                ready = selector.select(TIMEOUT_S)
                if not ready:
                    raise TimeoutError(f"no reply within {TIMEOUT_S:.0f} s")
                for key, _ in ready:
                    connection = key.data
                    connection.receive()
                    if connection.missing:
                        continue
                    call_s.append(time.perf_counter() - connection.sent_s)
                    call = next(waiting, None)
                    if call is None:
                        selector.unregister(connection.socket)
                    else:
                        connection.send(call, replies)
            return Sent(time.perf_counter() - started_s, call_s)
