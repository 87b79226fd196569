"""`/v1/rooms/{room}/ws`: who may open a room's socket, and its life."""

import asyncio
import math
import re
import time
from typing import Any

import structlog
from redis.exceptions import RedisError
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from giftserver.auth.origin import origin_refusal
from giftserver.auth.tokens import ANONYMOUS, Identity
from giftserver.errors import Refusal
from giftserver.gifts.messages import You
from giftserver.gifts.presenter import RoomVanished
from giftserver.services import Services
from giftserver.web.commands import CommandReader
from rooms import codes
from rooms.asgi import AsgiOutlet
from rooms.codec import CODECS, Codec, choose_codec
from rooms.connection import Connection, Member, Outlet
from rooms.edge import edge_of
from rooms.hub import Resume
from rooms.room import Room

log = structlog.get_logger()

FINISH_S = 5.0
OFFSET_MAX = 2**53
OFFSET = re.compile(r"[0-9]{1,16}")


async def room_socket(websocket: WebSocket) -> None:
    """Open one socket, and carry it where the server cannot. Every refusal before the handshake is an HTTP response."""
    services: Services = websocket.app.state.services
    room_id = websocket.path_params["room"]
    admitted = await _admit(services, websocket, room_id)
    if isinstance(admitted, Refusal):
        services.metrics.refused_sockets.labels(admitted.code.name).inc()
        await websocket.send_denial_response(JSONResponse({"error": admitted.body()}, admitted.status))
        return
    identity, codec, resume = admitted
    address = websocket.client.host if websocket.client else ""
    refusal = services.people.admit(identity.user, address)
    if refusal is not None:
        services.metrics.refused_sockets.labels("limit").inc()
        await websocket.send_denial_response(JSONResponse({"error": refusal.body()}, refusal.status))
        return
    edge = edge_of(websocket.scope)
    outlet = AsgiOutlet(websocket, binary=codec.binary) if edge is None else edge
    visit = Visit(services, room_id, identity, codec, outlet, address)
    try:
        begun = await visit.begin(websocket, resume)
        if begun and isinstance(outlet, AsgiOutlet):
            await outlet.run(visit.on_message)
            await visit.finish(FINISH_S)
    except BaseException:
        visit.end()
        raise
    if begun and edge is not None:
        edge.detach(visit.on_message, visit.end, services.wheel)
    else:
        visit.end()


async def _admit(
    services: Services, websocket: WebSocket, room_id: str
) -> tuple[Identity, Codec, Resume | None] | Refusal:
    settings = services.settings
    refusal = origin_refusal(websocket.headers.get("origin"), settings, websocket.headers.get("host"))
    if refusal is not None:
        return refusal
    if services.hub.draining:
        return Refusal(codes.UNAVAILABLE, "This process is being restarted. Connect again.")
    codec = choose_codec(websocket.scope["subprotocols"])
    if codec is None:
        return Refusal(codes.BAD_REQUEST, f"Offer a subprotocol of {', '.join(c.subprotocol for c in CODECS)}.")
    resume = _resume(websocket)
    if isinstance(resume, Refusal):
        return resume
    identity = await _identity(services, websocket)
    if isinstance(identity, Refusal):
        return identity
    if identity.room is not None and identity.room != room_id:
        return Refusal(codes.FORBIDDEN, "This identity belongs to another room.")
    if room_id not in services.hub.rooms and len(services.hub.rooms) >= settings.rooms_per_process:
        return Refusal(codes.RATE_LIMITED, f"This process serves {settings.rooms_per_process} rooms already.")
    try:
        room = await services.rooms.get(room_id)
    except Exception as problem:  # the driver's errors differ by cause
        log.warning("room_unknown", error=type(problem).__name__)
        return Refusal(codes.UNAVAILABLE, "Rooms cannot be looked up right now. Connect again.")
    if room is None:
        return Refusal(codes.ROOM_NOT_FOUND, f"There is no room {room_id[:64]}.")
    return identity, codec, resume


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
        return redeemed
    if bearer is not None:
        scheme, _, token = bearer.partition(" ")
        if scheme.lower() != "bearer":
            return Refusal(codes.UNAUTHORIZED, "Authorization must be `Bearer <JWT>`.")
        return await services.verifier.verify(token)
    if not services.settings.watch_without_identity:
        return Refusal(codes.UNAUTHORIZED, "Watching needs a ticket: POST /v1/tickets, then ?ticket=….")
    return ANONYMOUS


class Visit:
    """One socket's time in its room, whatever carries it. `end` is called once, however it ends."""

    def __init__(
        self, services: Services, room_id: str, identity: Identity, codec: Codec, outlet: Outlet, address: str
    ) -> None:
        self._services, self._room_id, self._identity, self._address = services, room_id, identity, address
        self._room: Room | None = None
        self._counted = False
        self._session: asyncio.TimerHandle | None = None
        self._connection = Connection(
            outlet,
            codec,
            Member(identity.user, identity.name, identity.role),
            outbox_bytes=services.settings.outbox_bytes,
            commands_per_s=services.settings.commands_per_s,
        )
        self._commands = CommandReader(services, services.people, room_id, identity, self._connection)
        self.on_message = self._commands.on_message
        self.finish = self._commands.finish

    async def begin(self, websocket: WebSocket, resume: Resume | None) -> bool:
        """Accept the handshake and join the room; False when the client has gone meanwhile."""
        services, connection = self._services, self._connection
        you = await _you(services, self._identity)
        try:
            await websocket.accept(connection.codec.subprotocol if websocket.scope["subprotocols"] else None)
        except (WebSocketDisconnect, RuntimeError, OSError):
            return False
        self._room = await _join(services, self._room_id, connection, resume, you)
        services.people.add(connection)
        services.metrics.connections.inc()
        self._counted = True
        left_s = self._identity.expires_s - time.time() + services.settings.jwt_leeway_s
        if math.isfinite(left_s):
            self._session = asyncio.get_running_loop().call_later(max(left_s, 0.0), connection.close, codes.BAD_TOKEN)
        return True

    def end(self) -> None:
        """The socket is gone: forget it everywhere."""
        services, connection = self._services, self._connection
        services.people.leave(self._identity.user, self._address)
        if self._session is not None:
            self._session.cancel()
        if not self._counted:
            return
        services.people.remove(connection)
        services.metrics.connections.dec()
        if self._room is not None:
            services.hub.leave(self._room, connection)
        if connection.closed_with is not None:
            services.metrics.closes.labels(str(connection.closed_with.code)).inc()


async def _join(
    services: Services, room_id: str, connection: Connection, resume: Resume | None, you: Any
) -> Room | None:
    try:
        room = await services.hub.join(room_id, connection, resume, you)
    except (RedisError, OSError, TimeoutError, RoomVanished) as problem:
        log.warning("join_failed", room=room_id, error=type(problem).__name__)
        connection.close(codes.ROOM_UNAVAILABLE, reconnect_after_ms=1_000)
        return None
    services.metrics.resumes.labels("resumed" if connection.resumed else "snapshot").inc()
    return room


async def _you(services: Services, identity: Identity) -> You | None:
    if identity.user is None:
        return None
    balance = None if identity.role == "overlay" else await services.ledger.balance(identity.user)
    return You(identity.user, identity.name, identity.role, balance)
