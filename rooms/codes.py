"""Close codes and the error codes that every room application shares, in one table each.

Close codes 4000-4499 ask the client to reconnect, 4500-4999 tell it not to.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One refusal: its name on the wire, its HTTP status, and whether the same request may succeed later."""

    name: str
    status: int
    temporary: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One way a socket is closed by the server."""

    code: int
    name: str
    meaning: str

    @property
    def reconnect(self) -> bool:
        """Whether a client should come back by itself."""
        return self.code < 4500


BAD_REQUEST: Final = ErrorCode("bad_request", 400, False, "The message is not what the protocol says")
UNAUTHORIZED: Final = ErrorCode("unauthorized", 401, False, "No identity, or one that is not valid any more")
FORBIDDEN: Final = ErrorCode("forbidden", 403, False, "This identity may not do this")
NOT_FOUND: Final = ErrorCode("not_found", 404, False, "There is no such thing")
ROOM_NOT_FOUND: Final = ErrorCode("room_not_found", 404, False, "There is no such room")
RATE_LIMITED: Final = ErrorCode("rate_limited", 429, True, "Too many at once; wait retry_after_ms")
UNAVAILABLE: Final = ErrorCode("unavailable", 503, True, "An engine is not reachable; resend the same key")

ERRORS: Final = (BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, ROOM_NOT_FOUND, RATE_LIMITED, UNAVAILABLE)

DRAINING: Final = CloseCode(4001, "draining", "The process is being restarted")
HISTORY_RESET: Final = CloseCode(4002, "history_reset", "The room's history began anew; a snapshot follows")
ROOM_UNAVAILABLE: Final = CloseCode(4003, "unavailable", "The room's engine is not reachable")
BUSY: Final = CloseCode(4004, "busy", "Many come at once; come back after reconnect_after_ms")
TOO_SLOW: Final = CloseCode(4008, "too_slow", "The client read too slowly; resume by offset")
TOO_MANY: Final = CloseCode(4029, "rate_limited", "Too many messages or sockets; back off")
BAD_TOKEN: Final = CloseCode(4500, "bad_token", "The identity ended; fetch a new ticket")
BAD_MESSAGE: Final = CloseCode(4501, "bad_request", "Messages that break the protocol")
KICKED: Final = CloseCode(4503, "kicked", "A moderator closed this socket")
REFUSED: Final = CloseCode(4507, "forbidden", "This identity may not be here")

CLOSE_CODES: Final = (
    DRAINING,
    HISTORY_RESET,
    ROOM_UNAVAILABLE,
    BUSY,
    TOO_SLOW,
    TOO_MANY,
    BAD_TOKEN,
    BAD_MESSAGE,
    KICKED,
    REFUSED,
)

PEERS_FAULT: Final = frozenset({1002, 1007, 1009, TOO_MANY.code, BAD_MESSAGE.code})
"""Codes with which a socket is closed for what it sent."""
