"""The API under /v1: JSON for merchants, and the controls of tests."""

import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from giftserver.sandbox.bodies import (
    MoveDispute,
    NewDispute,
    NewPayout,
    NewRefund,
    NewSession,
    Resend,
    Settle,
    SettlePayout,
    read_body,
)
from giftserver.sandbox.book import Book
from giftserver.sandbox.checkout import Checkout
from giftserver.sandbox.claims import Claims
from giftserver.sandbox.mischief import Mischief
from giftserver.sandbox.movements import movements
from giftserver.sandbox.objects import AnyKept, Kept, KeptPayout, Refused
from giftserver.sandbox.payouts import Payouts
from giftserver.sandbox.webhooks import Webhooks

PREFIX: Final = "/v1"
SEND_FIRST_S: Final = 3.0
"""How long an answer waits for the webhooks that are to arrive before it."""

UNAVAILABLE: Final = Refused(503, "unavailable", "The provider cannot do this now: try again.")
UNANSWERED: Final = Refused(500, "error", "Something went wrong on the provider's side.")

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_MOMENT: Final = re.compile(r"[0-9]{1,15}")

Handler = Callable[[Request], Awaitable[Any]]


def json_answer(value: Any) -> Response:
    """A JSON answer that nobody stores; a Refused becomes `{"error": {"code", "message"}}` with its status."""
    headers = {"cache-control": "no-store"}
    status = 200
    if isinstance(value, Refused):
        status = value.status
        value = {"error": {"code": value.code, "message": value.message}}
        if status == 401:
            headers["www-authenticate"] = "Bearer"
    return Response(msgspec.json.encode(value), status, headers, "application/json")


