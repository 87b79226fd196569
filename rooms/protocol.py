"""Messages of wire protocol v1 that every room speaks, whatever its application shows.

A client sends one map a frame; the server sends arrays of maps, and an empty array as heartbeat.
Clients ignore unknown fields; the server refuses them.
"""

from typing import Any

import msgspec


class Push(msgspec.Struct, tag_field="type", frozen=True, omit_defaults=True):
    """Base of every message from server to client; `type` tells them apart."""


class Command(msgspec.Struct, tag_field="type", frozen=True, forbid_unknown_fields=True):
    """Base of every message from client to server."""


class Welcome(Push, tag="welcome", frozen=True, kw_only=True, omit_defaults=False):
    """First message of a socket. `resumed`: everything missed follows; else start from the snapshot."""

    room: str
    epoch: str
    offset: int
    server_time_ms: int
    heartbeat_s: int
    catalog_version: int
    resumed: bool
    you: Any = None


class Reply(Push, tag="reply", frozen=True, omit_defaults=False):
    """Result of the command with this `id`."""

    id: int
    result: Any


class Error(Push, tag="error", frozen=True, kw_only=True):
    """Refusal of the command with this `id` (null: of a frame that could not be read)."""

    id: int | None
    code: str
    message: str
    temporary: bool = msgspec.field()
    retry_after_ms: int | None = None
    balance_coins: int | None = None
    price_coins: int | None = None
    limit: str | None = None
    limit_coins: int | None = None
    left_coins: int | None = None
    resets_at_ms: int | None = None


class RoomStatus(Push, tag="room", frozen=True, omit_defaults=False):
    """The room's state changed; latest only."""

    status: str
    title: str
    stream_url: str | None


class Viewers(Push, tag="viewers", frozen=True, omit_defaults=False):
    """How many watch, over all processes; latest only."""

    count: int


class Goodbye(Push, tag="goodbye", frozen=True, omit_defaults=False):
    """Last message before the server's close frame."""

    code: int
    reason: str
    reconnect_after_ms: int | None
