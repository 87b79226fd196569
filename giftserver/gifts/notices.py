"""Short messages between processes that are about rooms and people, not part of a room's history.

They are hints: losing one loses no money and no gift, the next read shows the truth.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rooms.bus import Bus

CHANNEL: Final = "giftserver:notices"


class RoomChanged(msgspec.Struct, tag=True, frozen=True):
    """A room went live or offline, or has another title."""

    room: str


class TestGiftSent(msgspec.Struct, tag=True, frozen=True):
    """A creator tries the overlay of a room."""

    room: str
    gift: str
    sender_name: str
    coins: int


class OverlayRotated(msgspec.Struct, tag=True, frozen=True):
    """A room's overlay link is void; overlays opened with it must go."""

    room: str


class OffsetsShown(msgspec.Struct, tag=True, frozen=True):
    """A room's overlay has shown these offsets."""

    room: str
    offsets: list[int]


class GiftsSettled(msgspec.Struct, tag=True, frozen=True):
    """Transfers that reached the durable ledger, by sender."""

    transfers: dict[str, list[str]]


class BalanceChanged(msgspec.Struct, tag=True, frozen=True):
    """A credit reached a wallet; `coins` is the balance after it."""

    user: str
    coins: int


class GiftRefunded(msgspec.Struct, tag=True, frozen=True):
    """A gift was given back; coins and diamonds of the gift, `reason` as in the durable ledger."""

    user: str
    room: str
    transfer: str
    coins: int
    diamonds: int
    reason: str


class SessionsEnded(msgspec.Struct, tag=True, frozen=True):
    """A person's tokens issued up to `before_s` (Unix seconds) count no more."""

    user: str
    before_s: int


Notice = (
    RoomChanged
    | TestGiftSent
    | OverlayRotated
    | OffsetsShown
    | GiftsSettled
    | BalanceChanged
    | GiftRefunded
    | SessionsEnded
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Notice).decode


async def send_notice(redis: Any, notice: Notice) -> None:
    """Tell every web process; `redis` is the rooms' client. Raises RedisError or OSError when it is away."""
    await redis.execute_command("SPUBLISH", CHANNEL, _encode(notice))


async def listen(bus: Bus, handle: Callable[[Notice], None]) -> None:
    """Call `handle` for each notice from now on."""
    await bus.subscribe(CHANNEL, lambda data: handle(_decode(data)))