class KeyGuard:
    """ASGI middleware: under /v1 only who shows the API key comes in, whatever is asked for."""

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app: Final = app
        self._expected: Final = b"Bearer " + secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{PREFIX}/"):
            shown = Headers(scope=scope).get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(shown, self._expected):
                refused = Refused(401, "unauthorized", "Send `Authorization: Bearer <secret>` with the API key.")
                await json_answer(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Api:
    """Handlers of the API: each returns what becomes JSON, or a Refused."""

    def __init__(
        self, book: Book, checkout: Checkout, claims: Claims, payouts: Payouts, webhooks: Webhooks
    ) -> None:  # fmt: skip
        self._book, self._checkout, self._claims, self._webhooks = book, checkout, claims, webhooks
        self._payouts = payouts

    def routes(self) -> list[Route]:
        """Routes of every handler."""
        session = "/sessions/{id}"
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/sessions", self.create),
            ("GET", "/sessions", self.find),
            ("GET", session, self.fetch),
            ("POST", f"{session}/cancel", self.cancel),
            ("POST", f"{session}/expire", self.expire),
            ("POST", f"{session}/settle", self.settle),
            ("POST", f"{session}/refunds", self.refund),
            ("POST", f"{session}/refunds/{{refund}}/fail", self.fail_refund),
            ("POST", f"{session}/disputes", self.dispute),
            ("PUT", f"{session}/mischief", self.plague),
            ("POST", "/disputes/{id}", self.move_dispute),
            ("POST", "/payouts", self.pay_out),
            ("GET", "/payouts", self.find_payouts),
            ("POST", "/payouts/{id}/settle", self.settle_payout),
            ("GET", "/balance", self.balance),
            ("GET", "/movements", self.movements),
            ("GET", "/events", self.events),
            ("POST", "/webhooks/resend", self.resend),
            ("GET", "/mischief", self.show_mischief),
            ("PUT", "/mischief", self.plan_mischief),
        ]
        return [Route(PREFIX + path, _endpoint(handler), methods=[method]) for method, path, handler in table]

    async def create(self, request: Request) -> Any:
        """`POST /v1/sessions`."""
        if self._book.creations_to_fail > 0:
            self._book.creations_to_fail -= 1
            return UNAVAILABLE
        key, body = _key(request), await read_body(request, NewSession)
        if isinstance(body, Refused) or isinstance(key, Refused):
            return body if isinstance(body, Refused) else key
        opened = self._checkout.open(key, body)
        if isinstance(opened, Refused):
            return opened
        kept, new = opened
        if new and kept.mischief.webhook_before_answer:
            kept = self._checkout.pay_by_wallet(kept)
            await self._webhooks.sent(kept.id, SEND_FIRST_S)
        return kept.session

    async def fetch(self, request: Request) -> Any:
        """`GET /v1/sessions/{id}`."""
        return _session(self._fetched(self._named(request)))

    async def find(self, request: Request) -> Any:
        """`GET /v1/sessions?payment=`: the sessions of a merchant's reference."""
        payment = request.query_params.get("payment")
        if payment is None:
            return Refused(400, "bad_request", "Name the payment: `?payment=<reference>`.")
        found = [self._fetched(self._checkout.current(kept.id)) for kept in self._book.of_payment(payment)]
        refused = next((one for one in found if isinstance(one, Refused)), None)
        return refused or {"sessions": [_session(one) for one in found]}

    async def cancel(self, request: Request) -> Any:
        """`POST /v1/sessions/{id}/cancel`."""
        kept = self._named(request)
        return kept if isinstance(kept, Refused) else _session(self._checkout.cancel(kept))

    async def expire(self, request: Request) -> Any:
        """`POST /v1/sessions/{id}/expire`, a control of tests."""
        kept = self._named(request)
        return kept if isinstance(kept, Refused) else _session(self._checkout.expire(kept))

    async def settle(self, request: Request) -> Any:
        """`POST /v1/sessions/{id}/settle`: a bank transfer arrives or bounces."""
        body = await read_body(request, Settle)
        kept = self._named(request)
        if isinstance(body, Refused) or isinstance(kept, Refused):
            return kept if isinstance(kept, Refused) else body
        return _session(self._checkout.settle(kept, bounced=body.result == "bounced"))

    async def refund(self, request: Request) -> Any:
        """`POST /v1/sessions/{id}/refunds`."""
        key, body = _key(request), await read_body(request, NewRefund)
        kept = self._named(request)
        if isinstance(kept, Refused):
            return kept
        if isinstance(body, Refused) or isinstance(key, Refused):
            return body if isinstance(body, Refused) else key
        return self._claims.refund(kept, key, body)

    async def fail_refund(self, request: Request) -> Any:
        """`POST /v1/sessions/{id}/refunds/{refund}/fail`: the buyer's bank sends the money back."""
        kept = self._named(request)
        return kept if isinstance(kept, Refused) else self._claims.fail(kept, request.path_params["refund"])

    async def dispute(self, request: Request) -> Any:
        """`POST /v1/sessions/{id}/disputes`: the cardholder complains."""
        body = await read_body(request, NewDispute)
        kept = self._named(request)
        if isinstance(body, Refused) or isinstance(kept, Refused):
            return kept if isinstance(kept, Refused) else body
        return self._claims.dispute(kept, body)

    async def move_dispute(self, request: Request) -> Any:
        """`POST /v1/disputes/{id}`."""
        body = await read_body(request, MoveDispute)
        return body if isinstance(body, Refused) else self._claims.move(request.path_params["id"], body.state)

    async def pay_out(self, request: Request) -> Any:
        """`POST /v1/payouts`: the merchant pays somebody."""
        if self._book.creations_to_fail > 0:
            self._book.creations_to_fail -= 1
            return UNAVAILABLE
        key, body = _key(request), await read_body(request, NewPayout)
        if isinstance(body, Refused) or isinstance(key, Refused):
            return body if isinstance(body, Refused) else key
        made = self._payouts.make(key, body)
        if isinstance(made, KeptPayout) and self._book.payouts_to_leave_unanswered > 0:
            self._book.payouts_to_leave_unanswered -= 1
            return UNANSWERED
        return made if isinstance(made, Refused) else made.payout

    async def find_payouts(self, request: Request) -> Any:
        """`GET /v1/payouts?payout=`: the payouts of a merchant's reference."""
        payout = request.query_params.get("payout")
        if payout is None:
            return Refused(400, "bad_request", "Name the payout: `?payout=<reference>`.")
        found = [self._fetched(kept) for kept in self._book.payouts if kept.payout.payout == payout]
        refused = next((one for one in found if isinstance(one, Refused)), None)
        return refused or {"payouts": [one.payout for one in found if isinstance(one, KeptPayout)]}

    async def settle_payout(self, request: Request) -> Any:
        """`POST /v1/payouts/{id}/settle`, a control of tests: it arrives, fails, or comes back."""
        body = await read_body(request, SettlePayout)
        return body if isinstance(body, Refused) else self._payouts.settle(request.path_params["id"], body.state)

    async def balance(self, request: Request) -> Any:
        """`GET /v1/balance`: by currency what came, what went, and what is left."""
        balances: dict[str, dict[str, int]] = {}
        names = ("captured_minor", "refunded_minor", "disputed_minor", "paid_out_minor", "net_minor")
        for kept in self._book.sessions:
            session = kept.session
            if session.captured_minor == 0:
                continue
            sums = balances.setdefault(session.currency, dict.fromkeys(names, 0))
            sums["captured_minor"] += session.captured_minor
            sums["refunded_minor"] += session.refunded_minor
            sums["disputed_minor"] += kept.disputed_minor
            sums["net_minor"] += session.captured_minor - session.refunded_minor - kept.disputed_minor
        for payout in (one.payout for one in self._book.payouts if one.payout.state == "paid"):
            sums = balances.setdefault(payout.currency, dict.fromkeys(names, 0))
            sums["paid_out_minor"] += payout.amount_minor
            sums["net_minor"] -= payout.amount_minor
        return {"balances": balances}

    async def movements(self, request: Request) -> Any:
        """`GET /v1/movements?from_ms=&until_ms=`: what came and went in that time."""
        asked = [request.query_params.get(name, "") for name in ("from_ms", "until_ms")]
        if not all(_MOMENT.fullmatch(one) for one in asked):
            return Refused(400, "bad_request", "Say from when until when: `?from_ms=<ms>&until_ms=<ms>` since 1970.")
        return {"movements": movements(self._book, int(asked[0]), int(asked[1]))}

    async def events(self, request: Request) -> Any:
        """`GET /v1/events?session=`, or `?payout=` with the sandbox's id: every event in order, delivered or not."""
        id = request.query_params.get("session")
        if id is not None and isinstance(refused := self._checkout.current(id), Refused):
            return refused
        id = id if id is not None else request.query_params.get("payout")
        return {"events": list(self._book.events(id))}

    async def resend(self, request: Request) -> Any:
        """`POST /v1/webhooks/resend`: send an event once more."""
        body = await read_body(request, Resend)
        if isinstance(body, Refused):
            return body
        event = self._book.event(body.event)
        if event is None:
            return Refused(404, "not_found", "There is no such event.")
        self._webhooks.again(event)
        return event

    async def show_mischief(self, request: Request) -> Any:
        """`GET /v1/mischief`."""
        return self._book.mischief

    async def plan_mischief(self, request: Request) -> Any:
        """`PUT /v1/mischief`: for sessions and payouts to come."""
        body = await read_body(request, Mischief)
        if isinstance(body, Mischief):
            self._book.plan(body)
        return body

    async def plague(self, request: Request) -> Any:
        """`PUT /v1/sessions/{id}/mischief`: for one session, from now on."""
        body = await read_body(request, Mischief)
        kept = self._named(request)
        if isinstance(body, Refused) or isinstance(kept, Refused):
            return kept if isinstance(kept, Refused) else body
        self._checkout.plague(kept, body)
        return body

    def _named(self, request: Request) -> Kept | Refused:
        return self._checkout.current(request.path_params["id"])

    def _fetched(self, kept: AnyKept | Refused) -> AnyKept | Refused:
        if not isinstance(kept, Refused) and kept.fetches_to_fail > 0:
            self._book.keep(kept.but(fetches_to_fail=kept.fetches_to_fail - 1))
            return UNAVAILABLE
        return kept


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return json_answer(await handler(request))

    return endpoint


def _session(found: AnyKept | Refused) -> Any:
    return found.session if isinstance(found, Kept) else found


def _key(request: Request) -> str | Refused:
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        return Refused(400, "key_missing", "Send an `Idempotency-Key` of 1 to 255 visible ASCII characters.")
    return key
