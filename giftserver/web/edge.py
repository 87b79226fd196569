"""What happens to every HTTP request before and after its endpoint: origins, security headers, failures."""

from collections.abc import Collection
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from giftserver.auth.origin import origin_refusal
from giftserver.away import ENGINE_ERRORS, told
from giftserver.errors import INTERNAL, Refusal
from giftserver.settings import Settings
from giftserver.web.error_page import error_page
from giftserver.web.responses import refusal_answer

log = structlog.get_logger()

GUARDED: Final = ("/v1/", "/demo/")
PREFLIGHT_AGE_S: Final = 600
CONTENT_POLICY: Final = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
SECURITY_HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class Edge:
    """Refuses pages of foreign origins, answers preflights, adds headers, and turns a failure into an answer.

    No cookie is read or set anywhere, so there are no credentials that a foreign page could make a browser send.
    """

    def __init__(self, app: ASGIApp, settings: Settings, methods: Collection[str]) -> None:
        """`methods`: those that the endpoints take."""
        self._app, self._settings, self._methods = app, settings, methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; WebSockets pass untouched, their endpoint checks the origin itself."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        guarded = scope["path"].startswith(GUARDED)
        origin = headers.get("origin") if guarded else None
        started = False

        async def send_finished(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _finish(MutableHeaders(scope=message), origin, guarded)
            await send(message)

        refusal = origin_refusal(origin, self._settings, headers.get("host"))
        if refusal is not None:
            origin = None
            await refusal_answer(refusal)(scope, receive, send_finished)
        elif origin is not None and _is_preflight(scope, headers):
            await _preflight(self._methods)(scope, receive, send_finished)
        else:
            try:
                await self._app(scope, receive, send_finished)
            except Exception as problem:
                if isinstance(problem, ENGINE_ERRORS):  # what PostgreSQL says of a mistake has people's data in it
                    log.error("request_failed", method=scope["method"], **told(problem))
                else:
                    log.exception("request_failed", method=scope["method"])
                if started:
                    raise
                await _failed(guarded)(scope, receive, send_finished)


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _failed(guarded: bool) -> Response:
    words = "Something went wrong in the server. It was logged; try again in a moment."
    return refusal_answer(Refusal(INTERNAL, words)) if guarded else error_page(500, "That went wrong", words)


def _preflight(methods: Collection[str]) -> Response:
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": ", ".join(sorted(methods)),
            "access-control-allow-headers": "authorization, content-type",
            "access-control-max-age": str(PREFLIGHT_AGE_S),
        },
    )


def _finish(headers: MutableHeaders, origin: str | None, guarded: bool) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if guarded:
        headers.add_vary_header("Origin")
    if origin is not None:
        headers["access-control-allow-origin"] = origin
        headers["access-control-expose-headers"] = "etag, retry-after"
