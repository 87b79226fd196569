"""Who may open a room's socket: origin, subprotocol, where to resume, identity, room."""

import re
from typing import Final

import structlog
from redis.exceptions import RedisError
from starlette.websockets import WebSocket

from giftserver.auth.origin import origin_refusal
from giftserver.auth.tokens import ANONYMOUS, Identity
from giftserver.away import is_away, told
from giftserver.errors import INTERNAL, Refusal
from giftserver.services import Services
from rooms import codes
from rooms.codec import CODECS, Codec, choose_codec
from rooms.hub import Resume

log = structlog.get_logger()

OFFSET_MAX: Final = 2**53
OFFSET: Final = re.compile(r"[0-9]{1,16}")
RESTARTED: Final = Refusal(codes.UNAVAILABLE, "This process is being restarted. Connect again.")


def asks(services: Services, websocket: WebSocket) -> tuple[Codec, Resume | None] | Refusal:
    """What the handshake asks for, as far as that can be told without asking anybody."""
    refusal = origin_refusal(websocket.headers.get("origin"), services.settings, websocket.headers.get("host"))
    if refusal is not None:
        return refusal
    if services.hub.draining:
        return RESTARTED
    codec = choose_codec(websocket.scope["subprotocols"])
    if codec is None:
        return Refusal(codes.BAD_REQUEST, f"Offer a subprotocol of {', '.join(c.subprotocol for c in CODECS)}.")
    resume = _resume(websocket)
    return resume if isinstance(resume, Refusal) else (codec, resume)


async def admit(services: Services, websocket: WebSocket, room_id: str) -> Identity | Refusal:
    """Who comes, if they may be in this room."""
    settings = services.settings
    identity = await _identity(services, websocket)
    if isinstance(identity, Refusal):
        return identity
    if identity.room is not None and identity.room != room_id:
        return Refusal(codes.FORBIDDEN, "This identity belongs to another room.")
    if room_id not in services.hub.rooms and len(services.hub.rooms) >= settings.rooms_per_process:
        return Refusal(codes.RATE_LIMITED, f"This process serves {settings.rooms_per_process} rooms already.")
    try:
        room = await services.rooms.get(room_id)
    except Exception as problem:
        if not is_away(problem):
            log.error("room_not_read", **told(problem))
            return Refusal(INTERNAL, "Something went wrong in the server. It was logged; connect again in a moment.")
        log.warning("room_unknown", error=type(problem).__name__)
        return Refusal(codes.UNAVAILABLE, "Rooms cannot be looked up right now. Connect again.")
    if services.hub.draining:
        return RESTARTED
    if room is None:
        return Refusal(codes.ROOM_NOT_FOUND, f"There is no room {room_id[:64]}.")
    return identity


def _resume(websocket: WebSocket) -> Resume | Refusal | None:
    epoch, offset = websocket.query_params.get("epoch"), websocket.query_params.get("offset")
    if epoch is None and offset is None:
        return None
    if not epoch or not offset or not OFFSET.fullmatch(offset) or int(offset) >= OFFSET_MAX:
        return Refusal(codes.BAD_REQUEST, "Resume with both `epoch` and a whole `offset`, as the server gave them.")
    return Resume(epoch, int(offset))


async def _identity(services: Services, websocket: WebSocket) -> Identity | Refusal:
    ticket = websocket.query_params.get("ticket")
    bearer = websocket.headers.get("authorization")
    if ticket is not None:
        try:
            redeemed = await services.tickets.redeem(ticket)
        except (RedisError, OSError, TimeoutError):
            return Refusal(codes.UNAVAILABLE, "Tickets cannot be checked right now. Connect again.")
        if redeemed is None:
            return Refusal(codes.UNAUTHORIZED, "The ticket is unknown, used or older than 30 s. Fetch a new one.")
        if services.session_ends.ended(redeemed):
            return Refusal(codes.UNAUTHORIZED, "This session was ended. Sign in again.")
        return redeemed
    if bearer is not None:
        scheme, _, token = bearer.partition(" ")
        if scheme.lower() != "bearer":
            return Refusal(codes.UNAUTHORIZED, "Authorization must be `Bearer <JWT>`.")
        return await services.verifier.verify(token)
    if not services.settings.watch_without_identity:
        return Refusal(codes.UNAUTHORIZED, "Watching needs a ticket: POST /v1/tickets, then ?ticket=….")
    return ANONYMOUS
