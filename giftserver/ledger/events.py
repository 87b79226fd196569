"""The gift event that a shard's stream carries from Redis to PostgreSQL, and its numbering."""

from typing import Final

import msgspec

COINS_MAX: Final = 10**12
"""Most coins of one gift; Lua numbers stay exact far above it."""

BALANCE_LIMIT: Final = 2**53
"""Balances stay below this: Lua and JavaScript numbers are doubles."""


class GiftEvent(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """Everything the durable ledger and the room need to know of one gift; amounts in coins and diamonds."""

    key: str
    request_hash: str
    sender: str
    sender_name: str
    creator: str
    room: str
    gift: str
    quantity: int
    coins: int
    diamonds: int
    catalog_version: int
    rate_version: int
    note: str


encode_event = msgspec.msgpack.Encoder().encode
decode_event = msgspec.msgpack.Decoder(GiftEvent, strict=True).decode


def transfer_id(shard: int, epoch: int, seq: int) -> str:
    """Public name of a gift's transfer, such as `07-1-123`."""
    return f"{shard:02d}-{epoch}-{seq}"


def parse_stream_id(stream_id: bytes | str) -> tuple[int, int]:
    """Epoch and sequence number of a stream entry's id.

    Raises ValueError when the id is not `<epoch>-<seq>`.
    """
    text = stream_id.decode() if isinstance(stream_id, bytes) else stream_id
    epoch, _, seq = text.partition("-")
    return int(epoch), int(seq)
