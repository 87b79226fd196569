"""A frame made once, however many sockets get it: the message, and the same bytes as they go over the wire."""

from typing import Final

FIN_TEXT: Final = 0x81
FIN_BINARY: Final = 0x82
PING: Final = bytes((0x89, 0))
"""A ping without a payload; its pong says enough."""


class Frame:
    """One WebSocket message from the server, whole and not masked, so the same for everybody (RFC 6455, 5.2)."""

    __slots__ = ("payload", "wire")

    def __init__(self, payload: bytes, *, binary: bool) -> None:
        self.payload = payload
        self.wire = header(FIN_BINARY if binary else FIN_TEXT, len(payload)) + payload


def header(first: int, length: int) -> bytes:
    """The bytes before a payload of this length."""
    if length < 126:
        return bytes((first, length))
    if length < 65_536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")
