"""Raw WebSocket bytes of load tests: a client's handshake, its frames, and the frames of a server."""

import base64
import os
from typing import Final

TEXT, BINARY = 0x81, 0x82
PONG: Final = bytes((0x8A, 0x80, 0, 0, 0, 0))
END_OF_HEAD: Final = b"\r\n\r\n"


def handshake(host: str, port: int, path: str, subprotocol: str = "", token: str = "") -> bytes:
    """The request that opens a socket; `token` is a bearer's."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []),
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def framed(payload: bytes, first: int) -> bytes:
    """A client's frame with this first byte; masked with zeros, so that the payload goes as it is."""
    length = len(payload)
    if length < 126:
        return bytes((first, 0x80 | length, 0, 0, 0, 0)) + payload
    return bytes((first, 0xFE)) + length.to_bytes(2, "big") + bytes(4) + payload


class Messages:
    """Cuts what a server sends into its messages; pings and the like are left out."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, data: bytes) -> list[bytes]:
        """The payloads that are whole with this read. A message in several frames is not expected."""
        data = self._rest + data if self._rest else data
        at, found = 0, []
        while (end := _frame_end(data, at)) is not None:
            start, stop = end
            if data[at] in (TEXT, BINARY):
                found.append(data[start:stop])
            at = stop
        self._rest = data[at:]
        return found


def _frame_end(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at this place starts and ends; None when it is not whole."""
    if len(data) < at + 2:
        return None
    length, start = data[at + 1], at + 2
    extended = {126: 2, 127: 8}.get(length, 0)
    if extended:
        length, start = int.from_bytes(data[start : start + extended], "big"), start + extended
    return (start, start + length) if len(data) >= start + length else None
