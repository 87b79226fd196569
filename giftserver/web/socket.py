"""`/v1/rooms/{room}/ws`: a room's socket and its life."""

import asyncio
import math
import time
from typing import Any

import structlog
from redis.exceptions import RedisError
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from giftserver.auth.tokens import Identity
from giftserver.errors import Refusal
from giftserver.gifts.messages import You
from giftserver.gifts.presenter import RoomVanished
from giftserver.services import Services
from giftserver.web.admit import admit, asks
from giftserver.web.commands import CommandReader
from rooms import codes
from rooms.asgi import AsgiOutlet
from rooms.codec import Codec
from rooms.connection import Connection, Member
from rooms.edge import EdgeProtocol, edge_of
from rooms.hub import Resume
from rooms.protocol import Goodbye
from rooms.room import Room

log = structlog.get_logger()

FINISH_S = 5.0


async def room_socket(websocket: WebSocket) -> None:
    """Open one socket, and carry it where the server cannot. Every refusal before the handshake is an HTTP response."""
    services: Services = websocket.app.state.services
    asked = asks(services, websocket)
    if isinstance(asked, Refusal):
        await _refuse(services, websocket, asked)
        return
    codec, resume = asked
    later_ms = services.admission.ask()
    if later_ms:
        services.metrics.refused_sockets.labels(codes.BUSY.name).inc()
        await _send_away(websocket, codec, later_ms)
        return
    visit = await _enter(services, websocket, codec, resume)
    if visit is None:
        return
    if isinstance(visit.outlet, AsgiOutlet):
        try:
            await visit.outlet.run(visit.on_message)
            await visit.finish(FINISH_S)
        finally:
            visit.end()
    else:
        visit.outlet.detach(visit.on_message, visit.end, services.wheel, visit.connection)


async def _enter(services: Services, websocket: WebSocket, codec: Codec, resume: Resume | None) -> "Visit | None":
    """Join the room, in turn; None when the socket was refused or has gone meanwhile."""
    visit, begun = None, False
    try:
        async with services.admission.turn():
            visit = await _visit(services, websocket, codec)
            if visit is None or not visit.wait_s:
                begun = visit is not None and await visit.begin(websocket, resume)
                return visit if begun else None
        await asyncio.sleep(visit.wait_s)
        async with services.admission.turn():
            begun = await visit.begin(websocket, resume)
        return visit if begun else None
    finally:
        if visit is not None and not begun:
            visit.end()


async def _visit(services: Services, websocket: WebSocket, codec: Codec) -> "Visit | None":
    """Who comes, counted in; None when that was refused."""
    room_id = websocket.path_params["room"]
    identity = await admit(services, websocket, room_id)
    if isinstance(identity, Refusal):
        await _refuse(services, websocket, identity)
        return None
    address = websocket.client.host if websocket.client else ""
    refusal = services.people.admit(identity.user, address)
    if refusal is not None:
        await _refuse(services, websocket, refusal)
        return None
    outlet = edge_of(websocket.scope) or AsgiOutlet(websocket, binary=codec.binary)
    return Visit(services, room_id, identity, codec, outlet, address)


async def _refuse(services: Services, websocket: WebSocket, refusal: Refusal) -> None:
    services.metrics.refused_sockets.labels(refusal.code.name).inc()
    await websocket.send_denial_response(JSONResponse({"error": refusal.body()}, refusal.status))


async def _send_away(websocket: WebSocket, codec: Codec, later_ms: int) -> None:
    """Say when there is a place. A browser reads nothing of a refused handshake, so this one is accepted for it."""
    frame = codec.frame([codec.encode(Goodbye(codes.BUSY.code, codes.BUSY.meaning, later_ms))])
    try:
        await websocket.accept(codec.subprotocol if websocket.scope["subprotocols"] else None)
        if codec.binary:
            await websocket.send_bytes(frame.payload)
        else:
            await websocket.send_text(frame.payload.decode())
        await websocket.close(codes.BUSY.code, codes.BUSY.name)
    except (WebSocketDisconnect, RuntimeError, OSError):
        return  # it has gone by itself


class Visit:
    """One socket's time in its room, whatever carries it. `end` is called once, however it ends."""

    def __init__(
        self,
        services: Services,
        room_id: str,
        identity: Identity,
        codec: Codec,
        outlet: EdgeProtocol | AsgiOutlet,
        address: str,
    ) -> None:
        self.outlet = outlet
        self._services, self._room_id, self._identity, self._address = services, room_id, identity, address
        self._room: Room | None = None
        self._counted = False
        self.wait_s = services.conduct.wait_s(identity.user, address)
        """What whoever misbehaved has to wait before the handshake goes on."""

        self._session: asyncio.TimerHandle | None = None
        self.connection = Connection(
            outlet,
            codec,
            Member(identity.user, identity.name, identity.role),
            outbox_bytes=services.settings.outbox_bytes,
            commands_per_s=services.settings.commands_per_s,
        )
        self._commands = CommandReader(services, services.people, room_id, identity, self.connection)
        self.on_message = self._commands.on_message
        self.finish = self._commands.finish

    async def begin(self, websocket: WebSocket, resume: Resume | None) -> bool:
        """Accept the handshake and join the room; False when the client has gone meanwhile."""
        services, connection = self._services, self.connection
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
        services, connection = self._services, self.connection
        services.people.leave(self._identity.user, self._address)
        if self._session is not None:
            self._session.cancel()
        if not self._counted:
            return
        closed_with = connection.closed_with
        if self.outlet.closed_for in codes.PEERS_FAULT or (closed_with and closed_with.code in codes.PEERS_FAULT):
            services.conduct.misbehaved(self._identity.user, self._address)
        services.people.remove(connection)
        services.metrics.connections.dec()
        if self._room is not None:
            services.hub.leave(self._room, connection)
        if closed_with is not None:
            services.metrics.closes.labels(str(closed_with.code)).inc()


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
