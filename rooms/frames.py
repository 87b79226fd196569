"""A frame made once, however many sockets get it: the message, and the same bytes as they go over the wire."""

from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without their C extension
    from websockets.utils import apply_mask

FIN_TEXT: Final = 0x81
FIN_BINARY: Final = 0x82
PLAIN: Final = frozenset((FIN_TEXT, FIN_BINARY))
PING: Final = bytes((0x89, 0))
"""A ping without a payload; its pong says enough."""


class Frame:
    """One WebSocket message from the server, whole and not masked, so the same for everybody (RFC 6455, 5.2)."""

    __slots__ = ("payload", "wire")

    def __init__(self, payload: bytes, *, binary: bool) -> None:
        self.payload = payload
        self.wire = header(FIN_BINARY if binary else FIN_TEXT, len(payload)) + payload


def plain_message(data: bytes, at: int, most: int) -> tuple[bool, bytes, int] | None:
    """The message of a client that begins at a frame's first byte: whether it is text, its payload, where it ends.

    None for everything that is not a whole message in one whole masked frame of at most so many bytes, 65,535 at the
    utmost: what it is, and what is wrong with it, is for a real parser to say.
    """
    if len(data) < at + 6 or data[at] not in PLAIN or data[at + 1] < 0x80:
        return None
    length, start = data[at + 1] - 0x80, at + 6
    if length == 127:
        return None
    if length == 126:
        length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
        if length < 126:
            return None
    end = start + length
    if length > most or end > len(data):
        return None
    return data[at] == FIN_TEXT, apply_mask(data[start:end], data[start - 4 : start]), end


def header(first: int, length: int) -> bytes:
    """The bytes before a payload of this length."""
    if length < 126:
        return bytes((first, length))
    if length < 65_536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")
