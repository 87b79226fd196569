"""One declaration of an HTTP endpoint, from which its route and its part of the OpenAPI document both come."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from giftserver.auth.tokens import IDENTIFIER, Identity, Role
from giftserver.away import ENGINE_ERRORS, is_away
from giftserver.durable.audit_log import Actor
from giftserver.durable.own_affairs import OwnAffair
from giftserver.errors import TOO_LARGE, UNSUPPORTED_TYPE, Refusal
from giftserver.gifts.messages import in_words
from giftserver.services import Services
from giftserver.web.responses import json_answer, refusal_answer
from rooms.codes import BAD_REQUEST, FORBIDDEN, ROOM_NOT_FOUND, UNAUTHORIZED, UNAVAILABLE, ErrorCode

log = structlog.get_logger()

BODY_BYTES_MAX: Final = 16_384

Body = TypeVar("Body")
Query = TypeVar("Query")


@dataclass(frozen=True, slots=True)
class Call(Generic[Body, Query]):
    """One request that was let in, with everything decoded. `identity` is None at public endpoints."""

    services: Services
    request: Request
    identity: Identity | None
    body: Body
    query: Query

    @property
    def user(self) -> str:
        """Who calls; only where roles are asked for."""
        assert self.identity is not None
        assert self.identity.user is not None
        return self.identity.user

    @property
    def actor(self) -> Actor:
        """Who calls, for the audit log; only where roles are asked for."""
        assert self.identity is not None
        return Actor(self.user, self.identity.role)

    @property
    def room(self) -> str:
        """The room in the path."""
        return str(self.request.path_params["room"])


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Body, Query]):
    """What an endpoint takes, gives and refuses. `roles` None: open to all, tokens are not looked at.

    Where roles are asked for, a token that is bound to a room is good only with that room in the path.

    `media_type` is that of the answer; refusals are JSON. A handler returns `response`, a Refusal, or a ready
    Response. An engine that is away becomes `unavailable`, an operator's own affair `forbidden`.
    """

    method: str
    path: str
    summary: str
    handler: "Callable[[Call[Body, Query]], Awaitable[Any]]"
    response: Any
    body: type[Body] | None = None
    query: type[Query] | None = None
    roles: tuple[Role, ...] | None = None
    refusals: tuple[ErrorCode, ...] = ()
    media_type: str = "application/json"

    def route(self) -> Route:
        """The Starlette route."""
        return Route(self.path, self.answer, methods=[self.method], name=self.name)

    @property
    def name(self) -> str:
        """Name of the operation: that of its handler."""
        return self.handler.__name__

    async def answer(self, request: Request) -> Response:
        """Let the request in or refuse it, call the handler, and answer."""
        try:
            call = await self._admit(request)
            result = call if isinstance(call, Refusal) else await self.handler(call)
        except ENGINE_ERRORS as problem:
            if not is_away(problem):
                raise
            log.warning("engine_away", endpoint=self.name, error=type(problem).__name__)
            result = Refusal(
                UNAVAILABLE, "An engine of the server cannot be reached right now: try again in a moment.",
                {"retry_after_ms": 1_000},
            )  # fmt: skip
        except OwnAffair:
            result = Refusal(
                FORBIDDEN, "This is about yourself, so it is not yours to see or to decide. Somebody else must do it."
            )
        except ClientDisconnect:
            return Response(status_code=400)
        if isinstance(result, Refusal):
            return refusal_answer(result)
        return result if isinstance(result, Response) else json_answer(result)

    async def _admit(self, request: Request) -> Call[Body, Query] | Refusal:
        services: Services = request.app.state.services
        room = request.path_params.get("room")
        if room is not None and not IDENTIFIER.fullmatch(room):
            return Refusal(ROOM_NOT_FOUND, "There is no room of this name.")
        identity = None
        if self.roles is not None:
            found = await authenticate(request, services)
            if isinstance(found, Refusal):
                return found
            if found.role not in self.roles:
                return Refusal(FORBIDDEN, f"This is for the roles {', '.join(self.roles)}; you are {found.role}.")
            if found.room is not None and found.room != room:
                words = f"This token is only for room {found.room}: here a token without `room` is needed."
                return Refusal(FORBIDDEN, words)
            identity = found
        query = decode_query(request, self.query)
        if isinstance(query, Refusal):
            return query
        body = await read_body(request, self.body)
        if isinstance(body, Refusal):
            return body
        return Call(services, request, identity, body, query)


async def authenticate(request: Request, services: Services) -> Identity | Refusal:
    """Who sent the request, by its bearer token."""
    header = request.headers.get("authorization")
    if header is None:
        return Refusal(UNAUTHORIZED, "Sign in first: send `Authorization: Bearer <token>`.")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return Refusal(UNAUTHORIZED, "Authorization must be `Bearer <token>`.")
    return await services.verifier.verify(token.strip())


def decode_query(request: Request, kind: type[Query] | None) -> Any:
    """The query as its type; numbers come as text here. Unknown parameters are ignored."""
    if kind is None:
        return None
    try:
        return msgspec.convert(dict(request.query_params), kind, strict=False)
    except msgspec.ValidationError as problem:
        return Refusal(BAD_REQUEST, f"The query is wrong: {in_words(problem)}.")


async def read_body(request: Request, kind: type[Body] | None) -> Any:
    """The JSON body as its type, strictly: no bool, float or text is taken for a number.

    An empty body stands for `{}`. At most BODY_BYTES_MAX bytes are read.
    """
    if kind is None:
        return None
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_BYTES_MAX:
            return Refusal(TOO_LARGE, f"The body is longer than {BODY_BYTES_MAX} bytes.", {"limit": BODY_BYTES_MAX})
    if data:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return Refusal(UNSUPPORTED_TYPE, "Send JSON with `Content-Type: application/json`.")
    try:
        return msgspec.json.decode(bytes(data) or b"{}", type=kind, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return Refusal(BAD_REQUEST, f"The body is wrong: {_words(problem)}.")


def _words(problem: Exception) -> str:
    return "nested too deep" if isinstance(problem, RecursionError) else in_words(problem).rstrip(".")
