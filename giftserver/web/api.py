"""The routes of a web process, put together from the endpoints of each capability."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from giftserver.errors import METHOD_NOT_ALLOWED, Refusal
from giftserver.settings import Settings
from giftserver.web import (
    adjustments,
    asyncapi,
    audit,
    cases,
    coin_price,
    demo,
    gifts,
    guardians,
    health,
    limits,
    openapi,
    ops_balances,
    ops_disputes,
    ops_payments,
    ops_payout_stops,
    ops_payouts,
    ops_reviews,
    pages,
    payments,
    payouts,
    prices,
    receipts,
    reports,
    rooms,
    sessions,
    statements,
    store,
    studio,
    wallet,
)
from giftserver.web.edge import GUARDED, Edge
from giftserver.web.endpoint import Endpoint
from giftserver.web.error_page import error_page, nothing_here
from giftserver.web.responses import json_answer, refusal_answer
from rooms.codes import NOT_FOUND


def endpoints(settings: Settings) -> tuple[Endpoint[Any, Any], ...]:
    """Every endpoint of the HTTP API; those of the demo only in the demo."""
    parts = (
        gifts, receipts, rooms, wallet, statements, limits, guardians, studio, store, coin_price, payments, payouts,
        prices, ops_payments, ops_payout_stops, ops_payouts, ops_balances, ops_disputes, ops_reviews, sessions,
        reports, cases, adjustments, audit,
    )  # fmt: skip
    always = tuple(endpoint for part in parts for endpoint in part.ENDPOINTS)
    return (*always, *demo.ENDPOINTS) if settings.demo else always


def routes(settings: Settings) -> list[BaseRoute]:
    """All HTTP routes; the last one answers whatever the others do not."""
    api = endpoints(settings)
    found: list[BaseRoute] = [
        *(endpoint.route() for endpoint in api),
        *health.routes(),
        _document("/openapi.json", partial(openapi.document, api, settings)),
        _document("/asyncapi.json", partial(asyncapi.document, settings)),
        *pages.routes(settings),
    ]
    return [*found, Route("/{path:path}", _Otherwise(found))]


def middleware(settings: Settings) -> list[Middleware]:
    """What every request passes first."""
    methods = {endpoint.method for endpoint in endpoints(settings)}
    edge = Middleware(Edge, settings=settings, methods=methods)
    return [edge, Middleware(GZipMiddleware, minimum_size=1_024, compresslevel=6)]


class _Otherwise:
    """404, or 405 where the path is right but the method is not: JSON for programs, a page for people."""

    def __init__(self, routes: list[BaseRoute]) -> None:
        self._routes = routes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request that no route takes."""
        await self._answer(Request(scope, receive))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        allowed: set[str] = set()
        for route in self._routes:
            if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL:
                allowed |= route.methods or set()
        for_programs = request.url.path.startswith(GUARDED)
        if allowed:
            methods = ", ".join(sorted(allowed))
            if for_programs:
                refusal = Refusal(METHOD_NOT_ALLOWED, f"This path takes {methods}.")
                return refusal_answer(refusal, {"allow": methods})
            page = error_page(405, "That does not work here", "This page can only be looked at.")
            page.headers["allow"] = methods
            return page
        if for_programs:
            return refusal_answer(Refusal(NOT_FOUND, "There is no such endpoint: /openapi.json lists all."))
        return nothing_here()


def _document(path: str, make: Callable[[], dict[str, Any]]) -> Route:
    """A document that is made when it is first asked for: few processes ever are, and it takes 30 ms."""
    document = cache(make)

    async def show(request: Request) -> Response:
        return json_answer(document(), headers={"cache-control": "no-cache"})

    return Route(path, show)
