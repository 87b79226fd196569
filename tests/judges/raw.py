"""WebSocket over a plain TCP socket, for bytes that no library would send, and a strict look at what comes back."""

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.judges.rules import read

DEADLINE_S = 10.0
CONTROL_MAX = 125
KNOWN = {
    "welcome", "snapshot", "reply", "error", "gift", "gifts_folded", "combo_ended", "settled", "refunded", "balance",
    "room", "viewers", "top", "goodbye",
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A frame as it shall be, true to the RFC or not; `length` None is the true one, `mask` None is none."""

    opcode: int
    payload: bytes
    final: bool = True
    reserved: int = 0
    mask: bytes | None = b"\0\0\0\0"
    length: int | None = None

    @property
    def wire(self) -> bytes:
        """Its bytes."""
        length = len(self.payload) if self.length is None else self.length
        head = bytes((self.final << 7 | self.reserved << 4 | self.opcode,))
        masked = 0 if self.mask is None else 0x80
        if length < 126:
            head += bytes((masked | length,))
        elif length < 65_536:
            head += bytes((masked | 126,)) + length.to_bytes(2, "big")
        else:
            head += bytes((masked | 127,)) + length.to_bytes(8, "big")
        if self.mask is None:
            return head + self.payload
        return head + self.mask + bytes(byte ^ self.mask[at % 4] for at, byte in enumerate(self.payload))


class RawSocket:
    """One connection. `messages` are the server's, `code` is that of its close frame, `ended` that it is gone."""

    def __init__(self, tcp: socket.socket, binary: bool, unread: bytes) -> None:
        self.messages: list[dict[str, Any]] = []
        self.code: int | None = None
        self.ended = False
        self._tcp, self._binary = tcp, binary
        self._unread = unread
        self._look()

    def send(self, data: bytes) -> None:
        """Send bytes, unless the server has gone already."""
        with contextlib.suppress(ConnectionError):
            self._tcp.sendall(data)

    def send_message(self, data: bytes, binary: bool | None = None) -> None:
        """Send one true frame; by default of the kind that the subprotocol takes."""
        self.send(Piece(2 if (self._binary if binary is None else binary) else 1, data).wire)

    def finish(self) -> None:
        """Send nothing more, and read all that the server still says."""
        with contextlib.suppress(OSError):
            self._tcp.shutdown(socket.SHUT_WR)
        while not self.ended:
            self.read()

    def read(self) -> None:
        """Read once, and look at what came; fails on what a server may not send."""
        try:
            data = self._tcp.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return
        self._unread += data
        self._look()

    def _look(self) -> None:
        while (parts := _first_frame(self._unread)) is not None:
            first, payload, self._unread = parts
            self._take(first, payload)

    def _take(self, first: int, payload: bytes) -> None:
        assert self.code is None, "nothing comes after a close frame"
        assert first & 0xF0 == 0x80, "the server's frames are whole and without extensions"
        opcode = first & 0x0F
        if opcode == 8:
            self.code = int.from_bytes(payload[:2], "big") if payload else 1005
            assert len(payload) != 1
            payload[2:].decode()
            self.send(Piece(8, payload[:2]).wire)
        elif opcode in (9, 10):
            assert len(payload) <= CONTROL_MAX
        else:
            assert opcode == (2 if self._binary else 1)
            messages = read(payload, self._binary)
            assert isinstance(messages, list)
            assert {message["type"] for message in messages} <= KNOWN
            self.messages += messages


def _first_frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """First byte, payload and the rest; None when it is not whole yet."""
    if len(data) < 2:
        return None
    first, length, at = data[0], data[1], 2
    assert length < 128, "the server masks nothing"
    if length > 125:
        size = 2 if length == 126 else 8
        length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    if len(data) < at + length:
        return None
    return first, data[at : at + length], data[at + length :]


def request(path: str, headers: Mapping[str, str], protocol: str) -> bytes:
    """A handshake as a good client makes it."""
    lines = [
        f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {protocol}", *(f"{name}: {value}" for name, value in headers.items()), "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def answer_to(port: int, data: bytes) -> bytes:
    """The head of the server's answer, empty when it only ended the connection; fails when there is neither."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as tcp:
        tcp.sendall(data)
        return _head(tcp)[0]


def _head(tcp: socket.socket) -> tuple[bytes, bytes]:
    got, until_s = b"", time.monotonic() + DEADLINE_S
    while b"\r\n\r\n" not in got:
        assert time.monotonic() < until_s
        with contextlib.suppress(ConnectionError):
            if data := tcp.recv(65_536):
                got += data
                continue
        break
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


@contextlib.contextmanager
def opened(port: int, path: str, headers: Mapping[str, str], *, binary: bool) -> Iterator[RawSocket]:
    """An open socket, its welcome read."""
    protocol = "giftserver.v1.msgpack" if binary else "giftserver.v1.json"
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tcp.sendall(request(path, headers, protocol))
        head, rest = _head(tcp)
        assert b" 101 " in head.split(b"\r\n")[0], head
        raw = RawSocket(tcp, binary, rest)
        while not raw.messages:
            raw.read()
        yield raw
