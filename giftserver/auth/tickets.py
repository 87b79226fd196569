"""Tickets: what a browser shows instead of a token when it opens a socket. Single use, 30 seconds."""

import hashlib
import secrets
import time
from typing import Final

import msgspec
from redis.asyncio import Redis

from giftserver.auth.tokens import Identity

TICKET_TTL_S: Final = 30
_ENTROPY_BYTES: Final = 32
_TICKET_CHARACTERS: Final = 43

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Identity).decode


class Tickets:
    """Tickets in the rooms' Redis, which knows only their hashes: reading it lets nobody in.

    Methods raise RedisError, OSError or TimeoutError when Redis does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, identity: Identity) -> str:
        """A new ticket for this identity: 256 random bits, as text that fits a URL."""
        ticket = secrets.token_urlsafe(_ENTROPY_BYTES)
        await self._redis.set(_key(ticket), _encode(identity), ex=TICKET_TTL_S)
        return ticket

    async def redeem(self, ticket: str) -> Identity | None:
        """The identity behind a ticket, once; None when it was used, is too old or never was."""
        if len(ticket) != _TICKET_CHARACTERS or not ticket.isascii():
            return None
        stored = await self._redis.getdel(_key(ticket))
        if stored is None:
            return None
        assert isinstance(stored, bytes)
        identity = _decode(stored)
        return identity if identity.expires_s > time.time() else None


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
