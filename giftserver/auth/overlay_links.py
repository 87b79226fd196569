"""Overlay links: an address for a streaming program, which lets whoever has it watch one room's gifts.

A link carries the room and a version, signed; making a new one raises the version and voids the old link.
"""

import base64
import binascii
import hashlib
import hmac
import math
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.auth.origin import own_url
from giftserver.auth.tokens import IDENTIFIER, Identity
from giftserver.durable.overlays import overlay_version, rotate_overlay
from giftserver.errors import Refusal
from giftserver.settings import Settings
from rooms.codes import UNAUTHORIZED, UNAVAILABLE

_PURPOSE: Final = b"giftserver overlay link 1"
_MAC_BYTES: Final = 32
_VERSION_BYTES: Final = 4
_TOKEN_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class OverlayLink:
    """What a genuine overlay token says; whether its version is still in force is another question."""

    room: str
    version: int


class OverlaySigner:
    """Makes and reads overlay tokens with link_secret, or jwt_secret where that is unset."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.link_secret or settings.jwt_secret
        if secret is None:
            raise ValueError("overlay links need GIFTSERVER_LINK_SECRET or GIFTSERVER_JWT_SECRET")
        # Its own key for this purpose: a signature made here fits nothing else that the secret signs.
        self._key = hmac.digest(secret.get_secret_value().encode(), _PURPOSE, "sha256")

    def token(self, link: OverlayLink) -> str:
        """The token of a link, as text that fits a path."""
        signed = link.version.to_bytes(_VERSION_BYTES, "big") + link.room.encode()
        return base64.urlsafe_b64encode(self._mac(signed) + signed).rstrip(b"=").decode()

    def read(self, token: str) -> OverlayLink | None:
        """What a token says, or None when we did not make it."""
        if len(token) > _TOKEN_CHARACTERS_MAX or not token.isascii():
            return None
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, signed = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(signed)):
            return None
        room = signed[_VERSION_BYTES:].decode(errors="replace")
        if not IDENTIFIER.fullmatch(room):
            return None
        return OverlayLink(room, int.from_bytes(signed[:_VERSION_BYTES], "big"))

    def _mac(self, signed: bytes) -> bytes:
        return hmac.new(self._key, signed, hashlib.sha256).digest()


class OverlayLinks:
    """Overlay links of rooms, whose versions are in PostgreSQL. Methods raise SQLAlchemyError or OSError."""

    def __init__(self, settings: Settings, database: AsyncEngine, host: str | None = None) -> None:
        """`host` is the Host header of who asks for a link."""
        self._database, self._base_url = database, own_url(settings, host)
        self._signer = OverlaySigner(settings) if settings.link_secret or settings.jwt_secret else None

    async def url(self, room: str) -> str | Refusal:
        """The room's link as it is in force."""
        return self._url(room, await overlay_version(self._database, room))

    async def rotate(self, room: str) -> str | Refusal:
        """A new link; the old one lets nobody in any more. Raises RoomUnknown."""
        if self._signer is None:
            return _not_set_up()
        return self._url(room, await rotate_overlay(self._database, room))

    async def identity(self, token: str) -> Identity | Refusal:
        """The overlay of a room, for as long as its link is in force."""
        if self._signer is None:
            return _not_set_up()
        link = self._signer.read(token)
        if link is None or link.version != await overlay_version(self._database, link.room):
            return Refusal(UNAUTHORIZED, "this overlay link is void: copy the present one from the studio")
        return Identity(user=None, name="Overlay", role="overlay", room=link.room, expires_s=math.inf)

    def _url(self, room: str, version: int) -> str | Refusal:
        if self._signer is None:
            return _not_set_up()
        return f"{self._base_url}/overlay/{self._signer.token(OverlayLink(room, version))}"


def _not_set_up() -> Refusal:
    return Refusal(UNAVAILABLE, "overlay links are not set up: set GIFTSERVER_LINK_SECRET (32 bytes or more)")
